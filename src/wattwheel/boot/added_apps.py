"""APPs beside those of the standard module: a partition each, joined to bus, store, readings and clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from wattwheel.apex import messages
from wattwheel.apex.bus import FROM_BUS, TO_BUS
from wattwheel.apex.messages import Control
from wattwheel.apex.partition import CLOCK_PORT
from wattwheel.apex.store import MESSAGE_OCTETS_MAX, REPLY_PORT, REQUEST_PORT
from wattwheel.apex.store import PORT_DEPTH as STORE_DEPTH
from wattwheel.boot.standard_module import listed_prefixes
from wattwheel.kernel.config import ModuleConfig, PartitionConfig, PortEnd, QueuingChannelConfig, SamplingChannelConfig
from wattwheel.sdk.meter import READINGS_PORT

APP_QUOTA_OCTETS = 65_536
DESCRIPTORS_A_PARTNER = 8
"""What bus and store hold open for a partner: four a queuing port."""
APP_NICENESS = 10
"""An added APP that computes without end must not keep the meter's own partitions waiting."""

APP_RIGHTS = (Control.READ, Control.LIST)
"""What an added APP may ask of others."""


class AddedApp(NamedTuple):
    """An APP to add.

    Attributes:
        name: of its partition.
        entry: `package.module:function`.
        owns: identifier prefixes in hex whose reads it answers.
    """

    name: str
    entry: str
    owns: tuple[str, ...] = ()


def with_apps(config: ModuleConfig, apps: Sequence[AddedApp]) -> ModuleConfig:
    """`config` and a partition for each of `apps`, joined to bus, store, readings and clock. Raises ConfigError."""
    names = [app.name for app in apps]
    queuing = [*config.queuing_channels, *(channel for name in names for channel in _channels_of(name))]
    cells = [
        msgspec.structs.replace(
            cell,
            destinations=(*cell.destinations, *(_reader(cell, name) for name in names)),
            arrival_calls=(*cell.arrival_calls, *(names if cell.name == READINGS_PORT else ())),
        )
        if cell.name in (READINGS_PORT, CLOCK_PORT)
        else cell
        for cell in config.sampling_channels
    ]

    def join_bus(settings: dict[str, Any]) -> None:
        settings["partners"] = [*settings.get("partners", ()), *names]
        settings["routes"] = [
            *settings.get("routes", ()),
            *(
                {"control": control, "prefix": prefix, "owner": app.name}
                for app in apps
                for prefix in app.owns
                for control in (Control.READ, Control.LIST)
            ),
        ]
        settings["rights"] = settings.get("rights", {}) | dict.fromkeys(names, APP_RIGHTS)

    def join_store(settings: dict[str, Any]) -> None:
        settings["quotas"] = settings.get("quotas", {}) | dict.fromkeys(names, APP_QUOTA_OCTETS)

    def join_web(settings: dict[str, Any]) -> None:
        more = listed_prefixes((prefix, app.name) for app in apps for prefix in app.owns)
        settings["listed"] = [*settings.get("listed", ()), *more]

    joined = {"bus": join_bus, "store": join_store, "web": join_web}
    descriptors = DESCRIPTORS_A_PARTNER * len(names)
    first = 1 + max((own.identifier for own in config.partitions), default=0)
    adapted = msgspec.structs.replace(
        config,
        partitions=(
            *(
                _with_settings(own, joined[own.name], descriptors) if own.name in joined else own
                for own in config.partitions
            ),
            *(
                PartitionConfig(app.name, app.entry, identifier=number, niceness=APP_NICENESS)
                for number, app in enumerate(apps, first)
            ),
        ),
        queuing_channels=tuple(queuing),
        sampling_channels=tuple(cells),
    )
    adapted.check()
    return adapted


def _reader(cell: SamplingChannelConfig, name: str) -> PortEnd:
    """A port of partition `name` that reads `cell`, as patient as the readers there are."""
    return PortEnd(name, cell.name, *(end.refresh_ns for end in cell.destinations[:1]))


def _with_settings(
    partition: PartitionConfig, join: Callable[[dict[str, Any]], None], descriptors: int
) -> PartitionConfig:
    settings = msgspec.json.decode(partition.settings)
    join(settings)
    return msgspec.structs.replace(
        partition,
        settings=msgspec.json.encode(settings),
        descriptors_max=partition.descriptors_max + descriptors,
    )


def _channels_of(name: str) -> Iterator[QueuingChannelConfig]:
    size, depth = messages.PORT_MESSAGE_OCTETS_MAX, messages.PORT_DEPTH
    yield QueuingChannelConfig(f"{name}>bus", PortEnd(name, TO_BUS), (PortEnd("bus", f"from_{name}"),), size, depth)
    yield QueuingChannelConfig(f"bus>{name}", PortEnd("bus", f"to_{name}"), (PortEnd(name, FROM_BUS),), size, depth)
    store = MESSAGE_OCTETS_MAX, STORE_DEPTH
    yield QueuingChannelConfig(
        f"{name}>store", PortEnd(name, REQUEST_PORT), (PortEnd("store", f"from_{name}"),), *store
    )
    yield QueuingChannelConfig(f"store>{name}", PortEnd("store", f"to_{name}"), (PortEnd(name, REPLY_PORT),), *store)
