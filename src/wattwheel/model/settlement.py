"""Settlement instants: up to three a month, and which of them were missed (DL/T 645-2007, 04000B01 to 04000B03).

Pure. Times are the meter's local standard time.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

DAY_MAX, HOUR_MAX = 28, 23
SETTLEMENTS_KEPT_MAX = 12
MONTHS_LOOKED_BACK_MAX = 13
"""Further back nothing can be kept: each instant that is used comes once a month."""


class Instant(NamedTuple):
    """Day of the month (1 to 28) and hour (0 to 23) of a settlement."""

    day: int
    hour: int


class Settlement(NamedTuple):
    """A settlement's nominal time and which of the three instants it is (1 clears the demands, 2 and 3 do not)."""

    time: datetime
    number: int


def in_use(instants: Sequence[Instant | None]) -> dict[int, Instant]:
    """The instants that count, by number from 1 on: none that is out of range, none that repeats an earlier one."""
    used: dict[int, Instant] = {}
    for number, instant in enumerate(instants, 1):
        if instant is None or not (1 <= instant.day <= DAY_MAX and 0 <= instant.hour <= HOUR_MAX):
            continue
        if instant not in used.values():
            used[number] = instant
    return used


def due(instants: Sequence[Instant | None], after: datetime, until: datetime) -> list[Settlement]:
    """Settlements with `after` < time <= `until`, in order of time; the newest `SETTLEMENTS_KEPT_MAX` of them.

    `after`: the last time that was looked at, or that of the newest settlement stored, whichever is later; so
    repeated power cycling settles nothing twice.
    """
    found: list[Settlement] = []
    year, month = until.year, until.month
    for _ in range(MONTHS_LOOKED_BACK_MAX):
        for number, instant in in_use(instants).items():
            time = datetime(year, month, instant.day, instant.hour, tzinfo=until.tzinfo)
            if after < time <= until:
                found.append(Settlement(time, number))
        year, month = (year, month - 1) if month > 1 else (year - 1, 12)
    return sorted(found)[-SETTLEMENTS_KEPT_MAX:]


def next_due(instants: Sequence[Instant | None], after: datetime) -> Settlement | None:
    """The first settlement later than `after`, None where none is in use."""
    following = (after.year, after.month + 1) if after.month < 12 else (after.year + 1, 1)
    times = [
        Settlement(datetime(year, month, instant.day, instant.hour, tzinfo=after.tzinfo), number)
        for year, month in ((after.year, after.month), following)
        for number, instant in in_use(instants).items()
    ]
    return min((settlement for settlement in times if settlement.time > after), default=None)
