"""Sockets by request: two partitions without a network speak to each other through the one that has it."""

from __future__ import annotations

import msgspec
import pytest
from tests.bench import Bench, Puppet, queuing

from wattwheel.apex import virtual_sockets as api
from wattwheel.apex.codes import ReturnCode
from wattwheel.apex.virtual_sockets import VirtualSockets
from wattwheel.drivers.sim.clock import SimClock
from wattwheel.drivers.sim.network import SimNetwork
from wattwheel.model.errors import ConfigError
from wattwheel.services import network
from wattwheel.services.virtual_sockets import LOOK_NS, SOCKETS_MAX, TIMEOUT_NS_MAX, Granted

DOOR = "10.0.0.1:99"
OK, NOT_AVAILABLE, INVALID_PARAM = ReturnCode.NO_ERROR, ReturnCode.NOT_AVAILABLE, ReturnCode.INVALID_PARAM
INVALID_MODE, INVALID_CONFIG, TIMED_OUT = ReturnCode.INVALID_MODE, ReturnCode.INVALID_CONFIG, ReturnCode.TIMED_OUT
SECOND_NS = 1_000_000_000


class Asker(Puppet):
    def __init__(self):
        super().__init__(self._join)
        self.begins_with_socket = False
        self.opened = []

    def _join(self, context):
        self.sockets = VirtualSockets(context)
        if self.begins_with_socket:
            self.sockets.ask(api.V_SOCKET, self.opened.append)


class Stage:
    def __init__(self, granted=None):
        self.clock = SimClock()
        self.net = SimNetwork(self.clock)
        self.askers = {"server": Asker(), "client": Asker()}
        channels = []
        for name in self.askers:
            size, depth = api.MESSAGE_OCTETS_MAX, 4
            channels.append(
                queuing(f"{name} asks", f"{name}.{api.REQUEST_PORT}", f"network.sockets_from_{name}", size, depth)
            )
            channels.append(
                queuing(f"{name} hears", f"network.sockets_to_{name}", f"{name}.{api.ANSWER_PORT}", size, depth)
            )
        granted = {"server": [DOOR], "client": [DOOR, "10.0.0.9:*"]} if granted is None else granted
        self.bench = Bench(
            {**self.askers, "network": network.start},
            channels,
            settings={"network": {"sockets": granted}},
            clock=self.clock,
            devices={"network": {"network": self.net}},
        )
        self.clock.advance(0.1)

    def later(self, who, operation, **about):
        """The list in which the answer will be."""
        answers = []
        assert self.askers[who].sockets.ask(operation, answers.append, **about) is OK
        self.bench.run(0.01)
        return answers

    def ask(self, who, operation, **about):
        (answer,) = self.later(who, operation, **about)
        return answer

    def open(self, who):
        answer = self.ask(who, api.V_SOCKET)
        assert answer.code == OK
        return answer.socket

    def joined(self):
        """Both ends of a connection."""
        door = self.open("server")
        assert self.ask("server", api.V_BIND, socket=door, address=DOOR).code == OK
        assert self.ask("server", api.V_LISTEN, socket=door).octets == DOOR.encode()
        near = self.open("client")
        assert self.ask("client", api.V_CONNECT, socket=near, address=DOOR).code == OK
        return near, self.ask("server", api.V_ACCEPT, socket=door).socket


@pytest.fixture
def stage():
    return Stage()


def test_a_conversation(stage):
    near, far = stage.joined()
    assert stage.ask("client", api.V_SEND, socket=near, octets=b"question").code == OK
    assert stage.ask("server", api.V_RECV, socket=far).octets == b"question"
    hearing = stage.later("client", api.V_RECV, socket=near, timeout_ns=SECOND_NS)
    assert hearing == []
    stage.ask("server", api.V_SEND, socket=far, octets=b"answer")
    assert [answer.octets for answer in hearing] == [b"answer"]
    assert stage.ask("server", api.V_RECV, socket=far).code == NOT_AVAILABLE
    assert stage.ask("server", api.V_CLOSE, socket=far).code == OK
    ended = stage.ask("client", api.V_RECV, socket=near)
    assert (ended.code, ended.octets) == (OK, b"")
    assert stage.ask("client", api.V_SEND, socket=near, octets=b"x").code == INVALID_MODE


