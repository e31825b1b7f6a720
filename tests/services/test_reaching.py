"""Address and rate of a whole meter, changed while it runs: kept, and known to everybody whom they concern."""

from __future__ import annotations

import contextlib

import msgspec
import pytest

from wattwheel.apex.messages import Control
from wattwheel.model.core_records import CORE_REPORT_DI, CoreReport
from wattwheel.model.errors import NotAnswered
from wattwheel.protocols.dlt645.frame import ADDRESS_ANY, ADDRESS_BROADCAST, Frame, FrameReader, encode
from wattwheel.testing.world import LINE, TCP, World, simulated_settings

NEW = "000000000077"
NEW_OCTETS = bytes.fromhex(NEW)[::-1]
PASSWORD = "440044"
ADDRESS_DI, RATE_DI = 0x04000401, 0x04000703


@pytest.fixture
def world():
    return meter()


def meter(**serial) -> World:
    settings = simulated_settings()
    own = msgspec.structs.replace(settings.dlt645, password_level_4=PASSWORD)
    line = msgspec.structs.replace(settings.serial, **serial)
    world = World(4, settings=msgspec.structs.replace(settings, dlt645=own, serial=line))
    world.await_ready()
    return world


def ask(world: World, control: int, data: bytes, address: str, door: str = TCP) -> Frame | None:
    """The one reply within a second."""
    channel = world.channel(door)
    channel.read()
    channel.write(encode(Frame(address, control, data)))
    world.advance(1)
    replies = FrameReader().feed(channel.read())
    assert len(replies) <= 1
    return replies[0] if replies else None


def write_address(world: World, octets: bytes = NEW_OCTETS, address: str = ADDRESS_ANY) -> Frame | None:
    return ask(world, 0x15, octets, address)


def own(world: World) -> str:
    reply = ask(world, 0x13, b"", ADDRESS_ANY)
    assert reply.data == bytes.fromhex(reply.address)[::-1]
    return reply.address


def core_address(world: World) -> str:
    told = []
    world.meter.ask(Control.READ, CORE_REPORT_DI, b"", lambda reply: told.append(reply.data))
    world.advance(0.5)
    return msgspec.msgpack.decode(told[0], type=CoreReport).identity.meter_address


def test_without_the_programming_key_the_address_stays(world):
    first = own(world)
    assert write_address(world) is None
    assert own(world) == first
    world.press("program")
    world.press("program")  # and closed again
    assert write_address(world) is None
    assert own(world) == first


def test_with_the_key_the_new_address_answers_is_kept_and_known_to_the_metering_core(world):
    first = own(world)
    world.press("program")
    assert write_address(world) == Frame(NEW, 0x95, b"", preamble=4)
    assert ask(world, 0x11, ADDRESS_DI.to_bytes(4, "little"), first) is None
    assert ask(world, 0x11, ADDRESS_DI.to_bytes(4, "little"), NEW).data[4:] == NEW_OCTETS
    for name in ("communication", "parameters", "kernel", "metering_core"):
        world.kill(name)
        world.advance(8)
        assert own(world) == NEW
        assert ask(world, 0x11, ADDRESS_DI.to_bytes(4, "little"), first) is None
    assert core_address(world) == NEW
    assert world.meter.crashes == []


@pytest.mark.parametrize(
    ("octets", "address"),
    [
        (b"\x99" * 6, ADDRESS_ANY),
        (b"\xaa" * 6, ADDRESS_ANY),
        (b"\x77" * 5, ADDRESS_ANY),
        (NEW_OCTETS, ADDRESS_BROADCAST),
        (NEW_OCTETS, "202611200001"),
    ],
)
def test_what_is_no_address_or_comes_to_another_form_is_silence(world, octets, address):
    first = own(world)
    world.press("program")
    assert write_address(world, octets, address) is None
    assert own(world) == first


def test_a_meter_answers_to_one_address_whatever_dies():
    for write in range(8):
        world = meter()
        first = own(world)
        world.press("program")
        world.advance(1)
        world.cut_power_at_write(write)
        with contextlib.suppress(NotAnswered):
            is_confirmed = write_address(world) is not None
        world.advance(8)
        now = own(world)
        assert now in (first, NEW)
        assert now == NEW or not is_confirmed


