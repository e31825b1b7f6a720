"""A module configuration out of XML in the words of ARINC 653: octets in, a checked `ModuleConfig` out.

Three sieves, each over the whole document: the shipped schema (which elements and attributes, which values), the
references between the tables (every name leads somewhere, both ends of a channel agree), and the rules that any module
keeps. The first two tell everything that they find, by line, up to `FAULTS_MAX`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import msgspec

from wattwheel.kernel.config import (
    KERNEL,
    HealthConfig,
    HealthEntry,
    ModuleConfig,
    PartitionConfig,
    ScheduleConfig,
    WindowConfig,
)
from wattwheel.kernel.module_rules import About, json_fault, problems_of
from wattwheel.kernel.module_xml_channels import ChannelReader
from wattwheel.kernel.virtual_channels import links_of
from wattwheel.kernel.xml_schema import BOOLEANS, Element, Fault, SchemaReader, faults_in
from wattwheel.kernel.xml_tree import Document, Node, read_document
from wattwheel.model.errors import ConfigError, ModuleConfigError

NAMESPACE, PREFIX = "urn:wattwheel:module:1", "ww"
NAMESPACES = {NAMESPACE: PREFIX}
SCHEMA_FILES = {"": "ARINC_653_Module.xsd", PREFIX: "wattwheel_module.xsd"}
ROOT = "ARINC_653_Module"
FAULTS_MAX = 20
POWER_FAILURE, POWER_FAIL = "POWER_FAILURE", "POWER_FAIL"  # the schema's spelling, and that of the services


class Offer(NamedTuple):
    """What the machine and the kernel have for the module of a file: whoever boots it says so.

    Attributes:
        devices: each is granted to exactly one partition.
        kernel_ports: ports of the kernel that must be joined to a channel, and in which direction.
        spare_devices: each may be granted to one partition, and need not.
        spare_kinds: beginnings of device names of which the same is true.
    """

    devices: Sequence[str]
    kernel_ports: Mapping[str, str] = {}
    spare_devices: Sequence[str] = ()
    spare_kinds: tuple[str, ...] = ()


def schema_octets() -> dict[str, bytes]:
    """The shipped schema: the octets of its files by their names."""
    folder = files("wattwheel.kernel") / "data"
    return {name: (folder / name).read_bytes() for name in SCHEMA_FILES.values()}


@cache
def module_schema() -> Element:
    """The root element of the shipped schema."""
    octets = schema_octets()
    return SchemaReader({prefix: octets[name] for prefix, name in SCHEMA_FILES.items()}, NAMESPACES).element(ROOT)


def read_module(octets: bytes, file: str | None = None, offer: Offer | None = None) -> ModuleConfig:
    """The module in `octets`. Raises ConfigError: with `file` and line, whatever is wrong in it.

    `offer`: what the module is checked against beyond itself.
    """
    document = read_document(octets, NAMESPACES, file)
    faults = list(faults_in(document, module_schema()))
    if not faults:
        reader = _Reader(document)
        config = reader.module()
        reader.check(config)
        if offer is not None and not reader.faults:
            reader.check_offer(config, offer)
        faults = reader.faults
        if not faults:
            return config
    faults = sorted(dict.fromkeys(faults), key=lambda fault: fault.line)
    told = [
        ConfigError(f"line {fault.line}, {fault.where}", fault.found, fault.allowed, file)
        for fault in faults[:FAULTS_MAX]
    ]
    raise ModuleConfigError(told, len(faults) - len(told))


def nanoseconds(text: str) -> int:
    """Seconds of the schema, in ns; their nine decimals make that exact."""
    return int(Decimal(text) * 1_000_000_000)


def truth(text: str | None) -> bool:
    """A boolean of the schema; false where it is absent."""
    return text is not None and BOOLEANS[text.strip()]


class _Reader:
    """A document that fits the schema, on its way to a module.

    Attributes:
        faults: what was found wrong.
    """

    def __init__(self, document: Document) -> None:
        self._document = document
        self._root = document.root
        self.faults: list[Fault] = []
        self._lines: dict[About, int] = {("module",): self._root.line, ("schedule",): self._root.line}
        self._names: dict[int, str] = {}
        for node in self._root.named("Partition"):
            self._names.setdefault(int(node.attributes["PartitionIdentifier"]), node.attributes["PartitionName"])

    def fault(self, node: Node, where: str, found: object, allowed: str, attribute: str = "") -> None:
        """Something is wrong at `node`."""
        line = self._document.attribute_line(node, attribute) if attribute else node.line
        self.faults.append(Fault(line, where, found, allowed))

    def module(self) -> ModuleConfig:
        """The module, as far as it can be made; `faults` tells what is amiss."""
        partitions = self._partitions()
        channels = ChannelReader(self._root, self._names, links_of(partitions), self.fault, self._lines)
        channels.read()
        root = self._root.attributes
        return ModuleConfig(
            name=root["ModuleName"],
            partitions=tuple(partitions),
            queuing_channels=tuple(channels.queuing),
            sampling_channels=tuple(channels.sampling),
            schedule=self._schedule(),
            health=self._health(int(root.get("ww:RestartsMax", "0"))),
            grants=tuple(self._grants()),
        )

    def partition_named(self, node: Node) -> str | None:
        """The partition that `node` refers to. None: there is none, which is a fault."""
        identifier = int(node.attributes["PartitionIdentifier"])
        if identifier not in self._names:
            known = ", ".join(map(str, self._names))
            self.fault(node, f"{node.name} PartitionIdentifier", identifier, known, "PartitionIdentifier")
        return self._names.get(identifier)

    def _partitions(self) -> list[PartitionConfig]:
        memory = self._memory()
        made = []
        for place, node in enumerate(self._root.named("Partition")):
            own = node.attributes
            self._lines["partition", place] = node.line
            partition = PartitionConfig(
                name=own["PartitionName"],
                entry=own["EntryPoint"],
                settings=self._settings(node),
                devices=tuple(device.attributes["Name"] for device in node.named("ww:Device")),
                identifier=int(own["PartitionIdentifier"]),
                is_system=truth(own.get("SystemPartition")),
            )
            given = {
                "criticality": own.get("Criticality"),
                "user": own.get("ww:User"),
                "isolation_min": own.get("ww:IsolationMin"),
                "stop_rank": _whole(own.get("ww:StopRank")),
                "descriptors_max": _whole(own.get("ww:DescriptorsMax")),
                "niceness": _whole(own.get("ww:Niceness")),
                "memory_octets_max": memory.get(own["PartitionName"]),
            }
            made.append(msgspec.structs.replace(partition, **{k: v for k, v in given.items() if v is not None}))
        return made

    def _settings(self, node: Node) -> bytes:
        texts = node.named("ww:Settings")
        if not texts:
            return b"{}"
        where = f"Partition {node.attributes['PartitionName']}"
        if len(texts) > 1:
            self.fault(texts[1], where, f"{len(texts)} ww:Settings", "one at most")
        octets = texts[0].text.encode()
        if why := json_fault(octets):
            self.fault(texts[0], f"{where} ww:Settings", why, "one JSON document")
            return b"{}"
        return msgspec.json.encode(msgspec.json.decode(octets))

    def _memory(self) -> dict[str, int]:
        octets: dict[str, int] = {}
        for node in self._root.named("Partition_Memory"):
            name = self.partition_named(node)
            regions = [region for region in node.named("Memory_Requirements") if region.attributes["Type"] == "DATA"]
            if not regions:
                self.fault(node, "Partition_Memory", "no region of DATA", "at least one of Type DATA")
            elif name is not None and self._is_first(node, name, octets):
                octets[name] = sum(int(region.attributes["SizeBytes"]) for region in regions)
        return octets

    def _is_first(self, node: Node, name: str, seen: Mapping[str, object]) -> bool:
        if name in seen:
            self.fault(node, node.name, f"a second one for partition {name}", "one a partition")
        return name not in seen

    # -- time and health -----------------------------------------------------------------------------------------

    def _schedule(self) -> ScheduleConfig:
        tables = self._root.named("Module_Schedule")
        if not tables:
            return ScheduleConfig()
        self._lines["schedule",] = tables[0].line
        windows: list[tuple[WindowConfig, Node]] = []
        periods: dict[str, tuple[int, int]] = {}
        for node in tables[0].named("Partition_Schedule"):
            name, own = self.partition_named(node), node.attributes
            if name is None or not self._is_first(node, name, periods):
                continue
            periods[name] = nanoseconds(own["PeriodSeconds"]), nanoseconds(own["PeriodDurationSeconds"])
            self._lines["period", name] = node.line
            windows += [(_window(window, name), window) for window in node.named("Window_Schedule")]
        windows.sort(key=lambda pair: (pair[0].start_ns, pair[0].identifier))
        self._lines |= {("window", place): node.line for place, (_own, node) in enumerate(windows)}
        frame_ns = nanoseconds(tables[0].attributes["MajorFrameSeconds"])
        return ScheduleConfig(frame_ns, tuple(window for window, _node in windows), periods)

    def _health(self, restarts_max: int) -> HealthConfig:
        levels = [self._rows(table, "levels", "") for table in self._root.named("System_HM_Table")]
        module = [self._rows(table, "module table", "") for table in self._root.named("Module_HM_Table")]
        partitions: dict[str, tuple[HealthEntry, ...]] = {}
        for table in self._root.named("Partition_HM_Table"):
            name = self.partition_named(table)
            if name is not None and self._is_first(table, name, partitions):
                partitions[name] = self._rows(table, "partition table", name)
        return HealthConfig(levels[0] if levels else (), module[0] if module else (), partitions, restarts_max)

    def _rows(self, table: Node, about: str, partition: str) -> tuple[HealthEntry, ...]:
        self._lines[about, partition] = table.line
        rows: list[HealthEntry] = []
        for state in table.children:
            for node in state.children:
                own = node.attributes
                self._lines[about, partition, len(rows)] = node.line
                rows.append(
                    HealthEntry(
                        state=state.attributes["SystemState"],
                        error=_spelled(own["ErrorIdentifier"]),
                        level=own.get("ErrorLevel", ""),
                        code=_spelled(own.get("ErrorCode", "")),
                        action=own.get("Action", ""),
                    )
                )
        return tuple(rows)

    def _grants(self) -> list[tuple[str, str]]:
        nodes = [node for table in self._root.named("ww:Grants") for node in table.children]
        self._lines |= {("grant", place): node.line for place, node in enumerate(nodes)}
        return [(node.attributes["From"], node.attributes["To"]) for node in nodes]

    # -- the rules -----------------------------------------------------------------------------------------------

    def check(self, config: ModuleConfig) -> None:
        """Note every rule that `config` breaks, at its line."""
        for problem in problems_of(config):
            line = self._lines.get(problem.about, self._root.line)
            self.faults.append(Fault(line, problem.where, problem.found, problem.allowed))

    def check_offer(self, config: ModuleConfig, offer: Offer) -> None:
        """Note what `config` wants and there is not, and what it leaves without an owner."""
        owners: dict[str, str] = {}
        for node in self._root.named("Partition"):
            name = node.attributes["PartitionName"]
            for device in node.named("ww:Device"):
                wanted = device.attributes["Name"]
                if wanted not in (*offer.devices, *offer.spare_devices) and not wanted.startswith(offer.spare_kinds):
                    known = ", ".join((*offer.devices, *offer.spare_devices))
                    allowed = f"what there is, and this meter's settings open: {known}"
                    self.fault(device, f"Partition {name} ww:Device", wanted, allowed)
                elif wanted in owners:
                    self.fault(
                        device, f"Partition {name} ww:Device", f"{wanted}, which {owners[wanted]} has", "one owner"
                    )
                owners.setdefault(wanted, name)
        for device_name in offer.devices:
            if device_name not in owners:
                allowed = f'<ww:Device Name="{device_name}"/> in one partition, or settings that do not open it'
                self.fault(self._root, "ww:Device", f"nobody with {device_name}", allowed)
        queuing, sampling = config.ports_of(KERNEL)
        own = {port.name: port.direction for port in sampling} | {port.name: "" for port in queuing}
        for port, direction in offer.kernel_ports.items():
            if own.get(port) != direction:
                allowed = f"a sampling channel with the kernel's port {port} as its {direction}"
                self.fault(self._root, "Connection_Table", f"no such port {port} of the kernel", allowed)


def _whole(text: str | None) -> int | None:
    return None if text is None else int(text)


def _spelled(word: str) -> str:
    return POWER_FAIL if word == POWER_FAILURE else word


def _window(node: Node, partition: str) -> WindowConfig:
    own = node.attributes
    return WindowConfig(
        int(own["WindowIdentifier"]),
        partition,
        nanoseconds(own["WindowStartSeconds"]),
        nanoseconds(own["WindowDurationSeconds"]),
        truth(own.get("PartitionPeriodStart")),
    )
