"""The pulses of a `MinuteCore`: counted as the metering core counts them, and given to nobody."""

from __future__ import annotations

from collections.abc import Sequence

from wattwheel.metrology.energy import FINE_BITS
from wattwheel.metrology.pulse_output import PulseCounters
from wattwheel.model.records import QUADRANTS, REGISTER_COUNT

KEPT_MAX = 64
"""Settings of the constants that are remembered: a cut goes back by some seconds."""


class MinutePulses:
    """Counts of the pulses of the registers, under constants that may change at any instant.

    Attributes:
        counters: as the metering core has them, without an output.
    """

    def __init__(self, constants: tuple[int, int], saved: bytes = b"", fine: Sequence[int] = ()) -> None:
        """`constants`: where none were set; `saved`: as the core has saved them; `fine`: the core's registers then, in
        2**-32 microjoule. Raises ConfigError, and ItemValueError for what is no such state.
        """
        self._constants = constants
        own = list(fine) or [0] * REGISTER_COUNT
        rests = [each & ((1 << FINE_BITS) - 1) for each in own]
        self._rests = sum(rests[:2]), sum(rests[QUADRANTS])
        self._before: list[tuple[int, bytes]] = []
        self.counters = self._counters(saved)
        self._begun = self.counts(tuple(each >> FINE_BITS for each in own))

    def _counters(self, saved: bytes) -> PulseCounters:
        counters = PulseCounters(*self._constants)
        counters.take_up(saved)
        return counters

    def counts(self, registers: tuple[int, ...]) -> tuple[int, int]:
        """Active and reactive pulses up to `registers`, in microjoule."""
        active, reactive = self._rests
        fine_active = (registers[0] + registers[1] << FINE_BITS) + active
        self.counters.count_up((fine_active, (sum(registers[QUADRANTS]) << FINE_BITS) + reactive))
        return self.counters.counts

    def set(self, at_ms: int, registers: tuple[int, ...], constants: tuple[int, int]) -> None:
        """Other constants from `at_ms` on, where the registers stood at `registers`. Raises ConfigError."""
        if constants == self.counters.constants:
            return
        self._before = [*self._before[-KEPT_MAX:], (at_ms, self.counters.to_state())]
        self.counts(registers)
        self.counters.set(constants, 1, at_ms)

    def cut(self, synced_ms: int) -> None:
        """The supply was cut: what was set after `synced_ms` is forgotten, as the registers of then stand."""
        while self._before and self._before[-1][0] > synced_ms:
            self.counters = self._counters(self._before.pop()[1])

    def to_state(self, registers: tuple[int, ...]) -> bytes:
        """What the core has to keep beside `registers`."""
        self.counts(registers)
        return self.counters.to_state_unheard(self._begun)
