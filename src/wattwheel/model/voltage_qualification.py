"""Voltage qualification: of the minutes of a month, how many were within the limits (DL/T 645-2007, 0310xxxx).

Pure. Voltages in 0.1 V, one look a minute.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec


class VoltageLimits(NamedTuple):
    """Limits in 0.1 V: 04000E03 and 04000E04, and those of what counts at all."""

    upper: int
    lower: int
    check_upper: int
    check_lower: int

    @property
    def are_valid(self) -> bool:
        """In order; otherwise there are no statistics."""
        return self.check_lower < self.lower < self.upper < self.check_upper


class Qualification(msgspec.Struct, array_like=True):
    """What was counted. `highest`, `lowest`: 0.1 V and minute of what scale the caller keeps; None before the first."""

    monitored_minutes: int = 0
    over_minutes: int = 0
    under_minutes: int = 0
    highest: tuple[int, int] | None = None
    lowest: tuple[int, int] | None = None

    @property
    def over_rate(self) -> int:
        """Share of the minutes beyond a limit, 0.01 %, rounded; 0 where nothing was monitored."""
        if not self.monitored_minutes:
            return 0
        return ((self.over_minutes + self.under_minutes) * 100_000 // self.monitored_minutes + 5) // 10

    @property
    def rate(self) -> int:
        """Qualification rate, 0.01 %; 0 where nothing was monitored."""
        return 10_000 - self.over_rate if self.monitored_minutes else 0


def minute_looked(state: Qualification, voltage: int, limits: VoltageLimits, at_minute: int) -> None:
    """Count a minute that found `voltage`. Changes `state`."""
    if not limits.are_valid or not limits.check_lower < voltage < limits.check_upper:
        return
    state.monitored_minutes += 1
    state.over_minutes += voltage > limits.upper
    state.under_minutes += voltage < limits.lower
    if state.highest is None or voltage > state.highest[0]:
        state.highest = (voltage, at_minute)
    if state.lowest is None or voltage < state.lowest[0]:
        state.lowest = (voltage, at_minute)


def combined_minute_looked(
    state: Qualification, voltages: Sequence[int], limits: VoltageLimits, at_minute: int
) -> None:
    """Count a minute of all phases together: once, when any of `voltages` counts; changes `state`.

    It is over a limit when any phase is, else under one when any is. The extremes are those of all phases.
    """
    counted = [voltage for voltage in voltages if limits.check_lower < voltage < limits.check_upper]
    if not limits.are_valid or not counted:
        return
    highest, lowest = max(counted), min(counted)
    state.monitored_minutes += 1
    if highest > limits.upper:
        state.over_minutes += 1
    elif lowest < limits.lower:
        state.under_minutes += 1
    if state.highest is None or highest > state.highest[0]:
        state.highest = (highest, at_minute)
    if state.lowest is None or lowest < state.lowest[0]:
        state.lowest = (lowest, at_minute)
