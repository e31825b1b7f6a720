"""The octets of the six classes of a load record, from registers and momentary values (04000901, 06xxxxxx). Pure.

What is not known is FF octets.
"""

from __future__ import annotations

from collections.abc import Iterable

from wattwheel.model.bcd import signed, unsigned
from wattwheel.model.energy_items import Words, combined, register_view, signed_view
from wattwheel.model.momentary_items import rounded
from wattwheel.model.records import QUADRANTS as QUADRANT_REGISTERS
from wattwheel.model.records import ElementReading, Momentary

VOLTAGES, POWERS, FACTORS, ENERGIES, QUADRANTS, DEMANDS = range(1, 7)
DEMAND_ITEMS = (0x02800004, 0x02800005)
"""Running active and reactive demand: class 6."""

_ABSENT = (ElementReading(),) * 4
_NOT_AVAILABLE = b"\xff"


def voltages(momentary: Momentary | None) -> bytes:
    """Class 1: voltage XXX.X V and current XXX.XXX A of A, B, C, frequency XX.XX Hz."""
    phases = _elements(momentary)[1:]
    frequency = momentary.frequency_millihertz if momentary is not None else None
    return (
        _column((each.voltage_millivolt for each in phases), 100, 2, is_signed=False)
        + _column((each.current_microampere for each in phases), 1000, 3)
        + _column((frequency,), 10, 2, is_signed=False)
    )


def powers(momentary: Momentary | None) -> bytes:
    """Class 2: active power XX.XXXX kW of total, A, B, C, then reactive."""
    elements = _elements(momentary)
    return _column((each.active_power_milliwatt for each in elements), 100, 3) + _column(
        (each.reactive_power_millivar for each in elements), 100, 3
    )


def factors(momentary: Momentary | None) -> bytes:
    """Class 3: power factor X.XXX of total, A, B, C."""
    return _column((each.power_factor_millionth for each in _elements(momentary)), 1000, 2)


def energies(registers: list[int], words: Words) -> bytes:
    """Class 4: forward and reverse active, combined reactive 1 and 2, XXXXXX.XX."""
    reactive = (signed(signed_view(combined(word, registers[QUADRANT_REGISTERS])), 4) for word in words.reactive)
    return b"".join((unsigned(register_view(registers[0]), 4), unsigned(register_view(registers[1]), 4), *reactive))


def quadrants(registers: list[int]) -> bytes:
    """Class 5: reactive energy of the four quadrants, XXXXXX.XX."""
    return b"".join(unsigned(register_view(register), 4) for register in registers[QUADRANT_REGISTERS])


def demands(active: object, reactive: object) -> bytes:
    """Class 6: running demands XX.XXXX from what a read of them gives: a number, octets, or anything else for none."""
    return b"".join(_demand(each) for each in (active, reactive))


def _demand(shown: object) -> bytes:
    if isinstance(shown, bytes):
        return shown[:3].ljust(3, _NOT_AVAILABLE)
    return signed(shown if isinstance(shown, int) else None, 3)


def _elements(momentary: Momentary | None) -> tuple[ElementReading, ...]:
    return _ABSENT if momentary is None else momentary.elements


def _column(values: Iterable[int | None], divisor: int, octets: int, is_signed: bool = True) -> bytes:
    encoded = signed if is_signed else unsigned
    return b"".join(encoded(None if value is None else rounded(value, divisor), octets) for value in values)
