"""The display: which screen is on, what stands on eight digits, and how the buttons work."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattwheel.apps.display import (
    HOLD_S,
    LAMP_TEST_S,
    SCREENS,
    SHOW_S,
    Cycle,
    DisplaySettings,
    clock_text,
    digits_of,
    live_symbols,
)
from wattwheel.model.catalogue import item_2007
from wattwheel.model.display import LCD_DIGITS, LCD_SYMBOLS, Lcd
from wattwheel.model.records import ElementReading, EnergyTotals, Momentary, Quality, Readings
from wattwheel.testing.world import World


def ticked(cycle: Cycle, seconds: int) -> Cycle:
    for _ in range(seconds):
        cycle.tick()
    return cycle


def test_it_walks_through_all_screens_and_begins_again():
    cycle, seen = Cycle(4), []
    for _ in range(5 * SHOW_S):
        seen.append(cycle.at)
        cycle.tick()
    assert seen == [0] * SHOW_S + [1] * SHOW_S + [2] * SHOW_S + [3] * SHOW_S + [0] * SHOW_S


@pytest.mark.parametrize(
    ("button", "is_long", "expected"), [("up", False, 1), ("up", True, 0), ("down", False, 3), ("down", True, 3)]
)
def test_buttons_step_and_held_long_go_to_the_ends(button, is_long, expected):
    cycle = Cycle(4)
    cycle.press(button, is_long)
    assert cycle.at == expected
    assert cycle.is_lit


def test_a_pressed_screen_stays_a_minute_and_the_light_goes_off():
    cycle = Cycle(4)
    cycle.press("up", False)
    ticked(cycle, HOLD_S - 1)
    assert (cycle.at, cycle.is_lit) == (1, True)
    ticked(cycle, SHOW_S)
    assert (cycle.at, cycle.is_lit) == (2, False)


def test_both_buttons_light_every_segment_for_some_seconds():
    cycle = Cycle(4)
    cycle.press("both", False)
    assert cycle.is_lamp_test
    assert cycle.at == 0
    assert not ticked(cycle, LAMP_TEST_S).is_lamp_test


@given(st.lists(st.tuples(st.sampled_from(["up", "down", "both", "program", ""]), st.booleans()), max_size=50))
def test_no_sequence_of_presses_leaves_the_screens(presses):
    cycle = Cycle(len(SCREENS))
    for button, is_long in presses:
        cycle.press(button, is_long)
        cycle.tick()
        assert 0 <= cycle.at < cycle.length


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("0.00", "     0.00"),
        ("123456.78", "123456.78"),
        ("-12.34", "   -12.34"),
        ("1234567.89", "-" * 8),
        ("", " " * 8),
    ],
)
def test_a_text_stands_on_the_right(text, digits):
    assert digits_of(text) == digits


@given(st.text("0123456789.:-", max_size=12))
def test_never_more_than_eight_places(text):
    shown = digits_of(text)
    assert len(shown.replace(".", "").replace(":", "")) == LCD_DIGITS


def test_dates_and_times_as_the_glass_shows_them():
    assert clock_text(0x04000101, "26112005") == "26.11.20"
    assert clock_text(0x04000102, "123456") == "12:34:56"
    assert clock_text(0x00010000, "123456") == "123456"


def test_every_screen_is_an_item_that_can_be_read():
    for di in SCREENS:
        assert item_2007(di).read


def readings(total=(0, 0), a=(0, 0, 0), b=(0, 0, 0), c=(0, 0, 0), quality=Quality.VALID, is_reversed=False):
    """Total (mW, mvar), phases (mV, uA, mW)."""
    elements = (
        ElementReading(active_power_milliwatt=total[0], reactive_power_millivar=total[1]),
        *(ElementReading(*phase) for phase in (a, b, c)),
    )
    return Readings(0, 0.0, quality, EnergyTotals(1, (0,) * 24), Momentary(elements, sequence_reversed=is_reversed))


LIVE = (220_000, 5_000_000, 1_100_000)
LIMITS = DisplaySettings(interrupted_millivolt=11_000, starting_microampere=20_000)
SYMBOLS = {
    "all phases, import, lagging": (
        readings((3, 1), LIVE, LIVE, LIVE), {"ua", "ub", "uc", "ia", "ib", "ic", "quadrant_1"},
    ),
    "phase b broken": (readings((3, -1), LIVE, (10_999, 0, 0), LIVE), {"ua", "uc", "ia", "ic", "quadrant_4"}),
    "no load": (readings((0, 0), *[(220_000, 19_999, 0)] * 3), {"ua", "ub", "uc"}),
    "c backwards": (
        readings((1, 0), LIVE, LIVE, (220_000, 20_000, -1)),
        {"ua", "ub", "uc", "ia", "ib", "ic", "ic_reverse", "quadrant_1"},
    ),
    "export, lagging": (readings((-1, 1)), {"quadrant_2"}),
    "export, leading": (readings((-1, -1)), {"quadrant_3"}),
    "turned round": (readings(is_reversed=True), {"phase_sequence"}),
    "stale": (readings((3, 1), LIVE, LIVE, LIVE, Quality.STALE, True), set()),
    "nothing yet": (None, set()),
}  # fmt: skip


@pytest.mark.parametrize(("found", "symbols"), SYMBOLS.values(), ids=SYMBOLS)
def test_symbols_say_what_is_true_now(found, symbols):
    assert set(live_symbols(found, LIMITS)) == symbols <= set(LCD_SYMBOLS)


# -- in a meter


@pytest.fixture
def world():
    world = World(4)
    world.set_power(36e3)
    world.await_ready()
    return world


def face(world: World) -> Lcd:
    return msgspec.json.decode(world.published("display"), type=Lcd)


def test_it_shows_what_a_head_end_reads(world):
    seen = {}
    for _ in range(len(SCREENS) * SHOW_S):
        world.advance(1)
        shown = face(world)
        seen[int(shown.di, 16)] = shown
    assert set(seen) == set(SCREENS)
    assert seen[0x02010100].digits.strip() == "220.0"
    assert seen[0x02010100].unit == "V"
    assert seen[0x02800002].digits.strip() == "50.00"
    assert all(shown.digits.strip("-") for shown in seen.values())
    energy = seen[0x00010000]
    assert energy.title.startswith("current total forward active energy: ")
    assert energy.index == "01"
    assert {"ua", "ub", "uc", "ia", "ib", "ic", "tariff_1"} <= set(energy.symbols)


def test_buttons_reach_it_over_the_bus(world):
    world.advance(1.5)
    before = face(world)
    assert world.press("up")
    world.advance(0.1)
    assert face(world).index == f"{int(before.index) + 1:02d}"
    assert face(world).lit
    assert world.press("both")
    world.advance(0.1)
    assert face(world).digits == "8.8.8.8.8.8.8.8."
    assert face(world).symbols == LCD_SYMBOLS
    world.advance(LAMP_TEST_S + 1)
    assert face(world).digits != "8.8.8.8.8.8.8.8."
    assert world.press("down", is_long=True)
    world.advance(0.1)
    assert face(world).index == f"{len(SCREENS):02d}"


def test_the_programming_button_shows_for_240_minutes(world):
    assert world.press("program")
    world.advance(2)
    assert "program" in face(world).symbols
    assert world.press("program")
    world.advance(2)
    assert "program" not in face(world).symbols


def test_a_value_that_nobody_has_is_dashes(world):
    world.meter.core.is_held_down = True
    world.kill("metering_core")
    world.advance(20)
    for _ in range(len(SCREENS) * SHOW_S):
        world.advance(1)
        if face(world).di == "02010100":
            break
    assert face(world).digits == "-" * LCD_DIGITS
    assert face(world).title.endswith(": no value")


def test_it_comes_back_after_a_kill(world):
    world.advance(30)
    world.kill("display")
    world.advance(1.5)
    assert face(world).index == "01"
    assert world.meter.crashes == []
