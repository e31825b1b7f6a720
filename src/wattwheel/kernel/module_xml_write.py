"""A module configuration written as XML that `kernel.module_xml` reads back to the same."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import msgspec

from wattwheel.kernel.config import (
    KERNEL,
    HealthEntry,
    ModuleConfig,
    PartitionConfig,
    PortEnd,
    QueuingChannelConfig,
    SamplingChannelConfig,
)
from wattwheel.kernel.module_rules import ANY
from wattwheel.kernel.module_xml import NAMESPACE, POWER_FAIL, POWER_FAILURE, PREFIX, ROOT
from wattwheel.model.errors import ConfigError

DEFAULT = PartitionConfig("default", "default:default")
DEFAULT_REFRESH_NS = PortEnd("", "").refresh_ns
NO_SETTINGS = b"{}"
JSON_LINE_OCTETS_MAX = 90  # longer values are written one part a line
JSON_DEPTH_MAX = 8  # deeper ones in one line, whatever their length

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Words = dict[str, object]
Channel = QueuingChannelConfig | SamplingChannelConfig


def write_module(config: ModuleConfig) -> bytes:
    """`config` as a document, UTF-8, one element a line. Partitions without an identifier get one.

    Raises ConfigError for a module that breaks a rule, or has a channel that the standard knows no words for.
    """
    config.check()
    for cell in config.sampling_channels:
        if not cell.destinations:
            raise ConfigError(f"channel {cell.name}", "no destination", "one source and at least one destination")
    channels: list[Channel] = [*config.queuing_channels, *config.sampling_channels]
    for channel in channels:
        if all(end.partition == KERNEL for end in (channel.source, *channel.destinations)):
            raise ConfigError(f"channel {channel.name}", f"ends at the {KERNEL} only", "an end at a partition")
    return "".join(_document(numbered(config))).encode()


def numbered(config: ModuleConfig) -> ModuleConfig:
    """`config` with an identifier for every partition: those that have none get the lowest free numbers."""
    taken = {partition.identifier for partition in config.partitions}
    free = (number for number in range(1, len(taken) + len(config.partitions) + 1) if number not in taken)
    partitions = tuple(
        own if own.identifier else msgspec.structs.replace(own, identifier=next(free)) for own in config.partitions
    )
    return msgspec.structs.replace(config, partitions=partitions)


def _document(config: ModuleConfig) -> Iterator[str]:
    numbers = {partition.name: partition.identifier for partition in config.partitions}
    health, root = config.health, {"ModuleName": config.name, f"xmlns:{PREFIX}": NAMESPACE}
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield _open(0, ROOT, {**root, "ww:RestartsMax": health.restarts_max or None})
    if health.levels:
        yield from _table("System_HM_Table", {}, "Error_ID_Level", health.levels)
    if health.module:
        yield from _table("Module_HM_Table", {}, "Error_ID_Action", health.module)
    for partition in config.partitions:
        yield from _partition(config, partition)
    for partition in config.partitions:
        if partition.memory_octets_max != DEFAULT.memory_octets_max:
            yield _open(1, "Partition_Memory", {"PartitionIdentifier": partition.identifier})
            size = partition.memory_octets_max
            yield _empty(2, "Memory_Requirements", {"Type": "DATA", "SizeBytes": size, "Access": "READ_WRITE"})
            yield _close(1, "Partition_Memory")
    yield from _schedule(config, numbers)
    for name, rows in health.partitions.items():
        yield from _table("Partition_HM_Table", {"PartitionIdentifier": numbers[name]}, "Error_ID_Action", rows)
    yield from _connections(config, numbers)
    if config.grants:
        yield _open(1, "ww:Grants", {})
        for asking, asked in config.grants:
            yield _empty(2, "ww:Grant", {"From": asking, "To": asked})
        yield _close(1, "ww:Grants")
    yield _close(0, ROOT)


def _partition(config: ModuleConfig, own: PartitionConfig) -> Iterator[str]:
    yield _open(
        1,
        "Partition",
        {
            "PartitionIdentifier": own.identifier,
            "PartitionName": own.name,
            "Criticality": _unless(own.criticality, DEFAULT.criticality),
            "SystemPartition": "true" if own.is_system else None,
            "EntryPoint": own.entry,
            "ww:User": _unless(own.user, DEFAULT.user),
            "ww:StopRank": _unless(own.stop_rank, DEFAULT.stop_rank),
            "ww:DescriptorsMax": _unless(own.descriptors_max, DEFAULT.descriptors_max),
            "ww:Niceness": _unless(own.niceness, DEFAULT.niceness),
            "ww:IsolationMin": _unless(own.isolation_min, DEFAULT.isolation_min),
        },
    )
    for channel in config.queuing_channels:
        ends = ((channel.source, "SOURCE"), *((end, "DESTINATION") for end in channel.destinations))
        for end, direction in ends:
            if end.partition == own.name:
                size = {"MaxMessageSize": channel.max_message_size, "MaxNbMessages": channel.depth}
                direct = "true" if channel.is_direct else None
                yield _empty(2, "Queuing_Port", {"Name": end.port, **size, "Direction": direction, "ww:Direct": direct})
    for cell in config.sampling_channels:
        if cell.source.partition == own.name:
            yield _empty(2, "Sampling_Port", _sampling_port(cell, cell.source, "SOURCE"))
        for end in cell.destinations:
            if end.partition == own.name:
                yield _empty(2, "Sampling_Port", _sampling_port(cell, end, "DESTINATION"))
    for device in own.devices:
        yield _empty(2, "ww:Device", {"Name": device})
    if own.settings != NO_SETTINGS:
        yield f"    <ww:Settings>{_json(own.settings)}</ww:Settings>\n"
    yield _close(1, "Partition")


def _sampling_port(cell: SamplingChannelConfig, end: PortEnd, direction: str) -> Words:
    return {
        "Name": end.port,
        "MaxMessageSize": cell.max_message_size,
        "Direction": direction,
        "RefreshRateSeconds": _refresh(end),
        "ww:ArrivalCall": "true" if direction == "DESTINATION" and end.partition in cell.arrival_calls else None,
    }


def _schedule(config: ModuleConfig, numbers: dict[str, int]) -> Iterator[str]:
    schedule = config.schedule
    if not schedule.windows:
        return
    yield _open(1, "Module_Schedule", {"MajorFrameSeconds": _seconds(schedule.major_frame_ns)})
    for name in dict.fromkeys(window.partition for window in schedule.windows):
        own = [window for window in schedule.windows if window.partition == name]
        whole_ns = sum(window.duration_ns for window in own)
        period_ns, duration_ns = schedule.periods.get(name, (schedule.major_frame_ns, whole_ns))
        period = {"PeriodSeconds": _seconds(period_ns), "PeriodDurationSeconds": _seconds(duration_ns)}
        yield _open(2, "Partition_Schedule", {"PartitionIdentifier": numbers[name], **period})
        for window in own:
            words: Words = {
                "WindowIdentifier": window.identifier,
                "WindowStartSeconds": _seconds(window.start_ns),
                "WindowDurationSeconds": _seconds(window.duration_ns),
                "PartitionPeriodStart": "true" if window.is_period_start else None,
            }
            yield _empty(3, "Window_Schedule", words)
        yield _close(2, "Partition_Schedule")
    yield _close(1, "Module_Schedule")


def _table(name: str, words: Words, row_name: str, rows: Sequence[HealthEntry]) -> Iterator[str]:
    yield _open(1, name, words)
    for state, group in groupby(rows, key=lambda row: row.state or ANY):
        yield _open(2, "System_State_Entry", {"SystemState": state})
        for row in group:
            code = POWER_FAILURE if row.code == POWER_FAIL else row.code
            own: Words = {"ErrorIdentifier": row.error, "ErrorLevel": row.level or None, "ErrorCode": code or None}
            yield _empty(3, row_name, {**own, "Action": row.action or None})
        yield _close(2, "System_State_Entry")
    yield _close(1, name)


def _connections(config: ModuleConfig, numbers: dict[str, int]) -> Iterator[str]:
    channels: list[Channel] = [*config.queuing_channels, *config.sampling_channels]
    if not channels:
        return
    yield _open(1, "Connection_Table", {})
    for identifier, channel in enumerate(channels, 1):
        yield _open(2, "Channel", {"ChannelIdentifier": identifier, "ChannelName": channel.name})
        for role, end in (("Source", channel.source), *(("Destination", end) for end in channel.destinations)):
            is_called = role == "Destination" and end.partition in getattr(channel, "arrival_calls", ())
            yield _open(3, role, {})
            if end.partition == KERNEL:
                refresh = None if isinstance(channel, QueuingChannelConfig) else _refresh(end)
                words: Words = {"Name": KERNEL, "Procedure": end.port, "ww:RefreshRateSeconds": refresh}
                yield _empty(4, "Pseudo_Partition", {**words, "ww:ArrivalCall": "true" if is_called else None})
            else:
                words = {"PartitionIdentifier": numbers[end.partition], "PortName": end.port}
                yield _empty(4, "Standard_Partition", words)
            yield _close(3, role)
        yield _close(2, "Channel")
    yield _close(1, "Connection_Table")


def _unless(value: object, default: object) -> object:
    return None if value == default else value


def _refresh(end: PortEnd) -> str | None:
    return None if end.refresh_ns == DEFAULT_REFRESH_NS else _seconds(end.refresh_ns)


def _seconds(time_ns: int) -> str:
    whole, rest = divmod(time_ns, 1_000_000_000)
    return f"{whole}.{rest:09d}".rstrip("0").rstrip(".")


def _json(octets: bytes) -> str:
    """JSON that people can read, its characters that XML does not know written as JSON's own escapes."""
    text = _json_lines(msgspec.json.decode(octets), 0)
    text = _NOT_XML.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
    return _escaped(text).replace("\r", "&#13;")


