"""Every driver passes the exam of its interface, and the exams can fail."""

import socket

import pytest

from wattwheel.drivers.linux.loop import EpollLoop
from wattwheel.drivers.linux.octets import TcpChannel, TtyChannel, listen_tcp, open_pseudo_terminal
from wattwheel.drivers.linux.sqlite_records import SqliteRecords
from wattwheel.drivers.linux.storage import FileMemory
from wattwheel.drivers.sim.storage import SimDisk, SimMemory, SimRecords
from wattwheel.testing.conformance import check_memory, check_octet_channel, check_record_medium


def test_file_memory(tmp_path):
    check_memory(lambda: FileMemory(tmp_path / "deep" / "ring", 8192))


def test_simulated_memory():
    disk = SimDisk()
    check_memory(lambda: SimMemory(disk, 8192))


def test_sqlite_records(tmp_path):
    check_record_medium(lambda: SqliteRecords(tmp_path / "store"))


def test_simulated_records():
    disk = SimDisk()
    check_record_medium(lambda: SimRecords(disk))


@pytest.fixture
def loop():
    loop = EpollLoop()
    yield loop
    loop.close()


def test_tcp_channel(loop):
    def make_pair():
        listener = listen_tcp("127.0.0.1", 0, "exam")
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
        listener.close()
        return TcpChannel(loop, near, "near"), TcpChannel(loop, far, "far")

    check_octet_channel(make_pair, lambda: loop.step(0.005))


def test_pseudo_terminal(loop):
    def make_pair():
        master, slave, path = open_pseudo_terminal()
        return TtyChannel(loop, master, path), TtyChannel(loop, slave, path)

    check_octet_channel(make_pair, lambda: loop.step(0.005), is_closable=False)


class Forgetful(SimMemory):
    def close(self):
        self._disk.held.discard(self._name)


def test_the_memory_exam_can_fail():
    disk = SimDisk()
    with pytest.raises(AssertionError, match="orderly end"):
        check_memory(lambda: Forgetful(disk, 64))


class Lying(SimRecords):
    def load(self, name_space):
        return {key: payload for key, payload in super().load(name_space).items() if payload}


def test_the_medium_exam_can_fail():
    disk = SimDisk()
    with pytest.raises(AssertionError, match="empty payload"):
        check_record_medium(lambda: Lying(disk))


class Leaky:
    """A pair that loses the last octet of each write without counting it."""

    def __init__(self, end):
        self._end = end
        self.name, self.dropped, self.is_closed = "leaky", 0, False
        end.setblocking(False)

    def read(self):
        try:
            return self._end.recv(4096)
        except BlockingIOError:
            return b""

    def write(self, octets):
        self._end.send(octets[:-1] or octets)

    def on_arrival(self, action):
        action()

    def close(self):
        self._end.close()


def test_the_channel_exam_can_fail():
    ends = socket.socketpair()
    with pytest.raises(AssertionError, match="all of it"):
        check_octet_channel(lambda: (Leaky(ends[0]), Leaky(ends[1])))
    for end in ends:
        end.close()
