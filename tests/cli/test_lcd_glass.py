"""The glass in characters."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattwheel.cli.lcd_glass import COLUMNS, Ink, glass, plain
from wattwheel.model.display import BLANK, EVERY_SEGMENT, LCD_SYMBOLS, Lcd
from wattwheel.model.display_digits import LETTERS, SEGMENTS, cells

LCD_JS = Path(__file__).parents[2] / "src/wattwheel/apps/web/static/lcd.js"


def on_cells(lcd: Lcd, is_blink_on: bool = True) -> set[tuple[int, int]]:
    lines = glass(lcd, is_blink_on)
    return {
        (row, column)
        for row, line in enumerate(lines)
        for column, cell in enumerate(line)
        if Ink.ON in (cell.upper, cell.lower) and cell.character != " "
    }


def test_page_and_terminal_draw_the_same_segments():
    table = re.search(r"const SEGMENTS = \{(.*?)\};", LCD_JS.read_text(), re.DOTALL)
    assert table is not None
    found = re.findall(r'(?:"(.)"|\b(\w)): "([a-g]*)"', table[1])
    assert {quoted or bare: segments for quoted, bare, segments in found} == SEGMENTS


def test_a_seven_and_a_point():
    lines = plain(Lcd(digits="7.1")).splitlines()
    places = [line[54:] for line in lines[2:9]]
    assert places == [
        "  █████▄       ▄▄",
        "      ██       ██",
        "      ██       ██",
        "      ██       ██",
        "      ██       ██",
        "      ██       ██",
        "      ▀▀█      ▀▀",
    ]


@pytest.mark.parametrize("character", sorted(LETTERS - {" "}))
def test_each_character_lights_its_segments_and_no_others(character):
    middles = {"a": (3, 0), "b": (5, 3), "c": (5, 10), "d": (3, 13), "e": (0, 10), "f": (0, 3), "g": (3, 7)}
    lines = glass(Lcd(digits=character))
    left = 1 + 7 * 9
    lit = set()
    for segment, (column, row) in middles.items():
        cell = lines[2 + row // 2][left + column]
        if (cell.lower if row % 2 else cell.upper) is Ink.ON:
            lit.add(segment)
    assert lit == set(SEGMENTS[character])


def test_marks_belong_to_the_place_before_them():
    assert cells("12.3")[-3:] == [("1", ""), ("2", "."), ("3", "")]
    assert cells("12:34:56")[-6:] == [("1", ""), ("2", ":"), ("3", ""), ("4", ":"), ("5", ""), ("6", "")]
    assert len(cells("")) == len(cells("123456789.1")) == 8
    point = on_cells(Lcd(digits="1.")) - on_cells(Lcd(digits="1"))
    colon = on_cells(Lcd(digits="1:")) - on_cells(Lcd(digits="1."))
    assert len(point) == 1
    assert len(colon) in (1, 2)


@pytest.mark.parametrize("name", LCD_SYMBOLS)
def test_each_symbol_is_seen_alone(name):
    empty = on_cells(Lcd(digits=""))
    own = on_cells(Lcd(digits="", symbols=(name,))) - empty
    assert own
    others = tuple(other for other in LCD_SYMBOLS if other != name)
    assert not own & on_cells(Lcd(digits="", symbols=others))


def test_what_blinks_is_off_half_of_the_time():
    lcd = Lcd(digits="", symbols=("ua", "ub"), blinking=("ub",))
    assert on_cells(lcd, False) == on_cells(Lcd(digits="", symbols=("ua",)))
    assert on_cells(lcd, True) == on_cells(Lcd(digits="", symbols=("ua", "ub")))


def test_numbers_identifier_index_and_unit():
    text = plain(
        Lcd(digits="1", di="00010000", index="02", unit="kWh", symbols=("tariff", "step"), tariff="12", step="3")
    )
    assert "T12 L 3" in text.splitlines()[0]
    assert text.splitlines()[10].split()[:2] == ["00010000", "02"]
    assert text.splitlines()[8].endswith(" kWh")
    lines = plain(Lcd(digits="1", unit="imp/kvarh")).splitlines()
    assert (lines[7][-3:], lines[8][-6:]) == ("imp", "/kvarh")


def test_nothing_is_on_without_supply():
    assert on_cells(BLANK) == set()
    assert plain(BLANK).strip() == ""


@given(st.text(max_size=20), st.text(max_size=9), st.text(max_size=12))
def test_every_line_is_as_wide_as_the_glass(digits, di, unit):
    for lcd in (EVERY_SEGMENT, Lcd(digits=digits, di=di[:8], unit=unit)):
        assert {len(line) for line in glass(lcd)} == {COLUMNS} == {80}
