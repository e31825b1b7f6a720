"""Thresholds and delays of events (0409xxxx, 04000E03, 04000E04): defaults, and what is written as integers. Pure.

A threshold of 0 means that its event is not recorded; a delay of 0 means that it begins and ends at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from wattwheel.model.ratings import Ratings, share

DELAY_S = "60"
FIXED_DELAY_S = 60
"""Of the events that have no parameter for it."""

POWER_DIGITS_MAX = 999_999
"""NN.NNNN kW."""

MILLIVOLT_A_DIGIT, MICROAMPERE_A_DIGIT, MILLIWATT_A_DIGIT = 100, 100, 100
MICROAMPERE_AN_OVERCURRENT_DIGIT = 100_000
"""The current of 04090801 has one decimal only."""

VOLTAGE_UPPER, VOLTAGE_LOWER = 0x04000E03, 0x04000E04
CHECK_UPPER, CHECK_LOWER = 0x04090C01, 0x04090C02
DELAYS = {
    0x01: 0x04090104,
    0x02: 0x04090202,
    0x03: 0x04090302,
    0x04: 0x04090403,
    0x05: 0x04090502,
    0x06: 0x04090602,
    0x07: 0x04090704,
    0x08: 0x04090802,
    0x09: 0x04090903,
    0x0A: 0x04090A02,
    0x0B: 0x04090B02,
    0x0D: 0x04090D03,
    0x0E: 0x04090E02,
    0x0F: 0x04090F02,
}
"""Group (DI1) of an event's thresholds to its delay."""

_SQUARE_ROOT_OF_3_PERMILLE = 1732


def default_thresholds(ratings: Ratings) -> dict[int, str]:
    """Identifier to digits, the highest first, of what was never written."""
    voltage, current = ratings.nominal_voltage_millivolt, ratings.nominal_current_microampere
    phase_milliwatt = voltage * ratings.maximum_current_microampere // 1_000_000
    elements_permille = {"1p2w": 1000, "3p4w": 3000, "3p3w": _SQUARE_ROOT_OF_3_PERMILLE}[ratings.wiring]
    demand = _power(phase_milliwatt * elements_permille // 1000, 1200)
    trigger, recovery = _current(current, 5), _current(current, 50)
    return {
        VOLTAGE_UPPER: _voltage(voltage, 1070),
        VOLTAGE_LOWER: _voltage(voltage, 930),
        0x04090101: _voltage(voltage, 780),
        0x04090102: _voltage(voltage, 850),
        0x04090103: trigger,
        0x04090201: _voltage(voltage, 780),
        0x04090301: _voltage(voltage, 1200),
        0x04090401: _voltage(voltage, 600),
        0x04090402: trigger,
        0x04090501: "3000",
        0x04090601: "3000",
        0x04090701: _voltage(voltage, 700),
        0x04090702: trigger,
        0x04090703: recovery,
        0x04090801: f"{min(9999, share(ratings.maximum_current_microampere, 1200, 100_000)):04}",
        0x04090901: _voltage(voltage, 600),
        0x04090902: trigger,
        0x04090A01: _power(voltage * current // 1_000_000, 5),
        0x04090B01: _power(phase_milliwatt, 1200),
        CHECK_UPPER: _voltage(voltage, 1200),
        CHECK_LOWER: _voltage(voltage, 700),
        0x04090D01: demand,
        0x04090D02: demand,
        0x04090E01: "0300",
        0x04090F01: "9000",
        **dict.fromkeys(DELAYS.values(), DELAY_S),
    }


def _voltage(millivolt: int, permille: int) -> str:
    return f"{min(9999, share(millivolt, permille, MILLIVOLT_A_DIGIT)):04}"


def _current(microampere: int, permille: int) -> str:
    return f"{min(999_999, share(microampere, permille, MICROAMPERE_A_DIGIT)):06}"


def _power(milliwatt: int, permille: int) -> str:
    return f"{min(POWER_DIGITS_MAX, share(milliwatt, permille, MILLIWATT_A_DIGIT)):06}"


class Thresholds(NamedTuple):
    """Thresholds in the units of the readings: mV, µA, mW; rates in 0.01 %, the power factor in millionths.

    `demand_active`, `demand_reactive`: in the last digit of a demand, 0.1 W. `voltage_*` and `check_*`: 0.1 V.
    `delays_s`: by group.
    """

    loss_voltage: int
    loss_recovery_voltage: int
    loss_current: int
    under_voltage: int
    over_voltage: int
    failure_voltage: int
    failure_current: int
    voltage_imbalance: int
    current_imbalance: int
    current_loss_voltage: int
    current_loss_current: int
    current_loss_recovery: int
    over_current: int
    interruption_voltage: int
    interruption_current: int
    reversal: int
    overload: int
    demand_active: int
    demand_reactive: int
    power_factor: int
    severe_imbalance: int
    voltage_upper: int
    voltage_lower: int
    check_upper: int
    check_lower: int
    delays_s: Mapping[int, int]


_FIELDS = (
    *((0x04090101, 100), (0x04090102, 100), (0x04090103, 100), (0x04090201, 100), (0x04090301, 100)),
    *((0x04090401, 100), (0x04090402, 100), (0x04090501, 1), (0x04090601, 1)),
    *((0x04090701, 100), (0x04090702, 100), (0x04090703, 100)),
    *((0x04090801, MICROAMPERE_AN_OVERCURRENT_DIGIT), (0x04090901, 100), (0x04090902, 100)),
    *((0x04090A01, 100), (0x04090B01, 100), (0x04090D01, 1), (0x04090D02, 1), (0x04090E01, 1000), (0x04090F01, 1)),
    *((VOLTAGE_UPPER, 1), (VOLTAGE_LOWER, 1), (CHECK_UPPER, 1), (CHECK_LOWER, 1)),
)
"""Identifier and what its last digit is worth, in the order of `Thresholds`."""


def thresholds_of(parameters: Mapping[int, bytes]) -> Thresholds:
    """What is written; an item that is missing is 0: its event is off."""
    values = [_number(parameters.get(di)) * worth for di, worth in _FIELDS]
    delays_s = {group: _number(parameters.get(di)) for group, di in DELAYS.items()}
    return Thresholds._make([*values, delays_s])


def _number(octets: bytes | None) -> int:
    digits = (octets or b"")[::-1].hex()
    return int(digits) if digits.isdecimal() else 0
