"""Linux ports with real sockets and shared memory: depth, races, kill -9 of either end, torn writes."""

from __future__ import annotations

import mmap
import os
import random
import select
import signal
import socket
import struct
import time
from collections import deque

import pytest

from wattwheel.drivers.linux import cells, ports
from wattwheel.drivers.linux.cells import LinuxSamplingDestination, LinuxSamplingSource, SamplingChannel
from wattwheel.drivers.linux.loop import EpollLoop
from wattwheel.drivers.linux.ports import LinuxQueuingDestination, LinuxQueuingSource, QueuingChannel
from wattwheel.model.errors import ConfigError

KILLS = int(os.environ.get("WATTWHEEL_TEST_KILLS", "20"))
PATIENCE_NS = 60_000_000_000
_NUMBER = struct.Struct("<Q")


@pytest.fixture
def loop():
    loop = EpollLoop()
    yield loop
    loop.close()


class Queue:
    """A channel with both of its ends in this process."""

    def __init__(self, loop, size=100, depth=4):
        self.loop = loop
        self.channel = QueuingChannel("queue", size, depth)
        self.held = []
        self.source, self.destination = self.new_source(), self.new_destination()

    def new_source(self):
        channel = self.channel
        ends = channel.source_descriptors()
        self.held.append(LinuxQueuingSource(self.loop, ends, channel.max_message_size, channel.depth, owned=False))
        return self.held[-1]

    def new_destination(self):
        channel = self.channel
        ends = channel.destination_descriptors()
        self.held.append(LinuxQueuingDestination(self.loop, ends, channel.max_message_size, channel.depth, owned=False))
        return self.held[-1]

    def close(self):
        for end in self.held:
            end.close()
        self.channel.close()

    def drain(self):
        found = []
        while (message := self.destination.peek_nowait()) is not None:
            found.append(message)
            self.destination.consume()
        return found


@pytest.fixture
def queue(loop):
    queue = Queue(loop)
    yield queue
    queue.close()


def step_until(loop, condition):
    """Serve the loop until `condition`; a test that waits in vain fails."""
    end = time.monotonic_ns() + PATIENCE_NS
    while not condition():
        assert time.monotonic_ns() < end, "waited in vain"
        loop.step(0.05)


# -- queuing


@pytest.mark.parametrize("depth", [1, 7, 64])
@pytest.mark.parametrize("size", [1, 100, 4096])
def test_the_depth_is_exact_whatever_the_sizes(loop, size, depth):
    queue, chance = Queue(loop, size, depth), random.Random(1)
    model = deque()
    for _ in range(2000):
        if chance.random() < 0.55:
            message = chance.randbytes(chance.choice((1, size, chance.randrange(1, size + 1))))
            assert queue.source.send_nowait(message) == (len(model) < depth)
            if len(model) < depth:
                model.append(message)
        elif chance.random() < 0.8:
            expected = model[0] if model else None
            assert queue.destination.peek_nowait() == queue.destination.peek_nowait() == expected
            if model:
                queue.destination.consume()
                model.popleft()
        assert queue.channel.length() == len(model)
    queue.close()


@pytest.mark.parametrize("message", [b"", bytes(101)])
def test_a_message_of_the_wrong_size_never_leaves(queue, message):
    with pytest.raises(AssertionError):
        queue.source.send_nowait(message)
    assert queue.channel.length() == 0


def test_arrival_and_space_are_told(queue, loop):
    story = []

    def arrived():
        story.append(queue.destination.peek_nowait())
        queue.destination.consume()

    queue.destination.on_arrival(arrived)
    queue.source.on_space(lambda: story.append("space"))
    for number in range(5):
        queue.source.send_nowait(b"%d" % number)
    step_until(loop, lambda: len(story) >= 5)
    assert [item for item in story if item != "space"] == [b"0", b"1", b"2", b"3"]
    assert "space" in story


def test_however_often_a_full_port_is_tried_one_retry_waits(queue, loop):
    told = []
    queue.source.on_space(lambda: told.append(queue.source.send_nowait(b"again")))
    for _ in range(1000):
        queue.source.send_nowait(b"x")
    assert len(loop._timers) == 1
    step_until(loop, lambda: len(told) >= 3)
    assert len(loop._timers) == 1


def test_a_lost_wake_up_costs_a_retry_and_not_a_stall(queue, loop, monkeypatch):
    monkeypatch.setattr(queue.destination, "_wake_source", lambda: None)
    told = []
    queue.source.on_space(lambda: told.append(queue.channel.length()))
    while queue.source.send_nowait(b"x"):
        pass
    queue.drain()
    step_until(loop, lambda: told)
    assert queue.source.send_nowait(b"y")


