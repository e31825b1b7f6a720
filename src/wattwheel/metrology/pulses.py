"""Test output: so many pulses a kWh, none lost, none invented.

The number of pulses is computed from the register by integers, never counted beside it, so the two cannot part. A
pulse's instant is where the energy passed its threshold, taken as a straight line through the window. The lamp is
slower than the registers may be: pulses that come too fast wait in a queue that is a number, not a list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from wattwheel.metrology.energy import FINE_BITS, MICROJOULE_PER_KWH
from wattwheel.model.errors import ConfigError

if TYPE_CHECKING:
    from wattwheel.metrology.cycles import Span

CONSTANT_MAX = 1_000_000
"""Largest meter constant, pulses a kWh (or kvarh)."""

WIDTH_S = 0.08
"""Length of a pulse, and shortest pause behind it."""

JOULE_PER_KWH = 3_600_000

QUEUE_MAX = 100_000
"""Pulses that may wait for the lamp: more than two hours of it. Beyond that they are counted as dropped from the lamp
(the registers have them)."""


class Pulses:
    """Pulses of one kind of energy.

    Attributes:
        constant: pulses a kWh (kvarh).
        count: pulses since the register stood at zero.
    """

    def __init__(self, constant: int, fine_energy: int = 0) -> None:
        """`fine_energy`: the register now, in 2**-32 microjoule. Raises ConfigError for an impossible constant."""
        if not 1 <= constant <= CONSTANT_MAX:
            raise ConfigError("pulses.constant", constant, f"1 to {CONSTANT_MAX} imp/kWh")
        self.constant = constant
        self._fine_per_kwh = MICROJOULE_PER_KWH << FINE_BITS
        self._energy = fine_energy
        self.count = fine_energy * constant // self._fine_per_kwh

    def count_up(self, fine_energy: int) -> None:
        """Count to the register `fine_energy`, however far it has gone, without asking for instants."""
        self._energy = fine_energy
        self.count = fine_energy * self.constant // self._fine_per_kwh

    def book(self, fine_energy: int, span: Span) -> list[int]:
        """Instants, in ticks of the samples, of the pulses that the window at `span` adds.

        `fine_energy`: the register behind the window. Call it for every window, in order.
        """
        before, first = self._energy, self.count
        self.count_up(fine_energy)
        if self.count <= first:
            return []
        gained = (fine_energy - before) * self.constant
        length = span.end - span.start
        return [
            span.start + (number * self._fine_per_kwh - before * self.constant) * length // gained
            for number in range(first + 1, self.count + 1)
        ]


def flash_width_s(constant: int, maximum_power_w: float) -> float:
    """Width of a flash: shorter than usual where pulses at maximum power come closer than two of the usual ones."""
    return min(WIDTH_S, JOULE_PER_KWH / (constant * maximum_power_w) / 2)


class Flash(NamedTuple):
    """One pulse as the lamp shows it, in ticks of the samples."""

    on: int
    off: int


class TestOutput:
    """Turns pulses into flashes of full width with full pauses between them.

    Attributes:
        dropped: pulses for which the queue had no room.
    """

    __test__ = False

    def __init__(self, ticks_per_second: float, width_s: float = WIDTH_S) -> None:
        self._width = round(width_s * ticks_per_second)
        self._free = 0  # when the lamp can be lit again
        self.dropped = 0

    def light(self, pulses: list[int]) -> list[Flash]:
        """The flashes of `pulses` (instants in order): each at its instant or as soon after as the lamp is free."""
        flashes = []
        for pulse in pulses:
            if self._free - pulse > QUEUE_MAX * 2 * self._width:
                self.dropped += 1
                continue
            on = max(pulse, self._free)
            flashes.append(Flash(on, on + self._width))
            self._free = on + 2 * self._width
        return flashes