def test_more_octets_than_an_answer_holds_come_in_several(stage):
    near, far = stage.joined()
    sent = bytes(range(256)) * 64
    for at in range(0, len(sent), api.OCTETS_MAX):
        stage.ask("client", api.V_SEND, socket=near, octets=sent[at : at + api.OCTETS_MAX])
    heard = b""
    while (answer := stage.ask("server", api.V_RECV, socket=far)).code == OK:
        assert 0 < len(answer.octets) <= api.OCTETS_MAX
        heard += answer.octets
    assert heard == sent


def test_waiting_ends_with_its_time(stage):
    door = stage.open("server")
    stage.ask("server", api.V_BIND, socket=door, address=DOOR)
    stage.ask("server", api.V_LISTEN, socket=door)
    waiting = stage.later("server", api.V_ACCEPT, socket=door, timeout_ns=SECOND_NS)
    assert stage.ask("server", api.V_ACCEPT, socket=door, timeout_ns=1).code == INVALID_MODE  # one waits already
    stage.bench.run(1.1)
    assert [answer.code for answer in waiting] == [TIMED_OUT]


def test_nobody_reaches_the_sockets_of_another(stage):
    near, far = stage.joined()
    assert stage.ask("server", api.V_SEND, socket=near + 10, octets=b"x").code == INVALID_PARAM
    numbers = {near, far}
    for number in numbers:
        stage.ask("client", api.V_CLOSE, socket=number)
    assert stage.ask("server", api.V_RECV, socket=far).code == OK  # still its own, and its far end has gone


@pytest.mark.parametrize(
    ("operation", "about", "code"),
    [
        (api.V_RECV, {"socket": 77}, INVALID_PARAM),
        ("v_dance", {"socket": 1}, INVALID_PARAM),
        (api.V_LISTEN, {"socket": 1}, INVALID_MODE),
        (api.V_ACCEPT, {"socket": 1}, INVALID_MODE),
        (api.V_RECV, {"socket": 1}, INVALID_MODE),
        (api.V_SEND, {"socket": 1, "octets": b"x"}, INVALID_MODE),
        (api.V_SEND, {"socket": 1, "octets": bytes(api.OCTETS_MAX + 1)}, INVALID_PARAM),
        (api.V_RECV, {"socket": 1, "timeout_ns": -1}, INVALID_PARAM),
    ],
)
def test_what_cannot_be_done_is_answered_so(stage, operation, about, code):
    opened = stage.open("client")
    about = {**about, "socket": opened} if about["socket"] == 1 else about
    assert stage.ask("client", operation, **about).code == code


def test_sockets_are_bounded_and_given_back_when_their_partition_starts_again(stage):
    for _ in range(SOCKETS_MAX):
        stage.open("client")
    assert stage.ask("client", api.V_SOCKET).code == INVALID_CONFIG
    stage.bench.kill("client")
    stage.bench.run(1.0)
    assert stage.open("client") > SOCKETS_MAX


def test_a_connection_that_nobody_takes_shows_as_ended(stage):
    near = stage.open("client")
    assert stage.ask("client", api.V_CONNECT, socket=near, address="10.0.0.9:1").code == OK
    assert stage.ask("client", api.V_RECV, socket=near).octets == b""


def test_rubbish_is_counted_and_who_takes_no_answers_asks_nothing_more(stage):
    client = stage.askers["client"]
    client.sockets._out.send(b"rubbish")
    stage.bench.run(0.1)
    assert stage.bench.module.partitions["network"].restarts == 0
    client.sockets._in.on_message(None)
    for _ in range(50):
        client.sockets._out.send(msgspec.msgpack.encode(api.SocketRequest(1, api.V_SOCKET)))
        stage.bench.run(0.01)
    assert stage.bench.host.queue_lengths()["client hears"] == 4
    assert stage.bench.host.queue_lengths()["client asks"] == 4
    assert stage.open("server")


def test_the_death_of_the_network_partition_is_told_and_ends_all_sockets(stage):
    near, _there = stage.joined()
    heard = stage.later("client", api.V_RECV, socket=near, timeout_ns=SECOND_NS)
    stage.bench.kill("network")
    stage.bench.run(1 + api.PATIENCE_NS / 1e9)
    assert [answer.code for answer in heard] == [TIMED_OUT]
    fresh = stage.open("client")
    assert fresh != near
    assert stage.ask("client", api.V_RECV, socket=near).code == INVALID_PARAM