def test_the_address_is_a_parameter_too(world):
    assert world.write(ADDRESS_DI, NEW_OCTETS, 4, PASSWORD) == (0x94, b"")
    world.advance(0.1)
    assert own(world) == NEW
    assert ask(world, 0x11, 0x03300001.to_bytes(4, "little"), NEW).data[14:18] == ADDRESS_DI.to_bytes(4, "little")


# -- rates


def baud(world: World) -> int:
    return round(11e9 / world.meter.line.octet_ns) if world.meter.line.octet_ns else 0


def change_rate(world: World, word: int, door: str = LINE) -> Frame | None:
    return ask(world, 0x17, bytes((word,)), world.meter.settings.meter.address, door)


def test_a_rate_that_was_changed_is_kept(world):
    assert world.ask(RATE_DI).check() == b"\x08"
    assert change_rate(world, 0x20) == Frame(world.meter.settings.meter.address, 0x97, b"\x20", preamble=4)
    assert baud(world) == 9600
    assert world.ask(RATE_DI).check() == b"\x20"
    world.meter.line.octet_ns = 0  # another driver: it comes up with the settings' rate
    world.kill("kernel")
    world.advance(3)
    assert baud(world) == 9600
    assert world.read("import_active_energy", LINE) is not None


def test_a_rate_for_the_session_ends_with_it():
    world = meter(rate_change="session")
    assert baud(world) == 2400
    assert change_rate(world, 0x40).control == 0x97
    assert baud(world) == 19_200
    assert world.ask(RATE_DI).check() == b"\x08"
    world.kill("kernel")
    world.advance(3)
    assert baud(world) == 2400


def test_a_rate_word_that_is_written_switches_the_line(world):
    assert world.write(RATE_DI, b"\x04", 4, PASSWORD) == (0x94, b"")
    world.advance(0.2)
    assert baud(world) == 1200
    assert world.write(RATE_DI, b"\x0c", 4, PASSWORD) == (0xD4, b"\x01")
    assert world.write(0x04000704, b"\x04", 4, PASSWORD) == (0xD4, b"\x02")
    assert baud(world) == 1200


@pytest.mark.parametrize(("word", "door"), [(0x20, TCP), (0x30, LINE), (0x00, LINE), (0x01, LINE)])
def test_what_cannot_be_changed_is_refused(world, word, door):
    assert change_rate(world, word, door).data == b"\x08"
    assert baud(world) == 0
    assert world.ask(RATE_DI).check() == b"\x08"


# -- records of both, and what survives


def last_programming(world: World, address: str) -> bytes:
    return ask(world, 0x11, 0x03300001.to_bytes(4, "little"), address).data[4:]


def test_a_new_address_is_recorded_as_programming_by_nobody(world):
    world.press("program")
    assert write_address(world) is not None
    record = last_programming(world, NEW)
    assert (record[6:10], record[10:14], record[14:18]) == (bytes(4), ADDRESS_DI.to_bytes(4, "little"), b"\xff" * 4)
    assert world.write(ADDRESS_DI, NEW_OCTETS, 4, PASSWORD) is None  # the old address
    world.advance(1)


def test_a_new_rate_is_recorded_and_a_refused_one_is_not():
    world = meter(rate_change="kept")
    first = own(world)
    assert ask(world, 0x17, b"\x06", first, LINE) is not None  # two bits: refused
    assert ask(world, 0x11, 0x03300001.to_bytes(4, "little"), first).data == b"\x02"
    assert ask(world, 0x17, b"\x10", first, LINE).control == 0x97
    record = last_programming(world, first)
    assert (record[6:10], record[10:14]) == (bytes(4), RATE_DI.to_bytes(4, "little"))


def test_the_address_survives_the_death_of_everything_at_once(world):
    world.press("program")
    assert write_address(world) is not None
    for name in world.names:
        world.kill(name)
    world.advance(10)
    assert own(world) == NEW
    world.cut_power_at_write(0)
    world.advance(130)
    assert world.power_cuts == 1
    world.await_ready()
    assert own(world) == NEW
    assert last_programming(world, NEW)[10:14] == ADDRESS_DI.to_bytes(4, "little")


@pytest.mark.parametrize("at_write", range(8))
def test_address_and_record_come_together(at_write):
    world = meter()
    world.press("program")
    world.advance(1)
    world.cut_power_at_write(at_write)
    with contextlib.suppress(NotAnswered):
        write_address(world)
    world.advance(8)
    now = own(world)
    reply = ask(world, 0x11, 0x03300001.to_bytes(4, "little"), now)
    assert (reply.control == 0x91) is (now == NEW)
