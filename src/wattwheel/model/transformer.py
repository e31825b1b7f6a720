"""From the meter's own side to the primary side of its transformers."""

from __future__ import annotations

import msgspec

from wattwheel.model.records import ValueRow


class Ratios(msgspec.Struct, frozen=True):
    """Transformer ratios: primary over secondary. 1 and 1 stand for a directly connected meter."""

    current: int = 1
    voltage: int = 1

    @property
    def is_direct(self) -> bool:
        """True when primary and secondary are the same."""
        return self.current == 1 and self.voltage == 1

    def factor(self, unit: str) -> int | None:
        """Primary over secondary for a quantity in `unit`; None for one that transformers do not touch."""
        if unit == "V":
            return self.voltage
        if unit == "A":
            return self.current
        return self.current * self.voltage if unit in _POWER_AND_ENERGY else None


_POWER_AND_ENERGY = frozenset({"kW", "kvar", "kVA", "kWh", "kvarh", "kVAh"})
_DECIMALS_MAX = 6


def with_primary(row: ValueRow, ratios: Ratios) -> ValueRow:
    """`row` with its primary value beside it, as far as it has one; the rows of a block likewise."""
    if ratios.is_direct:
        return row
    if isinstance(row.value, list):
        return msgspec.structs.replace(row, value=[with_primary(member, ratios) for member in row.value])
    factor = ratios.factor(row.unit)
    if factor is None or not isinstance(row.value, int | float):
        return row
    return msgspec.structs.replace(row, value_primary=round(row.value * factor, _DECIMALS_MAX))
