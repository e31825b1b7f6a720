"""Outputs for pulses: energy pulses, and the signals of the multi-function terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Pulse(NamedTuple):
    """One pulse.

    Attributes:
        kind: "active", "reactive", "second", "demand_period" or "slot_change".
        start_ns: when it begins, on the time of the core's samples: the monotonic clock, unless the input is sped up.
        width_ns: how long it lasts.
        number: of this kind, +1 each; that of an energy pulse is the register's in pulses.
    """

    kind: str
    start_ns: int
    width_ns: int
    number: int


class PulseSink(Protocol):
    """Where pulses go."""

    @property
    def remembers(self) -> bool:
        """What was given outlives the core, and can be asked for: then no pulse needs to wait for the medium."""

    def last(self, kind: str) -> int | None:
        """Number of the last pulse of `kind` that was given, None where there is none."""

    def give(self, pulses: Sequence[Pulse]) -> int:
        """Give `pulses`, in order; how many of them nobody took. Never blocks, never raises."""
