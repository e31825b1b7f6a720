"""Plug events of the management module: recorded by the metering core, told over the core link, each exactly once."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from tests.apps.test_contacts import tell
from tests.apps.test_energy_tariffs import wire
from tests.apps.test_meter_clear import LEVEL_2, LEVEL_4, clear_data
from tests.apps.test_module_plug import FIRST, NONE, SECOND, records

from wattwheel.apps.module_plug import PLUG_DI
from wattwheel.boot.sim_board import SimBoard
from wattwheel.drivers.sim.plug import SimPlug
from wattwheel.model.plug_records import PlugEvent
from wattwheel.testing.world import KERNEL, METERING_CORE, NO_FAULTS, ROUGH, World, simulated_settings

REMOVED, INSERTED, EXCHANGED = PlugEvent
ALL = [(FIRST, NONE, REMOVED), (FIRST, SECOND.lower(), EXCHANGED), (SECOND.lower(), SECOND.lower(), INSERTED)]
STEPS = ("removed", SECOND, "inserted")
CLEARED = (0x9A, b"")


def made(seed=7, faults=NO_FAULTS):
    usual = simulated_settings()
    replace = msgspec.structs.replace
    own = replace(usual.dlt645, password_level_2=LEVEL_2, password_level_4=LEVEL_4, programming_key=False)
    world = World(seed, settings=replace(usual, dlt645=own), faults=faults)
    world.await_ready()
    world.meter.core.plug.move(FIRST)
    world.advance(3)
    return world


def times(world):
    """Of all records as UTC, the oldest first."""
    offset = timedelta(minutes=world.meter.settings.clock.utc_offset_minutes)
    found = [world.ask(PLUG_DI + place).check()[5::-1].hex() for place in range(world.read(PLUG_DI), 0, -1)]
    return [datetime.strptime(each, "%y%m%d%H%M%S").replace(tzinfo=UTC) - offset for each in found]


@pytest.mark.parametrize("operations", range(24))
@pytest.mark.parametrize("name", [METERING_CORE, "metering", "energy", "store"])
def test_each_once_whoever_dies_at_whatever_point(name, operations):
    world = made()
    world.kill_within(name, operations)
    for step in STEPS:
        world.meter.core.plug.move(step)
        world.advance(0.4)
    world.advance(20)
    assert records(world) == ALL
    for each in (METERING_CORE, KERNEL):
        world.kill(each)
        world.advance(10)
    assert records(world) == ALL


@pytest.mark.parametrize("write", range(12))
def test_each_once_over_a_cut_at_whatever_write(write):
    world = made()
    world.cut_power_at_write(write)
    for step in STEPS:
        world.meter.core.plug.move(step)
        world.advance(0.4)
    world.advance(5)
    world.await_ready()
    world.advance(3)
    assert world.meter.disk.cut_at_write is None or write > 4
    assert records(world) == ALL
    world.meter.lose_power()
    world.meter.power_up()
    world.await_ready()
    world.advance(3)
    assert records(world) == ALL


@pytest.mark.parametrize("seed", range(8))
def test_each_once_over_a_rough_link_and_deaths(seed):
    world, chance = made(seed, ROUGH), random.Random(seed)
    expected = []
    for turn in range(9):
        step = STEPS[turn % 3] if turn % 6 < 3 else ("removed", FIRST, "inserted")[turn % 3]
        world.meter.core.plug.move(step)
        world.advance(chance.choice((0.01, 0.5, 2.0)))
        world.kill(chance.choice((METERING_CORE, "metering", "energy", KERNEL, "bus", "store")))
        world.advance(chance.choice((0.01, 0.5, 2.0)))
    world.quiet()
    world.advance(30)
    back = [(old, new, kind) for old, new, kind in ALL]
    first = [(SECOND.lower(), NONE, REMOVED), (SECOND.lower(), FIRST, EXCHANGED), (FIRST, FIRST, INSERTED)]
    expected = [*back, *first, *back]
    assert records(world) == expected


@pytest.mark.parametrize("hours", [-3, 3])
def test_after_the_clock_was_set_the_time_is_the_new_one(hours):
    world = made()
    offset = timedelta(minutes=world.meter.settings.clock.utc_offset_minutes)
    set_to = world.clock.calendar() + timedelta(hours=hours)
    local = set_to + offset
    digits = f"{local:%y%m%d}{local.isoweekday() % 7:02d}{local:%H%M%S}"
    assert world.write(0x0400010C, wire(digits), 4, LEVEL_4)[0] == 0x94
    world.advance(2)
    world.meter.core.plug.move("removed")
    world.advance(1)
    (time,) = times(world)
    assert abs(time - set_to) <= timedelta(seconds=4)


def test_without_the_management_module_the_core_records_at_the_right_time():
    world = made()
    SimBoard.lose_power(world.meter)  # it is out, or does not run; the metering core goes on
    world.advance(100)
    at = [world.clock.calendar()]
    world.meter.core.plug.move("removed")
    world.advance(500)
    world.kill(METERING_CORE)
    world.advance(50)
    at.append(world.clock.calendar())
    world.meter.core.plug.move("inserted")
    world.advance(100)
    SimBoard.power_up(world.meter)
    world.await_ready()
    world.advance(3)
    assert [kind for *_, kind in records(world)] == [REMOVED, INSERTED]
    assert all(abs(found - told) <= timedelta(seconds=1) for found, told in zip(times(world), at, strict=True))


@pytest.mark.parametrize("has_clock", [True, False])
def test_while_the_supply_is_off_the_board_notes_it_with_the_time_of_the_meter(has_clock):
    world = made()
    if not has_clock:
        world.meter.core.plug = SimPlug()
        world.kill(METERING_CORE)
        world.advance(1)
        world.meter.core.plug.move(FIRST)
    later = world.clock.calendar() + timedelta(minutes=world.meter.settings.clock.utc_offset_minutes, hours=3)
    digits = f"{later:%y%m%d}{later.isoweekday() % 7:02d}{later:%H%M%S}"
    assert world.write(0x0400010C, wire(digits), 4, LEVEL_4) == (0x94, b"")
    world.advance(700)  # the core asks for the calendar every 10 minutes
    off = world.clock.calendar()
    world.meter.lose_power()
    world.advance(3600)
    at = [world.clock.calendar()]
    world.meter.core.plug.move("removed")
    world.advance(1800)
    at.append(world.clock.calendar())
    world.meter.core.plug.move("inserted")
    world.advance(600)
    world.meter.power_up()
    world.await_ready()
    world.advance(3)
    assert [kind for *_, kind in records(world)] == [REMOVED, INSERTED]
    expected = at if has_clock else [off, off]  # it is as late as it was when the core knew it last
    for found, told in zip(times(world), expected, strict=True):
        assert abs(found - told - timedelta(hours=3)) <= timedelta(seconds=2 if has_clock else 25)


def test_clearing_forgets_what_was_and_nothing_that_comes():
    world = made()
    assert tell(world, "module-plug", "removed") == 0
    assert tell(world, "module-plug", "inserted") == 0
    assert world.request(0x1A, clear_data(2, LEVEL_2)) == CLEARED
    for each in (METERING_CORE, "metering", "energy", KERNEL):
        world.kill(each)
        world.advance(10)
        assert world.read(PLUG_DI) == 0
    world.meter.core.kill()
    world.meter.core.plug.move("removed")
    assert world.request(0x1A, clear_data(2, LEVEL_2)) == CLEARED  # before the core has told it
    world.advance(3)
    assert records(world) == [(FIRST, NONE, REMOVED)]


def test_more_than_the_core_keeps_while_nobody_heard_are_counted():
    world = made()
    tell(world, "module-plug", "removed")
    SimBoard.lose_power(world.meter)
    for _ in range(12):
        world.meter.core.plug.move("inserted")
        world.meter.core.plug.move("removed")
        world.advance(1)
    SimBoard.power_up(world.meter)
    world.await_ready()
    world.advance(3)
    assert world.read(PLUG_DI) == 25
    found = [world.ask(PLUG_DI + place).check()[22] for place in range(1, 11)]
    assert found == [REMOVED, INSERTED] * 5
    assert world.ask(PLUG_DI + 11).error == 2


def test_a_move_is_answered_when_it_is_on_the_medium_and_refused_where_nobody_records_it():
    world = made()
    assert tell(world, "module-plug", "removed") == 0
    world.meter.core.lose_power()
    world.meter.core.start()
    world.advance(2)
    assert records(world) == [(FIRST, NONE, REMOVED)]
    world.meter.core.is_held_down = True
    world.kill(METERING_CORE)
    assert tell(world, "module-plug", "inserted") != 0
    assert tell(world, "meter-cover", "open") == 0
    for words in ("module-plug ajar", "meter-cover open", "security-element 00"):
        replies = []
        world.meter.ask(0x43, 0x0E400001, words.encode(), replies.append)
        assert world.advance_until(lambda replies=replies: bool(replies), 2.0)
        assert replies[0].error
    for name in ("energy", KERNEL):
        world.kill(name)
        world.advance(10)
        assert records(world) == [(FIRST, NONE, REMOVED)]  # a core that is silent has told them before
