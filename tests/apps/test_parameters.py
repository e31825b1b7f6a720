"""The parameters APP: what may be written, what is kept whatever dies, and that the other APPs hear of it."""

from __future__ import annotations

import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattwheel.apps.parameters import DEFAULTS, NUMBERS, PERIOD, SLIP, default_items, is_plain, refusal
from wattwheel.model.catalogue import items_2007
from wattwheel.model.further_freezes import is_own_parameter
from wattwheel.protocols.dlt645.frame import Frame, FrameReader, encode
from wattwheel.sdk.writing import malformed
from wattwheel.testing.world import World, simulated_settings

LEVEL_4 = "440044"
DONE, OTHER, UNKNOWN = (0x94, b""), (0xD4, b"\x01"), (0xD4, b"\x02")
SUPPLY = "supply"
POWER_W = 36e6


def meter() -> World:
    settings = simulated_settings()
    own = msgspec.structs.replace(settings.dlt645, password_level_4=LEVEL_4)
    world = World(9, settings=msgspec.structs.replace(settings, dlt645=own))
    world.await_ready()
    return world


@pytest.fixture
def world():
    return meter()


def write(world: World, di: int, digits: str, password: str = LEVEL_4):
    """`digits`: as the picture prints them."""
    return world.write(di, bytes.fromhex(digits)[::-1], 4, password)


# -- the rules


def error(di: int, digits: str) -> int:
    octets = bytes.fromhex(digits)[::-1]
    return malformed(di, octets) or refusal(default_items(), di, octets)


@pytest.mark.parametrize("di", DEFAULTS)
def test_every_default_could_have_been_written(di):
    assert error(di, DEFAULTS[di]) == 0


@pytest.mark.parametrize(
    ("di", "digits", "expected"),
    [
        (PERIOD, "30", 0),
        (PERIOD, "20", 1),
        (PERIOD, "1a", 1),
        (PERIOD, "0015", 1),
        (PERIOD, "", 1),
        (SLIP, "05", 0),
        (SLIP, "02", 1),  # 15 is no multiple of it
        (SLIP, "15", 0),  # a block window
        (SLIP, "30", 1),
        (0x04000201, "15", 0x10),
        (0x04000201, "00", 0x10),
        (0x04000203, "00", 0x20),
        (0x04000203, "15", 0x20),
        (0x04000204, "64", 0x40),
        (0x04000204, "00", 0),  # of a single tariff
        (0x04000202, "09", 1),
        (0x04000205, "0255", 1),
        (0x04000B01, "2823", 0),
        (0x04000B01, "2900", 1),
        (0x04000B01, "0124", 1),
        (0x04000B02, "9999", 0),
        (0x04000403, "41" * 32, 0),
        (0x04000403, "41" * 31, 1),
        (0x04000E03, "2420", 0),
        (0x04000901, "FF", 0),
        (0x04000A01, "00000000", 0),  # from the beginning
        (0x04000A01, "02290000", 0),
        (0x04000A01, "02300000", 1),
        (0x04000A01, "99999999", 1),
        (0x04000A02, "0000", 0),
        (0x04001201, "2602282359", 0),
        (0x04001201, "2602292359", 1),
        (0x04001202, "00", 0),
        (0x04001203, "2359", 0),
        (0x04001203, "2400", 1),
        (0x04001203, "0060", 1),
        (0x04030001, "26010101", 0),
        (0x040300FF, "26010101", 2),
        (0x04010000, "070102010101", 0),  # the first on the wire stands last here
        (0x04010000, "010101070102", 0),  # sorted when it is looked at
        (0x04010000, "000000010101", 0),  # zeros at the end are not counted
        (0x04010000, "010101000000", 1),
        (0x04010000, "130101", 1),
        (0x04010000, "023001", 1),
        (0x04010000, "0101", 1),
        (0x04010000, "010101" * 14, 0),  # places that are not used repeat the last one
        (0x04010000, "010101" * 15, 0x10),
        (0x04010001, "080001", 0),
        (0x04010001, "240001", 1),
        (0x04010001, "080000", 0),  # the tariff before goes on
        (0x04010001, "080064", 0x40),
        (0x04010001, "000001" * 15, 0x20),
        (0x04030001, "FF120102", 0),  # every year
        (0x04030001, "26133201", 1),
        (0x04000106, "FFFFFFFFFF", 0),
        (0x04000106, "2602300000", 1),
        (0x04060401, "FF0100", 0),  # every month
        (0x04060401, "023000", 1),
        (0x04000802, "00", 0),
        (0x04000802, "09", 1),
        (0x04000501, "0000", 2),  # read-only
        (0x04000101, "26112005", 2),  # the platform's
        (0x04000401, "202611200001", 0),
        (0x04000401, "999999999999", 1),
        (0x04000401, "aaaaaaaaaaaa", 1),
        (0x04000703, "08", 2),  # no line
        (0x04000C05, "00000000", 2),
        (0x04000409, "006400", 0),  # the metering core is told
        (0x0400040A, "999999", 0),
        (0x0400040A, "000000", 1),
        (0x04000105, "0040", 0),
        (0x04000105, "1001", 1),
        (0x04000D01, "0050", 2),  # the metering core's
        (0x00010000, "00000000", 2),
        (0x04FF0000, "00", 2),
    ],
)
def test_what_may_be_written(di, digits, expected):
    assert error(di, digits) == expected


@given(st.sampled_from([item.di for item in items_2007() if item.di >> 24 == 4]), st.binary(max_size=60))
def test_any_octets_are_taken_or_refused(di, octets):
    error = malformed(di, octets) or refusal(default_items(), di, octets)
    assert error in (0, 1, 2, 0x10, 0x20, 0x40)
    if di in NUMBERS and error == 0:
        assert int(octets[::-1].hex()) in NUMBERS[di].allowed


