"""Freezes and load records of a whole meter, asked with real frames, over kills and cuts."""

from __future__ import annotations

import random
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from tests.apps.test_energy_tariffs import CENTI, FOUR_TARIFFS, LEVEL_4, POWER_W, wire, write
from tests.apps.turns import octets_of, shown_time

from wattwheel.model.catalogue import item_2007
from wattwheel.model.errors import NotAnswered
from wattwheel.model.load_record import decode_record
from wattwheel.protocols.dlt645.items import decode
from wattwheel.testing.world import KERNEL, NO_FAULTS, ROUGH_LINK, Faults, World, simulated_settings

FREEZE, REPLY, REFUSAL = 0x16, (0x96, b""), 0xD6
NOW = bytes.fromhex("99999999")
BEFORE_MIDNIGHT = datetime(2026, 6, 30, 23, 58, 30, tzinfo=UTC)
TIMED, INSTANT, HOURLY, DAILY = 0x05000001, 0x05010001, 0x05040001, 0x05060001
DAY_TABLES_SWITCH = 0x04000107
MODE, LOAD_START = 0x04000901, 0x04000A01
FIRST, FROM, LAST = 0x06000000, 0x06000001, 0x06000002


def make_world(seed: int = 5, faults: Faults = NO_FAULTS, calendar: datetime = BEFORE_MIDNIGHT) -> World:
    settings = simulated_settings()
    own = msgspec.structs.replace(settings.dlt645, password_level_2="220022", password_level_4=LEVEL_4)
    world = World(seed, faults, msgspec.structs.replace(settings, dlt645=own), calendar)
    world.set_power(POWER_W)
    world.await_ready()
    return world


def time_of(world: World, di: int) -> str | None:
    answer = world.ask(di)
    assert answer.error in (None, 2)
    return None if answer.error else shown_time(answer.data)


def energy_of(world: World, di: int) -> list[int]:
    octets = world.ask(di | 0x100).check()
    return [int(octets[place : place + 4][::-1].hex()) for place in range(0, len(octets), 4)]


def test_a_freeze_at_once_is_answered_and_there_and_a_broadcast_is_silent():
    world = make_world()
    write(world, FOUR_TARIFFS)
    world.set_power(0)
    world.advance(3)
    assert world.request(FREEZE, NOW) == REPLY
    assert time_of(world, INSTANT) == "2606302358"
    total, *tariffs = energy_of(world, INSTANT)
    assert total == world.read("import_active_energy") > 0
    assert len(tariffs) == 4
    world.kill("energy")
    world.advance(3)
    assert energy_of(world, INSTANT) == [total, *tariffs]
    assert world.ask(INSTANT + 1).error == 2
    world.advance(60)
    assert world.broadcast(FREEZE, NOW) == b""
    assert time_of(world, INSTANT) == "2606302359"
    assert energy_of(world, INSTANT + 1) == [total, *tariffs]
    assert world.request(FREEZE, bytes.fromhex("00990000")) == (REFUSAL, b"\x01")
    assert world.request(FREEZE, NOW, "line") == REPLY
    assert world.ask(INSTANT + 2).error == 2  # it took the place of the newest, which was of the same minute
    world.advance(60)
    assert world.request(FREEZE, NOW, "line") == REPLY
    assert world.ask(INSTANT + 2).error is None
    assert world.meter.crashes == []


def test_at_midnight_settlement_hourly_daily_and_timed_freezes_have_the_same_registers():
    world = make_world()
    write(world, FOUR_TARIFFS)
    assert world.broadcast(FREEZE, bytes.fromhex("00009999")) == b""
    world.advance(100)
    assert [time_of(world, di) for di in (TIMED, HOURLY, DAILY)] == ["2607010000"] * 3
    assert energy_of(world, DAILY) == energy_of(world, TIMED)
    assert energy_of(world, HOURLY) == energy_of(world, DAILY)[:1]
    settled = world.ask(0x0001FF01).check()
    assert settled == world.ask(DAILY | 0x100).check()
    assert world.ask(INSTANT).error == 2


def test_a_block_comes_in_follow_up_frames_that_cut_no_item_in_two():
    world = make_world()
    write(world, {0x04000204: "12", **{di: digits for di, digits in FOUR_TARIFFS.items() if di != 0x04000204}})
    world.advance(2)
    assert world.request(FREEZE, NOW) == REPLY
    control, first = world.request(0x11, (INSTANT | 0xFF00).to_bytes(4, "little"))
    assert control == 0xB1
    block = world.ask(INSTANT | 0xFF00).check()
    assert len(block) == 5 + 8 * 13 * 4 + 2 * 13 * 8 + 24 + 12
    parts = decode(item_2007(INSTANT | 0xFF00), block).parts
    assert [len(part.raw) for part in parts] == [5, *[52] * 8, *[104] * 2, 24]
    ends, at = set(), 0
    for part in parts:
        at += len(part.raw) + 1
        ends.add(at)
    assert len(first) - 4 in ends
    for part in range(0x01, 0x0B):
        assert world.ask(INSTANT | part << 8).check() == parts[part].raw
    assert world.ask(INSTANT | 0x0B00).error == 2


