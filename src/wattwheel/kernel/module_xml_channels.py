"""Ports and channels of a module's XML: every end found, both ends of a channel agreed, every port joined once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import NamedTuple

from wattwheel.kernel.config import KERNEL, PortEnd, QueuingChannelConfig, SamplingChannelConfig
from wattwheel.kernel.module_rules import About
from wattwheel.kernel.virtual_channels import NUMBER_MAX, kept_cells, port_name, table_cells
from wattwheel.kernel.xml_schema import BOOLEANS
from wattwheel.kernel.xml_tree import Node

SAMPLING, QUEUING = "Sampling_Port", "Queuing_Port"
DEFAULT_REFRESH_SECONDS = "3"

Tell = Callable[[Node, str, object, str, str], None]
"""Notes a fault: element, where, what was found, what is allowed, which attribute ("" for the element itself)."""


class _Port(NamedTuple):
    """A declared port, or one of the kernel: `kind` and `size` are empty there, since its channel decides."""

    partition: str
    name: str
    node: Node
    direction: str
    kind: str = ""
    size: int = 0
    depth: int = 0
    is_link: bool = False

    @property
    def is_direct(self) -> bool:
        """Whether it holds no messages."""
        return BOOLEANS[self.node.attributes.get("ww:Direct", "false").strip()]

    def end(self) -> PortEnd:
        """As an end of a channel."""
        own = self.node.attributes
        if self.kind == QUEUING:
            return PortEnd(self.partition, self.name)
        seconds = own.get("RefreshRateSeconds" if self.kind else "ww:RefreshRateSeconds", DEFAULT_REFRESH_SECONDS)
        return PortEnd(self.partition, self.name, int(Decimal(seconds.strip()) * 1_000_000_000))

    @property
    def wants_call(self) -> bool:
        """Whether its reader is told of each new message."""
        return self.is_link or BOOLEANS[self.node.attributes.get("ww:ArrivalCall", "false").strip()]


class ChannelReader:
    """All channels of a document that fits the schema.

    Attributes:
        queuing: channels of queuing ports, in their order.
        sampling: channels of sampling ports, in their order.
    """

    def __init__(
        self, root: Node, names: Mapping[int, str], links: dict[str, str], tell: Tell, lines: dict[About, int]
    ) -> None:
        """`names`: partitions by their identifiers; `links`: partitions by the links to other modules that they have;
        `lines`: where each channel stands is noted there.
        """
        self._root, self._names, self._links, self._tell, self._lines = root, names, links, tell, lines
        self._has_links = False
        self._ports: dict[tuple[int, str], _Port] = {}
        self._joined: set[tuple[int, str]] = set()
        self.queuing: list[QueuingChannelConfig] = []
        self.sampling: list[SamplingChannelConfig] = []

    def read(self) -> None:
        """Read ports, then channels; then look for ports that no channel has taken."""
        for node in self._root.named("Partition"):
            self._declare_ports(node)
        identifiers: set[int] = set()
        for table in self._root.named("Connection_Table"):
            for node in table.children:
                identifier = int(node.attributes["ChannelIdentifier"])
                if identifier in identifiers:
                    self._tell(
                        node, "Channel ChannelIdentifier", identifier, "each identifier once", "ChannelIdentifier"
                    )
                identifiers.add(identifier)
                self._read_channel(node)
        for key, port in self._ports.items():
            if key not in self._joined:
                found = f"port {port.name} in no channel"
                self._tell(port.node, f"Partition {port.partition}", found, "each port in one channel", "")
        if self._has_links:
            self.sampling += [*kept_cells(self.queuing, self._links), *table_cells(self._links)]

    def _declare_ports(self, partition: Node) -> None:
        name, identifier = partition.attributes["PartitionName"], int(partition.attributes["PartitionIdentifier"])
        for node in partition.children:
            if node.name not in (SAMPLING, QUEUING):
                continue
            own = node.attributes
            key = identifier, own["Name"].upper()
            if key in self._ports:
                allowed = "each name once in a partition, letter case aside"
                self._tell(node, f"Partition {name} {node.name} Name", own["Name"], allowed, "Name")
                continue
            size, depth = int(own["MaxMessageSize"]), int(own.get("MaxNbMessages", "0"))
            self._ports[key] = _Port(name, own["Name"], node, own["Direction"], node.name, size, depth)

    def _read_channel(self, node: Node) -> None:
        name = node.attributes["ChannelName"]
        ends = [(role, role.children[0]) for role in node.children]
        ports = [self._port(name, role, end) for role, end in ends]
        declared = [port for port in ports if port is not None and port.kind]
        if not declared:
            if all(port is not None for port in ports):
                self._tell(node, f"channel {name}", f"ends at the {KERNEL} only", "an end at a partition", "")
            return
        agree = [self._agrees(name, end, port, declared[0]) for (_, end), port in zip(ends, ports, strict=True) if port]
        whole = [port for port in ports if port is not None]
        if not all(agree) or len(whole) != len(ports):
            return
        if declared[0].kind == SAMPLING:
            self._add_sampling(node, name, whole)
        else:
            self._add_queuing(node, name, whole)

    def _port(self, channel: str, role: Node, end: Node) -> _Port | None:
        """The port that `end` names, taken by this channel. None: a fault was told."""
        if end.name == "Pseudo_Partition":
            return self._pseudo_port(channel, role, end)
        identifier, wanted = int(end.attributes["PartitionIdentifier"]), end.attributes["PortName"]
        where = f"channel {channel} {role.name}"
        if identifier not in self._names:
            allowed = ", ".join(f"{number} ({name})" for number, name in self._names.items())
            self._tell(end, f"{where} PartitionIdentifier", identifier, allowed, "PartitionIdentifier")
            return None
        key = identifier, wanted.upper()
        port = self._ports.get(key)
        if port is None:
            allowed = ", ".join(own.name for (number, _), own in self._ports.items() if number == identifier)
            self._tell(end, f"{where} PortName", wanted, allowed or "no port: the partition has none", "PortName")
            return None
        if key in self._joined:
            self._tell(
                end, f"{where} PortName", f"{wanted}, in a second channel", "each port in one channel", "PortName"
            )
            return None
        self._joined.add(key)
        if port.direction != role.name.upper():
            self._tell(end, where, f"port {wanted}, a {port.direction}", f"a port that is a {role.name.upper()}", "")
            return None
        return port

    def _pseudo_port(self, channel: str, role: Node, end: Node) -> _Port | None:
        name, procedure = end.attributes["Name"], end.attributes["Procedure"]
        where = f"channel {channel} Pseudo_Partition"
        if name == KERNEL:
            return _Port(KERNEL, procedure, end, role.name.upper())
        if name not in self._links:
            self._tell(end, f"{where} Name", name, ", ".join((KERNEL, *self._links)), "Name")
            return None
        port = port_name(name, procedure)
        if port is None:
            self._tell(end, f"{where} Procedure", procedure, f"a port number, 1 to {NUMBER_MAX}", "Procedure")
            return None
        self._has_links = True
        return _Port(self._links[name], port, end, role.name.upper(), is_link=True)

    def _agrees(self, channel: str, end: Node, port: _Port, first: _Port) -> bool:
        """Whether `port` is of the kind and size of `first`, the channel's first declared port."""
        if not port.kind:
            return True
        where, of = f"channel {channel} port {port.name}", f"as {first.name} of {first.partition}"
        if port.kind != first.kind:
            self._tell(end, where, port.kind, f"{first.kind}, {of}", "")
            return False
        if port.size != first.size:
            self._tell(end, f"{where} MaxMessageSize", port.size, f"{first.size}, {of}", "")
        if port.depth != first.depth:
            self._tell(end, f"{where} MaxNbMessages", port.depth, f"{first.depth}, {of}", "")
        if port.is_direct != first.is_direct:
            allowed = f"{'a' if first.is_direct else 'no'} direct port, {of}"
            self._tell(end, f"{where} ww:Direct", "a direct port" if port.is_direct else "none", allowed, "")
            return False
        return (port.size, port.depth) == (first.size, first.depth)

    def _add_queuing(self, node: Node, name: str, ports: list[_Port]) -> None:
        declared = next(port for port in ports if port.kind)
        ends = [PortEnd(port.partition, port.name) for port in ports]
        self._lines["queuing", len(self.queuing)] = node.line
        direct = declared.is_direct
        if direct and any(port.is_link for port in ports):
            self._tell(node, f"channel {name} of direct ports", "a link", "partitions at both ends", "")
        size, depth = declared.size, declared.depth
        self.queuing.append(QueuingChannelConfig(name, ends[0], tuple(ends[1:]), size, depth, direct))

    def _add_sampling(self, node: Node, name: str, ports: list[_Port]) -> None:
        declared = next(port for port in ports if port.kind)
        source, *destinations = [port.end() for port in ports]
        calls = dict.fromkeys(port.partition for port in ports[1:] if port.wants_call)
        self._lines["sampling", len(self.sampling)] = node.line
        self.sampling.append(SamplingChannelConfig(name, source, tuple(destinations), declared.size, tuple(calls)))
