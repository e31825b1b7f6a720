"""A simulated meter for whoever writes an APP: the whole meter, the APP in a partition of its own, virtual time.

with simulated_meter(app) as meter:
    meter.active_power_w = 8000
    meter.advance(60)
    assert meter.read("import_active_energy") == 13
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import msgspec

from wattwheel.apex import messages
from wattwheel.apex.bus import FROM_BUS, TO_BUS
from wattwheel.apex.messages import Control
from wattwheel.apex.partition import CLOCK_PORT
from wattwheel.apex.store import MESSAGE_OCTETS_MAX, REPLY_PORT, REQUEST_PORT
from wattwheel.apex.store import PORT_DEPTH as STORE_DEPTH
from wattwheel.kernel.config import ModuleConfig, PartitionConfig, PortEnd, QueuingChannelConfig
from wattwheel.sdk import App
from wattwheel.sdk.meter import READINGS_PORT
from wattwheel.testing.world import NO_FAULTS, Faults, World

APP_QUOTA_OCTETS = 65_536
APP_RIGHTS = (Control.READ, Control.LIST)
"""What an installed APP may ask of others."""


class SimulatedMeter(World):
    """A world whose meter is ready, with a handle on its load."""

    @property
    def active_power_w(self) -> float:
        """Active power of all phases together that flows now; set it to let another flow."""
        total = self.meter.load.momentary().elements[0].active_power_milliwatt
        return (total or 0) / 1000

    @active_power_w.setter
    def active_power_w(self, watts: float) -> None:
        self.set_power(watts)


@contextmanager
def simulated_meter(
    *apps: App, owns: Sequence[tuple[str, App]] = (), seed: int = 0, faults: Faults = NO_FAULTS
) -> Iterator[SimulatedMeter]:
    """A meter that is ready, with `apps` in partitions of their own beside the standard ones.

    `owns`: identifier prefixes in hex, and the APP that answers their reads. Raises AssertionError at the end when any
    partition has crashed.
    """
    routes = [(prefix, app.name) for prefix, app in owns]
    meter = SimulatedMeter(
        seed,
        faults,
        entries={app.name: app.start for app in apps},
        adapt=partial(with_apps, names=[app.name for app in apps], routes=routes),
    )
    meter.await_ready()
    yield meter
    crashes = [f"{crash.partition}: {crash.fault!r}" for crash in meter.meter.crashes]
    assert not crashes, f"partitions crashed: {crashes}"


def with_apps(config: ModuleConfig, names: Sequence[str], routes: Sequence[tuple[str, str]]) -> ModuleConfig:
    """`config` and a partition for each of `names`, joined to bus, store, readings and clock. Raises ConfigError."""
    queuing = [*config.queuing_channels, *(channel for name in names for channel in _channels_of(name))]
    cells = [
        msgspec.structs.replace(
            cell,
            destinations=(*cell.destinations, *(PortEnd(name, cell.name) for name in names)),
            arrival_calls=(*cell.arrival_calls, *(names if cell.name == READINGS_PORT else ())),
        )
        if cell.name in (READINGS_PORT, CLOCK_PORT)
        else cell
        for cell in config.sampling_channels
    ]

    def join_bus(settings: dict[str, Any]) -> None:
        settings["partners"] += names
        settings["routes"] += [{"control": Control.READ, "prefix": prefix, "owner": owner} for prefix, owner in routes]
        settings["rights"] |= dict.fromkeys(names, APP_RIGHTS)

    def join_store(settings: dict[str, Any]) -> None:
        settings["quotas"] |= dict.fromkeys(names, APP_QUOTA_OCTETS)

    joined = {"bus": join_bus, "store": join_store}
    adapted = ModuleConfig(
        config.name,
        (
            *(_with_settings(own, joined[own.name]) if own.name in joined else own for own in config.partitions),
            *(PartitionConfig(name, f"given:{name}") for name in names),
        ),
        tuple(queuing),
        tuple(cells),
    )
    adapted.check()
    return adapted


def _with_settings(partition: PartitionConfig, join: Callable[[dict[str, Any]], None]) -> PartitionConfig:
    settings = msgspec.json.decode(partition.settings)
    join(settings)
    return msgspec.structs.replace(partition, settings=msgspec.json.encode(settings))


def _channels_of(name: str) -> Iterator[QueuingChannelConfig]:
    size, depth = messages.PORT_MESSAGE_OCTETS_MAX, messages.PORT_DEPTH
    yield QueuingChannelConfig(f"{name}>bus", PortEnd(name, TO_BUS), PortEnd("bus", f"from_{name}"), size, depth)
    yield QueuingChannelConfig(f"bus>{name}", PortEnd("bus", f"to_{name}"), PortEnd(name, FROM_BUS), size, depth)
    store = MESSAGE_OCTETS_MAX, STORE_DEPTH
    yield QueuingChannelConfig(f"{name}>store", PortEnd(name, REQUEST_PORT), PortEnd("store", f"from_{name}"), *store)
    yield QueuingChannelConfig(f"store>{name}", PortEnd("store", f"to_{name}"), PortEnd(name, REPLY_PORT), *store)
