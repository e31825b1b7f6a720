"""What a display walks through: the auto-cycle list and the key-cycle list, and the parameters that say how.

An entry is the identifier of an item and which part of it is shown: a record such as a maximum demand has a value, a
date and a time. Written in four octets (DL/T 645-2007) an entry shows part 0; the filings add a fifth octet, the part.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from wattwheel.model.catalogue import item_2007
from wattwheel.model.energy_items import PRECISE_DI3
from wattwheel.model.errors import UnknownItem

AUTO_LIST, KEY_LIST = 0x04040100, 0x04040200
"""Identifier before the first entry of each list."""

ENTRIES_MAX = 99
"""Screens of a list: the counts are two digits."""

AUTO_COUNT, SCREEN_SECONDS, ENERGY_DECIMALS, DEMAND_DECIMALS = 0x04000301, 0x04000302, 0x04000303, 0x04000304
KEY_COUNT, TEST_SECONDS = 0x04000305, 0x04000308
DI_OCTETS = 4
STANDARD_DECIMALS = 2
"""Of the energies 00xxxxxx."""

DATE, TIME, ADDRESS = 0x04000101, 0x04000102, 0x04000401
VOLTAGE_LOSS, VOLTAGE_LOSS_A_RECORD = 0x03010000, 0x03010101


class Entry(NamedTuple):
    """One screen of a list: the item and the part of it."""

    di: int
    part: int = 0

    @property
    def octets(self) -> bytes:
        """As on the wire: four octets, five for another part than the first."""
        octets = self.di.to_bytes(DI_OCTETS, "little")
        return octets + bytes.fromhex(f"{self.part:02d}") if self.part else octets


class DisplayParameters(NamedTuple):
    """How the display behaves. Seconds; decimals of energies, and of demands and powers."""

    auto: tuple[Entry, ...]
    key: tuple[Entry, ...]
    screen_s: int = 5
    test_s: int = 5
    energy_decimals: int = 2
    demand_decimals: int = 4


def _with_tariffs(di: int) -> Iterable[int]:
    """A total and its first four tariffs."""
    return (di + 0x100 * tariff for tariff in range(5))


def _demand(di: int) -> Iterable[Entry]:
    """A maximum demand, its date and its time."""
    return (Entry(di, part) for part in range(3))


def _energies(period: int) -> Iterable[Entry]:
    """Totals, tariffs and maximum demands of a period, 0 for the running one."""
    for direction in (0x01, 0x02):
        yield from map(Entry, _with_tariffs(direction << 16 | period))
        yield from _demand(0x01 << 24 | direction << 16 | period)
    if period == 0:
        yield from (Entry(0x00030000), Entry(0x00040000))
    yield from (Entry(quantity << 16 | period) for quantity in range(0x05, 0x09))


DEFAULT_AUTO_LIST = tuple(map(Entry, (0x00000000, 0x00010000, DATE, TIME)))
"""Of a meter that is paid elsewhere."""

PREPAID_AUTO_LIST = tuple(map(Entry, (0x00900200, 0x00000000, 0x0280000B, DATE, TIME)))
"""Of a meter that keeps the money itself: what is left, energy, price, date and time. The step has a symbol."""

DEFAULT_KEY_LIST = (
    *map(Entry, (DATE, TIME, 0x00000000)),
    *_energies(0),
    *_energies(1),
    *(Entry(ADDRESS), Entry(ADDRESS, 1)),
    *map(Entry, (0x04000703, 0x04000409, 0x0400040A, 0x0280000A)),
    *(Entry(0x03300001), Entry(0x03300001, 1)),
    *(Entry(VOLTAGE_LOSS, part) for part in range(2)),
    *(Entry(VOLTAGE_LOSS_A_RECORD, part) for part in range(4)),
    *map(Entry, (0x02010100, 0x02010200, 0x02010300, 0x02020100, 0x02020200, 0x02020300)),
    *map(Entry, (0x02030000, 0x02040000, 0x02060000, 0x02800002)),
)
"""As one maker ships it, and the momentary values behind it."""

DEFAULTS = {
    AUTO_COUNT: f"{len(DEFAULT_AUTO_LIST):02d}",
    SCREEN_SECONDS: "05",
    ENERGY_DECIMALS: "02",
    DEMAND_DECIMALS: "04",
    KEY_COUNT: f"{len(DEFAULT_KEY_LIST):02d}",
    TEST_SECONDS: "05",
    **{AUTO_LIST + at: entry.octets[::-1].hex() for at, entry in enumerate(DEFAULT_AUTO_LIST, 1)},
    **{KEY_LIST + at: entry.octets[::-1].hex() for at, entry in enumerate(DEFAULT_KEY_LIST, 1)},
}
"""The parameters of a display to which nothing has been written: digits, the highest first."""


def is_entry(di: int) -> bool:
    """Whether the parameter `di` is an entry of a list."""
    return di & ~0xFF in (AUTO_LIST, KEY_LIST) and 0x01 <= di & 0xFF <= 0xFE


def entry_of(octets: bytes) -> Entry | None:
    """The entry that `octets` are, None for none: a torn one, or an item that the register table does not have."""
    if len(octets) not in (DI_OCTETS, DI_OCTETS + 1):
        return None
    di = int.from_bytes(octets[:DI_OCTETS], "little")
    part = octets[DI_OCTETS:].hex() or "0"
    try:
        return Entry(di, int(part)) if part.isdecimal() and item_2007(di).read else None
    except UnknownItem:
        return None


def parameters_of(parameters: Mapping[int, bytes]) -> DisplayParameters:
    """The display's parameters out of the meter's; the defaults for what is missing or no number."""
    default = DisplayParameters(DEFAULT_AUTO_LIST, DEFAULT_KEY_LIST)
    return DisplayParameters(
        _entries(parameters, AUTO_COUNT, AUTO_LIST) or default.auto,
        _entries(parameters, KEY_COUNT, KEY_LIST) or default.key,
        max(1, _number(parameters, SCREEN_SECONDS, default.screen_s)),
        _number(parameters, TEST_SECONDS, default.test_s),
        _number(parameters, ENERGY_DECIMALS, default.energy_decimals),
        _number(parameters, DEMAND_DECIMALS, default.demand_decimals),
    )


def source_of(di: int, parameters: DisplayParameters) -> int:
    """The item that is asked for what is shown of `di`: an energy with four decimals where more than two are shown."""
    precise = PRECISE_DI3 << 24 | di
    if di >> 24 or parameters.energy_decimals <= STANDARD_DECIMALS:
        return di
    try:
        return item_2007(precise).di
    except UnknownItem:  # money stands beside the energies
        return di


def _number(parameters: Mapping[int, bytes], di: int, default: int) -> int:
    digits = parameters.get(di, b"").hex()
    return int(digits) if digits.isdecimal() else default


def _entries(parameters: Mapping[int, bytes], count: int, before: int) -> tuple[Entry, ...]:
    """The first so many entries; what was never written, or names nothing, takes no screen."""
    places = range(1, min(_number(parameters, count, 0), ENTRIES_MAX) + 1)
    found = (entry_of(parameters.get(before + place, b"")) for place in places)
    return tuple(entry for entry in found if entry is not None)
