"""A meter whose host has lost the time, and one whose clock drifts, through cuts and kills (C-08, C-09)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from wattwheel.drivers.sim.storage import SimRecords
from wattwheel.services.clock_keeping import BUILD_DATE, kept_of
from wattwheel.services.clock_rules import DATE_TIME_DI
from wattwheel.testing.world import World, simulated_settings

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
PASSWORD = "440044"
DONE = (0x94, b"")
STATUS_WORD_1, LOAD, INTERVAL_1 = 0x04000501, 0x06000000, 0x04000A02
YEARS_S = 56 * 365 * 86_400.0
DRIFT_PPM = 1000.0


def meter(calendar: datetime = NOON, drift_ppm: float = 0.0) -> World:
    settings = simulated_settings()
    own = msgspec.structs.replace(settings.dlt645, password_level_4=PASSWORD)
    clock = msgspec.structs.replace(settings.clock, drift_ppm=drift_ppm)
    world = World(7, settings=msgspec.structs.replace(settings, dlt645=own, clock=clock), calendar=calendar)
    world.set_power(3e3)
    world.await_ready()
    return world


def restart(world: World, host_step_s: float, off_s: float = 600.0) -> None:
    """Cut the supply; the host's calendar is another one when it comes back."""
    world.meter.lose_power()
    world._doors.clear()
    world.clock.advance(off_s)
    world.clock.step_calendar(host_step_s)
    world.meter.power_up()
    world.await_ready()


def clock_of(world: World) -> datetime:
    return world.meter.body("energy")._life.context.clock.calendar()


def set_clock(world: World, time: datetime) -> None:
    weekday = f"{time.isoweekday() % 7:02d}"
    octets = bytes.fromhex(f"{time:%y%m%d}{weekday}{time:%H%M%S}")[::-1]
    assert world.write(DATE_TIME_DI, octets, 4, PASSWORD) == DONE


def is_fault(world: World) -> bool:
    world.advance(2)
    return bool(int.from_bytes(world.ask(STATUS_WORD_1).check(), "little") >> 15)


def load_times(world: World) -> list[datetime]:
    """Times of the load records, at most the first 99."""
    octets = world.ask(LOAD, parameters=b"\x99").check()
    times = []
    while octets:
        times.append(datetime.strptime(octets[3:8][::-1].hex(), "%y%m%d%H%M").replace(tzinfo=UTC))
        octets = octets[octets[2] + 5 :]
    return times


def every_minute(world: World) -> None:
    assert world.write(INTERVAL_1, b"\x01\x00", 4, PASSWORD) == DONE


def saved(world: World) -> datetime | None:
    """The time that is on the medium as seen."""
    held, world.meter.disk.held = world.meter.disk.held, set()
    records = SimRecords(world.meter.disk)
    kept = kept_of(dict(records.load("platform")))
    world.meter.disk.held = held
    return kept.seen


# -- loss


def test_c_09_it_goes_on_from_the_last_time_it_saved_and_says_so():
    world = meter()
    every_minute(world)
    world.advance(80 * 60)
    assert not is_fault(world)
    seen, records = clock_of(world), load_times(world)
    assert len(records) > 75
    restart(world, -YEARS_S)
    begin, kept = clock_of(world), load_times(world)
    assert kept in (records, records[:-1])  # the last one may not have been on the medium yet
    assert timedelta(0) <= seen - begin < timedelta(hours=1, seconds=10)
    assert is_fault(world)
    assert world.counters()["platform"]["clock_lost"] == 1
    world.advance(600)
    assert abs(clock_of(world) - begin - timedelta(seconds=602)) < timedelta(seconds=1)
    assert load_times(world) == kept  # none more, and none is void
    assert is_fault(world)
    set_clock(world, NOON + timedelta(days=1))
    assert not is_fault(world)
    world.advance(180)
    assert [time for time in load_times(world) if time > NOON + timedelta(days=1)]
    world.kill("platform")
    world.advance(5)
    assert not is_fault(world)
    assert timedelta(minutes=3) < clock_of(world) - NOON - timedelta(days=1) < timedelta(minutes=4)
    assert not world.meter.crashes


def test_c_09_a_meter_that_never_knew_the_time_begins_at_the_build_date():
    world = meter(datetime(1970, 1, 1, 0, 1, tzinfo=UTC))
    assert BUILD_DATE <= clock_of(world) < BUILD_DATE + timedelta(minutes=1)
    assert is_fault(world)
    assert load_times(world) == []


