"""Plug events of the management module: by its contact, and by the serial number of what is behind it."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest
from tests.apps.test_contacts import tell
from tests.apps.test_meter_clear import LEVEL_2, clear_data

from wattwheel.apps.module_plug import PLUG_DI
from wattwheel.model.plug_records import PlugEvent
from wattwheel.model.private_items import MODULE_PLUG_DI
from wattwheel.testing.world import World, simulated_settings

FIRST, SECOND = "0123456789abcdef", "FEDCBA9876543210"
NONE = "ff" * 8


@pytest.fixture
def world():
    usual = simulated_settings()
    own = msgspec.structs.replace(usual.dlt645, password_level_2=LEVEL_2)
    world = World(7, settings=msgspec.structs.replace(usual, dlt645=own))
    world.await_ready()
    return world


def records(world: World) -> list[tuple[str, str, int]]:
    """Old and new number and kind of all records, the oldest first."""
    found = [world.ask(PLUG_DI + place).check() for place in range(1, world.read(PLUG_DI) + 1)]
    assert {len(record) for record in found} <= {23}
    return [(record[13:5:-1].hex(), record[21:13:-1].hex(), record[22]) for record in found][::-1]


def test_by_contact(world):
    assert (world.read(PLUG_DI), world.ask(PLUG_DI + 1).error) == (0, 2)
    assert tell(world, "security-element", FIRST) == 0
    world.advance(30)
    assert tell(world, "module-plug", "removed") == 0
    at = world.clock.calendar()
    assert tell(world, "module-plug", "removed") == 0  # said twice, done once
    assert tell(world, "module-plug", "inserted") == 0
    assert records(world) == [(FIRST, NONE, PlugEvent.REMOVED), (FIRST, FIRST, PlugEvent.INSERTED)]
    told = datetime.strptime(world.ask(PLUG_DI + 2).check()[5::-1].hex(), "%y%m%d%H%M%S").replace(tzinfo=UTC)
    assert abs((told - at).total_seconds()) <= 3


def test_by_serial_number(world):
    assert tell(world, "security-element", FIRST) == 0
    assert records(world) == []  # nothing was remembered to compare it with
    assert tell(world, "security-element", FIRST) == 0
    assert records(world) == []
    assert tell(world, "security-element", SECOND) == 0
    assert records(world) == [(FIRST, SECOND.lower(), PlugEvent.EXCHANGED)]
    assert tell(world, "security-element", FIRST) == 0
    assert len(records(world)) == 2


def test_exchanged_while_it_was_out(world):
    tell(world, "security-element", FIRST)
    tell(world, "module-plug", "removed")
    tell(world, "security-element", SECOND)
    tell(world, "module-plug", "inserted")
    assert [kind for *_, kind in records(world)] == [PlugEvent.REMOVED, PlugEvent.EXCHANGED, PlugEvent.INSERTED]


def test_what_was_told_outlives_a_kill_at_once_and_the_number_a_meter_clear(world):
    tell(world, "security-element", FIRST)
    tell(world, "module-plug", "removed")
    world.kill("energy")
    world.advance(10)
    assert records(world) == [(FIRST, NONE, PlugEvent.REMOVED)]
    assert world.request(0x1A, clear_data(2, LEVEL_2)) == (0x9A, b"")
    assert world.read(PLUG_DI) == 0
    world.kill("kernel")
    world.advance(10)
    tell(world, "security-element", SECOND)
    assert records(world) == [(FIRST, SECOND.lower(), PlugEvent.EXCHANGED)]


@pytest.mark.parametrize("write", range(8))
def test_a_cut_leaves_the_record_or_none(world, write):
    tell(world, "security-element", FIRST)
    world.cut_power_at_write(write)
    replies = []
    world.meter.ask(0x43, MODULE_PLUG_DI, f"security-element {SECOND}".encode(), replies.append)
    world.advance(1)
    was_told = bool(replies) and replies[0] is not None and not replies[0].error
    world.advance(20)
    world.await_ready()
    assert world.read(PLUG_DI) in ((1,) if was_told else (0, 1))
