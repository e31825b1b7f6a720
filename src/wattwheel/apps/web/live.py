"""The live stream: one producer for all watchers, running only while there is one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from wattwheel.apps.web.face import MeterFace
from wattwheel.apps.web.guard import fault
from wattwheel.model.errors import WattwheelError
from wattwheel.model.records import Quality, ValueRow

MAX_WATCHERS = 16
"""Live streams at once; one more is answered 503."""

MAX_QUEUED_FRAMES = 8
"""Seconds that a watcher may lag behind before it is dropped."""

RECONNECT_MS = 2000
"""Told to the browser: wait this long before connecting again."""

PATIENCE_S = 2.5
"""Silence of the meter after which the last values are sent again, marked stale."""

STALE_PERIOD_S = 1.0
"""Period of the stale frames, and the pause after a refusal."""

EXTRAS = ("status", "display", "waveform", "partitions", "bus")
"""Events that a watcher may ask for beside `values`, in the order in which they are sent."""

_JSON = msgspec.json.Encoder()


class Watcher:
    """One live stream's bounded queue of frames."""

    def __init__(self, wanted: Collection[str]) -> None:
        self.wanted = frozenset(wanted)
        self._frames: deque[bytes] = deque()
        self._wake = asyncio.Event()
        self._open = True

    def put(self, frame: bytes) -> bool:
        """Queue a frame. False: the watcher lags too far behind, or is gone, and has been closed."""
        if len(self._frames) >= MAX_QUEUED_FRAMES:
            self.close()
        if not self._open:
            return False
        self._frames.append(frame)
        self._wake.set()
        return True

    def close(self) -> None:
        """Nothing more is sent to this watcher."""
        self._open = False
        self._frames.clear()
        self._wake.set()

    async def next(self) -> bytes | None:
        """The next frame, waiting for it; None when the stream is over."""
        while self._open and not self._frames:
            self._wake.clear()
            await self._wake.wait()
        return self._frames.popleft() if self._frames else None


