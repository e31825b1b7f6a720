"""The lasting channel behind a listening socket: the newest connection is the far end, and nothing is invented."""

import select
import socket

import pytest

from wattwheel.drivers.linux.accepting import AcceptingChannel
from wattwheel.drivers.linux.loop import EpollLoop
from wattwheel.drivers.linux.octets import TcpListener, listen_tcp


class Far:
    """A listening channel, and far ends that connect to it."""

    def __init__(self) -> None:
        self.loop = EpollLoop()
        listener = listen_tcp("127.0.0.1", 0, "test door")
        self.port = listener.getsockname()[1]
        self.calls = 0
        self.channel = AcceptingChannel(TcpListener(self.loop, listener.detach(), "test"))
        self.channel.on_arrival(self.called)
        self.ends: list[socket.socket] = []

    def called(self) -> None:
        self.calls += 1

    def connect(self) -> socket.socket:
        end = socket.create_connection(("127.0.0.1", self.port), timeout=5)
        self.ends.append(end)
        self.loop.step(5)
        return end

    def arrived(self, count: int) -> bytes:
        octets = b""
        while len(octets) < count:
            self.loop.step(5)
            octets += self.channel.read()
        return octets


@pytest.fixture
def far():
    made = Far()
    yield made
    for end in made.ends:
        end.close()
    made.channel.close()
    made.loop.close()


def test_without_a_connection_octets_are_dropped_and_counted(far):
    far.channel.write(b"12345")
    assert far.channel.dropped == 5
    assert far.channel.read() == b""
    assert not far.channel.is_closed


def test_octets_go_both_ways(far):
    end = far.connect()
    end.sendall(b"hello")
    assert far.arrived(5) == b"hello"
    assert far.calls > 0
    far.channel.write(b"world")
    assert end.recv(100) == b"world"


def test_the_newest_connection_takes_the_place_of_the_old_one(far):
    old, new = far.connect(), far.connect()
    assert select.select([old], [], [], 5)[0], "the old connection is closed"
    assert old.recv(100) == b""
    new.sendall(b"new")
    assert far.arrived(3) == b"new"
    far.channel.write(b"to the new one")
    assert new.recv(100) == b"to the new one"


def test_a_lost_connection_leaves_the_channel_open_for_the_next(far):
    far.connect().close()
    far.loop.step(5)
    assert far.channel.read() == b""
    assert not far.channel.is_closed
    end = far.connect()
    end.sendall(b"back")
    assert far.arrived(4) == b"back"
