"""The glass of the display in characters: every cell of a terminal is two pixels of a seven-segment place. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import NamedTuple

from wattwheel.model.display import LCD_DIGITS, Lcd
from wattwheel.model.display_digits import SEGMENTS, cells


class Ink(IntEnum):
    """What a pixel shows: nothing, a segment that is off, one that is on."""

    NONE = 0
    OFF = 1
    ON = 2


class Cell(NamedTuple):
    """One character with the ink of its upper and lower half; a letter has the same in both."""

    character: str
    upper: Ink
    lower: Ink


PLACE_COLUMNS, PLACE_ROWS = 9, 14
"""Pixels of a place: seven columns of segments, one of points, one between the places."""
MARGIN, UNIT_COLUMNS = 1, 6
COLUMNS = LCD_DIGITS * PLACE_COLUMNS + UNIT_COLUMNS + 2 * MARGIN
"""Characters of a line: the places, and the unit behind them. 80, as wide as the narrowest terminal."""

_BARS = {
    "a": (range(1, 6), range(2)),
    "b": (range(5, 7), range(1, 7)),
    "c": (range(5, 7), range(7, 13)),
    "d": (range(1, 6), range(12, 14)),
    "e": (range(2), range(7, 13)),
    "f": (range(2), range(1, 7)),
    "g": (range(1, 6), range(6, 8)),
}
"""Columns and rows of each segment."""
_POINT_COLUMN, _POINT_ROWS, _COLON_ROWS = 7, range(12, 14), range(3, 5)

_TOP = (
    *(("quadrant_1", "I"), ("quadrant_2", "II"), ("quadrant_3", "III"), ("quadrant_4", "IV")),
    *(("tariff", "T{tariff:>2}"), ("step", "L{step:>2}")),
    *(("time_set_1", "(1)"), ("time_set_2", "(2)"), ("price_set_1", "[1]"), ("price_set_2", "[2]")),
    *(("signal_1", "▁"), ("signal_2", "▃"), ("signal_3", "▅"), ("signal_4", "▇")),
    *(("traffic", "COM"), ("telephone", "TEL"), ("channel_1", "CH1"), ("channel_2", "CH2")),
    *(("program", "PRG"), ("test_key", "KEY")),
)
_MIDDLE = (
    *(("ua", "Ua"), ("ub", "Ub"), ("uc", "Uc"), ("ia_reverse", "-"), ("ia", "Ia"), ("ib_reverse", "-"), ("ib", "Ib")),
    *(("ic_reverse", "-"), ("ic", "Ic"), ("phase_sequence", "SEQ"), ("suspended", "LOCK"), ("alarm", "ALARM")),
    *(("relay_open", "OPEN"), ("clock_battery", "B1"), ("reading_battery", "B2")),
)
_BOTTOM = (
    *(("card_reading", "READING CARD"), ("success", "SUCCESS"), ("fail", "FAIL"), ("purchase_needed", "PLEASE BUY")),
    *(("overdraft", "OVERDRAFT"), ("hoarding", "OVER LIMIT")),
)
_TOGETHER = frozenset({"signal_2", "signal_3", "signal_4", "ia", "ib", "ic"})
"""Symbols that stand close behind the one before them."""


def glass(lcd: Lcd, is_blink_on: bool = True) -> list[list[Cell]]:
    """The lines of the glass; `is_blink_on`: what blinks is on now."""
    on = set(lcd.symbols) - (set() if is_blink_on else set(lcd.blinking))
    lines = [
        _line(_labels(_TOP, on, lcd)),
        *_places(lcd),
        _line([*_text(f"{lcd.di:8} {lcd.index:2}  ", Ink.ON), *_labels(_MIDDLE, on, lcd)]),
        _line(_labels(_BOTTOM, on, lcd)),
    ]
    blank = _line([])
    return [lines[0], blank, *lines[1:-2], blank, *lines[-2:]]


def plain(lcd: Lcd) -> str:
    """The glass without colours: only what is on."""
    return "\n".join("".join(map(_plain, line)).rstrip() for line in glass(lcd))


def _plain(cell: Cell) -> str:
    halves = cell.upper is Ink.ON, cell.lower is Ink.ON
    if cell.character in "▀▄█":
        return {(True, True): "█", (True, False): "▀", (False, True): "▄"}.get(halves, " ")
    return cell.character if all(halves) else " "


def _labels(labels: Sequence[tuple[str, str]], on: set[str], lcd: Lcd) -> list[Cell]:
    found: list[Cell] = []
    for name, label in labels:
        text = label.format(tariff=lcd.tariff, step=lcd.step)
        found += _text(text if name in _TOGETHER or not found else f" {text}", Ink.ON if name in on else Ink.OFF)
    return found


def _text(text: str, ink: Ink) -> list[Cell]:
    return [Cell(character, ink, ink) for character in text]


def _line(found: Iterable[Cell]) -> list[Cell]:
    """`found` between the margins of the glass."""
    blank = Cell(" ", Ink.NONE, Ink.NONE)
    line = [blank] * MARGIN + list(found)
    return line + [blank] * (COLUMNS - len(line))


def _places(lcd: Lcd) -> list[list[Cell]]:
    pixels = [[Ink.NONE] * (LCD_DIGITS * PLACE_COLUMNS) for _ in range(PLACE_ROWS)]
    for place, (character, mark) in enumerate(cells(lcd.digits)):
        left = place * PLACE_COLUMNS
        on = SEGMENTS.get(character, "g")
        for segment, (columns, rows) in _BARS.items():
            _fill(pixels, left, columns, rows, segment in on)
        point = range(_POINT_COLUMN, _POINT_COLUMN + 1)
        _fill(pixels, left, point, _POINT_ROWS, bool(mark))
        _fill(pixels, left, point, _COLON_ROWS, mark == ":")
    lines = [
        [_cell(upper, lower) for upper, lower in zip(pixels[row], pixels[row + 1], strict=True)]
        for row in range(0, PLACE_ROWS, 2)
    ]
    head, slash, rest = lcd.unit.partition("/")
    lines[-2 if slash else -1] += _text(head[:UNIT_COLUMNS], Ink.ON)
    lines[-1] += _text(f"{slash}{rest}"[:UNIT_COLUMNS], Ink.ON)
    return [_line(line) for line in lines]


def _fill(pixels: list[list[Ink]], left: int, columns: range, rows: range, is_on: bool) -> None:
    for row in rows:
        for column in columns:
            pixels[row][left + column] = max(pixels[row][left + column], Ink.ON if is_on else Ink.OFF)


def _cell(upper: Ink, lower: Ink) -> Cell:
    if upper is lower:
        return Cell(" " if upper is Ink.NONE else "█", upper, lower)
    return Cell("▄" if upper is Ink.NONE else "▀", upper, lower)
