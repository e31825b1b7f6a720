"""The wire of the drill `link-cut`: a relay between two modules that can be cut anywhere."""

from __future__ import annotations

import random
import socket

from wattwheel.drivers.linux.loop import EpollLoop
from wattwheel.drivers.linux.network import LinuxNetwork
from wattwheel.drivers.linux.octets import TcpListener, listen_tcp
from wattwheel.hil.octets import OctetChannel


class Wire:
    """Whoever connects to `address` is joined to the door at `target`, octet by octet, until the wire is cut."""

    def __init__(self, loop: EpollLoop, target: str, chance: random.Random) -> None:
        self._loop, self._target, self._chance = loop, target, chance
        self._network = LinuxNetwork(loop, "wire")
        self._listener = TcpListener(loop, listen_tcp("127.0.0.1", 0, "wire").detach(), "wire")
        self.address = self._listener.address
        self._listener.on_connection(self._join)
        self._pairs: list[tuple[OctetChannel, OctetChannel]] = []
        self.is_down = self._is_mute = False
        self._octets_left: int | None = None
        self.octets = 0

    def _join(self, caller: OctetChannel) -> None:
        if self.is_down:
            caller.close()
            return
        called = self._network.connect(self._target)
        pair = caller, called
        self._pairs.append(pair)
        caller.on_arrival(lambda: self._relay(pair, caller, called))
        called.on_arrival(lambda: self._relay(pair, called, caller))

    def _relay(self, pair: tuple[OctetChannel, OctetChannel], here: OctetChannel, there: OctetChannel) -> None:
        octets = here.read()
        if not octets:
            if here.is_closed:
                self._drop(pair)
            return
        if self._is_mute:
            return
        if self._octets_left is not None:
            octets = octets[: self._octets_left]
            self._octets_left -= len(octets)
        there.write(octets)
        self.octets += len(octets)
        if self._octets_left == 0:
            self.cut_now()

    def _drop(self, pair: tuple[OctetChannel, OctetChannel]) -> None:
        for end in pair:
            end.close()
        if pair in self._pairs:
            self._pairs.remove(pair)

    def cut_soon(self) -> None:
        """Cut after a random number of octets more, in the middle of whatever they belong to."""
        self._octets_left = self._chance.randint(1, 4000)

    def cut_now(self) -> None:
        """Cut: both sides notice."""
        self._octets_left = None
        self.is_down = True
        for pair in list(self._pairs):
            self._drop(pair)

    def mute(self) -> None:
        """Swallow every octet: neither side notices by itself."""
        self._is_mute = True

    def restore(self) -> None:
        """Let whoever connects from now on through; what was mute is cut."""
        if self._is_mute:
            self.cut_now()
        self.is_down = self._is_mute = False
        self._octets_left = None

    def close(self) -> None:
        """Give everything back."""
        self.cut_now()
        self._listener.close()


def free_address() -> str:
    """An address of loopback that nobody has now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"
