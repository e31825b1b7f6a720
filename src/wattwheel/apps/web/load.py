"""The load of the last minute, kept whether somebody watches or not."""

from __future__ import annotations

from collections import deque

import msgspec

LOAD_S = 60
"""How far the load goes back."""

MAX_POINTS = 90
"""One a second, and room for seconds that the metering core cut short after a start."""


class LoadPoint(msgspec.Struct, frozen=True):
    """Total active power, of the primary side where there is one: `age_s` seconds ago it was `kilowatt`, or None."""

    age_s: float
    kilowatt: float | None


class LoadHistory:
    """What came within the last `LOAD_S` seconds, on a clock that never jumps."""

    def __init__(self) -> None:
        self._points: deque[tuple[int, float | None]] = deque(maxlen=MAX_POINTS)

    def add(self, at_ns: int, kilowatt: float | None) -> None:
        """Take the power (None: there is no valid one) of the instant `at_ns`; one that is not newer is passed over."""
        if not self._points or at_ns > self._points[-1][0]:
            self._points.append((at_ns, kilowatt))

    def points(self, now_ns: int) -> list[LoadPoint]:
        """Oldest first, as seen at `now_ns`."""
        ages = ((now_ns - at_ns) / 1e9 for at_ns, _ in self._points)
        found = (LoadPoint(round(age, 1), kilowatt) for age, (_, kilowatt) in zip(ages, self._points, strict=True))
        return [point for point in found if point.age_s <= LOAD_S]
