"""Factory mode: once in a meter's life, and clears in it with an open cover leave no record."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from tests.apps.test_contacts import tell
from tests.apps.test_energy_tariffs import POWER_W, wire
from tests.apps.test_meter_clear import LEVEL_2, LEVEL_4, clear_data

from wattwheel.apex.messages import Control
from wattwheel.model.authority import Authority, Limits, Verdict, is_born, is_in_factory, judge
from wattwheel.testing.world import World, simulated_settings

CLEARS, PROGRAMMING, COVER = 0x03300100, 0x03300000, 0x03300D00
CLEARED = (0x9A, b"")
NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)


def meter(days: int) -> World:
    usual = simulated_settings()
    replace = msgspec.structs.replace
    settings = replace(
        usual,
        dlt645=replace(usual.dlt645, password_level_2=LEVEL_2, password_level_4=LEVEL_4, programming_key=False),
        meter=replace(usual.meter, factory_days=days),
    )
    world = World(13, settings=settings)
    world.set_power(POWER_W)
    world.await_ready()
    world.advance(3)
    return world


def commission(world: World) -> bytes:
    replies = []
    world.meter.ask(Control.COMMISSION, 0, b"", replies.append)
    assert world.advance_until(lambda: bool(replies), 2.0)
    assert not replies[0].error
    return replies[0].data


def clear(world: World) -> int:
    """Clear the meter; how many clears are recorded then."""
    assert world.request(0x1A, clear_data(2, LEVEL_2)) == CLEARED
    world.advance(2)
    return world.read(CLEARS)


def test_a_clear_in_factory_mode_with_an_open_cover_empties_all_and_leaves_no_record():
    world = meter(days=3)
    assert world.write(0x04000103, wire("30"), 4, LEVEL_4) == (0x94, b"")
    tell(world, "meter-cover", "open")
    world.advance(5)
    assert world.read("import_active_energy") > 0
    world.set_power(0)
    world.advance(3)
    assert clear(world) == 0
    assert world.ask(CLEARS + 1).error == 2
    assert [world.read(di) for di in (PROGRAMMING, COVER, "import_active_energy")] == [0, 0, 0]
    assert world.write(0x04000104, wire("03"), 4, LEVEL_4) == (0x94, b"")
    world.advance(700)
    assert clear(world) == 0
    assert world.read(PROGRAMMING) == 0  # the second one is followed too, though nothing was counted


def test_with_the_cover_closed_it_is_recorded_as_always():
    world = meter(days=3)
    assert clear(world) == 1


def test_commissioning_ends_it_for_good():
    world = meter(days=31)
    tell(world, "meter-cover", "open")
    assert clear(world) == 0
    assert commission(world) == b"\1"
    assert clear(world) == 1
    for name in world.names:
        world.kill(name)
    world.advance(10)
    assert clear(world) == 2
    assert commission(world) == b"\0"  # once more does no harm
    assert clear(world) == 3


def test_a_meter_that_was_ever_without_it_never_has_it():
    """The settings of a later start cannot bring it back."""
    world = meter(days=0)
    tell(world, "meter-cover", "open")
    assert clear(world) == 1
    for partition in world.meter.module.partitions.values():
        own = msgspec.json.decode(partition.config.settings)
        if partition.config.name == "security":
            partition.config = msgspec.structs.replace(
                partition.config, settings=msgspec.json.encode({**own, "factory_days": 31})
            )
    world.kill("security")
    world.advance(10)
    assert clear(world) == 2


def test_it_ends_by_itself_and_a_clock_that_is_set_back_does_not_bring_it_back():
    world = meter(days=1)
    tell(world, "meter-cover", "open")
    assert clear(world) == 0
    later = world.clock.calendar() + timedelta(days=2)
    assert world.write(0x0400010C, wire(f"{later:%y%m%d}{later.isoweekday() % 7:02d}{later:%H%M%S}"), 4, LEVEL_4)
    world.advance(65)
    assert clear(world) == 1
    back = later - timedelta(days=2)
    assert world.write(0x0400010C, wire(f"{back:%y%m%d}{back.isoweekday() % 7:02d}{back:%H%M%S}"), 4, LEVEL_4)
    world.advance(65)
    assert clear(world) == 2


def test_wrong_passwords_count_only_afterwards():
    world = meter(days=3)
    for _ in range(5):
        assert world.write(0x04000103, wire("30"), 4, "000000") == (0xD4, b"\x04")
    assert world.write(0x04000103, wire("30"), 4, LEVEL_4) == (0x94, b"")
    commission(world)
    for _ in range(3):
        assert world.write(0x04000103, wire("15"), 4, "000000") == (0xD4, b"\x04")
    assert world.write(0x04000103, wire("15"), 4, LEVEL_4) == (0xD4, b"\x04")


@pytest.mark.parametrize(
    ("authority", "hours", "is_in"),
    [
        (Authority(), 0, False),
        (Authority(factory_since=NOON), 0, True),
        (Authority(factory_since=NOON), 47, True),
        (Authority(factory_since=NOON), 48, False),
        (Authority(factory_since=NOON), -1, False),
        (Authority(factory_since=NOON, is_commissioned=True), 1, False),
    ],
)
def test_when_a_meter_is_in_it(authority, hours, is_in):
    assert is_in_factory(authority, NOON + timedelta(hours=hours), 2) is is_in


@pytest.mark.parametrize(("is_new", "days", "begins"), [(True, 3, True), (True, 0, False), (False, 3, False)])
def test_only_a_meter_of_which_nothing_was_saved_begins_in_it(is_new, days, begins):
    """What an older version has saved knows nothing of it, and is no new meter."""
    authority = Authority()
    assert is_born(authority, is_new, NOON, days) is begins
    assert is_in_factory(authority, NOON, 3) is begins


def test_attempts_that_do_not_count_leave_no_trace():
    authority = Authority(passwords={4: b"\x44\x00\x44"})
    for _ in range(300):
        assert judge(authority, 4, b"\0\0\0", 4, NOON, Limits(key=False, counts=False)) is Verdict.WRONG
    assert judge(authority, 4, b"\x44\x00\x44", 4, NOON, Limits(key=False)) is Verdict.GRANTED
    assert (authority.locks, authority.refused) == ({}, 0)
