"""What an item looks like on the glass: one face for each part of it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from wattwheel.model.display_digits import (
    NO_VALUE,
    date_text,
    number_text,
    right_aligned,
    time_text,
)
from wattwheel.model.display_lists import DATE, TIME, DisplayParameters, Entry
from wattwheel.model.item import Item
from wattwheel.sdk import Decoded

ENERGY_UNITS = frozenset({"kWh", "kvarh", "kVAh"})
POWER_UNITS = frozenset({"kW", "kvar", "kVA"})
MOMENT_DIGITS = (10, 12)
"""YYMMDDhhmm and YYMMDDhhmmss."""
DATE_DIGITS, LOW_DIGITS = 6, 8


class Face(NamedTuple):
    """The value line, the unit behind it, and the same in words."""

    digits: str
    unit: str
    words: str


def face_of(item: Item, entry: Entry, value: Decoded | None, parameters: DisplayParameters) -> Face:
    """The part of `value` that `entry` names; dashes where there is none."""
    if value is not None:
        for part, face in enumerate(_faces(item, value, parameters)):
            if part == entry.part:
                return face
    return Face(NO_VALUE, item.unit if entry.part == 0 and "," not in item.unit else "", "no value")


def _faces(item: Item, value: Decoded, parameters: DisplayParameters) -> Iterator[Face]:
    if value.parts is not None:
        for part in value.parts:
            yield from _faces(item, part, parameters)
    elif value.number is not None:
        yield _number_face(value.number, value.decimals, value.unit, parameters)
    elif value.value is None:
        yield Face(NO_VALUE, value.unit, "no value")
    else:
        yield from _text_faces(item, str(value.value), value.di == item.di_text and item.layout == "")


def _number_face(number: int, decimals: int, unit: str, parameters: DisplayParameters) -> Face:
    wanted = decimals
    if unit in ENERGY_UNITS:
        wanted = parameters.energy_decimals
    elif unit in POWER_UNITS:
        wanted = parameters.demand_decimals
    text = number_text(number, decimals, wanted)
    return Face(right_aligned(text), unit, f"{text.rstrip('_.')} {unit}".rstrip())


def _text_faces(item: Item, text: str, is_whole: bool) -> Iterator[Face]:
    """Dates, times, moments (two faces), long digits (the low eight, then those above), and what letters can draw."""
    if item.di == DATE:
        yield _plain(date_text(text[:DATE_DIGITS]))
    elif item.di == TIME:
        yield _plain(time_text(text))
    elif text.isdecimal() and len(text) in MOMENT_DIGITS and (not is_whole or item.picture.startswith("YY")):
        yield _plain(date_text(text[:DATE_DIGITS]))
        yield _plain(time_text(text[DATE_DIGITS:]))
    elif text.isdecimal() and len(text) > LOW_DIGITS:
        yield _plain(text[-LOW_DIGITS:])
        yield _plain(text[:-LOW_DIGITS])
    else:
        yield _plain(_drawable(text))


def _plain(text: str) -> Face:
    return Face(right_aligned(text), "", text)


def _drawable(text: str) -> str:
    """`text` in the case that seven segments can draw: hex digits above all."""
    return text.translate(str.maketrans("BDacefghijlpsRTNOQ", "bdACEFGHIJLPSrtnoq")) if text else text
