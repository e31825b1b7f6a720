"""Active reporting words: events set the bits that the mode word wants, reading and resetting clears them."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.apps.test_contacts import tell
from tests.apps.test_energy_tariffs import POWER_W, wire
from tests.apps.test_meter_clear import LEVEL_2, LEVEL_4, clear_data

from wattwheel.apex.messages import Control
from wattwheel.apps.reporting import Reporting
from wattwheel.model.reporting import DEFAULT_MODE, Report
from wattwheel.testing.world import TCP, World, simulated_settings

MODE, STATUS, RESET = 0x04001104, 0x04001501, 0x04001503
EVERYTHING = b"\xff" * 8


@pytest.fixture
def world():
    usual = simulated_settings()
    own = msgspec.structs.replace(usual.dlt645, password_level_2=LEVEL_2, password_level_4=LEVEL_4)
    fees = msgspec.structs.replace(usual.fee_control, mode="remote")
    world = World(8, settings=msgspec.structs.replace(usual, dlt645=own, fee_control=fees))
    world.set_power(POWER_W / 1e6)
    world.await_ready()
    return world


def seen(world: World) -> set[int]:
    """The bits that are set, looked at from within the meter, which is no reading."""
    replies = []
    world.meter.ask(Control.READ, STATUS, b"", replies.append)
    assert world.advance_until(lambda: bool(replies), 2.0)
    word = int.from_bytes(replies[0].data, "little")
    return {bit for bit in range(96) if word >> bit & 1}


def read(world: World) -> set[int]:
    word = int.from_bytes(world.ask(STATUS).check(), "little")
    return {bit for bit in range(96) if word >> bit & 1}


def set_mode(world: World, octets: bytes) -> None:
    assert world.write(MODE, octets, 4, LEVEL_4) == (0x94, b"")
    world.advance(2)


def test_the_mode_word_has_the_default_of_the_filings_and_is_written(world):
    assert world.ask(MODE).check() == wire(DEFAULT_MODE)
    set_mode(world, EVERYTHING)
    assert world.ask(MODE).check() == EVERYTHING
    assert world.write(STATUS, bytes(12), 4, LEVEL_4)[0] == 0xD4


def test_a_bit_is_set_at_the_begin_and_stays_until_it_is_read(world):
    assert read(world) == set()
    tell(world, "meter-cover", "open")
    world.advance(5)
    assert seen(world) == {Report.METER_COVER}
    tell(world, "meter-cover", "closed")
    world.advance(120)
    assert seen(world) == {Report.METER_COVER}  # looked at and not read: it stays
    assert read(world) == {Report.METER_COVER}
    world.advance(2)
    assert read(world) == set()
    world.advance(120)
    assert seen(world) == set()


def test_what_the_mode_word_does_not_want_is_not_reported(world):
    set_mode(world, bytes(8))
    tell(world, "meter-cover", "open")
    tell(world, "magnetic-field", "present")
    world.advance(10)
    assert seen(world) == set()
    assert world.read(0x03350000) == 1  # recorded all the same


def test_a_write_of_the_reset_clears_what_is_0_in_it(world):
    tell(world, "meter-cover", "open")
    tell(world, "magnetic-field", "present")
    world.advance(10)
    assert seen(world) == {Report.METER_COVER, Report.MAGNETIC_FIELD}
    kept = ((1 << 96) - 1) & ~(1 << Report.METER_COVER)
    assert world.write(RESET, kept.to_bytes(12, "little"), 4, LEVEL_4) == (0x94, b"")
    assert seen(world) == {Report.MAGNETIC_FIELD}
    assert world.write(RESET, bytes(11), 4, LEVEL_4) == (0xD4, b"\x01")
    assert world.write(RESET, bytes(12), 4, "440045") == (0xD4, b"\x04")
    assert seen(world) == {Report.MAGNETIC_FIELD}
    assert world.ask(RESET).error is not None


@pytest.mark.parametrize("who", ["energy", "kernel", "communication"])
def test_the_word_outlives_a_kill(world, who):
    tell(world, "meter-cover", "open")
    world.advance(5)
    world.kill(who)
    world.advance(10)
    assert seen(world) == {Report.METER_COVER}
    assert read(world) == {Report.METER_COVER}
    world.advance(2)
    world.kill(who)
    world.advance(10)
    assert seen(world) == set()


def test_the_meter_never_speaks_first(world):
    set_mode(world, EVERYTHING)
    line, tcp = world.channel("line"), world.channel(TCP)
    tell(world, "meter-cover", "open")
    world.advance(300)
    assert (line.read(), tcp.read()) == (b"", b"")


def test_commands_and_programming_are_reported(world):
    set_mode(world, EVERYTHING)
    assert read(world) == {Report.PROGRAMMING}
    world.advance(2)
    assert world.write(0x04000103, wire("30"), 4, LEVEL_4) == (0x94, b"")  # the same session: no record more
    assert world.write(0x04000601, b"\x09", 4, LEVEL_4) == (0x94, b"")
    assert world.request(0x19, clear_data(4, LEVEL_4)) == (0x99, b"")
    assert world.request(0x1B, clear_data(2, LEVEL_2) + wire("0301FFFF")) == (0x9B, b"")
    world.advance(3)
    assert read(world) == {Report.ACTIVE_COMBINATION, Report.DEMAND_CLEAR, Report.EVENT_CLEAR}


def test_a_meter_clear_forgets_what_was_to_be_reported_and_is_reported(world):
    set_mode(world, EVERYTHING)
    tell(world, "meter-cover", "open")
    world.advance(5)
    assert world.request(0x1A, clear_data(2, LEVEL_2)) == (0x9A, b"")
    world.advance(3)
    assert seen(world) == {Report.METER_CLEAR}
    world.kill("kernel")
    world.await_ready()
    world.advance(3)
    assert seen(world) == {Report.METER_CLEAR}


def test_phases_and_the_relay(world):
    set_mode(world, EVERYTHING)
    read(world)
    for di in (0x04090202, 0x04090403):  # delays of under-voltage and phase failure
        assert world.write(di, wire("01"), 4, LEVEL_4) == (0x94, b"")
    world.set_power(300, voltage_v=(220, 150, 220))
    world.advance(5)
    order = b"\x1a\x00" + wire("991230235959")
    assert world.request(0x1C, clear_data(2, LEVEL_2) + order) == (0x9C, b"")
    world.advance(5)
    assert read(world) - {Report.PROGRAMMING} == {Report.UNDER_VOLTAGE + 16, Report.TRIP}
    world.advance(10)
    assert seen(world) == set()  # it lasts, and is not reported again


def test_a_power_down_is_reported_after_the_power_is_back(world):
    read(world)
    world.advance(65)
    world.cut_power_at_write(0)
    tell_all = []
    world.meter.ask(Control.CONTACT, 0, b"terminal-cover open", tell_all.append)
    world.advance(20)
    world.await_ready()
    world.advance(5)
    assert Report.POWER_DOWN in read(world)


@given(st.binary(max_size=40))
def test_saved_octets_that_are_none_are_forgotten(octets):
    reporting = Reporting()
    reporting.begin({"reporting": octets})
    assert len(reporting.look(STATUS, b"")) == 12


def test_what_was_programmed_while_nobody_wanted_to_know_is_not_reported_after_a_restart(world):
    set_mode(world, bytes(8))
    set_mode(world, EVERYTHING)  # the same session: one record, and it came before
    world.advance(65)
    world.kill("energy")
    world.advance(10)
    assert seen(world) == set()


@pytest.mark.parametrize(("saved", "is_news"), [({}, True), ({"demand maxima": b""}, False)])
def test_what_was_programmed_before_the_function_came_is_no_news(saved, is_news):
    """A state folder of a version without it is taken up."""
    reporting = Reporting()
    reporting.begin(saved)
    reporting._hear({0x03300000: b"\x05\x00\x00", 0x04001104: EVERYTHING})
    assert bool(reporting._raised) is is_news
    reporting._hear({0x03300000: b"\x06\x00\x00", 0x04001104: EVERYTHING})
    assert reporting._raised[-1].bit == Report.PROGRAMMING
