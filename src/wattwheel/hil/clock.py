"""Time: how long (monotonic) and what date (calendar), never mixed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """The only source of time below boot.

    Contract: `now_ns` never goes back and is the one to use for every interval; `calendar` may be stepped by clock
    setting, is aware and in UTC, and is the one to use for records.
    """

    def now_ns(self) -> int:
        """Nanoseconds on the monotonic clock. One origin for all processes of a machine."""

    def calendar(self) -> datetime:
        """Calendar date and time in UTC."""

    def call_at(self, due_ns: int, action: Callable[[], None]) -> None:
        """Run `action` once, at `due_ns` on the monotonic clock or as soon after as possible, never before."""
