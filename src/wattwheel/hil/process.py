"""A partition's body: the kernel asks a host for one and never forks itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from wattwheel.hil.ports import QueuingDestination, QueuingSource, SamplingDestination, SamplingSource

EXIT_APPLICATION_ERROR = 1
EXIT_NUMERIC_ERROR = 65
EXIT_STACK_OVERFLOW = 66
EXIT_MEMORY_VIOLATION = 67
EXIT_NO_ROOM = 71
"""Exit statuses by which a body tells the kernel how it failed; the last: the machine had no room to make it.

A host that knows better than the process did (a memory controller killed it) tells the status that fits.
"""


def exit_status(fault: BaseException) -> int:
    """The exit status of a body that ends by `fault`."""
    if isinstance(fault, MemoryError):
        return EXIT_MEMORY_VIOLATION
    if isinstance(fault, RecursionError):
        return EXIT_STACK_OVERFLOW
    if isinstance(fault, ArithmeticError):
        return EXIT_NUMERIC_ERROR
    return EXIT_APPLICATION_ERROR


class PartitionFrame(msgspec.Struct, frozen=True):
    """When a windowed partition runs: all that it must know to find its release points with its own clock.

    Attributes:
        origin_ns: start of the first major frame on the monotonic clock; the others follow without a gap.
        major_frame_ns: length of a major frame.
        period_ns: the partition's period.
        duration_ns: what it may run in each period.
        windows: start in the major frame and length of each of its windows.
        releases_ns: where in the major frame its periodic processes are released.
    """

    origin_ns: int
    major_frame_ns: int
    period_ns: int
    duration_ns: int
    windows: tuple[tuple[int, int], ...]
    releases_ns: tuple[int, ...]

    def next_release_ns(self, now_ns: int) -> int:
        """The first release point after `now_ns`, on the monotonic clock."""
        frames, offset = divmod(now_ns - self.origin_ns, self.major_frame_ns)
        begun = self.origin_ns + frames * self.major_frame_ns
        for release in self.releases_ns:
            if release > offset:
                return begun + release
        return begun + self.major_frame_ns + self.releases_ns[0]

    def window_time_ns(self, since_ns: int, until_ns: int) -> int:
        """Time of the partition's own windows between two instants: what it could have used, pauses left out."""
        return self._window_time_to(until_ns) - self._window_time_to(since_ns)

    def _window_time_to(self, instant_ns: int) -> int:
        frames, offset = divmod(instant_ns - self.origin_ns, self.major_frame_ns)
        whole = sum(duration for _, duration in self.windows)
        return frames * whole + sum(min(max(offset - start, 0), duration) for start, duration in self.windows)


class QueuingPortSpec(msgspec.Struct, frozen=True):
    """A queuing port of a partition, as the module configuration declares it.

    `channels`: of a destination, the one that it receives from; of a source, one for each of its destinations.
    """

    name: str
    direction: str  # "SOURCE" or "DESTINATION"
    channels: tuple[str, ...]
    max_message_size: int
    depth: int


class SamplingPortSpec(msgspec.Struct, frozen=True):
    """A sampling port of a partition. `refresh_ns`: age up to which a value is VALID."""

    name: str
    direction: str
    channel: str
    max_message_size: int
    refresh_ns: int


class BodySpec(msgspec.Struct, frozen=True):
    """Everything a host must know to make a partition's body.

    Attributes:
        partition: name, unique in the module.
        entry: `package.module:function`; the function gets the partition's start context.
        settings: JSON document for the entry, opaque to kernel and host.
        devices: names of the devices granted to it; the host knows what they stand for.
        condition: NORMAL_START, PARTITION_RESTART, HM_MODULE_RESTART or HM_PARTITION_RESTART.
        is_warm: WARM_START instead of COLD_START.
        frame: when it runs; None: at any time.
        memory_octets_max: bound of its private memory.
        descriptors_max: bound of its open descriptors.
        niceness: how far behind the others it stands for the processor, 0 to 19.
        identifier: its number in the module's configuration; 0: it has none.
    """

    partition: str
    entry: str
    settings: bytes
    queuing_ports: tuple[QueuingPortSpec, ...]
    sampling_ports: tuple[SamplingPortSpec, ...]
    devices: tuple[str, ...] = ()
    condition: str = "NORMAL_START"
    is_warm: bool = False
    memory_octets_max: int = 256 * 1024 * 1024
    frame: PartitionFrame | None = None
    descriptors_max: int = 512
    niceness: int = 0
    identifier: int = 0


class Body(Protocol):
    """A living partition body."""

    pid: int  # 0 in a simulation

    def on_death(self, action: Callable[[int], None]) -> None:
        """Call `action` with the exit status (negative: signal number) once the body is gone."""

    def stop(self) -> None:
        """Ask the body to end in order: it finishes its running task and goes."""

    def kill(self) -> None:
        """End the body at once."""

    def pause(self) -> None:
        """Stop running until `resume`; nothing is lost."""

    def resume(self) -> None:
        """Go on after `pause`."""


class ProcessHost(Protocol):
    """Makes channels and bodies. The kernel keeps every channel's ends, so that nothing is lost with a body."""

    def queuing_channel(self, name: str, max_message_size: int, depth: int) -> None:
        """Create the channel `name`. Raises ConfigError when the machine cannot hold depth x size."""

    def sampling_channel(self, name: str, max_message_size: int, destinations: tuple[str, ...]) -> None:
        """Create the last-value cell `name`; `destinations`: port owners that want an arrival call."""

    def queuing_source(self, channel: str) -> QueuingSource:
        """The kernel's own hold on the sending end."""

    def queuing_destination(self, channel: str) -> QueuingDestination:
        """The kernel's own hold on the receiving end."""

    def sampling_source(self, channel: str) -> SamplingSource:
        """The kernel's own hold on the writing end."""

    def sampling_destination(self, channel: str) -> SamplingDestination:
        """The kernel's own hold on a reading end."""

    def repair(self, channel: str) -> None:
        """Recount a queuing channel's free places after the death of one of its ends."""

    def take_suspect(self, channel: str) -> int | None:
        """After the death of a queuing channel's destination: number of the message that it had looked at and not let
        go of, which a second call does not tell again; None when there is none."""

    def set_aside(self, channel: str) -> int:
        """Take the oldest message out of a queuing channel whose destination is gone. Its length in octets."""

    def spawn(self, spec: BodySpec) -> Body:
        """Make the body. Returns before its start function has run."""

    def queue_lengths(self) -> Mapping[str, int]:
        """Messages under way now, by queuing channel."""

    def close(self) -> None:
        """End every body and give everything back."""
