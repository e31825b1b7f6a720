"""uvicorn's HTTP/1.1 on a listening socket, inside a loop that is already running, without its timers and signals."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Collection

from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from wattwheel.apps.web.face import MeterFace
from wattwheel.apps.web.site import app

MAX_CONNECTIONS = 64
"""Connections at once; one more takes the place of the one that has asked nothing for longest, or is answered 503."""

MAX_HEAD_OCTETS = 16 * 1024
"""Longest request line and header fields."""

REQUEST_PATIENCE_S = 10.0
"""A connection on which no request has become complete for so long is cut."""

WRITE_PATIENCE_S = 10.0
"""A connection that has taken nothing for so long, with octets waiting, is cut."""

KEEP_ALIVE_S = 30
"""An idle connection is kept for so long after an answer."""

STOP_PATIENCE_S = 1.0
"""Requests that still run get so long at the stop."""


class SteadyProtocol(H11Protocol):
    """uvicorn's h11 connection that does not wait for ever: neither for a request nor for a reader."""

    _heard_s = 0.0
    _request_limit: asyncio.TimerHandle | None = None
    _write_limit: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client is there; its first request is due."""
        super().connection_made(transport)
        self._heard_s = self.loop.time()
        self._make_room()
        self._watch_request()

    def data_received(self, data: bytes) -> None:
        """Octets came; if they leave a request half-done, its end is due."""
        self._heard_s = self.loop.time()
        super().data_received(data)
        self._watch_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._drop_request_limit()
        self._drop_write_limit()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The client reads too slowly."""
        super().pause_writing()
        if self._write_limit is None:
            self._write_limit = self.loop.call_later(WRITE_PATIENCE_S, self.transport.abort)

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._drop_write_limit()
        super().resume_writing()

    @property
    def _is_served(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _make_room(self) -> None:
        """Whoever asks nothing must not keep others out, nor use up the descriptors."""
        here = [c for c in self.connections if isinstance(c, SteadyProtocol) and not c.transport.is_closing()]
        idle = [c for c in here if c is not self and not c._is_served]
        if len(here) >= MAX_CONNECTIONS and idle:
            min(idle, key=lambda c: c._heard_s).transport.abort()

    def _watch_request(self) -> None:
        if self._is_served:
            self._drop_request_limit()
        elif self._request_limit is None and not self.transport.is_closing():
            self._request_limit = self.loop.call_later(REQUEST_PATIENCE_S, self.transport.abort)

    def _drop_request_limit(self) -> None:
        if self._request_limit is not None:
            self._request_limit.cancel()
            self._request_limit = None

    def _drop_write_limit(self) -> None:
        if self._write_limit is not None:
            self._write_limit.cancel()
            self._write_limit = None


class WebServer:
    """The page on one listening socket.

    It belongs to the running asyncio loop: no thread, no signal handler, no timer while nobody is connected.

    Args:
        face: the meter.
        names: see `site.app`.
    """

    def __init__(self, face: MeterFace, names: Collection[str] = ()) -> None:
        self.site = app(face, names)
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # a stranger's bad request is not for our log
        self._config = Config(
            self.site,
            http=SteadyProtocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            limit_concurrency=MAX_CONNECTIONS,
            timeout_keep_alive=KEEP_ALIVE_S,
            h11_max_incomplete_event_size=MAX_HEAD_OCTETS,
        )
        self._config.load()
        self._state = ServerState()
        self._server: asyncio.Server | None = None

    async def start(self, listener: socket.socket) -> None:
        """Serve on `listener`, a bound stream socket, which the server then owns.

        From a descriptor: `socket.socket(fileno=descriptor)`.
        """
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connection, sock=listener, backlog=MAX_CONNECTIONS)

    async def stop(self) -> None:
        """Take no more connections, end the live streams, give running requests `STOP_PATIENCE_S`, then cut."""
        if self._server is None:
            return
        self._server.close()
        self.site.state.hub.close()
        for connection in tuple(self._state.connections):
            connection.shutdown()
        if self._state.tasks:
            await asyncio.wait(tuple(self._state.tasks), timeout=STOP_PATIENCE_S)
        for connection in tuple(self._state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)
        self._server = None

    def _connection(self) -> asyncio.Protocol:
        return SteadyProtocol(config=self._config, server_state=self._state, app_state={})
