"""The module: partitions, channels, restarts. It decides; the process host acts.

Every channel's ends stay with the module, so a partition that dies loses nothing but what it held in its own memory. A
partition that dies is started again after a delay that doubles with each death within `RESTART_WINDOW_NS`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import msgspec

from wattwheel.apex.codes import OperatingMode
from wattwheel.apex.partition import COUNTERS_PORT, KERNEL_PORT
from wattwheel.hil.clock import Clock
from wattwheel.hil.ports import QueuingDestination, SamplingDestination
from wattwheel.hil.process import Body, BodySpec, ProcessHost, QueuingPortSpec, SamplingPortSpec
from wattwheel.kernel.config import ModuleConfig, PartitionConfig, restart_delay_ns

KERNEL_MESSAGE_OCTETS_MAX = 1024
KERNEL_DEPTH = 32
COUNTERS_OCTETS_MAX = 8192
RESTART_WINDOW_NS = 60_000_000_000
REPORTS_A_LOOK_MAX = 64
STOP_PATIENCE_NS = 1_500_000_000
"""How long partitions of one stop rank may take to end; then they are killed, and the next rank has its turn."""


class Partition:
    """One partition of the module as the kernel sees it."""

    def __init__(self, config: PartitionConfig, spec: BodySpec) -> None:
        self.config = config
        self.spec = spec
        self.body: Body | None = None
        self.mode = OperatingMode.IDLE
        self.restarts = 0
        self.deaths_ns: list[int] = []
        self.last_report = ""


class Module:
    """The one owner of partitions and channels."""

    def __init__(self, config: ModuleConfig, clock: Clock, host: ProcessHost, log: Callable[[str], None]) -> None:
        self._config = config
        self._clock = clock
        self._host = host
        self._log = log
        self._is_stopping = False
        self._stopped_rank = -1
        self._on_stopped: Callable[[], None] | None = None
        self._on_normal: Callable[[], None] | None = None
        self.partitions: dict[str, Partition] = {}
        self._counters: dict[str, SamplingDestination] = {}
        self._make_channels()
        for partition in config.partitions:
            self._admit(partition)

    def _make_channels(self) -> None:
        for channel in self._config.queuing_channels:
            self._host.queuing_channel(channel.name, channel.max_message_size, channel.depth)
        for cell in self._config.sampling_channels:
            self._host.sampling_channel(cell.name, cell.max_message_size, cell.arrival_calls)

    def _admit(self, config: PartitionConfig) -> None:
        reports, counters = f"{config.name}.{KERNEL_PORT}", f"{config.name}.{COUNTERS_PORT}"
        self._host.queuing_channel(reports, KERNEL_MESSAGE_OCTETS_MAX, KERNEL_DEPTH)
        self._host.sampling_channel(counters, COUNTERS_OCTETS_MAX, ())
        queuing, sampling = self._config.ports_of(config.name)
        spec = BodySpec(
            partition=config.name,
            entry=config.entry,
            settings=config.settings,
            queuing_ports=(
                *queuing,
                QueuingPortSpec(KERNEL_PORT, "SOURCE", reports, KERNEL_MESSAGE_OCTETS_MAX, KERNEL_DEPTH),
            ),
            sampling_ports=(*sampling, SamplingPortSpec(COUNTERS_PORT, "SOURCE", counters, COUNTERS_OCTETS_MAX, 0)),
            devices=config.devices,
            memory_octets_max=config.memory_octets_max,
        )
        partition = Partition(config, spec)
        self.partitions[config.name] = partition
        self._counters[config.name] = self._host.sampling_destination(counters)
        inbox = self._host.queuing_destination(reports)
        inbox.on_arrival(lambda: self._hear(partition, inbox))

    def start(self, on_normal: Callable[[], None] | None = None) -> None:
        """Start every partition; `on_normal` is called once all of them have reached NORMAL."""
        self._on_normal = on_normal
        for partition in self.partitions.values():
            self._spawn(partition)

    def _spawn(self, partition: Partition) -> None:
        if self._is_stopping:
            return
        partition.mode = OperatingMode.COLD_START
        if partition.restarts:
            self._repair(partition)
            partition.spec = msgspec.structs.replace(partition.spec, condition="HM_PARTITION_RESTART")
        body = self._host.spawn(partition.spec)
        partition.body = body
        body.on_death(lambda status: self._bury(partition, body, status))

    def _repair(self, partition: Partition) -> None:
        """Recount what the dead body was sending, with the living far ends held still for a moment."""
        sources = [port.channel for port in partition.spec.queuing_ports if port.direction == "SOURCE"]
        readers = [
            other.body
            for other in self.partitions.values()
            if other is not partition
            and other.body is not None
            and any(port.channel in sources for port in other.spec.queuing_ports)
        ]
        for body in readers:
            body.pause()
        for channel in sources:
            self._host.repair(channel)
        for body in readers:
            body.resume()

    def _hear(self, partition: Partition, inbox: QueuingDestination) -> None:
        for _ in range(REPORTS_A_LOOK_MAX):
            octets = inbox.peek_nowait()
            if octets is None:
                return
            inbox.consume()
            try:
                report: dict[str, Any] = msgspec.json.decode(octets)
                what, detail = str(report["what"]), str(report.get("detail", ""))
            except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError):
                self._log(f"{partition.config.name}: unreadable report dropped")
                continue
            partition.last_report = f"{what} {detail}".strip()
            if what == "normal":
                if partition.body is None:  # it died just after saying so
                    continue
                partition.mode = OperatingMode.NORMAL
                self._check_normal()
            else:
                self._log(f"{partition.config.name}: {partition.last_report}")

    def _check_normal(self) -> None:
        if self._on_normal is not None and all(p.mode == OperatingMode.NORMAL for p in self.partitions.values()):
            action, self._on_normal = self._on_normal, None
            action()

    def _bury(self, partition: Partition, body: Body, status: int) -> None:
        if partition.body is not body:
            return
        partition.body = None
        partition.mode = OperatingMode.IDLE
        if self._is_stopping:
            self._stop_lowest_rank()
            return
        now = self._clock.now_ns()
        partition.restarts += 1
        partition.deaths_ns = [at for at in partition.deaths_ns if now - at < RESTART_WINDOW_NS] + [now]
        delay_ns = restart_delay_ns(len(partition.deaths_ns))
        self._log(f"{partition.config.name}: ended with status {status}; starting again")
        self._clock.call_at(now + delay_ns, lambda: self._spawn(partition))

    def stop(self, on_stopped: Callable[[], None]) -> None:
        """End every partition in order, the lowest stop rank first (the store last: it takes what the others save)."""
        self._is_stopping = True
        self._on_stopped = on_stopped
        self._stop_lowest_rank()

    def _stop_lowest_rank(self) -> None:
        living = [p for p in self.partitions.values() if p.body is not None]
        if not living:
            if self._on_stopped is not None:
                action, self._on_stopped = self._on_stopped, None
                action()
            return
        rank = min(p.config.stop_rank for p in living)
        if rank > self._stopped_rank:
            self._stopped_rank = rank
            for partition in living:
                if partition.config.stop_rank == rank and partition.body is not None:
                    partition.body.stop()
            self._clock.call_at(self._clock.now_ns() + STOP_PATIENCE_NS, lambda: self._kill_rank(rank))

    def _kill_rank(self, rank: int) -> None:
        """One that does not end must not keep the store from taking what the others saved."""
        for partition in self.partitions.values():
            if partition.config.stop_rank == rank and partition.body is not None:
                self._log(f"{partition.config.name}: did not end when asked to; killed")
                partition.body.kill()

    def counters(self) -> dict[str, dict[str, int]]:
        """What each partition has published last; what is no table of counts is left out."""
        published: dict[str, dict[str, int]] = {}
        for name, cell in self._counters.items():
            sample = cell.read()
            if sample is not None:
                with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
                    published[name] = msgspec.json.decode(sample.message, type=dict[str, int])
        return published
