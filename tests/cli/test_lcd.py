"""`wattwheel lcd`: printed once, and as a panel that is driven without a terminal."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import pytest

from wattwheel.boot import control
from wattwheel.cli.main import main
from wattwheel.model.display import BLANK, EVERY_SEGMENT, Lcd
from wattwheel.model.errors import NotAnswered

SHOWN = Lcd(digits="  1234.56", di="00010000", index="02", unit="kWh", symbols=("ua",), title="energy: 1234.56 kWh")


@pytest.fixture
def shown(monkeypatch):
    monkeypatch.setattr(control, "ask_display", lambda state: SHOWN)


def test_once_prints_the_glass_and_its_words(shown, capsys):
    assert main(["lcd", "--once"]) == 0
    out = capsys.readouterr().out
    assert out.endswith("energy: 1234.56 kWh\n")
    assert "00010000 02  Ua" in out
    assert "kWh" in out
    assert "█" in out


def test_once_as_json(shown, capsys):
    assert main(["lcd", "--once", "--json"]) == 0
    out = capsys.readouterr().out
    assert '"digits": "  1234.56"' in out
    assert '"symbols": ["ua"]' in " ".join(out.split()).replace("[ ", "[").replace(" ]", "]")


def test_json_without_once_is_no_use(shown, capsys):
    assert main(["lcd", "--json"]) == 2
    assert "--once" in capsys.readouterr().err


def test_no_meter(tmp_path, capsys):
    assert main(["lcd", "--once", "--state", str(tmp_path)]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_without_the_extra_it_says_what_to_install(shown, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "textual", None)
    monkeypatch.setattr("wattwheel.cli.lcd.find_spec", lambda name: None)
    assert main(["lcd"]) == 2
    err = capsys.readouterr().err
    assert "uv sync --extra tui" in err
    assert "--once" in err
    assert err.count("\n") == 1


def test_without_a_terminal_it_says_what_else_to_do(shown, capsys):
    assert main(["lcd"]) == 2
    assert capsys.readouterr().err == (
        "wattwheel: the panel needs a terminal; print the display with: wattwheel lcd --once\n"
    )


# -- the panel

pytest_needs_textual = pytest.mark.needs("textual")


class Meter:
    """What a panel talks to."""

    def __init__(self) -> None:
        self.shown = SHOWN
        self.pressed: list[tuple[str, float]] = []
        self.is_gone = False

    def look(self) -> Lcd:
        if self.is_gone:
            raise NotAnswered("/state: no meter runs on this state folder")
        return self.shown

    def press(self, button: str, held_s: float) -> None:
        self.look()
        self.pressed.append((button, held_s))


def drive(steps: Callable[[Any, Any, Meter], Any], size: tuple[int, int] = (80, 24)) -> None:
    from wattwheel.cli.lcd_panel import Panel

    async def run() -> None:
        meter = Meter()
        panel = Panel(meter.look, meter.press)
        async with panel.run_test(size=size) as pilot:
            assert panel.looking is not None
            panel.looking.pause()  # only these steps look
            await steps(panel, pilot, meter)

    asyncio.run(run())


def text_of(panel: Any, name: str) -> str:
    return str(panel.query_one(name).render())


@pytest_needs_textual
def test_the_panel_shows_the_glass_its_words_and_four_buttons():
    async def steps(panel, pilot, meter):
        assert "00010000 02  Ua" in text_of(panel, "#glass")
        assert text_of(panel, "#title") == "energy: 1234.56 kWh"
        meter.shown = EVERY_SEGMENT
        await panel.refresh_glass()
        assert "88888888 88  Ua Ub Uc" in text_of(panel, "#glass")
        for button in panel.query("Button"):
            assert panel.screen.region.contains_region(button.region), button.id
        assert panel.screen.region.contains_region(panel.query_one("#glass").region)
        assert len(panel.query("Button")) == 4

    drive(steps)


@pytest_needs_textual
def test_keys_and_clicks_press_the_meter_s_buttons():
    async def steps(panel, pilot, meter):
        await pilot.press("up", "down", "b", "p")
        await pilot.click("#down")
        await pilot.click("#program")
        await pilot.pause()
        assert [name for name, _ in meter.pressed] == ["up", "down", "both", "program", "down", "program"]
        assert {held_s for _, held_s in meter.pressed} == {0}

    drive(steps)


@pytest_needs_textual
def test_the_next_press_lasts_as_long_as_was_chosen():
    async def steps(panel, pilot, meter):
        await pilot.press("h")
        assert text_of(panel, "#note") == "The next press lasts 3 s."
        await pilot.press("down", "h", "h")
        assert text_of(panel, "#note") == "The next press lasts 5 s."
        await pilot.press("down", "down")
        await pilot.press("h", "h", "h", "down")
        assert meter.pressed == [("down", 3), ("down", 5), ("down", 0), ("down", 0)]

    drive(steps)


@pytest_needs_textual
def test_what_blinks_changes_with_each_look_and_the_light_colours_the_glass():
    from wattwheel.cli.lcd_panel import picture

    async def steps(panel, pilot, meter):
        meter.shown = Lcd(digits="", symbols=("ub",), blinking=("ub",))
        await panel.refresh_glass()
        seen = [panel.query_one("#glass").render().spans]
        for _ in range(2):
            await panel.refresh_glass()
            seen.append(panel.query_one("#glass").render().spans)
        assert seen[0] == seen[2] != seen[1]

    drive(steps)
    lit, unlit, dark = (picture(lcd, True) for lcd in (EVERY_SEGMENT, Lcd(digits="8"), BLANK))
    grounds = {str(text.spans[0].style.bgcolor) for text in (lit, unlit, dark)}
    assert len(grounds) == 3


@pytest_needs_textual
def test_a_meter_that_goes_leaves_no_old_value_and_comes_back():
    async def steps(panel, pilot, meter):
        meter.is_gone = True
        await panel.refresh_glass()
        assert "00010000" not in text_of(panel, "#glass")
        assert "no meter runs" in text_of(panel, "#note")
        await pilot.press("down")
        assert meter.pressed == []
        meter.is_gone = False
        await panel.refresh_glass()
        assert "00010000" in text_of(panel, "#glass")
        assert text_of(panel, "#note") == ""

    drive(steps)
