"""Broadcast times in the 2020 profile: what they set, what makes the clock doubtful, and what is recorded of both."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattwheel.apex.codes import OperatingMode
from wattwheel.model.catalogue import item_2007
from wattwheel.model.event_clears import Clears, Followed
from wattwheel.protocols.dlt645.frame import ADDRESS_BROADCAST, Frame, encode
from wattwheel.services.broadcast_records import BROADCASTS_KEY, BroadcastKeeping, Broadcasts
from wattwheel.services.change_queue import SAVE_AGAIN_NS
from wattwheel.services.clock_rules import (
    DIFFERENCE_MAX_2020,
    DIFFERENCE_MIN_2020,
    TIME_DI,
    Verdict,
    broadcast_time,
    broadcast_verdict_2020,
)
from wattwheel.testing.world import World, simulated_settings

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
PASSWORD, LEVEL_2 = "440044", "220022"
SET, ABNORMAL, FAULT = 0xB0500000, 0xB0500100, 0xB0480000
WORD_1, CLOCK_FAULT_BIT = 0x04000501, 1 << 15
SECOND = timedelta(seconds=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def octets_of(time: datetime) -> bytes:
    return bytes.fromhex(f"{time:%S%M%H%d%m%y}")


# -- the rule


@pytest.mark.parametrize(
    ("seconds", "obeyed", "verdict"),
    [
        (0, 0, Verdict.TOO_NEAR),
        (59, 0, Verdict.TOO_NEAR),
        (-59, 1, Verdict.TOO_NEAR),
        (60, 0, Verdict.ACCEPTED),
        (-60, 0, Verdict.ACCEPTED),
        (300, 0, Verdict.ACCEPTED),
        (-300, 0, Verdict.ACCEPTED),
        (301, 0, Verdict.TOO_FAR),
        (-301, 1, Verdict.TOO_FAR),
        (86_400, 0, Verdict.TOO_FAR),
        (60, 1, Verdict.DONE_TODAY),
        (300, 2, Verdict.DONE_TODAY),
    ],
)
def test_the_limits(seconds, obeyed, verdict):
    assert broadcast_verdict_2020(NOON + seconds * SECOND, NOON, obeyed, 1) is verdict


@pytest.mark.parametrize(
    ("own", "received", "verdict"),
    [
        ("2026-03-31 23:58:00", "2026-03-31 23:59:59", Verdict.ACCEPTED),  # nearer than 2007 would let it
        ("2026-03-31 23:58:00", "2026-04-01 00:00:00", Verdict.CROSSES_MIDNIGHT),
        ("2026-04-01 00:00:30", "2026-03-31 23:59:00", Verdict.CROSSES_MIDNIGHT),
        ("2026-04-01 00:00:00", "2026-04-01 00:02:00", Verdict.ACCEPTED),
        ("2026-04-01 07:58:00", "2026-04-01 07:59:59", Verdict.ACCEPTED),
        ("2026-04-01 07:58:00", "2026-04-01 08:00:00", Verdict.CROSSES_SETTLEMENT),
        ("2026-04-01 08:01:00", "2026-04-01 07:59:00", Verdict.CROSSES_SETTLEMENT),
        ("2026-04-01 08:00:00", "2026-04-01 07:58:00", Verdict.CROSSES_SETTLEMENT),
        ("2026-04-01 08:00:00", "2026-04-01 08:02:00", Verdict.ACCEPTED),
        ("2026-04-01 08:04:00", "2026-04-01 08:00:00", Verdict.ACCEPTED),
        ("2026-04-02 07:58:00", "2026-04-02 08:01:00", Verdict.ACCEPTED),
        ("2026-04-01 08:58:00", "2026-04-01 09:01:00", Verdict.ACCEPTED),
    ],
)
def test_neither_midnight_nor_a_settlement_is_crossed(own, received, verdict):
    assert broadcast_verdict_2020(at(received), at(own), 0, 1, frozenset({(1, 8)})) is verdict


@given(
    st.datetimes(datetime(2001, 1, 1), datetime(2098, 1, 1)),  # noqa: DTZ001
    st.integers(-400, 400),
    st.integers(0, 2),
    st.sets(st.tuples(st.integers(1, 28), st.integers(0, 23)), max_size=3),
    st.booleans(),
)
def test_what_is_obeyed_is_within_all_limits(own, seconds, obeyed, settlements, is_protected):
    own = own.replace(tzinfo=UTC)
    received = own + seconds * SECOND
    settlements = frozenset({*settlements, ((own + 200 * SECOND).day, (own + 200 * SECOND).hour)})
    verdict = broadcast_verdict_2020(received, own, obeyed, 1, settlements, is_protected)
    assert (verdict is Verdict.TOO_NEAR) is (abs(received - own) < DIFFERENCE_MIN_2020)
    if is_protected:
        assert verdict in (Verdict.TOO_NEAR, Verdict.ACCEPTED)
    elif verdict is Verdict.ACCEPTED:
        assert DIFFERENCE_MIN_2020 <= abs(received - own) <= DIFFERENCE_MAX_2020
        assert not obeyed
        first, last = sorted((own, received))
        passed = (first + each * SECOND for each in range(1, int((last - first) / SECOND) + 1))
        stamps = {(each.day, each.hour) for each in passed if each.minute == each.second == 0}
        assert not stamps & ({(last.day, 0)} | settlements)
    assert broadcast_verdict_2020(None, own, obeyed, 1) is Verdict.IMPOSSIBLE


# -- what is kept


def test_one_abnormal_record_a_day_and_a_doubt_that_ends():
    kept = Broadcasts().judged(Verdict.TOO_FAR, NOON, NOON + 400 * SECOND)
    assert kept.is_doubtful
    assert kept.judged(Verdict.TOO_FAR, NOON + SECOND, NOON + 500 * SECOND) is kept
    assert kept.judged(Verdict.IMPOSSIBLE, NOON, None) is kept
    for within in (Verdict.DONE_TODAY, Verdict.CROSSES_MIDNIGHT, Verdict.CROSSES_SETTLEMENT):
        after = kept.judged(within, NOON, NOON + 100 * SECOND)
        assert (after.is_doubtful, after.items()) == (False, kept.items())
    fine = kept.judged(Verdict.TOO_NEAR, NOON, NOON)
    assert not fine.is_doubtful
    assert fine.judged(Verdict.TOO_NEAR, NOON, NOON) is fine
    again = fine.judged(Verdict.TOO_FAR, NOON, NOON + 400 * SECOND)
    assert again.is_doubtful
    assert again.abnormal.count == 1
    next_day = again.judged(Verdict.TOO_FAR, NOON + timedelta(days=1), NOON)
    assert next_day.abnormal.count == 2
    obeyed = next_day.judged(Verdict.ACCEPTED, NOON, NOON + 90 * SECOND)
    assert (obeyed.obeyed.count, obeyed.abnormal.count, obeyed.is_doubtful) == (1, 2, False)


def test_ten_are_kept_and_a_class_or_all_are_cleared():
    kept = Broadcasts()
    for day in range(12):
        kept = kept.judged(Verdict.TOO_FAR, NOON + timedelta(days=day), NOON)
        kept = kept.judged(Verdict.ACCEPTED, NOON + timedelta(days=day), NOON)
    assert set(kept.items()) == {SET, ABNORMAL, *range(SET + 1, SET + 11), *range(ABNORMAL + 1, ABNORMAL + 11)}
    assert kept.items()[ABNORMAL] == b"\x12\0\0"
    for di, left in ((0xB05000FF, (0, 12)), (0xB05001FF, (12, 0)), (0xB050FFFF, (0, 0)), (0xFFFFFFFF, (0, 0))):
        after = kept.following(Clears(0, ((1, di),)), Followed())
        assert (after.obeyed.count, after.abnormal.count) == left
        assert after.abnormal_on == kept.abnormal_on
    assert kept.following(Clears(0, ((1, 0xB04800FF),)), Followed()) == kept
    assert kept.following(Clears(1), Followed()).items() == {SET: bytes(3), ABNORMAL: bytes(3)}


def test_the_2007_profile_keeps_nothing():
    keeping = BroadcastKeeping(is_2020=False)
    assert not keeping.take_up(None)
    assert not keeping.judged(Verdict.TOO_FAR, NOON, NOON)
    assert not keeping.kept.is_doubtful
    assert (keeping.items(), keeping.records()) == ({}, {})


def test_the_2007_profile_forgets_a_doubt_and_leaves_the_records():
    doubtful = BroadcastKeeping(is_2020=True)
    assert doubtful.judged(Verdict.TOO_FAR, NOON, NOON + 400 * SECOND)
    saved = doubtful.records()[BROADCASTS_KEY]
    other = BroadcastKeeping(is_2020=False)
    assert other.take_up(saved)
    assert not other.kept.is_doubtful
    assert other.items() == {}
    later = BroadcastKeeping(is_2020=True)
    assert not later.take_up(other.records()[BROADCASTS_KEY])
    assert not later.kept.is_doubtful
    assert later.items() == doubtful.items()
    assert not BroadcastKeeping(is_2020=False).take_up(later.records()[BROADCASTS_KEY])


@given(st.binary(max_size=30))
def test_any_saved_octets_are_records_or_an_error(octets):
    keeping = BroadcastKeeping(is_2020=True)
    try:
        keeping.take_up(octets)
    except (ValueError, RecursionError):
        return
    assert SET in keeping.items()


# -- in a meter


def world_of(profile: str = "2020", calendar: datetime = NOON, **dlt645) -> World:
    settings = simulated_settings()
    own = msgspec.structs.replace(
        settings.dlt645,
        password_level_2=LEVEL_2,
        password_level_4=PASSWORD,
        accept_single_address_time_sync=True,
        **dlt645,
    )
    meter = msgspec.structs.replace(settings.meter, profile=profile)
    world = World(5, settings=msgspec.structs.replace(settings, dlt645=own, meter=meter), calendar=calendar)
    world.set_power(3000)
    world.await_ready()
    return world


def clock_of(world: World) -> datetime:
    """The meter's own time, whole seconds."""
    octets = world.ask(0x0400010C).check()
    found = broadcast_time(octets[:3] + octets[4:])
    assert found is not None
    return found


