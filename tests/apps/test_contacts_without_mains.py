"""Covers and magnetic field while nothing pushes: begin and end have their own times, not that of the power-up."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.apps.test_contacts import INPUTS, MAGNETIC, METER_COVER, TERMINAL_COVER, Alone, silence, speak, tell, times
from tests.apps.test_contacts import world as _world

from wattwheel.apps.contact_records import CHANGES_WAITING_MAX, Told
from wattwheel.apps.functions import EPOCH
from wattwheel.model.contacts import STATES, TIME_FORMAT
from wattwheel.sdk import Function

world = _world  # the fixture
HOUR_S = 3600
COVERS = [(METER_COVER, "meter-cover", 1), (TERMINAL_COVER, "terminal-cover", 1), (MAGNETIC, "magnetic-field", 5)]


def at(second: int) -> str:
    return f"{EPOCH + timedelta(seconds=second):{TIME_FORMAT}}"


def told_later(alone: Alone, name: str, *changes: tuple[int, bool]) -> None:
    words = [word for second, is_on in changes for word in (STATES[name][not is_on], at(second))]
    prepared = alone.function.prepare(Function.CONTACT, " ".join((name, *words)).encode(), b"", alone.push(0))
    prepared.apply()
    alone.saved.update(prepared.changes)


@pytest.mark.parametrize(("di", "name", "delay_s"), COVERS)
@pytest.mark.parametrize("is_restarted", [False, True])
def test_what_was_seen_without_mains_has_its_own_times(di, name, delay_s, is_restarted):
    """The supply was away for two hours, and what was seen is told some seconds after the first push."""
    alone = Alone()
    alone.push()
    off = alone.second
    if is_restarted:
        alone = Alone(alone.saved)
        alone.second = off
    alone.push(2 * HOUR_S)
    alone.push()
    told_later(alone, name, (off + 600, True), (off + 1800, False))
    assert alone.count(di) == 0
    alone.push()
    expected = [EPOCH + timedelta(seconds=off + second + delay_s + 1) for second in (600, 1800)]
    assert alone.times(di) == expected
    assert alone.count(di) == 1
    for _ in range(70):
        alone.push()
    assert (alone.count(di), alone.times(di)) == (1, expected)


@pytest.mark.parametrize(("di", "name", "delay_s"), COVERS)
@pytest.mark.parametrize("before_s", [0, 1])
def test_what_began_just_before_the_supply_went_lasts_on(di, name, delay_s, before_s):
    """The delay was not over when the supply went; that nothing else was told means it has held since."""
    alone = Alone()
    alone.push()
    alone.tell(f"{name} {STATES[name][0]}")
    begin = alone.second
    for _ in range(before_s):
        alone.push()
    again = Alone(alone.saved)
    again.second = begin + HOUR_S
    again.push()
    assert again.times(di) == [EPOCH + timedelta(seconds=begin + delay_s + 1), None]


@pytest.mark.parametrize(("di", "on", "delay_s"), [(row[0], row[1], row[3]) for row in INPUTS if row[0] != MAGNETIC])
def test_inputs_that_are_not_watched_without_mains_begin_at_the_power_up(di, on, delay_s):
    alone = Alone()
    alone.tell(on)
    again = Alone(alone.saved)
    again.second = alone.second + HOUR_S
    again.push()
    up = again.second
    for _ in range(delay_s):
        again.push()
    assert again.times(di) == [EPOCH + timedelta(seconds=up + delay_s), None]


def test_changes_are_on_the_medium_before_anybody_looks():
    """The supply goes again before the first push: the times are still those that were told."""
    alone = Alone()
    alone.push()
    begin = alone.second
    alone.push(HOUR_S)
    told_later(alone, "meter-cover", (begin + 10, True), (begin + 50, False))
    again = Alone(alone.saved)
    again.second = alone.second + HOUR_S
    again.push()
    assert again.times(METER_COVER) == [EPOCH + timedelta(seconds=begin + second) for second in (12, 52)]


def test_a_time_that_is_yet_to_come_is_now():
    alone = Alone()
    alone.push()
    told_later(alone, "meter-cover", (alone.second + HOUR_S, True))
    now = alone.second
    alone.push(), alone.push()
    assert alone.times(METER_COVER)[0] == EPOCH + timedelta(seconds=now + 2)


@given(st.lists(st.tuples(st.integers(1, 9), st.booleans()), max_size=40), st.integers(1, 60))
def test_told_at_once_or_one_by_one_is_the_same(runs, tail_s):
    """Whoever pushes each second and tells as it happens makes the same records as who tells it all afterwards."""
    live, late = Alone(), Alone()
    live.push(), late.push()
    changes, is_on = [], False
    for seconds, state in runs:
        if state is not is_on and len(changes) < CHANGES_WAITING_MAX:
            is_on = state
            changes.append((live.second, state))
            told_later(live, "magnetic-field", changes[-1])
        for _ in range(seconds):
            live.push()
    for _ in range(tail_s):
        live.push()
    late.push(live.second - late.second)
    if changes:
        told_later(late, "magnetic-field", *changes)
    live.push(), late.push()
    for place in range(11):
        assert late.function.look(MAGNETIC + place, b"") == live.function.look(MAGNETIC + place, b"")


def test_more_changes_than_are_kept_go_in_pairs():
    told = Told()
    for second in range(3 * CHANGES_WAITING_MAX):
        told = told.changed(not told.is_on, second)
        assert len(told.changes) <= CHANGES_WAITING_MAX
        assert told.changes[-1][1] is told.is_on
        assert told.changes[0] == (0, True)


def test_without_a_push_the_cover_has_its_times(world):
    """The metering core is without supply; the management core, on its battery, hears of the cover."""
    world.advance(5)
    silence(world)
    world.advance(70)
    opened = world.clock.calendar()
    assert tell(world, "meter-cover", "open") == 0
    world.advance(300)
    assert tell(world, "meter-cover", "closed") == 0
    world.advance(300)
    speak(world)
    world.advance(20)
    begin, end = times(world.ask(METER_COVER + 1).check())
    assert 0 <= (begin - opened).total_seconds() <= 3
    assert 299 <= (end - begin).total_seconds() <= 302
    assert world.read(METER_COVER) == 1


def test_a_cover_on_battery_is_recorded_as_it_happens(world):
    """All voltages are gone and the machine runs on."""
    world.set_power(0, voltage_v=(0, 0, 0))
    world.advance(10)
    opened = world.clock.calendar()
    assert tell(world, "terminal-cover", "open") == 0
    world.advance(30)
    assert tell(world, "terminal-cover", "closed") == 0
    world.advance(30)
    begin, end = times(world.ask(TERMINAL_COVER + 1).check())
    assert 0 <= (begin - opened).total_seconds() <= 3
    assert 29 <= (end - begin).total_seconds() <= 32


def test_an_opening_during_a_cut_of_the_whole_meter_is_told_when_somebody_tells_it(world):
    world.meter.lose_power()
    world.advance(600)
    world.meter.power_up()
    world.await_ready()
    up = world.clock.calendar()
    assert tell(world, "meter-cover", "open") == 0
    world.advance(5)
    begin, _ = times(world.ask(METER_COVER + 1).check())
    assert 0 <= (begin - up).total_seconds() <= 3


def test_what_was_saved_by_an_older_version_waits_for_nothing():
    saved = msgspec.msgpack.encode({"meter-cover": (True, (False, 1), (0, ()), 0, 0)})
    alone = Alone({"contacts": saved})
    alone.second = 1_000_000
    alone.push()
    assert alone.times(METER_COVER)[0] == EPOCH + timedelta(seconds=alone.second)


def test_changes_count_in_the_order_in_which_they_were_told():
    told = Told().changed(True, 20).changed(False, 10).changed(True, 15)
    assert told.changes == ((20, True), (20, False), (20, True))
    assert told.changed_at == 20
    assert told.runs(30, 1, is_watched=True) == [(True, 10, 0)]
