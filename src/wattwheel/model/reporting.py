"""Active reporting: mode word (04001104, which events are reported), status word (04001501, which were). Pure.

The status word has 96 bits, the mode word 64: there one bit stands for an event in each of the three phases. What is
reserved, or stands for what this meter does not have, is never set. The bits are those of the State Grid filings.
"""

from __future__ import annotations

from enum import IntEnum

MODE_OCTETS, STATUS_OCTETS = 8, 12
MODE_DI, STATUS_DI, RESET_DI = 0x04001104, 0x04001501, 0x04001503


class Report(IntEnum):
    """Bits of the status word, those of phase a for what comes for each phase."""

    RELAY_MISOPERATION = 0
    SECURITY_ELEMENT = 1
    CLOCK_BATTERY_LOW = 3
    PROGRAM = 4
    MEMORY = 5
    CLOCK_FAULT = 7
    OUTAGE_BATTERY_LOW = 8
    OVERDRAFT = 9
    METER_COVER = 10
    TERMINAL_COVER = 11
    MAGNETIC_FIELD = 12
    INTERNAL_SUPPLY = 13
    TRIP = 14
    CLOSE = 15
    VOLTAGE_LOSS = 16
    UNDER_VOLTAGE = 17
    OVER_VOLTAGE = 18
    CURRENT_LOSS = 19
    OVER_CURRENT = 20
    OVERLOAD = 21
    REVERSAL = 22
    PHASE_FAILURE = 23
    INTERRUPTION = 24
    VOLTAGE_SEQUENCE = 64
    CURRENT_SEQUENCE = 65
    VOLTAGE_IMBALANCE = 66
    CURRENT_IMBALANCE = 67
    AUXILIARY_SUPPLY = 68
    POWER_DOWN = 69
    DEMAND = 70
    POWER_FACTOR = 71
    SEVERE_IMBALANCE = 72
    ALL_VOLTAGES_LOST = 74
    PROGRAMMING = 80
    METER_CLEAR = 81
    DEMAND_CLEAR = 82
    EVENT_CLEAR = 83
    CLOCK_SET = 84
    DAY_TABLES = 85
    ZONES = 86
    REST_DAYS = 87
    HOLIDAYS = 88
    ACTIVE_COMBINATION = 89
    REACTIVE_COMBINATION_1 = 90
    REACTIVE_COMBINATION_2 = 91
    SETTLEMENT_DAYS = 92
    PRICES = 93
    STEPS = 94
    KEY_UPDATE = 95


PHASE_BITS = 16
"""From a bit of phase a to that of phase b, and of that to that of phase c."""

_PHASES, _METER, _COMMANDS = 16, 64, 80
_METER_MODE = 32

REPORTED_AT_END = frozenset({Report.POWER_DOWN})
"""Events whose end is reported too; of a meter without a relay, their end alone. All others are at their begin."""


def mode_bit(bit: int) -> int:
    """The bit of the mode word that decides about bit `bit` of the status word."""
    if bit < _PHASES:
        return bit
    if bit < _METER:
        return _PHASES + (bit - _PHASES) % PHASE_BITS
    return bit - _METER + _METER_MODE


_BY_DEFAULT = (
    *(Report.POWER_DOWN, Report.METER_COVER, Report.TERMINAL_COVER),
    *(Report.OVER_CURRENT, Report.MAGNETIC_FIELD, Report.CLOCK_FAULT),
)
DEFAULT_MODE = f"{sum(1 << mode_bit(bit) for bit in _BY_DEFAULT):016X}"
"""Mode word of a new meter, the highest digit first."""


def is_wanted(mode: int, bit: int, is_end: bool, has_relay: bool) -> bool:
    """Whether the begin, or the end, of the event with bit `bit` of the status word sets it."""
    if not mode >> mode_bit(bit) & 1:
        return False
    if is_end:
        return bit in REPORTED_AT_END
    return has_relay or bit not in REPORTED_AT_END
