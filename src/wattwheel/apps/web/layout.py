"""What stands where on the page: the quantities, their identifiers and the digits of their pictures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from wattwheel.model import catalogue
from wattwheel.model.records import ValueRow
from wattwheel.model.tariff import TARIFFS

PHASES = ("a", "b", "c")
"""The phases in the order of their columns."""

COLUMNS = (*PHASES, "total")
"""Columns of both tables."""

NOTHING = "–"
"""Printed where there is no value: a missing value is never a zero."""


class Quantity(msgspec.Struct, frozen=True):
    """One row of a table: the same quantity for each phase and in total.

    Attributes:
        symbol: the letter of the formulas.
        title: its name.
        unit: printed once for the row.
        dis: column of `COLUMNS` to the identifier that stands there.
        scaled_by: transformer ratios between the secondary and the primary value ("voltage", "current").
    """

    symbol: str
    title: str
    unit: str
    dis: Mapping[str, str]
    scaled_by: tuple[str, ...] = ()


def _of_phases(group: str, total: str | None = None) -> dict[str, str]:
    dis = {"a": f"02{group}0100", "b": f"02{group}0200", "c": f"02{group}0300"}
    return dis if total is None else {**dis, "total": total}


POWER = ("voltage", "current")

MOMENTARY = (
    Quantity("U", "Voltage", "V", _of_phases("01"), ("voltage",)),
    Quantity("I", "Current", "A", _of_phases("02"), ("current",)),
    Quantity("P", "Active power", "kW", _of_phases("03", "02030000"), POWER),
    Quantity("Q", "Reactive power", "kvar", _of_phases("04", "02040000"), POWER),
    Quantity("S", "Apparent power", "kVA", _of_phases("05", "02050000"), POWER),
    Quantity("PF", "Power factor", "", _of_phases("06", "02060000")),
    Quantity("φ", "Phase angle", "°", _of_phases("07")),
    Quantity("dU", "Voltage distortion", "%", _of_phases("08")),
    Quantity("dI", "Current distortion", "%", _of_phases("09")),
)
"""Rows of the table of momentary values."""

SINGLES = (
    Quantity("f", "Frequency", "Hz", {"total": "02800002"}),
    Quantity("Iₙ", "Neutral current", "A", {"total": "02800001"}, ("current",)),
)
"""Values of the whole meter that stand alone above the table."""


def _energy(symbol: str, title: str, unit: str, group: int, phase_offset: int) -> Quantity:
    phases = {phase: f"00{0x14 * (n + 1) + phase_offset:02X}0000" for n, phase in enumerate(PHASES)}
    return Quantity(symbol, title, unit, {**phases, "total": f"00{group:02X}0000"}, POWER)


ENERGY = (
    _energy("+A", "Active, import", "kWh", 0x01, 0x01),
    _energy("−A", "Active, export", "kWh", 0x02, 0x02),
    Quantity("A", "Active, combined", "kWh", {"total": "00000000"}, POWER),
    _energy("R1", "Reactive, quadrant I", "kvarh", 0x05, 0x05),
    _energy("R2", "Reactive, quadrant II", "kvarh", 0x06, 0x06),
    _energy("R3", "Reactive, quadrant III", "kvarh", 0x07, 0x07),
    _energy("R4", "Reactive, quadrant IV", "kvarh", 0x08, 0x08),
    _energy("+S", "Apparent, import", "kVAh", 0x09, 0x09),
    _energy("−S", "Apparent, export", "kVAh", 0x0A, 0x0A),
    *(
        Quantity(f"T{tariff}", f"Active import, tariff {tariff}", "kWh", {"total": f"0001{tariff:02X}00"}, POWER)
        for tariff in range(1, TARIFFS + 1)
    ),
)
"""Rows of the table of energy registers; the identifiers of the phases lie 14H apart."""


def all_dis() -> list[str]:
    """Every identifier that has a place on the page."""
    return [di for quantity in (*MOMENTARY, *SINGLES, *ENERGY) for di in quantity.dis.values()]


def decimals(di: str) -> int:
    """Digits behind the point in the picture of the item `di`."""
    return len(catalogue.item_2007(int(di, 16)).picture.partition(".")[2])


def primary_decimals(quantity: Quantity, places: int, transformer: Mapping[str, Any] | None) -> int:
    """Digits worth printing of the primary value: one fewer for each full decade of the transformer ratio."""
    ratio = math.prod(float((transformer or {}).get(f"{side}_ratio", 1)) for side in quantity.scaled_by)
    return max(0, places - math.floor(math.log10(ratio))) if ratio > 1 else places


def printed(value: object, places: int) -> str:
    """A value with exactly `places` decimals, texts as they are, `NOTHING` for None."""
    if value is None or isinstance(value, msgspec.UnsetType):
        return NOTHING
    if isinstance(value, int | float):
        return f"{value:.{places}f}"
    return str(value)


def absent_phases(rows: Iterable[ValueRow]) -> frozenset[str]:
    """Phases that this meter does not have: another phase has a voltage, and this one has no value at all."""
    voltages = {row.di: row.value for row in rows if row.di in MOMENTARY[0].dis.values()}
    absent = frozenset(phase for phase in PHASES if voltages.get(MOMENTARY[0].dis[phase]) is None)
    return absent if len(absent) < len(PHASES) else frozenset()
