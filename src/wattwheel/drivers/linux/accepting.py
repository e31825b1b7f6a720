"""One lasting octet channel behind a listening socket: whoever connected last is the far end."""

from __future__ import annotations

from collections.abc import Callable

from wattwheel.drivers.linux.octets import TcpListener
from wattwheel.hil.octets import OctetChannel


class AcceptingChannel:
    """`hil.octets.OctetChannel` that outlives its connections.

    A new connection takes the place of the old one, which is closed: a core that was restarted must not wait for its
    dead predecessor. Without a connection octets are dropped and counted, and reading gives nothing.
    """

    def __init__(self, listener: TcpListener) -> None:
        self.name = listener.address
        self._dropped = 0
        self._listener = listener
        self._channel: OctetChannel | None = None
        self._action: Callable[[], None] | None = None
        listener.on_connection(self._take)

    @property
    def dropped(self) -> int:
        """Octets that found no far end or no room."""
        return self._dropped + (self._channel.dropped if self._channel is not None else 0)

    def _take(self, channel: OctetChannel) -> None:
        self._let_go()
        self._channel = channel
        if self._action is not None:
            channel.on_arrival(self._action)

    def _let_go(self) -> None:
        if self._channel is not None:
            self._dropped += self._channel.dropped
            self._channel.close()
            self._channel = None

    def read(self) -> bytes:
        """Octets that have arrived on the present connection."""
        if self._channel is None:
            return b""
        octets = self._channel.read()
        if not octets and self._channel.is_closed:
            self._let_go()
        return octets

    def write(self, octets: bytes) -> None:
        """Send on the present connection."""
        if self._channel is None:
            self._dropped += len(octets)
        else:
            self._channel.write(octets)

    def on_arrival(self, action: Callable[[], None] | None) -> None:
        """Call `action` whenever octets have come on any connection; None: nobody."""
        self._action = action
        if self._channel is not None:
            self._channel.on_arrival(action)

    @property
    def unsent(self) -> int:
        """Octets that wait on the present connection."""
        return self._channel.unsent if self._channel is not None else 0

    @property
    def is_closed(self) -> bool:
        """Never: somebody may connect."""
        return False

    def close(self) -> None:
        """Shut the door and the connection."""
        self._let_go()
        self._listener.close()
