"""Queuing channels between processes.

Theory of operation. A queuing channel is a Unix SEQPACKET pair (the kernel keeps order, message borders and, with both
ends held by the module, the queue itself when a partition dies) and two counters in shared memory: `sent`, written by
the source only, and `consumed`, written by the destination only. Their difference is the number of messages under way,
so the exact depth costs no system call. The source counts after sending, the destination after taking; each kill
between the two leaves a difference of one, which heals: the destination, finding the queue empty, adopts the `sent`
that it read before it looked; a new source is preceded by `repair`. A full source counts its wish for room in its own
page; a destination that sees a new wish writes an eventfd.

Neither side trusts the other. Each has only its own page to write; the far one, and a reader's cell, come as read-only
descriptors, which a process without /proc cannot open anew. Pages and cells cannot be cut or grown. What a partition
forges in its own page makes its own channel look full, empty or long, no more: a `sent` that is further ahead than the
queue is deep is not believed.

Words that the other side reads while they change are accessed through memoryviews of 8-octet items, which the
interpreter copies in one piece; `struct` would move them octet by octet.
"""

from __future__ import annotations

import mmap
import os
import socket
import struct
import time
from collections.abc import Callable
from typing import NamedTuple

from wattwheel.drivers.linux.loop import Action, EpollLoop
from wattwheel.drivers.linux.shared_memory import memory_of, read_only, ring
from wattwheel.model.errors import ConfigError

DATAGRAM_OVERHEAD_OCTETS = 1024  # what the kernel may add to a message in its accounting
SPACE_RETRY_NS = 5_000_000  # a lost wake-up of a full source costs this much, not a stall

_PAGE = 4096
_SO_SNDBUFFORCE = 32
_SO_PEEK_OFF = 42
_TAKE_OCTETS = 1  # the kernel drops the rest of a message that is taken in part
_PEEK = socket.MSG_PEEK | socket.MSG_DONTWAIT


_SENT, _WISHES, _HIGHEST = 0, 1, 2  # words of the source's page
_LOOKED_AT = 1  # word of the destination's page, behind `consumed`: number, from 1 on, of the message it has looked at


class QueueFigures(NamedTuple):
    """Messages under way now and at most, how often the source found the channel full, and messages sent so far."""

    waiting: int
    waiting_highest: int
    stalls: int
    sent: int


class QueuingChannel:
    """Descriptors of one queuing channel, as the module keeps them and hands them to bodies."""

    def __init__(self, name: str, max_message_size: int, depth: int) -> None:
        self.name, self.max_message_size, self.depth = name, max_message_size, depth
        self.source, self.destination = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        _make_room(self.source, name, max_message_size, depth)
        self.source.shutdown(socket.SHUT_RD)
        self.destination.shutdown(socket.SHUT_WR)
        self.source_page = memory_of(f"{name}.sent", _PAGE)
        self.destination_page = memory_of(f"{name}.consumed", _PAGE)
        self._source_page_read_only = read_only(self.source_page)
        self._destination_page_read_only = read_only(self.destination_page)
        self.space = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def descriptors(self) -> list[int]:
        """Socket of the end asked for comes first: see `source_descriptors` and `destination_descriptors`."""
        return [self.source.fileno(), self.destination.fileno(), self.source_page, self.destination_page, self.space]

    def source_descriptors(self) -> list[int]:
        """What a body needs to send."""
        return [self.source.fileno(), self.source_page, self._destination_page_read_only, self.space]

    def destination_descriptors(self) -> list[int]:
        """What a body needs to receive."""
        return [self.destination.fileno(), self._source_page_read_only, self.destination_page, self.space]

    def length(self) -> int:
        """Messages under way, by the counters."""
        return max(0, _count(self.source_page) - _count(self.destination_page))

    def figures(self) -> QueueFigures:
        """How full it is and was. The source counts; one that forges its page lies here as well."""
        with mmap.mmap(self.source_page, _PAGE, prot=mmap.PROT_READ) as page, memoryview(page).cast("Q") as words:
            return QueueFigures(self.length(), words[_HIGHEST], words[_WISHES], words[_SENT])

    def repair(self) -> None:
        """Make `sent` agree with what is really queued. Call it with neither end running.

        A reader that was stopped between taking and counting leaves room for one message more until the next repair.
        """
        queued = self._queued()
        with mmap.mmap(self.source_page, _PAGE) as sent:
            struct.pack_into("<Q", sent, 0, _count(self.destination_page) + queued)

    def _queued(self) -> int:
        self.destination.setsockopt(socket.SOL_SOCKET, _SO_PEEK_OFF, 0)
        queued = 0
        try:
            while queued <= self.depth:
                if not self.destination.recv(self.max_message_size, _PEEK):
                    break
                queued += 1
        except BlockingIOError:
            pass
        finally:
            self.destination.setsockopt(socket.SOL_SOCKET, _SO_PEEK_OFF, -1)
        return queued

    def take_suspect(self) -> int | None:
        """Number of the message that the destination had looked at and not let go of; told once. Call it when the
        destination is gone."""
        with mmap.mmap(self.destination_page, _PAGE) as page, memoryview(page).cast("Q") as words:
            consumed, looked_at = words[0], words[_LOOKED_AT]
            words[_LOOKED_AT] = 0
        return consumed if looked_at == consumed + 1 and self.length() else None

    def set_aside(self) -> int:
        """Take the oldest message out, with the destination gone. Its length; 0 when there was none after all."""
        try:
            octets = len(self.destination.recv(self.max_message_size, socket.MSG_DONTWAIT))
        except BlockingIOError:
            return 0
        with mmap.mmap(self.destination_page, _PAGE) as page, memoryview(page).cast("Q") as words:
            words[0] += 1
        ring(self.space)
        return octets

    def close(self) -> None:
        """Give the descriptors back."""
        self.source.close()
        self.destination.close()
        pages = (self.source_page, self.destination_page)
        for descriptor in (*pages, self._source_page_read_only, self._destination_page_read_only, self.space):
            os.close(descriptor)


