"""Connections over a serial line or pseudo-terminal: `hil.octets.OctetChannel`s that end when an octet is lost."""

from __future__ import annotations

from collections.abc import Callable

from wattwheel.hil.octets import OctetChannel
from wattwheel.protocols.packets import DATA_OCTETS_MAX, Packet, PacketReader, encode

PACKETS_KEPT_MAX = 64


class LineConnections:
    """Makes one connection after the other over `line`, which is never closed.

    `first`: number of the first connection. Each life begins with another, or the far end would take it for the old.
    """

    def __init__(self, line: OctetChannel, first: int) -> None:
        self._line = line
        self._next = max(1, first)
        self._reader = PacketReader()
        self._current: LineConnection | None = None
        self._begun_anew: list[Packet] = []  # what the far end has sent since it began a connection that waits for us
        line.on_arrival(self._hear)

    def open(self) -> LineConnection:
        """Begin a new connection; an older one is over."""
        if self._current is not None:
            self._current.close()
        self._current = LineConnection(self._line, self._next)
        self._next += 1
        waiting, self._begun_anew = self._begun_anew, []
        for packet in waiting:
            self._current.take(packet)
        return self._current

    def _hear(self) -> None:
        for packet in self._reader.feed(self._line.read()):
            current = self._current
            if current is None or current.is_over:
                self._keep(packet)
            elif not current.take(packet):
                self._keep(packet)
                current.end()

    def _keep(self, packet: Packet) -> None:
        if packet.number == 0:
            self._begun_anew = [packet]
        elif len(self._begun_anew) < PACKETS_KEPT_MAX:
            self._begun_anew.append(packet)


class LineConnection:
    """`hil.octets.OctetChannel` over a line: numbered packets out, the octets of numbered packets in."""

    def __init__(self, line: OctetChannel, number: int) -> None:
        self.name = f"{line.name}/{number}"
        self._line, self._number = line, number
        self._sent = 0
        self.dropped = 0
        self._far: int | None = None
        self._due = 0
        self._arrived = bytearray()
        self._action: Callable[[], None] | None = None
        self.is_over = False
        self._is_given_back = False

    def take(self, packet: Packet) -> bool:
        """Take a packet of the far end. False: it has begun a new connection with it."""
        if packet.far not in (0, self._number):
            return True  # for an older one of ours: its sender will notice
        if self._far is None:
            if packet.number:
                if packet.far:  # meant for this one, and its beginning is lost
                    self.end()
                return True
            self._far = packet.connection
        if packet.connection != self._far:
            return packet.number != 0
        if packet.number < self._due:
            return True
        if packet.number > self._due:
            self.end()
            return True
        self._due += 1
        self._arrived += packet.data
        self._tell()
        return True

    def end(self) -> None:
        """It is over: a packet is missing, or the far end has begun anew."""
        self.is_over = True
        self._tell()

    def _tell(self) -> None:
        if self._action is not None:
            self._action()

    def read(self) -> bytes:
        """Octets that have arrived."""
        octets = bytes(self._arrived)
        self._arrived.clear()
        return octets

    def write(self, octets: bytes) -> None:
        """Send `octets` in packets."""
        if self.is_closed:
            return
        before = self._line.dropped
        for at in range(0, len(octets), DATA_OCTETS_MAX):
            self._line.write(encode(self._number, self._far or 0, self._sent, octets[at : at + DATA_OCTETS_MAX]))
            self._sent += 1
        self.dropped += self._line.dropped - before

    def on_arrival(self, action: Callable[[], None] | None) -> None:
        """Call `action` when octets have come or the connection is over; None: nobody."""
        self._action = action
        if self._arrived or self.is_over:
            self._tell()

    @property
    def unsent(self) -> int:
        """Octets that wait for the line."""
        return self._line.unsent

    @property
    def is_closed(self) -> bool:
        """Whether nothing will come any more."""
        return self._is_given_back or (self.is_over and not self._arrived)

    def close(self) -> None:
        """Let it be over for us."""
        self.is_over = self._is_given_back = True
        self._action = None
