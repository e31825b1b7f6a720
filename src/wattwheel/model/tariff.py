"""Tariff in force: year zones, day tables, public holidays, rest days and steps, as DL/T 645-2007 lays them out.

Pure: a plan and a local time in, the tariff and why out. Times are the meter's local standard time.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, TypeVar

import msgspec

ZONES_MAX = 14
DAY_TABLES_MAX = 8
SLOTS_MAX = 14
TARIFFS_MAX = 63
TARIFFS = 4
"""How many a meter has to which no other number was written: sharp, peak, flat and valley, as most meters of China."""
HOLIDAYS_MAX = 254
STEP_LIMITS_MAX = 6
ALL_WORK = 0x7F
"""Rest-day word (04000801): bit 0 Sunday to bit 6 Saturday; 0 is a rest day."""


class Zone(NamedTuple):
    """From `month`, `day` on, `day_table` holds (04010000)."""

    month: int
    day: int
    day_table: int


class Slot(NamedTuple):
    """From `hour`, `minute` on, `tariff` holds (04010001 to 04010008)."""

    hour: int
    minute: int
    tariff: int


class Holiday(NamedTuple):
    """A day with a table of its own (04030001 on). `year` None: every year; `month` None: every month."""

    year: int | None
    month: int | None
    day: int
    day_table: int


_Entry = TypeVar("_Entry", Zone, Slot)


class Reason(StrEnum):
    """What chose the day table."""

    HOLIDAY = "holiday"
    REST_DAY = "rest-day"
    ZONE = "zone"


class TariffPlan(msgspec.Struct, frozen=True):
    """One set of zones and day tables with what both sets share.

    Attributes:
        zones: as written, up to `ZONES_MAX`.
        day_tables: slots as written, by table number from 1 on.
        holidays: the last one that matches a day wins.
        rest_word: see `ALL_WORK`.
        rest_table: day table of rest days; a number that is none makes every day a work day.
        tariffs: how many there are (04000204); 0: a meter of a single tariff.
    """

    zones: tuple[Zone, ...] = ()
    day_tables: tuple[tuple[Slot, ...], ...] = ()
    holidays: tuple[Holiday, ...] = ()
    rest_word: int = ALL_WORK
    rest_table: int = 1
    tariffs: int = TARIFFS


class Resolution(NamedTuple):
    """The tariff in force, and by which day table, slot start (minute of the day, None: none) and reason."""

    tariff: int
    day_table: int
    slot_minute: int | None
    by: Reason


def weekday(date: datetime) -> int:
    """0 Sunday to 6 Saturday."""
    return date.isoweekday() % 7


def resolve(plan: TariffPlan, local: datetime) -> Resolution:
    """The tariff in force at `local`."""
    table, by = day_table(plan, local)
    slots = counted(plan.day_tables[table - 1]) if table <= len(plan.day_tables) else []
    if not slots:
        return Resolution(1, table, None, by)
    minute = local.hour * 60 + local.minute
    begun = [slot for slot in slots if slot.hour * 60 + slot.minute <= minute]
    in_force = begun[-1] if begun else slots[-1]  # the day wraps
    return Resolution(_legal_tariff(slots, in_force, plan.tariffs), table, in_force.hour * 60 + in_force.minute, by)


def day_table(plan: TariffPlan, local: datetime) -> tuple[int, Reason]:
    """Number of the day table of `local`'s day, and why."""
    tables = range(1, len(plan.day_tables) + 1)
    for holiday in reversed(plan.holidays):
        is_today = (
            holiday.day == local.day
            and holiday.month in (None, local.month)
            and holiday.year in (None, local.year)
            and holiday.day_table in tables
        )
        if is_today:
            return holiday.day_table, Reason.HOLIDAY
    if not plan.rest_word >> weekday(local) & 1 and plan.rest_table in tables:
        return plan.rest_table, Reason.REST_DAY
    zones = counted(plan.zones)
    begun = [zone for zone in zones if (zone.month, zone.day) <= (local.month, local.day)]
    table = (begun or zones)[-1].day_table if zones else 1  # the year wraps
    return table if table in tables else 1, Reason.ZONE


def counted(entries: Sequence[_Entry]) -> list[_Entry]:
    """The entries that count, in order of their start: trailing ones that are zero or repeat a start do not."""
    kept = list(entries)
    while kept and (not any(kept[-1]) or (len(kept) > 1 and kept[-1][:2] == kept[-2][:2])):
        kept.pop()
    return sorted(kept, key=lambda entry: entry[:2])


def _legal_tariff(slots: Sequence[Slot], in_force: Slot, tariffs: int) -> int:
    """Where a slot's tariff does not exist, that of the last legal slot before it goes on; 1 where there is none."""
    for slot in reversed(slots[: slots.index(in_force) + 1]):
        if 1 <= slot.tariff <= tariffs:
            return slot.tariff
    return 1


def next_change(plan: TariffPlan, local: datetime) -> datetime:
    """The first instant after `local` at which another slot or day table may begin: what nothing changes costs nothing.

    At the latest the next midnight.
    """
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    table, _by = day_table(plan, local)
    slots = counted(plan.day_tables[table - 1]) if table <= len(plan.day_tables) else []
    starts = [midnight + timedelta(hours=slot.hour, minutes=slot.minute) for slot in slots]
    return min([start for start in starts if start > local] + [midnight + timedelta(days=1)])


def step_number(limits: Sequence[int], used: int) -> int:
    """The step in force when `used` has been used, 1 for the first; 0 where there are no steps.

    `limits` and `used` in one unit, 0.01 kWh on the wire. Limits that do not increase are passed over.
    """
    if not any(limits):
        return 0
    step, highest = 1, 0
    for limit in limits:
        if limit <= highest:
            continue
        if limit > used:
            break
        step, highest = step + 1, limit
    return step