def test_63_tariffs_are_frozen_and_read_as_a_block():
    world = make_world()
    write(world, {0x04000204: "63"})
    world.advance(2)
    assert world.request(FREEZE, NOW) == REPLY
    block = world.ask(INSTANT | 0xFF00).check()
    assert len(block) == 5 + 8 * 64 * 4 + 2 * 64 * 8 + 24 + 12
    assert world.meter.crashes == []


def test_a_switch_over_of_day_tables_is_frozen_with_its_instant():
    world = make_world()
    write(world, {**FOUR_TARIFFS, 0x04020001: "000004", DAY_TABLES_SWITCH: "2606302359"})
    world.advance(60)
    assert time_of(world, 0x05030001) == "2606302359"
    assert world.ask(0x05020001).error == 2
    world.kill("energy")
    world.advance(60)
    assert world.ask(0x05030002).error == 2


@pytest.mark.parametrize("write_", range(14))
def test_cut_at_every_write_a_ring_has_the_old_or_the_new_entry(write_):
    world = make_world(write_)
    for _ in range(3):
        assert world.request(FREEZE, NOW) == REPLY
        world.advance(60)  # another minute, another entry
    before = [world.ask(INSTANT + back | 0xFF00).check() for back in range(3)]
    assert len(set(before)) == 3
    world.cut_power_at_write(write_)
    reply = None
    with suppress(NotAnswered):
        reply = world.request(FREEZE, NOW)
    cuts = world.power_cuts
    world.advance(20)
    world.await_ready()
    world.meter.disk.cut_at_write = None
    after = [world.ask(INSTANT + back | 0xFF00).check() for back in range(3)]
    is_new = after[1:] == before[:2] and after[0] != before[0]
    assert is_new or after == before
    assert is_new or reply != REPLY
    assert cuts <= 1


@pytest.mark.parametrize("seed", range(12))
def test_over_kills_and_cuts_around_midnight_each_freeze_is_there_once(seed):
    world, chance = (
        make_world(seed, Faults(ROUGH_LINK), datetime(2026, 6, 30, 23, 59, 40, tzinfo=UTC)),
        random.Random(seed),
    )
    for _ in range(12):
        blow = chance.randrange(4)
        if blow == 0:
            world.kill(chance.choice(world.names))
        elif blow == 1:
            world.kill_within(chance.choice([name for name in world.names if name != KERNEL]), chance.randrange(60))
        elif blow == 2:
            world.cut_power_at_write(chance.randrange(4))
        world.advance(chance.uniform(0.5, 5))
    world.quiet()
    world.meter.disk.cut_at_write = None
    world.advance(60)
    world.await_ready()
    assert time_of(world, DAILY) == "2607010000"
    assert world.ask(DAILY + 1).error == 2
    assert time_of(world, HOURLY) in ("2607010000", None)  # without supply at that minute it is not filled
    assert world.ask(HOURLY + 1).error == 2
    assert [f"{crash.partition}: {crash.fault!r}" for crash in world.meter.crashes] == []


def test_days_without_supply_are_filled_with_what_is_found():
    world = make_world()
    world.advance(100)
    world.meter.lose_power()
    world.advance(3 * 86400)
    world.meter.power_up()
    world.await_ready()
    world.advance(2)
    told = [time_of(world, DAILY + back) for back in range(5)]
    assert told == ["2607040000", "2607030000", "2607020000", "2607010000", None]
    assert energy_of(world, DAILY) == energy_of(world, DAILY + 2) > energy_of(world, DAILY + 3)


# -- the load record


EACH_MINUTE = {LOAD_START + number: "0001" for number in range(1, 7)}


def records(octets: bytes) -> list[tuple[str, list[int]]]:
    found = []
    while octets:
        size = octets[2] + 5
        time, classes = decode_record(octets[:size])
        found.append((f"{time:%H:%M}", sorted(classes)))
        octets = octets[size:]
    return found