def test_an_answer_to_a_former_life_is_no_answer_to_this_one(stage):
    client = stage.askers["client"]
    client.begins_with_socket = True
    for life in (2, 3):
        stage.bench.kill("client")
        assert stage.clock.advance_until(lambda life=life: client.births == life, 5.0)
        if life == 2:  # it does not hear the answers that come
            stage.bench.host.bodies["client"].pause()
            stage.bench.run(0.1)
    stage.bench.run(0.1)
    assert [answer.code for answer in client.opened] == [OK]
    assert stage.ask("client", api.V_BIND, socket=client.opened[0].socket, address=DOOR).code == OK


def test_requests_that_wait_are_bounded(stage):
    socket = stage.open("server")
    sockets = stage.askers["server"].sockets
    stage.bench.host.bodies["network"].pause()
    stage.bench.host.bodies["network"].kill()
    codes = [sockets.ask(api.V_CLOSE, lambda answer: None, socket=socket) for _ in range(api.ASKS_MAX + 1)]
    assert codes[-1] is NOT_AVAILABLE


@pytest.mark.parametrize(
    "address",
    ["10.0.0.2:99", "10.0.0.1:98", "10.0.0.1:0", "0.0.0.0:99", "", "10.0.0.1", "10.0.0.9:*", "10.0.0.9: 7", "door:99"],
)
def test_an_address_that_was_not_granted_is_refused(stage, address):
    socket = stage.open("client")
    for operation in (api.V_CONNECT, api.V_BIND):
        assert stage.ask("client", operation, socket=socket, address=address).code == INVALID_CONFIG
    assert stage.ask("client", api.V_LISTEN, socket=socket).code == INVALID_MODE


def test_without_an_entry_nothing_is_granted():
    stage = Stage({"server": [DOOR]})
    socket = stage.open("client")
    assert stage.ask("client", api.V_CONNECT, socket=socket, address=DOOR).code == INVALID_CONFIG


@pytest.mark.parametrize(
    ("granted", "address", "is_allowed"),
    [
        ("[::1]:80", "[0::1]:080", True),
        ("::1:80", "[::1]:80", True),
        ("[fe80::]:*", "[fe80::]:65535", True),
        ("[fe80::]:*", "[fe80::]:65536", False),
        ("10.0.0.1:*", "[::ffff:10.0.0.1]:80", False),
        ("10.0.0.1:80", "10.0.0.1:\u0668\u0660", False),
        ("10.0.0.1:80", "10.0.0.1:8_0", False),
        ("0.0.0.0:80", "10.0.0.1:80", False),
    ],
)
def test_addresses_are_compared_as_numbers(granted, address, is_allowed):
    assert Granted("app", [granted]).allows(address) is is_allowed


@pytest.mark.parametrize(
    "granted", [{"client": ["*:80"]}, {"client": ["10.0.0.1"]}, {"client": ["host:80"]}, {"stranger": [DOOR]}]
)
def test_grants_that_cannot_be_are_refused(granted):
    stage = Stage(granted)
    assert isinstance(stage.bench.host.crashes[0].fault, ConfigError)


def test_waiting_again_and_again_leaves_no_heap_of_timers(stage):
    near, far = stage.joined()
    calls = []
    call_at = stage.clock.call_at
    for turn in range(100):
        stage.clock.call_at = lambda due_ns, action: (calls.append(due_ns), call_at(due_ns, action))
        hearing = stage.later("client", api.V_RECV, socket=near, timeout_ns=TIMEOUT_NS_MAX - turn)
        stage.clock.call_at = call_at
        stage.ask("server", api.V_SEND, socket=far, octets=b"x")
        assert [answer.octets for answer in hearing] == [b"x"]
    latest_ns = stage.clock.now_ns() + TIMEOUT_NS_MAX + LOOK_NS
    served = [due_ns for due_ns in calls if TIMEOUT_NS_MAX < due_ns <= latest_ns]  # the asker's own end later
    assert 0 < len(served) < 50
