"""The board's watchdog: a kernel that gives no sign of life is ended, and started again like one that died."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

SIGN_NS = 2_000_000_000
"""How often the kernel gives a sign of life."""
LOOK_NS = 3_000_000_000
LOOKS_MAX = 3
"""More looks than these in a row without a sign, and the kernel counts as hung: 9 to 14 seconds after its last one."""
SIGN_OF_LIFE = b'{"alive": true}\n'
READY = b'{"ready": true}\n'


class Timers(Protocol):
    """What calls back at an instant of the monotonic clock."""

    def call_at(self, due_ns: int, action: Callable[[], None]) -> None:
        """Call `action` at `due_ns`."""


class Watchdog:
    """Counts looks without a sign, not time: when the whole machine stood still, nobody is to blame.

    Args:
        on_hang: called after more than `LOOKS_MAX` looks without a sign, and again after as many more.
    """

    def __init__(self, timers: Timers, now_ns: Callable[[], int], on_hang: Callable[[], None]) -> None:
        self._timers, self._now_ns, self._on_hang = timers, now_ns, on_hang
        self._looks = 0
        self._look_later()

    def sign(self) -> None:
        """The kernel lives, or is being started."""
        self._looks = 0

    def _look_later(self) -> None:
        self._timers.call_at(self._now_ns() + LOOK_NS, self._look)

    def _look(self) -> None:
        self._looks += 1
        if self._looks > LOOKS_MAX:
            self._looks = 0
            self._on_hang()
        self._look_later()
