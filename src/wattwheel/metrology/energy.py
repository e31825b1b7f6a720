"""Energy registers: integers that never fall, with the remainder kept.

A window's energy is rounded once, to 2**-32 microjoule, and from there on everything is integer addition. Registers
are the whole microjoules of these sums; what is below a microjoule stays in the sum and is saved and restored with
it.

Rules: P >= 0 adds to import, P < 0 its magnitude to export; the quadrant is I, II, III, IV for (P >= 0, Q >= 0), (P <
0, Q >= 0), (P < 0, Q < 0), (P >= 0, Q < 0). Apparent energy is rms voltage times rms current of the window times its
length, import where P >= 0, else export; that of the total is the arithmetic sum of the phases, of a 3-wire meter times
cos 30 degrees. Each element goes by its own signs, the total by those of the algebraic sums. A power below the no-load
threshold counts as nothing for that window: its registers, remainders included, stay as they are; apparent energy is
booked where active or reactive energy is. A register that has reached `REGISTER_MAX` stands still: what is told of it
fits the core link for ever.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from wattwheel.metrology.wiring import THREE_WIRE_APPARENT_SHARE, Wiring
from wattwheel.model.errors import ItemValueError
from wattwheel.model.records import QUADRANTS, REGISTER_COUNT, REGISTER_COUNT_BEFORE, REGISTERS, widened
from wattwheel.protocols.corelink_bodies import REGISTER_MAX

if TYPE_CHECKING:
    from wattwheel.metrology.quantities import Window

FINE_BITS = 32
"""Sums are kept in 2**-32 microjoule."""

MICROJOULE_PER_KWH = 3_600_000_000_000
"""1 kWh = 3.6 MJ."""

VIEW_DIGITS = 6
"""Digits in front of the point of a register as it is shown: 999999 kWh, then 0 again."""

_FINE_MAX = ((REGISTER_MAX + 1) << FINE_BITS) - 1
_FINE_PER_JOULE = float(1_000_000 << FINE_BITS)
_FINE = struct.Struct("<QQ")  # low and high half of a fine sum
STATE_OCTETS = _FINE.size * REGISTER_COUNT
"""Octets of a saved state."""

STATE_OCTETS_BEFORE = _FINE.size * REGISTER_COUNT_BEFORE
"""Octets of a state that a version without apparent energy has saved."""


class Registers:
    """The energy registers of a meter: (total, a, b, c) x `model.records.REGISTERS`."""

    def __init__(self) -> None:
        self._fine = [0] * REGISTER_COUNT

    def book(self, window: Window) -> None:
        """Add a window's energy."""
        threshold = window.rating.no_load_power_w
        scale = window.duration_s * _FINE_PER_JOULE
        active, reactive, apparent = window.active_power_w, window.reactive_power_var, window.apparent_power_va
        if window.wiring is Wiring.THREE_WIRE:
            # One element of two may show next to nothing under full load: only the sum tells whether there is load.
            is_active = [abs(sum(active)) >= threshold] * 2
            is_reactive = [abs(sum(reactive)) >= threshold] * 2
        else:
            is_active = [abs(power) >= threshold for power in active]
            is_reactive = [abs(power) >= threshold for power in reactive]
        total_active = total_reactive = total_apparent = 0
        for place, phase in enumerate(window.wiring.elements):
            fine_active = round(active[place] * scale) if is_active[place] else 0
            fine_reactive = round(reactive[place] * scale) if is_reactive[place] else 0
            fine_apparent = round(apparent[place] * scale) if is_active[place] or is_reactive[place] else 0
            self._add(phase * len(REGISTERS), fine_active, fine_reactive, fine_apparent)
            total_active += fine_active
            total_reactive += fine_reactive
            total_apparent += fine_apparent
        if window.wiring is Wiring.THREE_WIRE:
            total_apparent = round(total_apparent * THREE_WIRE_APPARENT_SHARE)
        self._add(0, total_active, total_reactive, total_apparent)

    def _add(self, first: int, active: int, reactive: int, apparent: int) -> None:
        if active >= 0:
            self._raise(first, active)
            self._raise(first + 6, apparent)
            quadrant = 2 if reactive >= 0 else 5
        else:
            self._raise(first + 1, -active)
            self._raise(first + 7, apparent)
            quadrant = 3 if reactive >= 0 else 4
        self._raise(first + quadrant, abs(reactive))

    def _raise(self, place: int, fine: int) -> None:
        """Add `fine`, up to the end of the register."""
        before = self._fine[place]
        self._fine[place] = max(before, min(before + fine, _FINE_MAX))

    def snapshot(self) -> tuple[int, ...]:
        """The registers in whole microjoule, element-major as in `model.records.EnergyTotals`."""
        return tuple(fine >> FINE_BITS for fine in self._fine)

    def fine(self) -> tuple[int, ...]:
        """The registers in 2**-32 microjoule."""
        return tuple(self._fine)

    def fine_active(self) -> int:
        """Import plus export of the total in 2**-32 microjoule: what the active test output counts."""
        return self._fine[0] + self._fine[1]

    def fine_reactive(self) -> int:
        """All quadrants of the total in 2**-32 microvar-seconds: what the reactive test output counts."""
        return sum(self._fine[QUADRANTS])

    def preset(self, microjoule: tuple[int, ...]) -> None:
        """Set all registers (factory mode and tests); remainders become zero."""
        assert len(microjoule) == REGISTER_COUNT
        assert min(microjoule) >= 0
        self._fine = [value << FINE_BITS for value in microjoule]

    def go_on(self, microjoule: tuple[int, ...]) -> None:
        """Let all registers have risen to so many microjoule; remainders stay."""
        assert len(microjoule) == REGISTER_COUNT
        rest = (1 << FINE_BITS) - 1
        self._fine = [value << FINE_BITS | fine & rest for value, fine in zip(microjoule, self._fine, strict=True)]

    def to_state(self) -> bytes:
        """Everything, remainders included, in `STATE_OCTETS` octets."""
        low = (1 << 64) - 1
        return b"".join(_FINE.pack(fine & low, fine >> 64) for fine in self._fine)

    @classmethod
    def from_state(cls, octets: bytes) -> Registers:
        """The registers that `to_state` saved, in this version or in one without apparent energy, which begins at 0.

        Raises ItemValueError when the octets are too many or too few.
        """
        if len(octets) not in (STATE_OCTETS, STATE_OCTETS_BEFORE):
            raise ItemValueError("state of the registers", f"{len(octets)} octets", f"{STATE_OCTETS} octets")
        registers = cls()
        registers._fine = list(widened([low | high << 64 for low, high in _FINE.iter_unpack(octets)]))
        return registers


def view_kwh(microjoule: int, decimals: int = 2) -> int:
    """A register as it is shown: units of the last of `decimals` digits of a kWh, without the digits that do not fit.

    Behind 999999.99 comes 0.00; what was not shown yet is in the microjoules and carries over exactly.
    """
    unit = int(10**decimals)
    return microjoule * unit // MICROJOULE_PER_KWH % (unit * int(10**VIEW_DIGITS))
