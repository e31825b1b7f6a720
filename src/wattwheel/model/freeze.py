"""When to freeze: the pattern of a freeze command (16H) and the days that a daily freeze has missed.

Pure. Times are the meter's local standard time.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

DAILY_FILLED_MAX = 7
"""Missed daily freezes that are filled at power-up; older ones are not."""

WILDCARD = 99
_LEAP_YEARS_APART_MAX = 8  # 29 February: 2096 and 2104


class FreezePattern(NamedTuple):
    """MMDDhhmm of a freeze command, None for a wildcard. Wildcards stand on the left only.

    All four None: at once.
    """

    month: int | None
    day: int | None
    hour: int | None
    minute: int | None

    @property
    def is_at_once(self) -> bool:
        """The instantaneous freeze, 99999999."""
        return self.minute is None


def freeze_pattern(data: bytes) -> FreezePattern:
    """The pattern in the four octets mm hh DD MM of a freeze command, BCD, 99 for a wildcard.

    Raises ValueError for anything else: no BCD, no such time in any year, a wildcard to the right of a number.
    """
    if len(data) != 4:
        raise ValueError(f"{len(data)} octets; a freeze pattern has 4")
    numbers = [int(f"{octet:02x}") for octet in reversed(data)]
    fields = [None if number == WILDCARD else number for number in numbers]
    wild = sum(field is None for field in fields)
    if any(field is None for field in fields[wild:]):
        raise ValueError(f"{data[::-1].hex()}: wildcards stand on the left only")
    month, day, hour, minute = (
        low if field is None else field for field, low in zip(fields, (1, 1, 0, 0), strict=True)
    )
    datetime(2000, month, day, hour, minute, tzinfo=UTC)  # a leap year: raises where there is no such time in any
    return FreezePattern(*fields)


def next_freeze(pattern: FreezePattern, after: datetime) -> datetime | None:
    """The first instant later than `after` that matches; None for one that is meant at once.

    A day that a month does not have is passed over until one comes that has it.
    """
    if pattern.minute is None:
        return None
    start = after.replace(minute=pattern.minute, second=0, microsecond=0)
    if pattern.hour is None:
        return start if start > after else start + timedelta(hours=1)
    start = start.replace(hour=pattern.hour)
    if pattern.day is None:
        return start if start > after else start + timedelta(days=1)
    year, month = start.year, pattern.month or start.month
    for _ in range(12 * _LEAP_YEARS_APART_MAX):
        try:
            match = start.replace(year=year, month=month, day=pattern.day)
        except ValueError:  # no such day
            match = None
        if match is not None and match > after:
            return match
        if pattern.month is not None or month == 12:
            year, month = year + 1, pattern.month or 1
        else:
            month += 1
    return None


def daily_freezes_missed(hour: int, minute: int, after: datetime, until: datetime) -> list[datetime]:
    """Nominal times of the daily freezes with `after` < time <= `until`: the newest `DAILY_FILLED_MAX`, in order."""
    newest = until.replace(hour=hour, minute=minute, second=0, microsecond=0)
    if newest > until:
        newest -= timedelta(days=1)
    times = [newest - timedelta(days=days) for days in range(DAILY_FILLED_MAX)]
    return [time for time in reversed(times) if time > after]
