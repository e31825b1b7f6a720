"""The event clear (1BH) reaches every ring of events, in whichever partition it is kept, also one that was dead."""

from __future__ import annotations

import msgspec
import pytest
from tests.apps.test_contacts import tell
from tests.apps.test_energy_tariffs import POWER_W, wire
from tests.apps.test_meter_clear import LEVEL_2, LEVEL_4, clear_data

from wattwheel.testing.world import World, simulated_settings

PROGRAMMING, EVENT_CLEARS, CLOCK_SETS, REST_DAYS, COVER = 0x03300000, 0x03300300, 0x03300400, 0x03300700, 0x03300D00
ALL = b"\xff" * 4


@pytest.fixture
def world():
    settings = simulated_settings()
    own = msgspec.structs.replace(settings.dlt645, password_level_2=LEVEL_2, password_level_4=LEVEL_4)
    world = World(5, settings=msgspec.structs.replace(settings, dlt645=own))
    world.set_power(POWER_W / 1e6)
    world.await_ready()
    for di, digits in ((0x04000103, "30"), (0x04000801, "3E"), (0x0400010C, "26112006080100")):
        octets = bytes([0x3E]) if digits == "3E" else wire(digits)
        assert world.write(di, octets, 4, LEVEL_4) == (0x94, b""), f"{di:08X}"
    tell(world, "meter-cover", "open")
    world.advance(5)
    assert [world.read(di) for di in (PROGRAMMING, CLOCK_SETS, REST_DAYS, COVER)] == [1, 1, 1, 1]
    return world


def clear(world: World, di: bytes) -> tuple[int, bytes] | None:
    return world.request(0x1B, clear_data(2, LEVEL_2) + di)


def test_all_events_go_but_the_record_of_the_clear(world):
    assert clear(world, ALL) == (0x9B, b"")  # and what is read right afterwards is that of after
    assert [world.read(di) for di in (PROGRAMMING, CLOCK_SETS, REST_DAYS, COVER)] == [0, 0, 0, 0]
    assert world.read(EVENT_CLEARS) == 1
    assert world.ask(EVENT_CLEARS + 1).check()[-4:] == ALL


def test_one_class_goes_and_the_others_stay(world):
    assert clear(world, wire("033007FF")) == (0x9B, b"")
    assert [world.read(di) for di in (PROGRAMMING, CLOCK_SETS, REST_DAYS, COVER)] == [1, 1, 0, 1]


@pytest.mark.parametrize("dead", ["parameters", "platform", "energy"])
def test_who_was_dead_follows_when_it_is_back(world, dead):
    world.kill(dead) if dead != "energy" else None
    assert clear(world, ALL) == (0x9B, b"")
    world.kill(dead)
    world.advance(10)
    assert [world.read(di) for di in (PROGRAMMING, CLOCK_SETS, REST_DAYS, COVER)] == [0, 0, 0, 0]
    assert world.read(EVENT_CLEARS) == 1


@pytest.mark.parametrize("data", [wire("03300700"), wire("00010000"), b"\xff" * 3 + b"\x04"])
def test_what_names_no_class_of_events_is_refused(world, data):
    assert clear(world, data) == (0xDB, b"\x01")
    assert world.read(EVENT_CLEARS) == 0
    assert world.read(COVER) == 1


def deafen(world: World, partition: str) -> None:
    """Nobody calls `partition` any more when `energy` has published a clear."""
    world.meter.host.sampling_source("clears")._channel.readers[partition].is_ready = lambda: False


@pytest.mark.parametrize("command", ["event", "meter"])
def test_what_is_read_right_after_the_answer_is_clear_however_late_anybody_follows(world, command):
    """Everybody who keeps event records is slow to be called; the answer waits for them."""
    answered = (0x9B, 0x9A)[command == "meter"]
    for partition in ("parameters", "platform"):
        deafen(world, partition)
    data = clear_data(2, LEVEL_2) + (ALL if command == "event" else b"")
    assert world.request(0x1B if command == "event" else 0x1A, data) == (answered, b"")
    assert [world.read(di) for di in (PROGRAMMING, CLOCK_SETS, REST_DAYS, COVER)] == [0, 0, 0, 0]


@pytest.mark.parametrize("write", range(8))
def test_a_cut_in_the_middle_of_a_clear_leaves_all_or_nothing_and_what_was_answered_is_clear(world, write):
    world.cut_power_at_write(write)
    answer = clear(world, ALL)
    world.advance(20)
    world.await_ready()
    found = [world.read(di) for di in (PROGRAMMING, CLOCK_SETS, REST_DAYS, COVER)]
    assert found in ([0, 0, 0, 0],) if answer == (0x9B, b"") else found in ([0, 0, 0, 0], [1, 1, 1, 1])