def _json_lines(value: Any, depth: int) -> str:
    """`value` in one line where that is short, else a line for each of its parts."""
    encoded = msgspec.json.encode(value)
    if not value or not isinstance(value, dict | list) or depth > JSON_DEPTH_MAX:
        return encoded.decode()
    if len(encoded) <= JSON_LINE_OCTETS_MAX and depth:
        return msgspec.json.format(encoded, indent=0).decode()
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    inner, outer = "\n" + "  " * (depth + 1), "\n" + "  " * depth
    if isinstance(value, dict):
        parts = [f"{msgspec.json.encode(key).decode()}: {_json_lines(own, depth + 1)}" for key, own in value.items()]
    else:
        parts = [_json_lines(own, depth + 1) for own in value]
    return f"{opening}{inner}{f',{inner}'.join(parts)}{outer}{closing}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _open(depth: int, name: str, words: Words) -> str:
    return f"{_tag(depth, name, words)}>\n"


def _empty(depth: int, name: str, words: Words) -> str:
    return f"{_tag(depth, name, words)}/>\n"


def _close(depth: int, name: str) -> str:
    return f"{'  ' * depth}</{name}>\n"


def _tag(depth: int, name: str, words: Words) -> str:
    given = "".join(
        f' {key}="{_escaped(str(value)).replace(chr(34), "&quot;")}"'
        for key, value in words.items()
        if value is not None
    )
    return f"{'  ' * depth}<{name}{given}"