def broadcast(world: World, seconds: float) -> None:
    """A time that is so far ahead of the meter's."""
    assert world.broadcast(0x08, octets_of(clock_of(world) + seconds * SECOND)) == b""


def has_fault(world: World) -> bool:
    return bool(int.from_bytes(world.ask(WORD_1).check(), "little") & CLOCK_FAULT_BIT)


def times(octets: bytes) -> tuple[datetime | None, datetime | None]:
    return broadcast_time(octets[:6]), broadcast_time(octets[6:])


def test_a_broadcast_is_recorded_with_the_times_before_and_after():
    world = world_of()
    broadcast(world, 30)
    assert world.read(SET) == 0
    assert world.ask(SET + 1).error == 2
    before = clock_of(world)
    broadcast(world, 200)
    was, is_now = times(world.ask(SET + 1).check())
    assert len(world.ask(SET + 1).data) == item_2007(SET + 1).octets == 12
    assert timedelta(0) <= was - before <= SECOND
    assert abs((is_now - was) - 200 * SECOND) <= SECOND
    assert clock_of(world) - world.clock.calendar() > 195 * SECOND
    broadcast(world, 100)
    assert world.read(SET) == 1
    assert world.counters()["platform"] == {"time_too_near": 1, "time_accepted": 1, "time_done_today": 1}
    record = world.ask(SET + 1).check()
    for name in ("platform", "kernel"):
        world.kill(name)
        world.advance(3)
        assert world.ask(SET + 1).check() == record
    assert not has_fault(world)
    assert world.read(0x03300400) == 0


