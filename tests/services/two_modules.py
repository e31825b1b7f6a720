"""Two simulated modules on one network: each has a partition with numbered messages to send and one that takes them."""

from __future__ import annotations

import random

import msgspec
from tests.bench import Bench, queuing, sampling

from wattwheel.apex.partition import StartContext
from wattwheel.drivers.sim.clock import SimClock
from wattwheel.drivers.sim.network import SimNetwork
from wattwheel.drivers.sim.octets import SimChannel, SimWire, WireFaults
from wattwheel.services import network

ADDRESS = "10.0.0.1:7001"
SPLIT = WireFaults(split=0.3)
SIZE, DEPTH = 256, 4
OUT, IN, LEVEL_OUT, LEVEL_IN = 7, 8, 9, 10


class Sender:
    """Sends the numbers from 1 on, as far as the port takes them. What it has sent outlives its bodies."""

    def __init__(self):
        self.sent = 0
        self.limit = 0
        self.context = None

    def __call__(self, context: StartContext) -> None:
        self.context = context
        self.port = context.queuing_source("orders")
        self.port.on_space(self.go_on)
        self.level = context.sampling_source("level")

    def send(self, number: int) -> None:
        """So many more."""
        self.limit += number
        self.go_on()

    def go_on(self) -> None:
        while self.sent < self.limit and self.port.send(b"%d" % (self.sent + 1)):
            self.sent += 1


class Taker:
    """Takes numbers, slowly if `pace_ns` says so."""

    def __init__(self):
        self.taken = []
        self.levels = []
        self.pace_ns = 0

    def __call__(self, context: StartContext) -> None:
        self.clock = context.clock
        self.port = context.queuing_destination("orders")
        self.level = context.sampling_destination("level")
        self.table = context.sampling_destination("table")
        self.port.on_message(self.take)

    def take(self) -> None:
        message = self.port.receive()
        if message is None:
            return
        self.taken.append(int(message))
        self.port.done()
        if self.pace_ns:
            self.port.on_message(None)
            self.clock.call_at(self.clock.now_ns() + self.pace_ns, lambda: self.port.on_message(self.take))


class OneModule:
    """A module of four partitions: `sender`, `taker` and `network`."""

    def __init__(self, name, clock, net, link, out, into, seed, size=SIZE):
        self.sender, self.taker = Sender(), Taker()
        level_out, level_in = out + 2, into + 2
        channels = [
            queuing("orders out", "sender.orders", f"network.far.{out}", size, DEPTH),
            queuing("orders in", f"network.far.{into}", "taker.orders", size, DEPTH),
        ]
        cells = [
            sampling("level out", "sender.level", f"network.far.{level_out}", calls=("network",)),
            sampling("table", "network.virtual_ports", "taker.table", size=16_384),
            sampling("level in", f"network.far.{level_in}", "taker.level"),
            *(
                sampling(f"{n} kept", f"network.far.{n}.keep", f"network.far.{n}.kept", size=65_536)
                for n in (out, into)
            ),
        ]
        self.bench = Bench(
            {"sender": self.sender, "taker": self.taker, "network": network.start},
            channels,
            cells,
            settings={"network": {"links": [{"name": "far"} | link], "module": name, "epoch": seed + 1}},
            seed=seed,
            clock=clock,
            devices={"network": net if isinstance(net, dict) else {"network": net}},
        )

    def table(self):
        """The virtual ports as shown last."""
        return msgspec.json.decode(self.taker.table.read()[0])

    def counters(self):
        return self.bench.module.counters().get("network", {})


class Both:
    """What a test does with two modules."""

    def run(self, seconds):
        self.clock.advance(seconds)
        for module in self.both:
            assert module.bench.host.crashes == []

    def settle(self, seconds_max=60.0):
        """Let time pass until all has arrived."""
        self.clock.advance_until(self.is_done, seconds_max)
        self.run(0.5)

    def is_done(self):
        return (
            len(self.west.taker.taken) >= self.east.sender.sent
            and (len(self.east.taker.taken) >= self.west.sender.sent)
            and all(module.sender.sent == module.sender.limit for module in self.both)
        )

    def check(self):
        """Everything that was sent was taken, once and in order."""
        for here, there in ((self.east, self.west), (self.west, self.east)):
            assert there.taker.taken == list(range(1, here.sender.sent + 1))
            assert here.sender.sent == here.sender.limit


class LineEnd:
    """A device: one side of a wire that outlives whoever holds it."""

    def __init__(self, side):
        self.side = side

    def open(self, loop):
        def let_go():
            self.side.on_news = None

        loop.at_end(let_go)
        return SimChannel(self.side, loop, "line")


class TwoModulesOnALine(Both):
    """The same two with a serial line between them."""

    def __init__(self, seed=0, faults=SPLIT):
        chance = random.Random(seed)
        self.clock = SimClock(chance=chance)
        self.wire = SimWire(self.clock, chance, faults)
        link = {"line": "line:link"}
        ends = [{"line:link": LineEnd(side)} for side in (self.wire.near, self.wire.far)]
        self.east = OneModule("east", self.clock, ends[0], link, OUT, IN, 2 * seed)
        self.west = OneModule("west", self.clock, ends[1], link, IN, OUT, 2 * seed + 1)
        self.both = (self.east, self.west)
        self.run(0.3)


class TwoModules(Both):
    """Both, and the network between them."""

    def __init__(self, seed=0, faults=SPLIT, sizes=(SIZE, SIZE), east=None, west=None):
        chance = random.Random(seed)
        self.clock = SimClock(chance=chance)
        self.net = SimNetwork(self.clock, chance, faults)
        self.east = OneModule(
            "east", self.clock, self.net, {"listen": ADDRESS} | (east or {}), OUT, IN, 2 * seed, sizes[0]
        )
        self.west = OneModule(
            "west", self.clock, self.net, {"connect": ADDRESS} | (west or {}), IN, OUT, 2 * seed + 1, sizes[1]
        )
        self.both = (self.east, self.west)
        self.run(0.3)
