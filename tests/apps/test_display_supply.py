"""The display of a meter whose voltages have gone, and its battery symbols and errors, in a whole simulated meter."""

from __future__ import annotations

import pytest
from tests.apps.test_cells import show
from tests.apps.test_contacts import tell
from tests.apps.test_display import UP_S, glass, meter, pressed, walked

from wattwheel.model.display import BLANK, EVERY_SEGMENT
from wattwheel.sdk.buttons import NEVER_LET_GO_S
from wattwheel.testing.world import World

STATUS_WORD_3 = 0x04000503
SOON_S = 8  # power-down is judged, and the display has asked for the status words


def lose_voltages(world: World) -> None:
    world.set_power(0, voltage_v=(0.0, 0.0, 0.0))
    world.advance(SOON_S)


@pytest.fixture
def world() -> World:
    world = meter()
    world.advance(UP_S)
    return world


def supply(world: World) -> int:
    return int.from_bytes(world.ask(STATUS_WORD_3).check(), "little") >> 1 & 3


def test_ds_07_without_voltages_it_is_dark_a_key_wakes_it_without_light_and_the_supply_is_a_power_up(world):
    assert supply(world) == 0
    lose_voltages(world)
    assert supply(world) == 2
    assert glass(world) == BLANK
    shown = pressed(world, "down")
    assert (shown.dark, shown.lit, shown.di) == (False, False, "00000000")
    seen = walked(world, 19)
    assert list(dict.fromkeys(each.di for each in seen)) == ["00000000", "00010000", "04000101", "04000102"]
    assert not any(each.lit for each in seen)
    world.advance(3)
    assert glass(world) == BLANK
    pressed(world, "down")
    assert pressed(world, "down").index == "01"
    world.advance(29)
    assert not glass(world).dark
    world.advance(2)
    assert glass(world) == BLANK
    world.set_power(3e3)
    world.advance(SOON_S)
    assert supply(world) == 0
    assert glass(world).digits == EVERY_SEGMENT.digits
    assert world.meter.crashes == []


def test_an_auxiliary_supply_feeds_the_display_until_it_is_lost_too():
    world = meter(has_auxiliary_supply=True)
    world.advance(UP_S)
    assert supply(world) == 0
    lose_voltages(world)
    assert supply(world) == 1
    shown = glass(world)
    assert (shown.dark, shown.lit) == (False, False)
    assert tell(world, "auxiliary-supply", "lost") == 0
    world.advance(SOON_S)
    assert supply(world) == 2
    assert glass(world).dark
    world.set_power(3e3)
    world.advance(SOON_S)
    assert supply(world) == 0
    assert tell(world, "auxiliary-supply", "present") == 0
    assert supply(world) == 0


def test_infrared_wakes_a_display_without_mains_for_one_pass_and_lights_one_with_mains(world):
    world.advance(70)
    assert not glass(world).lit
    assert pressed(world, "infrared").lit
    lose_voltages(world)
    assert glass(world) == BLANK
    shown = pressed(world, "infrared")
    assert (shown.dark, shown.lit, shown.di) == (False, False, "00000000")
    world.advance(1)
    assert not glass(world).dark
    world.advance(20)
    assert glass(world) == BLANK
    show(world, "reading-battery 3.00")
    world.advance(SOON_S)
    assert pressed(world, "infrared") == BLANK


def test_frames_wake_nothing_and_are_answered(world):
    lose_voltages(world)
    assert world.read("voltage_a") == 0
    world.advance(2)
    assert glass(world) == BLANK


@pytest.mark.parametrize(("volts", "is_dark"), [("4.70", False), ("3.00", True)])
def test_a_reading_battery_that_is_flat_wakes_nothing(world, volts, is_dark):
    assert show(world, f"reading-battery {volts}") == 0
    lose_voltages(world)
    shown = pressed(world, "down")
    assert shown.dark == is_dark
    assert ("reading_battery" in shown.symbols) != is_dark


def test_ds_08_a_stuck_key_wakes_it_ten_times_and_then_no_more(world):
    assert world.press("down", NEVER_LET_GO_S)
    lose_voltages(world)
    was_awake = False
    for _ in range(300):
        world.advance(1)
        was_awake |= not glass(world).dark
    assert was_awake
    assert all(each.dark for each in walked(world, 120))
    assert not pressed(world, "up").dark


def test_killing_any_partition_does_not_wake_it(world):
    lose_voltages(world)
    for name in ("energy", "metering", "communication"):
        world.kill(name)
        assert all(shown.dark for shown in walked(world, 15))


def test_a_low_clock_battery_is_an_error_and_a_symbol(world):
    assert show(world, "clock-battery 2.5") == 0
    world.advance(6)
    assert (glass(world).digits, "clock_battery" in glass(world).symbols) == ("Err-04", True)
    assert show(world, "clock-battery 3.6") == 0
    world.advance(6)
    assert not glass(world).digits.startswith("Err")
    assert "clock_battery" not in glass(world).symbols


def test_a_lost_clock_is_an_error_until_it_is_set(world):
    world.advance(25)  # until the metering core has forced registers to its medium: none of them is lost
    world.meter.lose_power()
    world._doors.clear()
    world.clock.step_calendar(-86_400.0 * 40)
    world.clock.advance(1)
    world.meter.power_up()
    world.await_ready()
    world.advance(UP_S)
    assert glass(world).digits == "Err-08"
    assert world.write(0x0400010C, bytes.fromhex("26112300120000")[::-1], 4, "440044") == (0x94, b"")
    world.advance(8)
    assert not glass(world).digits.startswith("Err")
