from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from typing import Any

import pytest
from tests.apps.web.fake_face import FakeFace

from wattwheel.apps.web.live import EXTRAS, MAX_QUEUED_FRAMES, MAX_WATCHERS, Hub, LiveStream, Watcher
from wattwheel.model.records import Quality

LONG_S = 20.0
SOON_S = 0.005


def run(work: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(LONG_S):
            await work

    asyncio.run(bounded())


def events(frame: bytes | None) -> list[tuple[str, Any]]:
    """The events of a frame, read as a browser reads them."""
    assert frame is not None
    found = []
    for block in frame.decode().removesuffix("\n\n").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        assert set(fields) == {"event", "data"}
        found.append((fields["event"], json.loads(fields["data"])))
    return found


def test_a_watcher_gets_the_values_at_once_and_every_second() -> None:
    async def work() -> None:
        face = FakeFace()
        hub = Hub(face)
        watcher = hub.join(())
        assert watcher
        for second in range(4):
            [(name, rows)] = events(await watcher.next())
            assert name == "values"
            assert {row["at"] for row in rows} == {f"2026-11-20T12:00:0{second}Z"}
            face.tick()
        hub.leave(watcher)

    run(work())


def test_extras_come_behind_the_values_to_those_who_asked() -> None:
    async def work() -> None:
        face = FakeFace()
        hub = Hub(face)
        plain, curious = hub.join(()), hub.join(EXTRAS[::-1])
        assert plain
        assert curious
        assert [name for name, _ in events(await plain.next())] == ["values"]
        assert [name for name, _ in events(await curious.next())] == ["values", *EXTRAS]
        hub.close()

    run(work())


def test_one_question_serves_all_watchers_and_a_late_one_sees_the_last_frame_at_once() -> None:
    async def work() -> None:
        face = FakeFace()
        hub = Hub(face)
        watchers = [hub.join(()) for _ in range(MAX_WATCHERS - 1)]
        for watcher in watchers:
            assert watcher
            await watcher.next()
        assert face.asked == 1
        late = hub.join(())
        assert late
        assert events(await late.next())
        assert face.asked == 1
        assert hub.join(()) is None
        hub.close()

    run(work())


def test_nothing_runs_while_nobody_watches() -> None:
    async def work() -> None:
        face = FakeFace()
        hub = Hub(face)
        for _ in range(3):
            watcher = hub.join(())
            assert watcher
            await watcher.next()
            states = [hub.running]
            hub.leave(watcher)
            states.append(hub.running)
            assert states == [True, False]
            for _ in range(5):
                await asyncio.sleep(0)
            assert asyncio.all_tasks() == {asyncio.current_task()}
        asked = face.asked
        face.tick()
        await asyncio.sleep(0)
        assert face.asked == asked

    run(work())


def test_a_watcher_that_does_not_read_is_dropped_and_the_others_go_on() -> None:
    async def work() -> None:
        face = FakeFace()
        hub = Hub(face)
        asleep, awake = hub.join(()), hub.join(())
        assert asleep
        assert awake
        for _ in range(MAX_QUEUED_FRAMES + 1):
            assert await awake.next()
            face.tick()
        assert await awake.next()
        assert hub.watchers == 1
        assert await asleep.next() is None
        hub.close()
        assert await awake.next() is None

    run(work())


def test_old_values_come_again_marked_stale_when_the_meter_says_nothing() -> None:
    async def work() -> None:
        face = FakeFace()
        hub = Hub(face, patience_s=SOON_S, stale_period_s=SOON_S)
        watcher = hub.join(())
        assert watcher
        [(_, fresh)] = events(await watcher.next())
        for _ in range(3):
            [(_, old)] = events(await watcher.next())
            assert {row["quality"] for row in old} == {"stale"}
            assert [row["value"] for row in old] == [row["value"] for row in fresh]
        face.tick()
        while True:
            [(_, rows)] = events(await watcher.next())
            if rows[0]["quality"] == "valid":
                break
        assert rows[0]["at"] == "2026-11-20T12:00:01Z"
        hub.close()

    run(work())


def test_a_meter_that_refuses_is_asked_again_after_a_pause() -> None:
    async def work() -> None:
        face = FakeFace()
        face.silent = True
        hub = Hub(face, patience_s=LONG_S, stale_period_s=SOON_S)
        watcher = hub.join(("waveform",))
        assert watcher
        assert events(await watcher.next()) == [("values", []), ("waveform", None)]
        face.silent = False
        face.tick()
        assert events(await watcher.next())[0][1]
        hub.close()

    run(work())


def test_invalid_values_stay_invalid_and_null() -> None:
    async def work() -> None:
        face = FakeFace()
        face.quality = Quality.INVALID
        hub = Hub(face, patience_s=SOON_S, stale_period_s=SOON_S)
        watcher = hub.join(())
        assert watcher
        for _ in range(2):
            [(_, rows)] = events(await watcher.next())
            assert {(row["value"], row["quality"]) for row in rows} == {(None, "invalid")}
        hub.close()

    run(work())


def test_a_bug_in_the_face_ends_the_streams_loudly_and_the_next_watcher_starts_anew() -> None:
    async def work() -> None:
        heard: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: heard.append(context))
        face = FakeFace()
        hub = Hub(face)
        watcher = hub.join(())
        assert watcher
        assert await watcher.next()
        face.broken = True
        face.tick()
        assert await watcher.next() is None
        assert isinstance(heard[0]["exception"], RuntimeError)
        assert (hub.watchers, hub.running) == (0, False)
        face.broken = False
        again = hub.join(())
        assert again
        assert await again.next()
        hub.close()

    run(work())