@pytest.mark.parametrize("look", [1, 2])
def test_what_is_sent_between_the_look_and_the_count_is_not_taken_for_lost(queue, monkeypatch, look):
    """The queue is empty, the source sends and counts, then the destination compares the counters."""
    if look == 2:  # a predecessor of the destination took a message and did not count it: worth a second look
        queue.source.send_nowait(b"taken")
        queue.channel.destination.recv(1)
    real, looks = queue.destination._recv, []

    def recv(*arguments):
        looks.append(arguments)
        if len(looks) == look:
            assert queue.source.send_nowait(b"meanwhile")
            raise BlockingIOError
        return real(*arguments)

    monkeypatch.setattr(queue.destination, "_recv", recv)
    first = queue.destination.peek_nowait()
    assert first in (b"meanwhile", None)
    assert queue.drain() == [b"meanwhile"]
    assert queue.channel.length() == 0
    assert [queue.source.send_nowait(b"x") for _ in range(5)] == [True] * 4 + [False]


def test_a_destination_that_died_between_taking_and_counting_costs_no_room(queue):
    for _ in range(4):
        queue.source.send_nowait(b"x")
    queue.channel.destination.recv(1)  # taken and not counted
    queue.destination = queue.new_destination()
    assert queue.channel.length() == 4
    assert len(queue.drain()) == 3
    assert queue.channel.length() == 0
    assert [queue.source.send_nowait(b"x") for _ in range(5)] == [True] * 4 + [False]


def test_a_source_that_died_between_sending_and_counting_is_repaired(queue):
    for _ in range(2):
        queue.source.send_nowait(b"x")
    queue.channel.source.send(b"not counted")
    assert queue.channel.length() == 2
    queue.channel.repair()
    assert queue.channel.length() == 3
    queue.source = queue.new_source()
    assert [queue.source.send_nowait(b"y"), queue.source.send_nowait(b"z")] == [True, False]
    assert queue.drain() == [b"x", b"x", b"not counted", b"y"]


def test_repair_leaves_looking_as_it_was(queue):
    for number in range(3):
        queue.source.send_nowait(b"%d" % number)
    queue.channel.repair()
    assert queue.destination.peek_nowait() == b"0"
    assert queue.drain() == [b"0", b"1", b"2"]


def test_an_empty_message_of_a_hostile_sender_bars_nobodys_way(queue, loop):
    queue.channel.source.send(b"")
    queue.channel.source.send(b"")
    queue.source.send_nowait(b"good")
    seen = []

    def arrived():
        message = queue.destination.peek_nowait()
        if message is not None:
            seen.append(message)
            queue.destination.consume()

    queue.destination.on_arrival(arrived)
    for _ in range(4):
        loop.step(0)
    assert seen == [b"good"]
    assert [queue.source.send_nowait(b"x") for _ in range(5)] == [True] * 4 + [False]


def test_an_oversized_message_of_a_hostile_sender_is_cut(queue):
    queue.channel.source.send(bytes(5000))
    queue.source.send_nowait(b"good")
    assert queue.drain() == [bytes(100), b"good"]


def test_nobody_speaks_backwards(queue):
    with pytest.raises(BrokenPipeError):
        queue.channel.destination.send(b"backwards")
    assert queue.source.send_nowait(b"forwards")


def test_a_channel_that_the_machine_cannot_hold_is_refused():
    class Narrow:
        is_closed = False

        def setsockopt(self, level, option, value):
            if option == ports._SO_SNDBUFFORCE:
                raise PermissionError

        def getsockopt(self, level, option):
            assert (level, option) == (socket.SOL_SOCKET, socket.SO_SNDBUF)
            return 425_984

        def close(self):
            self.is_closed = True

    narrow = Narrow()
    ports._make_room(narrow, "fits", 4096, 32)
    with pytest.raises(ConfigError, match=r"channel wide: found 'depth 512 x size 4096'.*<= 425984 octets"):
        ports._make_room(narrow, "wide", 4096, 512)
    assert narrow.is_closed


# -- kill -9 of either end


