"""Plug events of the management module: by its contact, and by the serial number of what is behind it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.apps.test_contacts import tell
from tests.apps.test_meter_clear import LEVEL_2, clear_data

from wattwheel.apps.module_plug import PLUG_DI, Plug, plug_of
from wattwheel.model.contacts import NO_SERIAL
from wattwheel.model.event_ring import EventRing
from wattwheel.model.plug_records import PlugEvent, PlugRecord, PlugRecords
from wattwheel.model.private_items import MODULE_PLUG_DI
from wattwheel.testing.world import World, simulated_settings

FIRST, SECOND = "0123456789abcdef", "FEDCBA9876543210"
NONE = "ff" * 8
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


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


@given(
    st.lists(
        st.one_of(
            st.integers(1, 14),  # so many new events
            st.sampled_from(("told", "cleared", "another memory", "has lost its newest")),
        ),
        max_size=20,
    )
)
def test_each_record_of_the_core_is_taken_once_and_cleared_for_good(steps):
    told, plug, number, epoch = PlugRecords(), Plug(), 0, 7
    waiting, expected, count = [], [], 0
    for step in steps:
        if isinstance(step, int):
            for _ in range(step):
                number += 1
                record = PlugRecord(number, NO_SERIAL, NO_SERIAL, PlugEvent.REMOVED)
                told = told.added(record, epoch)
                waiting = [*waiting, number]
        elif step == "cleared":
            plug, expected, count = Plug(plug.epoch, plug.taken, EventRing()), [], 0
        elif step == "another memory":
            if not waiting:
                told, epoch = PlugRecords(), epoch + 1
        elif step == "has lost its newest" and not waiting and told.count > 10:
            told = PlugRecords(told.epoch, told.count - 1, told.records[1:] + told.records[:1])
            plug = plug.heard(told, 0)
        if step == "told":
            plug = plug.heard(told, 60)
            count, expected, waiting = count + len(waiting), [*expected, *waiting], []
            assert plug.heard(told, 60) is plug
    plug = plug.heard(told, 60)
    count, expected = count + len(waiting), [*expected, *waiting]
    assert plug.ring.count == count
    newest = [EPOCH + timedelta(seconds=60 + each) for each in expected[::-1]]
    shown = [datetime.strptime(each[5::-1].hex(), "%y%m%d%H%M%S").replace(tzinfo=UTC) for each in plug.ring.records]
    assert shown == newest[: len(shown)]
    assert len(shown) == min(10, count)


def test_what_a_version_before_has_recorded_stays():
    ring = EventRing().added(b"x" * 23)
    assert plug_of(msgspec.msgpack.encode((True, b"serial", ring))) == Plug(ring=ring)
    kept = Plug(5, 6, ring)
    assert plug_of(msgspec.msgpack.encode(kept)) == kept
    assert plug_of(b"") == plug_of(b"\xc1") == Plug()
