"""A small module of puppets on the simulated host: partitions whose ports the test moves itself."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from wattwheel.apex.bus import FROM_BUS, TO_BUS, BusPort
from wattwheel.apex.partition import StartContext
from wattwheel.boot.sim_body import body_runner
from wattwheel.drivers.sim.clock import SimClock
from wattwheel.drivers.sim.process import SimProcessHost
from wattwheel.drivers.sim.windows import SimEdgeTimer
from wattwheel.kernel.config import (
    HealthConfig,
    ModuleConfig,
    PartitionConfig,
    PortEnd,
    QueuingChannelConfig,
    SamplingChannelConfig,
    ScheduleConfig,
)
from wattwheel.kernel.module import Module

SECOND_NS = 1_000_000_000
NO_WINDOWS, DEFAULT_HEALTH = ScheduleConfig(), HealthConfig()

Entry = Callable[[StartContext], None]


class Puppet:
    """The entry of a partition that does nothing by itself; `context` is that of its newest body."""

    def __init__(self, begin: Entry | None = None) -> None:
        self.context: StartContext | None = None
        self.births = 0
        self._begin = begin

    def __call__(self, context: StartContext) -> None:
        self.context = context
        self.births += 1
        if self._begin is not None:
            self._begin(context)


class Bench:
    """A module on virtual time. `entries` are called with each body's start context."""

    def __init__(
        self,
        entries: dict[str, Entry],
        queuing: Iterable[QueuingChannelConfig] = (),
        sampling: Iterable[SamplingChannelConfig] = (),
        settings: dict[str, dict[str, Any]] | None = None,
        seed: int = 0,
        stop_ranks: dict[str, int] | None = None,
        schedule: ScheduleConfig = NO_WINDOWS,
        health: HealthConfig = DEFAULT_HEALTH,
        system: tuple[str, ...] = (),
        clock: SimClock | None = None,
        devices: dict[str, dict[str, Any]] | None = None,
    ) -> None:
        chance = random.Random(seed)
        self.clock = clock or SimClock(chance=chance)
        self.host = SimProcessHost(self.clock, body_runner(entries), chance)
        for own in (devices or {}).values():
            for device, thing in own.items():
                self.host.grant_device(device, thing)
        partitions = tuple(
            PartitionConfig(
                name,
                "tests.bench:Puppet",
                msgspec.json.encode((settings or {}).get(name, {})),
                tuple((devices or {}).get(name, {})),
                stop_rank=(stop_ranks or {}).get(name, 0),
                is_system=name in system,
            )
            for name in entries
        )
        self.config = ModuleConfig("bench", partitions, tuple(queuing), tuple(sampling), schedule, health)
        self.config.check()
        self.log: list[str] = []
        self.shutdowns = 0
        kernel = self.host.kernel_loop
        self.module = Module(
            self.config, kernel, self.host, self.log.append, SimEdgeTimer(kernel), on_shutdown=self._shut_down
        )
        self.normal = 0
        self.module.start(self._normal)

    def _normal(self) -> None:
        self.normal += 1

    def _shut_down(self) -> None:
        self.shutdowns += 1

    def run(self, seconds: float = 0.02) -> None:
        """Let time pass; a body that crashed fails the test."""
        self.clock.advance(seconds)
        assert self.host.crashes == []

    def kill(self, partition: str) -> None:
        self.host.bodies[partition].kill()


def queuing(name: str, source: str, destination: str, size: int = 4096, depth: int = 32) -> QueuingChannelConfig:
    """A channel between two ports given as `partition.port`."""
    return QueuingChannelConfig(name, _end(source), (_end(destination),), size, depth)


def sampling(
    name: str, source: str, *destinations: str, calls: tuple[str, ...] = (), size: int = 4096
) -> SamplingChannelConfig:
    """A cell between ports given as `partition.port`."""
    return SamplingChannelConfig(name, _end(source), tuple(map(_end, destinations)), size, calls)


def _end(text: str) -> PortEnd:
    partition, _, port = text.partition(".")
    return PortEnd(partition, port)


def bus_channels(partners: Iterable[str], depth: int = 32) -> list[QueuingChannelConfig]:
    """The pairs of channels between a partition `bus` and its partners."""
    channels = []
    for name in partners:
        channels.append(queuing(f"{name}>bus", f"{name}.{TO_BUS}", f"bus.from_{name}", depth=depth))
        channels.append(queuing(f"bus>{name}", f"bus.to_{name}", f"{name}.{FROM_BUS}", depth=depth))
    return channels


class Partner(Puppet):
    """A puppet with an end on the bus; answers requests with `answer`, remembers replies and notices."""

    def __init__(self, answer: Callable[[Any], tuple[bytes, int] | None] | None = None) -> None:
        super().__init__(self._join)
        self.answer = answer
        self.requests: list[Any] = []
        self.notices: list[Any] = []
        self.replies: list[Any] = []

    def _join(self, context: StartContext) -> None:
        self.bus = BusPort(context)
        self.bus.on_request(self._requested)
        self.bus.on_notice(self.notices.append)

    def _requested(self, request: Any) -> None:
        self.requests.append(request)
        answered = self.answer(request) if self.answer is not None else None
        if answered is not None:
            self.bus.reply(request, answered[0], error=answered[1])

    def ask(self, control: int, di: int, data: bytes = b"", timeout_ns: int = SECOND_NS) -> bool:
        """Ask now; the reply (None: none came) goes to `replies` behind what was asked."""
        asked = (control, di, data)
        taken = self.bus.ask(control, di, data, lambda reply: self.replies.append((asked, reply)), timeout_ns)
        self.bus.flush()
        return taken

    def count(self, name: str) -> int:
        assert self.context is not None
        return self.context.counters[name]
