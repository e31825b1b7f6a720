"""The rules that a module configuration keeps, whether it was written in XML or made by a program.

Each broken rule is a `Problem` that says what it is about, so that whoever read the module from a file can name a line.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from wattwheel.kernel.config import (
    DEPTH_MAX,
    DESTINATIONS_MAX,
    KERNEL,
    MESSAGE_OCTETS_MAX,
    NAME_LENGTH_MAX,
    PARTITIONS_MAX,
    PORTS_A_PARTITION_MAX,
    RESERVED_PORTS,
    HealthEntry,
    ModuleConfig,
    PartitionConfig,
    PortEnd,
    QueuingChannelConfig,
    WindowConfig,
)

LONG_NAME_LENGTH_MAX = 64  # of channels, which no APEX service names
DEVICE_NAME_LENGTH_MAX = 1024  # a device may be a file with its path
ENTRY_LENGTH_MAX = 200
IDENTIFIER_MAX = 65_535
CHANNELS_MAX = 1024
WINDOWS_MAX = 512
HEALTH_ROWS_MAX = 512
GRANTS_MAX = 1024
DEVICES_MAX = 64
STOP_RANK_MAX = 255
DESCRIPTORS_MAX = 1 << 20
NICENESS_MAX = 19
MEMORY_OCTETS_MAX = 1 << 40
RESTARTS_MAX = 1_000_000
TIME_NS_MAX = 10**15

CRITICALITIES = ("LEVEL_A", "LEVEL_B", "LEVEL_C", "LEVEL_D", "LEVEL_E")
ISOLATION_LEVELS = ("L0", "L1", "L2", "L3")
HEALTH_LEVELS = ("MODULE", "PARTITION", "PROCESS")
MODULE_ACTIONS = ("IGNORE", "SHUTDOWN", "RESET")
PARTITION_ACTIONS = ("IGNORE", "IDLE", "WARM_START", "COLD_START")
ERROR_CODES = (
    "DEADLINE_MISSED",
    "APPLICATION_ERROR",
    "NUMERIC_ERROR",
    "ILLEGAL_REQUEST",
    "STACK_OVERFLOW",
    "MEMORY_VIOLATION",
    "HARDWARE_FAULT",
    "POWER_FAIL",
)
ANY = "*"
HEALTH_STATES = ("PARTITION_INIT", "PROCESS_EXECUTION", "PARTITION_SWITCHING", "SYSTEM_FUNCTION_EXECUTION", ANY)
HEALTH_ERRORS = (*ERROR_CODES, "CRASH", "HANG", "WINDOW_OVERRUN", "STORAGE_FAILURE", "NO_ROOM", ANY)

About = tuple[str, ...] | tuple[str, int] | tuple[str, str, int]
"""What a problem is about: a table of the module, and a place in it. `("queuing", 3)` is the fourth of the channels."""


class Problem(NamedTuple):
    """One broken rule."""

    about: About
    where: str
    found: object
    allowed: str


def problems_of(config: ModuleConfig) -> Iterator[Problem]:
    """Every rule that `config` breaks. An empty module is sound in each part that follows its partitions."""
    if not _is_name(config.name):
        yield Problem(("module",), "module name", config.name, _name_words())
    yield from _partition_problems(config.partitions)
    yield from _channel_problems(config)
    yield from _port_problems(config)
    yield from _schedule_problems(config)
    yield from _health_problems(config)
    yield from _grant_problems(config)


def _is_name(text: str, length_max: int = NAME_LENGTH_MAX) -> bool:
    return 1 <= len(text) <= length_max and text.isprintable() and text == text.strip()


def _name_words(length_max: int = NAME_LENGTH_MAX) -> str:
    return f"1 to {length_max} characters that can be printed, no blank at either end"


def _outside(about: About, where: str, found: int, least: int, most: int) -> Iterator[Problem]:
    if not least <= found <= most:
        yield Problem(about, where, found, f"{least} to {most}")


def _not_among(about: About, where: str, found: str, allowed: Sequence[str]) -> Iterator[Problem]:
    if found not in allowed:
        yield Problem(about, where, found, ", ".join(allowed))


def _upper_counts(names: Iterable[str]) -> Counter[str]:
    return Counter(name.upper() for name in names)


def _partition_problems(partitions: Sequence[PartitionConfig]) -> Iterator[Problem]:
    if not 1 <= len(partitions) <= PARTITIONS_MAX:
        yield Problem(("module",), "partitions", len(partitions), f"1 to {PARTITIONS_MAX}")
    counts = _upper_counts(partition.name for partition in partitions)
    identifiers = Counter(partition.identifier for partition in partitions if partition.identifier)
    for place, partition in enumerate(partitions):
        about, name = ("partition", place), partition.name
        if not _is_name(name) or counts[name.upper()] > 1 or name.upper() == KERNEL.upper():
            allowed = f"unique, letter case aside, {_name_words()}, not {KERNEL}"
            yield Problem(about, "partition name", name, allowed)
        if identifiers[partition.identifier] > 1:
            yield Problem(about, f"partition {name} identifier", partition.identifier, "each identifier once")
        yield from _outside(about, f"partition {name} identifier", partition.identifier, 0, IDENTIFIER_MAX)
        yield from _own_problems(about, partition)


def _own_problems(about: About, partition: PartitionConfig) -> Iterator[Problem]:
    where, entry = f"partition {partition.name}", partition.entry
    halves = entry.split(":")
    if len(halves) != 2 or not all(halves) or not entry.isprintable() or " " in entry or len(entry) > ENTRY_LENGTH_MAX:
        yield Problem(about, f"{where} entry", entry, "package.module:function")
    if not _is_name(partition.user):
        yield Problem(about, f"{where} user", partition.user, _name_words())
    yield from _not_among(about, f"{where} criticality", partition.criticality, CRITICALITIES)
    yield from _not_among(about, f"{where} isolation_min", partition.isolation_min, ISOLATION_LEVELS)
    yield from _outside(about, f"{where} stop_rank", partition.stop_rank, 0, STOP_RANK_MAX)
    yield from _outside(about, f"{where} descriptors_max", partition.descriptors_max, 1, DESCRIPTORS_MAX)
    yield from _outside(about, f"{where} niceness", partition.niceness, 0, NICENESS_MAX)
    yield from _outside(about, f"{where} memory_octets_max", partition.memory_octets_max, 1, MEMORY_OCTETS_MAX)
    yield from _outside(about, f"{where} devices", len(partition.devices), 0, DEVICES_MAX)
    for device in partition.devices:
        if not _is_name(device, DEVICE_NAME_LENGTH_MAX) or partition.devices.count(device) > 1:
            yield Problem(about, f"{where} device", device, f"each once, {_name_words(DEVICE_NAME_LENGTH_MAX)}")
    if why := json_fault(partition.settings):
        yield Problem(about, f"{where} settings", why, "one JSON document")


def json_fault(octets: bytes) -> str:
    """Why `octets` are no JSON document that can be written again; empty when they are one."""
    try:
        msgspec.json.encode(msgspec.json.decode(octets))
    except (msgspec.MsgspecError, UnicodeError, RecursionError, OverflowError) as error:
        return str(error) or type(error).__name__
    return ""


def _channel_problems(config: ModuleConfig) -> Iterator[Problem]:
    names = [partition.name for partition in config.partitions]
    channels: list[tuple[About, str, int]] = [
        *((("queuing", n), each.name, each.max_message_size) for n, each in enumerate(config.queuing_channels)),
        *((("sampling", n), each.name, each.max_message_size) for n, each in enumerate(config.sampling_channels)),
    ]
    yield from _outside(("module",), "channels", len(channels), 0, CHANNELS_MAX)
    counts = _upper_counts(name for _about, name, _size in channels)
    for about, name, size in channels:
        if counts[name.upper()] > 1:
            yield Problem(about, "channel name", name, "each name once, letter case aside")
        if not _is_name(name, LONG_NAME_LENGTH_MAX):
            yield Problem(about, "channel name", name, _name_words(LONG_NAME_LENGTH_MAX))
        yield from _outside(about, f"channel {name} max_message_size", size, 1, MESSAGE_OCTETS_MAX)
    for place, channel in enumerate(config.queuing_channels):
        about, where = ("queuing", place), f"channel {channel.name}"
        yield from _end_problems(about, where, (channel.source, *channel.destinations), names)
        yield from _outside(about, f"{where} destinations", len(channel.destinations), 1, DESTINATIONS_MAX)
        yield from _outside(about, f"{where} depth", channel.depth, 1, DEPTH_MAX)
        if channel.is_direct:
            yield from _direct_problems(about, where, channel)
    for place, cell in enumerate(config.sampling_channels):
        about, where = ("sampling", place), f"channel {cell.name}"
        yield from _end_problems(about, where, (cell.source, *cell.destinations), names)
        for end in (cell.source, *cell.destinations):
            yield from _outside(about, f"{where} refresh_ns of {end.partition}", end.refresh_ns, 1, TIME_NS_MAX)
        readers = [end.partition for end in cell.destinations]
        for called in cell.arrival_calls:
            yield from _not_among(about, f"{where} arrival_calls", called, readers or ("none",))


def _direct_problems(about: About, where: str, channel: QueuingChannelConfig) -> Iterator[Problem]:
    if channel.depth != 1:
        yield Problem(about, f"{where} depth of direct ports", channel.depth, "1: they hold no messages")
    if len(channel.destinations) != 1:
        yield Problem(about, f"{where} destinations of a direct port", len(channel.destinations), "one")
    if KERNEL in (channel.source.partition, *(end.partition for end in channel.destinations)):
        yield Problem(about, f"{where} of direct ports", KERNEL, "partitions at both ends")


def _end_problems(about: About, where: str, ends: Sequence[PortEnd], names: Sequence[str]) -> Iterator[Problem]:
    known = {*names, KERNEL}
    for end in ends:
        if end.partition not in known:
            yield Problem(about, where, f"partition {end.partition}", ", ".join((*names, KERNEL)))
        if not _is_name(end.port):
            yield Problem(about, f"{where} port of {end.partition}", end.port, _name_words())


def _port_problems(config: ModuleConfig) -> Iterator[Problem]:
    ports: dict[str, Counter[str]] = defaultdict(Counter)
    written: dict[str, list[tuple[About, str]]] = defaultdict(list)
    for about, end in _ends(config):
        ports[end.partition][end.port.upper()] += 1
        written[end.partition].append((about, end.port))
    places = {partition.name: place for place, partition in enumerate(config.partitions)}
    for name, own in written.items():
        about = ("partition", places[name]) if name in places else own[0][0]
        if len(own) > PORTS_A_PARTITION_MAX:
            allowed = f"at most {PORTS_A_PARTITION_MAX}"
            yield Problem(about, f"partition {name}", f"{len(own)} ports", allowed)
        for about, port in own:
            if ports[name][port.upper()] > 1:
                yield Problem(about, f"partition {name}", f"port {port} twice", "each port in one channel")
            if port.lower() in RESERVED_PORTS:
                yield Problem(about, f"partition {name}", f"port {port}", "a name the kernel does not use")


def _ends(config: ModuleConfig) -> Iterator[tuple[About, PortEnd]]:
    for place, channel in enumerate(config.queuing_channels):
        for end in (channel.source, *channel.destinations):
            yield ("queuing", place), end
    for place, cell in enumerate(config.sampling_channels):
        for end in (cell.source, *cell.destinations):
            yield ("sampling", place), end


def _schedule_problems(config: ModuleConfig) -> Iterator[Problem]:
    schedule = config.schedule
    frame_ns, windows = schedule.major_frame_ns, schedule.windows
    about: About = ("schedule",)
    if not frame_ns and not windows and not schedule.periods:
        return
    yield from _outside(about, "major frame ns", frame_ns, 1, TIME_NS_MAX)
    yield from _outside(about, "windows", len(windows), 1, WINDOWS_MAX)
    names = [partition.name for partition in config.partitions]
    identifiers = Counter(window.identifier for window in windows)
    for place, window in enumerate(windows):
        where = f"window {window.identifier}"
        yield from _outside(("window", place), f"{where} identifier", window.identifier, 1, IDENTIFIER_MAX)
        if identifiers[window.identifier] > 1:
            yield Problem(("window", place), where, "the identifier twice", "each window's identifier once")
        yield from _not_among(("window", place), f"{where} partition", window.partition, names)
        end_ns = window.start_ns + window.duration_ns
        if window.start_ns < 0 or window.duration_ns < 1 or end_ns > frame_ns:
            found = f"{_seconds(window.start_ns)} to {_seconds(end_ns)}"
            yield Problem(("window", place), where, found, f"within the major frame, 0 to {_seconds(frame_ns)}")
    yield from _overlaps(windows)
    if frame_ns > 0:
        for name in {window.partition: None for window in windows}:
            own = [window for window in windows if window.partition == name]
            whole_ns = sum(window.duration_ns for window in own)
            period_ns, duration_ns = schedule.periods.get(name, (frame_ns, whole_ns))
            yield from _period_problems(name, own, frame_ns, period_ns, duration_ns)
    for name in schedule.periods:
        if all(window.partition != name for window in windows):
            yield Problem(
                ("period", name), f"period of {name}", "no window of it", "periods of partitions with windows"
            )


def _seconds(time_ns: int) -> str:
    return f"{time_ns / 1e9:.9g} s"


def _overlaps(windows: Sequence[WindowConfig]) -> Iterator[Problem]:
    latest: WindowConfig | None = None
    for place, window in sorted(enumerate(windows), key=lambda numbered: numbered[1].start_ns):
        if latest is not None and window.start_ns < latest.start_ns + latest.duration_ns:
            end_ns = latest.start_ns + latest.duration_ns
            allowed = f"windows that do not overlap: window {latest.identifier} ends at {_seconds(end_ns)}"
            yield Problem(
                ("window", place), f"window {window.identifier}", f"start at {_seconds(window.start_ns)}", allowed
            )
        if latest is None or window.start_ns + window.duration_ns > latest.start_ns + latest.duration_ns:
            latest = window


def _period_problems(
    name: str, windows: Sequence[WindowConfig], frame_ns: int, period_ns: int, duration_ns: int
) -> Iterator[Problem]:
    about, where = ("period", name), f"period of {name}"
    if not 1 <= period_ns <= frame_ns or frame_ns % period_ns:
        yield Problem(about, where, _seconds(period_ns), f"a divisor of the major frame, {_seconds(frame_ns)}")
        return
    number = frame_ns // period_ns
    if number > WINDOWS_MAX:
        yield Problem(about, where, f"{number} periods in the major frame", f"at most {WINDOWS_MAX}")
        return
    given_ns = [0] * number
    for window in windows:
        if not 0 <= window.start_ns < frame_ns or window.duration_ns < 1:
            return  # told already
        start_ns, end_ns = window.start_ns, min(window.start_ns + window.duration_ns, frame_ns)
        for period in range(start_ns // period_ns, -(-end_ns // period_ns)):
            given_ns[period] += min(end_ns, (period + 1) * period_ns) - max(start_ns, period * period_ns)
    for period, given in enumerate(given_ns):
        if given != duration_ns:
            found = f"windows of {_seconds(given)} in period {period + 1}"
            yield Problem(about, where, found, f"windows that sum to its duration, {_seconds(duration_ns)}")
            return


def _health_problems(config: ModuleConfig) -> Iterator[Problem]:
    health = config.health
    yield from _outside(("module",), "restarts_max", health.restarts_max, 0, RESTARTS_MAX)
    yield from _row_problems("levels", "", health.levels)
    for place, row in enumerate(health.levels):
        where = f"health levels {row.error}"
        yield from _not_among(("levels", "", place), f"{where} level", row.level, HEALTH_LEVELS)
        if row.code:
            yield from _not_among(("levels", "", place), f"{where} code", row.code, ERROR_CODES)
    yield from _row_problems("module table", "", health.module, MODULE_ACTIONS)
    names = [partition.name for partition in config.partitions]
    for name, rows in health.partitions.items():
        yield from _not_among(("partition table", name), "health table of", name, names)
        yield from _row_problems("partition table", name, rows, PARTITION_ACTIONS)


def _row_problems(
    table: str, partition: str, rows: Sequence[HealthEntry], actions: Sequence[str] | None = None
) -> Iterator[Problem]:
    where = f"health {table} {partition}".strip()
    yield from _outside((table, partition), where, len(rows), 0, HEALTH_ROWS_MAX)
    keys = Counter((row.state, row.error) for row in rows)
    for place, row in enumerate(rows):
        about = (table, partition, place)
        yield from _not_among(about, f"{where} state", row.state, HEALTH_STATES)
        yield from _not_among(about, f"{where} error", row.error, HEALTH_ERRORS)
        if keys[row.state, row.error] > 1:
            yield Problem(about, where, f"{row.error} in {row.state} twice", "each error once a state")
        if actions is not None:
            yield from _not_among(about, f"{where} action of {row.error}", row.action, actions)
            if row.level or row.code:
                yield Problem(about, where, f"{row.level} {row.code}".strip(), "no level and no code in this table")
        elif row.action:
            yield Problem(about, where, row.action, "no action in this table")


def _grant_problems(config: ModuleConfig) -> Iterator[Problem]:
    yield from _outside(("module",), "grants", len(config.grants), 0, GRANTS_MAX)
    users = tuple({partition.user: None for partition in config.partitions})
    for place, (asking, asked) in enumerate(config.grants):
        for user in (asking, asked):
            yield from _not_among(("grant", place), "grant", user, users)
