"""A store partition and its clients in one process, with virtual time; each may be killed between any two steps."""

from datetime import UTC, datetime

import msgspec

from wattwheel.apex.partition import StartContext
from wattwheel.apex.store import MESSAGE_OCTETS_MAX, PORT_DEPTH, REPLY_PORT, REQUEST_PORT, StoreClient
from wattwheel.drivers.sim.storage import SimDisk, SimRecords
from wattwheel.hil.process import BodySpec, QueuingPortSpec
from wattwheel.services import store

SECOND_NS = 1_000_000_000


class Clock:
    """Virtual time."""

    def __init__(self):
        self._now = 1
        self._timers = []

    def now_ns(self):
        return self._now

    def calendar(self):
        return datetime(2026, 11, 20, tzinfo=UTC)

    def call_at(self, due_ns, action):
        self._timers.append((due_ns, action))

    def advance(self, seconds):
        self._now += int(seconds * SECOND_NS)
        due = [action for due_ns, action in self._timers if due_ns <= self._now]
        self._timers = [timer for timer in self._timers if timer[0] > self._now]
        for action in due:
            action()


class Channel:
    """A queuing channel that outlives both of its ends."""

    def __init__(self, depth=PORT_DEPTH, max_message_size=MESSAGE_OCTETS_MAX):
        self.depth, self.max_message_size = depth, max_message_size
        self.messages = []
        self.space = self.arrival = lambda: None

    def send_nowait(self, message):
        assert 0 < len(message) <= self.max_message_size
        if len(self.messages) >= self.depth:
            return False
        self.messages.append(message)
        self.arrival()
        return True

    def has_room(self):
        return True

    def count(self):
        return 0

    def length(self):
        return len(self.messages)

    def on_space(self, action):
        self.space = action

    def peek_nowait(self):
        return self.messages[0] if self.messages else None

    def consume(self):
        self.messages.pop(0)
        self.space()

    def on_arrival(self, action):
        self.arrival = action
        if self.messages:
            action()


class Maker:
    """Hands a partition the ends of its channels."""

    def __init__(self, channels, devices):
        self._channels, self._devices = channels, devices

    def queuing_source(self, port):
        return self._channels[port]

    queuing_destination = queuing_source

    def device(self, name):
        return self._devices[name]()


class World:
    """One store, any number of clients, one disk."""

    def __init__(self, quotas=None, disk=None, depth=PORT_DEPTH, open_medium=None):
        self.clock = Clock()
        self.quotas = quotas or {"energy": 10_000, "web": 10_000}
        self.disk = disk or SimDisk()
        self.requests = {name: Channel(depth) for name in self.quotas}
        self.replies = {name: Channel(depth) for name in self.quotas}
        self.open_medium = open_medium or (lambda: SimRecords(self.disk))
        self.medium = None
        self.store = None
        self.clients = {}
        self.contexts = {}

    def _open(self):
        self.medium = self.open_medium()
        return self.medium

    def start_store(self):
        ports, channels = [], {}
        for name in self.quotas:
            ports.append(self._spec(f"from_{name}", "DESTINATION"))
            ports.append(self._spec(f"to_{name}", "SOURCE"))
            channels[f"from_{name}"], channels[f"to_{name}"] = self.requests[name], self.replies[name]
        settings = msgspec.json.encode({"quotas": self.quotas})
        spec = BodySpec("store", "x", settings, tuple(ports), ())
        self.store = StartContext(spec, self.clock, Maker(channels, {"store": self._open}))
        store.start(self.store)

    def start_client(self, name):
        ports = (self._spec(REQUEST_PORT, "SOURCE"), self._spec(REPLY_PORT, "DESTINATION"))
        channels = {REQUEST_PORT: self.requests[name], REPLY_PORT: self.replies[name]}
        self.contexts[name] = StartContext(BodySpec(name, "x", b"{}", ports, ()), self.clock, Maker(channels, {}))
        self.clients[name] = StoreClient.of(self.contexts[name], 5)
        return self.clients[name]

    @staticmethod
    def _spec(name, direction):
        return QueuingPortSpec(name, direction, ("x",), MESSAGE_OCTETS_MAX, PORT_DEPTH)

    def kill_store(self):
        self.disk.held.clear()
        for channel in self.requests.values():
            channel.on_arrival(lambda: None)
        for channel in self.replies.values():
            channel.on_space(lambda: None)
        self.store = None

    def kill_client(self, name):
        del self.clients[name], self.contexts[name]
        self.requests[name].on_space(lambda: None)
        self.replies[name].on_arrival(lambda: None)

    def step(self):
        """Everybody has one turn."""
        if self.store is not None:
            self.store.wheel.turn()
        for context in list(self.contexts.values()):
            context.wheel.turn()

    def settle(self, steps=40):
        for _ in range(steps):
            self.step()

    def load(self, name):
        """What a client that starts now is given."""
        if name in self.clients:
            self.kill_client(name)
        got = []
        self.start_client(name).load(got.append)
        self.settle()
        return got[0]
