"""A module out of XML and back: what is read, what is refused with which line, and that nothing else can happen."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.kernel.modules import modules

from wattwheel.boot.settings import Settings
from wattwheel.boot.standard_module import standard_module
from wattwheel.kernel.config import (
    HealthEntry,
    ModuleConfig,
    PartitionConfig,
    PortEnd,
    QueuingChannelConfig,
    SamplingChannelConfig,
    ScheduleConfig,
    WindowConfig,
)
from wattwheel.kernel.module_xml import FAULTS_MAX, Offer, read_module
from wattwheel.kernel.module_xml_write import numbered, write_module
from wattwheel.model.errors import ConfigError, ModuleConfigError

SAMPLE = (Path(__file__).parents[1] / "vectors/module.xml").read_text()
MS = 1_000_000


def test_every_element_is_read():
    config = read_module(SAMPLE.encode())
    assert config.name == "bench"
    assert config.partitions == (
        PartitionConfig(
            "writer",
            "some.module:write",
            b'{"depth":[1,2.5,null],"text":"a < b"}',
            ("store",),
            2,
            1_000_024,
            1,
            "LEVEL_B",
            True,
            "makers",
            64,
            "L2",
            5,
        ),
        PartitionConfig("reader", "some.module:read", identifier=2),
    )
    assert config.queuing_channels == (
        QueuingChannelConfig("orders", PortEnd("writer", "orders"), (PortEnd("reader", "orders"),), 2048, 16),
    )
    readers = (PortEnd("reader", "level", 250 * MS), PortEnd("kernel", "level", 2000 * MS))
    assert config.sampling_channels == (
        SamplingChannelConfig("level", PortEnd("writer", "level", 1500 * MS), readers, 100, ("reader",)),
    )
    assert config.grants == (("makers", "meter"),)


def test_windows_come_in_the_order_of_time():
    assert read_module(SAMPLE.encode()).schedule == ScheduleConfig(
        200 * MS,
        (
            WindowConfig(1, "writer", 0, 30 * MS, True),
            WindowConfig(2, "reader", 40 * MS, 50 * MS, True),
            WindowConfig(3, "writer", 100 * MS, 10 * MS, True),
            WindowConfig(4, "writer", 150 * MS, 20 * MS),
        ),
        {"writer": (100 * MS, 30 * MS), "reader": (200 * MS, 50 * MS)},
    )


def test_both_spellings_of_a_failing_supply_are_one():
    health = read_module(SAMPLE.encode()).health
    assert health.levels == (
        HealthEntry("PARTITION_INIT", "CRASH", "PARTITION", "APPLICATION_ERROR"),
        HealthEntry("PARTITION_INIT", "POWER_FAIL", "MODULE", "POWER_FAIL"),
        HealthEntry("*", "HANG", "PROCESS", "DEADLINE_MISSED"),
    )
    assert health.module == (HealthEntry("*", "POWER_FAIL", action="SHUTDOWN"),)
    assert health.partitions == {"reader": (HealthEntry("PROCESS_EXECUTION", "CRASH", action="WARM_START"),)}
    assert health.restarts_max == 5
    assert b'ErrorCode="POWER_FAILURE"' in write_module(read_module(SAMPLE.encode()))


@pytest.mark.parametrize(
    "own",
    [Settings(), msgspec.structs.replace(Settings(), web=msgspec.structs.replace(Settings().web, enabled=False))],
    ids=["with page", "without page"],
)
def test_the_standard_module_comes_back_the_same(own):
    config = standard_module(own, ("line:serial",), ("listener:tcp",))
    assert read_module(write_module(config)) == config


def test_partitions_without_a_number_get_the_lowest_free_ones():
    config = ModuleConfig(
        "m", tuple(PartitionConfig(n, "a:b", identifier=i) for n, i in [("x", 0), ("y", 1), ("z", 0)])
    )
    assert [own.identifier for own in numbered(config).partitions] == [2, 1, 3]
    assert read_module(write_module(config)) == numbered(config)


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        (SamplingChannelConfig("c", PortEnd("x", "c"), ()), "at least one destination"),
        (SamplingChannelConfig("c", PortEnd("kernel", "c"), (PortEnd("kernel", "d"),)), "an end at a partition"),
    ],
)
def test_a_channel_that_the_standard_has_no_words_for(cell, words):
    config = ModuleConfig("m", (PartitionConfig("x", "a:b"),), sampling_channels=(cell,))
    config.check()
    with pytest.raises(ConfigError, match=words):
        write_module(config)


@given(modules())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_module_comes_back_the_same(config):
    assert read_module(write_module(config)) == config


# -- what is refused: (what stands in the sample, what is put there, where and what the error says) --------------

REFUSED = {
    # the schema
    "unknown element": ("<Process ", "<Prozess ", "Partition: found 'Prozess'; allowed: the elements Sampling_Port"),
    "unknown attribute": ('StackSize="65536"', 'Stack="65536"', "Process: found 'Stack'; allowed: the attributes Name"),
    "attribute without its prefix": ('ww:StopRank="2"', 'StopRank="2"', "Partition: found 'StopRank'"),
    "missing attribute": (' EntryPoint="some.module:read"', "", "found 'no EntryPoint'"),
    "no number": (
        'MaxMessageSize="2048"',
        'MaxMessageSize="2k"',
        "MaxMessageSize: found '2k'; allowed: a whole number",
    ),
    "too long a message": ('MaxMessageSize="2048"', 'MaxMessageSize="65537"', "a whole number from 1 to 65536"),
    "too deep a port": ('MaxNbMessages="16"', 'MaxNbMessages="513"', "a whole number from 1 to 512"),
    "a name too long": ('PartitionName="writer"', f'PartitionName="{"w" * 31}"', "allowed: 1 to 30 characters"),
    "unknown level": (
        'Criticality="LEVEL_B"',
        'Criticality="LEVEL_F"',
        "LEVEL_A, LEVEL_B, LEVEL_C, LEVEL_D or LEVEL_E",
    ),
    "no truth": ('SystemPartition="true"', 'SystemPartition="yes"', "found 'yes'; allowed: true or false"),
    "no time": ('MajorFrameSeconds="0.2"', 'MajorFrameSeconds="0"', "a number from 0.000000001 to 1000000"),
    "time too fine": ('RefreshRateSeconds="1.5"', 'RefreshRateSeconds="1.0000000001"', "up to 9 decimals"),
    "no isolation": ('ww:IsolationMin="L2"', 'ww:IsolationMin="L9"', "allowed: L0, L1, L2 or L3"),
    "unknown error": ('ErrorIdentifier="HANG"', 'ErrorIdentifier="HUNG"', "found 'HUNG'; allowed: APPLICATION_ERROR"),
    "module action of a partition": ('Action="WARM_START"', 'Action="RESET"', "IGNORE, IDLE, WARM_START or COLD_START"),
    "partition action of the module": ('Action="SHUTDOWN"', 'Action="IDLE"', "allowed: IGNORE, SHUTDOWN or RESET"),
    "no entry": ('EntryPoint="some.module:write"', 'EntryPoint="some.module"', "EntryPoint: found 'some.module'"),
    "two sources": (
        '<Source><Standard_Partition PartitionIdentifier="1" PortName="level"/></Source>',
        '<Source><Standard_Partition PartitionIdentifier="1" PortName="level"/></Source><Source><Standard_Partition '
        'PartitionIdentifier="1" PortName="level"/></Source>',
        "Channel: found '2 Source'; allowed: exactly 1",
    ),
    "no source": (
        '<Source><Standard_Partition PartitionIdentifier="1" PortName="level"/></Source>',
        "",
        "Channel: found '0 Source'; allowed: exactly 1",
    ),
    "two ends in one": (
        '<Standard_Partition PartitionIdentifier="2" PortName="level"/>',
        '<Standard_Partition PartitionIdentifier="2" PortName="level"/><Pseudo_Partition Name="kernel" Procedure="x"/>',
        "found '2 elements'; allowed: one of Standard_Partition, Pseudo_Partition",
    ),
    "text": ('<Process Name="main"', 'main <Process Name="main"', "Partition: found 'main'; allowed: no text"),
    "twice": ("</ww:Grants>", "</ww:Grants><Connection_Table/>", "found '2 Connection_Table'; allowed: 0 to 1"),
    "order": (
        "<System_HM_Table>",
        "<Connection_Table/><System_HM_Table>",
        "found 'System_HM_Table after Connection_Table'; allowed: the order System_HM_Table, Module_HM_Table",
    ),
    "a name too short": ('RegionName="heap"', 'RegionName=""', "RegionName: found ''; allowed: 1 to 64 characters"),
    # names and numbers
    "name twice": (
        'PartitionName="reader"',
        'PartitionName="WRITER"',
        "found 'WRITER'; allowed: unique, letter case aside",
    ),
    "the kernel's name": ('PartitionName="reader"', 'PartitionName="Kernel"', "found 'Kernel'; allowed: unique"),
    "blank at the end": ('PartitionName="reader"', 'PartitionName="reader "', "no blank at either end"),
    "control character": ('PartitionName="reader"', 'PartitionName="rea&#10;der"', "characters that can be printed"),
    "identifier twice": (
        'PartitionIdentifier="2" PartitionName',
        'PartitionIdentifier="1" PartitionName',
        "each identifier once",
    ),
    "port name twice": (
        '<Process Name="main" StackSize="65536"/>',
        '<Sampling_Port Name="ORDERS" MaxMessageSize="1" Direction="SOURCE"/>',
        "found 'ORDERS'; allowed: each name once in a partition, letter case aside",
    ),
    "a port of the kernel's": ('Procedure="level"', 'Procedure="Counters"', "a name the kernel does not use"),
    "channel name twice": ('ChannelName="level"', 'ChannelName="Orders"', "each name once, letter case aside"),
    "channel number twice": (
        'ChannelIdentifier="2"',
        'ChannelIdentifier="1"',
        "found 1; allowed: each identifier once",
    ),
    "window number twice": ('WindowIdentifier="2"', 'WindowIdentifier="4"', "each window's identifier once"),
    # references
    "memory of nobody": (
        'Partition_Memory PartitionIdentifier="1"',
        'Partition_Memory PartitionIdentifier="9"',
        "1, 2",
    ),
    "windows of nobody": (
        'Partition_Schedule PartitionIdentifier="2"',
        'Partition_Schedule PartitionIdentifier="9"',
        "found 9; allowed: 1, 2",
    ),
    "windows in two tables": (
        'Partition_Schedule PartitionIdentifier="2"',
        'Partition_Schedule PartitionIdentifier="1"',
        "a second one for partition writer",
    ),
    "health of nobody": (
        'Partition_HM_Table PartitionIdentifier="2"',
        'Partition_HM_Table PartitionIdentifier="9"',
        "found 9",
    ),
    "source of nobody": (
        'PartitionIdentifier="1" PortName="level"',
        'PartitionIdentifier="9" PortName="level"',
        "found 9; allowed: 1 (writer), 2 (reader)",
    ),
    "unknown port": (
        'PartitionIdentifier="2" PortName="level"',
        'PartitionIdentifier="2" PortName="lvl"',
        "found 'lvl'; allowed: level, orders",
    ),
    "stranger's port": (
        'Pseudo_Partition Name="kernel"',
        'Pseudo_Partition Name="moon"',
        "found 'moon'; allowed: kernel",
    ),
    "grant to nobody": ('To="meter"', 'To="metre"', "grant: found 'metre'; allowed: makers, meter"),
    "twice the same error": ('ErrorIdentifier="POWER_FAILURE"', 'ErrorIdentifier="CRASH"', "each error once a state"),
    "settings that are no JSON": ('"depth": [1', '"depth": [1 1', "one JSON document"),
    "two settings": (
        '<ww:Device Name="store"/>',
        "<ww:Settings>{}</ww:Settings>",
        "found '2 ww:Settings'; allowed: one at most",
    ),
    # both ends of a channel
    "sizes": (
        '"level" MaxMessageSize="100" Direction="DESTINATION"',
        '"level" MaxMessageSize="99" Direction="DESTINATION"',
        "channel level port level MaxMessageSize: found 99; allowed: 100, as level of writer",
    ),
    "depths": (
        'MaxNbMessages="16" Direction="DESTINATION"',
        'MaxNbMessages="17" Direction="DESTINATION"',
        "channel orders port orders MaxNbMessages: found 17; allowed: 16",
    ),
    "kinds": (
        'PartitionIdentifier="2" PortName="level"',
        'PartitionIdentifier="2" PortName="orders"',
        "found 'orders, in a second channel'",
    ),
    "other kind": (
        'PartitionIdentifier="2" PortName="ORDERS"',
        'PartitionIdentifier="2" PortName="level"',
        "found 'Sampling_Port'; allowed: Queuing_Port, as orders of writer",
    ),
    "direction": (
        'MaxNbMessages="16" Direction="DESTINATION"',
        'MaxNbMessages="16" Direction="SOURCE"',
        "a SOURCE'; allowed: a port that is a DESTINATION",
    ),
    "one direct end": (
        'ww:Direct="false"',
        'ww:Direct="true"',
        "ww:Direct: found 'none'; allowed: a direct port, as orders of writer",
    ),
    "port without channel": (
        "<Process ",
        '<Queuing_Port Name="spare" MaxMessageSize="1" MaxNbMessages="1" Direction="SOURCE"/><Process ',
        "found 'port spare in no channel'",
    ),
    "kernel to kernel": (
        "</Connection_Table>",
        '<Channel ChannelIdentifier="3" ChannelName="self">'
        '<Source><Pseudo_Partition Name="kernel" Procedure="a"/></Source>'
        '<Destination><Pseudo_Partition Name="kernel" Procedure="b"/></Destination></Channel></Connection_Table>',
        "an end at a partition",
    ),
    # time
    "overlap": (
        'WindowStartSeconds="0.04"',
        'WindowStartSeconds="0.029999999"',
        "windows that do not overlap: window 1 ends at 0.03 s",
    ),
    "beyond the frame": (
        'WindowStartSeconds="0.15"',
        'WindowStartSeconds="0.180000001"',
        "within the major frame, 0 to 0.2 s",
    ),
    "period does not divide": ('PeriodSeconds="0.1"', 'PeriodSeconds="0.15"', "a divisor of the major frame, 0.2 s"),
    "period beyond the frame": ('PeriodSeconds="0.1"', 'PeriodSeconds="0.4"', "a divisor of the major frame"),
    "too short in one period": (
        'WindowDurationSeconds="0.02"',
        'WindowDurationSeconds="0.01"',
        "windows of 0.02 s in period 2'; allowed: windows that sum to its duration, 0.03 s",
    ),
    "periods without end": ('PeriodSeconds="0.1"', 'PeriodSeconds="0.0000001"', "at most 512"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_is_refused_and_on_which_line(why):
    there, put, words = REFUSED[why]
    assert there in SAMPLE
    text = SAMPLE.replace(there, put, 1)
    with pytest.raises(ModuleConfigError) as refused:
        read_module(text.encode(), "module.xml")
    faults = [str(fault) for fault in refused.value.faults if words in str(fault)]
    assert faults, str(refused.value)
    lines = [int(re.match(r"module\.xml: line (\d+), ", fault)[1]) for fault in faults]
    told_at = text.index(ELSEWHERE[why]) if why in ELSEWHERE else SAMPLE.index(there)
    assert 1 + text.count("\n", 0, told_at) in lines, faults


CHANNEL_1, CHANNEL_2 = '<Channel ChannelIdentifier="1"', '<Channel ChannelIdentifier="2"'
ELSEWHERE = {
    "one direct end": 'PortName="ORDERS"',
    "no source": CHANNEL_2,
    "text": "<Partition ",
    "a port of the kernel's": CHANNEL_2,
    "two settings": '<ww:Settings>{"depth"',
    "sizes": '"2" PortName="level"',
    "depths": '"2" PortName="ORDERS"',
    "direction": '"2" PortName="ORDERS"',
    "queue to two": CHANNEL_1,
    "too short in one period": "<Partition_Schedule ",
}
"""Faults that are told where something else stands than what was changed."""


def test_memory_is_that_of_data():
    with pytest.raises(ModuleConfigError, match="no region of DATA"):
        read_module(SAMPLE.replace('Type="DATA"', 'Type="CODE"').encode())


def test_an_attribute_is_told_with_its_own_line():
    text = SAMPLE.replace('ww:IsolationMin="L2"', 'ww:IsolationMin="L9"')
    with pytest.raises(ModuleConfigError) as refused:
        read_module(text.encode())
    partition = 1 + SAMPLE.count("\n", 0, SAMPLE.index("<Partition "))
    assert refused.value.where.startswith(f"line {partition + 2}, ")


def test_all_faults_are_told_at_once_and_in_order():
    text = SAMPLE.replace("LEVEL_B", "LEVEL_Z").replace('Direction="SOURCE"', 'Direction="OUT"').replace("CODE", "ROM")
    with pytest.raises(ModuleConfigError) as refused:
        read_module(text.encode(), "m.xml")
    told = [re.search(r"found '(\w+)'", line)[1] for line in str(refused.value).splitlines()]
    assert told == ["LEVEL_Z", "OUT", "OUT", "ROM"]


def test_no_flood_of_faults():
    text = SAMPLE.replace("<Process ", '\n<Nonsense a="1"/>' * 5000 + "<Process ")
    with pytest.raises(ModuleConfigError) as refused:
        read_module(text.encode())
    assert len(refused.value.faults) == FAULTS_MAX
    assert str(refused.value).endswith("and 4980 more")


# -- what the machine offers ----------------------------------------------------------------------------------

OFFER = Offer(("store",), {"level": "DESTINATION"})


def test_what_is_offered_fits():
    read_module(SAMPLE.encode(), offer=OFFER)


@pytest.mark.parametrize(
    ("offer", "words"),
    [
        (OFFER._replace(devices=("store", "core_link")), "found 'nobody with core_link'"),
        (
            OFFER._replace(devices=("core_link",)),
            "found 'store'; allowed: what there is, and this meter's settings open",
        ),
        (OFFER._replace(kernel_ports={"readings": "DESTINATION"}), "no such port readings of the kernel"),
        (OFFER._replace(kernel_ports={"level": "SOURCE"}), "the kernel's port level as its SOURCE"),
    ],
)
def test_what_is_not_offered_is_refused(offer, words):
    with pytest.raises(ModuleConfigError, match=re.escape(words)):
        read_module(SAMPLE.encode(), offer=offer)


def test_a_device_has_one_owner():
    text = SAMPLE.replace(
        "</Partition>\n  <Partition_Memory", '<ww:Device Name="store"/></Partition>\n  <Partition_Memory'
    )
    with pytest.raises(ModuleConfigError, match="store, which writer has"):
        read_module(text.encode(), offer=OFFER)


# -- any octets -----------------------------------------------------------------------------------------------


def only_a_module_or_a_refusal(octets):
    try:
        config = read_module(octets, "any.xml")
    except ConfigError:
        return
    assert read_module(write_module(config)) == config


@given(st.binary(max_size=400))
@settings(max_examples=200, deadline=None)
def test_any_octets_are_a_module_or_refused(octets):
    only_a_module_or_a_refusal(octets)


TOKENS = re.findall(r'<[^\s>]+|[\w:]+="|[^"<>\s]+|">?|/>|\s+', SAMPLE)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_any_change_of_a_module_is_a_module_or_refused(data):
    tokens = list(TOKENS)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(tokens) - 1))
        other = st.sampled_from(TOKENS) | st.text(max_size=6) | st.sampled_from(["-1", "0", "&#0;", "&x;", "9" * 5000])
        tokens[place : place + data.draw(st.integers(0, 2))] = data.draw(st.lists(other, max_size=2))
    only_a_module_or_a_refusal("".join(tokens).encode("utf-8", "surrogatepass"))


def direct(text):
    """The sample with direct ports."""
    text = text.replace('MaxNbMessages="16" Direction="SOURCE" ww:Direct="false"', DIRECT.format("SOURCE"))
    return text.replace('MaxNbMessages="16" Direction="DESTINATION"', DIRECT.format("DESTINATION"))


DIRECT = 'MaxNbMessages="1" Direction="{}" ww:Direct="true"'


def test_direct_ports_are_read_and_written():
    config = read_module(direct(SAMPLE).encode())
    (channel,) = config.queuing_channels
    assert (channel.is_direct, channel.depth) == (True, 1)
    assert read_module(write_module(config)) == config


@pytest.mark.parametrize(
    ("there", "put", "words"),
    [
        ('MaxNbMessages="1"', 'MaxNbMessages="2"', "depth of direct ports: found 2; allowed: 1: they hold no messages"),
        (
            '<Destination><Standard_Partition PartitionIdentifier="2" PortName="ORDERS"/>',
            '<Destination><Pseudo_Partition Name="kernel" Procedure="x"/></Destination><Destination>'
            '<Standard_Partition PartitionIdentifier="2" PortName="ORDERS"/>',
            "destinations of a direct port: found 2; allowed: one",
        ),
        (
            '<Source><Standard_Partition PartitionIdentifier="1" PortName="orders" PhysicalAddress="0"/>',
            '<Source><Pseudo_Partition Name="kernel" Procedure="x"/>',
            "of direct ports: found 'kernel'; allowed: partitions at both ends",
        ),
        (
            '"text": "a &lt; b"}</ww:Settings>',
            '"links": [{"name": "far"}]}</ww:Settings>',
            "of direct ports: found 'a link'; allowed: partitions at both ends",
        ),
    ],
)
def test_direct_ports_that_cannot_be_are_refused(there, put, words):
    text = direct(SAMPLE)
    assert there in text
    text = text.replace(there, put)
    if "links" in put:
        link = '<Pseudo_Partition Name="far" Procedure="7"/>'
        text = text.replace('<Standard_Partition PartitionIdentifier="2" PortName="ORDERS"/>', link)
    with pytest.raises(ConfigError) as refused:
        read_module(text.encode(), "module.xml")
    assert words in str(refused.value)
