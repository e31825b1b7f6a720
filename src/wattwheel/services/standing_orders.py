"""Orders to the metering core that stand: how the relay is to be, how many pulses a kWh is.

An order tells a state, not a step, so it may be repeated at will: it is sent until it is acknowledged, each time the
core starts anew, and some every few minutes as long as they stand. Of two orders the core obeys the one with the higher
number, whichever comes last.
"""

from __future__ import annotations

import struct
from functools import partial

from wattwheel.hil.clock import Clock
from wattwheel.protocols.corelink import Kind
from wattwheel.protocols.corelink_bodies import Result
from wattwheel.services.metering_link import MeteringLink

RELAY_REPEAT_NS = 300_000_000_000
AGAIN_NS, AGAIN_NS_MAX = 1_000_000_000, 16_000_000_000
"""After an order that the core has not answered: later and later, for it may never know this one."""

_NUMBER = struct.Struct("<Q")


class StandingOrder:
    """One kind of order: what is wanted, and whether the core knows."""

    def __init__(self, clock: Clock, link: MeteringLink, kind: Kind, repeat_ns: int = 0) -> None:
        """`repeat_ns`: after that long an acknowledged order is given again; 0: never."""
        self._clock, self._link, self._kind, self._repeat_ns = clock, link, kind, repeat_ns
        self._number = clock.now_ns()  # so that a restarted service never gives a number that the core has passed
        self._wanted: bytes | None = None
        self._due_ns: int | None = 0
        self._starts = 0
        self._again_ns = AGAIN_NS

    def want(self, state: bytes | None) -> None:
        """From now on `state`, the body without its number, is wanted; None: nothing, or nobody knows."""
        if state != self._wanted:
            self._wanted = state
            self._number += 1
            self._due_ns, self._again_ns = 0, AGAIN_NS
            self.look()

    def look(self) -> None:
        """Send the order when it is due."""
        if self._wanted is None:
            return
        now = self._clock.now_ns()
        if self._link.starts != self._starts:
            self._starts, self._due_ns, self._again_ns = self._link.starts, 0, AGAIN_NS
        if self._due_ns is None or now < self._due_ns:
            return
        self._due_ns = now + self._again_ns
        self._again_ns = min(2 * self._again_ns, AGAIN_NS_MAX)
        body = _NUMBER.pack(self._number) + self._wanted
        self._link.ask(self._kind, body, partial(self._answered, self._number, self._starts))

    def _answered(self, number: int, starts: int, result: Result | None, body: bytes) -> None:
        """A core that refuses is asked again as seldom as one that has obeyed."""
        if result is not None and (number, starts) == (self._number, self._starts):
            self._due_ns = self._clock.now_ns() + self._repeat_ns if self._repeat_ns else None
            self._again_ns = AGAIN_NS
