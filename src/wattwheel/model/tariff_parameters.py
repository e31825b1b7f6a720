"""Tariff plan out of the parameter items 04xxxxxx as they stand on the wire, and which of the two sets is running.

Pure: octets by identifier in, a plan out. What was never written, or cannot be read, counts as one zone, one day table,
one slot, no holiday, every day a work day. Times are the meter's local standard time.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, tzinfo

import msgspec

from wattwheel.model.profile import after_copy, is_2020
from wattwheel.model.tariff import (
    ALL_WORK,
    DAY_TABLES_MAX,
    HOLIDAYS_MAX,
    SLOTS_MAX,
    TARIFFS_MAX,
    ZONES_MAX,
    Holiday,
    Slot,
    TariffPlan,
    Zone,
)

ZONES_SWITCH, DAY_TABLES_SWITCH = 0x04000106, 0x04000107
ZONE_COUNT, DAY_TABLE_COUNT, SLOT_COUNT = 0x04000201, 0x04000202, 0x04000203
TARIFF_COUNT, HOLIDAY_COUNT = 0x04000204, 0x04000205
REST_WORD, REST_TABLE = 0x04000801, 0x04000802
HOLIDAYS = 0x04030000
SETS = (0x04010000, 0x04020000)
"""Zone table of the first and the second set; its day tables follow it."""
ENTRY_OCTETS, HOLIDAY_OCTETS, INSTANT_OCTETS = 3, 4, 5
EVERY = (0x99, 0xFF)
"""Year or month of a holiday that comes in every one."""


class RunningSets(msgspec.Struct, frozen=True, array_like=True):
    """Which sets are running (0 first, 1 second), and the switch-over instants that were executed last, as written."""

    zones: int = 0
    day_tables: int = 0
    zones_switched: bytes = b""
    day_tables_switched: bytes = b""


FIRST_SETS = RunningSets()


def switched(sets: RunningSets, parameters: Mapping[int, bytes], local: datetime) -> RunningSets:
    """The sets that run at `local`: each pair changes over once at its instant, or later when that was missed.

    An instant that was executed is not executed again before another one has been written, whatever the clock does.
    """
    zones = changed_over(sets.zones, sets.zones_switched, ZONES_SWITCH, parameters, local)
    tables = changed_over(sets.day_tables, sets.day_tables_switched, DAY_TABLES_SWITCH, parameters, local)
    found = RunningSets(zones[0], tables[0], zones[1], tables[1])
    return sets if found == sets else found


def changed_over(
    running: int, executed: bytes, switch: int, parameters: Mapping[int, bytes], local: datetime
) -> tuple[int, bytes]:
    """Running set of one pair and the instant executed last, after its instant `switch` has been looked at.

    In the 2020 profile the second set runs from the instant on until it has been copied; else the other set runs on.
    """
    running, executed = after_copy(running, executed, switch, parameters)
    instant = parameters.get(switch, b"")
    if instant != executed and has_come(instant, local):
        return (1 if is_2020(parameters) else 1 - running), instant
    return running, executed


def switch_instants(parameters: Mapping[int, bytes], local: datetime) -> list[datetime]:
    """The switch-over instants that are later than `local`."""
    instants = (instant_of(parameters.get(di, b""), local.tzinfo) for di in (ZONES_SWITCH, DAY_TABLES_SWITCH))
    return [instant for instant in instants if instant is not None and instant > local]


def has_come(instant: bytes, local: datetime) -> bool:
    """Whether YYMMDDhhmm is a time, and `local` is not before it."""
    time = instant_of(instant, local.tzinfo)
    return time is not None and time <= local


def instant_of(instant: bytes, zone: tzinfo | None) -> datetime | None:
    """The time YYMMDDhhmm; None for none, as all 0, all 9 and all F are."""
    if len(instant) != INSTANT_OCTETS:
        return None
    try:
        year, month, day, hour, minute = (int(f"{octet:02x}") for octet in reversed(instant))
        return datetime(2000 + year, month, day, hour, minute, tzinfo=zone)
    except ValueError:
        return None


def plan_of(parameters: Mapping[int, bytes], sets: RunningSets = FIRST_SETS) -> TariffPlan:
    """The plan of the running `sets`."""
    zones = _entries(parameters.get(SETS[sets.zones], b""), _count(parameters, ZONE_COUNT, ZONES_MAX))
    slots = _count(parameters, SLOT_COUNT, SLOTS_MAX)
    first_table = SETS[sets.day_tables] + 1
    tables = range(first_table, first_table + _count(parameters, DAY_TABLE_COUNT, DAY_TABLES_MAX))
    return TariffPlan(
        zones=tuple(Zone(*entry) for entry in zones),
        day_tables=tuple(tuple(Slot(*entry) for entry in _entries(parameters.get(di, b""), slots)) for di in tables),
        holidays=_holidays(parameters),
        rest_word=(parameters.get(REST_WORD) or bytes((ALL_WORK,)))[0],
        rest_table=_number(parameters.get(REST_TABLE, b"\x01")) or 0,
        tariffs=tariffs_of(parameters),
    )


def tariffs_of(parameters: Mapping[int, bytes]) -> int:
    """How many tariffs the meter has, at least 1 (04000204)."""
    return _count(parameters, TARIFF_COUNT, TARIFFS_MAX)


def _holidays(parameters: Mapping[int, bytes]) -> tuple[Holiday, ...]:
    count = min(_number(parameters.get(HOLIDAY_COUNT, b"")) or 0, HOLIDAYS_MAX)
    rows = (parameters.get(HOLIDAYS + number, b"") for number in range(1, count + 1))
    found = (_holiday(octets) for octets in rows if len(octets) == HOLIDAY_OCTETS)
    return tuple(holiday for holiday in found if holiday is not None)


def _holiday(octets: bytes) -> Holiday | None:
    table, day, month, year = octets
    try:
        return Holiday(
            None if year in EVERY else 2000 + int(f"{year:02x}"),
            None if month in EVERY else int(f"{month:02x}"),
            int(f"{day:02x}"),
            int(f"{table:02x}"),
        )
    except ValueError:
        return None


def _entries(octets: bytes, count: int) -> list[tuple[int, int, int]]:
    """The first `count` entries of three numbers, whose last one stands first on the wire; none that is no number."""
    found: list[tuple[int, int, int]] = []
    for at in range(0, min(count * ENTRY_OCTETS, len(octets) // ENTRY_OCTETS * ENTRY_OCTETS), ENTRY_OCTETS):
        numbers = [_number(octets[at + place : at + place + 1]) for place in (2, 1, 0)]
        if None not in numbers:
            found.append((numbers[0] or 0, numbers[1] or 0, numbers[2] or 0))
    return found


def _count(parameters: Mapping[int, bytes], di: int, maximum: int) -> int:
    return max(1, min(_number(parameters.get(di, b"")) or 1, maximum))


def _number(octets: bytes) -> int | None:
    """The number that BCD octets say; None: they say none."""
    try:
        return int(octets[::-1].hex())
    except ValueError:
        return None
