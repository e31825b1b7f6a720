"""Events and status words of a whole meter, with real frames, kills and cuts of the supply."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from wattwheel.model.catalogue import item_2007
from wattwheel.model.errors import NotAnswered
from wattwheel.testing.world import METERING_CORE, World, simulated_settings

LEVEL_2, LEVEL_4 = "220022", "440044"
OPERATOR = bytes.fromhex("12345678")
UNDER_COUNTS, UNDER_A, UNDER_DELAY = 0x03020000, 0x03020101, 0x04090202
LOW_A = (171.0, 220.0, 220.0)
POWERS = (1000.0, 1000.0, 1000.0)


def clear_data(di: int, level: int = 2, password: str = LEVEL_2) -> bytes:
    return bytes((level,)) + bytes.fromhex(password)[::-1] + OPERATOR + di.to_bytes(4, "little")


def count(world: World, di: int) -> int:
    return int(world.ask(di).check()[2::-1].hex())


def moment(octets: bytes) -> datetime:
    return datetime.strptime(octets[5::-1].hex(), "%y%m%d%H%M%S").replace(tzinfo=UTC)


@pytest.fixture
def world():
    base = simulated_settings()
    own = msgspec.structs.replace(base.dlt645, password_level_2=LEVEL_2, password_level_4=LEVEL_4)
    world = World(11, settings=msgspec.structs.replace(base, dlt645=own))
    world.set_power(*POWERS)
    world.await_ready()
    world.advance(5)
    return world


def test_an_undervoltage_is_recorded_read_and_cleared(world):
    assert count(world, UNDER_COUNTS) == 0
    assert world.ask(UNDER_A).error == 2
    begun = world.clock.calendar()
    world.set_power(*POWERS, voltage_v=LOW_A)
    world.advance(58)
    assert count(world, UNDER_COUNTS) == 0
    world.advance(5)
    lasting = world.ask(UNDER_A).check()
    assert len(lasting) == 131
    assert abs(moment(lasting) - begun - timedelta(seconds=61)) <= timedelta(seconds=1)
    assert lasting[6:12] == bytes(6)
    assert lasting[44:46] == bytes.fromhex("1710")[::-1]  # phase a: its voltage at the begin
    assert world.read("run_status_word_4") is not None
    assert world.ask(0x04000504).check() == (0b11).to_bytes(2, "little")  # voltage loss too: a current flows
    block = world.ask(0x040005FF).check()
    assert len(block) == 14
    assert block[6:8] == (0b11).to_bytes(2, "little")
    ended = world.clock.calendar()
    world.set_power(*POWERS)
    world.advance(63)
    record = world.ask(UNDER_A).check()
    assert abs(moment(record[6:]) - ended - timedelta(seconds=61)) <= timedelta(seconds=1)
    assert world.ask(0x040005FF).check() == bytes(14)
    assert world.request(0x1B, clear_data(0x030200FF)) == (0x9B, b"")
    assert count(world, UNDER_COUNTS) == 0
    assert count(world, 0x03010000) == 1
    clear = world.ask(0x03300301).check()
    assert clear[6:] == OPERATOR + bytes.fromhex("030200FF")[::-1]
    assert world.request(0x1B, clear_data(0xFFFFFFFF)) == (0x9B, b"")
    assert count(world, 0x03010000) == 0
    assert count(world, 0x03300300) == 2


def test_an_event_clear_needs_level_2_and_a_class(world):
    assert world.request(0x1B, clear_data(0xFFFFFFFF, 4, LEVEL_4)) == (0xDB, b"\x04")
    assert world.request(0x1B, clear_data(0x03020101)) == (0xDB, b"\x01")
    assert count(world, 0x03300300) == 0


def test_thresholds_have_the_defaults_of_the_rating_and_can_be_written(world):
    assert world.read(0x04090201) == 1716
    assert world.read(0x04090102) == 1870
    assert world.write(UNDER_DELAY, bytes.fromhex("05"), 4, LEVEL_4)[0] == 0x94
    world.set_power(*POWERS, voltage_v=LOW_A)
    world.advance(8)
    assert count(world, UNDER_COUNTS) == 1
    assert world.write(0x04090201, bytes(2), 4, LEVEL_4)[0] == 0x94
    world.advance(2)
    assert world.ask(UNDER_A).check()[6:12] != bytes(6)


def test_directions_and_other_events_of_a_meter(world):
    world.set_power(-1000.0, 2000.0, 100.0, reactive_var=(-10.0, 0, 0), is_reversed=True)
    world.advance(64)
    assert count(world, 0x030E0000) == 1
    assert len(world.ask(0x030E0101).check()) == 76
    assert count(world, 0x03070000) == 1
    words = world.ask(0x040005FF).check()
    assert [int.from_bytes(words[at : at + 2], "little") for at in range(0, 8, 2)] == [1 << 5, 0b001_0001, 0, 1 << 6]
    assert words[12] & 1
    assert count(world, 0x1B010001) == 1
    statistics = world.ask(0x03100000).check()
    assert int(statistics[2::-1].hex()) >= 1


def test_over_kills_of_the_partition_and_the_core_an_event_begins_once_and_goes_on(world):
    world.set_power(*POWERS, voltage_v=LOW_A)
    begun = world.clock.calendar()
    for name in ("energy", METERING_CORE, "energy", "store", "energy", "metering", "energy"):
        world.advance(11)
        world.kill(name)
    world.advance(15)
    assert count(world, UNDER_COUNTS) == 1
    begin = world.ask(UNDER_A).check()[:12]
    assert abs(moment(begin) - begun - timedelta(seconds=61)) <= timedelta(seconds=2)
    world.kill("energy")
    world.advance(15)
    assert world.ask(UNDER_A).check()[:12] == begin
    assert count(world, 0x03110000) == 0


def test_a_cut_of_the_supply_ends_the_event_and_is_itself_recorded(world):
    world.set_power(*POWERS, voltage_v=LOW_A)
    world.advance(200)
    cut = world.clock.calendar()
    world.meter.lose_power()
    world._doors.clear()
    world.advance(600)
    world.meter.power_up()
    world.await_ready()
    world.advance(5)
    back = world.clock.calendar()
    down = world.ask(0x03110001).check()
    assert count(world, 0x03110000) == 1
    assert timedelta(0) <= cut - moment(down) <= timedelta(seconds=122)
    assert timedelta(0) <= back - moment(down[6:]) <= timedelta(seconds=15)
    record = world.ask(UNDER_A).check()
    assert record[6:12] == down[:6]
    world.advance(70)
    assert count(world, UNDER_COUNTS) == 2
    assert world.ask(UNDER_A).check()[6:12] == bytes(6)


@pytest.mark.parametrize("write", range(8))
def test_cut_at_every_write_an_event_clear_is_complete_or_not_begun(world, write):
    world.set_power(*POWERS, voltage_v=LOW_A)
    world.advance(130)
    world.cut_power_at_write(write)
    try:
        reply = world.request(0x1B, clear_data(0x030200FF))
    except NotAnswered:
        reply = None
    world.advance(20)
    world.meter.disk.cut_at_write = None
    world.await_ready()
    world.advance(3)
    is_clear = count(world, 0x03300300) == 1
    assert is_clear or reply is None or reply[0] == 0xDB
    assert (count(world, UNDER_COUNTS) == 0) is is_clear
    assert count(world, 0x03010000) == 1


def test_a_meter_clear_empties_events_and_keeps_the_clears(world):
    world.set_power(*POWERS, voltage_v=LOW_A)
    world.advance(70)
    assert world.request(0x1B, clear_data(0x030100FF)) == (0x9B, b"")
    assert world.request(0x1A, clear_data(0)[:-4]) == (0x9A, b"")
    assert count(world, UNDER_COUNTS) == 0
    assert (count(world, 0x03300300), count(world, 0x03300100)) == (1, 1)
    world.advance(70)
    record = world.ask(UNDER_A).check()
    assert count(world, UNDER_COUNTS) == 1
    assert int(record[15:11:-1].hex()) < 10  # increments count from the clear


FLOWS = (
    {"voltage_v": LOW_A},
    {"voltage_v": (270.0, 220.0, 60.0)},
    {"voltage_v": (0.0, 0.0, 0.0), "current_a": (1.0, 1.0, 1.0)},
    {"current_a": (80.0, 0.0, 5.0), "is_reversed": True},
    {},
)


@pytest.mark.parametrize("seed", range(12))
def test_over_kills_and_cuts_at_any_instant_all_records_are_whole_and_in_order(world, seed):
    chance = random.Random(seed)
    for di, octets in ((UNDER_DELAY, "02"), (0x04090302, "00"), (0x04090104, "07"), (0x04090802, "03")):
        assert world.write(di, bytes.fromhex(octets), 4, LEVEL_4)[0] == 0x94
    for _ in range(25):
        world.set_power(*POWERS, **chance.choice(FLOWS))
        blow = chance.randrange(4)
        if blow == 0:
            world.kill(chance.choice(world.names))
        elif blow == 1:
            world.kill_within(chance.choice(("energy", "store", "parameters")), chance.randrange(60))
        elif blow == 2:
            world.cut_power_at_write(chance.randrange(4))
        world.advance(chance.uniform(0.5, 25))
    world.quiet()
    world.meter.disk.cut_at_write = None
    world.advance(20)
    world.await_ready()
    now, counted = world.clock.calendar(), 0
    for family in (0x0301, 0x0302, 0x0303, 0x030C):
        counts = world.ask(family << 16).check()
        for phase in range(3):
            ended = now
            number = int(counts[6 * phase :][2::-1].hex())
            counted += number
            for place in range(1, min(10, number) + 1):
                record = world.ask(family << 16 | (phase + 1) << 8 | place).check()
                assert len(record) == int(item_2007(family << 16 | (phase + 1) << 8 | 1).octets)
                begin = moment(record)
                if any(record[6:12]):
                    assert begin <= moment(record[6:]) <= ended
                else:
                    assert place == 1
                ended = begin
            if number < 10:
                assert world.ask(family << 16 | (phase + 1) << 8 | number + 1).error == 2
    assert counted
    assert not world.meter.core.faults
