"""What the metering core's device needs of the parts that it is made of."""

from __future__ import annotations

from typing import Protocol

from wattwheel.hil.sampling import SampleBlock
from wattwheel.model.core_records import HalfCycleEvent, Waveform
from wattwheel.model.records import Momentary


class Ledger(Protocol):
    """Registers and pulses, as the device keeps them."""

    def registers(self) -> tuple[int, ...]:
        """The registers in microjoule, in the order of `model.records.EnergyTotals`."""

    def pulses(self) -> tuple[int, int]:
        """Active and reactive test pulses since the first start."""

    def to_state(self) -> bytes:
        """Registers with their remainders."""

    def from_state(self, state: bytes) -> None:
        """Continue from `to_state`. Raises ItemValueError for octets that are no state, and changes nothing."""


class Meter(Protocol):
    """The signal chain that books into the ledger, as the device sees it."""

    def feed(self, block: SampleBlock) -> None:
        """Measure and book all windows that `block` completes. A gap in the samples only ends the open window."""

    def finish(self) -> None:
        """Book what is left up to the last sample: at an orderly stop."""

    def momentary(self) -> Momentary | None:
        """Of the newest whole window, None before the first."""

    def waveform(self) -> Waveform | None:
        """The last cycle of the newest whole window, None before the first."""

    def no_load(self) -> int:
        """One bit an element (total, a, b, c): set where the newest window's active power is below the threshold."""

    def events(self, since: int) -> list[HalfCycleEvent]:
        """Dips, swells and interruptions with a number above `since`, oldest first."""
