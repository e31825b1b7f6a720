"""The pipe into which bodies print: read by the kernel, line by line, so much a second and no more."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from wattwheel.drivers.linux.loop import EpollLoop

READ_OCTETS_MAX = 16_384
LOG_OCTETS_A_SECOND_MAX = 65_536
"""What all bodies together may say; what is beyond stays in the pipe, and what the pipe does not hold is lost."""

LINE_OCTETS_MAX = 1000
SECOND_NS = 1_000_000_000


class BodyLog:
    """Both ends of the pipe. `write_end`: for the bodies; a full pipe never lets them wait."""

    def __init__(self, log: Callable[[str], None]) -> None:
        self._log = log
        self._read_end, self.write_end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._loop: EpollLoop | None = None
        self._rest = b""
        self._second_from_ns = self._taken = 0

    def let_go_of_write_end(self) -> None:
        """The zygote has it now."""
        os.close(self.write_end)

    def attach(self, loop: EpollLoop) -> None:
        """Listen from now on."""
        self._loop = loop
        loop.watch(self._read_end, self._take)

    def _take(self) -> None:
        assert self._loop is not None
        try:
            octets = os.read(self._read_end, READ_OCTETS_MAX)
        except BlockingIOError:
            return
        if not octets:
            self._loop.unwatch(self._read_end)
            return
        *lines, self._rest = (self._rest + octets).split(b"\n")
        if len(self._rest) >= LINE_OCTETS_MAX:
            lines, self._rest = [*lines, self._rest], b""
        for line in lines:
            self._log(line[:LINE_OCTETS_MAX].decode(errors="backslashreplace"))
        self._count(len(octets))

    def _count(self, octets: int) -> None:
        """After too much of it, do not listen until the second is over."""
        assert self._loop is not None
        now = time.monotonic_ns()
        if now - self._second_from_ns >= SECOND_NS:
            self._second_from_ns, self._taken = now, 0
        self._taken += octets
        if self._taken >= LOG_OCTETS_A_SECOND_MAX:
            loop = self._loop
            loop.unwatch(self._read_end)
            loop.call_at(self._second_from_ns + SECOND_NS, lambda: self.attach(loop))

    def close(self) -> None:
        """Say what is left and give the pipe back."""
        if self._rest:
            self._log(self._rest.decode(errors="backslashreplace"))
        if self._loop is not None:
            self._loop.unwatch(self._read_end)
        os.close(self._read_end)
