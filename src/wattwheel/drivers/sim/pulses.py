"""A pulse sink of the simulated world: it outlives the core, as whoever counts the flashes of a lamp does."""

from __future__ import annotations

from collections.abc import Sequence

from wattwheel.hil.pulses import Pulse


class SimPulses:
    """`hil.pulses.PulseSink` that keeps everything.

    Attributes:
        pulses: all that were given, in order.
        remembers: it can be asked what it has.
    """

    def __init__(self, remembers: bool = True) -> None:
        self.pulses: list[Pulse] = []
        self.remembers = remembers

    def last(self, kind: str) -> int | None:
        """Number of the last pulse of `kind`."""
        return next((pulse.number for pulse in reversed(self.pulses) if pulse.kind == kind), None)

    def give(self, pulses: Sequence[Pulse]) -> int:
        """Take them all."""
        self.pulses.extend(pulses)
        return 0

    def of(self, kind: str) -> list[Pulse]:
        """Those of one kind."""
        return [pulse for pulse in self.pulses if pulse.kind == kind]