def test_a_broadcast_within_its_rules_ends_the_loss_and_one_beyond_them_does_not():
    world = meter()
    world.advance(60)
    restart(world, -86_400 * 3, off_s=10)
    assert is_fault(world)
    lost = clock_of(world)
    world.broadcast(0x08, bytes.fromhex(f"{lost + timedelta(minutes=9):%S%M%H%d%m%y}"))
    assert is_fault(world)
    world.broadcast(0x08, bytes.fromhex(f"{clock_of(world) + timedelta(minutes=4):%S%M%H%d%m%y}"))
    assert not is_fault(world)
    assert clock_of(world) - lost > timedelta(minutes=4)


def test_a_host_that_finds_the_time_later_moves_a_lost_clock_once_and_never_beyond_it():
    world = meter()
    world.advance(60)
    restart(world, -YEARS_S)
    assert is_fault(world)
    world.clock.step_calendar(YEARS_S)  # its own synchronisation
    highest = clock_of(world)
    for _ in range(150):
        world.advance(0.1)
        highest = max(highest, clock_of(world))
    assert not is_fault(world)
    assert highest <= world.clock.calendar()
    assert clock_of(world) == world.clock.calendar()


@pytest.mark.parametrize("is_found", [False, True])
def test_a_service_that_is_killed_while_the_clock_is_lost_knows_it_again(is_found):
    world = meter()
    world.advance(60)
    restart(world, -YEARS_S)
    world.advance(300)
    before = clock_of(world)
    if is_found:
        world.clock.step_calendar(YEARS_S)
    world.kill("platform")
    world.advance(8)
    assert is_fault(world) == (not is_found)
    expected = world.clock.calendar() if is_found else before + timedelta(seconds=10)
    assert abs(clock_of(world) - expected) < timedelta(seconds=2)


def test_a_clock_that_was_set_back_is_not_lost():
    world = meter()
    world.advance(60)
    set_clock(world, NOON - timedelta(days=400))
    restart(world, 0.0)
    assert not is_fault(world)
    assert timedelta(minutes=10) < clock_of(world) - NOON + timedelta(days=400) < timedelta(minutes=12)


def test_that_the_time_was_seen_is_saved_once_an_hour_and_at_an_orderly_end():
    world = meter()
    seen = []
    for _ in range(2 * 6 + 1):
        world.advance(600)
        kept = saved(world)
        seen += [kept] if kept not in seen else []
    assert [round((time - NOON) / timedelta(hours=1)) for time in seen] == [0, 1, 2]
    world.advance(600)
    kept = saved(world)
    for _ in range(3):
        world.kill("platform")
        world.advance(30)
    assert saved(world) == kept  # a start is no reason
    stopped = []
    world.meter.stop(lambda: stopped.append(True))
    assert world.advance_until(lambda: bool(stopped), 10)
    assert timedelta(0) <= world.clock.calendar() - saved(world) < timedelta(seconds=10)


# -- drift


@pytest.mark.parametrize("death", ["cut", "kernel", "platform", "metering"])
def test_no_death_forgets_what_has_drifted(death):
    world = meter(drift_ppm=DRIFT_PPM)
    begin = world.clock.calendar()
    error = clock_of(world) - begin
    assert timedelta(0) <= error < timedelta(milliseconds=10)
    for _ in range(2):
        world.advance(400)
        if death == "cut":
            restart(world, 0.0, off_s=100)
        else:
            world.kill(death)
            world.advance(100)
            world.await_ready()
    host = world.clock.calendar()
    gained = (clock_of(world) - host) - error
    assert abs(gained - (host - begin) * DRIFT_PPM / 1e6) < timedelta(microseconds=3)
    assert gained > timedelta(seconds=0.9)
    assert world.read("04000102") in {f"{clock_of(world) - timedelta(seconds=s):%H%M%S}" for s in (0, 1)}


def test_setting_it_corrects_the_error_and_the_drift_goes_on():
    world = meter(drift_ppm=DRIFT_PPM)
    world.advance(1000)
    assert clock_of(world) - world.clock.calendar() > timedelta(seconds=0.99)
    set_clock(world, NOON + timedelta(hours=1))
    begin, host = clock_of(world), world.clock.calendar()
    world.advance(1000)
    gained = (clock_of(world) - begin) - (world.clock.calendar() - host)
    assert abs(gained - timedelta(seconds=1)) < timedelta(milliseconds=2)
