"""Platform management: the meter's clock, broadcast time, the name plate, the programming key."""

from __future__ import annotations

import contextlib
import itertools
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattwheel.apex.messages import Control
from wattwheel.model.catalogue import item_2007
from wattwheel.model.errors import NotAnswered
from wattwheel.protocols.dlt645.frame import ADDRESS_BROADCAST, Station
from wattwheel.protocols.dlt645.functions import Function2007
from wattwheel.protocols.dlt645.items import decode
from wattwheel.services.clock_keeping import OFFSET_S_MAX, saved_offset
from wattwheel.services.clock_rules import (
    DATE_DI,
    DATE_TIME_DI,
    SYNC_DIFFERENCE_MAX,
    TIME_DI,
    Verdict,
    broadcast_time,
    broadcast_verdict,
    settlement_instants,
    written_time,
)
from wattwheel.services.signal_output import SIGNAL_DI
from wattwheel.testing.world import World, simulated_settings

DOMAIN = json.loads((Path(__file__).parents[1] / "vectors" / "domain.json").read_text())
VECTORS = DOMAIN["broadcast_time_2007"]
VERDICTS = {
    "accept": Verdict.ACCEPTED,
    "reject: more than 5 min": Verdict.TOO_FAR,
    "reject: already corrected today": Verdict.DONE_TODAY,
    "reject: within 5 min of midnight": Verdict.NEAR_MIDNIGHT,
    "reject: within 5 min of settlement": Verdict.NEAR_SETTLEMENT,
}
PASSWORD = "440044"
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


CENTURY = [at(text).replace(tzinfo=None) for text in ("2000-01-02", "2099-12-31 23:59:59")]


def octets_of(time: datetime) -> bytes:
    return bytes.fromhex(f"{time:%S%M%H%d%m%y}")


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: f"{vector['meter']} {vector['expect']}")
def test_vectors(vector):
    meter = at(vector["meter"])
    obeyed = vector["last_corrected"] == meter.date().isoformat()
    instants = frozenset({tuple(vector["settlement_DDhh"])})
    assert broadcast_verdict(at(vector["frame"]), meter, int(obeyed), 1, instants) is VERDICTS[vector["expect"]]


@pytest.mark.parametrize(
    ("own", "received", "verdict"),
    [
        ("2026-11-15 05:54:59", "2026-11-15 05:54:00", Verdict.ACCEPTED),
        ("2026-11-15 05:55:00", "2026-11-15 05:54:00", Verdict.NEAR_SETTLEMENT),
        ("2026-11-15 05:54:00", "2026-11-15 05:55:00", Verdict.NEAR_SETTLEMENT),
        ("2026-11-15 06:05:59", "2026-11-15 06:07:00", Verdict.NEAR_SETTLEMENT),
        ("2026-11-15 06:06:00", "2026-11-15 06:07:00", Verdict.ACCEPTED),
        ("2026-11-14 06:00:00", "2026-11-14 06:01:00", Verdict.ACCEPTED),  # another day
        ("2026-11-15 07:00:00", "2026-11-15 07:01:00", Verdict.ACCEPTED),  # another hour
    ],
)
def test_the_time_is_left_alone_around_settlement_instants(own, received, verdict):
    instants = settlement_instants({0x04000B01: b"\x00\x01", 0x04000B02: b"\x06\x15", 0x04000B03: b"\x99\x99"})
    assert instants == {(1, 0), (15, 6)}
    assert broadcast_verdict(at(received), at(own), 0, 1, instants) is verdict


def test_without_parameters_there_are_no_instants():
    assert settlement_instants({}) == frozenset()


@given(st.datetimes(*CENTURY))
def test_every_time_of_the_century_is_understood(time):
    time = time.replace(microsecond=0, tzinfo=UTC)
    assert broadcast_time(octets_of(time)) == time


@given(st.binary(max_size=8))
def test_any_octets_are_a_time_or_none(octets):
    time = broadcast_time(octets)
    if time is not None:
        assert octets_of(time) == octets


@pytest.mark.parametrize(
    "octets", ["600000200726", "006000200726", "000024200726", "000000310626", "000000000726", "0000001a0726", ""]
)
def test_impossible_times_are_none(octets):
    assert broadcast_time(bytes.fromhex(octets)) is None
    assert broadcast_verdict(None, NOON, 0, 1) is Verdict.IMPOSSIBLE


