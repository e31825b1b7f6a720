"""A network of partitions whose outcome does not depend on who is fast: processes that send and receive, and wait.

Every process receives from the port that its program names and waits until a message is there, so what it sends is
decided by what it received, in whatever order the partitions run. Programs are the projections of one order of events
in which no queue overflows, so nobody waits for ever.
"""

from __future__ import annotations

import random
import zlib
from collections import deque
from typing import Any, NamedTuple

import msgspec

from wattwheel.apex.codes import Discipline, OperatingMode, PortDirection, ReturnCode
from wattwheel.apex.limits import INFINITE
from wattwheel.apex.partition import StartContext
from wattwheel.apex.process import ProcessAttributes
from wattwheel.apex.services import Apex
from wattwheel.kernel.config import PortEnd, QueuingChannelConfig

NODES = ("one", "two", "three")
SIZE = 64
OK = ReturnCode.NO_ERROR


class Program(msgspec.Struct):
    """What a node does: ("send" or "receive", port) one after the other."""

    steps: list[tuple[str, str]]


class Network(NamedTuple):
    """Channels, and a program for each node."""

    channels: tuple[QueuingChannelConfig, ...]
    programs: dict[str, Program]


def network(seed: int, events: int = 120) -> Network:
    """The network of that seed."""
    chance = random.Random(seed)
    channels = []
    for number in range(chance.randint(3, 6)):
        source, *others = chance.sample(NODES, len(NODES))
        ends = tuple(PortEnd(node, f"in{number}") for node in others[: chance.randint(1, 2)])
        channels.append(
            QueuingChannelConfig(f"c{number}", PortEnd(source, f"out{number}"), ends, SIZE, chance.randint(1, 4))
        )
    programs = {node: Program([]) for node in NODES}
    rows: dict[PortEnd, int] = {end: 0 for channel in channels for end in channel.destinations}
    for _ in range(events):
        channel = chance.choice(channels)
        if chance.random() < 0.5 and all(rows[end] < channel.depth for end in channel.destinations):
            programs[channel.source.partition].steps.append(("send", channel.source.port))
            for end in channel.destinations:
                rows[end] += 1
        end = chance.choice([*rows])
        if rows[end]:
            rows[end] -= 1
            programs[end.partition].steps.append(("receive", end.port))
    return Network(tuple(channels), programs)


def node(context: StartContext) -> None:
    """Entry of every partition: runs its program in an APEX process, then reports what it has come to."""
    program = context.decode_settings(Program)
    apex = Apex(context)
    ports = {}
    for name, spec in context.queuing_ports().items():
        if name != "kernel":
            direction = PortDirection[spec.direction]
            port, code = apex.CREATE_QUEUING_PORT(name, SIZE, spec.depth, direction, Discipline.FIFO)
            assert code is OK, (name, code)
            ports[name] = port

    def run() -> Any:
        state = zlib.crc32(context.name.encode())
        received: deque[str] = deque()
        for number, (what, port) in enumerate(program.steps):
            if what == "send":
                code = yield apex.SEND_QUEUING_MESSAGE(ports[port], b"%d %d" % (number, state), INFINITE)
                assert code is OK, code
            else:
                message, code = yield apex.RECEIVE_QUEUING_MESSAGE(ports[port], INFINITE)
                assert code is OK, code
                received.append(f"{port}:{message.decode()}")
                state = zlib.crc32(message, state)
        story = zlib.crc32("|".join(received).encode())
        context.report("outcome", f"{len(received)} received, story {story:08x}, state {state:08x}")

    process, code = apex.CREATE_PROCESS(ProcessAttributes("program", run, 10))
    assert code is OK
    assert apex.START(process) is OK
    assert apex.SET_PARTITION_MODE(OperatingMode.NORMAL) is OK
