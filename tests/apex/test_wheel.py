"""The wheel: priorities, run to completion, periods without drift."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattwheel.apex.wheel import BEFORE_REST_MAX, BITS, Wheel
from wattwheel.drivers.sim.clock import SimClock


@pytest.fixture
def clock():
    return SimClock()


@given(st.lists(st.integers(0, BITS - 1), max_size=60))
def test_each_posted_bit_runs_once_the_most_urgent_first(bits):
    wheel, ran = Wheel(SimClock()), []
    for bit in range(BITS):
        wheel.task(bit, lambda bit=bit: ran.append(bit))
    for bit in bits:
        wheel.post(bit)
    wheel.turn()
    assert ran == sorted(set(bits))
    wheel.turn()
    assert ran == sorted(set(bits))


def test_a_task_runs_to_its_end_and_then_the_most_urgent_bit_is_next(clock):
    wheel, story = Wheel(clock), []

    def slow():
        story.append("slow begins")
        wheel.post(1)
        wheel.post(9)
        story.append("slow ends")

    wheel.task(1, lambda: story.append("urgent"))
    wheel.task(5, slow)
    wheel.task(7, lambda: story.append("waiting"))
    wheel.task(9, lambda: story.append("least"))
    wheel.post(7)
    wheel.post(5)
    wheel.turn()
    assert story == ["slow begins", "slow ends", "urgent", "waiting", "least"]


def test_a_bit_posted_by_its_own_task_runs_again(clock):
    wheel, left = Wheel(clock), [1, 2, 3]

    def task():
        left.pop()
        if left:
            wheel.post(4)

    wheel.task(4, task)
    wheel.post(4)
    wheel.turn()
    assert left == []


def test_posts_while_a_task_is_running_are_not_lost_to_its_own_clearing(clock):
    wheel, runs = Wheel(clock), []

    def task():
        runs.append(1)
        if len(runs) == 1:
            wheel.post(3)
            wheel.post(3)

    wheel.task(3, task)
    wheel.post(3)
    wheel.turn()
    assert len(runs) == 2


def test_before_rest_is_called_when_the_board_is_empty_and_may_post_again(clock):
    wheel, story = Wheel(clock), []

    def flush():
        story.append("flush")
        if story.count("flush") == 1:
            wheel.post(2)

    wheel.before_rest(flush)
    wheel.task(2, lambda: story.append("task"))
    wheel.post(2)
    wheel.turn()
    assert story == ["task", "flush", "task", "flush"]


def test_what_is_wrong_with_a_board_is_an_assertion(clock):
    wheel = Wheel(clock)
    wheel.task(0, lambda: None)
    for bit in (-1, BITS, 0):
        with pytest.raises(AssertionError):
            wheel.task(bit, lambda: None)
    with pytest.raises(AssertionError):
        wheel.post_every(0, 0)
    for _ in range(BEFORE_REST_MAX):
        wheel.before_rest(lambda: None)
    with pytest.raises(AssertionError):
        wheel.before_rest(lambda: None)


def test_free_bits_are_given_from_the_most_urgent_on(clock):
    wheel = Wheel(clock)
    wheel.task(8, lambda: None)
    wheel.task(10, lambda: None)
    assert wheel.free_bit() == 9
    for bit in range(BITS):
        if bit not in (8, 10):
            wheel.task(bit, lambda: None)
    with pytest.raises(AssertionError):
        wheel.free_bit()


def test_post_at_posts_at_its_instant(clock):
    wheel, ran = Wheel(clock), []
    wheel.task(3, lambda: ran.append(clock.now_ns()))
    due = clock.now_ns() + 700
    wheel.post_at(due, 3)
    clock.advance(699e-9)
    wheel.turn()
    assert ran == []
    clock.advance(1e-9)
    wheel.turn()
    assert ran == [due]


def test_a_year_of_periods_does_not_drift(clock):
    wheel, ran = Wheel(clock), []
    wheel.task(3, lambda: ran.append(clock.now_ns()))
    begun, period = clock.now_ns(), 3_333_333_333
    wheel.post_every(period, 3)
    for _ in range(50_000):
        clock.advance(4.0)
        wheel.turn()
    assert (ran[-1] - begun) // period == (clock.now_ns() - begun) // period
    assert len(ran) == 50_000  # each 4 s hold one or two periods, posted once


class Late:
    """A clock whose actions run late: a process that was stopped for a while."""

    def __init__(self):
        self.now, self.timers = 0, []

    def now_ns(self):
        return self.now

    def call_at(self, due, action):
        self.timers.append((due, action))


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=30), st.integers(1, 100))
def test_missed_periods_are_posted_once_and_the_grid_is_kept(delays, period):
    clock, posted = Late(), []
    wheel = Wheel(clock)
    wheel.task(1, lambda: posted.append(clock.now))
    wheel.post_every(period, 1)
    for delay in delays:
        (due, action), clock.timers = clock.timers[0], []
        assert due % period == 0
        assert due >= clock.now
        clock.now = due + delay
        action()
        wheel.turn()
        assert len(clock.timers) == 1
    assert len(posted) == len(delays)