def _make_room(source: socket.socket, name: str, size: int, depth: int) -> None:
    wanted = depth * (size + DATAGRAM_OVERHEAD_OCTETS)
    try:
        source.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, wanted)
    except PermissionError:
        source.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, wanted)
    granted = source.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
    if granted < wanted:
        allowed = f"depth x (size + {DATAGRAM_OVERHEAD_OCTETS}) <= {granted} octets on this machine (net.core.wmem_max)"
        source.close()
        raise ConfigError(f"channel {name}", f"depth {depth} x size {size}", allowed)


def _count(page: int) -> int:
    with mmap.mmap(page, _PAGE, prot=mmap.PROT_READ) as mapped, memoryview(mapped).cast("Q") as words:
        return int(words[0])


class LinuxQueuingSource:
    """`hil.ports.QueuingSource` over the descriptors of a channel."""

    def __init__(
        self, loop: EpollLoop, descriptors: list[int], max_message_size: int, depth: int, owned: bool = True
    ) -> None:
        self.max_message_size, self.depth = max_message_size, depth
        self._loop = loop
        socket_fd, own_page, other_page, self._space = descriptors
        self._socket = socket.socket(fileno=socket_fd if owned else os.dup(socket_fd))
        self._own = memoryview(mmap.mmap(own_page, _PAGE)).cast("Q")
        self._other = memoryview(mmap.mmap(other_page, _PAGE, prot=mmap.PROT_READ)).cast("Q")
        self._send = self._socket.send
        self._on_space: Action | None = None
        self._is_watching = self._is_retrying = False

    def send_nowait(self, message: bytes) -> bool:
        """Queue `message`. False: full, nothing happened."""
        assert 0 < len(message) <= self.max_message_size, f"{len(message)} octets"
        own = self._own
        if own[0] - self._other[0] >= self.depth and not self.has_room():
            return False
        try:
            self._send(message, socket.MSG_DONTWAIT)
        except (BlockingIOError, BrokenPipeError, ConnectionResetError):  # the far end may have shut its side down
            self._await_space()
            return False
        own[0] = sent = own[0] + 1
        if sent - self._other[0] > own[2]:
            own[2] = sent - self._other[0]
        return True

    def has_room(self) -> bool:
        """Whether a message would be taken now. False: full, and `on_space` will tell."""
        own = self._own
        if own[0] - self._other[0] < self.depth:
            return True
        own[1] += 1
        if own[0] - self._other[0] < self.depth:  # looked again after the wish was told
            return True
        self._await_space()
        return False

    def on_space(self, action: Callable[[], None]) -> None:
        """Call `action` when a full channel has room again."""
        self._on_space = action

    def length(self) -> int:
        """Messages under way, by the counters."""
        return min(max(0, self._own[0] - self._other[0]), self.depth)

    def count(self) -> int:
        """Messages that have gone into the channel since it was made, from this end and its predecessors."""
        return self._own[0]

    def _await_space(self) -> None:
        if self._on_space is None:
            return
        if not self._is_watching:
            self._loop.watch(self._space, self._take_space)
            self._is_watching = True
        if not self._is_retrying:  # one retry at a time, however often somebody tries to send
            self._is_retrying = True
            self._loop.call_at(time.monotonic_ns() + SPACE_RETRY_NS, self._retry)

    def _retry(self) -> None:
        self._is_retrying = False
        if self._on_space is not None:
            self._on_space()

    def _take_space(self) -> None:
        try:
            os.eventfd_read(self._space)
        except BlockingIOError:
            return
        if self._on_space is not None:
            self._on_space()

    def close(self) -> None:
        """Give this hold back; the channel stays."""
        if self._is_watching:
            self._loop.unwatch(self._space)
        self._on_space = None
        self._socket.close()


