"""The module: restarts with growing delays, repair, stop order, and what a bad partition cannot do to it."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import pytest
from tests.bench import Bench, Puppet, queuing

from wattwheel.apex.codes import OperatingMode
from wattwheel.kernel.config import restart_delay_ns
from wattwheel.kernel.module import RESTART_WINDOW_NS
from wattwheel.kernel.stopping import STOP_PATIENCE_NS

SLACK_NS = 12_000_000  # birth, first report and funeral of a simulated body


def births(bench: Bench, partition: str, seconds: float) -> list[int]:
    """Instants at which `partition` was born again within `seconds`, killed as soon as it is normal."""
    found = []
    end = bench.clock.now_ns() + round(seconds * 1e9)
    state = bench.module.partitions[partition]
    while bench.clock.now_ns() < end:
        if bench.clock.advance_until(lambda: state.mode is OperatingMode.NORMAL, (end - bench.clock.now_ns()) / 1e9):
            found.append(bench.clock.now_ns())
            bench.kill(partition)
            state.mode = OperatingMode.IDLE
    return found


def test_a_dead_partition_is_started_again_later_and_later():
    bench = Bench({"a": Puppet(), "b": Puppet()})
    instants = births(bench, "a", 20)
    gaps = [after - before for before, after in pairwise(instants)]
    for deaths, gap in enumerate(gaps, 1):
        assert restart_delay_ns(deaths) <= gap <= restart_delay_ns(deaths) + SLACK_NS
    assert len(gaps) > 12
    assert bench.module.partitions["a"].restarts == len(instants)
    assert bench.module.partitions["b"].restarts == 0
    assert all("a: ended with status -9; starting again" in line for line in bench.log)


def test_old_deaths_are_forgotten():
    bench = Bench({"a": Puppet()})
    births(bench, "a", 10)
    bench.clock.advance(RESTART_WINDOW_NS / 1e9 + 3)
    bench.kill("a")
    bench.run((restart_delay_ns(1) + SLACK_NS) / 1e9)
    assert bench.module.partitions["a"].mode is OperatingMode.NORMAL


def test_a_crash_is_a_death_like_any_other():
    def crash(context):
        raise RuntimeError

    bench = Bench({"a": crash, "b": Puppet()})
    bench.clock.advance(1)
    assert bench.module.partitions["a"].restarts >= 5
    assert bench.log[0] == "a: ended with status 1; starting again"
    assert {crash.partition for crash in bench.host.crashes} == {"a"}
    assert bench.module.partitions["b"].mode is OperatingMode.NORMAL


def test_normal_is_told_once_when_all_are():
    late = []

    def begin(context):
        if not late:
            late.append(1)
            raise RuntimeError("the first start fails")

    bench = Bench({"a": Puppet(), "b": begin})
    bench.clock.advance_until(lambda: bool(bench.host.crashes), 1)
    assert bench.normal == 0
    bench.clock.advance(1)
    assert bench.normal == 1
    bench.kill("a")
    bench.clock.advance(1)
    assert bench.normal == 1


def test_a_queue_survives_both_of_its_ends():
    a, b = Puppet(), Puppet()
    bench = Bench({"a": a, "b": b}, [queuing("queue", "a.q", "b.q")])
    bench.run()
    source = a.context.queuing_source("q")
    for number in range(5):
        source.send(b"%d" % number)
    port = b.context.queuing_destination("q")
    assert port.receive() == b"0"
    port.done()
    assert port.receive() == b"1"  # in work when both die
    bench.kill("a")
    bench.kill("b")
    bench.run(0.1)
    assert (a.births, b.births) == (2, 2)
    port = b.context.queuing_destination("q")
    seen = []
    while (message := port.receive()) is not None:
        seen.append(message)
        port.done()
    assert seen == [b"1", b"2", b"3", b"4"]


def test_channels_are_repaired_while_their_readers_stand_still(monkeypatch):
    a, b, c = Puppet(), Puppet(), Puppet()
    bench = Bench({"a": a, "b": b, "c": c}, [queuing("ab", "a.q", "b.q"), queuing("ca", "c.q", "a.r")])
    bench.run()
    story = []
    monkeypatch.setattr(bench.host, "repair", lambda channel: story.append(channel))
    for name, body in bench.host.bodies.items():
        monkeypatch.setattr(body, "pause", lambda name=name: story.append(f"{name} stands"))
        monkeypatch.setattr(body, "resume", lambda name=name: story.append(f"{name} goes on"))
    bench.kill("a")
    bench.run(0.1)
    assert story == ["b stands", "ab", "a.kernel", "b goes on"]


def test_partitions_end_in_the_order_of_their_ranks():
    story = []

    def entry(name):
        return Puppet(lambda context: context.on_stop(lambda: story.append(name)))

    ranks = {"store": 3, "bus": 2, "energy": 1, "display": 0, "web": 0}
    bench = Bench({name: entry(name) for name in ranks}, stop_ranks=ranks)
    bench.run()
    stopped = []
    bench.module.stop(lambda: stopped.append(list(story)))
    bench.run(1)
    assert story[2:] == ["energy", "bus", "store"]
    assert sorted(story[:2]) == ["display", "web"]
    assert stopped == [story]
    bench.clock.advance(10)
    assert bench.log == []
    assert bench.host.bodies == {}


def test_one_that_does_not_end_is_killed_and_does_not_keep_the_store_waiting():
    story = []
    ranks = {"display": 0, "store": 3}
    store = Puppet(lambda context: context.on_stop(lambda: story.append(bench.clock.now_ns())))
    bench = Bench({"display": Puppet(), "store": store}, stop_ranks=ranks)
    bench.run()
    bench.host.bodies["display"].pause()
    stopped = []
    begun = bench.clock.now_ns()
    bench.module.stop(lambda: stopped.append(1))
    bench.clock.advance(STOP_PATIENCE_NS / 1e9 - 0.01)
    assert story == stopped == []
    bench.clock.advance(0.1)
    assert stopped == [1]
    assert STOP_PATIENCE_NS <= story[0] - begun <= STOP_PATIENCE_NS + SLACK_NS
    assert bench.log == ["display: did not end when asked to; killed"]


def test_nothing_starts_again_once_the_end_has_begun():
    a = Puppet()
    bench = Bench({"a": a, "b": Puppet()})
    bench.run()
    bench.kill("a")
    bench.clock.advance(0.001)  # its restart is on its way
    stopped = []
    bench.module.stop(lambda: stopped.append(1))
    bench.clock.advance(5)
    assert stopped == [1]
    assert bench.host.bodies == {}
    assert a.births == 1
    bench.module.stop(lambda: stopped.append(2))
    assert stopped == [1, 2]


@pytest.mark.parametrize(
    "report", [b"\xff\xfe", b"[]", b"7", b"null", b'"normal"', b'{"detail": 1}', b"{" * 500, b'{"what": "\xff"}']
)
def test_unreadable_reports_are_dropped(report):
    a = Puppet()
    bench = Bench({"a": a})
    bench.run()
    assert a.context._reports.send(report)
    bench.run()
    assert bench.log == ["a: unreadable report dropped"]
    a.context.report("error", "the sensor is gone")
    bench.run()
    assert bench.log[1] == "a: error the sensor is gone"
    assert bench.module.partitions["a"].last_report == "error the sensor is gone"


@pytest.mark.parametrize("counts", [b"\xff", b"[]", b"not json", b'{"a": "many"}', b'{"a": null}'])
def test_strange_counters_harm_nobody(counts):
    a, b = Puppet(), Puppet()
    bench = Bench({"a": a, "b": b})
    bench.run()
    b.context.counters.add("good")
    bench.run(1)
    a.context._publishing.write(counts)
    assert bench.module.counters() == {"b": {"good": 1}}


def test_a_flood_of_reports_is_taken_in_portions_and_bounded():
    a = Puppet()
    bench = Bench({"a": a})
    bench.run()
    sent = 0
    while a.context._reports.send(msgspec.json.encode({"what": "note"})):
        sent += 1
    assert sent == bench.host.queuing["a.kernel"].depth
    bench.run()
    assert len(bench.log) == sent


def test_a_report_of_the_dead_makes_nobody_normal():
    a = Puppet()
    bench = Bench({"a": a})
    bench.run()
    bench.kill("a")
    bench.clock.advance(0.001)
    assert bench.module.partitions["a"].mode is OperatingMode.IDLE
    bench.host.queuing_source("a.kernel").send_nowait(b'{"what": "normal"}')
    bench.clock.advance(0.001)
    assert bench.module.partitions["a"].mode is OperatingMode.IDLE