def test_a_time_too_far_away_is_a_clock_fault_until_the_clock_is_right():
    world = world_of()
    broadcast(world, 301)
    world.advance(2)
    assert has_fault(world)
    assert world.ask(FAULT + 1).error == 2  # not for long enough
    assert abs(clock_of(world) - world.clock.calendar()) < 2 * SECOND
    was, received = times(world.ask(ABNORMAL + 1).check())
    assert abs((received - was) - 301 * SECOND) <= SECOND
    world.advance(8)
    begin = world.ask(FAULT + 1).check()
    assert begin[6:] == bytes(6)
    assert abs(times(begin)[0] - (was + 6 * SECOND)) <= 2 * SECOND
    broadcast(world, 400)
    assert world.read(ABNORMAL) == 1
    for name in ("platform", "energy", "kernel"):
        world.kill(name)
        world.advance(4)
        assert has_fault(world)
    world.write(TIME_DI, bytes.fromhex(f"{world.clock.calendar():%S%M%H}"), 4, PASSWORD)
    world.advance(10)
    assert not has_fault(world)
    assert world.ask(FAULT + 1).check()[6:] != bytes(6)
    assert world.ask(FAULT).check() == b"\x01\0\0\0\0\0"
    broadcast(world, -301)
    world.advance(8)
    assert has_fault(world)
    assert world.read(ABNORMAL) == 1  # one a day
    assert world.ask(FAULT).check()[:3] == b"\x02\0\0"
    broadcast(world, 5)
    world.advance(8)
    assert not has_fault(world)
    assert world.meter.crashes == []


