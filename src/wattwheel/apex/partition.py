"""The start context: everything a partition is born with, and nothing else.

It exists in COLD_START and WARM_START only. An entry function takes what it needs, puts tasks on the wheel and returns;
after that no port can be made, because nothing is left to make it with.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

import msgspec

from wattwheel.apex.codes import OperatingMode, StartCondition
from wattwheel.apex.ports import (
    QueuingDestinationPort,
    QueuingSourcePort,
    SamplingDestinationPort,
    SamplingSourcePort,
)
from wattwheel.apex.wheel import Wheel
from wattwheel.hil.clock import Clock
from wattwheel.hil.ports import QueuingDestination, QueuingSource, SamplingDestination, SamplingSource
from wattwheel.hil.process import BodySpec, QueuingPortSpec, SamplingPortSpec

KERNEL_PORT = "kernel"  # queuing, from every partition to the kernel
COUNTERS_PORT = "counters"  # sampling, from every partition to the kernel
VIRTUAL_PORTS_PORT = "virtual_ports"  # sampling, from the partition that has the network to the kernel
CLOCK_PORT = "clock"  # sampling, from the platform service to whoever reads the calendar
COUNTERS_MAX = 64
COUNTERS_PUBLISH_NS = 500_000_000
HEARTBEAT_NS = 4_000_000_000
"""Counters are published at least this often, changed or not: the sign that this partition's wheel still turns."""

_S = TypeVar("_S")


class PortMaker(Protocol):
    """Supplies the ends behind a partition's ports."""

    def queuing_source(self, port: str) -> QueuingSource:
        """Sending end of the port's channel."""

    def queuing_destination(self, port: str) -> QueuingDestination:
        """Receiving end of the port's channel."""

    def sampling_source(self, port: str) -> SamplingSource:
        """Writing end of the port's channel."""

    def sampling_destination(self, port: str) -> SamplingDestination:
        """Reading end of the port's channel."""

    def device(self, name: str) -> object:
        """A device that was granted: an octet channel, a listener, a medium."""


class Counters:
    """What a partition counts, published to the kernel at most twice a second and only after a change."""

    def __init__(self, publish_later: Callable[[], None]) -> None:
        self._counts: dict[str, int] = {}
        self._publish_later = publish_later
        self._is_published = True

    def add(self, name: str, by: int = 1) -> None:
        """Count `by` more of `name`. The first `COUNTERS_MAX` names are kept."""
        counts = self._counts
        if name in counts:
            counts[name] += by
        elif len(counts) < COUNTERS_MAX:
            counts[name] = by
        if self._is_published:
            self._changed()

    def set(self, name: str, value: int) -> None:
        """Let `name` show `value`."""
        counts = self._counts
        if counts.get(name) != value and (name in counts or len(counts) < COUNTERS_MAX):
            counts[name] = value
            self._changed()

    def _changed(self) -> None:
        if self._is_published:
            self._is_published = False
            self._publish_later()

    def publish(self) -> bytes:
        """JSON of all counts."""
        self._is_published = True
        return msgspec.json.encode(self._counts)

    def __getitem__(self, name: str) -> int:
        return self._counts.get(name, 0)

    def __iter__(self) -> Iterator[str]:
        return iter(self._counts)


class ClockSetting(msgspec.Struct, frozen=True, array_like=True):
    """What the platform service publishes: the meter's calendar minus the host's, and how often that was changed."""

    offset_s: float = 0.0
    changes: int = 0


class MeterClock:
    """The meter's clock: the host's, with the offset of clock setting, which the platform service publishes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.now_ns = clock.now_ns
        self.call_at = clock.call_at
        self._port: SamplingDestinationPort | None = None
        self._version = 0
        self._offset = timedelta(0)
        self._changes = 0
        self._is_heard = False

    def follow(self, port: SamplingDestinationPort) -> None:
        """Take the setting from `port`: JSON of `ClockSetting`."""
        self._port = port

    def host_calendar(self) -> datetime:
        """The host's calendar time in UTC, without the meter's offset."""
        return self._clock.calendar()

    def calendar(self) -> datetime:
        """The meter's calendar time in UTC."""
        self._look()
        return self._clock.calendar() + self._offset

    @property
    def is_known(self) -> bool:
        """Whether the setting was heard, or nobody publishes one: before that, `calendar` is the host's."""
        self._look()
        return self._port is None or self._is_heard

    @property
    def changes(self) -> int:
        """How often the meter's clock has been set or synchronised."""
        self._look()
        return self._changes

    def _look(self) -> None:
        if self._port is not None and self._port.version() != self._version:
            self._version = self._port.version()
            message = self._port.read()[0]
            if message is not None:
                setting = msgspec.json.decode(message, type=ClockSetting)
                self._is_heard = True
                self._offset, self._changes = timedelta(seconds=setting.offset_s), setting.changes


