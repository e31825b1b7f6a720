"""The rate of a serial line, which the meter changes while it runs: after the last reply at the old rate."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from wattwheel.hil.clock import Clock
from wattwheel.hil.octets import LineControl, LineSettings
from wattwheel.model.errors import ConfigError

if TYPE_CHECKING:
    from wattwheel.services.communication_channel import Channel

OCTET_BITS = 11
SETTLE_NS = 5_000_000
"""What a driver may keep of a reply longer than the line takes for it."""


class LineRate:
    """One line's rate: `baud` is in force."""

    def __init__(self, channel: Channel, clock: Clock, baud: int, parity: str) -> None:
        self.baud = baud
        self._wanted = baud
        self._channel, self._clock, self._parity = channel, clock, parity
        self._is_waiting = False

    def octets_ns(self, octets: int) -> int:
        """How long so many octets are on the line."""
        return octets * OCTET_BITS * 1_000_000_000 // self.baud + SETTLE_NS

    def change(self, baud: int) -> None:
        """Change to `baud` when every question before now is answered and the last answer has left."""
        self._wanted = baud
        if not self._is_waiting and baud != self.baud:
            self._is_waiting = True
            self._clock.call_at(self._clock.now_ns(), self._look)

    def _look(self) -> None:
        now = self._clock.now_ns()
        if self._channel.slots or now < self._channel.quiet_ns:
            self._clock.call_at(max(self._channel.quiet_ns, now + SETTLE_NS), self._look)
            return
        self._is_waiting = False
        self.apply(self._wanted)

    def apply(self, baud: int) -> None:
        """Set the line now; a driver that cannot keeps the old rate."""
        try:
            cast(LineControl, self._channel.octets).configure(LineSettings(baud, self._parity))
        except ConfigError:
            return
        self.baud = self._wanted = baud
