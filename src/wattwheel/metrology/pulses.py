"""Test output: so many pulses a kWh, none lost, none invented.

The number of pulses is computed from the register by integers, never counted beside it, so the two cannot part: from
the register, count and remainder at the last change of the constant. A pulse's instant is where the energy passed its
threshold, taken as a straight line through the window. The lamp is slower than the registers may be: pulses that come
too fast wait in a queue that is a number, not a list.
"""

from __future__ import annotations

import struct
from typing import NamedTuple, Protocol

from wattwheel.metrology.energy import FINE_BITS, MICROJOULE_PER_KWH
from wattwheel.model.errors import ConfigError, ItemValueError

CONSTANT_MAX = 1_000_000
"""Largest meter constant, pulses a kWh (or kvarh)."""

WIDTH_S = 0.08
"""Length of a pulse, and shortest pause behind it."""

JOULE_PER_KWH = 3_600_000
FINE_PER_KWH = MICROJOULE_PER_KWH << FINE_BITS

_STATE = struct.Struct("<IQQQQQ")  # constant, count, low and high half of register and of remainder
_LOW = (1 << 64) - 1
PULSES_STATE_OCTETS = _STATE.size

QUEUE_MAX = 100_000
"""Pulses that may wait for the lamp: more than two hours of it. Beyond that they are counted as dropped from the lamp
(the registers have them)."""


class Stretch(Protocol):
    """Where a window lies."""

    @property
    def start(self) -> int:
        """First position, in ticks of any kind."""

    @property
    def end(self) -> int:
        """Last position, later than the first."""


class Pulses:
    """Pulses of one kind of energy.

    Attributes:
        constant: pulses a kWh (kvarh).
        count: pulses since the register stood at zero.
        was_changed: the constant was set anew since then.
    """

    def __init__(self, constant: int, fine_energy: int = 0) -> None:
        """`fine_energy`: the register now, in 2**-32 microjoule. Raises ConfigError for an impossible constant."""
        if not 1 <= constant <= CONSTANT_MAX:
            raise ConfigError("pulses.constant", constant, f"1 to {CONSTANT_MAX} imp/kWh")
        self.constant = constant
        self._base = _Base(0, 0, 0)
        self.was_changed = False
        self.count_up(fine_energy)

    def set_constant(self, constant: int) -> None:
        """From now on so many pulses a kWh; what has flowed since the last pulse still counts. Raises ConfigError."""
        if constant == self.constant:
            return
        if not 1 <= constant <= CONSTANT_MAX:
            raise ConfigError("pulses.constant", constant, f"1 to {CONSTANT_MAX} imp/kWh")
        rest = self._gained(self._energy) % FINE_PER_KWH * constant // self.constant
        self._base = _Base(self._energy, self.count, rest)
        self.constant, self.was_changed = constant, True
        self.count_up(self._energy)

    def to_state(self) -> bytes:
        """Constant and what is counted from, in `PULSES_STATE_OCTETS`; from them and the register the count follows."""
        fine, count, rest = self._base
        return _STATE.pack(self.constant, count, fine & _LOW, fine >> 64, rest & _LOW, rest >> 64)

    def take_up(self, octets: bytes) -> None:
        """Continue from `to_state`; `count_up` has to follow. Raises ItemValueError, and changes nothing then."""
        constant, count, fine, fine_high, rest, rest_high = _STATE.unpack(octets)
        if not 1 <= constant <= CONSTANT_MAX:
            raise ItemValueError("saved meter constant", constant, f"1 to {CONSTANT_MAX} imp/kWh")
        self.constant, self.was_changed = constant, True
        self._base = _Base(fine | fine_high << 64, count, rest | rest_high << 64)

    def _gained(self, fine_energy: int) -> int:
        """Energy since the base, times the constant, with what stood over then."""
        base = self._base
        return (fine_energy - base.fine_energy) * self.constant + base.rest

    def count_up(self, fine_energy: int) -> None:
        """Count to the register `fine_energy`, however far it has gone, without asking for instants."""
        self._energy = fine_energy
        self.count = self._base.pulses + max(0, self._gained(fine_energy)) // FINE_PER_KWH

    def book(self, fine_energy: int, span: Stretch) -> list[int]:
        """Instants, in ticks of the samples, of the pulses that the window at `span` adds.

        `fine_energy`: the register behind the window. Call it for every window, in order.
        """
        before, first = self._gained(self._energy), self.count
        self.count_up(fine_energy)
        if self.count <= first:
            return []
        gained = self._gained(fine_energy) - before
        length, counted = span.end - span.start, self._base.pulses
        return [
            span.start + ((number - counted) * FINE_PER_KWH - before) * length // gained
            for number in range(first + 1, self.count + 1)
        ]


class _Base(NamedTuple):
    fine_energy: int
    pulses: int
    rest: int  # energy since the last pulse times the constant


def flash_width_s(constant: int, maximum_power_w: float, width_s: float = WIDTH_S) -> float:
    """Width of a flash: shorter than `width_s` where pulses at maximum power come closer than two of those."""
    return min(width_s, JOULE_PER_KWH / (constant * maximum_power_w) / 2)


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
