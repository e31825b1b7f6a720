"""Demand: the mean power of the last period, by whole minutes, and how it is rounded and compared.

Pure. Sliding and block windows are one rule: every `slip` minutes of the clock the last `period` minutes count, once
there are so many since the last restart. The windows themselves are in `model.demand_windows`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

PERIODS_MIN = (5, 10, 15, 30, 60)
SLIPS_MIN = (1, 2, 3, 5)
PERIOD, SLIP = 0x04000103, 0x04000104
"""Identifiers of the two parameters."""

MICROJOULE_A_MINUTE_A_MILLIWATT = 60_000
MILLIWATT_A_DIGIT = 100
"""The last digit of XX.XXXX kW is 0.1 W."""

VIEW_MAX, SIGNED_VIEW_MAX = 999_999, 799_999
"""The highest that XX.XXXX holds, and with a sign. A higher demand is shown as that."""

QUADRANTS = 4


class Method(NamedTuple):
    """Period and slip in minutes, 04000103 and 04000104; a block window has both equal (status word 1, bit 1)."""

    period_minutes: int = 15
    slip_minutes: int = 1

    @property
    def is_block(self) -> bool:
        """Whether windows lie side by side, in step with the clock."""
        return self.period_minutes == self.slip_minutes


STANDARD_METHOD = Method()


def are_allowed(period_minutes: int, slip_minutes: int) -> bool:
    """Whether the standard has this pair: a sliding window of whole slips, or a block window."""
    if period_minutes not in PERIODS_MIN:
        return False
    return slip_minutes == period_minutes or (slip_minutes in SLIPS_MIN and not period_minutes % slip_minutes)


def method_of(parameters: Mapping[int, bytes]) -> Method:
    """The method among the parameters; the standard one where they have none that is allowed."""
    try:
        method = Method(*(int(parameters[di].hex()) for di in (PERIOD, SLIP)))
    except (KeyError, ValueError):
        return STANDARD_METHOD
    return method if are_allowed(*method) else STANDARD_METHOD


def demand_views(microjoule: Iterable[int], period_minutes: int) -> list[int]:
    """Mean powers over a period, in units of the last digit of XX.XXXX kW, at most what that holds.

    `microjoule`: magnitudes. Halves go up twice, as the standard has it: to a mW (six decimals), then to four decimals.
    """
    unit = MICROJOULE_A_MINUTE_A_MILLIWATT * period_minutes
    half, half_digit = unit // 2, MILLIWATT_A_DIGIT // 2
    views = [((energy + half) // unit + half_digit) // MILLIWATT_A_DIGIT for energy in microjoule]
    return views if max(views) <= VIEW_MAX else [min(view, VIEW_MAX) for view in views]


def signed_view(view: int, is_negative: bool) -> int:
    """`view` with a sign, at most what XX.XXXX holds beside one."""
    magnitude = min(view, SIGNED_VIEW_MAX)
    return -magnitude if is_negative else magnitude


def quadrant(is_reverse: bool, is_negative: bool) -> int:
    """The quadrant, 0 for I to 3 for IV, by the directions of active and reactive power."""
    return (2 if is_negative else 1) if is_reverse else 3 if is_negative else 0
