"""Registers and test pulses together: what is told and kept from the first instant on, without the signal chain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wattwheel.metrology.energy import Registers
from wattwheel.metrology.pulse_output import PulseCounters, PulseOutput

if TYPE_CHECKING:
    from wattwheel.metrology.quantities import Window


class EnergyLedger:
    """The registers and the pulses that follow from them.

    Attributes:
        counters: of the pulses.
    """

    def __init__(self, active_imp_per_kwh: int, reactive_imp_per_kvarh: int, output: PulseOutput | None = None) -> None:
        """`output`: where the pulses go, None: they are only counted. Raises ConfigError for an impossible constant."""
        self._registers = Registers()
        self.counters = PulseCounters(active_imp_per_kwh, reactive_imp_per_kvarh, output)

    def book(self, window: Window) -> None:
        """Add the energy of a window."""
        registers, span = self._registers, window.span
        registers.book(window)
        self.counters.book((registers.fine_active(), registers.fine_reactive()), span.start, span.end)

    def registers(self) -> tuple[int, ...]:
        """The registers in microjoule, in the order of `model.records.EnergyTotals`."""
        return self._registers.snapshot()

    def pulses(self) -> tuple[int, int]:
        """Active and reactive test pulses since the registers stood at zero."""
        return self.counters.counts

    def to_state(self) -> bytes:
        """Registers with their remainders; the pulses follow from them."""
        return self._registers.to_state()

    def from_state(self, state: bytes) -> None:
        """Continue from `to_state`. Raises ItemValueError for octets that are no state, and changes nothing."""
        registers = self._registers = Registers.from_state(state)
        self.counters.count_up((registers.fine_active(), registers.fine_reactive()))
