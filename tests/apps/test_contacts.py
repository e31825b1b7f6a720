"""Covers of the case: a record each opening, with the registers at both ends, whatever dies."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest
from tests.apps.test_energy_tariffs import POWER_W, numbers

from wattwheel.apex.messages import Control
from wattwheel.testing.world import World, simulated_settings

METER_COVER, TERMINAL_COVER = 0x03300D00, 0x03300E00
CLEAR = bytes((2,)) + bytes.fromhex("220022")[::-1] + b"OPER"


@pytest.fixture
def world():
    settings = simulated_settings()
    own = msgspec.structs.replace(settings.dlt645, password_level_2="220022")
    world = World(6, settings=msgspec.structs.replace(settings, dlt645=own))
    world.set_power(POWER_W, reactive_var=(1e6, -2e6, 0))
    world.await_ready()
    return world


def tell(world: World, contact: str, state: str) -> int:
    replies = []
    world.meter.ask(Control.CONTACT, 0, f"{contact} {state}".encode(), replies.append)
    assert world.advance_until(lambda: bool(replies), 2.0)
    return replies[0].error


def times(record: bytes) -> list[datetime | None]:
    ends = record[:6], record[6:12]
    return [
        datetime.strptime(end[::-1].hex(), "%y%m%d%H%M%S").replace(tzinfo=UTC) if any(end) else None for end in ends
    ]


def test_an_opening_is_recorded_from_begin_to_end(world):
    assert world.read(METER_COVER) == 0
    assert world.ask(METER_COVER + 1).error == 2
    opened_at = world.clock.calendar()
    assert tell(world, "meter-cover", "open") == 0
    world.advance(5)
    assert world.read(METER_COVER) == 1
    record = world.ask(METER_COVER + 1).check()
    assert len(record) == 60
    begin, end = times(record)
    assert 0 <= (begin - opened_at).total_seconds() <= 3
    assert end is None
    assert numbers(record[12:])[6:] == [0] * 6
    world.advance(60)
    assert tell(world, "meter-cover", "closed") == 0
    world.advance(5)
    record = world.ask(METER_COVER + 1).check()
    assert times(record)[0] == begin
    assert 60 <= (times(record)[1] - begin).total_seconds() <= 68
    energies = numbers(record[12:])
    assert 50_000 < energies[6] - energies[0] < 80_000  # 36 MW for a minute and a little
    assert energies[7] == energies[1] == 0
    assert world.read(METER_COVER) == 1
    assert world.read(TERMINAL_COVER) == 0


def test_what_lasts_less_than_a_second_is_no_opening(world):
    assert tell(world, "terminal-cover", "open") == 0
    world.advance(0.3)
    assert tell(world, "terminal-cover", "closed") == 0
    world.advance(5)
    assert world.read(TERMINAL_COVER) == 0


def test_ten_records_are_kept_and_all_are_counted(world):
    for _ in range(12):
        for state in ("open", "closed"):
            assert tell(world, "terminal-cover", state) == 0
            world.advance(4)
    assert world.read(TERMINAL_COVER) == 12
    begins = [times(world.ask(TERMINAL_COVER + place).check())[0] for place in range(1, 11)]
    assert begins == sorted(begins, reverse=True)
    assert len(set(begins)) == 10
    assert world.ask(TERMINAL_COVER + 11).error == 2


@pytest.mark.parametrize("tenth", range(10))
def test_a_look_that_finds_it_open_for_less_than_a_second_is_none(world, tenth):
    """Wherever it lies between the looks, which are a second apart: some of these are seen once."""
    world.advance(tenth / 10)
    assert tell(world, "terminal-cover", "open") == 0
    world.advance(0.6)
    assert tell(world, "terminal-cover", "closed") == 0
    world.advance(5)
    assert world.read(TERMINAL_COVER) == 0


def test_what_was_told_outlives_a_kill_at_once(world):
    assert tell(world, "meter-cover", "open") == 0
    world.kill("energy")
    world.advance(10)
    assert world.read(METER_COVER) == 1


@pytest.mark.parametrize("write", range(10))
def test_a_cut_leaves_what_the_contact_said_or_what_it_said_before(world, write):
    world.cut_power_at_write(write)
    replies = []
    world.meter.ask(Control.CONTACT, 0, b"meter-cover open", replies.append)
    world.advance(1)
    was_told = bool(replies) and replies[0] is not None and not replies[0].error
    world.advance(20)
    world.await_ready()
    assert world.read(METER_COVER) in ((1,) if was_told else (0, 1))


def test_meter_clear_and_kill(world):
    tell(world, "meter-cover", "open")
    world.advance(5)
    world.kill("energy")
    world.advance(5)
    assert world.read(METER_COVER) == 1
    assert world.request(0x1A, CLEAR) == (0x9A, b"")
    assert world.read(METER_COVER) == 0
    world.advance(5)
    assert world.read(METER_COVER) == 0  # the opening that lasts was recorded, and that record is gone
    tell(world, "meter-cover", "closed")
    world.advance(5)
    assert world.ask(METER_COVER + 1).error == 2


@pytest.mark.parametrize("told", [b"", b"meter-cover", b"meter-cover ajar", b"window open", b"\xff open"])
def test_what_is_no_contact_is_refused(world, told):
    replies = []
    world.meter.ask(Control.CONTACT, 0, told, replies.append)
    assert world.advance_until(lambda: bool(replies), 2.0)
    assert replies[0].error == 1
