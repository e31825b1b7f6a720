"""What a meter may say about its energy: never less than it has said, never more than there was. Pure.

Theory of operation. The input is known, so energy is a straight line of time: `power x speed` a second while the
metering core lives, nothing while it does not. Two upper bounds hold for whatever is answered at an instant t:

- from the power-on: nothing was metered before the meter was launched;
- from each *anchor*, a push that was seen to arrive within a short time: at the instant the meter was last seen without
  that push, all but `LATE_S` of the input was in it. From there on no more can have come than the input delivers.

Both get two windows of the metering chain on top, since a window is booked whole, and `TOLERANCE` for the converter's
steps. The second bound is what shows energy that is booked twice: kills only ever push the line down, and a push
interval counted again would stand `1 s - LATE_S` above it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

WINDOW_S = 0.2
"""Longest window of the chain, in time of the input (10 cycles at 50 Hz, 12 at 60 Hz)."""

LATE_S = 0.6
"""Longest time from the last sample in a push to its publication: a tick (0.2 s), the link, a busy machine."""

TOLERANCE = 2e-4
"""Relative difference between the recording's power and what its samples in whole converter steps give."""

ANCHOR_GAP_S_MAX = 0.3
"""A push makes an anchor when the meter was seen without it at most this long before."""

ANCHORS_MAX = 64
MICROJOULE_PER_UNIT = 36_000_000_000
"""0.01 kWh, the last digit of an energy register."""

_NS = 1e9


class EnergyWitness:
    """Hears every answer about one energy register (import, total) and objects to what cannot be.

    Args:
        power_w: mean power of the input, secondary side.
        speed: seconds of the input in one second.
        launched_ns: monotonic time of the first power-on.

    Attributes:
        microjoule: highest running total told so far by the status.
        units: highest register value told so far, in 0.01 kWh.
        pushes: running total by push sequence, of the newest ones.
        closest_s: how near an answer came to the upper bound, in seconds of the meter's own time at this speed.
    """

    def __init__(self, power_w: float, speed: float, launched_ns: int) -> None:
        self.microjoule = self.units = 0
        self.pushes: dict[int, int] = {}
        self.closest_s = float("inf")
        self._rate = power_w * speed * 1e6  # microjoule a second
        self._windows = 2 * WINDOW_S * power_w * 1e6
        self._launched_ns = launched_ns
        self._anchors: deque[tuple[int, int]] = deque(maxlen=ANCHORS_MAX)
        self._before: tuple[int, int] | None = None  # sequence and time asked of the status before
        self._is_disturbed = True
        self._behind_s: list[float] = []

    def disturbed(self) -> None:
        """Something was killed: the next push says nothing about how old it is."""
        self._is_disturbed = True
        self._before = None

    def heard_status(self, asked_ns: int, told_ns: int, microjoule: int, sequence: int) -> list[str]:
        """Objections to a running total with its push sequence; asked and told at these instants."""
        found = list(self._too_low("running total", microjoule, self.microjoule, "microjoule"))
        found += self._too_high(told_ns, microjoule)
        self.microjoule = max(self.microjoule, microjoule)
        if sequence not in self.pushes:
            self._note_push(told_ns, microjoule, sequence)
        self._before = (sequence, asked_ns)
        return found

    def _note_push(self, told_ns: int, microjoule: int, sequence: int) -> None:
        self.pushes[sequence] = microjoule
        for old in sorted(self.pushes)[:-ANCHORS_MAX]:
            del self.pushes[old]
        self._behind_s.append(told_ns / _NS - microjoule / self._rate)
        if self._before is None:
            return
        before, without_ns = self._before
        is_prompt = told_ns - without_ns <= ANCHOR_GAP_S_MAX * _NS and sequence == before + 1
        if is_prompt and not self._is_disturbed:
            self._anchors.append((without_ns, microjoule))
        self._is_disturbed = False

    def heard_copy(self, told_ns: int, microjoule: int, floor: int) -> list[str]:
        """Objections to a running total from a source that is refreshed now and then; `floor`: what it told last."""
        return [*self._too_low("copied total", microjoule, floor, "microjoule"), *self._too_high(told_ns, microjoule)]

    def heard_register(self, source: str, told_ns: int, units: int) -> list[str]:
        """Objections to a register value in 0.01 kWh that `source` told, whoever told the ones before."""
        found = list(self._too_low(f"register by {source}", units, self.units, "x 0.01 kWh"))
        found += self._too_high(told_ns, units * MICROJOULE_PER_UNIT)
        self.units = max(self.units, units)
        return found

    def _too_low(self, what: str, found: int, floor: int, unit: str) -> Iterator[str]:
        if found < floor:
            yield f"{what} {found} {unit} after {floor} {unit} had been answered: {floor - found} lost"

    def _too_high(self, told_ns: int, microjoule: int) -> Iterator[str]:
        bound = self.bound_microjoule(told_ns)
        self.closest_s = min(self.closest_s, (bound - microjoule) / self._rate)
        if microjoule > bound:
            excess_s = (microjoule - bound) / self._rate
            yield f"{microjoule} microjoule, at most {round(bound)} can be: {excess_s:.3f} s of metering too much"

    def bound_microjoule(self, at_ns: int) -> float:
        """The most that can be in the register at `at_ns`."""
        rate = self._rate * (1 + TOLERANCE)
        bounds = [rate * (at_ns - self._launched_ns) / _NS]
        bounds += [told + rate * ((at_ns - without_ns) / _NS + LATE_S) for without_ns, told in self._anchors]
        return min(bounds) + self._windows

    def agrees(self, earlier: int, units: int, later: int) -> bool:
        """Whether a register lies between the pushes `earlier` (or the one before it) and `later`, by sequence."""
        low = self.pushes.get(earlier - 1, self.pushes[earlier] - self._rate * (1 + LATE_S))
        return low // MICROJOULE_PER_UNIT <= units <= self.pushes[later] // MICROJOULE_PER_UNIT

    def take_behind_s(self) -> float | None:
        """Seconds by which metering has fallen behind the clock (with an offset that stays), since it was last taken.

        The smallest over the pushes seen, None for fewer than two: the first one after a restart is old.
        """
        seen, self._behind_s = self._behind_s, []
        return min(seen[1:]) if len(seen) > 1 else None
