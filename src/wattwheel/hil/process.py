"""A partition's body: the kernel asks a host for one and never forks itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from wattwheel.hil.ports import QueuingDestination, QueuingSource, SamplingDestination, SamplingSource


class QueuingPortSpec(msgspec.Struct, frozen=True):
    """A queuing port of a partition, as the module configuration declares it."""

    name: str
    direction: str  # "SOURCE" or "DESTINATION"
    channel: str
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

    def spawn(self, spec: BodySpec) -> Body:
        """Make the body. Returns before its start function has run."""

    def queue_lengths(self) -> Mapping[str, int]:
        """Messages under way now, by queuing channel."""

    def close(self) -> None:
        """End every body and give everything back."""
