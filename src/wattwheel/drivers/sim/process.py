"""Partition bodies as objects in one process under virtual time.

A body is what the injected runner makes of its birth: the same entry function as in a real process, on a wheel that
turns in rounds of the world's clock. Killing it forgets the object; its ports and devices stay with the world.
"""

from __future__ import annotations

import random
import signal
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple, Protocol

from wattwheel.drivers.sim.clock import SimClock
from wattwheel.drivers.sim.loop import Killed, SimLoop
from wattwheel.drivers.sim.ports import (
    SimQueuingChannel,
    SimQueuingDestination,
    SimQueuingSource,
    SimSamplingChannel,
    SimSamplingDestination,
    SimSamplingSource,
)
from wattwheel.drivers.spread import spread
from wattwheel.hil.ports import QueuingSource
from wattwheel.hil.process import BodySpec, exit_status
from wattwheel.model.errors import ConfigError

SPAWN_NS, SPAWN_NS_MAX = 3_000_000, 8_000_000
FUNERAL_NS = 200_000
"""From a death to the kernel's hearing of it."""

CRASHES_KEPT_MAX = 100


class Device(Protocol):
    """Something that can be granted to partitions; it outlives their bodies."""

    def open(self, loop: SimLoop) -> object:
        """What the partition's new body holds of it."""


class Life(Protocol):
    """What a runner makes of a birth; `apex.partition.StartContext` is hidden behind it."""

    def turn(self) -> None:
        """Run tasks until none is left."""

    def stop(self) -> None:
        """End in order."""


class Birth(NamedTuple):
    """What a new body gets: its specification, its clock, and the ends behind its ports."""

    spec: BodySpec
    loop: SimLoop
    ports: SimPorts


Runner = Callable[[Birth], Life]


class Crash(NamedTuple):
    """A body that ended by its own fault."""

    at_ns: int
    partition: str
    fault: BaseException


class SimPorts:
    """`apex.partition.PortMaker` of one body."""

    def __init__(self, host: SimProcessHost, spec: BodySpec, loop: SimLoop) -> None:
        self._host, self._spec, self._loop = host, spec, loop
        self._queuing = {port.name: port.channels for port in spec.queuing_ports}
        self._sampling = {port.name: port.channel for port in spec.sampling_ports}

    def queuing_source(self, port: str) -> QueuingSource:
        """Sending end of the port's channel."""
        return spread([SimQueuingSource(self._host.queuing[link], self._loop) for link in self._queuing[port]])

    def queuing_destination(self, port: str) -> SimQueuingDestination:
        """Receiving end of the port's channel."""
        return SimQueuingDestination(self._host.queuing[self._queuing[port][0]], self._loop)

    def sampling_source(self, port: str) -> SimSamplingSource:
        """Writing end of the port's channel."""
        return SimSamplingSource(self._host.sampling[self._sampling[port]], self._loop)

    def sampling_destination(self, port: str) -> SimSamplingDestination:
        """Reading end of the port's channel."""
        return SimSamplingDestination(self._host.sampling[self._sampling[port]], self._loop, self._spec.partition)

    def device(self, name: str) -> object:
        """A device that was granted. KeyError: it was not."""
        if name not in self._spec.devices:
            raise KeyError(name)
        return self._host.devices[name].open(self._loop)


class SimBody:
    """`hil.process.Body` of an object."""

    pid = 0

    def __init__(self, host: SimProcessHost, spec: BodySpec, loop: SimLoop) -> None:
        self.spec = spec
        self.loop = loop
        self._host = host
        self._life: Life | None = None
        self._status: int | None = None
        self._is_told = False
        self._action: Callable[[int], None] | None = None
        loop.on_crash = self._crashed

    def begin(self, run_body: Runner) -> None:
        """Run the entry. The host calls it."""
        life = run_body(Birth(self.spec, self.loop, SimPorts(self._host, self.spec, self.loop)))
        self._life, self.loop.turn = life, life.turn

    @property
    def is_alive(self) -> bool:
        """True until its death, told or not."""
        return self._status is None

    def on_death(self, action: Callable[[int], None]) -> None:
        """Call `action` with the exit status once the body is gone; at once if that was told already."""
        self._action = action
        if self._is_told and self._status is not None:
            action(self._status)

    def stop(self) -> None:
        """End in order, behind what is running now."""
        self.loop.call_at(self.loop.now_ns(), self._stop_now)

    def _stop_now(self) -> None:
        if self._life is not None:
            self._life.stop()
        self._die(0)

    def kill(self) -> None:
        """End at once."""
        self._die(-signal.SIGKILL)

    def kill_within(self, operations: int | None) -> None:
        """End in the middle of its work: at the port or device operation after `operations` others; None: do not."""
        self.loop.fuse = operations

    def pause(self) -> None:
        """Stop running until `resume`."""
        self.loop.pause()

    def resume(self) -> None:
        """Go on."""
        self.loop.resume()

    def _crashed(self, fault: BaseException) -> None:
        if isinstance(fault, Killed):
            self._die(-signal.SIGKILL)
        else:
            self._host.note_crash(self.spec.partition, fault)
            self._die(exit_status(fault))

    def _die(self, status: int) -> None:
        if self._status is None:
            self._status = status
            self.loop.end()
            self._host.bury(self)

    def tell_death(self) -> None:
        """Let the kernel know. The host calls it."""
        self._is_told = True
        if self._action is not None and self._status is not None:
            self._action(self._status)


