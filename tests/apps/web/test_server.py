from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable

import pytest
from tests.apps.web.fake_face import FakeFace

from wattwheel.apps.web import server
from wattwheel.apps.web.server import WebServer

LONG_S = 20.0
Work = Callable[[WebServer, FakeFace, int], Awaitable[None]]


def serving(work: Work) -> None:
    async def run() -> None:
        async with asyncio.timeout(LONG_S):
            await whole()

    async def whole() -> None:
        face = FakeFace()
        web = WebServer(face)
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        port = listener.getsockname()[1]
        await web.start(socket.socket(fileno=os.dup(listener.fileno())))
        listener.close()
        try:
            await work(web, face, port)
        finally:
            await web.stop()
        for _ in range(5):
            await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(run())


async def exchange(port: int, octets: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(octets)
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


def test_it_serves_on_a_socket_that_came_as_a_descriptor() -> None:
    async def work(web: WebServer, face: FakeFace, port: int) -> None:
        answer = await exchange(port, b"GET /api/status HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"server:" not in head.lower()
        assert b'"address":"202611200001"' in body

    serving(work)


def test_the_live_stream_over_a_real_socket_and_its_end_at_the_stop() -> None:
    async def work(web: WebServer, face: FakeFace, port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /api/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        await reader.readuntil(b"retry: 2000\n\n")
        for _ in range(3):
            await reader.readuntil(b"event: values\ndata: [{")
            await reader.readuntil(b"\n\n")
            face.tick()
        await web.stop()
        assert (await reader.read()).endswith(b"0\r\n\r\n")
        writer.close()
        await writer.wait_closed()

    serving(work)


def test_a_reader_that_never_reads_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "WRITE_PATIENCE_S", 0.05)

    async def work(web: WebServer, face: FakeFace, port: int) -> None:
        sleeper = socket.socket()
        sleeper.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sleeper.connect(("127.0.0.1", port))
        sleeper.sendall(b"GET /api/live?with=status,display,waveform HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        while not web._state.connections:
            await asyncio.sleep(0)
        while web._state.connections:
            face.tick()
            await asyncio.sleep(0)
        assert web.site.state.hub.watchers == 0
        sleeper.close()

    serving(work)


@pytest.mark.parametrize("octets", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: "])
def test_a_request_that_never_ends_is_cut(octets: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "REQUEST_PATIENCE_S", 0.02)

    async def work(web: WebServer, face: FakeFace, port: int) -> None:
        assert await exchange(port, octets) == b""

    serving(work)


def test_a_body_that_drips_after_the_answer_does_not_hold_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "REQUEST_PATIENCE_S", 0.02)

    async def work(web: WebServer, face: FakeFace, port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /api/status HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"x")
        while web._state.connections:
            await asyncio.sleep(0)
        writer.close()

    serving(work)


def test_whoever_asks_nothing_gives_way_to_those_who_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MAX_CONNECTIONS", 4)

    async def work(web: WebServer, face: FakeFace, port: int) -> None:
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(20)]
        half = [await asyncio.open_connection("127.0.0.1", port) for _ in range(20)]
        for _, writer in half:
            writer.write(b"GET / HTTP/1.1\r\nX: ")
        answer = await exchange(port, b"GET /api/status HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200")
        assert len(web._state.connections) < 4
        for _, writer in silent + half:
            writer.close()

    serving(work)


def test_the_sixty_fifth_connection_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MAX_CONNECTIONS", 2)

    async def work(web: WebServer, face: FakeFace, port: int) -> None:
        reader, first = await asyncio.open_connection("127.0.0.1", port)
        first.write(b"GET /api/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        await reader.readuntil(b"retry: 2000\n\n")
        answer = await exchange(port, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 503")
        first.close()
        await first.wait_closed()

    serving(work)


@pytest.mark.parametrize(
    "octets", [b"\x00\x01\x02\r\n\r\n", b"GET /\r\n\r\n", b"\x68" * 40000, b"GET / HTTP/1.1\r\n\r\n"]
)
def test_what_is_no_request_gets_400_and_silence_in_the_log(octets: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async def work(web: WebServer, face: FakeFace, port: int) -> None:
        answer = await exchange(port, octets)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 400")

    serving(work)
    assert caplog.records == []


def test_who_leaves_in_the_middle_of_a_body_leaves_nothing_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def work(web: WebServer, face: FakeFace, port: int) -> None:
        head = b"POST /api/press HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        _reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head + b"Content-Length: 9\r\n\r\n{")
        while not web._state.tasks:
            await asyncio.sleep(0)
        writer.close()
        await asyncio.wait(tuple(web._state.tasks))
        answer = await exchange(port, b"GET /api/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200")

    serving(work)
    assert caplog.records == []
