"""How a clock drifts that runs faster or slower than the host's: integers, so that everybody finds the same time."""

from __future__ import annotations

PARTS = 1_000_000_000
"""Drift is told in parts of so many: 5787 a thousand millions are 5.787 ppm, half a second a day."""

DRIFT_PPM_MAX = 1000.0
"""What can be set: more than any crystal does, by far."""


def drift_ppb(ppm: float) -> int:
    """Parts per million as whole parts of `PARTS`."""
    return round(ppm * 1000)


def drifted_us(elapsed_us: int, ppb: int) -> int:
    """By how much such a clock is ahead when `elapsed_us` of the host's have passed, rounded down; it never jumps."""
    return elapsed_us * ppb // PARTS


def elapsed_until_us(shown_us: int, ppb: int) -> int:
    """The first `elapsed_us` of the host's at which such a clock, 0 at 0, has come to `shown_us`."""
    elapsed_us = shown_us * PARTS // (PARTS + ppb)  # never too late
    while elapsed_us + drifted_us(elapsed_us, ppb) < shown_us:
        elapsed_us += 1
    return elapsed_us
