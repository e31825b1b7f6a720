"""The one place where the wall clock is read."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Protocol


class Timers(Protocol):
    """Whatever runs actions later: the loop."""

    def call_at(self, due_ns: int, action: Callable[[], None]) -> None:
        """See `hil.clock.Clock.call_at`."""


class CalendarOrigin(NamedTuple):
    """Where a scaled calendar starts: at monotonic `at_ns` it showed `calendar_s` (UTC seconds since 1970).

    `speed` 1.0 follows the host's calendar clock instead, steps included.
    """

    at_ns: int
    calendar_s: float
    speed: float = 1.0


def calendar_origin(speed: float) -> CalendarOrigin:
    """An origin at this instant of the host's clocks."""
    return CalendarOrigin(time.monotonic_ns(), time.time(), speed)


EPOCH_S = datetime(2000, 1, 1, tzinfo=UTC).timestamp()


def host_milliseconds() -> int | None:
    """The host's calendar clock, milliseconds since 2000, UTC; None before that: it has lost the time."""
    milliseconds = round((time.time() - EPOCH_S) * 1000)
    return milliseconds if milliseconds >= 0 else None


class LinuxClock:
    """`hil.clock.Clock` on the host's clocks, with a calendar that may run at another speed."""

    def __init__(self, timers: Timers, origin: CalendarOrigin | None = None) -> None:
        self.call_at = timers.call_at
        self._origin = origin if origin is not None and origin.speed != 1.0 else None

    now_ns = staticmethod(time.monotonic_ns)

    def calendar(self) -> datetime:
        """Calendar date and time in UTC."""
        if self._origin is None:
            return datetime.now(UTC)
        elapsed_s = (time.monotonic_ns() - self._origin.at_ns) / 1e9 * self._origin.speed
        return datetime.fromtimestamp(self._origin.calendar_s, UTC) + timedelta(seconds=elapsed_s)
