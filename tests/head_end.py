"""A head-end of a few lines for tests of a living meter: one question at a time over TCP, every wait bounded."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Iterable
from typing import Any

from wattwheel.model.catalogue import item_2007
from wattwheel.protocols.dlt645.frame import Frame, FrameReader, encode
from wattwheel.protocols.dlt645.items import decode

ADDRESS = "202611200001"
PATIENCE_S = 2.0  # for one answer
BACK_S = 20.0  # for a meter that was hit
PAUSE_S = 0.05


class SilentError(Exception):
    """No answer, or no connection."""


class HeadEnd:
    """Reads the meter behind `door`; connects anew whenever it must."""

    def __init__(self, door: tuple[str, int], address: str = ADDRESS) -> None:
        self._door, self._address = door, address
        self._connection: socket.socket | None = None

    def ask(self, frame: Frame) -> Frame:
        """The answer to one frame. Raises SilentError."""
        try:
            if self._connection is None:
                self._connection = socket.create_connection(self._door, PATIENCE_S)
            self._connection.sendall(encode(frame))
            return self._answer(self._connection)
        except OSError as fault:
            self.close()
            raise SilentError(repr(fault)) from None

    def _answer(self, connection: socket.socket) -> Frame:
        reader, due = FrameReader(), time.perf_counter() + PATIENCE_S
        while (left := due - time.perf_counter()) > 0 and select.select([connection], [], [], left)[0]:
            octets = connection.recv(4096)
            if not octets:
                break
            if frames := reader.feed(octets):
                return frames[0]
        raise OSError("no answer")

    def read(self, di: int) -> Any:
        """The value of one item. Raises SilentError for a refusal, too."""
        reply = self.ask(Frame(self._address, 0x11, di.to_bytes(4, "little")))
        if reply.control != 0x91:
            raise SilentError(f"{reply.control:02X} {reply.data.hex()}")
        assert reply.data[:4] == di.to_bytes(4, "little")
        return decode(item_2007(di), reply.data[4:]).value

    def read_when_back(self, di: int, is_good: Callable[[Any], bool] = lambda value: True) -> Any:
        """The value of one item as soon as it is answered and good."""
        due, last = time.perf_counter() + BACK_S, None
        while time.perf_counter() < due:
            try:
                last = self.read(di)
                if is_good(last):
                    return last
            except SilentError as silence:
                last = silence
            self._pause()
        raise AssertionError(f"{di:08X} is not back after {BACK_S} s: {last}")

    def _pause(self) -> None:
        """Wait a moment for the far end to close what it has no more use for."""
        waited_for: Iterable[socket.socket] = [self._connection] if self._connection is not None else []
        if select.select(waited_for, [], [], PAUSE_S)[0]:
            self.close()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
