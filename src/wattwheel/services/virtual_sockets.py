"""Sockets for partitions that have no network: requests in, answers out, and the sockets in between.

Who may ask is who was given the ports `sockets_from_NAME` and `sockets_to_NAME` of the partition that has the network.
Each has its own sockets and sees no other's, and reaches and opens only the addresses that it was granted. Octets that
nobody asks for stay in the system's buffers, which hold the far end back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from ipaddress import ip_address

import msgspec

from wattwheel.apex import virtual_sockets as api
from wattwheel.apex.codes import ReturnCode
from wattwheel.apex.partition import StartContext
from wattwheel.apex.virtual_sockets import SocketAnswer, SocketRequest
from wattwheel.hil.network import Network
from wattwheel.hil.octets import Listener, OctetChannel
from wattwheel.model.errors import ConfigError, DoorUnavailable

FROM, TO = "sockets_from_", "sockets_to_"
SOCKETS_MAX = 32
"""Of one partition."""
ACCEPTED_WAITING_MAX = 8
TIMEOUT_NS_MAX = 60_000_000_000
LOOK_NS = 50_000_000
"""Waiting ends at multiples of this: so there are never more timers than fit into the longest time-out."""
PORT_MAX = 65_535
ANY_PORT = "*"

_OK, _NOT_AVAILABLE, _TIMED_OUT = ReturnCode.NO_ERROR, ReturnCode.NOT_AVAILABLE, ReturnCode.TIMED_OUT
_INVALID_PARAM, _INVALID_MODE = ReturnCode.INVALID_PARAM, ReturnCode.INVALID_MODE


class Granted:
    """Addresses that a partition was granted: HOST:PORT, or HOST:* for all ports of a host. Raises ConfigError."""

    def __init__(self, name: str, addresses: Sequence[str]) -> None:
        self._doors = set()
        for address in addresses:
            door = _door(address)
            if door is None:
                raise ConfigError(f"network sockets {name}", address, "HOST:PORT or HOST:*, the host in digits")
            self._doors.add(door)

    def allows(self, address: str) -> bool:
        """Whether `address`, HOST:PORT, is one of them."""
        door = _door(address)
        if door is None or door[1] == ANY_PORT:
            return False
        return door in self._doors or (door[0], ANY_PORT) in self._doors


def _door(address: str) -> tuple[str, str] | None:
    """Host and port in the one way to write them; None: no address."""
    host, _, port = address.rpartition(":")
    try:
        host = str(ip_address(host.removeprefix("[").removesuffix("]")))
    except ValueError:
        return None
    if port == ANY_PORT:
        return host, port
    if not (port.isascii() and port.isdecimal() and len(port) <= len(str(PORT_MAX)) and int(port) <= PORT_MAX):
        return None
    return host, str(int(port))


class _Socket:
    def __init__(self) -> None:
        self.address = ""
        self.listener: Listener | None = None
        self.channel: OctetChannel | None = None
        self.arrived = b""
        self.accepted: deque[OctetChannel] = deque()
        self.waiting: SocketRequest | None = None  # for something to come; one at a time
        self.due_ns = 0  # it waits until then

    def close(self) -> None:
        for end in (self.listener, self.channel, *self.accepted):
            if end is not None:
                end.close()


class SocketServer:
    """The sockets of one partition."""

    def __init__(self, context: StartContext, name: str, network: Network, granted: Granted) -> None:
        self._granted = granted
        self._looks: set[int] = set()  # instants at which what waits too long will be given up
        self._clock, self._counters, self._network = context.clock, context.counters, network
        self._in = context.queuing_destination(f"{FROM}{name}")
        self._out = context.queuing_source(f"{TO}{name}")
        self._unsent: deque[bytes] = deque()
        self._is_deaf = False
        self._sockets: dict[int, _Socket] = {}
        self._number = context.clock.now_ns()  # a socket of a former life is none of this one's
        self._decoder = msgspec.msgpack.Decoder(SocketRequest)
        bit = context.wheel.free_bit()
        context.wheel.task(bit, self._hear)
        self._post = context.wheel.poster(bit)
        self._in.on_message(self._post)
        self._out.on_space(self._send_unsent)
        self._operations: dict[str, Callable[[SocketRequest, _Socket], SocketAnswer | None]] = {
            api.V_BIND: self._bind,
            api.V_LISTEN: self._listen,
            api.V_CONNECT: self._connect,
            api.V_ACCEPT: self._wait,
            api.V_RECV: self._wait,
            api.V_SEND: self._send,
            api.V_CLOSE: self._close,
        }

    def _hear(self) -> None:
        if self._unsent:  # whoever does not take its answers asks nothing more
            self._is_deaf = True
            self._in.on_message(None)
            return
        octets = self._in.receive()
        if octets is None:
            return
        self._in.done()
        try:
            request = self._decoder.decode(octets)
        except (msgspec.DecodeError, UnicodeDecodeError):
            self._counters.add("socket_requests_damaged")
            return
        answer = self._serve(request)
        if answer is not None:
            self._answer(answer)

    def _answer(self, answer: SocketAnswer) -> None:
        self._unsent.append(msgspec.msgpack.encode(answer))
        self._send_unsent()

    def _send_unsent(self) -> None:
        while self._unsent and self._out.send(self._unsent[0]):
            self._unsent.popleft()
        if not self._unsent and self._is_deaf:
            self._is_deaf = False
            self._in.on_message(self._post)

    def _serve(self, request: SocketRequest) -> SocketAnswer | None:
        if request.operation == api.V_RESET:
            for own in self._sockets.values():
                own.close()
            self._sockets.clear()
            return _plain(request, _OK)
        if request.operation == api.V_SOCKET:
            return self._socket(request)
        socket, serve = self._sockets.get(request.socket), self._operations.get(request.operation)
        is_good = len(request.octets) <= api.OCTETS_MAX and 0 <= request.timeout_ns <= TIMEOUT_NS_MAX
        if socket is None or serve is None or not is_good:
            return _plain(request, _INVALID_PARAM)
        return serve(request, socket)

    def _socket(self, request: SocketRequest) -> SocketAnswer:
        number = self._new(_Socket())
        if number is None:
            return _plain(request, ReturnCode.INVALID_CONFIG)
        return SocketAnswer(request.ticket, _OK, number)

    def _new(self, socket: _Socket) -> int | None:
        if len(self._sockets) >= SOCKETS_MAX:
            return None
        self._number += 1
        self._sockets[self._number] = socket
        return self._number

    def _bind(self, request: SocketRequest, socket: _Socket) -> SocketAnswer:
        if socket.listener is not None or socket.channel is not None:
            return _plain(request, _INVALID_MODE)
        if not self._granted.allows(request.address):
            return self._refuse(request)
        socket.address = request.address
        return _plain(request, _OK)

    def _listen(self, request: SocketRequest, socket: _Socket) -> SocketAnswer:
        if not socket.address or socket.listener is not None or socket.channel is not None:
            return _plain(request, _INVALID_MODE)
        try:
            socket.listener = self._network.listen(socket.address)
        except DoorUnavailable:
            return _plain(request, _INVALID_PARAM)

        def accept(channel: OctetChannel) -> None:
            if len(socket.accepted) >= ACCEPTED_WAITING_MAX:
                channel.close()
                return
            socket.accepted.append(channel)
            self._look(request.socket, socket)

        socket.listener.on_connection(accept)
        return SocketAnswer(request.ticket, _OK, request.socket, socket.listener.address.encode())

    def _refuse(self, request: SocketRequest) -> SocketAnswer:
        self._counters.add("socket_addresses_refused")
        return _plain(request, ReturnCode.INVALID_CONFIG)

    def _connect(self, request: SocketRequest, socket: _Socket) -> SocketAnswer | None:
        if socket.listener is not None or socket.channel is not None:
            return _plain(request, _INVALID_MODE)
        if not self._granted.allows(request.address):
            return self._refuse(request)
        try:
            socket.channel = self._network.connect(request.address)
        except DoorUnavailable:
            return _plain(request, _INVALID_PARAM)
        return _plain(request, _OK)

    def _send(self, request: SocketRequest, socket: _Socket) -> SocketAnswer:
        channel = socket.channel
        if channel is None or channel.is_closed:
            return _plain(request, _INVALID_MODE)
        before = channel.dropped
        channel.write(request.octets)
        if channel.dropped != before:  # a far end that does not read: the stream has a hole now
            channel.close()
            return _plain(request, _INVALID_MODE)
        return _plain(request, _OK)

    def _close(self, request: SocketRequest, socket: _Socket) -> SocketAnswer:
        socket.close()
        del self._sockets[request.socket]
        return _plain(request, _OK)

    def _wait(self, request: SocketRequest, socket: _Socket) -> SocketAnswer | None:
        """V_ACCEPT and V_RECV: answer now, or when something comes, or when the time is over."""
        needed = socket.listener if request.operation == api.V_ACCEPT else socket.channel
        if needed is None or socket.waiting is not None:
            return _plain(request, _INVALID_MODE)
        answer = self._take(request, socket)
        if answer is not None or request.timeout_ns == 0:
            return answer or _plain(request, _NOT_AVAILABLE)
        socket.waiting = request
        if socket.channel is not None:
            socket.channel.on_arrival(lambda: self._look(request.socket, socket))
        socket.due_ns = self._clock.now_ns() + request.timeout_ns
        look_ns = -(-socket.due_ns // LOOK_NS) * LOOK_NS
        if look_ns not in self._looks:
            self._looks.add(look_ns)
            self._clock.call_at(look_ns, partial(self._give_up, look_ns))
        return None

    def _take(self, request: SocketRequest, socket: _Socket) -> SocketAnswer | None:
        if request.operation == api.V_ACCEPT:
            if not socket.accepted:
                return None
            accepted = _Socket()
            accepted.channel = socket.accepted.popleft()
            number = self._new(accepted)
            if number is None:
                accepted.close()
                return _plain(request, ReturnCode.INVALID_CONFIG)
            return SocketAnswer(request.ticket, _OK, number)
        channel = socket.channel
        assert channel is not None
        octets = socket.arrived or channel.read()
        socket.arrived = octets[api.OCTETS_MAX :]
        if octets:
            return SocketAnswer(request.ticket, _OK, request.socket, octets[: api.OCTETS_MAX])
        return _plain(request, _OK) if channel.is_closed else None

    def _look(self, number: int, socket: _Socket) -> None:
        """Something may have come."""
        request = socket.waiting
        if request is None or self._sockets.get(number) is not socket:
            return
        answer = self._take(request, socket)
        if answer is not None:
            self._conclude(socket, answer)

    def _give_up(self, look_ns: int) -> None:
        self._looks.discard(look_ns)
        for socket in self._sockets.values():
            if socket.waiting is not None and socket.due_ns <= look_ns:
                self._conclude(socket, _plain(socket.waiting, _TIMED_OUT))

    def _conclude(self, socket: _Socket, answer: SocketAnswer) -> None:
        socket.waiting = None
        if socket.channel is not None:
            socket.channel.on_arrival(None)
        self._answer(answer)


def _plain(request: SocketRequest, code: ReturnCode) -> SocketAnswer:
    return SocketAnswer(request.ticket, code, request.socket)


def wants_sockets(context: StartContext) -> bool:
    """Whether any partition was given the ports to ask."""
    return any(name.startswith(FROM) for name in context.queuing_ports())


def serve_all(context: StartContext, network: Network, granted: Mapping[str, Sequence[str]]) -> list[SocketServer]:
    """A server for each partition that was given the ports to ask. `granted`: addresses by partition; missing: none.

    Raises ConfigError: something else than an address, or a partition that has no ports.
    """
    names = [name.removeprefix(FROM) for name in context.queuing_ports() if name.startswith(FROM)]
    for name in granted:
        if name not in names:
            raise ConfigError("network sockets", name, f"a partition with ports {FROM}NAME and {TO}NAME here")
    return [SocketServer(context, name, network, Granted(name, granted.get(name, ()))) for name in names]