@given(st.datetimes(*CENTURY), st.integers(-1000, 1000), st.integers(0, 3))
def test_what_is_accepted_is_near_by_and_away_from_midnight(own, seconds, obeyed):
    own = own.replace(tzinfo=UTC)
    received = own + timedelta(seconds=seconds)
    if broadcast_verdict(received, own, obeyed, 2) is Verdict.ACCEPTED:
        assert obeyed < 2
        assert abs(received - own) <= SYNC_DIFFERENCE_MAX
        for time in (own, received):
            since_midnight = time - time.replace(hour=0, minute=0, second=0, microsecond=0)
            assert timedelta(minutes=5) < since_midnight < timedelta(hours=23, minutes=55)


@pytest.mark.parametrize(("own", "received"), [("23:53:00", "23:56:00"), ("00:08:00", "00:04:30")])
def test_neither_clock_may_stand_near_midnight(own, received):
    verdict = broadcast_verdict(at(f"2024-03-05 {received}"), at(f"2024-03-05 {own}"), 0, 1)
    assert verdict is Verdict.NEAR_MIDNIGHT


@given(st.binary(max_size=20))
def test_any_saved_octets_are_an_offset_or_a_value_error(octets):
    with contextlib.suppress(ValueError):
        assert abs(saved_offset(octets)) <= timedelta(seconds=OFFSET_S_MAX)


@pytest.mark.parametrize("octets", [b"1e300", b"-1e10", b'"1"', b"null", b"", b"\xff", b"nan"])
def test_an_offset_that_no_clock_could_have_is_none(octets):
    with pytest.raises(ValueError):
        saved_offset(octets)
    assert saved_offset(b"-12.5") == timedelta(seconds=-12.5)


# -- in a meter


@pytest.fixture
def world():
    world = World(5, calendar=NOON)
    world.await_ready()
    return world


def broadcast(world: World, data: bytes, address: str = ADDRESS_BROADCAST, door: str = "tcp") -> None:
    world.channel(door).write(Station(address).encode(Function2007.BROADCAST_TIME, data))
    world.advance(0.1)


def date_and_time(world: World) -> str:
    return "".join(decode(item_2007(di), world.ask(di).check()).text for di in (DATE_DI, TIME_DI))


def shown(time: datetime) -> str:
    return f"{time:%y%m%d}{(time.weekday() + 1) % 7:02d}{time:%H%M%S}"


def test_a_broadcast_sets_the_clock_of_every_partition_once_a_day(world):
    assert date_and_time(world) == shown(world.clock.calendar())
    broadcast(world, octets_of(world.clock.calendar() + timedelta(seconds=200)))
    late = world.clock.calendar() + timedelta(seconds=199)
    assert shown(late) <= date_and_time(world) <= shown(late + timedelta(seconds=2))
    calendars = [body._life.context.clock.calendar() for body in world.meter.host.bodies.values()]
    assert sum(calendar - world.clock.calendar() > timedelta(seconds=198) for calendar in calendars) >= 4
    before = date_and_time(world)
    broadcast(world, octets_of(world.clock.calendar()), door="line")
    assert date_and_time(world) >= before
    world.advance(1)
    assert world.counters()["platform"] == {"time_accepted": 1, "time_done_today": 1}
    world.clock.step_calendar(86_400)
    broadcast(world, octets_of(world.clock.calendar() + timedelta(seconds=100)))
    world.advance(1)
    assert world.counters()["platform"]["time_accepted"] == 2


@pytest.mark.parametrize(
    ("data", "counter"),
    [
        (octets_of(NOON + timedelta(minutes=6)), "time_too_far"),
        (bytes(6), "time_impossible"),
        (b"\xff" * 6, "time_impossible"),
    ],
)
def test_what_may_not_set_the_clock_is_counted_and_changes_nothing(world, data, counter):
    broadcast(world, data)
    world.advance(1)
    assert world.counters()["platform"] == {counter: 1}
    assert date_and_time(world) == shown(world.clock.calendar())


def test_the_set_time_outlives_kills_and_a_cut_of_the_supply(world):
    broadcast(world, octets_of(world.clock.calendar() + timedelta(seconds=250)))
    for name in ("platform", "kernel", "store", "platform"):
        world.kill(name)
        world.advance(2)
    assert date_and_time(world) >= shown(world.clock.calendar() + timedelta(seconds=248))
    world.cut_power_at_write(0)
    world.advance(30)
    assert world.power_cuts == 1
    assert date_and_time(world) >= shown(world.clock.calendar() + timedelta(seconds=248))
    broadcast(world, octets_of(world.clock.calendar()))
    world.advance(1)
    assert world.counters()["platform"] == {"time_done_today": 1}
    assert world.meter.crashes == []


