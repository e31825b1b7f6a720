"""Ports whose other side cheats: what it can reach, and that it hurts nobody but itself."""

import fcntl
import mmap
import os
import select
import socket
import struct

import pytest

from wattwheel.drivers.linux.cells import LinuxSamplingDestination, LinuxSamplingSource, SamplingChannel
from wattwheel.drivers.linux.loop import EpollLoop
from wattwheel.drivers.linux.ports import LinuxQueuingDestination, LinuxQueuingSource, QueuingChannel

SIZE, DEPTH, PAGE = 100, 4, 4096
HIGHEST = 2**64 - 1
FULL_EVENT = 2**64 - 2


@pytest.fixture
def loop():
    loop = EpollLoop()
    yield loop
    loop.close()


class Queue:
    """A channel and both ends, made from what two partitions would get."""

    def __init__(self, loop):
        self.channel = QueuingChannel("queue", SIZE, DEPTH)
        self.source_ends, self.destination_ends = (
            self.channel.source_descriptors(),
            self.channel.destination_descriptors(),
        )
        self.source = LinuxQueuingSource(loop, self.source_ends, SIZE, DEPTH, owned=False)
        self.destination = LinuxQueuingDestination(loop, self.destination_ends, SIZE, DEPTH, owned=False)

    def forge(self, page, *words):
        with mmap.mmap(page, PAGE) as mapped:
            struct.pack_into(f"<{len(words)}Q", mapped, 0, *words)

    def take_all(self):
        found = []
        while (message := self.destination.peek_nowait()) is not None:
            found.append(message)
            self.destination.consume()
        return found


@pytest.fixture
def queue(loop):
    queue = Queue(loop)
    yield queue
    queue.source.close()
    queue.destination.close()
    queue.channel.close()


def writable(descriptor):
    try:
        mmap.mmap(descriptor, PAGE).close()
    except PermissionError:
        return False
    return True


def test_each_side_can_write_its_own_page_only(queue):
    _socket, own, other, _space = queue.source_ends
    assert (writable(own), writable(other)) == (True, False)
    _socket, other, own, _space = queue.destination_ends
    assert (writable(own), writable(other)) == (True, False)


@pytest.mark.parametrize("size", [0, 1, PAGE + 1])
def test_no_side_can_cut_or_grow_a_page(queue, size):
    for descriptor in (*queue.source_ends[1:3], *queue.destination_ends[1:3]):
        with pytest.raises(OSError, match=r"Invalid argument|not permitted"):
            os.ftruncate(descriptor, size)
    with pytest.raises(PermissionError):
        fcntl.fcntl(queue.source_ends[1], fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE)


@pytest.mark.parametrize("sent", [HIGHEST, 2**63, 1000, DEPTH + 2])
def test_a_source_that_says_it_has_sent_more(queue, sent):
    assert queue.source.send_nowait(b"one")
    queue.forge(queue.source_ends[1], sent, HIGHEST)
    assert queue.take_all() == [b"one"]
    for _ in range(3):
        assert queue.destination.peek_nowait() is None
    queue.channel.source.send(b"two")
    assert queue.take_all() == [b"two"]


@pytest.mark.parametrize("consumed", [HIGHEST, 2**63, 1000])
def test_a_destination_that_says_it_has_taken_more(queue, consumed):
    queue.forge(queue.destination_ends[2], consumed)
    taken = sum(queue.source.send_nowait(bytes(SIZE)) for _ in range(10_000))
    assert DEPTH <= taken < 10_000  # the kernel bounds it


def test_a_destination_that_fills_the_bell_or_shuts_its_side(queue):
    os.eventfd_write(queue.channel.space, FULL_EVENT)
    for _ in range(2 * DEPTH):
        queue.source.send_nowait(b"x")
    assert queue.take_all()
    queue.channel.destination.shutdown(socket.SHUT_RD)
    assert not queue.source.send_nowait(b"x")


def test_messages_that_are_empty_or_too_long(queue):
    queue.channel.source.send(b"")
    queue.channel.source.send(bytes(3 * SIZE))
    assert queue.source.send_nowait(b"good")
    assert queue.destination.peek_nowait() is None
    assert queue.take_all() == [bytes(SIZE), b"good"]


@pytest.fixture
def cell():
    cell = SamplingChannel("cell", SIZE, ("reader",))
    yield cell
    cell.close()


def test_a_reader_can_neither_write_nor_cut_the_cell(cell, loop):
    descriptor = cell.destination_descriptors("reader")[0]
    source = LinuxSamplingSource(cell.source_descriptors(), SIZE)
    reader = LinuxSamplingDestination(loop, cell.destination_descriptors("reader"), SIZE)
    source.write(b"true")
    with pytest.raises(PermissionError):
        mmap.mmap(descriptor, 0)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.pwrite(descriptor, b"false", 0)
    for size in (0, PAGE):
        for end in (descriptor, cell.source_descriptors()[0]):
            with pytest.raises(OSError, match=r"Invalid argument|not permitted"):
                os.ftruncate(end, size)
    assert reader.read().message == b"true"


def test_a_reader_that_fills_the_bell_does_not_stop_the_writer(cell, loop):
    arrival = cell.destination_descriptors("reader")[1]
    os.eventfd_write(arrival, FULL_EVENT)
    source = LinuxSamplingSource(cell.source_descriptors(), SIZE)
    source.write(b"1")
    source.write(b"2")
    assert select.select([arrival], [], [], 0)[0]
    assert LinuxSamplingDestination(loop, cell.destination_descriptors("reader"), SIZE).read().message == b"2"


@pytest.mark.parametrize("octets", [b"\xff" * 64, b"\0" * 64, struct.pack("<QQQII", 2, 2, 0, 2**32 - 1, 0)])
def test_a_writer_that_forges_its_cell_is_not_believed(cell, loop, octets):
    source = LinuxSamplingSource(cell.source_descriptors(), SIZE)
    reader = LinuxSamplingDestination(loop, cell.destination_descriptors("reader"), SIZE)
    source.write(b"true")
    assert reader.read().message == b"true"
    os.pwrite(cell.cell, octets, 0)
    assert reader.read() is None or reader.read().message == b"true"
