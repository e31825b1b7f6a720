"""The rules of a module that a program has made: each one broken once, alone."""

from __future__ import annotations

import msgspec
import pytest

from wattwheel.kernel.config import (
    HealthConfig,
    HealthEntry,
    ModuleConfig,
    PartitionConfig,
    PortEnd,
    QueuingChannelConfig,
    SamplingChannelConfig,
    ScheduleConfig,
    WindowConfig,
)
from wattwheel.kernel.module_rules import (
    CHANNELS_MAX,
    DEVICES_MAX,
    ENTRY_LENGTH_MAX,
    GRANTS_MAX,
    HEALTH_ROWS_MAX,
    MEMORY_OCTETS_MAX,
    TIME_NS_MAX,
    WINDOWS_MAX,
    problems_of,
)

A, B = PartitionConfig("a", "m:f", identifier=1), PartitionConfig("b", "m:f", identifier=2, user="others")
QUEUE = QueuingChannelConfig("queue", PortEnd("a", "q"), (PortEnd("b", "q"),))
CELL = SamplingChannelConfig("cell", PortEnd("a", "v"), (PortEnd("b", "v"), PortEnd("kernel", "v")))
WINDOWS = (WindowConfig(1, "a", 0, 30), WindowConfig(2, "b", 30, 20), WindowConfig(3, "a", 50, 30))
SCHEDULE = ScheduleConfig(100, WINDOWS, {"a": (50, 30), "b": (100, 20)})
HEALTH = HealthConfig(
    (HealthEntry("*", "CRASH", level="PARTITION", code="APPLICATION_ERROR"),),
    (HealthEntry("*", "POWER_FAIL", action="SHUTDOWN"),),
    {"a": (HealthEntry("*", "HANG", action="IDLE"),)},
    3,
)
GOOD = ModuleConfig("m", (A, B), (QUEUE,), (CELL,), SCHEDULE, HEALTH, (("others", "meter"),))


def changed(value, **changes):
    return msgspec.structs.replace(value, **changes)


def partition(**changes):
    return changed(GOOD, partitions=(changed(A, **changes), B))


def cell(**changes):
    return changed(GOOD, sampling_channels=(changed(CELL, **changes),))


def window(place, **changes):
    windows = list(WINDOWS)
    windows[place] = changed(windows[place], **changes)
    return changed(GOOD, schedule=changed(SCHEDULE, windows=tuple(windows)))


def schedule(**changes):
    return changed(GOOD, schedule=changed(SCHEDULE, **changes))


def health(**changes):
    return changed(GOOD, health=changed(HEALTH, **changes))


def level(**changes):
    return health(levels=(changed(HEALTH.levels[0], **changes),))