class Hub:
    """Asks the meter once a second for all watchers together, and not at all when there is none.

    Args:
        face: the meter.
        patience_s: see `PATIENCE_S`.
        stale_period_s: see `STALE_PERIOD_S`.
    """

    def __init__(self, face: MeterFace, patience_s: float = PATIENCE_S, stale_period_s: float = STALE_PERIOD_S) -> None:
        self._face, self._patience_s, self._stale_period_s = face, patience_s, stale_period_s
        self._watchers: set[Watcher] = set()
        self._producer: asyncio.Task[None] | None = None
        self._events: dict[str, bytes] = {}
        self._closed = False

    @property
    def watchers(self) -> int:
        """How many streams are open."""
        return len(self._watchers)

    @property
    def running(self) -> bool:
        """Whether the producer runs."""
        return self._producer is not None

    def join(self, wanted: Collection[str]) -> Watcher | None:
        """A new watcher of `values` and of the `EXTRAS` in `wanted`; None when there are too many already."""
        if self._closed or len(self._watchers) >= MAX_WATCHERS:
            return None
        watcher = Watcher(wanted)
        self._watchers.add(watcher)
        if self._producer is None:
            self._producer = asyncio.get_running_loop().create_task(self._produce())
            self._producer.add_done_callback(self._produced)
        elif self._events:
            watcher.put(self._frame(watcher.wanted))
        return watcher

    def leave(self, watcher: Watcher) -> None:
        """Forget a watcher; the last one stops the producer."""
        watcher.close()
        self._watchers.discard(watcher)
        if not self._watchers and self._producer is not None:
            self._producer.cancel()
            self._producer = None
            self._events = {}

    def close(self) -> None:
        """End every stream and take no more."""
        self._closed = True
        for watcher in tuple(self._watchers):
            self.leave(watcher)

    async def _produce(self) -> None:
        rows: list[ValueRow] = []
        pending: asyncio.Task[list[ValueRow]] = asyncio.ensure_future(self._face.rows(""))
        patience_s = self._patience_s
        try:
            while True:
                await asyncio.wait({pending}, timeout=patience_s)
                fresh = await self._outcome(pending)
                rows = _stale(rows) if fresh is None else fresh
                patience_s = self._stale_period_s if fresh is None else self._patience_s
                if pending.done():
                    pending = asyncio.ensure_future(self._face.live())
                await self._publish(rows)
        finally:
            pending.cancel()

    def _produced(self, producer: asyncio.Task[None]) -> None:
        """A producer that broke (a bug in the face) ends its streams; the browsers come back and start another."""
        if producer.cancelled() or producer is not self._producer:
            return
        self._producer = None
        for watcher in tuple(self._watchers):
            self.leave(watcher)
        producer.get_loop().call_exception_handler(
            {"message": "the live producer broke", "task": producer, "exception": producer.exception()}
        )

    async def _outcome(self, pending: asyncio.Task[list[ValueRow]]) -> list[ValueRow] | None:
        """What `pending` brought; None while it has not ended, and after a failure and a pause."""
        if not pending.done():
            return None
        try:
            return pending.result()
        except WattwheelError:
            await asyncio.sleep(self._stale_period_s)
            return None

    async def _publish(self, rows: list[ValueRow]) -> None:
        wanted = frozenset[str]().union(*(watcher.wanted for watcher in self._watchers))
        events = {"values": _event("values", rows)}
        if "status" in wanted:
            events["status"] = _event("status", self._face.status())
        if "display" in wanted:
            events["display"] = _event("display", self._face.display())
        if "partitions" in wanted:
            events["partitions"] = _event("partitions", self._face.partitions())
        if "bus" in wanted:
            events["bus"] = _event("bus", self._face.channels())
        if "waveform" in wanted:
            events["waveform"] = _event("waveform", await self._waveform())
        self._events = events
        frames: dict[frozenset[str], bytes] = {}
        for watcher in tuple(self._watchers):
            frame = frames.get(watcher.wanted) or frames.setdefault(watcher.wanted, self._frame(watcher.wanted))
            if not watcher.put(frame):
                self.leave(watcher)

    async def _waveform(self) -> object:
        try:
            return await asyncio.wait_for(self._face.waveform(), self._patience_s)
        except (WattwheelError, TimeoutError):
            return None

    def _frame(self, wanted: frozenset[str]) -> bytes:
        events = (self._events.get(name, b"") for name in EXTRAS if name in wanted)
        return self._events["values"] + b"".join(events)


def _event(name: str, content: object) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + _JSON.encode(content) + b"\n\n"


def _stale(rows: list[ValueRow]) -> list[ValueRow]:
    """The same rows, no longer valid: an old value must never look like a new one."""
    return [
        msgspec.structs.replace(row, quality=Quality.STALE) if row.quality is Quality.VALID else row for row in rows
    ]


class LiveStream(Response):
    """The answer to GET /api/live: server-sent events until the browser or the hub ends them."""

    def __init__(self, hub: Hub, wanted: Collection[str]) -> None:
        self._hub, self._wanted = hub, wanted
        self.background = None
        self.status_code = 200
        self.init_headers({"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        self.raw_headers = [pair for pair in self.raw_headers if pair[0] != b"content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send frames until one side is gone."""
        if scope["method"] == "HEAD":
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await send({"type": "http.response.body", "body": b""})
            return
        watcher = self._hub.join(self._wanted)
        if watcher is None:
            sentence = f"{MAX_WATCHERS} live streams are open already; close one or try again later"
            await fault(503, sentence, {"Retry-After": "10"})(scope, receive, send)
            return
        gone = asyncio.ensure_future(_gone(receive))
        gone.add_done_callback(lambda _: watcher.close())
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await send(_body(f"retry: {RECONNECT_MS}\n\n".encode()))
            while (frame := await watcher.next()) is not None:
                await send(_body(frame))
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            gone.cancel()
            self._hub.leave(watcher)


def _body(octets: bytes) -> dict[str, object]:
    return {"type": "http.response.body", "body": octets, "more_body": True}


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
