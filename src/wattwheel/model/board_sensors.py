"""What a meter's board measures of itself: its two batteries and, where there is a thermometer, its temperature."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

CLOCK_BATTERY_LOW = 261
"""A clock cell is low below it, in hundredths of a volt."""

READING_BATTERY_LOW, READING_BATTERY_FLAT = 481, 360
"""A reading battery is low below the first, and feeds no display any more below the second. The first is of a known
design; the second is this meter's own."""

TEXT_MAX = 12


class Sensor(NamedTuple):
    """One of them: the item that tells its value, digits behind the point, and the least and most in units of these."""

    di: int
    decimals: int
    least: int
    most: int


SENSORS = {
    "clock-battery": Sensor(0x02800008, 2, 0, 2000),
    "reading-battery": Sensor(0x02800009, 2, 0, 2000),
    "temperature": Sensor(0x02800007, 1, -1000, 1500),
}
"""By the names under which a person lets one show something: volts, degrees Celsius."""


def allowed(name: str) -> str:
    """What the sensor `name` may show, for a person."""
    own = SENSORS[name]
    least, most = own.least / 10**own.decimals, own.most / 10**own.decimals
    return f"{least:g} to {most:g}, at most {own.decimals} digits behind the point"


def value_of(sensor: Sensor, text: str) -> int | None:
    """The value that `text` says, in units of the last digit; None for what is no number, too fine, or out of range."""
    try:
        value = Decimal(text[:TEXT_MAX]).scaleb(sensor.decimals) if len(text) <= TEXT_MAX else Decimal("nan")
        return int(value) if sensor.least <= value <= sensor.most and value == int(value) else None
    except (ArithmeticError, ValueError):
        return None