class Child:
    """A forked process; `life` must end with os._exit."""

    def __init__(self, life):
        self.pid = os.fork()
        if self.pid == 0:
            try:
                life()
            finally:
                os._exit(1)

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)

    def hold_still(self):
        os.kill(self.pid, signal.SIGSTOP)
        os.waitpid(self.pid, os.WUNTRACED)

    def go_on(self):
        os.kill(self.pid, signal.SIGCONT)

    def end(self):
        """Status after an end by itself."""
        pidfd = os.pidfd_open(self.pid)
        try:
            assert select.select([pidfd], [], [], PATIENCE_NS / 1e9)[0], "did not end"
        finally:
            os.close(pidfd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


class Traffic:
    """A writer of the numbers 0, 1, 2... and a reader that writes down what it sees before letting go of it."""

    def __init__(self, count, depth, seed):
        self.count, self.chance = count, random.Random(seed)
        self.channel = QueuingChannel("traffic", 300, depth)
        self.notes = mmap.mmap(-1, 8 * (2 * count + 10_000))  # word 0: next to send; word 1: length of the log
        self.words = memoryview(self.notes).cast("Q")

    def write(self):
        loop, words = EpollLoop(), self.words
        source = LinuxQueuingSource(loop, self.channel.source_descriptors(), 300, self.channel.depth)

        def send():
            while words[0] < self.count:
                number = words[0]
                if not source.send_nowait(_NUMBER.pack(number) + bytes(number % 250)):
                    return
                words[0] = number + 1
            os._exit(0)

        source.on_space(send)
        send()
        loop.run(lambda: None)

    def read(self):
        loop, words = EpollLoop(), self.words
        destination = LinuxQueuingDestination(loop, self.channel.destination_descriptors(), 300, self.channel.depth)

        def take():
            message = destination.peek_nowait()
            if message is None:
                return
            (number,) = _NUMBER.unpack_from(message)
            assert len(message) == 8 + number % 250
            words[2 + words[1]] = number
            words[1] += 1
            destination.consume()
            if number == self.count - 1:
                os._exit(0)

        destination.on_arrival(take)
        loop.run(lambda: None)

    def log(self):
        return list(self.words[2 : 2 + self.words[1]])

    def wait_for_more(self, more):
        """Until the reader has written `more` numbers down, or all is over."""
        end, wanted = time.monotonic_ns() + PATIENCE_NS, self.words[1] + more
        while self.words[1] < wanted and self.words[0] < self.count:
            assert time.monotonic_ns() < end, f"stuck at {self.words[1]} of {self.count}"
            os.sched_yield()


@pytest.mark.parametrize("seed", range(2))
def test_kills_of_either_end_lose_nothing_and_repeat_at_most_the_message_in_work(seed):
    traffic = Traffic(count=300 * KILLS, depth=8, seed=seed)
    writer, reader = Child(traffic.write), Child(traffic.read)
    kills = 0
    try:
        while kills < KILLS and traffic.words[0] < traffic.count:
            traffic.wait_for_more(traffic.chance.randrange(1, 120))
            if traffic.words[0] >= traffic.count:
                break
            kills += 1
            if traffic.chance.random() < 0.5:
                writer.kill()
                reader.hold_still()
                traffic.channel.repair()
                assert traffic.channel._queued() <= traffic.channel.depth + 1
                reader.go_on()
                writer = Child(traffic.write)
            else:
                reader.kill()
                reader = Child(traffic.read)
        assert writer.end() == 0
        assert reader.end() == 0
        writer = reader = None
    finally:
        for child in (writer, reader):
            if child is not None:
                child.kill()
        log = traffic.log()
        traffic.channel.close()
    assert kills > KILLS // 2
    once = [number for number, before in zip(log, [-1, *log], strict=False) if number != before]
    assert once == list(range(traffic.count)), "lost or out of order"
    assert len(log) - len(once) <= kills


# -- sampling


class Cell:
    """A sampling channel with a writer and a reader in this process."""

    def __init__(self, loop, size=600, readers=("reader",)):
        self.loop = loop
        self.channel = SamplingChannel("cell", size, readers)
        self.source = LinuxSamplingSource(self.channel.source_descriptors(), size)
        self.destination = LinuxSamplingDestination(loop, self.channel.destination_descriptors("reader"), size)


def value_of(number: int) -> bytes:
    """A message that shows when it is torn."""
    return _NUMBER.pack(number) * (1 + number % 70)


def number_in(message: bytes) -> int:
    (number,) = _NUMBER.unpack_from(message)
    assert message == value_of(number), "torn"
    return number


def test_a_cell_holds_the_newest_value_with_its_instant(loop):
    cell = Cell(loop)
    assert cell.destination.read() is None
    assert cell.destination.version() == 0
    for number in range(1, 300):
        before = time.monotonic_ns()
        cell.source.write(value_of(number))
        sample = cell.destination.read()
        assert number_in(sample.message) == number
        assert before <= sample.written_ns <= time.monotonic_ns()
        assert cell.destination.version() == number
    cell.channel.close()


def test_writes_are_told_to_those_who_asked(loop):
    cell = Cell(loop)
    told = []
    cell.destination.on_arrival(lambda: told.append(cell.destination.version()))
    loop.step(0)
    assert told == []
    cell.source.write(b"one")
    cell.source.write(b"two")
    loop.step(0.5)
    assert told == [2]
    loop.step(0)
    assert told == [2]
    silent = LinuxSamplingDestination(loop, cell.channel.destination_descriptors("nobody"), 600)
    with pytest.raises(AssertionError):
        silent.on_arrival(lambda: None)
    cell.channel.close()


def test_a_torn_slot_is_not_a_value_and_the_older_one_serves(loop):
    cell = Cell(loop)
    cell.source.write(b"first")
    cell.source.write(b"second")
    assert cell.destination.read().message == b"second"
    fresh = LinuxSamplingDestination(loop, cell.channel.destination_descriptors("reader"), 600)
    slot = cells._VERSION_OCTETS + cells._SAMPLE_HEADER.size  # slot 0 holds the second write
    with mmap.mmap(cell.channel.cell, 0) as octets:
        octets[slot] ^= 1
    assert fresh.read().message == b"first"
    with mmap.mmap(cell.channel.cell, 0) as octets:
        octets[slot + cell.source._slot_octets] ^= 1
    assert fresh.read().message == b"first"  # the last good value, never a damaged one
    assert LinuxSamplingDestination(loop, cell.channel.destination_descriptors("reader"), 600).read() is None
    cell.channel.close()


def test_a_reader_that_saw_a_write_before_its_number_does_not_go_back(loop):
    cell = Cell(loop)
    for number in (1, 2, 3):
        cell.source.write(value_of(number))
    seen = []
    for number in (1, 2, 3):  # as a slow reader finds it: the slots are ahead of the number
        cell.source._number[0] = number
        seen.append(number_in(cell.destination.read().message))
    assert seen == [3, 3, 3]
    cell.channel.close()


def test_a_concurrent_writer_is_never_seen_in_the_middle_of_a_write(loop):
    cell = Cell(loop)
    writes = 60_000

    def write():
        for number in range(1, writes + 1):
            cell.source.write(value_of(number))
        os._exit(0)

    writer = Child(write)
    newest = reads = 0
    end = time.monotonic_ns() + PATIENCE_NS
    while newest < writes:
        assert time.monotonic_ns() < end
        sample = cell.destination.read()
        if sample is not None:
            number = number_in(sample.message)
            assert number >= newest, "backwards"
            newest = number
            reads += 1
        else:
            assert newest == 0
    assert writer.end() == 0
    assert reads > 100
    cell.channel.close()


def test_a_writer_killed_in_the_middle_leaves_a_value_and_its_successor_goes_on(loop):
    cell = Cell(loop)

    def write():
        source = LinuxSamplingSource(cell.channel.source_descriptors(), 600)
        number = cell.destination.version()
        while True:
            number += 1
            source.write(value_of(number))

    newest = 0
    for _ in range(KILLS):
        writer = Child(write)
        end = time.monotonic_ns() + PATIENCE_NS
        while cell.destination.version() < newest + 50:
            assert time.monotonic_ns() < end
            os.sched_yield()
        writer.kill()
        number = number_in(cell.destination.read().message)
        assert number == cell.destination.version() > newest
        newest = number
    cell.channel.close()


def test_a_message_looked_at_by_a_dead_end_is_told_once_and_can_be_moved_aside(loop):
    channel = QueuingChannel("queue", 100, 4)
    source = LinuxQueuingSource(loop, channel.source_descriptors(), 100, 4, owned=False)
    destination = LinuxQueuingDestination(loop, channel.destination_descriptors(), 100, 4, owned=False)
    for message in (b"one", b"second", b"last"):
        assert source.send_nowait(message)
    assert channel.take_suspect() is None  # nobody has looked yet
    assert destination.peek_nowait() == b"one"
    destination.consume()
    assert channel.take_suspect() is None  # it has let go of it
    assert destination.peek_nowait() == b"second"
    assert (channel.take_suspect(), channel.take_suspect()) == (1, None)
    assert destination.peek_nowait() == b"second"
    assert channel.take_suspect() == 1
    assert channel.set_aside() == len(b"second")
    assert (channel.length(), destination.count()) == (1, 2)
    assert destination.peek_nowait() == b"last"
    destination.consume()
    assert (channel.length(), channel.set_aside()) == (0, 0)
    source.close()
    destination.close()
    channel.close()
