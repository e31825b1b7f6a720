"""Who may change a meter: asked through its real doors in a simulated world, over deaths and cuts of the supply."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from wattwheel.apex.wheel import Wheel
from wattwheel.model.authority import REFUSED_A_DAY_MAX
from wattwheel.model.panel_state import panel_state_of
from wattwheel.services.security import KEY_BIT
from wattwheel.testing.world import World, simulated_settings

SUPPLY = "supply"
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
LEVEL_2, LEVEL_4 = "220022", "440044"
DI = 0x04FF0001  # nobody's
REFUSED, UNKNOWN, CHANGED = (0xD4, b"\x04"), (0xD4, b"\x02"), 0x98


def meter(**options) -> World:
    settings = simulated_settings()
    own = {"password_level_2": LEVEL_2, "password_level_4": LEVEL_4, "programming_key": True} | options
    settings = msgspec.structs.replace(settings, dlt645=msgspec.structs.replace(settings.dlt645, **own))
    world = World(8, settings=settings, calendar=NOON)
    world.await_ready()
    return world


@pytest.fixture
def world():
    world = meter()
    assert world.press("program")
    return world


def attempt(world: World, password: str = LEVEL_4, level: int = 4):
    """UNKNOWN: it was allowed, and nobody has such an item."""
    return world.write(DI, b"\x00", level, password)


def change(world: World, level: int, password: str, changed: int, new: str):
    di = (0x04000C01 + changed).to_bytes(4, "little")
    old = bytes((level,)) + bytes.fromhex(password)[::-1]
    return world.request(0x18, di + old + bytes((changed,)) + bytes.fromhex(new)[::-1])


def security(world: World) -> dict[str, int]:
    world.advance(1.5)
    return world.counters()["security"]


def count(world: World, name: str) -> int:
    return security(world)[name]


def is_open(world: World) -> bool:
    return panel_state_of(world.published("panel")).programming_key


def is_suspended(world: World) -> bool:
    return panel_state_of(world.published("panel")).is_suspended


def test_without_a_password_in_the_settings_nothing_is_allowed():
    world = meter(password_level_2="", password_level_4="")
    assert world.press("program")
    for level, password in ((4, LEVEL_4), (4, "000000"), (2, "111111"), (0, "000000")):
        assert attempt(world, password, level) == REFUSED
    assert count(world, "level_unknown") == 4


def test_a_password_of_the_level_or_a_higher_one_is_needed(world):
    assert attempt(world) == UNKNOWN
    assert attempt(world, LEVEL_2, 2) == UNKNOWN
    assert attempt(world, LEVEL_2, 4) == REFUSED
    assert attempt(world, LEVEL_4, 0x98) == REFUSED
    assert world.meter.crashes == []


def test_nothing_goes_without_the_key_unless_the_settings_say_so():
    world = meter()
    assert attempt(world) == REFUSED
    assert world.press("program", held_s=3)
    assert attempt(world) == UNKNOWN
    assert world.press("program")
    assert attempt(world) == REFUSED
    assert attempt(meter(programming_key=False)) == UNKNOWN


def test_the_key_is_active_for_240_minutes_also_over_deaths_and_a_cut_of_the_supply(world):
    assert is_open(world)
    world.kill("security")
    world.advance(3)
    world.cut_power_at_write(0)
    world.advance(70)
    assert world.power_cuts == 1
    assert is_open(world)
    assert attempt(world) == UNKNOWN
    world.clock.step_calendar(240 * 60 - 90)
    world.advance(30)
    assert attempt(world) == REFUSED
    world.advance(61)
    assert not is_open(world)


@pytest.mark.parametrize("pulled", [None, "security", "store", "kernel"])
def test_three_wrong_ones_lock_whatever_is_killed_between_them(world, pulled):
    for _ in range(3):
        assert attempt(world, "440045") == REFUSED
        if pulled:
            world.kill(pulled)
            world.advance(3)
    assert attempt(world) == REFUSED
    assert count(world, "level_locked") == 1
    assert attempt(world, LEVEL_2, 2) == UNKNOWN
    world.clock.step_calendar(24 * 3600)
    assert world.press("program")
    assert attempt(world) == UNKNOWN


def test_tries_and_length_of_the_lock_are_settings():
    world = meter(password_tries=1, password_lock_min=10, programming_key=False)
    assert attempt(world, "440045") == REFUSED
    assert attempt(world) == REFUSED
    world.clock.step_calendar(600)
    assert attempt(world) == UNKNOWN


def test_the_panel_tells_that_too_many_attempts_ended_the_day(world):
    for _ in range(REFUSED_A_DAY_MAX - 1):
        assert attempt(world, level=7) == REFUSED
    assert not is_suspended(world)
    assert attempt(world, level=7) == REFUSED
    assert is_suspended(world)
    world.kill("security")
    world.advance(3)
    assert is_suspended(world)
    world.clock.step_calendar(12 * 3600)
    world.advance(61)
    assert not is_suspended(world)


def test_pressing_the_key_again_and_again_leaves_one_look_to_come(world, monkeypatch):
    looks = []
    post_at = Wheel.post_at
    monkeypatch.setattr(Wheel, "post_at", lambda own, at_ns, bit: (looks.append(bit), post_at(own, at_ns, bit)))
    for _ in range(41):
        assert world.press("program")
    assert not is_open(world)
    assert world.press("program")
    world.advance(600)
    assert is_open(world)
    assert looks.count(KEY_BIT) <= 12


def test_a_changed_password_counts_at_once_and_after_a_restart(world):
    assert change(world, 4, LEVEL_4, 4, "123456") == (CHANGED, b"\x04\x56\x34\x12")
    for _ in range(2):
        assert attempt(world) == REFUSED
        assert attempt(world, "123456") == UNKNOWN
        world.kill("kernel")
        world.advance(3)


def test_who_may_change_which(world):
    refused, other = (0xD8, b"\x04"), (0xD8, b"\x01")
    assert change(world, 4, LEVEL_4, 2, "123456") == refused
    assert change(world, 2, LEVEL_2, 4, "123456")[0] == CHANGED
    assert change(world, 2, LEVEL_2, 7, "777777")[0] == CHANGED
    assert attempt(world, "777777", 7) == REFUSED
    assert change(world, 2, LEVEL_2, 10, "123456") == other
    old = b"\x02" + bytes.fromhex(LEVEL_2)[::-1]
    assert world.request(0x18, bytes.fromhex("050c0004") + old + bytes.fromhex("04aa0000")) == other  # no digits
    assert world.request(0x18, bytes.fromhex("030c0004") + old + bytes.fromhex("04112233")) == other  # level 2's item
    assert world.request(0x18, bytes.fromhex("050c0004") + bytes(4) + bytes.fromhex("04aa0000")) == refused


def test_a_change_of_password_is_old_or_new_whatever_dies_in_the_middle_of_it():
    outcomes = set()
    for victim in ("security", "store", "communication", "bus", SUPPLY):
        for operations in range(14):
            world = meter(programming_key=False)
            if victim == SUPPLY:
                world.cut_power_at_write(operations)
            else:
                world.kill_within(victim, operations)
            reply = change(world, 4, LEVEL_4, 4, "123456")
            world.quiet()
            world.advance(4)
            old, new = attempt(world) == UNKNOWN, attempt(world, "123456") == UNKNOWN
            assert old != new, f"{victim} after {operations}: {old} {new}"
            assert new or reply is None or reply[0] != CHANGED, f"{victim} after {operations}: confirmed and lost"
            assert world.meter.crashes == []
            outcomes.add((reply is not None and reply[0] == CHANGED, new))
    assert {(True, True), (False, False)} <= outcomes


def test_nothing_is_confirmed_before_it_is_on_the_medium():
    world = meter(programming_key=False)
    world.advance(2)
    world.kill("store")
    confirmed = change(world, 4, LEVEL_4, 4, "123456") == (CHANGED, b"\x04\x56\x34\x12")
    world.kill("kernel")
    world.advance(4)
    assert attempt(world, "123456") == UNKNOWN or not confirmed


def test_a_password_that_the_medium_did_not_take_does_not_count():
    world = meter(programming_key=False)
    world.advance(2)
    world.meter.disk.is_full = True
    for _ in range(2):
        assert change(world, 4, LEVEL_4, 4, "123456") == (0xD8, b"\x01")
        assert attempt(world, "123456") == (0xD4, b"\x01")  # whatever it is, it cannot be noted
    world.meter.disk.is_full = False
    world.advance(12)
    assert attempt(world, "123456") == REFUSED
    assert attempt(world) == UNKNOWN
    assert "passwords_changed" not in security(world)
    assert change(world, 4, LEVEL_4, 4, "654321")[0] == CHANGED
    for _ in range(2):
        assert attempt(world, "654321") == UNKNOWN
        world.kill("kernel")
        world.advance(3)
    assert attempt(world, "654321") == UNKNOWN