def test_records_are_read_by_number_and_time_in_follow_up_frames():
    world = make_world(calendar=datetime(2026, 6, 30, 9, 59, 40, tzinfo=UTC))
    assert world.ask(FIRST).check() == b""
    assert world.request(0x11, FIRST.to_bytes(4, "little")) == (0x91, FIRST.to_bytes(4, "little"))
    assert world.ask(FROM).error == 2
    assert world.ask(0x06070000).error == 2
    world.advance(2)  # the parameters are heard
    write(world, EACH_MINUTE)
    world.advance(9 * 60 + 30)
    everything = [(f"10:0{minute}", [1, 2, 3, 4, 5, 6]) for minute in range(10)]
    control, field = world.request(0x11, FIRST.to_bytes(4, "little") + b"\x99")
    assert (control, (len(field) - 4) % 103) == (0xB1, 0)
    assert records(world.ask(FIRST, parameters=b"\x99").check()) == everything
    assert records(world.ask(FIRST, parameters=b"\x03").check()) == everything[:3]
    assert records(world.ask(LAST).check()) == everything[-1:]
    given = octets_of(datetime(2026, 6, 30, 10, 4, tzinfo=UTC))
    assert records(world.ask(FROM, parameters=b"\x02" + given).check()) == everything[4:6]
    assert records(world.ask(0x06040001, parameters=b"\x01" + given).check()) == [("10:04", [4])]
    assert world.ask(FROM, parameters=b"\x02" + octets_of(datetime(2026, 6, 30, 11, tzinfo=UTC))).check() == b""
    parts = decode(item_2007(LAST), world.ask(LAST).check()).parts
    energies = [part.number for part in parts[0].parts[4].parts]
    assert 0 < energies[0] <= world.read("import_active_energy")
    assert world.ask(0x06030002, door="line").check()[2] == 5 + 6 + 8
    assert world.meter.crashes == []


def test_all_the_records_that_were_asked_for_come():
    world = make_world(calendar=datetime(2026, 6, 30, 9, 59, 40, tzinfo=UTC))
    world.advance(2)
    write(world, EACH_MINUTE)
    world.advance(50 * 60)
    times = [f"10:{minute:02d}" for minute in range(50)]
    assert [time for time, _classes in records(world.ask(FIRST, parameters=b"\x50").check())] == times
    assert [time for time, _classes in records(world.ask(LAST, parameters=b"\x40").check())] == times[-40:]
    given = octets_of(datetime(2026, 6, 30, 10, 5, tzinfo=UTC))
    assert [time for time, _classes in records(world.ask(FROM, parameters=b"\x99" + given).check())] == times[5:]
    assert world.ask(LAST, parameters=b"\x02").check() == world.ask(FIRST, parameters=b"\x99").check()[-206:]


def test_by_default_all_classes_come_each_15_minutes():
    world = make_world()
    world.advance(100)
    assert records(world.ask(FIRST, parameters=b"\x09").check()) == [("00:00", [1, 2, 3, 4, 5, 6])]


@pytest.mark.parametrize("seed", range(10))
def test_over_kills_cuts_and_clock_steps_records_are_in_order_and_whole(seed):
    world, chance = make_world(seed, Faults(ROUGH_LINK)), random.Random(seed)
    write(world, EACH_MINUTE)
    for _ in range(15):
        blow = chance.randrange(5)
        if blow == 0:
            world.kill(chance.choice(world.names))
        elif blow == 1:
            world.kill_within(chance.choice([name for name in world.names if name != KERNEL]), chance.randrange(60))
        elif blow == 2:
            world.cut_power_at_write(chance.randrange(4))
        elif blow == 3:
            world.clock.step_calendar(chance.uniform(-200, 100))
        world.advance(chance.uniform(10, 90))
    world.quiet()
    world.meter.disk.cut_at_write = None
    world.advance(130)
    world.await_ready()
    found = world.ask(FIRST, parameters=b"\x99").check()
    times = []
    while found:
        time, classes = decode_record(found[: found[2] + 5])
        assert sorted(classes) == [1, 2, 3, 4, 5, 6]
        times.append((time, int(classes[4][3::-1].hex())))
        found = found[found[2] + 5 :]
    assert times == sorted(set(times))
    assert len({time for time, _energy in times}) == len(times)
    assert times[-1][0] <= world.clock.calendar()
    assert times[-1][0] > world.clock.calendar() - timedelta(minutes=2)
    assert times[-1][1] * CENTI <= world.true_microjoule()
    assert [f"{crash.partition}: {crash.fault!r}" for crash in world.meter.crashes] == []


def test_a_meter_clear_empties_freezes_and_load_records():
    world = make_world()
    write(world, EACH_MINUTE)
    world.advance(100)
    assert world.request(FREEZE, NOW) == REPLY
    assert world.ask(DAILY).error is world.ask(INSTANT).error is None
    assert len(records(world.ask(FIRST, parameters=b"\x09").check())) >= 2
    write(world, {MODE: "00"})
    assert world.request(0x1A, b"\x02" + wire("220022") + bytes(4)) == (0x9A, b"")
    assert world.ask(DAILY).error == world.ask(INSTANT).error == world.ask(HOURLY).error == 2
    assert world.ask(FIRST).check() == b""
    world.kill("energy")
    world.advance(3)
    assert world.ask(DAILY).error == world.ask(INSTANT).error == 2
    assert world.ask(FIRST).check() == b""
    write(world, {MODE: "3F"})
    world.advance(60)
    assert len(records(world.ask(FIRST, parameters=b"\x09").check())) == 1
