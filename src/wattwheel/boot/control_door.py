"""The operator's door of a running meter: a Unix socket in the state folder, one JSON line in, one out.

Whoever comes through it may send anything, nothing, or go away at any moment; the kernel behind it never waits.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from wattwheel.drivers.linux.loop import EpollLoop
from wattwheel.hil.clock import Clock

REQUEST_OCTETS_MAX = 4096
CONNECTIONS_MAX = 16
REQUEST_PATIENCE_NS = 2_000_000_000
"""Who has not sent a line by then is sent away, so that the silent never keep others out for long."""

Reply = Callable[[dict[str, Any]], None]
Serve = Callable[[dict[str, Any], Reply], None]


class ControlDoor:
    """Serves `listener`: each connection brings one request, which `serve` answers now or later, exactly once."""

    def __init__(self, loop: EpollLoop, clock: Clock, listener: socket.socket, serve: Serve) -> None:
        self._loop, self._clock, self._listener, self._serve = loop, clock, listener, serve
        self._heard: dict[socket.socket, bytearray | None] = {}  # None once a whole line was taken
        listener.setblocking(False)
        loop.watch(listener.fileno(), self._accept)

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        if len(self._heard) >= CONNECTIONS_MAX:
            connection.close()
            return
        connection.setblocking(False)
        self._heard[connection] = bytearray()
        self._loop.watch(connection.fileno(), partial(self._hear, connection))
        self._clock.call_at(self._clock.now_ns() + REQUEST_PATIENCE_NS, partial(self._give_up, connection))

    def _give_up(self, connection: socket.socket) -> None:
        if self._heard.get(connection) is not None:
            self._close(connection)

    def _hear(self, connection: socket.socket) -> None:
        heard = self._heard[connection]
        assert heard is not None
        try:
            octets = connection.recv(REQUEST_OCTETS_MAX)
        except BlockingIOError:
            return
        except OSError:
            octets = b""
        heard += octets
        line, newline, _ = heard.partition(b"\n")
        if newline and len(line) <= REQUEST_OCTETS_MAX:
            self._heard[connection] = None
            self._loop.unwatch(connection.fileno())  # nothing more is heard, and a far end that has gone shows later
            self._take(connection, bytes(line))
        elif not octets or len(heard) > REQUEST_OCTETS_MAX:
            self._close(connection)

    def _take(self, connection: socket.socket, line: bytes) -> None:
        try:
            request = msgspec.json.decode(line, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self._reply(connection, {"refused": "not a JSON object on one line"})
            return
        self._serve(request, partial(self._reply, connection))

    def _reply(self, connection: socket.socket, document: dict[str, Any]) -> None:
        if connection not in self._heard:
            return
        with contextlib.suppress(OSError):  # the reply fits the socket's buffer, and a far end may have gone
            connection.send(msgspec.json.encode(document) + b"\n")
        self._close(connection)

    def _close(self, connection: socket.socket) -> None:
        del self._heard[connection]
        self._loop.unwatch(connection.fileno())
        connection.close()
