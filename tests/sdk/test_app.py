"""What the SDK makes of an APP's functions."""

from __future__ import annotations

from tests.apex.stage import MS, Stage

from wattwheel.apex.capacity import TASK_OVERRUNS
from wattwheel.hil.process import PartitionFrame
from wattwheel.sdk import App


def slow_app(stage, takes_ns, **about):
    """An APP whose function, called every second, takes `takes_ns`."""
    app = App("slow", version="1.0.0", **about)

    @app.every(1.0)
    def work(meter):
        stage.clock._now += takes_ns

    app.start(stage.context)
    return app


def test_a_function_that_takes_longer_than_its_capacity_is_told_to_the_health_monitor():
    stage = Stage()
    slow_app(stage, 30 * MS, time_capacity=0.02)
    stage.clock.advance(2.5)
    assert stage.context.counters[TASK_OVERRUNS] == 2
    assert {(what, detail) for what, detail, _ in stage.told()} == {
        ("deadline_missed", "task work: 30000 us, allowed 20000")
    }


def test_within_its_capacity_or_without_one_nobody_is_told():
    for about in ({"time_capacity": 0.05}, {}):
        stage = Stage()
        slow_app(stage, 30 * MS, **about)
        stage.clock.advance(2.5)
        assert stage.told() == []


def test_pauses_between_windows_do_not_count():
    frame = PartitionFrame(0, 100 * MS, 100 * MS, 10 * MS, ((0, 10 * MS),), (0,))
    stage = Stage(frame)
    slow_app(stage, 110 * MS, time_capacity=0.05)
    stage.clock.advance(1.5)
    assert stage.told() == []
