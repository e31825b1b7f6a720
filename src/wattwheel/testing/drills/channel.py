"""One channel under fuzz: octets out, replies in, each compared with what the oracle expects, strictly in order."""

from __future__ import annotations

import select
from collections import deque
from collections.abc import Callable, Sequence

from wattwheel.drivers.linux.clock import LinuxClock
from wattwheel.model.errors import NotAnswered
from wattwheel.protocols.dlt645.frame import OVERHEAD_OCTETS, Frame, FrameReader
from wattwheel.testing.drills.head_end import Stream
from wattwheel.testing.drills.oracle import Expected

SEND_OCTETS_MAX = 65_536
PATIENCE_S = 10.0
"""Longest time without a sent or received octet while something is due."""

Fail = Callable[[str, str], None]
Hear = Callable[[int, bytes], None]


class Channel:
    """A stream, what is still to be sent through it, and the replies that are due.

    Args:
        name: for the report.
        stream: open to the meter.
        address: of the meter; every reply must come under it.
        preamble: FEH octets that every reply must have.
        fail: told of each wrong reply.
        hear: told identifier and item octets of each value.

    Attributes:
        answered: replies that were right.
    """

    def __init__(self, name: str, stream: Stream, address: str, preamble: int, fail: Fail, hear: Hear) -> None:
        self.name, self.stream = name, stream
        self.answered = 0
        self._address, self._preamble, self._fail, self._hear = address, preamble, fail, hear
        self._reader = FrameReader()
        self._unsent = memoryview(b"")
        self._due: deque[Expected] = deque()
        self._stray = 0

    @property
    def is_sending(self) -> bool:
        """True while octets wait to be sent."""
        return len(self._unsent) > 0

    @property
    def is_done(self) -> bool:
        """True when everything is sent and every reply is here."""
        return not self._unsent and not self._due

    @property
    def missing(self) -> int:
        """Replies that are due."""
        return len(self._due)

    def begin(self, octets: bytes, due: Sequence[Expected]) -> None:
        """Send `octets` from now on; `due` must come back."""
        assert not self._unsent
        self._unsent = memoryview(octets)
        self._due.extend(due)

    def send(self) -> None:
        """Send what the channel takes now."""
        self._unsent = self._unsent[self.stream.send(self._unsent[:SEND_OCTETS_MAX]) :]

    def receive(self) -> None:
        """Take what has come and compare it."""
        octets = self.stream.receive()
        self._stray += len(octets)
        for frame in self._reader.feed(octets):
            self._stray -= OVERHEAD_OCTETS + len(frame.data) + frame.preamble
            self._take(frame)

    def _take(self, reply: Frame) -> None:
        if not self._due:
            self._fail("unasked reply", f"{self.name}: {reply.control:02X} {reply.data.hex()}")
            return
        expected = self._due.popleft()
        objection = expected.objection(reply, self._address)
        if objection is None and reply.preamble != self._preamble:
            objection = f"{reply.preamble} FEH octets before a reply; due {self._preamble}"
        if objection is not None:
            self._fail("wrong reply", f"{self.name}: {objection}")
            return
        self.answered += 1
        if expected.di is not None:
            self._hear(expected.di, reply.data[4:])

    def check_stray(self) -> None:
        """Fail for octets that belong to no reply."""
        if self._stray != self._reader.held:
            self._fail("stray octets", f"{self.name}: {self._stray - self._reader.held} octets that belong to no reply")
            self._stray = self._reader.held

    def forget(self) -> None:
        """Give up what is due."""
        self._due.clear()
        self._unsent = memoryview(b"")


def exchange(channels: Sequence[Channel], clock: LinuxClock, fail: Fail, patience_s: float = PATIENCE_S) -> None:
    """Serve `channels` until each is done; fail for what does not come within `patience_s` of silence."""
    quiet_ns = clock.now_ns()
    while busy := [channel for channel in channels if not channel.is_done]:
        senders = [channel for channel in busy if channel.is_sending]
        by_stream = {channel.stream: channel for channel in channels}
        readable, writable, _ = select.select(by_stream, [c.stream for c in senders], [], 0.5)
        try:
            for stream in readable:
                by_stream[stream].receive()
            for stream in writable:
                by_stream[stream].send()
        except NotAnswered as fault:
            fail("channel", str(fault))
            break
        if readable or writable:
            quiet_ns = clock.now_ns()
        elif clock.now_ns() - quiet_ns > patience_s * 1e9:
            break
    for channel in channels:
        channel.check_stray()
        if not channel.is_done:
            fail("unanswered", f"{channel.name}: {channel.missing} replies missing, sending {channel.is_sending}")
            channel.forget()