BAD = {
    "module name": (changed(GOOD, name=" m"), "module name", "no blank at either end"),
    "name with a line end": (partition(name="a\n"), "partition name", "can be printed"),
    "same but for case": (changed(GOOD, partitions=(A, changed(B, name="A"))), "partition name", "letter case aside"),
    "identifier twice": (partition(identifier=2), "partition a identifier", "each identifier once"),
    "identifier": (partition(identifier=65_536), "partition a identifier", "0 to 65535"),
    "two colons": (partition(entry="a:b:c"), "partition a entry", "package.module:function"),
    "blank in the entry": (partition(entry="a: b"), "partition a entry", "package.module:function"),
    "long entry": (partition(entry="a:" + "b" * ENTRY_LENGTH_MAX), "partition a entry", "package.module:function"),
    "user": (partition(user=""), "partition a user", "1 to 30 characters"),
    "criticality": (partition(criticality="A"), "partition a criticality", "LEVEL_A, LEVEL_B"),
    "isolation": (partition(isolation_min="L4"), "partition a isolation_min", "L0, L1, L2, L3"),
    "stop rank": (partition(stop_rank=-1), "partition a stop_rank", "0 to 255"),
    "descriptors": (partition(descriptors_max=0), "partition a descriptors_max", "1 to"),
    "memory": (partition(memory_octets_max=MEMORY_OCTETS_MAX + 1), "partition a memory_octets_max", "1 to"),
    "devices": (partition(devices=tuple(map(str, range(DEVICES_MAX + 1)))), "partition a devices", "0 to 64"),
    "device's name": (partition(devices=("file:/" + "a" * 1019,)), "partition a device", "1 to 1024 characters"),
    "device twice": (partition(devices=("store", "store")), "partition a device", "each once"),
    "no JSON": (partition(settings=b"{"), "partition a settings", "one JSON document"),
    "no text": (partition(settings=b'"\xff"'), "partition a settings", "one JSON document"),
    "deep JSON": (partition(settings=b"[" * 100_000), "partition a settings", "one JSON document"),
    "channel name": (cell(name=""), "channel name", "1 to 64 characters"),
    "port name": (cell(source=PortEnd("a", "v" * 31)), "channel cell port of a", "1 to 30 characters"),
    "refresh": (cell(source=PortEnd("a", "v", 0)), "channel cell refresh_ns of a", f"1 to {TIME_NS_MAX}"),
    "frame": (schedule(major_frame_ns=TIME_NS_MAX + 50), "major frame ns", f"1 to {TIME_NS_MAX}"),
    "frame without windows": (schedule(windows=(), periods={}), "windows", f"1 to {WINDOWS_MAX}"),
    "window's identifier": (window(0, identifier=0), "window 0 identifier", "1 to 65535"),
    "window's identifier twice": (window(0, identifier=2), "window 2", "each window's identifier once"),
    "window of nobody": (window(1, partition="c"), "window 2 partition", "a, b"),
    "window of the past": (window(0, start_ns=-1), "window 1", "within the major frame"),
    "window of no length": (window(1, duration_ns=0), "window 2", "within the major frame"),
    "window too late": (window(2, start_ns=71), "window 3", "within the major frame"),
    "windows that overlap": (window(1, start_ns=29), "window 2", "window 1 ends at"),
    "within a longer one": (window(1, start_ns=5, duration_ns=1), "window 2", "window 1 ends at"),
    "period of no length": (schedule(periods={"a": (0, 30)}), "period of a", "a divisor of the major frame"),
    "period that does not divide": (schedule(periods={"a": (30, 30)}), "period of a", "a divisor of the major frame"),
    "duration": (schedule(periods={"a": (50, 29)}), "period of a", "windows that sum to its duration"),
    "duration in one period": (schedule(periods={"a": (25, 15)}), "period of a", "windows that sum to its duration"),
    "period of nobody": (schedule(periods={"c": (50, 30)}), "period of c", "partitions with windows"),
    "restarts": (health(restarts_max=-1), "restarts_max", "0 to 1000000"),
    "state": (level(state="NORMAL"), "health levels state", "PARTITION_INIT"),
    "error": (level(error="FIRE"), "health levels error", "CRASH"),
    "level": (level(level="CORE"), "health levels CRASH level", "MODULE, PARTITION, PROCESS"),
    "code": (level(code="CRASH"), "health levels CRASH code", "APPLICATION_ERROR"),
    "action among levels": (level(action="IDLE"), "health levels", "no action in this table"),
    "level among actions": (
        health(module=(HealthEntry("*", "*", level="MODULE", action="RESET"),)),
        "health module table",
        "no level and no code in this table",
    ),
    "module's action": (
        health(module=(HealthEntry("*", "*", action="IDLE"),)), "health module table action of *", "IGNORE, SHUTDOWN"
    ),
    "partition's action": (
        health(partitions={"a": (HealthEntry("*", "*", action="RESET"),)}),
        "health partition table a action of *",
        "IGNORE, IDLE",
    ),
    "table of nobody": (health(partitions={"c": ()}), "health table of", "a, b"),
    "row twice": (health(levels=HEALTH.levels * 2), "health levels", "each error once a state"),
    "rows": (health(levels=HEALTH.levels * (HEALTH_ROWS_MAX + 1)), "health levels", "0 to 512"),
    "grant": (changed(GOOD, grants=(("meter", "nobody"),)), "grant", "meter, others"),
    "grants": (changed(GOOD, grants=GOOD.grants * (GRANTS_MAX + 1)), "grants", "0 to 1024"),
}  # fmt: skip


def test_a_good_module_breaks_no_rule():
    assert list(problems_of(GOOD)) == []
    assert list(problems_of(partition(devices=("file:/" + "a" * 1018,)))) == []


@pytest.mark.parametrize("why", BAD)
def test_one_broken_rule_is_told(why):
    config, where, allowed = BAD[why]
    assert any(p.where == where and allowed in p.allowed for p in problems_of(config)), list(problems_of(config))


def test_windows_may_be_given_in_any_order():
    assert list(problems_of(schedule(windows=WINDOWS[::-1]))) == []


def test_a_window_may_reach_over_the_edge_of_a_period():
    own = (WindowConfig(1, "a", 40, 20),)
    assert list(problems_of(changed(GOOD, schedule=ScheduleConfig(100, own, {"a": (50, 10)})))) == []


def test_too_many_channels():
    queues = [
        QueuingChannelConfig(f"q{n}", PortEnd("a", f"p{n}"), (PortEnd("b", f"p{n}"),)) for n in range(CHANNELS_MAX + 1)
    ]
    told = {problem.where for problem in problems_of(changed(GOOD, queuing_channels=tuple(queues)))}
    assert told == {"channels", "partition a", "partition b"}