# -- in a meter


def test_a_written_parameter_is_read_back_and_outlives_kills_and_the_supply(world):
    assert world.read(PERIOD) == 15
    assert write(world, PERIOD, "30") == DONE
    assert world.read(PERIOD) == 30
    for name in ("parameters", "store", "kernel"):
        world.kill(name)
        world.advance(3)
        assert world.read(PERIOD) == 30
    assert write(world, SLIP, "02") == DONE  # of 30, not of 15
    world.cut_power_at_write(0)
    world.advance(70)
    assert world.power_cuts == 1
    assert (world.read(PERIOD), world.read(SLIP)) == (30, 2)
    assert world.meter.crashes == []


def test_what_is_refused_changes_nothing(world):
    assert write(world, PERIOD, "20") == OTHER
    assert write(world, PERIOD, "30", password="440045") == (0xD4, b"\x04")
    assert write(world, 0x04000409, "000000") == OTHER
    assert write(world, 0x04000D01, "0001") == UNKNOWN
    assert write(world, 0x0E000001, "00") == UNKNOWN
    assert write(world, 0x02010100, "2200") == UNKNOWN
    assert world.read(PERIOD) == 15
    world.advance(1.5)
    assert world.counters()["parameters"]["writes_refused"] == 3


@pytest.mark.parametrize(
    ("di", "entries"),
    [
        (0x04010001, ("120002", "000001", "090000", *("000000",) * 11)),
        (0x04010001, ("000001", *("120002",) * 13)),
        (0x04010000, ("070102", "010101", *("000000",) * 12)),
        (0x04030001, ("FF120102",)),
        (0x04000106, ("FFFFFFFFFF",)),
    ],
)
def test_a_read_gives_back_what_was_written(world, di, entries):
    octets = b"".join(bytes.fromhex(entry)[::-1] for entry in entries)
    assert world.write(di, octets, 4, LEVEL_4) == DONE
    assert world.ask(di).check() == octets
    world.kill("parameters")
    world.advance(3)
    assert world.ask(di).check() == octets


def test_too_many_entries_have_an_error_bit_of_their_own(world):
    assert write(world, 0x04010000, "010101" * 15) == (0xD4, b"\x10")
    assert write(world, 0x04010001, "000001" * 15) == (0xD4, b"\x20")
    assert write(world, 0x04010001, "000064") == (0xD4, b"\x40")
    assert write(world, 0x04010001, "006101") == OTHER


def test_every_plain_parameter_can_be_written_and_read(world):
    of_2007 = (item for item in items_2007() if not is_own_parameter(item.di))
    plain = [item for item in of_2007 if item.write and item.members is None and is_plain(item.di)]
    assert len(plain) > 1200
    for item in itertools.islice(plain, 0, None, 40):
        octets = default_items().get(item.di) or _some_octets(item)
        assert world.write(item.di, octets, 4, LEVEL_4) == DONE, item.di_text
        assert world.ask(item.di).check() == octets
    assert world.meter.crashes == []


def _some_octets(item) -> bytes:
    candidates = (b"\x01", b"\x05") if item.octets == 1 else (b"\x01" * (item.octets or 3), bytes(item.octets or 3))
    return next(octets for octets in candidates if not (malformed(item.di, octets) or refusal({}, item.di, octets)))


def test_a_write_is_old_or_new_whatever_dies_in_the_middle_of_it():
    outcomes = set()
    for victim in ("parameters", "security", "store", "communication", "bus", SUPPLY):
        for operations in range(14):
            world = meter()
            if victim == SUPPLY:
                world.cut_power_at_write(operations)
            else:
                world.kill_within(victim, operations)
            is_confirmed = write(world, PERIOD, "30") == DONE
            world.quiet()
            world.kill("kernel")
            world.advance(4)
            value = world.read(PERIOD)
            assert value in (15, 30), f"{victim} after {operations}"
            assert value == 30 or not is_confirmed, f"{victim} after {operations}: confirmed and lost"
            assert world.meter.crashes == []
            outcomes.add((is_confirmed, value))
    assert {(True, 30), (False, 15)} <= outcomes


def test_nothing_is_confirmed_before_it_is_on_the_medium(world):
    world.advance(2)
    world.kill("store")
    is_confirmed = write(world, PERIOD, "30") == DONE
    world.kill("kernel")
    world.advance(4)
    assert world.read(PERIOD) == 30 or not is_confirmed


def test_pipelined_writes_are_done_in_their_order(world):
    address = world.meter.settings.meter.address
    fields = [
        bytes.fromhex(f"{slip_or_period}0100040444004400000000") + bytes.fromhex(value)
        for slip_or_period, value in (("03", "30"), ("04", "02"), ("03", "15"), ("04", "01"), ("03", "15"))
    ]
    channel, reader = world.channel(), FrameReader()
    channel.write(b"".join(encode(Frame(address, 0x14, field)) for field in fields))
    world.advance(2)
    replies = [(frame.control, frame.data) for frame in reader.feed(channel.read())]
    assert replies == [DONE, DONE, OTHER, DONE, DONE]  # 15 is no multiple of the slip of 2 that was there then


def test_a_combination_word_counts_at_once_and_after_restarts(world):
    world.set_power(-POWER_W)
    world.advance(5)
    world.set_power(0)
    world.advance(3)
    exported = world.read(0x00020000)
    assert exported > 1000
    assert world.read(0x00000000) == exported
    assert write(world, 0x04000601, "09") == DONE  # forward minus reverse
    world.advance(2)
    assert world.read(0x00000000) == -exported
    for name in ("energy", "parameters", "kernel"):
        world.kill(name)
        world.advance(3)
        assert world.read(0x00000000) == -exported
