"""The operator's door against whatever may come through it."""

import json
import socket

import pytest

from wattwheel.boot import control_door
from wattwheel.boot.control_door import ControlDoor
from wattwheel.drivers.linux.clock import LinuxClock
from wattwheel.drivers.linux.loop import EpollLoop


class Clock:
    """The real loop's clock, with calls that the test makes itself."""

    def __init__(self, loop):
        self.now_ns = LinuxClock(loop).now_ns
        self.called = []

    def call_at(self, due_ns, action):
        self.called.append(action)


class World:
    def __init__(self, path):
        self.loop = EpollLoop()
        self.clock = Clock(self.loop)
        self.path = str(path)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(64)
        self.heard = []
        self.later = []
        ControlDoor(self.loop, self.clock, self.listener, self.serve)

    def serve(self, request, reply):
        self.heard.append(request)
        if request.get("press"):
            self.later.append(reply)
        else:
            reply({"served": len(self.heard)})

    def connect(self, octets=b""):
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(2)
        client.connect(self.path)
        if octets:
            client.sendall(octets)
        self.turn()
        return client

    def turn(self, rounds=8):
        for _ in range(rounds):
            self.loop.step(0)

    def ask(self, octets=b'{"ask": "status"}\n'):
        with self.connect(octets) as client:
            return json.loads(client.makefile("rb").readline())


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path / "control.sock")
    yield made
    made.listener.close()
    made.loop.close()


REFUSED = {"refused": "not a JSON object on one line"}


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b"1",
        b"\x00\xff\xfe",
        b'{"press": "\xff"}',
        b'{"ask": "\\ud800"}',
        b'{"a":' + b"[" * 4000,
        b"{" * 4000,
    ],
)
def test_nonsense_is_refused(world, line):
    assert world.ask(line + b"\n") == REFUSED
    assert world.ask() == {"served": 1}


def test_a_line_in_pieces(world):
    with world.connect(b'{"ask": ') as client:
        client.sendall(b'"status"}\nand more')
        world.turn()
        assert client.recv(100) == b'{"served":1}\n'


def test_a_line_without_an_end_is_cut(world):
    with world.connect(b"A" * (control_door.REQUEST_OCTETS_MAX + 1)) as client:
        assert client.recv(100) == b""
    assert world.ask() == {"served": 1}


def test_who_leaves_before_the_reply_was_heard_once(world):
    world.connect(b'{"press": "up"}\n').close()
    world.turn(50)
    assert len(world.heard) == 1
    world.later[0]({"pressed": "up"})
    assert world.ask() == {"served": 2}


def test_a_second_line_is_not_heard(world):
    with world.connect(b'{"press": "up"}\n') as client:
        client.sendall(b'{"press": "up"}\n' * 3)
        world.turn()
        assert len(world.heard) == 1
        world.later[0]({"pressed": "up"})
        world.later[0]({"pressed": "twice"})
        assert client.recv(100) == b'{"pressed":"up"}\n'


def test_who_shuts_his_half_still_gets_the_reply(world):
    with world.connect(b'{"press": "up"}\n') as client:
        client.shutdown(socket.SHUT_WR)
        world.turn()
        world.later[0]({"pressed": "up"})
        assert client.recv(100) == b'{"pressed":"up"}\n'


def test_who_does_not_read_keeps_nobody_waiting(world):
    with world.connect() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(b'{"press": "up"}\n')
        world.turn()
        world.later[0]({"far": "too long" * 1_000_000})
        assert world.ask() == {"served": 2}


def test_the_silent_are_sent_away(world):
    silent = [world.connect() for _ in range(control_door.CONNECTIONS_MAX)]
    with world.connect() as one_more:
        assert one_more.recv(100) == b""
    for action in world.clock.called:
        action()
    assert world.ask() == {"served": 1}
    for client in silent:
        assert client.recv(100) == b""
        client.close()


def test_patience_ends_no_request_under_way(world):
    with world.connect(b'{"press": "up"}\n') as client:
        for action in world.clock.called:
            action()
        world.later[0]({"pressed": "up"})
        assert client.recv(100) == b'{"pressed":"up"}\n'