def test_a_closed_watcher_takes_nothing_more() -> None:
    async def work() -> None:
        watcher = Watcher(())
        assert watcher.put(b"1")
        watcher.close()
        assert not watcher.put(b"2")
        assert await watcher.next() is None

    run(work())


class Browser:
    """The far end of one ASGI request, by hand."""

    def __init__(self) -> None:
        self.sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.gone = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        await self.sent.put(message)


def test_the_stream_starts_with_the_retry_time_and_ends_with_the_browser() -> None:
    async def work() -> None:
        hub, browser = Hub(FakeFace()), Browser()
        stream = LiveStream(hub, ())
        task = asyncio.ensure_future(stream({"type": "http", "method": "GET"}, browser.receive, browser.send))
        start = await browser.sent.get()
        headers = dict(start["headers"])
        assert start["status"] == 200
        assert headers[b"content-type"] == b"text/event-stream"
        assert headers[b"cache-control"] == b"no-store"
        assert b"content-length" not in headers
        assert (await browser.sent.get())["body"] == b"retry: 2000\n\n"
        assert (await browser.sent.get())["body"].startswith(b"event: values\ndata: [{")
        browser.gone.set()
        await task
        assert (hub.watchers, hub.running) == (0, False)

    run(work())


def test_one_stream_too_many_is_503() -> None:
    async def work() -> None:
        hub, browser = Hub(FakeFace()), Browser()
        for _ in range(MAX_WATCHERS):
            assert hub.join(())
        await LiveStream(hub, ())({"type": "http", "method": "GET"}, browser.receive, browser.send)
        start = await browser.sent.get()
        assert start["status"] == 503
        assert (b"retry-after", b"10") in start["headers"]
        hub.close()

    run(work())


@pytest.mark.parametrize("fails", [ConnectionResetError, asyncio.CancelledError])
def test_a_stream_that_breaks_while_sending_leaves_the_hub(fails: type[BaseException]) -> None:
    async def work() -> None:
        hub, browser = Hub(FakeFace()), Browser()

        async def send(message: Any) -> None:
            if message["type"] == "http.response.body":
                raise fails

        with pytest.raises(fails):
            await LiveStream(hub, ())({"type": "http", "method": "GET"}, browser.receive, send)
        assert (hub.watchers, hub.running) == (0, False)

    run(work())
