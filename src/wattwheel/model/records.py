"""Values that travel: immutable, in integers, each with its quality.

Scales are those of the metering core's secondary side. Floats do not occur: energy is money.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec

REGISTERS = (
    *("import_active", "export_active"),
    *("reactive_q1", "reactive_q2", "reactive_q3", "reactive_q4"),
    *("import_apparent", "export_apparent"),
)
"""Names of the eight energy registers of one element, in the order of `EnergyTotals`."""

REGISTERS_RECORDED = 6
"""The first of them, without the apparent ones: what the standard's records of events hold."""

QUADRANTS = slice(2, REGISTERS_RECORDED)
"""Those of reactive energy."""

ELEMENTS = ("total", "a", "b", "c")
"""Names of the four elements, in the order of `EnergyTotals` and `Momentary`."""

REGISTER_COUNT = len(ELEMENTS) * len(REGISTERS)
"""All registers of a meter."""

REGISTER_COUNT_BEFORE = len(ELEMENTS) * REGISTERS_RECORDED
"""All registers of a version that kept no apparent energy."""


def widened(registers: Sequence[int]) -> tuple[int, ...]:
    """`registers` of one element or of all; where a version without apparent energy has saved them, with zeros for it.

    Any other number of registers stays as it is.
    """
    if len(registers) not in (REGISTERS_RECORDED, REGISTER_COUNT_BEFORE):
        return tuple(registers)
    none = (0,) * (len(REGISTERS) - REGISTERS_RECORDED)
    places = range(0, len(registers), REGISTERS_RECORDED)
    return tuple(value for at in places for value in (*registers[at : at + REGISTERS_RECORDED], *none))


class Quality(StrEnum):
    """How far a value may be trusted."""

    VALID = "valid"
    STALE = "stale"  # the last good value; its source has gone silent
    INVALID = "invalid"  # there is no value


class EnergyTotals(msgspec.Struct, frozen=True, array_like=True):
    """Running totals of the metering core: never falling, so a lost or doubled push costs nothing.

    Attributes:
        sequence: number of this push, +1 each, kept over restarts of the metering core.
        microjoule: `REGISTER_COUNT` registers, element-major: (total, a, b, c) x (P+, P-, Q1, Q2, Q3, Q4, S+, S-).
            Reactive ones in microvar-seconds, apparent ones in microvoltampere-seconds.
    """

    sequence: int
    microjoule: tuple[int, ...]

    def register(self, name: str, element: str = "total") -> int:
        """The register `name` of `element` in microjoule."""
        return self.microjoule[ELEMENTS.index(element) * len(REGISTERS) + REGISTERS.index(name)]


def directed(current_microampere: int, active_power_milliwatt: int) -> int:
    """The magnitude of a current, of either sign, with the sign of its element's active power: exported is negative."""
    magnitude = abs(current_microampere)
    return -magnitude if active_power_milliwatt < 0 else magnitude


class ElementReading(msgspec.Struct, frozen=True, array_like=True):
    """Momentary quantities of one element over the last window (10 cycles at 50 Hz, 12 at 60 Hz), without DC.

    None: the element is absent. Of the total only powers and power factor are set.
    """

    voltage_millivolt: int | None = None
    current_microampere: int | None = None  # signed as the active power, see `directed`
    active_power_milliwatt: int | None = None
    reactive_power_millivar: int | None = None  # of the fundamental, positive when the current lags
    apparent_power_millivoltampere: int | None = None
    power_factor_millionth: int | None = None  # signed as the active power
    phase_angle_millidegree: int | None = None  # of the current behind the voltage, 0..359999
    voltage_angle_millidegree: int | None = None  # of the fundamental against that of phase a
    thd_voltage_millipercent: int | None = None
    thd_current_millipercent: int | None = None


class Momentary(msgspec.Struct, frozen=True, array_like=True):
    """Momentary quantities of the whole meter, secondary side.

    Attributes:
        elements: total, a, b, c.
        frequency_millihertz: of the last window, None without a voltage.
        neutral_current_microampere: measured or computed from the phases, None when neither can be had.
        sequence_reversed: True when the phases turn a-c-b.
        voltage_unbalance_millipercent: negative over positive sequence component.
        current_unbalance_millipercent: the same of the currents.
    """

    elements: tuple[ElementReading, ElementReading, ElementReading, ElementReading]
    frequency_millihertz: int | None = None
    neutral_current_microampere: int | None = None
    sequence_reversed: bool = False
    voltage_unbalance_millipercent: int | None = None
    current_unbalance_millipercent: int | None = None


class Readings(msgspec.Struct, frozen=True, array_like=True):
    """What the metering service publishes after each push: the newest totals and momentary values.

    `relay_open` is how the relay's contact stands, None where there is none or it is not known yet.
    `at_ns` is the monotonic arrival time of the push; `calendar_s` the meter's calendar time (UTC, seconds since
    2000-01-01) at that instant; `quality` STALE after three missed pushes; `clock_changes` how often that clock had
    been set or synchronised; `is_clock_lost`: it had lost the time and was not set since; `plug`: octets of the core's
    `model.plug_records.PlugRecords`, empty where they are not known or there are none; `is_clock_doubtful`: a broadcast
    time was too far from it.
    """

    at_ns: int
    calendar_s: float
    quality: Quality
    totals: EnergyTotals
    momentary: Momentary | None = None
    pulses: tuple[int, int] = (0, 0)  # active, reactive test pulses since the first start
    clock_changes: int = 0
    relay_open: bool | None = None
    is_clock_lost: bool = False
    core_faults: int = 0  # `model.core_records.CoreFault` bits
    plug: bytes = b""
    is_clock_doubtful: bool = False


class ValueRow(msgspec.Struct, frozen=True, omit_defaults=False, kw_only=True):
    """One value of one data item, the same shape everywhere outside (see `docs/reference/json.md`).

    `value` is a number where the item is one number, a string for texts, times and bit words, a list of rows for
    blocks, None where there is none. `value_primary` exists for a transformer-operated meter only.
    """

    di: str
    name: str
    value: int | float | str | list[ValueRow] | None
    unit: str
    quality: Quality
    at: str | None = None
    value_primary: float | msgspec.UnsetType = msgspec.UNSET
