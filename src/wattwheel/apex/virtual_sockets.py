"""Sockets by request: a partition without the network asks the one that has it (`services.virtual_sockets`).

The operations are those of the sockets interface, with v_ before them. A request (SYN_SEND) and its answer (SYN_RECV)
are messages on a pair of queuing ports. Nothing waits: answers come when they come, each to its own ticket.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

import msgspec

from wattwheel.apex.codes import ReturnCode
from wattwheel.apex.partition import StartContext

REQUEST_PORT, ANSWER_PORT = "sockets.request", "sockets.answer"
MESSAGE_OCTETS_MAX = 8192
OCTETS_MAX = 4096
"""Octets of data in one request or answer."""
PORT_DEPTH = 16
ASKS_MAX = 64
"""Requests of one partition that wait for their answers."""
PATIENCE_NS = 2_000_000_000
"""For an answer, beyond what the request itself may wait."""

V_SOCKET: Final = "v_socket"
V_BIND: Final = "v_bind"
V_LISTEN: Final = "v_listen"
V_CONNECT: Final = "v_connect"
V_ACCEPT: Final = "v_accept"
V_SEND: Final = "v_send"
V_RECV: Final = "v_recv"
V_CLOSE: Final = "v_close"
V_RESET: Final = "v_reset"


class SocketRequest(msgspec.Struct, frozen=True, array_like=True):
    """SYN_SEND.

    Attributes:
        ticket: comes back with the answer.
        operation: one of those above.
        socket: which one; 0 for V_SOCKET and V_RESET.
        address: HOST:PORT in digits, for V_BIND and V_CONNECT.
        octets: for V_SEND.
        timeout_ns: how long V_ACCEPT and V_RECV may wait for something to tell; 0: not at all. V_CONNECT never waits:
            a connection that could not be made shows as ended.
    """

    ticket: int
    operation: str
    socket: int = 0
    address: str = ""
    octets: bytes = b""
    timeout_ns: int = 0


class SocketAnswer(msgspec.Struct, frozen=True, array_like=True):
    """SYN_RECV.

    Attributes:
        ticket: of the request.
        code: NO_ERROR; NOT_AVAILABLE or TIMED_OUT, nothing came; INVALID_PARAM, no such socket, operation or address;
            INVALID_MODE, not in this state of the socket, or its far end has gone; INVALID_CONFIG, no more sockets, or
            an address that this partition was not granted.
        socket: the new one, of V_SOCKET and V_ACCEPT; else the one that was asked about.
        octets: of V_RECV; empty with NO_ERROR: the far end says nothing more.
    """

    ticket: int
    code: int
    socket: int = 0
    octets: bytes = b""


class VirtualSockets:
    """A partition's end: sends requests, gives each answer to whoever asked."""

    def __init__(self, context: StartContext, bit: int | None = None) -> None:
        self._out = context.queuing_source(REQUEST_PORT)
        self._in = context.queuing_destination(ANSWER_PORT)
        self._waiting: dict[int, Callable[[SocketAnswer], None]] = {}
        self._clock = context.clock
        self._ticket = context.clock.now_ns()  # an answer to a former life matches nothing
        self._decoder = msgspec.msgpack.Decoder(SocketAnswer)
        own_bit = context.wheel.free_bit() if bit is None else bit
        context.wheel.task(own_bit, self._hear)
        self._in.on_message(context.wheel.poster(own_bit))
        self.ask(V_RESET, lambda answer: None)

    def ask(
        self,
        operation: str,
        on_answer: Callable[[SocketAnswer], None],
        socket: int = 0,
        address: str = "",
        octets: bytes = b"",
        timeout_ns: int = 0,
    ) -> ReturnCode:
        """Send a request. NOT_AVAILABLE: the port is full, or `ASKS_MAX` wait; `on_answer` is then not called.

        A request that died with the partition that has the network is answered with TIMED_OUT; all sockets are gone.
        """
        if len(self._waiting) >= ASKS_MAX:
            return ReturnCode.NOT_AVAILABLE
        self._ticket += 1
        request = SocketRequest(self._ticket, operation, socket, address, octets, timeout_ns)
        if not self._out.send(msgspec.msgpack.encode(request)):
            return ReturnCode.NOT_AVAILABLE
        self._waiting[self._ticket] = on_answer
        due_ns = self._clock.now_ns() + timeout_ns + PATIENCE_NS
        self._clock.call_at(due_ns, partial(self._conclude, SocketAnswer(self._ticket, ReturnCode.TIMED_OUT, socket)))
        return ReturnCode.NO_ERROR

    def _hear(self) -> None:
        octets = self._in.receive()
        if octets is None:
            return
        answer = self._decoder.decode(octets)
        self._in.done()
        self._conclude(answer)

    def _conclude(self, answer: SocketAnswer) -> None:
        on_answer = self._waiting.pop(answer.ticket, None)
        if on_answer is not None:
            on_answer(answer)