class StartContext:
    """What the entry function of a partition gets.

    Attributes:
        name: the partition's name.
        clock: the only time there is.
        wheel: the module's message board.
        settings: JSON document of this partition's settings.
        condition: why it starts.
        mode: COLD_START or WARM_START.
        frame: when this partition runs; None: at any time.
        identifier: the partition's number in the module's configuration; 0: it has none.
        counters: what it counts, visible in `wattwheel status`.
    """

    def __init__(self, spec: BodySpec, clock: Clock, maker: PortMaker) -> None:
        self.name = spec.partition
        self.settings = spec.settings
        self.condition = StartCondition[spec.condition]
        self.mode = OperatingMode.WARM_START if spec.is_warm else OperatingMode.COLD_START
        self.clock = MeterClock(clock)
        self.wheel = Wheel(self.clock)
        self._spec = spec
        self._maker = maker
        self.main: Callable[[], Coroutine[None, None, None]] | None = None
        self._stop_actions: list[Callable[[], None]] = []
        self._queuing = {port.name: port for port in spec.queuing_ports}
        self._sampling = {port.name: port for port in spec.sampling_ports}
        self._publishing = self.sampling_source(COUNTERS_PORT) if COUNTERS_PORT in self._sampling else None
        self._reports = self.queuing_source(KERNEL_PORT) if KERNEL_PORT in self._queuing else None
        self.counters = Counters(self._publish_later)
        self.frame = spec.frame
        self.identifier = spec.identifier
        if self._publishing is not None:
            self._beat_later()
        if CLOCK_PORT in self._sampling and self._sampling[CLOCK_PORT].direction == "DESTINATION":
            self.clock.follow(self.sampling_destination(CLOCK_PORT))

    def _publish_later(self) -> None:
        if self._publishing is not None:
            self.clock.call_at(self.clock.now_ns() + COUNTERS_PUBLISH_NS, self._publish)

    def _publish(self) -> None:
        assert self._publishing is not None
        self._publishing.write(self.counters.publish())

    def _beat_later(self) -> None:
        self.clock.call_at(self.clock.now_ns() + HEARTBEAT_NS, self._beat)

    def _beat(self) -> None:
        self._publish()
        self._beat_later()

    def report(self, what: str, detail: str = "", partition: str = "", is_handled: bool = False) -> bool:
        """Tell the kernel: `normal` once started, `error` with a reason, an error of `kernel.health`, or a wish.

        Args:
            partition: whom it is about; only a system partition may name another than itself.
            is_handled: the partition's own error handler has taken it.

        False: the kernel has fallen behind and was not told.
        """
        if self._reports is None:
            return True
        told: dict[str, object] = {"partition": partition or self.name, "what": what, "detail": detail[:500]}
        if is_handled:
            told["is_handled"] = True
        return self._reports.send(msgspec.json.encode(told))

    def decode_settings(self, kind: type[_S]) -> _S:
        """The settings as `kind`."""
        return msgspec.json.decode(self.settings, type=kind)

    def has_port(self, name: str) -> bool:
        """Whether the module configuration gave this partition a port of that name."""
        return name in self._queuing or name in self._sampling

    def queuing_ports(self) -> Mapping[str, QueuingPortSpec]:
        """The queuing ports by name, as configured."""
        return self._queuing

    def sampling_ports(self) -> Mapping[str, SamplingPortSpec]:
        """The sampling ports by name, as configured."""
        return self._sampling

    def ports(self) -> Mapping[str, str]:
        """Names and directions of all ports."""
        return {name: port.direction for name, port in self._queuing.items()} | {
            name: port.direction for name, port in self._sampling.items()
        }

    def queuing_source(self, name: str) -> QueuingSourcePort:
        """The queuing port `name`, which must be configured as SOURCE."""
        assert self._queuing[name].direction == "SOURCE", f"{name} is a destination"
        return QueuingSourcePort(name, self._maker.queuing_source(name))

    def queuing_destination(self, name: str) -> QueuingDestinationPort:
        """The queuing port `name`, which must be configured as DESTINATION."""
        assert self._queuing[name].direction == "DESTINATION", f"{name} is a source"
        return QueuingDestinationPort(name, self._maker.queuing_destination(name))

    def sampling_source(self, name: str) -> SamplingSourcePort:
        """The sampling port `name`, which must be configured as SOURCE."""
        assert self._sampling[name].direction == "SOURCE", f"{name} is a destination"
        return SamplingSourcePort(name, self._maker.sampling_source(name))

    def sampling_destination(self, name: str) -> SamplingDestinationPort:
        """The sampling port `name`, which must be configured as DESTINATION."""
        assert self._sampling[name].direction == "DESTINATION", f"{name} is a source"
        return SamplingDestinationPort(
            name, self._maker.sampling_destination(name), self.clock, self._sampling[name].refresh_ns
        )

    def device(self, name: str) -> object:
        """A device that the module configuration granted. KeyError: it was not."""
        return self._maker.device(name)

    def live_in(self, main: Callable[[], Coroutine[None, None, None]]) -> None:
        """Let this partition live in an asyncio loop: `main` is its task, and the wheel turns beside it."""
        self.main = main

    def on_stop(self, action: Callable[[], None]) -> None:
        """Call `action` when the partition is asked to end in order."""
        self._stop_actions.append(action)

    def stop(self) -> None:
        """Run the stop actions, the last registered first. The host calls it."""
        for action in reversed(self._stop_actions):
            action()
        self.wheel.turn()
