"""The module configuration: what is refused, and with which words."""

from __future__ import annotations

import msgspec
import pytest

from wattwheel.kernel.config import (
    DEPTH_MAX,
    DESTINATIONS_MAX,
    MESSAGE_OCTETS_MAX,
    PARTITIONS_MAX,
    PORTS_A_PARTITION_MAX,
    ModuleConfig,
    PartitionConfig,
    PortEnd,
    QueuingChannelConfig,
    SamplingChannelConfig,
    restart_delay_ns,
)
from wattwheel.model.errors import ConfigError

A, B = PartitionConfig("a", "some.module:start"), PartitionConfig("b", "some.module:start")
QUEUE = QueuingChannelConfig("queue", PortEnd("a", "q"), (PortEnd("b", "q"),))
CELL = SamplingChannelConfig("cell", PortEnd("a", "v"), (PortEnd("b", "v"), PortEnd("kernel", "v")))
GOOD = ModuleConfig("module", (A, B), (QUEUE,), (CELL,))


def changed(value, **changes):
    return msgspec.structs.replace(value, **changes)


def with_queue(**changes):
    return changed(GOOD, queuing_channels=(changed(QUEUE, **changes),))


def with_cell(**changes):
    return changed(GOOD, sampling_channels=(changed(CELL, **changes),))


def with_partition(**changes):
    return changed(GOOD, partitions=(changed(A, **changes), B))


def many_ports(number):
    queues = [QueuingChannelConfig(f"c{n}", PortEnd("a", f"p{n}"), (PortEnd("b", f"p{n}"),)) for n in range(number)]
    return changed(GOOD, queuing_channels=tuple(queues), sampling_channels=())


def test_a_good_module_passes():
    GOOD.check()
    many_ports(PORTS_A_PARTITION_MAX).check()


BAD = {
    "no partition": (changed(GOOD, partitions=()), "partitions: found 0"),
    "too many": (changed(GOOD, partitions=tuple(changed(A, name=f"p{n}") for n in range(PARTITIONS_MAX + 1))), "129"),
    "name twice": (changed(GOOD, partitions=(A, A, B)), "partition name: found 'a'; allowed: unique"),
    "no name": (with_partition(name=""), "partition name: found ''"),
    "long name": (with_partition(name="n" * 31), "1 to 30 characters"),
    "the kernel's name": (with_partition(name="kernel"), "not kernel"),
    "no function": (with_partition(entry="some.module"), "partition a entry: found 'some.module'"),
    "no module": (with_partition(entry=":start"), "allowed: package.module:function"),
    "unknown source": (with_queue(source=PortEnd("c", "q")), "channel queue: found 'partition c'; allowed: a, b"),
    "unknown destination": (with_queue(destinations=(PortEnd("c", "q"),)), "channel queue: found 'partition c'"),
    "unknown writer": (with_cell(source=PortEnd("c", "v")), "channel cell: found 'partition c'"),
    "unknown reader": (with_cell(destinations=(PortEnd("c", "v"),)), "channel cell: found 'partition c'"),
    "depth 0": (with_queue(depth=0), "channel queue depth: found 0; allowed: 1 to 512"),
    "too deep": (with_queue(depth=DEPTH_MAX + 1), "channel queue depth: found 513"),
    "no destination": (with_queue(destinations=()), "channel queue destinations: found 0; allowed: 1 to 16"),
    "too many destinations": (
        with_queue(destinations=tuple(PortEnd("b", f"q{n}") for n in range(DESTINATIONS_MAX + 1))),
        "channel queue destinations: found 17",
    ),
    "size 0": (with_queue(max_message_size=0), "channel queue max_message_size: found 0"),
    "too large": (with_cell(max_message_size=MESSAGE_OCTETS_MAX + 1), "channel cell max_message_size: found 65537"),
    "too many ports": (many_ports(PORTS_A_PARTITION_MAX + 1), "partition a: found '513 ports'; allowed: at most 512"),
    "port twice": (with_queue(source=PortEnd("a", "v")), "partition a: found 'port v twice'"),
    "port of the kernel twice": (
        changed(GOOD, queuing_channels=(changed(QUEUE, destinations=(PortEnd("kernel", "v"),)),)),
        "partition kernel: found 'port v twice'",
    ),
    "reserved port": (with_queue(source=PortEnd("a", "counters")), "partition a: found 'port counters'"),
    "channel twice": (with_cell(name="queue"), "channel name: found 'queue'; allowed: each name once"),
    "call for nobody": (with_cell(arrival_calls=("a",)), "channel cell arrival_calls: found 'a'; allowed: b, kernel"),
}


@pytest.mark.parametrize("why", BAD)
def test_a_bad_module_is_refused_with_what_was_found_and_what_is_allowed(why):
    config, words = BAD[why]
    with pytest.raises(ConfigError) as refused:
        config.check()
    assert words in str(refused.value)
    assert "allowed: " in str(refused.value)


def test_ports_of_a_partition_have_the_sizes_of_their_channels():
    queuing, sampling = with_queue(depth=7, max_message_size=99).ports_of("b")
    assert [(p.name, p.direction, p.channels, p.max_message_size, p.depth) for p in queuing] == [
        ("q", "DESTINATION", ("queue",), 99, 7)
    ]
    assert [(p.name, p.direction, p.channel) for p in sampling] == [("v", "DESTINATION", "cell")]


def test_a_source_of_several_destinations_has_a_link_to_each():
    several = with_queue(destinations=(PortEnd("b", "q"), PortEnd("b", "r"), PortEnd("kernel", "q")))
    several.check()
    links = ("queue>b.q", "queue>b.r", "queue>kernel.q")
    assert [(p.name, p.direction, p.channels) for p in several.ports_of("a")[0]] == [("q", "SOURCE", links)]
    assert [(p.name, p.channels) for p in several.ports_of("b")[0]] == [("q", links[:1]), ("r", links[1:2])]


def test_the_delay_doubles_from_the_fourth_death_on_and_is_bounded():
    delays = [restart_delay_ns(deaths) / 1e6 for deaths in range(1, 14)]
    assert delays == [10, 10, 10, 20, 40, 80, 160, 320, 640, 1280, 2000, 2000, 2000]
    assert restart_delay_ns(10_000) == 2_000_000_000
