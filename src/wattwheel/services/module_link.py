"""The driver of virtual ports for a link to another module, over whatever carries octets: TCP, a serial line, a pty.

One link carries all ports of a device. It is made again when it breaks, with a delay that doubles, and goes on where it
was cut (`protocols.modulelink`). A far end that says nothing for `SILENCE_NS` counts as cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from wattwheel.apex.partition import StartContext
from wattwheel.hil.octets import OctetChannel
from wattwheel.model.errors import DoorUnavailable, RemoteProtocolError
from wattwheel.protocols import modulelink
from wattwheel.protocols.modulelink import Hello, LinkFrame, ReceivingPort, SendingPort
from wattwheel.services.link_port import LinkPort
from wattwheel.services.virtual_ports import RECEIVES, SENDS, PortData

ALIVE_NS = 1_000_000_000
SILENCE_NS = 4_000_000_000
RETRY_NS, RETRY_NS_MAX = 50_000_000, 5_000_000_000
HELLO_PATIENCE_NS = 2_000_000_000
UNACKNOWLEDGED_OCTETS_MAX = 131_072
"""Octets under way on a link; less than what a channel keeps for a far end that does not read."""
FAR_NAME_LETTERS_MAX = 30
CANDIDATES_MAX = 8
"""Connections that wait to greet beside the one that stands; whoever only knocks pushes out the oldest of them."""
Open = Callable[[], OctetChannel | None]
"""Begins a connection; None: it cannot be had now, or the far end has to come."""


class _Key(NamedTuple):
    number: int
    direction: str


class _Candidate(NamedTuple):
    reader: modulelink.FrameReader
    since_ns: int


class ModuleLink:
    """`services.virtual_ports.VirtualDriver` over a link.

    Args:
        module: name of this module, shown at the far end.
        epoch: a number that no other life of this module has: what a far end knows of an older one is then void.
        open_channel: how this side connects; None: it waits until the far end does (`take`).
    """

    def __init__(self, context: StartContext, name: str, module: str, epoch: int, open_channel: Open | None) -> None:
        self.name = name
        self._clock, self._counters = context.clock, context.counters
        self._module, self._epoch, self._open = module, epoch, open_channel
        self._ports: list[LinkPort] = []
        self._by_key: dict[_Key, LinkPort] = {}
        self._channel: OctetChannel | None = None
        self._reader = modulelink.FrameReader()
        self._candidates: dict[OctetChannel, _Candidate] = {}  # connections that have not greeted, the oldest first
        self._far: str | None = None
        self._retry_ns = RETRY_NS
        self._heard_ns = self._said_ns = self._connected_ns = 0
        self._under_way = 0
        self.connections = 0
        bit = context.wheel.free_bit()
        context.wheel.task(bit, self._hear)
        self._post = context.wheel.poster(bit)

    # -- the six functions -------------------------------------------------------------------------------------

    def attach(self, port: PortData) -> int:
        """Take the port."""
        own = LinkPort(port)
        self._ports.append(own)
        self._by_key[_Key(port.number, port.direction)] = own
        return len(self._ports)

    def create(self, port_id: int, newest: bytes | None) -> bool:
        """Begin with what a former life has kept."""
        return self._ports[port_id - 1].begin(self._epoch, newest)

    def available(self, port_id: int) -> bool:
        """Whether the port's window has room."""
        sender = self._ports[port_id - 1].sender
        return sender is None or sender.has_room()

    def write(self, port_id: int, message: bytes, written_ns: int) -> None:
        """Keep the message and send it as soon as the link can."""
        own = self._ports[port_id - 1]
        own.take(message, written_ns)
        self._send_port(own)

    def read(self, port_id: int) -> bytes | None:
        """The next message; the one before is acknowledged."""
        own = self._ports[port_id - 1]
        number = own.delivered()
        if number is not None:
            self._acknowledge(own, number)
        return own.next()

    def _acknowledge(self, own: LinkPort, number: int) -> None:
        if not own.is_bound:  # the greeting will tell it
            return
        self._say(modulelink.numbered(own.data.number, modulelink.ACKNOWLEDGE, self._clock.now_ns(), number))

    def status(self, port_id: int) -> Mapping[str, Any]:
        """What can be seen of the port."""
        own = self._ports[port_id - 1]
        is_bound = own.is_bound and self._far is not None
        return own.figures() | {"is_bound": is_bound, "far": self._far, "connections": self.connections}

    # -- the connection ----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Connect, and look after the connection from now on."""
        self._reconnect()
        self._look_later()

    def take(self, channel: OctetChannel) -> None:
        """A connection is there.

        While there is another, it has to greet first: then the older one is over, for the far end would not make a new
        one otherwise. A stranger who only knocks disturbs nobody.
        """
        if self._channel is None:
            self._adopt(channel)
            return
        while len(self._candidates) >= CANDIDATES_MAX:
            self._drop_candidate(next(iter(self._candidates)))
        self._candidates[channel] = _Candidate(modulelink.FrameReader(), self._clock.now_ns())
        channel.on_arrival(self._post)

    def _adopt(self, channel: OctetChannel) -> None:
        self._let_go()
        self._channel, self._reader = channel, modulelink.FrameReader()
        now = self._clock.now_ns()
        self._heard_ns = self._connected_ns = now
        self.connections += 1
        channel.on_arrival(self._post)
        self._say(modulelink.encode_hello(self._hello(), now))

    def _drop_candidate(self, channel: OctetChannel) -> None:
        self._counters.add("link_strangers")
        del self._candidates[channel]
        channel.close()

    def _hear_candidate(self, channel: OctetChannel) -> None:
        octets = channel.read()
        if not octets:
            if channel.is_closed:
                self._drop_candidate(channel)
            return
        reader = self._candidates[channel].reader
        try:
            frames = list(reader.feed(octets))
            if not frames:
                return
            modulelink.decode_hello(frames[0])
        except RemoteProtocolError:
            self._drop_candidate(channel)
            return
        del self._candidates[channel]
        self._adopt(channel)
        self._reader = reader
        self._take_frames(iter(frames))

    def _hello(self) -> Hello:
        sending = [own.sending(self._epoch) for own in self._ports if own.sends]
        receiving = [own.receiving() for own in self._ports if not own.sends]
        return Hello(modulelink.VERSION, self._module, sending, receiving)

    def _reconnect(self) -> None:
        if self._channel is not None or self._open is None:
            return
        try:
            channel = self._open()
        except DoorUnavailable:
            channel = None
        if channel is not None:
            self.take(channel)
        else:
            self._retry_later()

    def _retry_later(self) -> None:
        if self._open is not None:
            self._clock.call_at(self._clock.now_ns() + self._retry_ns, self._reconnect)
            self._retry_ns = min(2 * self._retry_ns, RETRY_NS_MAX)

    def _let_go(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        self._far = None
        self._under_way = 0
        for own in self._ports:
            own.is_bound = False

    def _cut(self, why: str) -> None:
        self._counters.add(f"link_{why}")
        self._let_go()
        self._retry_later()

    def _look_later(self) -> None:
        self._clock.call_at(self._clock.now_ns() + ALIVE_NS // 2, self._look)

    def _look(self) -> None:
        now = self._clock.now_ns()
        channel = self._channel
        if channel is not None:
            is_greeted = self._far is not None or now - self._connected_ns < HELLO_PATIENCE_NS
            if now - self._heard_ns > SILENCE_NS or not is_greeted:
                self._cut("silent")
            elif self._far is not None and now - self._said_ns >= ALIVE_NS:
                self._say(modulelink.encode(modulelink.NO_PORT, modulelink.ALIVE, now))
        for candidate, own in list(self._candidates.items()):
            if now - own.since_ns > HELLO_PATIENCE_NS:
                self._drop_candidate(candidate)
        self._look_later()

    def _say(self, octets: bytes) -> None:
        channel = self._channel
        if channel is None:
            return
        before = channel.dropped
        channel.write(octets)
        self._said_ns = self._clock.now_ns()
        if channel.dropped != before:  # the stream has a hole now
            self._cut("overfull")

    # -- what comes --------------------------------------------------------------------------------------------

    def _hear(self) -> None:
        for candidate in list(self._candidates):
            if candidate in self._candidates:
                self._hear_candidate(candidate)
        channel = self._channel
        if channel is None:
            return
        octets = channel.read()
        if not octets:
            if channel.is_closed:
                self._cut("closed")
            return
        self._heard_ns = self._clock.now_ns()
        self._take_frames(self._reader.feed(octets))

    def _take_frames(self, frames: Iterator[LinkFrame]) -> None:
        channel = self._channel
        try:
            for frame in frames:
                self._take_frame(frame)
                if self._channel is not channel:
                    return
        except RemoteProtocolError:
            self._cut("defect")

    def _take_frame(self, frame: LinkFrame) -> None:
        if frame.kind == modulelink.HELLO:
            self._greet(modulelink.decode_hello(frame))
            return
        if self._far is None:
            raise RemoteProtocolError("a frame before HELLO")
        if frame.kind == modulelink.ALIVE:
            return
        number, message = modulelink.number_of(frame)
        is_reply = frame.kind == modulelink.ACKNOWLEDGE
        own = self._by_key.get(_Key(frame.port, SENDS if is_reply else RECEIVES))
        if own is None or not own.is_bound or (not is_reply and own.kind != frame.kind):
            raise RemoteProtocolError(f"a frame for port {frame.port}, which is not bound")
        if is_reply:
            self._acknowledged(own, number)
        elif not 1 <= len(message) <= own.data.max_message_size:
            raise RemoteProtocolError(f"a message of {len(message)} octets for port {frame.port}")
        else:
            self._arrived(own, number, message)

    def _arrived(self, own: LinkPort, number: int, message: bytes) -> None:
        if own.receiver is not None:
            own.receiver.hear(number, message)
        else:
            if number != own.sampled_number:  # what is shown already must not look younger than it is
                own.sampled, own.sampled_number = message, number
                own.messages += 1
            self._acknowledge(own, number)
        own.data.tell()

    def _acknowledged(self, own: LinkPort, number: int) -> None:
        self._under_way = max(0, self._under_way - own.acknowledged(number))
        self._send_all()

    def _greet(self, hello: Hello) -> None:
        """The far end has told what it has and what it knows: bind the ports of both, and go on from there."""
        if self._far is not None:
            raise RemoteProtocolError("a second HELLO")
        self._far, self._retry_ns = shown_name(hello.module), RETRY_NS
        for receiving in hello.receiving:
            own = self._bound(receiving, SENDS)
            if own is not None:
                own.go_on(receiving)
        for sending in hello.sending:
            own = self._bound(sending, RECEIVES)
            if own is not None and own.receiver is not None:
                missing = own.resume(own.receiver, sending)
                if missing:
                    self._counters.add("link_messages_missing", missing)
                self._acknowledge(own, own.receiver.last_number)
        self._send_all()

    def _bound(self, far: SendingPort | ReceivingPort, direction: str) -> LinkPort | None:
        own = self._by_key.get(_Key(far.port, direction))
        if own is None:
            return None
        if (far.kind, far.max_message_size) != (own.kind, own.data.max_message_size):
            self._counters.add("link_ports_differ")
            return None
        own.is_bound = True
        return own

    # -- what goes ---------------------------------------------------------------------------------------------

    def _send_all(self) -> None:
        for own in self._ports:
            self._send_port(own)

    def _send_port(self, own: LinkPort) -> None:
        if not own.is_bound or not own.sends:
            return
        while self._under_way < UNACKNOWLEDGED_OCTETS_MAX and self._channel is not None:
            message = own.next_unsent()
            if message is None:
                return
            self._under_way += len(message.message)
            self._say(
                modulelink.numbered(own.data.number, own.kind, message.source_ns, message.number, message.message)
            )


def shown_name(told: str) -> str:
    """A far module's name as it may be shown on a terminal: short, and nothing in it that steers one."""
    return "".join(letter if letter.isprintable() else "?" for letter in told[:FAR_NAME_LETTERS_MAX])
