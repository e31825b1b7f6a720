"""Ports as a partition sees them, and the start context they come from."""

from __future__ import annotations

import msgspec
import pytest
from tests.bench import SECOND_NS, Bench, Puppet, queuing, sampling

from wattwheel.apex.codes import OperatingMode, StartCondition, Validity
from wattwheel.apex.meter_clock import ClockSetting
from wattwheel.apex.partition import COUNTERS_MAX, COUNTERS_PUBLISH_NS, HEARTBEAT_NS
from wattwheel.kernel.config import PortEnd, SamplingChannelConfig


@pytest.fixture
def pair():
    """Two partitions `a` and `b`, a queue and a cell from a to b."""
    a, b = Puppet(), Puppet()
    refresh = PortEnd("b", "value", refresh_ns=2 * SECOND_NS)
    cell = SamplingChannelConfig("cell", PortEnd("a", "value"), (refresh,), 100, ("b",))
    bench = Bench({"a": a, "b": b}, [queuing("queue", "a.q", "b.q", size=8, depth=3)], [cell], {"a": {"x": 1}})
    bench.run()
    return bench, a.context, b.context


def test_a_queue_keeps_order_and_exact_depth(pair):
    _bench, a, b = pair
    source, destination = a.queuing_source("q"), b.queuing_destination("q")
    assert (source.depth, source.max_message_size) == (destination.depth, destination.max_message_size) == (3, 8)
    assert [source.send(b"%d" % number) for number in range(5)] == [True, True, True, False, False]
    for expected in (b"0", b"1", b"2"):
        assert destination.receive() == destination.receive() == expected
        destination.done()
    assert destination.receive() is None


@pytest.mark.parametrize("message", [b"", b"123456789"])
def test_a_message_of_the_wrong_size_is_a_bug_of_the_sender(pair, message):
    with pytest.raises(AssertionError):
        pair[1].queuing_source("q").send(message)
    with pytest.raises(AssertionError):
        pair[1].sampling_source("value").write(message * 20)


def test_room_is_told_to_a_sender_that_found_none(pair):
    bench, a, b = pair
    source, destination = a.queuing_source("q"), b.queuing_destination("q")
    told = []
    source.on_space(lambda: told.append(bench.clock.now_ns()))
    while source.send(b"x"):
        pass
    bench.run()
    assert told == []
    assert destination.receive() == b"x"
    destination.done()
    bench.run()
    assert len(told) == 1
    assert source.send(b"y")
    destination.receive()
    destination.done()
    bench.run()
    assert len(told) == 1  # nobody was waiting


def test_arrival_is_told_again_and_again_while_messages_wait(pair):
    bench, a, b = pair
    source, destination = a.queuing_source("q"), b.queuing_destination("q")
    seen = []

    def arrived():
        seen.append(destination.receive())
        destination.done()

    for number in range(3):
        source.send(b"%d" % number)
    destination.on_message(arrived)
    bench.run()
    assert seen == [b"0", b"1", b"2"]


def test_a_sampled_value_has_an_age_and_grows_invalid(pair):
    bench, a, b = pair
    source, destination = a.sampling_source("value"), b.sampling_destination("value")
    assert destination.read() == (None, Validity.INVALID, 0)
    assert destination.version() == 0
    source.write(b"one")
    bench.clock.advance(2)
    assert destination.read() == (b"one", Validity.VALID, 2 * SECOND_NS)
    bench.clock.advance(1e-9)
    assert destination.read()[1] is Validity.INVALID
    source.write(b"two")
    assert destination.read() == (b"two", Validity.VALID, 0)
    assert destination.version() == 2


def test_writes_are_told_and_several_may_share_a_call(pair):
    bench, a, b = pair
    source, destination = a.sampling_source("value"), b.sampling_destination("value")
    told = []
    destination.on_message(lambda: told.append(destination.read()[0]))
    source.write(b"one")
    source.write(b"two")
    bench.run()
    assert told == [b"two"]


def test_a_port_has_its_direction_and_nobody_has_anothers(pair):
    _bench, a, b = pair
    for wrong in (
        lambda: b.queuing_source("q"),
        lambda: a.queuing_destination("q"),
        lambda: b.sampling_source("value"),
        lambda: a.sampling_destination("value"),
    ):
        with pytest.raises(AssertionError):
            wrong()
    with pytest.raises(KeyError):
        a.queuing_source("other")
    with pytest.raises(KeyError):
        a.device("store")
    assert a.ports() == {"q": "SOURCE", "kernel": "SOURCE", "value": "SOURCE", "counters": "SOURCE"}
    assert a.has_port("q")
    assert not a.has_port("other")


def test_a_context_tells_why_it_starts(pair):
    bench, a, _b = pair
    assert (a.condition, a.mode) == (StartCondition.NORMAL_START, OperatingMode.COLD_START)
    assert a.decode_settings(dict[str, int]) == {"x": 1}
    bench.kill("a")
    bench.run(0.1)
    assert bench.module.partitions["a"].spec.condition == "HM_PARTITION_RESTART"


def test_counters_are_published_at_most_twice_a_second_and_bounded(pair):
    bench, a, _b = pair
    cell = bench.host.sampling["a.counters"]
    for _ in range(1000):
        a.counters.add("frames")
    a.counters.set("level", 7)
    a.counters.set("level", 7)
    assert cell.number == 0
    bench.clock.advance(COUNTERS_PUBLISH_NS / 1e9)
    assert cell.number == 1
    assert bench.module.counters()["a"] == {"frames": 1000, "level": 7}
    bench.clock.advance(HEARTBEAT_NS / 1e9 - 1)
    assert cell.number == 1  # nothing has changed
    bench.clock.advance(1)
    assert cell.number == 2  # the heartbeat
    for number in range(100):
        a.counters.add(f"name {number}")
        a.counters.set(f"name {number}", 1)
    assert len(list(a.counters)) == COUNTERS_MAX
    assert a.counters["name 99"] == 0
    bench.clock.advance(1)
    assert cell.number == 3


def test_stop_actions_run_the_last_first_and_the_wheel_turns_once_more():
    story = []

    def begin(context):
        context.wheel.task(9, lambda: story.append("task"))
        context.on_stop(lambda: story.append("first registered"))
        context.on_stop(lambda: (story.append("second registered"), context.wheel.post(9)))

    bench = Bench({"a": Puppet(begin)})
    bench.run()
    bench.host.bodies["a"].stop()
    bench.run(0.001)
    assert story == ["second registered", "first registered", "task"]


def test_the_meters_clock_follows_the_published_offset():
    a, b = Puppet(), Puppet()
    bench = Bench({"a": a, "b": b}, (), [sampling("clock", "a.clock", "b.clock")])
    bench.run()
    assert b.context.clock.calendar() == bench.clock.calendar() == b.context.clock.host_calendar()
    a.context.sampling_source("clock").write(msgspec.json.encode(ClockSetting(-3.5, 1)))
    assert (b.context.clock.calendar() - bench.clock.calendar()).total_seconds() == -3.5
    assert b.context.clock.host_calendar() == bench.clock.calendar()
    assert a.context.clock.calendar() == bench.clock.calendar()
    a.context.sampling_source("clock").write(msgspec.json.encode(ClockSetting(60.0, 2)))
    assert (b.context.clock.calendar() - bench.clock.calendar()).total_seconds() == 60
    assert b.context.clock.now_ns() == bench.clock.now_ns()
    assert (a.context.clock.changes, b.context.clock.changes) == (0, 2)
    bench.kill("b")
    bench.run(0.1)
    assert (b.context.clock.calendar() - bench.clock.calendar()).total_seconds() == 60
