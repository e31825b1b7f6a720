"""How the meter is connected and what it is rated for: the two facts the signal chain is built around."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import NamedTuple

from wattwheel.hil.sampling import SampleFormat
from wattwheel.model.errors import ConfigError

RATE_HZ_MIN, RATE_HZ_MAX = 400.0, 50_000.0
"""Sample rates the chain is built and tested for."""

BITS_MAX = 24
"""Widest counts for which every sum is exact in 64-bit integers and in float64."""

NOMINAL_HZ = (50.0, 60.0)
"""Mains frequencies that a meter may be rated for."""


THREE_WIRE_APPARENT_SHARE = math.sqrt(0.75)
"""Of a 3-wire meter: apparent power of a balanced load over the sum of the two elements, line voltage times current."""


class Wiring(StrEnum):
    """How the elements are connected.

    THREE_WIRE is the two-element (Aron) connection: the voltage columns hold the line voltages a-b and c-b, the
    current columns the line currents a and c. A source with three columns has its middle one left out.
    """

    SINGLE_PHASE = "single-phase"
    FOUR_WIRE = "three-phase 4-wire"
    THREE_WIRE = "three-phase 3-wire"

    @property
    def elements(self) -> tuple[int, ...]:
        """Places of the metered phases in `model.records.ELEMENTS` (0 is the total)."""
        return {Wiring.SINGLE_PHASE: (1,), Wiring.FOUR_WIRE: (1, 2, 3), Wiring.THREE_WIRE: (1, 3)}[self]


class Rating(NamedTuple):
    """What the type plate says, secondary side.

    Attributes:
        nominal_hz: 50 or 60; decides the window (10 or 12 cycles) and the zero-crossing filter.
        reference_voltage_v: Un between the terminals of one element.
        starting_current_a: Ist, the current from which the meter must register.
        no_load_share: a window whose active (or fundamental reactive) power is below this share of Un x Ist books
            none.
        interruption_share: below this share of Un a voltage counts as dead and is no frequency reference.
    """

    nominal_hz: float = 50.0
    reference_voltage_v: float = 220.0
    starting_current_a: float = 0.02
    no_load_share: float = 0.45
    interruption_share: float = 0.05

    @property
    def cycles_per_window(self) -> int:
        """10 cycles at 50 Hz, 12 at 60 Hz (IEC 61000-4-30): about 200 ms."""
        return 10 if self.nominal_hz < 55.0 else 12

    @property
    def no_load_power_w(self) -> float:
        """The no-load threshold in W (and var)."""
        return self.no_load_share * self.starting_current_a * self.reference_voltage_v


def columns(form: SampleFormat, wiring: Wiring) -> tuple[int, ...]:
    """The columns of a source that are metered under `wiring`. Raises ConfigError when source and wiring do not
    fit."""
    count = len(form.voltage_v_per_count)
    wanted = {Wiring.SINGLE_PHASE: (1, 2, 3), Wiring.FOUR_WIRE: (3,), Wiring.THREE_WIRE: (2, 3)}[wiring]
    if count != len(form.current_a_per_count) or count not in wanted:
        found = f"{count} voltage and {len(form.current_a_per_count)} current columns"
        raise ConfigError("samples", found, f"{' or '.join(map(str, wanted))} of each for {wiring}")
    return {Wiring.SINGLE_PHASE: (0,), Wiring.FOUR_WIRE: (0, 1, 2), Wiring.THREE_WIRE: (0, count - 1)}[wiring]


def check(form: SampleFormat, rating: Rating) -> None:
    """Raise ConfigError unless the chain can meter samples of `form` for a meter of `rating`."""
    if not RATE_HZ_MIN <= form.rate_hz <= RATE_HZ_MAX:
        raise ConfigError("samples.rate_hz", form.rate_hz, f"{RATE_HZ_MIN:g} to {RATE_HZ_MAX:g}")
    if not 2 <= form.bits <= BITS_MAX:
        raise ConfigError("samples.bits", form.bits, f"2 to {BITS_MAX}")
    if rating.nominal_hz not in NOMINAL_HZ:
        raise ConfigError("rating.nominal_hz", rating.nominal_hz, "50 or 60")
    for name in ("reference_voltage_v", "starting_current_a", "interruption_share"):
        if not getattr(rating, name) > 0.0:
            raise ConfigError(f"rating.{name}", getattr(rating, name), "more than 0")
    if not rating.no_load_share >= 0.0:
        raise ConfigError("rating.no_load_share", rating.no_load_share, "0 or more")
