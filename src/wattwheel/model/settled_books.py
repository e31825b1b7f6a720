"""Which settlement periods are kept, and when one more is due: each instant once, whatever the clock does.

Pure: what was kept and the local time in, what is kept now out. An entry names the copy of the registers that belongs
to it; instants that were missed together share one. Times are minutes of the meter's local standard time since 2000.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec

from wattwheel.model.settlement import SETTLEMENTS_KEPT_MAX, Instant, due

SETTLEMENT_DAYS = (0x04000B01, 0x04000B02, 0x04000B03)
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MINUTE = timedelta(minutes=1)

MINUTES_MAX = 200 * 366 * 1440
"""No meter's clock goes further."""

Minute = Annotated[int, msgspec.Meta(ge=0, le=MINUTES_MAX)]


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """The end of a settlement period: nominal `minute`, which of the three instants, number of the registers' copy."""

    minute: Minute
    number: int
    copy: int


class Settled(msgspec.Struct, frozen=True, array_like=True):
    """What is kept.

    Attributes:
        looked: the minute up to which instants were looked for; None: never.
        day_1: settlement day 1 as it was then, as written.
        copies: number of the last copy that was made.
        entries: the newest first, up to `SETTLEMENTS_KEPT_MAX`.
    """

    looked: Minute | None = None
    day_1: bytes = b""
    copies: int = 0
    entries: Annotated[tuple[Entry, ...], msgspec.Meta(max_length=SETTLEMENTS_KEPT_MAX)] = ()


NOTHING_SETTLED = Settled()


def settle(kept: Settled, parameters: Mapping[int, bytes], minute: int) -> Settled:
    """What is kept at `minute`: after everything that fell due since it was looked for last.

    An instant that is among the entries is not settled again, so a clock that goes back settles nothing twice. A
    change of settlement day 1 settles at once. What is due at one time is one new copy, numbered `copies`.
    """
    day_1 = parameters.get(SETTLEMENT_DAYS[0], b"")
    if kept.looked is None:
        return msgspec.structs.replace(kept, looked=minute, day_1=day_1)
    days = [_instant(parameters.get(di, b"")) for di in SETTLEMENT_DAYS]
    found = due(days, _EPOCH + kept.looked * _MINUTE, _EPOCH + minute * _MINUTE)
    times = {(time - _EPOCH) // _MINUTE: number for time, number in found}
    if day_1 != kept.day_1:
        times.setdefault(minute, 1)
    new = [at for at in sorted(times, reverse=True) if at not in {entry.minute for entry in kept.entries}]
    copy = kept.copies + bool(new)
    entries = (*(Entry(at, times[at], copy) for at in new), *kept.entries)[:SETTLEMENTS_KEPT_MAX]
    return Settled(minute, day_1, copy, entries)


def passed_over(kept: Settled, minute: int) -> Settled:
    """What is kept when the clock was set to `minute`: what lies between is not settled."""
    return msgspec.structs.replace(kept, looked=minute)


def _instant(octets: bytes) -> Instant | None:
    """DDhh; None where it is not in use."""
    try:
        hour, day = (int(f"{octet:02x}") for octet in octets)
    except ValueError:
        return None
    return Instant(day, hour)
