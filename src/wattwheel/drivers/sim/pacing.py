"""When simulated samples are due: exact for years, whatever the rate and the speed."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

BLOCKS_PER_READ_MAX = 120
"""A read after a long pause hands over this many blocks; the rest comes with the next reads, none is lost."""

SPEED_DENOMINATOR_MAX = 1_000_000
RATE_DENOMINATOR_MAX = 1_000_000_000
"""Speeds and rates are taken as fractions with denominators up to these, so that time does not drift."""


class Pace:
    """Counts the samples that are due.

    Args:
        rate_hz: samples a second of the source's own time.
        origin_ns: monotonic time of sample 0.
        speed: seconds of the source's own time in one second.
    """

    def __init__(self, rate_hz: float, origin_ns: int, speed: float) -> None:
        rate = Fraction(rate_hz).limit_denominator(RATE_DENOMINATOR_MAX)
        pace = rate * Fraction(speed).limit_denominator(SPEED_DENOMINATOR_MAX)
        self._numerator, self._denominator = pace.numerator, pace.denominator * 1_000_000_000
        self._origin_ns = origin_ns
        self._block = max(1, int(rate_hz))
        self.taken = 0

    def due(self, now_ns: int) -> int:
        """Number of samples due since the start; sample 0 is due at the origin."""
        elapsed = now_ns - self._origin_ns
        return elapsed * self._numerator // self._denominator + 1 if elapsed >= 0 else 0

    def take(self, now_ns: int, end: int | None = None) -> Iterator[tuple[int, int]]:
        """(first, end) of the blocks that are due and not taken yet, each at most a second long, up to sample `end`."""
        due = self.due(now_ns) if end is None else min(self.due(now_ns), end)
        for _ in range(BLOCKS_PER_READ_MAX):
            if self.taken >= due:
                return
            first = self.taken
            self.taken = min(due, first + self._block)
            yield first, self.taken
