"""The maximum demands of a year's settlement periods, of the total: plain arithmetic on the energy of each minute.

A window is fifteen whole minutes in one direction that were all seen, none of them interrupted by a power-up, a clock
that was set, or a settlement.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from wattwheel.testing.drills.year_load import Energy

WINDOW_MINUTES = 15
UNSAVED_MS = 90_000
PUNCTUAL_S = 1
"""A minute counts as seen when the first push after the supply came has come by that second of it."""


class Maximum(NamedTuple):
    """A demand in 0.0001 kW, and the minute at which its window ended."""

    demand: int = 0
    minute: int = 0


def demand_of(microjoule: int) -> int:
    """Mean power over a window in units of 0.0001 kW: rounded half up to a milliwatt, then half up once more."""
    unit = 60_000 * WINDOW_MINUTES
    milliwatt = (2 * microjoule + unit) // (2 * unit)
    return (milliwatt + 50) // 100


class Demand:
    """Windows and maxima of both directions.

    Attributes:
        ended: of each settlement period, by its nominal minute: what the maxima of import and export may be.
    """

    def __init__(self) -> None:
        self._minutes: deque[int] = deque(maxlen=WINDOW_MINUTES)
        self._is_whole = False  # the minute that is running
        self._is_reverse = False
        self._maxima: tuple[list[tuple[Maximum, int, bool]], ...] = ([], [])
        self.ended: dict[int, tuple[set[Maximum], set[Maximum]]] = {}

    def restart(self, second: int) -> None:
        """No window is whole before fifteen minutes from now; `second`: of the calendar."""
        self._minutes.clear()
        self._is_whole = second % 60 <= PUNCTUAL_S

    def turn(self, minute: int, energy: Energy, at_ms: int) -> None:
        """The minute that ends with `minute` brought `energy`."""
        if not self._is_whole:
            self._is_whole = True
            return
        net = energy.imported - energy.exported
        self._minutes.append(abs(net))
        if net and (net < 0) != self._is_reverse:
            self._is_reverse = net < 0
            has_both = bool(energy.imported and energy.exported)
            self._minutes.clear()
            if not has_both:
                self._minutes.append(abs(net))
        if len(self._minutes) == WINDOW_MINUTES:
            self._found(Maximum(demand_of(sum(self._minutes)), minute), at_ms)

    def _found(self, maximum: Maximum, at_ms: int) -> None:
        maxima = self._maxima[self._is_reverse]
        highest = max((each.demand for each, _, is_sure in maxima if is_sure), default=0)
        if maximum.demand > highest:
            maxima.append((maximum, at_ms, True))

    def cut(self, at_ms: int) -> None:
        """The supply was cut: a maximum that was found shortly before may be forgotten."""
        for maxima in self._maxima:
            maxima[:] = [(each, made, is_sure and made <= at_ms - UNSAVED_MS) for each, made, is_sure in maxima]

    def settle(self, minutes: list[int], second: int) -> None:
        """The period ends: the first of `minutes` has the maxima, the others have none."""
        for at, minute in enumerate(minutes):
            imported, exported = (possible(maxima) if not at else {Maximum()} for maxima in self._maxima)
            self.ended[minute] = (imported, exported)
        for maxima in self._maxima:
            maxima.clear()
        self.restart(second)


def possible(maxima: list[tuple[Maximum, int, bool]]) -> set[Maximum]:
    """What the highest may be: of those that must be there, or one that need not and is higher."""
    sure = max((each for each, _, is_sure in maxima if is_sure), key=lambda each: each.demand, default=Maximum())
    return {sure, *(each for each, _, is_sure in maxima if not is_sure and each.demand > sure.demand)}