def test_a_time_for_this_meter_alone_follows_the_same_rules_and_is_answered():
    world = world_of()
    now = clock_of(world)
    assert world.request(0x08, octets_of(now + 10 * SECOND)) == (0xC8, b"\x01")
    assert world.request(0x08, octets_of(now + 600 * SECOND)) == (0xC8, b"\x01")
    world.advance(2)
    assert has_fault(world)
    assert world.request(0x08, octets_of(now + 120 * SECOND)) == (0x88, b"")
    assert world.request(0x08, octets_of(now + 300 * SECOND)) == (0xC8, b"\x01")
    world.advance(2)
    assert not has_fault(world)
    assert [world.read(di) for di in (SET, ABNORMAL)] == [1, 1]


def test_clearing_empties_the_records_of_both_and_of_the_clock_fault():
    world = world_of()
    broadcast(world, 120)
    broadcast(world, 600)
    world.advance(10)
    assert [world.ask(di).check()[0] for di in (SET, ABNORMAL, FAULT)] == [1, 1, 1]
    authority = b"\x02" + bytes.fromhex(LEVEL_2)[::-1] + bytes(4)
    for data, left in ((b"\xff\x00\x50\xb0", [0, 1, 1]), (b"\xff\xff\x48\xb0", [0, 1, 0]), (b"\xff" * 4, [0, 0, 0])):
        assert world.request(0x1B, authority + data) == (0x9B, b"")
        world.advance(1)
        assert [world.ask(di).check()[0] for di in (SET, ABNORMAL, FAULT)] == left
    world.kill("kernel")
    world.advance(4)
    assert [world.ask(di).check()[0] for di in (SET, ABNORMAL, FAULT)] == [0, 0, 0]
    assert has_fault(world)


def test_a_cut_leaves_clock_and_record_together():
    for writes in range(8):
        world = world_of()
        world.advance(3)
        world.cut_power_at_write(writes)
        broadcast_at = octets_of(world.clock.calendar() + 200 * SECOND)
        world.broadcast(0x08, broadcast_at)
        world.advance(40)
        world.meter.disk.cut_at_write = None
        world.await_ready()
        world.advance(2)
        is_set = clock_of(world) - world.clock.calendar() > 100 * SECOND
        assert world.read(SET) == int(is_set)


def test_the_2007_profile_is_as_it_was():
    world = world_of("2007")
    broadcast(world, 600)
    broadcast(world, 30)
    world.advance(8)
    assert not has_fault(world)
    assert clock_of(world) - world.clock.calendar() > 25 * SECOND
    assert [world.ask(di).error for di in (SET, SET + 1, ABNORMAL, ABNORMAL + 1, FAULT, FAULT + 1)] == [2] * 6
    assert world.counters()["platform"] == {"time_too_far": 1, "time_accepted": 1}


def test_a_time_that_comes_too_often_ends_the_doubt_too():
    world = world_of()
    broadcast(world, 120)
    broadcast(world, 400)
    world.advance(2)
    assert has_fault(world)
    broadcast(world, 120)
    world.advance(2)
    assert not has_fault(world)
    assert world.counters()["platform"] == {"time_accepted": 1, "time_too_far": 1, "time_done_today": 1}


def in_profile(world: World, profile: str) -> World:
    """The meter started anew with another profile: what it has saved is all that is left."""
    world.meter.lose_power()
    other = world_of(profile, world.clock.calendar())
    other.meter.lose_power()
    other.meter.disk.slots, other.meter.disk.memories = world.meter.disk.slots, world.meter.disk.memories
    other.quiet()
    other.meter.power_up()
    other.await_ready()
    other.advance(3)
    return other


