"""What a body is born with: its ports and the standard descriptors, and none of what its kernel holds."""

import contextlib
import os
import select
import socket

import pytest

from wattwheel.drivers.linux.loop import EpollLoop
from wattwheel.drivers.linux.process import LinuxProcessHost
from wattwheel.hil.process import BodySpec


def tell_descriptors(birth):
    """A body that writes what it holds into the pipe it was granted, and ends."""
    pipe = birth.descriptors["device:pipe"][0]
    held = []
    for descriptor in range(3, os.sysconf("SC_OPEN_MAX")):
        with contextlib.suppress(OSError):
            held.append(identity(descriptor))
    os.write(pipe, "\n".join(held).encode())


def identity(descriptor):
    """What tells one open object from another."""
    found = os.fstat(descriptor)
    return f"{found.st_dev}:{found.st_ino}"


@pytest.fixture
def door():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def test_a_body_holds_no_door_that_it_was_not_granted(door):
    name = identity(door.fileno())
    near, far = os.pipe()
    os.set_inheritable(door.fileno(), True)
    host = LinuxProcessHost(tell_descriptors)
    loop = EpollLoop()
    try:
        host.attach(loop)
        host.grant_device("pipe", [far])
        host.spawn(BodySpec("teller", "", b"{}", (), (), ("pipe",)))
        assert select.select([near], [], [], 20)[0]
        held = os.read(near, 65_536).decode().splitlines()
    finally:
        host.close()
        loop.close()
        os.close(near)
        os.close(far)
    assert name not in held
    assert len(held) == 1, held  # the pipe
