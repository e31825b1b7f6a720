"""Demand windows: which turns of a minute follow each other, and what of saved windows can be gone on with."""

from __future__ import annotations

from itertools import chain

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wattwheel.model.demand import Method
from wattwheel.model.demand_windows import (
    ACTIVE,
    APPARENT,
    REACTIVE,
    DemandWindows,
    TurnSeen,
    Windows,
    restarted,
    turn_seen,
)
from wattwheel.model.records import REGISTER_COUNT
from wattwheel.model.register_image import RegisterImage

NOON = 43_200
ELEMENTS = (0,) * (REGISTER_COUNT - 8)
KILOWATT_MINUTE = 60_000_000_000


def image(second: int = NOON, at_s: float = 0, energy: int = 0, clears: int = 0) -> RegisterImage:
    total = (energy, 0, 0, 0, 0, 0, energy, 0)
    return RegisterImage(second, ((0,) * 8,), (*total, *ELEMENTS), meter_clears=clears, at_ns=round(at_s * 10**9))


@pytest.mark.parametrize(
    ("seconds", "passed_s", "clears", "follows"),
    [
        (60, 60, 0, True),
        (65, 65, 0, True),
        (66, 66, 0, False),
        (120, 120, 0, False),
        (30, 30, 0, False),  # the same minute
        (-60, 60, 0, False),
        (60, 66, 0, False),  # the clock was moved
        (60, 54, 0, False),
        (60, 56, 0, True),
        (60, 60, 1, False),  # other registers
    ],
)
def test_a_turn_follows_when_no_minute_was_missed_and_no_clock_moved(seconds, passed_s, clears, follows):
    seen = turn_seen(image(NOON, 500))
    assert seen.is_followed_by(image(NOON + seconds, 500 + passed_s, clears=clears)) is follows
    assert turn_seen(image(NOON + 1)).is_followed_by(image(NOON + 60))  # no instants are known


@pytest.mark.parametrize(("second", "first"), [(0, 15), (1, 15), (2, 16), (30, 16), (59, 16)])
def test_a_restart_off_the_minute_takes_one_minute_more(second, first):
    windows = DemandWindows(restarted(Method(), image(NOON + second), Windows()))
    for minute in range(1, first + 1):
        windows.pass_minute(image(NOON + 60 * minute, energy=minute * KILOWATT_MINUTE))
        assert (windows.kept.active[0] >= 15) is (minute >= first)
    assert windows.views[ACTIVE] == windows.views[APPARENT] == 10_000
    assert windows.views[REACTIVE] == 0


@settings(deadline=None)
@given(st.lists(st.integers(0, 10**13), min_size=25, max_size=40), st.integers(1, 22))
@example([10**12] * 25, 4)
def test_windows_that_were_saved_go_on_as_if_they_had_not_been(energies, at):
    windows, total = DemandWindows(restarted(Method(10, 2), image(), Windows())), 0
    other = windows
    for minute, energy in enumerate(energies, 1):
        total += energy
        due = windows.pass_minute(image(NOON + 60 * minute, energy=total))
        assert due is (minute % 2 == 0)
        if other is not windows:
            assert other.pass_minute(image(NOON + 60 * minute, energy=total)) is due
            assert other.kept == windows.kept
            assert not due or other.views == windows.views
        if minute == at:
            saved = msgspec.msgpack.decode(msgspec.msgpack.encode(windows.kept), type=Windows)
            assert saved.is_sound()
            other = DemandWindows(saved)


def test_windows_that_hold_less_than_they_count_are_not_sound():
    assert Windows().is_sound()
    assert not Windows(active=[3, 0, 0, 0]).is_sound()
    assert not Windows(tariff=1).is_sound()
    assert not Windows(slip_minutes=4).is_sound()
    assert not Windows(minutes=[(0,) * 7]).is_sound()
    assert not Windows(minutes=[(0,) * 12] * 16).is_sound()
    assert Windows(minutes=[(0,) * 12] * 15, active=[15] * 4).is_sound()


def test_windows_without_apparent_energy_are_taken_up_and_go_on():
    seen = TurnSeen(NOON, tuple(range(24)), 1, 0, 0, 0)
    minute = (5 * KILOWATT_MINUTE, 3 * KILOWATT_MINUTE, 0, 1, 12 * KILOWATT_MINUTE, 4 * KILOWATT_MINUTE, 0, 0)
    kept = Windows(5, 1, seen, [minute] * 5, [5] * 4, [5] * 4, 5)
    assert kept.is_sound()
    windows = DemandWindows(msgspec.msgpack.decode(msgspec.msgpack.encode(kept), type=Windows))
    now = windows.kept.seen.elements
    assert now == tuple(chain(*((*range(at, at + 6), 0, 0) for at in (0, 6, 12, 18))))
    assert windows.kept.minutes[-1][APPARENT : APPARENT + 2] == (13 * KILOWATT_MINUTE, 5 * KILOWATT_MINUTE)
    after = (now[0] + KILOWATT_MINUTE, *now[1:6], 3 * KILOWATT_MINUTE, *now[7:])
    assert windows.pass_minute(RegisterImage(NOON + 60, ((0,) * 8,), after))
    assert windows.views[ACTIVE] == (4 * 5 + 1) * 10_000 // 5
    assert windows.views[APPARENT] == (4 * 13 + 3) * 10_000 // 5
    assert windows.kept.is_sound()


def test_apparent_demand_counts_what_flowed_both_ways():
    windows = DemandWindows(restarted(Method(5, 1), image(), Windows()))
    elements = [0] * REGISTER_COUNT
    for minute in range(1, 6):
        for place, tenths in ((0, 10), (1, 1), (6, 12), (7, 2)):
            elements[place] += tenths * KILOWATT_MINUTE // 10
        windows.pass_minute(RegisterImage(NOON + 60 * minute, ((0,) * 8,), tuple(elements)))
    assert (windows.views[ACTIVE], windows.views[APPARENT]) == (9_000, 14_000)