def test_the_host_clocks_steps_move_the_meters(world):
    broadcast(world, octets_of(world.clock.calendar() + timedelta(seconds=30)))
    world.clock.step_calendar(3600)
    assert date_and_time(world) >= shown(world.clock.calendar() + timedelta(seconds=29))


def test_standard_time_is_what_goes_over_the_wire():
    settings = World().meter.settings
    clock = msgspec.structs.replace(settings.clock, utc_offset_minutes=480)
    world = World(6, settings=msgspec.structs.replace(settings, clock=clock), calendar=NOON)
    world.await_ready()
    assert date_and_time(world) == shown(world.clock.calendar() + timedelta(hours=8))
    broadcast(world, octets_of(world.clock.calendar() + timedelta(hours=8, minutes=2)))
    assert date_and_time(world) >= shown(world.clock.calendar() + timedelta(hours=8, seconds=118))


@pytest.mark.parametrize(
    ("di", "digits", "expected"),
    [
        (DATE_DI, "28022900", "2028-02-29 12:34:56"),  # a Tuesday, whatever was written
        (TIME_DI, "000000", "2026-11-20 00:00:00"),
        (DATE_TIME_DI, "99123104235959", "2099-12-31 23:59:59"),
    ],
)
def test_what_a_write_sets(di, digits, expected):
    octets = bytes.fromhex(digits)[::-1]
    assert written_time(di, octets, at("2026-11-20 12:34:56")) == at(expected)
    assert written_time(di, octets[1:], NOON) is None
    assert written_time(di, octets + b"\x00", NOON) is None


@pytest.mark.parametrize("case", DOMAIN["calendar"], ids=lambda case: case["date"])
def test_leap_years_have_a_29th_of_february(case):
    year, weekday = case["date"][2:4], f"{case['weekday_0_sun']:02}"
    date = bytes.fromhex(case["date"][2:].replace("-", "") + weekday)[::-1]
    assert f"{written_time(DATE_DI, date, NOON):%Y-%m-%d}" == case["date"]
    leap_day = bytes.fromhex(f"{year}022900")[::-1]
    assert (written_time(DATE_DI, leap_day, NOON) is not None) is case["leap"]


@pytest.mark.parametrize(
    ("di", "digits"), [(DATE_DI, "26022900"), (DATE_DI, "26130100"), (TIME_DI, "240000"), (TIME_DI, "0a0000")]
)
def test_what_is_no_time_sets_nothing(di, digits):
    assert written_time(di, bytes.fromhex(digits)[::-1], NOON) is None


@given(st.datetimes(*CENTURY), st.datetimes(*CENTURY))
def test_date_and_time_in_either_order_make_the_whole(own, wanted):
    own, wanted = own.replace(microsecond=0, tzinfo=UTC), wanted.replace(microsecond=0, tzinfo=UTC)
    date, time = bytes.fromhex(f"{wanted:%y%m%d}00")[::-1], bytes.fromhex(f"{wanted:%H%M%S}")[::-1]
    assert written_time(TIME_DI, time, written_time(DATE_DI, date, own)) == wanted
    assert written_time(DATE_DI, date, written_time(TIME_DI, time, own)) == wanted


def writable(**dlt645) -> World:
    settings = simulated_settings()
    own = msgspec.structs.replace(settings.dlt645, password_level_2="220022", password_level_4=PASSWORD, **dlt645)
    world = World(6, settings=msgspec.structs.replace(settings, dlt645=own), calendar=NOON)
    world.await_ready()
    return world


def set_clock(world: World, di: int, digits: str):
    return world.write(di, bytes.fromhex(digits)[::-1], 4, PASSWORD)


def test_a_written_clock_outlives_kills_and_a_cut_of_the_supply():
    world = writable()
    assert set_clock(world, TIME_DI, "151500") == (0x94, b"")
    assert set_clock(world, DATE_DI, "27010100") == (0x94, b"")
    for name in ("platform", "kernel", "store"):
        world.kill(name)
        world.advance(2)
    world.cut_power_at_write(0)
    world.advance(30)
    assert world.power_cuts <= 1
    date, time = world.ask(DATE_DI).check(), world.ask(TIME_DI).check()
    assert date == bytes.fromhex("27010105")[::-1]
    assert time[:0:-1].hex() in ("1515", "1516")
    assert set_clock(world, DATE_DI, "26022900") == (0xD4, b"\x01")
    assert set_clock(world, DATE_DI, "99023000") == (0xD4, b"\x01")  # there is no such day
    assert world.ask(DATE_DI).check() == date
    assert world.meter.crashes == []


