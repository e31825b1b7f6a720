"""Orders to the relay: what fee control wants goes to the metering core until that has acknowledged it, and again.

An order is a position, not a step, so it may be repeated at will: until it is acknowledged, each time the core starts
anew, and every five minutes as long as it stands. Of two orders the core obeys the newer, whichever comes last.
"""

from __future__ import annotations

from functools import partial

from wattwheel.hil.clock import Clock
from wattwheel.protocols.corelink import Kind
from wattwheel.protocols.corelink_bodies import RelayOrder, Result, encode_relay_order
from wattwheel.services.metering_link import MeteringLink

REPEAT_NS = 300_000_000_000
AGAIN_NS = 1_000_000_000
"""After an order that the core has not answered."""


class RelayOrders:
    """What the relay is to do, and whether the core knows."""

    def __init__(self, clock: Clock, link: MeteringLink) -> None:
        self._clock, self._link = clock, link
        self._number = clock.now_ns()  # so that a restarted service never gives a number that the core has passed
        self._wanted: bool | None = None
        self._due_ns = 0
        self._starts = 0

    def want(self, is_open: bool | None) -> None:
        """From now on the relay is to stand so; None: there is none, or nobody knows."""
        if is_open is not self._wanted:
            self._wanted = is_open
            self._number += 1
            self._due_ns = 0
            self.look()

    def look(self) -> None:
        """Send the order when it is due."""
        if self._wanted is None:
            return
        now = self._clock.now_ns()
        if self._link.starts != self._starts:
            self._starts, self._due_ns = self._link.starts, 0
        if now < self._due_ns:
            return
        self._due_ns = now + AGAIN_NS
        body = encode_relay_order(RelayOrder(self._number, self._wanted))
        self._link.ask(Kind.SET_RELAY, body, partial(self._answered, self._number, self._starts))

    def _answered(self, number: int, starts: int, result: Result | None, body: bytes) -> None:
        """One that has no relay is told as seldom as one that has driven it."""
        if result is not None and (number, starts) == (self._number, self._starts):
            self._due_ns = self._clock.now_ns() + REPEAT_NS