def test_a_doubt_does_not_outlive_the_2020_profile():
    world = world_of()
    broadcast(world, 400)
    world.advance(2)
    assert has_fault(world)
    world = in_profile(world, "2020")
    assert has_fault(world)
    world = in_profile(world, "2007")
    assert not has_fault(world)
    world = in_profile(world, "2020")
    world.advance(10)
    assert not has_fault(world)
    assert [world.read(di) for di in (ABNORMAL, SET)] == [1, 0]
    assert world.ask(FAULT).check()[:3] == bytes(3)


def set_store(world: World, mode: OperatingMode) -> None:
    world.meter.module.set_mode("store", mode)
    world.advance(3)


@pytest.mark.parametrize(("alone", "broadcasts"), [(False, 1), (False, 300), (True, 3)])
def test_what_the_store_kept_waiting_is_not_done_later(alone, broadcasts):
    world = world_of()
    world.advance(2)
    set_store(world, OperatingMode.IDLE)
    now = clock_of(world)
    broadcast(world, 600)  # its record is what is under way
    channel = world.channel()
    for _ in range(broadcasts):
        octets = octets_of(now + 100 * SECOND)
        if alone:
            assert world.request(0x08, octets) == (0xC8, b"\x01")
        else:
            channel.write(encode(Frame(ADDRESS_BROADCAST, 0x08, octets)))
            world.advance(0.01)
    world.advance(30)
    set_store(world, OperatingMode.COLD_START)
    world.await_ready()
    world.advance(3)
    assert abs(clock_of(world) - world.clock.calendar()) < 3 * SECOND
    assert world.counters()["platform"].get("time_late", 0) == (0 if alone else broadcasts)
    assert "time_accepted" not in world.counters()["platform"]
    assert world.read(SET) == 0
    broadcast(world, 120)
    assert world.read(SET) == 1
    assert world.meter.crashes == []


def test_what_the_medium_refused_is_kept_once_it_takes_it():
    world = world_of()
    world.advance(2)
    world.meter.disk.is_full = True
    broadcast(world, 600)
    world.advance(5)
    assert has_fault(world)
    world.meter.disk.is_full = False
    world.advance(SAVE_AGAIN_NS / 1e9 + 15)
    world.kill("kernel")
    world.advance(5)
    world.await_ready()
    assert has_fault(world)
    assert world.read(ABNORMAL) == 1


@pytest.mark.parametrize("writes", range(8))
def test_a_clock_that_the_medium_did_not_take_is_not_set_later(writes):
    world = world_of()
    world.advance(2)
    octets = octets_of(clock_of(world) + 1000 * SECOND)[:3]
    first = world.meter.disk.writes + 1 + writes
    world.meter.disk.failing_writes = range(first, first + 1000)
    reply = world.write(TIME_DI, octets, 4, PASSWORD)
    world.meter.disk.failing_writes = ()
    world.advance(SAVE_AGAIN_NS / 1e9 + 15)
    world.kill("kernel")
    world.advance(5)
    world.await_ready()
    is_set = clock_of(world) - world.clock.calendar() > 900 * SECOND
    assert (is_set, world.read(0x03300400)) == ((True, 1) if reply == (0x94, b"") else (False, 0))


def test_a_clock_that_stands_still_is_an_event_when_it_is_found():
    world = world_of()
    world.advance(10)
    before = clock_of(world)
    world.clock.drift_calendar(-1e6)
    world.advance(4)
    assert world.ask(FAULT + 1).error == 2
    world.advance(3.5)
    begin = times(world.ask(FAULT + 1).check())[0]
    assert begin is not None
    assert 5 * SECOND <= begin - before <= 8 * SECOND


def test_a_clock_that_lost_the_time_is_a_fault_event_too():
    world = world_of()
    world.advance(3)
    world.cut_power_at_write(0)
    world.clock.step_calendar(-20 * 86_400 * 400)
    world.advance(20)
    world.await_ready()
    world.advance(10)
    assert has_fault(world)
    assert world.ask(FAULT).check()[:3] == b"\x01\0\0"
