"""Channels that go on outside: what a module's XML says of them, as channels of the module.

A Pseudo_Partition that is not the kernel is a link to another module; its Procedure is the number of the port there.
The channel then ends at a port LINK.NUMBER of the partition that has the link. Every queuing one gets a cell in which
that partition keeps what must survive it (`services.virtual_ports`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from wattwheel.apex.partition import VIRTUAL_PORTS_PORT
from wattwheel.kernel.config import (
    KERNEL,
    PartitionConfig,
    PortEnd,
    QueuingChannelConfig,
    SamplingChannelConfig,
)

NUMBER_MAX = 65_535
KEPT_OCTETS_MAX = 65_536
TABLE_OCTETS_MAX = 16_384


class _Link(msgspec.Struct):
    name: str


class _Links(msgspec.Struct):
    links: list[_Link] = []


def links_of(partitions: Iterable[PartitionConfig]) -> dict[str, str]:
    """Links by name, with the partition that has them: those whose settings have `links` with a `name` each."""
    owners: dict[str, str] = {}
    for partition in partitions:
        try:
            settings = msgspec.json.decode(partition.settings, type=_Links)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        owners |= {link.name: partition.name for link in settings.links}
    return owners


def port_name(link: str, number: str) -> str | None:
    """Name of the port in the partition of the link. None: `number` is none."""
    is_number = number.isdecimal() and number.isascii() and 1 <= int(number) <= NUMBER_MAX
    return f"{link}.{int(number)}" if is_number else None


def kept_cells(channels: Iterable[QueuingChannelConfig], links: dict[str, str]) -> Iterator[SamplingChannelConfig]:
    """The cells of those channels that end at a link."""
    for channel in channels:
        for end in (channel.source, *channel.destinations):
            if links.get(end.port.rpartition(".")[0]) == end.partition:
                cell = f"{end.partition}.{end.port}.kept"
                ends = PortEnd(end.partition, f"{end.port}.keep"), (PortEnd(end.partition, f"{end.port}.kept"),)
                yield SamplingChannelConfig(cell, *ends, KEPT_OCTETS_MAX)


def table_cells(links: dict[str, str]) -> Iterator[SamplingChannelConfig]:
    """Where the partitions of links show their ports to the kernel; today's kernel reads one."""
    for partition in list(dict.fromkeys(links.values()))[:1]:
        ends = PortEnd(partition, VIRTUAL_PORTS_PORT), (PortEnd(KERNEL, VIRTUAL_PORTS_PORT),)
        yield SamplingChannelConfig(f"{partition}.{VIRTUAL_PORTS_PORT}", *ends, TABLE_OCTETS_MAX)