class LinuxQueuingDestination:
    """`hil.ports.QueuingDestination` over the descriptors of a channel."""

    def __init__(
        self, loop: EpollLoop, descriptors: list[int], max_message_size: int, depth: int, owned: bool = True
    ) -> None:
        self.max_message_size, self.depth = max_message_size, depth
        self._loop = loop
        socket_fd, other_page, own_page, self._space = descriptors
        self._socket = socket.socket(fileno=socket_fd if owned else os.dup(socket_fd))
        self._descriptor = self._socket.fileno()
        self._other = memoryview(mmap.mmap(other_page, _PAGE, prot=mmap.PROT_READ)).cast("Q")
        self._wishes_heard = 0
        self._own = memoryview(mmap.mmap(own_page, _PAGE)).cast("Q")
        self._recv = self._socket.recv

    def peek_nowait(self) -> bytes | None:
        """The oldest message, which stays; None when empty."""
        try:
            message = self._recv(self.max_message_size, _PEEK)
        except BlockingIOError:
            return self._peek_again() if self._own[0] < self._other[0] else None
        if not message:
            self._drop_empty()
            return None
        own = self._own
        own[_LOOKED_AT] = own[0] + 1
        return message

    def _peek_again(self) -> bytes | None:
        """Adopt `sent` if the queue is empty although, by the counters, it is not: a predecessor died between the two.

        `sent` is read before the queue: a message that is sent and counted after that must not pass for a taken one.
        """
        sent = self._other[0]
        try:
            return self._recv(self.max_message_size, _PEEK) or None
        except BlockingIOError:
            if self._own[0] < sent <= self._own[0] + self.depth:
                self._own[0] = sent
                self._wake_source()
            return None

    def _drop_empty(self) -> None:
        """Take away an empty message, which no port sends: left in place it would bar the way for ever."""
        self._recv(_TAKE_OCTETS, socket.MSG_DONTWAIT)

    def consume(self) -> None:
        """Let go of the message that `peek_nowait` returned last."""
        self._recv(_TAKE_OCTETS, socket.MSG_DONTWAIT)
        self._own[0] += 1
        if self._other[1] != self._wishes_heard:
            self._wake_source()

    def _wake_source(self) -> None:
        self._wishes_heard = self._other[1]
        ring(self._space)

    def on_arrival(self, action: Callable[[], None] | None) -> None:
        """Call `action` while messages wait; None: nobody."""
        if action is None:
            self._loop.unwatch_readable(self._descriptor)
        else:
            self._loop.watch(self._descriptor, action)

    def length(self) -> int:
        """Messages that wait, by the counters."""
        return min(max(0, self._other[0] - self._own[0]), self.depth)

    def count(self) -> int:
        """Messages that were let go of since the channel was made, by this end and its predecessors."""
        return self._own[0]

    def close(self) -> None:
        """Give this hold back; the channel stays, with the message that was not consumed."""
        self._loop.unwatch(self._descriptor)
        self._socket.close()
