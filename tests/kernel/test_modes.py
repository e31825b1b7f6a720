"""The mode graph from the module's side: what partition and operator may ask for, and how it starts then. A-02."""

from __future__ import annotations

import pytest
from tests.bench import Bench, Puppet

from wattwheel.apex.codes import OperatingMode, ReturnCode, StartCondition
from wattwheel.apex.modes import check_mode
from wattwheel.kernel.stopping import STOP_PATIENCE_NS

IDLE, COLD, WARM, NORMAL = OperatingMode
GRAPH = {
    (COLD, IDLE): ReturnCode.NO_ERROR,
    (COLD, COLD): ReturnCode.NO_ERROR,
    (COLD, WARM): ReturnCode.INVALID_MODE,
    (COLD, NORMAL): ReturnCode.NO_ERROR,
    (WARM, IDLE): ReturnCode.NO_ERROR,
    (WARM, COLD): ReturnCode.NO_ERROR,
    (WARM, WARM): ReturnCode.NO_ERROR,
    (WARM, NORMAL): ReturnCode.NO_ERROR,
    (NORMAL, IDLE): ReturnCode.NO_ERROR,
    (NORMAL, COLD): ReturnCode.NO_ERROR,
    (NORMAL, WARM): ReturnCode.NO_ERROR,
    (NORMAL, NORMAL): ReturnCode.NO_ACTION,
} | {(IDLE, wanted): ReturnCode.INVALID_MODE for wanted in OperatingMode}


@pytest.mark.parametrize(("now", "wanted"), GRAPH)
def test_every_edge_of_the_graph(now, wanted):
    assert check_mode(now, wanted) is GRAPH[(now, wanted)]


def running():
    a, b = Puppet(), Puppet()
    bench = Bench({"a": a, "b": b})
    bench.run()
    assert bench.module.modes() == {"a": "NORMAL", "b": "NORMAL"}
    return bench, a, b


def test_the_first_start_is_cold_and_normal():
    _, a, _ = running()
    assert (a.context.condition, a.context.mode) == (StartCondition.NORMAL_START, COLD)


@pytest.mark.parametrize("mode", [COLD, WARM])
def test_a_partition_that_asks_to_start_again_does(mode):
    bench, a, b = running()
    a.context.report("set_partition_mode", mode.name)
    bench.run(0.1)
    assert (a.births, a.context.condition, a.context.mode) == (2, StartCondition.PARTITION_RESTART, mode)
    assert bench.module.modes() == {"a": "NORMAL", "b": "NORMAL"}
    assert b.births == 1
    bench.kill("a")
    bench.run(0.1)
    assert (a.context.condition, a.context.mode) == (StartCondition.HM_PARTITION_RESTART, COLD)


def test_a_partition_that_goes_idle_ends_in_order_and_stays_so_until_the_operator_says_otherwise():
    ended = []
    a = Puppet(lambda context: context.on_stop(lambda: ended.append(1)))
    bench = Bench({"a": a, "b": Puppet()})
    bench.run()
    a.context.report("set_partition_mode", "IDLE")
    bench.run(100)
    assert (ended, a.births, bench.module.modes()["a"]) == ([1], 1, "IDLE")
    assert bench.module.set_mode("a", IDLE) is ReturnCode.NO_ACTION
    assert bench.module.set_mode("a", NORMAL) is ReturnCode.INVALID_MODE
    assert bench.module.set_mode("a", WARM) is ReturnCode.NO_ERROR
    bench.run()
    assert (a.births, a.context.condition, a.context.mode) == (2, StartCondition.NORMAL_START, WARM)
    assert bench.module.partitions["a"].restarts == 0


def test_what_does_not_end_when_it_has_asked_to_is_killed():
    bench, a, _ = running()
    a.context.report("set_partition_mode", "COLD_START")
    bench.clock.advance_until(lambda: bench.module.partitions["a"].is_ending, 0.01)
    bench.host.bodies["a"].pause()
    bench.run(STOP_PATIENCE_NS / 1e9 - 0.01)
    assert a.births == 1
    bench.run(0.1)
    assert a.births == 2


def test_a_start_from_within_a_start():
    def begin(context):
        modes.append((context.condition, context.mode))
        if len(modes) == 1:
            context.report("set_partition_mode", "WARM_START")  # not from COLD_START
        if len(modes) == 2:
            context.report("set_partition_mode", "COLD_START")

    modes = []
    bench = Bench({"a": begin, "b": Puppet()})
    bench.run(0.1)
    assert modes == [(StartCondition.NORMAL_START, COLD)]
    assert bench.log == ["a: mode WARM_START refused: INVALID_MODE"]
    bench.kill("a")
    bench.run(0.1)
    assert modes[1:] == [(StartCondition.HM_PARTITION_RESTART, COLD), (StartCondition.PARTITION_RESTART, COLD)]
    assert bench.module.modes()["a"] == "NORMAL"


@pytest.mark.parametrize("wish", ["", "FASTER", "normal", "4", "x" * 400])
def test_an_unknown_mode_is_refused(wish):
    bench, a, _ = running()
    a.context.report("set_partition_mode", wish)
    bench.run(0.1)
    assert a.births == 1
    assert bench.log == [f"a: mode {wish[:30]} refused: INVALID_PARAM"]


def test_what_the_operator_wants_of_one_that_runs():
    bench, a, _ = running()
    assert bench.module.set_mode("a", COLD) is ReturnCode.NO_ERROR
    bench.run(0.1)
    assert (a.births, a.context.condition) == (2, StartCondition.PARTITION_RESTART)
    assert bench.module.set_mode("a", IDLE) is ReturnCode.NO_ERROR
    bench.run(10)
    assert bench.module.modes()["a"] == "IDLE"
    with pytest.raises(KeyError):
        bench.module.set_mode("c", IDLE)


def test_the_operator_can_keep_one_from_starting_that_was_about_to():
    bench, a, _ = running()
    bench.kill("a")
    bench.clock.advance(0.001)
    assert bench.module.set_mode("a", COLD) is ReturnCode.NO_ACTION
    assert bench.module.set_mode("a", IDLE) is ReturnCode.NO_ERROR
    bench.run(10)
    assert a.births == 1
    assert bench.module.set_mode("a", COLD) is ReturnCode.NO_ERROR
    bench.run()
    assert a.births == 2


def test_nothing_is_started_in_a_module_that_is_stopping():
    bench, _, _ = running()
    bench.module.stop(lambda: None)
    assert bench.module.set_mode("a", COLD) is ReturnCode.INVALID_MODE


def test_a_partition_that_ran_well_is_back_at_once_however_often_it_is_killed():
    bench, a, _ = running()
    for births in range(2, 30):
        bench.run(1.5)
        bench.kill("a")
        bench.run(0.03)
        assert a.births == births