def test_a_written_clock_is_old_or_new_whatever_dies_in_the_middle_of_it():
    for victim in ("platform", "store", "supply"):
        for operations in range(10):
            world = writable()
            if victim == "supply":
                world.cut_power_at_write(operations)
            else:
                world.kill_within(victim, operations)
            is_confirmed = set_clock(world, DATE_DI, "27010100") == (0x94, b"")
            world.quiet()
            world.kill("kernel")
            world.advance(4)
            year = world.ask(DATE_DI).check()[-1]
            assert year in (0x26, 0x27), f"{victim} after {operations}"
            assert year == 0x27 or not is_confirmed, f"{victim} after {operations}: confirmed and lost"
            assert world.meter.crashes == []


def test_the_name_plate(world):
    address = world.meter.settings.meter.address
    assert world.ask(0x04000401).check() == bytes.fromhex(address)[::-1]
    assert world.ask(0x04000402).check() == bytes.fromhex(address)[::-1]
    assert world.ask(0x04000403).error == 2


# -- settlement days, the memory of one broadcast a day, records, the signal of the terminal

CLOCK_SETS = 0x03300400


def test_a_broadcast_is_refused_near_a_settlement_instant_that_was_written():
    world = writable()
    local = world.clock.calendar()
    instant = f"{local:%d}{(local + timedelta(minutes=30)).hour:02d}"
    assert set_clock(world, 0x04000B02, instant) == (0x94, b"")
    near = local.replace(hour=int(instant[2:]), minute=3, second=0)
    assert set_clock(world, TIME_DI, f"{near:%H%M%S}") == (0x94, b"")
    broadcast(world, octets_of(near + timedelta(minutes=1)))
    world.advance(1)
    assert world.counters()["platform"]["time_near_settlement"] == 1
    assert "time_accepted" not in world.counters()["platform"]


def test_a_day_that_was_set_may_have_its_own_broadcast():
    world = writable()
    for number in (1, 2):
        assert set_clock(world, DATE_TIME_DI, "26112106150000") == (0x94, b"")
        assert set_clock(world, DATE_TIME_DI, "26112005150000") == (0x94, b"")
        for _ in range(2):
            broadcast(world, bytes.fromhex("000215201126"))
            world.advance(1)
        assert world.counters()["platform"]["time_accepted"] == number
        assert world.counters()["platform"]["time_done_today"] == number


def test_a_time_of_the_same_day_gives_no_second_broadcast():
    world = writable()
    assert set_clock(world, DATE_TIME_DI, "26112005150000") == (0x94, b"")
    broadcast(world, bytes.fromhex("000215201126"))
    assert set_clock(world, TIME_DI, "160000") == (0x94, b"")
    broadcast(world, bytes.fromhex("000216201126"))
    world.advance(1)
    assert world.counters()["platform"]["time_done_today"] == 1


def test_setting_the_clock_is_recorded_and_a_broadcast_is_not():
    world = writable()
    assert world.read(CLOCK_SETS) == 0
    assert world.ask(CLOCK_SETS + 1).error == 2
    before = world.clock.calendar()
    broadcast(world, octets_of(before + timedelta(seconds=90)))
    world.advance(1)
    assert world.read(CLOCK_SETS) == 0
    octets = bytes.fromhex("27010105")[::-1]
    assert world.write(DATE_DI, octets, 4, PASSWORD, 0x12345678) == (0x94, b"")
    record = world.ask(CLOCK_SETS + 1).check()
    assert len(record) == item_2007(CLOCK_SETS + 1).octets == 16
    assert record[:4] == bytes.fromhex("78563412")
    was, is_now = (broadcast_time(half) for half in (record[4:10], record[10:]))
    assert timedelta(0) <= was - (before + timedelta(seconds=90)) < timedelta(seconds=4)
    assert is_now == was.replace(year=2027, month=1, day=1)
    for name in ("platform", "kernel"):
        world.kill(name)
        world.advance(2)
        assert world.read(CLOCK_SETS) == 1
        assert world.ask(CLOCK_SETS + 1).check() == record
    assert set_clock(world, TIME_DI, "100000") == (0x94, b"")
    assert world.ask(CLOCK_SETS + 2).check() == record


