"""Prices out of the parameter items: tariff prices, steps, their two sets and switch-overs, ends of step periods.

Pure: octets by identifier in, a plan out. Prices count 0.0001 a kWh, limits 0.01 kWh. What was never written
counts as 0. Times are the meter's local standard time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, NamedTuple

import msgspec

from wattwheel.model.profile import after_copy
from wattwheel.model.tariff import STEP_LIMITS_MAX, TARIFFS_MAX, step_number
from wattwheel.model.tariff_parameters import changed_over, instant_of

PRICES_SWITCH, STEPS_SWITCH = 0x04000108, 0x04000109
STEP_COUNT = 0x04000207
CURRENT_RATIO, VOLTAGE_RATIO = 0x04000306, 0x04000307
TARIFF_PRICES = (0x04050100, 0x04050200)
STEP_LIMITS = (0x04060000, 0x04060200)
STEP_PRICES = (0x04060100, 0x04060300)
STEP_SETTLEMENTS = (0x04060400, 0x04060500)
"""Of the first and the second set; the items themselves count from 1."""

STEP_PRICES_MAX = STEP_LIMITS_MAX + 1
STEP_SETTLEMENTS_MAX = 4
EVERY_MONTH = (0x99, 0xFF)
INSTANT_OCTETS = 3
YEARS_LOOKED_AHEAD = 5
"""29 February comes again within them, except around 2100."""


class YearInstant(NamedTuple):
    """When a step period ends; `month` None: every month."""

    month: int | None
    day: int
    hour: int


class PricePlan(msgspec.Struct, frozen=True):
    """The running sets.

    Attributes:
        tariff_prices: that of tariff 1 first.
        limits: steps end there.
        step_prices: that of step 1 first.
        instants: when step periods end.
        ratio: voltage ratio times current ratio: of what flows to what is metered.
    """

    tariff_prices: tuple[int, ...] = ()
    limits: tuple[int, ...] = ()
    step_prices: tuple[int, ...] = ()
    instants: tuple[YearInstant, ...] = ()
    ratio: int = 1

    def tariff_price(self, tariff: int) -> int:
        """Of a kWh in `tariff` (1 is the first)."""
        return self.tariff_prices[tariff - 1] if tariff <= len(self.tariff_prices) else 0

    def step(self, used: int) -> int:
        """The step in force when `used` has been used in the step period; 0: there are no steps."""
        return step_number(self.limits, used)

    def step_price(self, used: int) -> int:
        """Of a kWh in that step, beside the tariff's."""
        step = self.step(used)
        return self.step_prices[step - 1] if 0 < step <= len(self.step_prices) else 0


NO_PRICES = PricePlan()


class PriceSets(msgspec.Struct, frozen=True, array_like=True):
    """Which sets are running (0 first, 1 second), and the switch-over instants that were executed last, as written."""

    prices: Annotated[int, msgspec.Meta(ge=0, le=1)] = 0
    steps: Annotated[int, msgspec.Meta(ge=0, le=1)] = 0
    prices_switched: bytes = b""
    steps_switched: bytes = b""


FIRST_PRICES = PriceSets()


def switched(sets: PriceSets, parameters: Mapping[int, bytes], local: datetime) -> PriceSets:
    """The sets that run at `local`: each pair changes over once at its instant, or later when that was missed."""
    prices = changed_over(sets.prices, sets.prices_switched, PRICES_SWITCH, parameters, local)
    steps = changed_over(sets.steps, sets.steps_switched, STEPS_SWITCH, parameters, local)
    found = PriceSets(prices[0], steps[0], prices[1], steps[1])
    return sets if found == sets else found


def copied(sets: PriceSets, parameters: Mapping[int, bytes]) -> PriceSets:
    """The sets that run once `parameters` tell of copies, see `profile.after_copy`."""
    prices = after_copy(sets.prices, sets.prices_switched, PRICES_SWITCH, parameters)
    steps = after_copy(sets.steps, sets.steps_switched, STEPS_SWITCH, parameters)
    found = PriceSets(prices[0], steps[0], prices[1], steps[1])
    return sets if found == sets else found


def next_switch(sets: PriceSets, parameters: Mapping[int, bytes]) -> datetime | None:
    """The first switch-over that has not been executed, whether it is still to come or not; None: there is none."""
    pairs = ((PRICES_SWITCH, sets.prices_switched), (STEPS_SWITCH, sets.steps_switched))
    waiting = (octets for di, executed in pairs if (octets := parameters.get(di, b"")) != executed)
    return min((time for octets in waiting if (time := instant_of(octets, UTC)) is not None), default=None)


def plan_of(parameters: Mapping[int, bytes], sets: PriceSets = FIRST_PRICES) -> PricePlan:
    """The plan of the running `sets`. No valid step settlement instant: no steps."""

    def numbers(first: int, most: int) -> tuple[int, ...]:
        return tuple(number(parameters.get(first + at, b"")) for at in range(1, most + 1))

    instants = _instants(parameters, STEP_SETTLEMENTS[sets.steps])
    steps = min(number(parameters.get(STEP_COUNT, b"\x06")), STEP_LIMITS_MAX) if instants else 0
    limits = numbers(STEP_LIMITS[sets.steps], steps)
    return PricePlan(
        numbers(TARIFF_PRICES[sets.prices], TARIFFS_MAX),
        limits,
        numbers(STEP_PRICES[sets.steps], STEP_PRICES_MAX),
        instants if any(limits) else (),
        max(1, number(parameters.get(CURRENT_RATIO, b""))) * max(1, number(parameters.get(VOLTAGE_RATIO, b""))),
    )


def number(octets: bytes) -> int:
    """The number that BCD octets say, 0 for none."""
    try:
        return int(octets[::-1].hex() or "0")
    except ValueError:
        return 0


def _instants(parameters: Mapping[int, bytes], first: int) -> tuple[YearInstant, ...]:
    rows = [parameters.get(first + at, b"") for at in range(1, STEP_SETTLEMENTS_MAX + 1)]
    found = [_instant(octets) for octets in rows]
    if found[0] is not None and found[0].month is None:
        return (found[0],)
    return tuple(each for each in found if each is not None and each.month is not None)


def _instant(octets: bytes) -> YearInstant | None:
    if len(octets) != INSTANT_OCTETS:
        return None
    try:
        hour, day = (int(f"{octet:02x}") for octet in octets[:2])
        month = None if octets[2] in EVERY_MONTH else int(f"{octets[2]:02x}")
        datetime(2000, month or 1, day, hour, tzinfo=UTC)  # a leap year
    except ValueError:
        return None
    return YearInstant(month, day, hour)


def next_settlement(instants: Sequence[YearInstant], after: datetime) -> datetime | None:
    """The first end of a step period later than `after`; a day that a month does not have is left out."""
    for ahead in range(YEARS_LOOKED_AHEAD):
        year = after.year + ahead
        times = [
            time
            for instant in instants
            for month in ((instant.month,) if instant.month else range(1, 13))
            if (time := _time(year, month, instant, after)) is not None and time > after
        ]
        if times:
            return min(times)
    return None


def _time(year: int, month: int, instant: YearInstant, like: datetime) -> datetime | None:
    try:
        return datetime(year, month, instant.day, instant.hour, tzinfo=like.tzinfo)
    except ValueError:
        return None
