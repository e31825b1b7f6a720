"""The core's part in load control: it drives the relay as it is told, and says how its contact stands.

What the relay ought to do is decided elsewhere. An order is a position with a number; one that has been overtaken by a
newer is passed over, one that is repeated drives the relay once more. The contact is looked at every 500 ms, and a
position counts once three looks in a row have found it.
"""

from __future__ import annotations

from wattwheel.hil.relay import LoadSwitch

SAMPLE_NS = 500_000_000
SAMPLES = 3
OVERTAKEN_MAX = 1 << 16
"""An order whose number lies so little below the newest is late; one further below has a sender that began anew."""


class Switching:
    """One relay and its contact.

    Attributes:
        is_open: how the contact stands, debounced.
    """

    def __init__(self, relay: LoadSwitch) -> None:
        self.relay = relay
        self.is_open = relay.is_open
        self._differs = 0
        self._look_ns = 0
        self._newest: int | None = None

    def order(self, number: int, is_open: bool) -> bool:
        """Drive the relay. False: a newer order has been carried out."""
        if self._newest is not None and 0 < self._newest - number <= OVERTAKEN_MAX:
            return False
        self._newest = number
        self.relay.drive(is_open)
        return True

    def look(self, now_ns: int) -> None:
        """Take a sample of the contact when one is due."""
        if now_ns < self._look_ns:
            return
        self._look_ns = max(self._look_ns + SAMPLE_NS, now_ns + SAMPLE_NS // 2)
        self._differs = self._differs + 1 if self.relay.is_open is not self.is_open else 0
        if self._differs >= SAMPLES:
            self.is_open, self._differs = not self.is_open, 0
