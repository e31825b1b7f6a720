"""What kinds of sockets a walled partition can make: none that speaks to whoever has a name in the file system."""

import os
import socket

import pytest
from tests.drivers.linux.test_sandbox import GOT_THROUGH, tried

FLAGS = (0, socket.SOCK_CLOEXEC, socket.SOCK_NONBLOCK, socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)


@pytest.fixture
def post_box(tmp_path):
    """A datagram socket of another program that anybody may write to, as a system's log has one."""
    path = str(tmp_path / "log")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as box:
        box.bind(path)
        os.chmod(path, 0o777)
        box.setblocking(False)
        yield path
        with pytest.raises(BlockingIOError):
            box.recv(1)


@pytest.mark.parametrize("flags", FLAGS)
@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_RAW])
@pytest.mark.parametrize("has_network", [False, True])
def test_no_datagram_to_a_named_socket(post_box, kind, flags, has_network):
    def send():
        near, _far = socket.socketpair(socket.AF_UNIX, kind | flags)
        near.sendto(b"forged", post_box)

    assert tried(send, has_network=has_network) == "EPERM"


@pytest.mark.parametrize("flags", FLAGS)
@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_SEQPACKET])
def test_pairs_within_the_partition_are_there(kind, flags):
    def talk():
        near, far = socket.socketpair(socket.AF_UNIX, kind | flags)
        near.send(b"x")
        assert far.recv(1) == b"x"

    assert tried(talk) == GOT_THROUGH
    assert tried(lambda: socket.socketpair(socket.AF_INET, kind | flags)) == "EPERM"


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_who_has_the_network_has_its_streams_and_nothing_else(family):
    def make(kind):
        return tried(lambda: socket.socket(family, kind), has_network=True)

    for flags in FLAGS:
        assert make(socket.SOCK_STREAM | flags) == GOT_THROUGH
        for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET, 6):
            assert make(kind | flags) == "EPERM"