class SimProcessHost:
    """`hil.process.ProcessHost` of objects.

    Attributes:
        kernel_loop: the process that holds the kernel's own ends; its clock is the kernel's clock.
        queuing, sampling: the channels by name.
        devices: what was granted, by name.
        bodies: the living ones by partition.
        crashes: bodies that ended by their own fault, the first `CRASHES_KEPT_MAX`.
    """

    def __init__(self, clock: SimClock, run_body: Runner, chance: random.Random | None = None) -> None:
        self._clock, self._run_body, self._chance = clock, run_body, chance
        self.kernel_loop = SimLoop(clock, chance)
        self.queuing: dict[str, SimQueuingChannel] = {}
        self.sampling: dict[str, SimSamplingChannel] = {}
        self.devices: dict[str, Device] = {}
        self.bodies: dict[str, SimBody] = {}
        self.crashes: list[Crash] = []

    def grant_device(self, name: str, device: Device) -> None:
        """Let bodies whose partition names the device `name` hold it."""
        self.devices[name] = device

    def queuing_channel(self, name: str, max_message_size: int, depth: int) -> None:
        """Create the queuing channel `name`."""
        self.queuing[name] = SimQueuingChannel(name, max_message_size, depth)

    def sampling_channel(self, name: str, max_message_size: int, destinations: tuple[str, ...]) -> None:
        """Create the sampling channel `name`."""
        self.sampling[name] = SimSamplingChannel(name, max_message_size, destinations)

    def queuing_source(self, channel: str) -> SimQueuingSource:
        """The kernel's own hold on the sending end."""
        return SimQueuingSource(self.queuing[channel], self.kernel_loop)

    def queuing_destination(self, channel: str) -> SimQueuingDestination:
        """The kernel's own hold on the receiving end."""
        return SimQueuingDestination(self.queuing[channel], self.kernel_loop)

    def sampling_source(self, channel: str) -> SimSamplingSource:
        """The kernel's own hold on the writing end."""
        return SimSamplingSource(self.sampling[channel], self.kernel_loop)

    def sampling_destination(self, channel: str) -> SimSamplingDestination:
        """The kernel's own hold on a reading end."""
        return SimSamplingDestination(self.sampling[channel], self.kernel_loop, "kernel")

    def repair(self, channel: str) -> None:
        """Nothing: the queue itself says how many messages are under way."""

    def take_suspect(self, channel: str) -> int | None:
        """See `hil.process.ProcessHost.take_suspect`."""
        queue = self.queuing[channel]
        was_looked_at, queue.is_looked_at = queue.is_looked_at, False
        return queue.sent - len(queue.messages) if was_looked_at and queue.messages else None

    def set_aside(self, channel: str) -> int:
        """See `hil.process.ProcessHost.set_aside`."""
        return len(self.queuing[channel].let_go())

    def queue_lengths(self) -> Mapping[str, int]:
        """Messages under way now, by queuing channel."""
        return {name: len(channel.messages) for name, channel in self.queuing.items()}

    def spawn(self, spec: BodySpec) -> SimBody:
        """Make the body; its entry runs some milliseconds later. Raises ConfigError: a device was never granted."""
        for device in spec.devices:
            if device not in self.devices:
                raise ConfigError(f"partition {spec.partition} device", device, ", ".join(self.devices) or "none")
        body = SimBody(self, spec, SimLoop(self._clock, self._chance))
        self.bodies[spec.partition] = body
        birth_ns = SPAWN_NS if self._chance is None else self._chance.randrange(SPAWN_NS, SPAWN_NS_MAX)
        body.loop.call_at(self._clock.now_ns() + birth_ns, partial(body.begin, self._run_body))
        return body

    def note_crash(self, partition: str, fault: BaseException) -> None:
        """A body raised what it must not."""
        if len(self.crashes) < CRASHES_KEPT_MAX:
            self.crashes.append(Crash(self._clock.now_ns(), partition, fault))

    def bury(self, body: SimBody) -> None:
        """A body has ended; the kernel hears of it a little later."""
        if self.bodies.get(body.spec.partition) is body:
            del self.bodies[body.spec.partition]
        self.kernel_loop.call_at(self._clock.now_ns() + FUNERAL_NS, body.tell_death)

    def close(self) -> None:
        """The whole management core is cut off: every body and the kernel end at once."""
        self.kernel_loop.end()
        for body in list(self.bodies.values()):
            body.kill()
