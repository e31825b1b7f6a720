"""The module configuration: partitions, channels, ports; checked before anything starts."""

from __future__ import annotations

import msgspec

from wattwheel.apex.partition import COUNTERS_PORT, KERNEL_PORT
from wattwheel.hil.process import QueuingPortSpec, SamplingPortSpec
from wattwheel.model.errors import ConfigError

PARTITIONS_MAX = 128
PORTS_A_PARTITION_MAX = 512
DEPTH_MAX = 512
DESTINATIONS_MAX = 16  # of one queuing channel
MESSAGE_OCTETS_MAX = 65_536
NAME_LENGTH_MAX = 30
KERNEL = "kernel"  # the pseudo partition: ports that the kernel itself holds
RESERVED_PORTS = (KERNEL_PORT, COUNTERS_PORT)  # given to every partition by the module


class PartitionConfig(msgspec.Struct, frozen=True):
    """One partition.

    Attributes:
        name: unique, up to 30 characters.
        entry: `package.module:function`.
        settings: JSON document for the entry.
        devices: what is granted to it beyond ports.
        stop_rank: partitions of a lower rank end first.
        memory_octets_max: bound of its private memory.
        identifier: number in the module's configuration; 0: none was given.
        criticality: LEVEL_A to LEVEL_E, as configured; shown, not acted upon.
        is_system: a system partition (a service), not an APP.
        user: group of modules with free access among themselves; between groups only as the table of rights grants.
        descriptors_max: open descriptors that it may have.
        niceness: how far behind the others it stands for the processor, 0 to 19.
        isolation_min: least level of isolation (L0..L3) it may be started at.
    """

    name: str
    entry: str
    settings: bytes = b"{}"
    devices: tuple[str, ...] = ()
    stop_rank: int = 0
    memory_octets_max: int = 256 * 1024 * 1024
    identifier: int = 0
    criticality: str = "LEVEL_A"
    is_system: bool = False
    user: str = "meter"
    descriptors_max: int = 512
    isolation_min: str = "L0"
    niceness: int = 0


class WindowConfig(msgspec.Struct, frozen=True):
    """One window of the major frame, in which `partition` runs and no other windowed one.

    `is_period_start`: a release point of the partition's periodic processes.
    """

    identifier: int
    partition: str
    start_ns: int
    duration_ns: int
    is_period_start: bool = False


class ScheduleConfig(msgspec.Struct, frozen=True):
    """The time partition: windows over a major frame that repeats. Partitions without a window run at any time.

    `periods`: for each windowed partition its period and its duration in each period, ns.
    """

    major_frame_ns: int = 0
    windows: tuple[WindowConfig, ...] = ()
    periods: dict[str, tuple[int, int]] = {}


class HealthEntry(msgspec.Struct, frozen=True):
    """One row of a health table: what `error` in `state` is, or what is done about it.

    In the module's own (system) table `level` is MODULE, PARTITION or PROCESS and `code` the standard's error code; in
    a module or partition table `action` is IGNORE, SHUTDOWN, RESET, or IGNORE, IDLE, WARM_START, COLD_START.
    """

    state: str
    error: str
    level: str = ""
    code: str = ""
    action: str = ""


class HealthConfig(msgspec.Struct, frozen=True):
    """The health monitor's tables.

    Attributes:
        levels: which level an error in a state belongs to.
        module: actions at module level.
        partitions: actions at partition level, by partition.
        restarts_max: starts of a partition within a minute before it is left IDLE; 0: no limit.
    """

    levels: tuple[HealthEntry, ...] = ()
    module: tuple[HealthEntry, ...] = ()
    partitions: dict[str, tuple[HealthEntry, ...]] = {}
    restarts_max: int = 0


class PortEnd(msgspec.Struct, frozen=True):
    """A port: which partition, and what it is called there. `refresh_ns` counts for sampling destinations."""

    partition: str
    port: str
    refresh_ns: int = 3_000_000_000


class QueuingChannelConfig(msgspec.Struct, frozen=True):
    """A bounded FIFO from one source port to one or more destination ports, each of which gets every message.

    `is_direct`: it holds no messages: the one that is under way is the receiver's until it lets go of it.
    """

    name: str
    source: PortEnd
    destinations: tuple[PortEnd, ...]
    max_message_size: int = 4096
    depth: int = 32
    is_direct: bool = False

    def links(self) -> dict[str, PortEnd]:
        """What it is made of: a row of messages for each destination, by name."""
        if len(self.destinations) == 1:
            return {self.name: self.destinations[0]}
        return {f"{self.name}>{end.partition}.{end.port}": end for end in self.destinations}


class SamplingChannelConfig(msgspec.Struct, frozen=True):
    """A last-value cell from one source port to any number of destination ports."""

    name: str
    source: PortEnd
    destinations: tuple[PortEnd, ...]
    max_message_size: int = 4096
    arrival_calls: tuple[str, ...] = ()  # destinations' partitions that want to be told


class ModuleConfig(msgspec.Struct, frozen=True):
    """A whole module. `grants`: (asking, asked) users that may cross the border between groups."""

    name: str
    partitions: tuple[PartitionConfig, ...]
    queuing_channels: tuple[QueuingChannelConfig, ...] = ()
    sampling_channels: tuple[SamplingChannelConfig, ...] = ()
    schedule: ScheduleConfig = ScheduleConfig()
    health: HealthConfig = HealthConfig()
    grants: tuple[tuple[str, str], ...] = ()

    def ports_of(self, partition: str) -> tuple[list[QueuingPortSpec], list[SamplingPortSpec]]:
        """All ports of `partition`."""
        queuing = [
            QueuingPortSpec(end.port, direction, links, channel.max_message_size, channel.depth)
            for channel in self.queuing_channels
            for end, direction, links in (
                (channel.source, "SOURCE", tuple(channel.links())),
                *((end, "DESTINATION", (link,)) for link, end in channel.links().items()),
            )
            if end.partition == partition
        ]
        sampling = [
            SamplingPortSpec(end.port, direction, cell.name, cell.max_message_size, end.refresh_ns)
            for cell in self.sampling_channels
            for end, direction in (
                (cell.source, "SOURCE"),
                *((end, "DESTINATION") for end in cell.destinations),
            )
            if end.partition == partition
        ]
        return queuing, sampling

    def check(self) -> None:
        """Raise ConfigError for the first rule of `kernel.module_rules` that the module breaks."""
        from wattwheel.kernel.module_rules import problems_of  # which looks at this module

        for problem in problems_of(self):
            raise ConfigError(problem.where, problem.found, problem.allowed)


def restart_delay_ns(deaths_in_window: int, first_ns: int = 10_000_000, max_ns: int = 2_000_000_000) -> int:
    """Delay before the next start: doubles with each recent death beyond the third, bounded."""
    return min(max_ns, first_ns << max(0, min(deaths_in_window, 16) - 3))
