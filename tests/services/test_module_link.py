"""Virtual ports over a link between two modules: queuing once and in order, sampling the newest, whatever is cut."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.bench import Bench, sampling
from tests.services.two_modules import ADDRESS, TwoModules

from wattwheel.drivers.sim.clock import SimClock
from wattwheel.drivers.sim.network import SimNetwork
from wattwheel.protocols import modulelink
from wattwheel.protocols.modulelink import Hello, ReceivingPort, SendingPort
from wattwheel.services import network
from wattwheel.services.module_link import shown_name


def test_messages_pass_both_ways():
    two = TwoModules()
    two.east.sender.send(200)
    two.west.sender.send(50)
    two.settle()
    two.check()


def test_the_newest_sample_arrives_with_the_age_of_its_arrival():
    two = TwoModules()
    for number in range(40):
        two.east.sender.level.write(b"%d" % number)
        two.run(0.0001)
    two.run(0.1)
    message, _validity, age_ns = two.west.taker.level.read()
    assert message == b"39"
    assert 0 < age_ns < 200_000_000


def test_a_value_that_is_shown_does_not_grow_younger_when_the_link_or_the_sending_end_begins_anew():
    two = TwoModules()
    two.east.sender.level.write(b"old")
    two.run(1.0)
    two.net.cut()
    two.run(1.0)
    two.east.bench.kill("network")
    two.run(2.0)
    message, _validity, age_ns = two.west.taker.level.read()
    assert (message, two.west.table()[0]["far"]) == (b"old", "east")
    assert age_ns > 3_900_000_000


def test_a_far_end_that_has_forgotten_a_value_gets_it_again():
    two = TwoModules()
    two.east.sender.level.write(b"rare")
    two.run(1.0)
    two.west.bench.host.sampling["level in"].newest = None
    two.west.bench.kill("network")
    two.run(2.0)
    assert two.west.taker.level.read()[0] == b"rare"


def test_a_slow_taker_holds_the_sender_back_and_loses_nothing():
    two = TwoModules()
    two.west.taker.pace_ns = 5_000_000
    two.east.sender.send(500)
    two.run(0.5)
    assert two.east.sender.sent < 250  # channels, window and what was taken
    two.settle()
    two.check()


def test_a_link_that_falls_silent_is_made_again():
    two = TwoModules()
    two.east.sender.send(100)
    two.run(0.01)
    two.net.mute()
    two.east.sender.send(200)
    two.west.sender.send(200)
    two.run(2.0)
    assert len(two.west.taker.taken) < 300
    two.settle()
    two.check()
    assert sum(module.counters().get("link_silent", 0) for module in two.both) in (1, 2)


def test_both_ends_show_the_tables_of_their_ports():
    two = TwoModules()
    two.east.sender.send(10)
    two.settle()
    two.run(2.0)
    rows = {row["MsgName"]: row for row in two.east.table()}
    assert list(rows) == ["far.7", "far.8", "far.9", "far.10"]
    out = rows["far.7"]
    assert (out["PortID"], out["MsgMaxSize"], out["MsgMaxNum"], out["PsudoID"], out["DevHdr"]) == (1, 256, 4, 7, "far")
    assert (out["DestMsgQueueID"], out["EmptyFlag"], out["messages"], out["far"]) == ([7], True, 10, "west")
    assert (rows["far.8"]["IsAssign"], rows["far.8"]["MsgQueueID"]) == (1, "far.8")
    two.west.bench.host.bodies["network"].pause()
    two.run(10.0)
    rows = {row["MsgName"]: row for row in two.east.table()}
    assert (rows["far.7"]["DestMsgQueueID"], rows["far.8"]["IsAssign"], rows["far.7"]["far"]) == ([0], 0, None)


def test_ports_that_differ_are_not_bound_and_counted():
    two = TwoModules(sizes=(256, 255))
    two.east.sender.send(10)
    two.run(1.0)
    assert two.west.taker.taken == []
    assert two.east.counters()["link_ports_differ"] == 2
    assert two.east.counters().get("link_closed", 0) == 0


@pytest.mark.parametrize(
    ("links", "words"),
    [
        ([{"name": "a", "listen": ADDRESS}, {"name": "a", "connect": ADDRESS}], "each name once"),
        ([{"name": "a"}], "one of listen, connect, line"),
        ([{"name": "a", "listen": ADDRESS, "connect": ADDRESS}], "one of listen, connect, line"),
    ],
)
def test_links_that_cannot_be_are_refused(links, words):
    bench = Bench({"network": network.start}, settings={"network": {"links": links}})
    bench.clock.advance(0.1)
    assert words in str(bench.host.crashes[0].fault)


DEEDS = st.lists(
    st.tuples(
        st.sampled_from(["cut", "kill east", "kill west", "kill east within", "kill west within", "wait"]),
        st.integers(0, 60),
    ),
    max_size=12,
)


@settings(max_examples=120, deadline=None)
@given(seed=st.integers(0, 1 << 20), deeds=DEEDS)
def test_nothing_is_lost_or_doubled_when_links_are_cut_and_network_partitions_killed(seed, deeds):
    two = TwoModules(seed)
    for what, number in deeds:
        two.east.sender.send(3 * number)
        two.west.sender.send(number)
        two.run(number * 0.0005)
        who = two.east if "east" in what else two.west
        body = who.bench.host.bodies.get("network")
        if what == "cut":
            two.net.cut()
        elif what.endswith("within") and body is not None:
            body.kill_within(number)
        elif what.startswith("kill") and body is not None:
            body.kill()
        two.run(0.001)
    two.settle()
    two.check()


def test_a_far_module_that_begins_anew_gets_what_it_has_not_acknowledged():
    two = TwoModules()
    two.east.sender.send(30)
    two.settle()
    two.check()
    assert two.east.counters().get("link_messages_missing", 0) == 0


@pytest.mark.parametrize(
    "noise", [b"\x00", b"GET / HTTP/1.1\r\n\r\n", bytes(40), b"\xff" * 100, b"\x00\x00\x00\x0b" + bytes(11)]
)
def test_a_stranger_at_the_door_disturbs_nobody(noise):
    two = TwoModules()
    stranger = two.net.knock("10.0.0.1:7001", two.east.bench.host.kernel_loop)
    stranger.write(noise)
    two.east.sender.send(300)
    two.west.sender.send(300)
    two.run(0.2)
    two.settle()
    two.check()
    two.run(6.0)
    assert two.east.counters()["link_strangers"] == 1


def test_who_knocks_without_end_does_not_keep_the_far_end_out():
    two = TwoModules()
    loop = two.east.bench.host.kernel_loop
    two.east.sender.send(100)
    two.net.cut()
    for _ in range(60):
        two.net.knock(ADDRESS, loop)
        two.run(0.02)
    two.settle()
    two.check()
    assert two.east.counters()["link_strangers"] > 5
    assert two.east.counters().get("link_closed", 0) == 0


HOSTILE_NUMBERS = st.one_of(
    st.sampled_from([-(2**63), -1, 0, 1, 2, 2**63, 2**64 - 1]), st.integers(-(2**63), 2**64 - 1)
)
PORTS = st.sampled_from([0, 7, 8, 9, 10, 11, 70_000])
KINDS = st.sampled_from([modulelink.QUEUING, modulelink.SAMPLING, 0, 77])
ROWS = st.tuples(PORTS, KINDS, st.sampled_from([256, 1, -1]), HOSTILE_NUMBERS, HOSTILE_NUMBERS)
FRAMES = st.tuples(
    st.sampled_from([0, 7, 8, 9, 10, 11]),
    st.sampled_from([modulelink.QUEUING, modulelink.SAMPLING, modulelink.ACKNOWLEDGE, modulelink.ALIVE]),
    st.integers(0, 2**64 - 1),
    st.one_of(st.sampled_from([0, 1, 2, 3, 2**64 - 1]), st.integers(0, 2**64 - 1)),
    st.binary(max_size=300),
)


@settings(max_examples=150, deadline=None)
@given(
    sending=st.lists(ROWS, max_size=6),
    receiving=st.lists(ROWS, max_size=6),
    said=st.lists(FRAMES, max_size=12),
    name=st.text(max_size=40),
)
def test_no_greeting_and_no_frame_of_a_far_end_brings_the_network_partition_down(sending, receiving, said, name):
    two = TwoModules()
    two.east.sender.send(3)
    stranger = two.net.knock("10.0.0.1:7001", two.east.bench.host.kernel_loop)
    hello = Hello(
        modulelink.VERSION, name, [SendingPort(*row) for row in sending], [ReceivingPort(*row) for row in receiving]
    )
    stranger.write(modulelink.encode_hello(hello, 1))
    for port, kind, source_ns, number, message in said:
        stranger.write(modulelink.numbered(port, kind, source_ns, number, message))
    two.run(0.5)
    assert two.east.bench.module.partitions["network"].restarts == 0


@pytest.mark.parametrize("next_number", [0, -1, 2**64 - 1])
def test_a_greeting_with_a_number_that_no_message_bears_is_a_defect(next_number):
    two = TwoModules()
    stranger = two.net.knock("10.0.0.1:7001", two.east.bench.host.kernel_loop)
    row = SendingPort(8, modulelink.QUEUING, 256, 99, next_number)
    stranger.write(modulelink.encode_hello(Hello(modulelink.VERSION, "evil", [row], []), 1))
    two.run(6.0)
    assert two.east.counters()["link_strangers"] == 1


def test_many_large_samples_at_once_do_not_overfill_the_link():
    clock = SimClock()
    net = SimNetwork(clock)
    numbers, size = range(1, 13), 60_000
    written, read = {}, {}

    def write(context):
        written.update({number: context.sampling_source(f"level{number}") for number in numbers})

    def take(context):
        read.update({number: context.sampling_destination(f"level{number}") for number in numbers})

    out = [sampling(f"{n}", f"app.level{n}", f"network.far.{n}", size=size, calls=("network",)) for n in numbers]
    into = [sampling(f"{n}", f"network.far.{n}", f"app.level{n}", size=size) for n in numbers]
    east, west = (
        Bench(
            {"app": app, "network": network.start},
            [],
            cells,
            settings={"network": {"links": [{"name": "far"} | how], "epoch": epoch}},
            clock=clock,
            devices={"network": {"network": net}},
        )
        for app, cells, how, epoch in ((write, out, {"listen": ADDRESS}, 1), (take, into, {"connect": ADDRESS}, 2))
    )
    clock.advance(0.01)
    for number, port in written.items():
        port.write(bytes((number,)) * size)
    clock.advance(5.0)
    assert [each.host.crashes for each in (east, west)] == [[], []]
    assert "link_overfull" not in east.module.counters().get("network", {})
    assert {number: (port.read()[0] or b"")[:1] for number, port in read.items()} == {n: bytes((n,)) for n in numbers}


def test_a_far_name_cannot_steer_a_terminal():
    assert shown_name("west\x1b[2J\u202e" + 40 * "x") == "west?[2J?" + 21 * "x"
