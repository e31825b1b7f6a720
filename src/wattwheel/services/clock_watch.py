"""Watches the clock that the meter's time comes from: one that stands still, or shows what cannot be, is at fault.

What it is compared with is the monotonic clock, which counts intervals whatever the calendar does. Pure.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum

from wattwheel.services.clock_keeping import STEP_BACK_MAX

LOOK_NS = 1_000_000_000
"""How often it looks."""

FAULT_NS = 5_000_000_000
"""So long an invalid or frozen time makes a fault."""

FROZEN_BEHIND_MAX = timedelta(seconds=5)
"""A clock that stood still is followed again once it is no further behind what was counted meanwhile."""

FIRST = datetime(2000, 1, 1, tzinfo=UTC)
"""YY says no earlier year."""


class Fault(StrEnum):
    """What is wrong with a clock."""

    FROZEN = "stands still"
    INVALID = "shows an impossible time"


class ClockWatch:
    """Looks at the host's calendar and at what the meter would show by it.

    Attributes:
        shown: the last time that could be right, `sound_ns` when it was shown.
    """

    def __init__(self) -> None:
        self._host: datetime | None = None
        self._moved_ns = 0
        self.shown: datetime | None = None
        self.sound_ns = 0

    def look(self, host: datetime, shown: datetime, now_ns: int) -> Fault | None:
        """Take a look at `now_ns`; the fault, once it has lasted for long enough."""
        if host != self._host:
            self._host, self._moved_ns = host, now_ns
        is_frozen = now_ns > self._moved_ns
        is_possible = shown >= max(FIRST, (self.shown or shown) - STEP_BACK_MAX)
        if self.shown is None or (is_possible and not is_frozen):
            self.shown, self.sound_ns = shown, now_ns
            return None
        if now_ns - self.sound_ns < FAULT_NS:
            return None
        return Fault.FROZEN if is_frozen else Fault.INVALID

    def counted(self, now_ns: int, speed: float) -> datetime:
        """The time it would be now if the clock had gone on, `speed` times as fast as the monotonic one."""
        assert self.shown is not None
        return self.shown + timedelta(microseconds=round((now_ns - self.sound_ns) * speed) // 1000)

    def begin(self) -> None:
        """The clock was set, or is another one: what was shown before says nothing."""
        self._host = self.shown = None
