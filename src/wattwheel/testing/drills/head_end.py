"""A head-end and a browser for drills: they wait, they give up in time, and they check all that they are told."""

from __future__ import annotations

import contextlib
import http.client
import os
import select
import socket
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from wattwheel.drivers.linux.clock import LinuxClock
from wattwheel.drivers.linux.octets import open_serial
from wattwheel.hil.octets import LineSettings
from wattwheel.model.errors import DoorUnavailable, NotAnswered
from wattwheel.protocols.dlt645.frame import Frame, FrameReader, Station
from wattwheel.protocols.dlt645.functions import Function2007

RECEIVE_OCTETS_MAX = 65_536
ASK_TIMEOUT_S = 1.0
CONNECT_TIMEOUT_S = 2.0
NORMAL_REPLY = Function2007.READ | 0x80

OpenDoor = Callable[[], "Stream"]


class Stream:
    """An open channel of octets to the meter, never blocking: a socket or the far end of a pseudo-terminal."""

    def __init__(self, descriptor: int, connection: socket.socket | None = None) -> None:
        self.descriptor = descriptor
        self._connection = connection
        os.set_blocking(descriptor, False)

    def fileno(self) -> int:
        """For select."""
        return self.descriptor

    def send(self, octets: bytes | memoryview) -> int:
        """Octets taken now, 0 for none. Raises NotAnswered when the far end has gone."""
        try:
            return os.write(self.descriptor, octets)
        except BlockingIOError:
            return 0
        except OSError as fault:
            raise NotAnswered(f"the channel broke: {fault.strerror}") from None

    def receive(self) -> bytes:
        """What has come, b"" for nothing. Raises NotAnswered when the far end has gone."""
        try:
            octets = os.read(self.descriptor, RECEIVE_OCTETS_MAX)
        except BlockingIOError:
            return b""
        except OSError as fault:
            raise NotAnswered(f"the channel broke: {fault.strerror}") from None
        if not octets:
            raise NotAnswered("the far end closed the channel")
        return octets

    def close(self) -> None:
        """Give the channel back."""
        if self._connection is not None:
            self._connection.close()
        else:
            os.close(self.descriptor)


def open_tcp(door: tuple[str, int]) -> Stream:
    """A connection to the DL/T 645 door. Raises NotAnswered."""
    try:
        connection = socket.create_connection(door, CONNECT_TIMEOUT_S)
    except OSError as fault:
        raise NotAnswered(f"{door[0]}:{door[1]}: {fault}") from None
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Stream(connection.fileno(), connection)


def open_line(path: str) -> Stream:
    """The far end of the meter's pseudo-terminal. Raises NotAnswered."""
    try:
        return Stream(open_serial(path, LineSettings(parity="N")))
    except DoorUnavailable as fault:
        raise NotAnswered(str(fault)) from None


class HeadEnd:
    """Reads items of one meter through one channel, and opens it again when it broke."""

    def __init__(self, open_door: OpenDoor, address: str, clock: LinuxClock) -> None:
        self._open_door, self._clock = open_door, clock
        self._station = Station(address)
        self._stream: Stream | None = None

    def read(self, identifiers: Sequence[int], timeout_s: float = ASK_TIMEOUT_S) -> list[bytes | None]:
        """Item octets of `identifiers`, asked in one go; None for what is refused.

        Raises NotAnswered when a reply is missing after `timeout_s`, or is no reply to its question: then the channel
        is opened anew, so that late replies meet nobody.
        """
        try:
            return self._read(identifiers, timeout_s)
        except NotAnswered:
            self.close()
            raise

    def _read(self, identifiers: Sequence[int], timeout_s: float) -> list[bytes | None]:
        if self._stream is None:
            self._stream = self._open_door()
            with contextlib.suppress(NotAnswered):
                self._stream.receive()  # replies to whoever held the line before
        asked = [di.to_bytes(4, "little") for di in identifiers]
        self._send(b"".join(self._station.encode(Function2007.READ, di, 4) for di in asked), timeout_s)
        frames = self._receive(len(asked), timeout_s)
        return [self._item(di, frame) for di, frame in zip(asked, frames, strict=True)]

    def _send(self, octets: bytes, timeout_s: float) -> None:
        assert self._stream is not None
        while octets:
            if not select.select([], [self._stream], [], timeout_s)[1]:
                raise NotAnswered("the channel takes no octets")
            octets = octets[self._stream.send(octets) :]

    def _receive(self, count: int, timeout_s: float) -> list[Frame]:
        assert self._stream is not None
        reader, frames = FrameReader(), list[Frame]()
        due_ns = self._clock.now_ns() + round(timeout_s * 1e9)
        while len(frames) < count:
            left_s = (due_ns - self._clock.now_ns()) / 1e9
            if left_s <= 0 or not select.select([self._stream], [], [], left_s)[0]:
                raise NotAnswered(f"{len(frames)} of {count} replies within {timeout_s:g} s")
            frames += reader.feed(self._stream.receive())
        if len(frames) > count or reader.rejected or reader.held:
            raise NotAnswered(f"{len(frames)} replies to {count} questions, {reader.rejected} damaged")
        return frames

    def _item(self, di: bytes, frame: Frame) -> bytes | None:
        if frame.address != self._station.address:
            raise NotAnswered(f"a reply under the address {frame.address}")
        if frame.control == NORMAL_REPLY and frame.data[:4] == di:
            return frame.data[4:]
        if frame.control == NORMAL_REPLY | 0x40 and len(frame.data) == 1:
            return None
        raise NotAnswered(f"a reply {frame.control:02X} {frame.data.hex()} to a read of {di[::-1].hex()}")

    def close(self) -> None:
        """Close the channel; the next read opens it again."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None


class Browser:
    """Asks the page's API, on one connection as long as it holds."""

    def __init__(self, door: tuple[str, int], timeout_s: float = ASK_TIMEOUT_S) -> None:
        self._door, self._timeout_s = door, timeout_s
        self._connection: http.client.HTTPConnection | None = None

    def get(self, path: str) -> tuple[int, Any]:
        """Status and JSON document of `path`. Raises NotAnswered."""
        if self._connection is None:
            self._connection = http.client.HTTPConnection(*self._door, timeout=self._timeout_s)
        try:
            self._connection.request("GET", path)
            answer = self._connection.getresponse()
            return answer.status, msgspec.json.decode(answer.read())
        except (OSError, http.client.HTTPException, msgspec.DecodeError) as fault:
            self.close()
            raise NotAnswered(f"GET {path}: {fault!r}") from None

    def close(self) -> None:
        """Close the connection; the next question opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
