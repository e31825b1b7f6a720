"""Virtual time: order, determinism, steps and drift of the calendar, and what cannot go on."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattwheel.drivers.sim.clock import POWER_UP, START_NS, SimClock


@given(st.lists(st.integers(-10, 10_000), max_size=40), st.integers(0, 10_000))
def test_actions_run_in_order_each_at_its_instant_and_none_before(delays, until):
    clock, ran = SimClock(), []
    for number, delay in enumerate(delays):
        clock.call_at(START_NS + delay, lambda number=number: ran.append((clock.now_ns(), number)))
    clock.advance(until / 1e9)
    due = sorted((max(0, delay), delay, number) for number, delay in enumerate(delays) if delay <= until)
    assert [(START_NS + at, number) for at, _, number in due] == ran
    assert clock.now_ns() == START_NS + until


def test_an_action_may_ask_for_more_within_the_same_advance():
    clock, ran = SimClock(), []

    def again():
        ran.append(clock.now_ns())
        clock.call_at(clock.now_ns() + 10, again)

    again()
    clock.advance(100e-9)
    assert ran == [START_NS + 10 * number for number in range(11)]


def test_time_that_stands_still_is_an_assertion():
    clock = SimClock()

    def forever():
        clock.call_at(clock.now_ns(), forever)

    forever()
    with pytest.raises(AssertionError, match="time stands still"):
        clock.advance(1)


def test_until_a_condition_holds():
    clock, ran = SimClock(), []
    for number in range(10):
        clock.call_at(START_NS + number, lambda number=number: ran.append(number))
    assert clock.advance_until(lambda: len(ran) == 4, 1)
    assert (ran, clock.now_ns()) == ([0, 1, 2, 3], START_NS + 3)
    assert clock.advance_until(lambda: True, 1)
    assert not clock.advance_until(lambda: False, 1)
    assert clock.now_ns() == START_NS + 3 + 1_000_000_000


def story(seed):
    clock, ran = SimClock(chance=random.Random(seed)), []
    for number in range(20):
        clock.call_at(START_NS, lambda number=number: ran.append(number))
    clock.advance(1)
    return ran


def test_a_seed_decides_the_order_within_an_instant():
    assert story(1) == story(1)
    assert sorted(story(1)) == list(range(20))
    assert len({tuple(story(seed)) for seed in range(10)}) == 10


def test_the_calendar_steps_and_drifts_and_intervals_do_not():
    clock = SimClock()
    assert clock.calendar() == POWER_UP
    clock.advance(86_400)
    assert clock.calendar() == POWER_UP + timedelta(days=1)
    clock.step_calendar(-3600)
    assert clock.calendar() == POWER_UP + timedelta(hours=23)
    clock.drift_calendar(50)
    clock.advance(100_000)
    assert clock.calendar() == POWER_UP + timedelta(hours=23, seconds=100_005)
    clock.drift_calendar(0)
    clock.advance(10)
    assert clock.calendar() == POWER_UP + timedelta(hours=23, seconds=100_015)
    assert clock.now_ns() == START_NS + 186_410 * 1_000_000_000
