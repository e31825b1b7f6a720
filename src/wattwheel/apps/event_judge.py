"""When events begin and end: all slots together, many seconds at once, exactly as if each second had been looked at.

Beside the delays it keeps the rules of a lost supply. When all voltages are below the critical one, the power is down;
its begin is the moment of the loss. All other events end with that moment, and none begins before the power is back,
but one: 60 s after the loss a single look finds whether a current flows, and then all voltages count as lost. That
event ends with the power-down.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from wattwheel.apps.event_conditions import ALL_LOST, POWER_DOWN, SLOTS, bits
from wattwheel.model.event_delay import EventDelay, looked, looks_until_flip

ALL_LOST_CHECK_S = 60
"""After the loss of the supply."""

_NOTHING_ELSE = 1 << POWER_DOWN


class Flip(NamedTuple):
    """An event begins or ends with look number `look` of those taken, 1 the first; 0 and less were before them."""

    slot: int
    begins: bool
    look: int


class Judge:
    """The state of all slots.

    Attributes:
        active: the slots whose event is on.
        pending: those whose condition has said otherwise for some seconds.
        off: those that are switched off.
        delays_s: by slot.
        down_s: seconds since the loss of the supply; None: it is there.
    """

    def __init__(self) -> None:
        self.states = [EventDelay() for _ in range(SLOTS)]
        self.active = self.pending = self.off = 0
        self.delays_s: tuple[int, ...] = (0,) * SLOTS
        self.down_s: int | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether time alone may change something while the situation stays what it was at the last look."""
        return bool(self.pending) or (self.down_s is not None and self.down_s < ALL_LOST_CHECK_S)

    def take_up(self, active: int, differing: Sequence[int], down_s: int | None) -> None:
        """Begin anew with what was saved: the slots that are `active`, and `differing` seconds of each."""
        counted = [each if each >= 0 else 0 for each in differing] if len(differing) == SLOTS else [0] * SLOTS
        self.states = [EventDelay(bool(active >> slot & 1), counted[slot]) for slot in range(SLOTS)]
        self.active, self.pending = active, sum(1 << slot for slot, each in enumerate(counted) if each)
        self.down_s = (ALL_LOST_CHECK_S if down_s is None else max(0, down_s)) if active >> POWER_DOWN & 1 else None

    def forget(self, slots: Iterable[int]) -> None:
        """The events of `slots` have been cleared: they are judged afresh."""
        for slot in slots:
            self.states[slot] = EventDelay()
            self.active &= ~(1 << slot)
            self.pending &= ~(1 << slot)
            if slot == POWER_DOWN:
                self.down_s = None

    def look(self, hold: Callable[[int], int], carries: Callable[[], bool], looks: int) -> list[Flip]:
        """Take `looks` looks at the same situation; what begins and ends with them, in order of time.

        `hold`: the slots whose condition holds while those given are active; `carries`: whether any current flows.
        """
        flips: list[Flip] = []
        at = 0
        while at < looks:
            differing = self._differing(hold)
            for slot in bits(self.pending & ~differing):
                self.states[slot].differing_s = 0
            self.pending = differing
            if not self.is_waiting:
                return flips
            step = looks - at
            for slot in bits(differing):
                until = looks_until_flip(self.states[slot], not self.active >> slot & 1, self._delay(slot))
                step = min(step, until or step)
            check_in = None if self.down_s is None else ALL_LOST_CHECK_S - self.down_s
            if check_in is not None and check_in > 0:
                step = min(step, check_in)
            at += step
            if self.down_s is not None:
                self.down_s += step
            turned = [
                slot
                for slot in bits(differing)
                if looked(self.states[slot], not self.active >> slot & 1, self._delay(slot), step)
            ]
            flips += self._turn(turned, at)
            if check_in == step and self.down_s is not None and carries():
                flips.append(self._set(ALL_LOST, True, at))
        return flips

    def _differing(self, hold: Callable[[int], int]) -> int:
        held = hold(self.active) & ~self.off
        if self.active >> POWER_DOWN & 1:
            held &= _NOTHING_ELSE
            return (held ^ self.active) & _NOTHING_ELSE
        return held ^ self.active

    def _delay(self, slot: int) -> int:
        return 0 if self.off >> slot & 1 else self.delays_s[slot]

    def _turn(self, turned: list[int], at: int) -> list[Flip]:
        if POWER_DOWN in turned:
            return self._supply_turned(at, turned)
        return [self._set(slot, not self.active >> slot & 1, at) for slot in turned]

    def _supply_turned(self, at: int, turned: list[int]) -> list[Flip]:
        if self.active >> POWER_DOWN & 1:
            ends = [self._set(POWER_DOWN, False, at)]
            if self.active >> ALL_LOST & 1:
                ends.append(self._set(ALL_LOST, False, at))
            self.down_s = None
            return ends
        delay = self.delays_s[POWER_DOWN]
        lost_at, self.down_s = at - delay, delay
        for slot in turned:  # what begins or ends in the very second of the judgement has ended with the supply
            self.states[slot].is_active = bool(self.active >> slot & 1)
        ends = [self._set(slot, False, lost_at) for slot in bits(self.active)]
        for state in self.states:
            state.differing_s = 0
        self.pending = 0
        return [*ends, self._set(POWER_DOWN, True, lost_at)]

    def _set(self, slot: int, begins: bool, look: int) -> Flip:
        state, bit = self.states[slot], 1 << slot
        state.is_active, state.differing_s = begins, 0
        self.active = self.active | bit if begins else self.active & ~bit
        self.pending &= ~bit
        return Flip(slot, begins, look)