@pytest.mark.parametrize(("seconds", "operator", "count"), [(0.5, 1, 1), (0.5, 2, 2), (4, 1, 2)])
def test_the_same_write_once_more_is_one_record(seconds, operator, count):
    world = writable()
    octets = bytes.fromhex("150000")[::-1]
    assert world.write(TIME_DI, octets, 4, PASSWORD, 1) == (0x94, b"")
    world.advance(seconds)
    assert world.write(TIME_DI, octets, 4, PASSWORD, operator) == (0x94, b"")
    assert world.read(CLOCK_SETS) == count


def test_what_does_not_set_the_clock_is_not_recorded():
    world = writable()
    assert set_clock(world, DATE_DI, "26022900") == (0xD4, b"\x01")
    assert world.read(CLOCK_SETS) == 0


def test_clock_and_record_come_together_whatever_dies():
    for victim, operations in itertools.product(("supply", "platform", "store"), range(14)):
        world = writable()
        if victim == "supply":
            world.cut_power_at_write(operations)
        else:
            world.kill_within(victim, operations)
        with contextlib.suppress(NotAnswered):
            set_clock(world, DATE_DI, "27010100")
        world.quiet()
        world.kill("kernel")
        world.advance(30)
        is_set = world.ask(DATE_DI).check()[-1] == 0x27
        assert world.read(CLOCK_SETS) == int(is_set)


def test_a_meter_clear_empties_its_records_and_not_the_clock():
    world = writable()
    assert set_clock(world, DATE_DI, "27010100") == (0x94, b"")
    world.advance(2)
    assert world.request(0x1A, b"\x02" + bytes.fromhex("220022")[::-1] + bytes(4)) == (0x9A, b"")
    world.advance(1)
    assert world.read(CLOCK_SETS) == 0
    assert world.ask(CLOCK_SETS + 1).error == 2
    assert world.ask(DATE_DI).check()[-1] == 0x27
    assert set_clock(world, TIME_DI, "100000") == (0x94, b"")
    world.kill("platform")
    world.advance(2)
    assert world.read(CLOCK_SETS) == 1


def test_a_time_for_this_meter_alone_is_answered():
    world = writable(accept_single_address_time_sync=True)
    time = world.clock.calendar() + timedelta(seconds=60)
    assert world.request(0x08, octets_of(time)) == (0x88, b"")
    assert world.request(0x08, octets_of(time)) == (0xC8, b"\x01")
    assert world.request(0x08, bytes(5)) is None


@pytest.mark.parametrize("signal", [0, 1, 2])
def test_the_signal_of_the_terminal_is_selected(world, signal):
    assert world.request(0x1D, bytes((signal,))) == (0x9D, bytes((signal,)))
    assert selected(world) == signal
    assert world.request(0x1D, b"\x03") == (0xDD, b"\x01")
    assert selected(world) == signal
    world.kill("kernel")
    world.advance(3)
    assert selected(world) == 0


def test_a_broadcast_selects_silently(world):
    world.channel().write(Station(ADDRESS_BROADCAST).encode(0x1D, b"\x02"))
    world.advance(0.5)
    assert selected(world) == 2


def selected(world: World) -> int:
    told = []
    world.meter.ask(Control.READ, SIGNAL_DI, b"", lambda reply: told.append(reply.data))
    world.advance(0.5)
    return told[0][0]


def test_the_last_minute_of_the_calendar_passes(make_century):
    """YY goes from 99 to 00, and every function of the meter goes on."""
    world = make_century
    assert world.write(0x0400010C, bytes.fromhex("99123104235950")[::-1], 4, "440044") == (0x94, b"")
    world.set_power(3000)
    world.advance(180)
    assert world.read(0x0400010C)[:6] == "000101"
    assert world.meter.crashes == []
    assert world.ask(0x05060001).check()[::-1].hex() == "0001010000"
    assert world.read(0x00010000) >= 0


@pytest.fixture
def make_century():
    settings = simulated_settings()
    own = msgspec.structs.replace(settings.dlt645, password_level_4="440044")
    world = World(5, settings=msgspec.structs.replace(settings, dlt645=own))
    world.await_ready()
    return world
