"""A meter of a few lines for tests of head-ends: answers from a dictionary, on TCP or a pseudo-terminal."""

from __future__ import annotations

import os
import select
import socket
import threading
import tty
from collections.abc import Callable

from wattwheel.protocols.dlt645.frame import Frame, FrameReader, Station, octets_of_address
from wattwheel.protocols.dlt645.session import FollowUp

ADDRESS = "202611200001"
ITEMS = {
    0x00010000: bytes.fromhex("78563412"),  # 123456.78 kWh... as on the line, lowest octet first
    0x02010100: bytes.fromhex("0123"),  # 230.1 V
    0x02030000: bytes.fromhex("563412"),
    0x00010100: bytes.fromhex("00000000"),
}
ITEMS_1997 = {0x9010: bytes.fromhex("78563412")}


class Slave:
    """Serves until closed. `silent` swallows that many requests first, `patience` is how many it takes in all; `noise`
    goes ahead of every reply."""

    def __init__(
        self,
        silent: int = 0,
        noise: bytes = b"",
        data_octets_max: int = 200,
        items: dict[int, bytes] = ITEMS,
        patience: int = 1000,
    ) -> None:
        self.silent, self.noise, self.items, self.patience = silent, noise, items, patience
        self.requests: list[Frame] = []
        self._follow_up = FollowUp(data_octets_max)
        self._stop, self._stopped = os.pipe()
        self._threads: list[threading.Thread] = []

    def tcp(self) -> str:
        """Open a TCP door and tell its HOST:PORT."""
        listener = socket.create_server(("127.0.0.1", 0))
        self._serve(listener.fileno(), lambda: listener.accept()[0], listener)
        return f"127.0.0.1:{listener.getsockname()[1]}"

    def pty(self) -> str:
        """Open a pseudo-terminal and tell the device to use."""
        master, slave = os.openpty()
        tty.setraw(slave)
        self._start(
            self._talk, master, lambda: os.read(master, 4096), lambda octets: os.write(master, octets), (master, slave)
        )
        return os.ttyname(slave)

    def close(self) -> None:
        os.close(self._stopped)
        for thread in self._threads:
            thread.join()
        os.close(self._stop)

    def _serve(self, descriptor: int, accept: Callable[[], socket.socket], listener: socket.socket) -> None:
        def serve() -> None:
            with listener:
                while select.select([descriptor, self._stop], [], [])[0] == [descriptor]:
                    with accept() as connection:
                        self._talk(connection.fileno(), lambda: connection.recv(4096), connection.sendall, ())

        self._start(serve)

    def _start(self, action: Callable[..., None], *arguments: object) -> None:
        self._threads.append(threading.Thread(target=action, args=arguments))
        self._threads[-1].start()

    def _talk(
        self, descriptor: int, read: Callable[[], bytes], write: Callable[[bytes], object], owned: tuple[int, ...]
    ) -> None:
        reader = FrameReader()
        while self._stop not in select.select([descriptor, self._stop], [], [])[0]:
            octets = read()
            if not octets:
                break
            for frame in reader.feed(octets):
                if reply := self._reply(frame):
                    write(self.noise + reply)
        for each in owned:
            os.close(each)

    def _reply(self, frame: Frame) -> bytes:
        self.requests.append(frame)
        if not self.silent < len(self.requests) <= self.patience:
            return b""
        station = Station(ADDRESS)
        if frame.control == 0x13:
            return station.encode(0x93, octets_of_address(ADDRESS))
        if frame.control == 0x12:
            return station.encode(*self._follow_up.follow(frame.data[:4], frame.data[4], 0))
        if frame.control == 0x01:
            return station.encode(0x81, frame.data[:2] + ITEMS_1997[int.from_bytes(frame.data[:2], "little")])
        data = self.items.get(int.from_bytes(frame.data[:4], "little"))
        if data is None:
            return station.encode(0xD1, b"\x02")
        return station.encode(*self._follow_up.answer(frame.data[:4], data, (), 0))
