"""Demand: the mean power of the last period, by whole minutes, and its maximum.

Pure. What goes in is the energy of each whole minute of the meter's clock, as a magnitude: the direction of the total
power decides whose maximum the result is compared with. Sliding and block windows are one rule: every `slip` minutes of
the clock the last `period` minutes count, once there are so many since the last restart.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

PERIODS_MIN = (5, 10, 15, 30, 60)
SLIPS_MIN = (1, 2, 3, 5)
MICROJOULE_A_MINUTE_A_MILLIWATT = 60_000
MILLIWATT_A_DIGIT = 100
"""The last digit of XX.XXXX kW is 0.1 W."""

DIGITS_MODULUS = 1_000_000


class Demand(NamedTuple):
    """A mean power in mW, and whether it may become a maximum."""

    milliwatt: int
    is_whole: bool


class DemandWindow(msgspec.Struct, array_like=True):
    """The minutes since the last restart.

    Attributes:
        period_minutes, slip_minutes: see 04000103 and 04000104; a block window has both equal.
        skipped: minutes still to be left out, because the restart did not fall on a minute.
        minutes: energy of the minutes that count, in microjoule, the newest last; at most `period_minutes`.
    """

    period_minutes: int = 15
    slip_minutes: int = 1
    skipped: int = 0
    minutes: list[int] = []


def are_allowed(period_minutes: int, slip_minutes: int) -> bool:
    """Whether the standard has this pair: a sliding window of whole slips, or a block window."""
    if period_minutes not in PERIODS_MIN:
        return False
    return slip_minutes == period_minutes or (slip_minutes in SLIPS_MIN and not period_minutes % slip_minutes)


def restarted(window: DemandWindow, second: int) -> DemandWindow:
    """The window after a restart at `second` of a minute: no maximum before a whole period of whole minutes."""
    return DemandWindow(window.period_minutes, window.slip_minutes, 1 if second > 1 else 0, [])


def minute_passed(window: DemandWindow, minute_of_day: int, microjoule: int) -> Demand | None:
    """Book the minute that ended at `minute_of_day` (0 for midnight); the demand, where the window ends with it.

    `microjoule`: magnitude of the minute's energy. Changes `window`.
    """
    assert microjoule >= 0
    if window.skipped:
        window.skipped -= 1
        return None
    window.minutes = [*window.minutes, microjoule][-window.period_minutes :]
    if minute_of_day % window.slip_minutes:
        return None
    unit = MICROJOULE_A_MINUTE_A_MILLIWATT * window.period_minutes
    milliwatt = (sum(window.minutes) + unit // 2) // unit
    return Demand(milliwatt, len(window.minutes) == window.period_minutes)


def demand_view(milliwatt: int) -> int:
    """A demand in units of the last digit of XX.XXXX kW, halves up."""
    return (milliwatt + MILLIWATT_A_DIGIT // 2) // MILLIWATT_A_DIGIT % DIGITS_MODULUS


def is_new_maximum(demand: Demand, maximum_view: int) -> bool:
    """Whether `demand` replaces a maximum of `maximum_view`: only one that is strictly greater as it is shown."""
    return demand.is_whole and demand_view(demand.milliwatt) > maximum_view
