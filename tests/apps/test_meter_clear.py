"""The meter clear (1AH): decided by one commit, with a record of what was there before, whatever dies."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from tests.apps.test_energy_tariffs import CENTI, FOUR_TARIFFS, POWER_W, numbers, write

from wattwheel.model.errors import NotAnswered
from wattwheel.testing.world import World, simulated_settings

LEVEL_2, LEVEL_4 = "220022", "440044"
OPERATOR = bytes.fromhex("12345678")
CLEARS, RECORD = 0x03300100, 0x03300101
BEFORE_MIDNIGHT = datetime(2026, 6, 30, 23, 59, 30, tzinfo=UTC)


def clear_data(level: int, password: str) -> bytes:
    return bytes((level,)) + bytes.fromhex(password)[::-1] + OPERATOR


@pytest.fixture
def world():
    settings = simulated_settings()
    own = msgspec.structs.replace(settings.dlt645, password_level_2=LEVEL_2, password_level_4=LEVEL_4)
    world = World(5, settings=msgspec.structs.replace(settings, dlt645=own), calendar=BEFORE_MIDNIGHT)
    world.set_power(POWER_W)
    world.await_ready()
    write(world, FOUR_TARIFFS)
    world.advance(60)  # over the end of a settlement period
    return world


def test_it_empties_registers_and_periods_and_keeps_parameters_and_a_record(world):
    assert world.read(CLEARS) == 0
    world.set_power(0)
    world.advance(3)
    before = world.read("import_active_energy")
    phases = [numbers(world.ask(di << 16).check())[0] for di in (0x15, 0x29, 0x3D)]
    assert before > 500
    assert min(phases) > 0
    assert world.ask(0x00010001).error is None
    assert world.request(0x1A, clear_data(2, LEVEL_2)) == (0x9A, b"")
    at = world.clock.calendar()
    for di in (0x00010000, 0x00010100, 0x00010400, 0x00150000, 0x003D0000, 0x00000000):
        assert world.read(di) == 0
    assert world.ask(0x00010001).error == 2
    assert world.read(0x04000204) == 4
    assert world.read(CLEARS) == 1
    record = world.ask(RECORD).check()
    assert len(record) == 106
    told = datetime.strptime(record[5::-1].hex(), "%y%m%d%H%M%S").replace(tzinfo=UTC)
    assert timedelta(0) <= at - told < timedelta(seconds=3)
    assert record[6:10] == OPERATOR
    energies = numbers(record[10:])
    assert energies[0] == before
    assert [energies[place] for place in (6, 12, 18)] == phases
    world.set_power(POWER_W)
    world.advance(10)
    assert 0 < world.read("import_active_energy") < before


def test_it_needs_level_2(world):
    assert world.request(0x1A, clear_data(4, LEVEL_4)) == (0xDA, b"\x04")
    assert world.request(0x1A, clear_data(2, LEVEL_4)) == (0xDA, b"\x04")
    assert world.read("import_active_energy") > 500
    assert world.read(CLEARS) == 0


@pytest.mark.parametrize("write", range(12))
def test_cut_at_every_write_it_is_complete_or_not_begun(world, write):
    world.advance(1)
    before = world.read("import_active_energy")
    world.cut_power_at_write(write)
    try:
        reply = world.request(0x1A, clear_data(2, LEVEL_2))
    except NotAnswered:
        reply = None
    cuts = world.power_cuts
    world.advance(20)
    world.await_ready()
    is_clear = world.read(CLEARS) == 1
    assert is_clear or reply is None or reply[0] == 0xDA
    now = world.read("import_active_energy")
    assert (now < before) is is_clear
    assert (world.ask(0x00010001).error == 2) is is_clear
    assert (world.read(0x00150000) * 3 < before) is is_clear
    assert cuts <= 1
    assert now * CENTI <= world.true_microjoule()


def test_the_register_after_it_is_exactly_what_has_flowed_since(world):
    world.set_power(0)
    world.advance(3)
    flowed = world.true_microjoule()
    assert world.request(0x1A, clear_data(2, LEVEL_2)) == (0x9A, b"")
    world.set_power(POWER_W)
    world.advance(30)
    world.set_power(0)
    world.kill("energy")
    world.advance(5)
    assert world.read("import_active_energy") == (world.true_microjoule() - flowed) // CENTI


def test_what_comes_before_the_next_push_finds_the_meter_clear(world):
    """A freeze takes the empty registers, and a second clear records them."""
    assert world.read("import_active_energy") > 500
    assert world.request(0x1A, clear_data(2, LEVEL_2)) == (0x9A, b"")
    assert world.request(0x16, b"\x99" * 4) == (0x96, b"")
    assert world.request(0x1A, clear_data(2, LEVEL_2)) == (0x9A, b"")
    assert world.read(CLEARS) == 2
    assert numbers(world.ask(RECORD).check()[10:]) == [0] * 24
    assert max(numbers(world.ask(RECORD + 1).check()[10:])) > 500
    assert world.request(0x16, b"\x99" * 4) == (0x96, b"")
    assert set(numbers(world.ask(0x05010101).check())) == {0}


def test_a_clock_that_is_set_right_after_it_settles_nothing(world):
    assert world.request(0x1A, clear_data(2, LEVEL_2)) == (0x9A, b"")
    write(world, {0x0400010C: "26081506120000"})
    world.advance(5)
    assert world.ask(0x00010001).error == 2
