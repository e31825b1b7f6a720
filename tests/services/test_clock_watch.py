"""A clock that stands still or shows what cannot be (3.4): a fault after five seconds, until it can be right again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from tests.services.test_clock_lost import NOON, clock_of, every_minute, is_fault, load_times, meter, set_clock

from wattwheel.apex.messages import Control
from wattwheel.model.private_items import CLOCK_DI
from wattwheel.services.clock_watch import ClockWatch, Fault

SECOND = timedelta(seconds=1)
STOPPED = -1_000_000.0  # ppm
S = 1_000_000_000


def looks(watch: ClockWatch, host: datetime, seconds: list[float], speed: float = 1.0) -> list[Fault | None]:
    """A look at each of `seconds` of the monotonic clock, the calendar running `speed` times as fast from `host` on."""
    return [watch.look(*(2 * [host + speed * second * SECOND]), round(second * S)) for second in seconds]


@pytest.mark.parametrize("speed", [1.0, 0.001, 3600.0])
def test_a_clock_that_runs_is_sound(speed):
    assert looks(ClockWatch(), NOON, list(range(100)), speed) == [None] * 100


@pytest.mark.parametrize(("stands_s", "is_fault_found"), [(4.9, False), (5.0, True)])
def test_five_seconds_of_standing_still_are_a_fault(stands_s, is_fault_found):
    watch = ClockWatch()
    looks(watch, NOON, [0, 1, 2])
    found = [watch.look(NOON + 2 * SECOND, NOON + 2 * SECOND, round(at * S)) for at in (3, 4, 5, 6, 2 + stands_s)]
    assert found[:4] == [None] * 4
    assert found[4] is (Fault.FROZEN if is_fault_found else None)
    assert watch.counted(9 * S, 1.0) == NOON + 9 * SECOND
    assert watch.counted(9 * S, 60.0) == NOON + 2 * SECOND + 60 * 7 * SECOND


@pytest.mark.parametrize(
    ("shows", "fault"),
    [
        (NOON - timedelta(hours=1), None),
        (NOON - timedelta(hours=1, seconds=10), Fault.INVALID),
        (datetime(1970, 1, 1, tzinfo=UTC), Fault.INVALID),
        (NOON + timedelta(days=1000), None),
    ],
)
def test_a_time_that_cannot_be(shows, fault):
    watch = ClockWatch()
    looks(watch, NOON, [0, 1])
    assert looks(watch, shows - 2 * SECOND, [2, 3, 4, 5, 5.9]) == [None] * 5
    assert looks(watch, shows - 2 * SECOND, [6]) == [fault]


def test_a_clock_that_was_set_before_the_years_that_can_be_said():
    watch = ClockWatch()
    assert looks(watch, datetime(1999, 12, 31, tzinfo=UTC), [0, 1, 4.9, 5]) == [None, None, None, Fault.INVALID]


def test_short_standstills_in_a_row_are_no_fault():
    watch, host = ClockWatch(), NOON
    for at in range(60):
        host += 3 * SECOND * (at % 4 == 0)
        assert watch.look(host, host, at * S) is None


# -- the whole meter


def stop_board_clock(world, stops: bool) -> None:
    world.clock.drift_calendar(STOPPED if stops else 0.0)


def tell_clock(world, stops: bool) -> None:
    replies = []
    world.meter.ask(Control.CONTACT, CLOCK_DI, bytes((stops,)), replies.append)
    assert world.advance_until(lambda: bool(replies), 2.0)
    assert not replies[0].error


@pytest.mark.parametrize("stop", [stop_board_clock, tell_clock])
def test_a_frozen_clock_is_a_fault_until_it_is_set(stop):
    world = meter()
    every_minute(world)
    world.advance(130)
    assert not is_fault(world)
    before = clock_of(world)
    stop(world, True)
    world.advance(1)
    assert not is_fault(world)
    assert clock_of(world) - before < 2 * SECOND
    world.advance(4)
    assert is_fault(world)
    kept = load_times(world)
    assert len(kept) >= 2
    begin = clock_of(world)
    assert timedelta(seconds=8) <= begin - before <= timedelta(seconds=10)  # counted, as if it had never stood still
    world.advance(200)
    assert timedelta(seconds=199) <= clock_of(world) - begin <= timedelta(seconds=201)
    assert load_times(world) == kept
    assert world.counters()["platform"]["clock_lost"] == 1
    set_clock(world, NOON + timedelta(hours=2))
    assert not is_fault(world)
    world.advance(6)
    assert is_fault(world)  # it was set, and stands still
    stop(world, False)
    world.advance(11)
    if stop is stop_board_clock:  # it runs from where it stood: nobody knows what it should show
        assert is_fault(world)
        set_clock(world, NOON + timedelta(hours=3))
    assert not is_fault(world)
    world.advance(130)
    assert not is_fault(world)
    assert load_times(world)[-1] > NOON + timedelta(hours=2)
    assert not world.meter.crashes


def test_an_operator_who_lets_it_run_again_finds_the_right_time():
    world = meter()
    world.advance(10)
    error = clock_of(world) - world.clock.calendar()
    tell_clock(world, True)
    world.advance(100)
    assert is_fault(world)
    before = clock_of(world)
    tell_clock(world, True)  # once more
    assert abs(clock_of(world) - before) < SECOND
    tell_clock(world, False)
    assert abs(clock_of(world) - before) < SECOND
    world.advance(12)
    assert not is_fault(world)
    assert clock_of(world) - world.clock.calendar() == error


@pytest.mark.parametrize("behind_s", [0.0, 1800.0])
def test_a_clock_that_falls_back_while_the_meter_runs_is_lost_and_found(behind_s):
    """And a host that found the time may correct it by less than an hour."""
    world = meter()
    world.advance(60)
    world.clock.step_calendar(-56 * 365 * 86_400.0)
    world.advance(6)
    assert is_fault(world)
    assert abs(clock_of(world) - NOON) < timedelta(seconds=100)
    world.clock.step_calendar(56 * 365 * 86_400.0 - behind_s)
    world.advance(11)
    assert not is_fault(world)
    assert clock_of(world) == world.clock.calendar()


def test_a_service_that_is_killed_finds_a_frozen_clock_again():
    world = meter()
    world.advance(10)
    stop_board_clock(world, True)
    world.advance(7)
    assert is_fault(world)
    world.kill("platform")
    world.advance(8)
    assert is_fault(world)
