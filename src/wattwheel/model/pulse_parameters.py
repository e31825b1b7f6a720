"""Parameters of the test outputs: meter constants (04000409, 0400040A) and pulse width (04000105)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

PULSE_WIDTH, ACTIVE_CONSTANT, REACTIVE_CONSTANT = 0x04000105, 0x04000409, 0x0400040A
PULSE_ITEMS = (PULSE_WIDTH, ACTIVE_CONSTANT, REACTIVE_CONSTANT)
CONSTANTS, WIDTHS_MS = range(1, 1_000_000), range(1, 1001)
DEFAULT_WIDTH_MS = 80


class PulseParameters(NamedTuple):
    """What the metering core is told: pulses a kWh and a kvarh, and their width."""

    active_imp_per_kwh: int
    reactive_imp_per_kvarh: int
    width_ms: int


def pulses_of(parameters: Mapping[int, bytes]) -> PulseParameters | None:
    """What octets by identifier, as on the wire, say; None: a constant is not there, and the settings' stands."""
    active, reactive, width = (
        _number(parameters.get(di, b"")) for di in (ACTIVE_CONSTANT, REACTIVE_CONSTANT, PULSE_WIDTH)
    )
    if active not in CONSTANTS or reactive not in CONSTANTS:
        return None
    return PulseParameters(active, reactive, width if width in WIDTHS_MS else DEFAULT_WIDTH_MS)


def _number(octets: bytes) -> int:
    digits = octets[::-1].hex()
    return int(digits) if digits.isdecimal() else 0
