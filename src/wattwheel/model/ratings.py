"""What the meter is made for: the ratings on which default thresholds and fixed limits depend."""

from __future__ import annotations

from typing import Literal

import msgspec

PHASE_NUMBERS = {"1p2w": (0,), "3p4w": (0, 1, 2), "3p3w": (0, 2)}
"""Wiring to the phases a, b, c (0, 1, 2) that it has; the middle phase of a three-wire meter is the reference."""


class Ratings(msgspec.Struct, frozen=True):
    """Ratings of the meter's own (secondary) side.

    Attributes:
        wiring: single phase, three-phase 4-wire or three-phase 3-wire.
        nominal_voltage_millivolt: between a phase and neutral (3p3w: between two phases).
        nominal_current_microampere, maximum_current_microampere: of the meter's inputs.
        push_milliseconds: how often the metering core tells its totals, in the meter's own time, which may be scaled.
    """

    wiring: Literal["1p2w", "3p4w", "3p3w"] = "3p4w"
    nominal_voltage_millivolt: int = 347_000
    nominal_current_microampere: int = 5_000_000
    maximum_current_microampere: int = 6_000_000
    push_milliseconds: int = 1000

    @property
    def phases(self) -> tuple[int, ...]:
        """Numbers of the phases that there are, a is 0."""
        return PHASE_NUMBERS[self.wiring]

    @property
    def critical_millivolt(self) -> int:
        """The lowest voltage at which the meter works: 60 % of the nominal one, in whole 0.1 V."""
        return 100 * share(self.nominal_voltage_millivolt, 600, 100)

    @property
    def carrying_microampere(self) -> int:
        """5 % of the nominal current: above it a phase counts as carrying a load."""
        return self.nominal_current_microampere * 5 // 100


def share(value: int, permille: int, unit: int) -> int:
    """`permille` thousandths of `value` in units of `unit`, to the nearest, halves up."""
    return (2 * value * permille + 1000 * unit) // (2000 * unit)
