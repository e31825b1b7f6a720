"""Groups of users: who may ask whom across the virtual bus, from the module configuration."""

from __future__ import annotations

import msgspec

from wattwheel.kernel.config import ModuleConfig, PartitionConfig

BUS_ENTRY = "wattwheel.services.bus:start"


def with_users(config: ModuleConfig) -> ModuleConfig:
    """`config`, its bus told which user each partition belongs to and which user may ask which other.

    The configuration of partitions is the one place for both; what stands in the bus's own settings does not count.
    """
    users = {partition.name: partition.user for partition in config.partitions}

    def told(partition: PartitionConfig) -> PartitionConfig:
        if partition.entry != BUS_ENTRY:
            return partition
        settings = {**msgspec.json.decode(partition.settings), "users": users, "grants": config.grants}
        return msgspec.structs.replace(partition, settings=msgspec.json.encode(settings))

    return msgspec.structs.replace(config, partitions=tuple(map(told, config.partitions)))
