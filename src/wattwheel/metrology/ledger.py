"""Registers and test pulses together: what is told and kept from the first instant on, without the signal chain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wattwheel.metrology.energy import Registers
from wattwheel.metrology.pulses import Pulses

if TYPE_CHECKING:
    from wattwheel.metrology.quantities import Window


class EnergyLedger:
    """The registers and the pulses that follow from them."""

    def __init__(self, active_imp_per_kwh: int, reactive_imp_per_kvarh: int) -> None:
        """Raises ConfigError for an impossible meter constant."""
        self._registers = Registers()
        self._active, self._reactive = Pulses(active_imp_per_kwh), Pulses(reactive_imp_per_kvarh)

    def book(self, window: Window) -> None:
        """Add the energy of a window."""
        registers = self._registers
        registers.book(window)
        self._active.count_up(registers.fine_active())
        self._reactive.count_up(registers.fine_reactive())

    def registers(self) -> tuple[int, ...]:
        """The registers in microjoule, in the order of `model.records.EnergyTotals`."""
        return self._registers.snapshot()

    def pulses(self) -> tuple[int, int]:
        """Active and reactive test pulses since the registers stood at zero."""
        return self._active.count, self._reactive.count

    def to_state(self) -> bytes:
        """Registers with their remainders; the pulses follow from them."""
        return self._registers.to_state()

    def from_state(self, state: bytes) -> None:
        """Continue from `to_state`. Raises ItemValueError for octets that are no state, and changes nothing."""
        self._registers = Registers.from_state(state)
        self._active = Pulses(self._active.constant, self._registers.fine_active())
        self._reactive = Pulses(self._reactive.constant, self._registers.fine_reactive())
