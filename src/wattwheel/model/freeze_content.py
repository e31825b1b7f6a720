"""What a freeze holds: kinds, depths, content words, items and blocks as octets on the wire (DL/T 645-2007, 05xxxxxx).

Pure. An item is named by its DI1; what its content word left out is not there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum

from wattwheel.model.bcd import signed, unsigned
from wattwheel.model.energy_items import Words, register_view, tariff_items
from wattwheel.model.momentary_items import rounded
from wattwheel.model.records import Momentary


class FreezeKind(IntEnum):
    """DI2 of the eight kinds."""

    TIMED = 0
    INSTANT = 1
    ZONE_SETS = 2
    DAY_TABLE_SETS = 3
    HOURLY = 4
    PRICE_SETS = 5
    DAILY = 6
    STEP_SETS = 7


DEPTHS = {
    FreezeKind.TIMED: 60,
    FreezeKind.INSTANT: 3,
    FreezeKind.ZONE_SETS: 2,
    FreezeKind.DAY_TABLE_SETS: 2,
    FreezeKind.HOURLY: 254,
    FreezeKind.PRICE_SETS: 2,
    FreezeKind.DAILY: 62,
    FreezeKind.STEP_SETS: 2,
}
"""How many entries of each kind are kept."""

CONTENT_WORDS = {
    FreezeKind.TIMED: 0x04000902,
    FreezeKind.INSTANT: 0x04000903,
    FreezeKind.ZONE_SETS: 0x04000904,
    FreezeKind.DAY_TABLE_SETS: 0x04000904,
    FreezeKind.HOURLY: 0x04000905,
    FreezeKind.PRICE_SETS: 0x04000904,
    FreezeKind.DAILY: 0x04000906,
    FreezeKind.STEP_SETS: 0x04000904,
}
ALL_CONTENT = 0xFF
"""A content word that nobody knows; of an hourly entry that is 03, for it has no other parts."""

TIME, VARIABLES, BLOCK = 0x00, 0x10, 0xFF
DEMAND_OF_ITEM = {0x09: 0x0101FF00, 0x0A: 0x0102FF00}
"""The running maximum demands, total and tariffs, that become the items."""

ENERGY_OCTETS, DEMAND_OCTETS, POWER_OCTETS = 4, 8, 3
SEPARATOR = b"\xaa"
NOT_AVAILABLE = b"\xff"

_ITEMS_OF_BIT = ((0x01,), (0x02,), (0x03,), (0x04,), (0x05, 0x06, 0x07, 0x08), (0x09,), (0x0A,), (VARIABLES,))
_SIGNED_ENERGIES = (0x03, 0x04)
_PARTS = (*range(0x01, 0x0B), VARIABLES)
_HOURLY_PARTS = (0x01, 0x02)
_VARIABLES_OCTETS = 8 * POWER_OCTETS
_MILLIWATT_PER_DIGIT = 100


def chosen(kind: FreezeKind, word: int) -> list[int]:
    """The items of an entry of `kind` whose content word is `word`."""
    parts = parts_of(kind)
    return [item for bit, items in enumerate(_ITEMS_OF_BIT) if word >> bit & 1 for item in items if item in parts]


def parts_of(kind: FreezeKind) -> Sequence[int]:
    """The items that a block of `kind` has places for, behind the time."""
    return _HOURLY_PARTS if kind is FreezeKind.HOURLY else _PARTS


def frozen_energies(shares: Sequence[Sequence[int]], words: Words, tariffs: int) -> dict[int, bytes]:
    """Items 01 to 08: total and each of `tariffs` of active, combined reactive and quadrant registers."""
    found = tariff_items(shares, words, tariffs)
    energies: dict[int, bytes] = {}
    for item in range(0x01, 0x09):
        column = found[item << 16 | 0xFF00]
        assert isinstance(column, tuple)
        encoded = signed if item in _SIGNED_ENERGIES else unsigned
        energies[item] = b"".join(encoded(value, ENERGY_OCTETS) for value in column)
    return energies


def frozen_totals(registers: Sequence[int], items: Sequence[int]) -> dict[int, bytes]:
    """`items` of an hourly entry, from the registers: forward and reverse active, the total alone."""
    views = {item: register_view(registers[item - 1]) for item in items}
    return {item: unsigned(view, ENERGY_OCTETS) for item, view in views.items()}


def frozen_demand(block: object, tariffs: int) -> bytes:
    """Item 09 or 0A from what a read of the demand block gives; FF octets where there is none."""
    octets = DEMAND_OCTETS * (1 + tariffs)
    return (block if isinstance(block, bytes) else b"")[:octets].ljust(octets, NOT_AVAILABLE)


def frozen_variables(momentary: Momentary | None) -> bytes:
    """Item 10: active power of total, A, B, C, then reactive; FF octets where there is none."""
    if momentary is None:
        return NOT_AVAILABLE * _VARIABLES_OCTETS
    active = [element.active_power_milliwatt for element in momentary.elements]
    reactive = [element.reactive_power_millivar for element in momentary.elements]
    digits = [None if value is None else rounded(value, _MILLIWATT_PER_DIGIT) for value in (*active, *reactive)]
    return b"".join(signed(value, POWER_OCTETS) for value in digits)


def freeze_block(kind: FreezeKind, time: bytes, items: Mapping[int, bytes]) -> bytes:
    """The whole entry: every part, an empty one too, is followed by AAH."""
    return SEPARATOR.join((time, *(items.get(part, b"") for part in parts_of(kind)), b""))
