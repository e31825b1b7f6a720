"""Rules of clock setting (DL/T 645-2007: 08H and 14H of 04000101, 04000102, 0400010C), as pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from wattwheel.model.settled_books import SETTLEMENT_DAYS

DATE_DI, TIME_DI, DATE_TIME_DI = 0x04000101, 0x04000102, 0x0400010C
DATE_OCTETS, TIME_OCTETS = 4, 3
SYNC_DIFFERENCE_MAX = timedelta(minutes=5)
GUARD = timedelta(minutes=5)
"""Around midnight and settlement instants, in whole minutes: 23:55:00 to 00:05:59."""

DIFFERENCE_MIN_2020, DIFFERENCE_MAX_2020 = timedelta(seconds=60), timedelta(seconds=300)
"""Of the 2020 profile: nearer a clock is left alone, further away it is in doubt."""


OPERATOR_OCTETS, STAMP_OCTETS = 4, 6
REPEATED_WITHIN = timedelta(seconds=3)


class Verdict(StrEnum):
    """What becomes of a broadcast time; the names of the counters."""

    ACCEPTED = "time_accepted"
    IMPOSSIBLE = "time_impossible"
    DONE_TODAY = "time_done_today"
    NEAR_MIDNIGHT = "time_near_midnight"
    NEAR_SETTLEMENT = "time_near_settlement"
    TOO_FAR = "time_too_far"
    TOO_NEAR = "time_too_near"
    CROSSES_MIDNIGHT = "time_crosses_midnight"
    CROSSES_SETTLEMENT = "time_crosses_settlement"


def broadcast_time(data: bytes) -> datetime | None:
    """The local time in `ss mm hh DD MM YY` (BCD), None when there is no such time."""
    try:
        second, minute, hour, day, month, year = (int(f"{octet:02x}") for octet in data)
        return datetime(2000 + year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None


def written_time(di: int, octets: bytes, own: datetime) -> datetime | None:
    """The local time that a write of `di` sets, `own` being the clock's; None when there is no such time.

    A date keeps the time of day, a time the date; the day of the week follows from the date, whatever is written.
    """
    digits = octets[::-1].hex()
    date, time = f"{own:%y%m%d}", f"{own:%H%M%S}"
    if di == DATE_DI and len(octets) == DATE_OCTETS:
        date = digits[:6]
    elif di == TIME_DI and len(octets) == TIME_OCTETS:
        time = digits
    elif di == DATE_TIME_DI and len(octets) == DATE_OCTETS + TIME_OCTETS:
        date, time = digits[:6], digits[8:]
    else:
        return None
    return broadcast_time(bytes.fromhex(date + time)[::-1])


def shown_digits(di: int, local: datetime) -> str:
    """What a read of date, time or both shows at the standard time `local`, as the pictures print it."""
    date, time = f"{local:%y%m%d}{local.isoweekday() % 7:02d}", f"{local:%H%M%S}"
    return {DATE_DI: date, TIME_DI: time, DATE_TIME_DI: date + time}[di]


def is_repeated(record: bytes, operator: bytes, own: datetime, written: datetime) -> bool:
    """Whether a write that moves the clock from `own` to `written` is that of `record` (03300401) once more.

    A service that dies before it has answered gets its last message again, so a write may be carried out twice.
    """
    after = broadcast_time(record[OPERATOR_OCTETS + STAMP_OCTETS :])
    if after is None or record[:OPERATOR_OCTETS] != operator:
        return False
    return all(timedelta(0) <= time - after < REPEATED_WITHIN for time in (own, written))


DayHours = frozenset[tuple[int, int]]


def settlement_instants(parameters: Mapping[int, bytes]) -> DayHours:
    """Day and hour of each settlement instant of the month."""
    digits = (parameters.get(di, b"")[::-1].hex() for di in SETTLEMENT_DAYS)
    return frozenset((int(text[:2]), int(text[2:])) for text in digits if text.isdecimal() and text != "9999")


def broadcast_verdict(
    received: datetime | None,
    own: datetime,
    obeyed_today: int,
    per_day: int,
    settlements: DayHours = frozenset(),
) -> Verdict:
    """Whether `received` may set a clock that shows `own`; both local, marked as UTC."""
    if received is None:
        return Verdict.IMPOSSIBLE
    if obeyed_today >= per_day:
        return Verdict.DONE_TODAY
    if any(hour == 0 for _, hour in _hours_near(received, own)):
        return Verdict.NEAR_MIDNIGHT
    if any(near in settlements for near in _hours_near(received, own)):
        return Verdict.NEAR_SETTLEMENT
    return Verdict.TOO_FAR if abs(received - own) > SYNC_DIFFERENCE_MAX else Verdict.ACCEPTED


def broadcast_verdict_2020(
    received: datetime | None,
    own: datetime,
    obeyed_today: int,
    per_day: int,
    settlements: DayHours = frozenset(),
    is_protected: bool = False,
) -> Verdict:
    """The same in the 2020 profile, where a clock that is nearly right is left alone, and TOO_FAR makes it doubtful.

    `is_protected`: it came encrypted or with a message authentication code; then only the lower limit counts.
    """
    if received is None:
        return Verdict.IMPOSSIBLE
    if abs(received - own) < DIFFERENCE_MIN_2020:
        return Verdict.TOO_NEAR
    if is_protected:
        return Verdict.ACCEPTED
    if abs(received - own) > DIFFERENCE_MAX_2020:
        return Verdict.TOO_FAR
    if obeyed_today >= per_day:
        return Verdict.DONE_TODAY
    if received.date() != own.date():
        return Verdict.CROSSES_MIDNIGHT
    first, last = sorted((received, own))
    hour = last.replace(minute=0, second=0, microsecond=0)
    if first < hour and (hour.day, hour.hour) in settlements:
        return Verdict.CROSSES_SETTLEMENT
    return Verdict.ACCEPTED


def _hours_near(*times: datetime) -> Iterable[tuple[int, int]]:
    """Day and hour of the full hours near which `times` are."""
    guard_minutes = GUARD.seconds // 60
    for time in times:
        later = time + GUARD
        if later.minute <= 2 * guard_minutes:
            yield later.day, later.hour
