"""Channels of a module's XML that go on outside."""

from __future__ import annotations

import pytest

from wattwheel.kernel.config import KERNEL, PortEnd
from wattwheel.kernel.module_xml import read_module
from wattwheel.kernel.module_xml_write import write_module
from wattwheel.kernel.virtual_channels import KEPT_OCTETS_MAX
from wattwheel.model.errors import ConfigError
from wattwheel.testing.drills.link_cut import MODULE

SETTINGS = '{"links": [{"name": "far", "connect": "10.0.0.1:7001"}]}'


def document(**changes):
    values = {"name": "east", "settings": SETTINGS, "out": 1, "into": 2, "level_out": 3, "level_in": 4}
    return MODULE.format(**(values | changes)).encode()


def test_a_pseudo_partition_becomes_a_port_of_the_partition_that_has_the_link():
    config = read_module(document())
    ends = {channel.name: (channel.source, channel.destinations) for channel in config.queuing_channels}
    assert ends["orders out"] == (PortEnd("sender", "orders"), (PortEnd("network", "far.1"),))
    assert ends["orders in"] == (PortEnd("network", "far.2"), (PortEnd("taker", "orders"),))
    cells = {cell.name: cell for cell in config.sampling_channels}
    assert cells["level out"].destinations[0].port == "far.3"
    assert cells["level out"].arrival_calls == ("network",)
    for port in ("far.1", "far.2"):
        kept = cells[f"network.{port}.kept"]
        assert (kept.source.port, kept.destinations[0].port) == (f"{port}.keep", f"{port}.kept")
        assert kept.max_message_size == KEPT_OCTETS_MAX
    assert cells["network.virtual_ports"].destinations == (PortEnd(KERNEL, "virtual_ports"),)


def test_such_a_module_comes_back_the_same():
    config = read_module(document())
    assert read_module(write_module(config)) == config


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"settings": "{}"}, "Pseudo_Partition Name: found 'far'; allowed: kernel"),
        ({"settings": '{"links": [{"name": "west"}]}'}, "found 'far'; allowed: kernel, west"),
        ({"out": 0}, "Pseudo_Partition Procedure: found '0'; allowed: a port number, 1 to 65535"),
        ({"out": "seven"}, "found 'seven'; allowed: a port number"),
        ({"out": 65_536}, "found '65536'"),
        ({"out": 2}, "port far.2 twice"),
        ({"level_in": 3}, "port far.3 twice"),
    ],
)
def test_what_cannot_be_is_refused_with_its_line(changes, words):
    with pytest.raises(ConfigError, match=r"line [0-9]+") as refused:
        read_module(document(**changes), "east.xml")
    assert words in str(refused.value)
