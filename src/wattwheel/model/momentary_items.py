"""Momentary values as data items 02xxxxxx, in the units of their last digits. Pure."""

from __future__ import annotations

from wattwheel.model.records import ElementReading, Momentary

_PER_ELEMENT = (
    # DI2, field, divisor from its unit to the picture's last digit, total first in the block
    (0x01, "voltage_millivolt", 100, False),
    (0x02, "current_microampere", 1000, False),
    (0x03, "active_power_milliwatt", 100, True),
    (0x04, "reactive_power_millivar", 100, True),
    (0x05, "apparent_power_millivoltampere", 100, True),
    (0x06, "power_factor_millionth", 1000, True),
    (0x07, "phase_angle_millidegree", 100, False),
    (0x08, "thd_voltage_millipercent", 10, False),
    (0x09, "thd_current_millipercent", 10, False),
)
PHASE_ANGLE_DI2, FULL_TURN = 0x07, 3600
FREQUENCY_DI, NEUTRAL_CURRENT_DI = 0x02800002, 0x02800001


def rounded(value: int, divisor: int) -> int:
    """`value` / `divisor`, to the nearest, halves away from zero."""
    units = (abs(value) + divisor // 2) // divisor
    return -units if value < 0 else units


def momentary_items(momentary: Momentary) -> dict[int, int | tuple[int | None, ...]]:
    """Identifier to value of every momentary item that is there; a block keeps the places of absent phases."""
    values: dict[int, int | tuple[int | None, ...]] = {}
    for di2, field, divisor, has_total in _PER_ELEMENT:
        column = [_value(element, field, divisor, di2) for element in momentary.elements]
        members = column if has_total else column[1:]
        for number, value in enumerate(column):
            if value is not None and (number or has_total):
                values[0x02000000 | di2 << 16 | number << 8] = value
        if any(value is not None for value in members):
            values[0x0200FF00 | di2 << 16] = tuple(members)
    if momentary.frequency_millihertz is not None:
        values[FREQUENCY_DI] = rounded(momentary.frequency_millihertz, 10)
    if momentary.neutral_current_microampere is not None:
        values[NEUTRAL_CURRENT_DI] = rounded(momentary.neutral_current_microampere, 1000)
    return values


def _value(element: ElementReading, field: str, divisor: int, di2: int) -> int | None:
    value = getattr(element, field)
    if value is None:
        return None
    units = rounded(value, divisor)
    return units % FULL_TURN if di2 == PHASE_ANGLE_DI2 else units
