"""Windows in virtual time, exact: who runs when, what is interrupted, who comes first, what lateness is noted. A-03."""

from __future__ import annotations

from itertools import pairwise

import pytest
from tests.bench import Bench, Puppet, queuing

from wattwheel.apex.codes import OperatingMode
from wattwheel.kernel.config import HealthConfig, HealthEntry, ScheduleConfig, WindowConfig
from wattwheel.kernel.module import FRAME_DELAY_NS
from wattwheel.kernel.windows import OVERRUN_NS_MAX, WindowKeeper

MS = 1_000_000
FRAME = 100 * MS
SCHEDULE = ScheduleConfig(
    FRAME,
    (
        WindowConfig(1, "a", 0, 30 * MS, is_period_start=True),
        WindowConfig(2, "b", 30 * MS, 30 * MS, is_period_start=True),
        WindowConfig(3, "a", 70 * MS, 20 * MS),
    ),
)
WINDOWS = {"a": ((0, 30), (70, 90)), "b": ((30, 60),), "free": ((0, 100),)}


class Ticker(Puppet):
    """Notes the instant of every tick of one millisecond."""

    def __init__(self, period_ns=MS):
        super().__init__(self._begin_ticking)
        self.ticks = []
        self.period_ns = period_ns

    def _begin_ticking(self, context):
        context.wheel.task(3, lambda: self.ticks.append(context.clock.now_ns()))
        context.wheel.post_every(self.period_ns, 3)


def windowed(entries, **options):
    bench = Bench(entries, schedule=SCHEDULE, **options)
    origin = bench.clock.now_ns() + FRAME_DELAY_NS
    bench.clock.advance(FRAME_DELAY_NS / 1e9)
    return bench, origin


def place(instant, origin):
    """Milliseconds into its major frame."""
    return (instant - origin) % FRAME / MS


def test_partitions_run_in_their_windows_only_and_the_others_at_any_time():
    entries = {"a": Ticker(), "b": Ticker(), "free": Ticker()}
    bench, origin = windowed(entries)
    bench.run(1.999)
    for name, ticker in entries.items():
        late = [at for at in ticker.ticks if at > origin]
        assert late
        for at in late:
            assert any(start <= place(at, origin) < end for start, end in WINDOWS[name]), (name, place(at, origin))
    for name, each_frame in (("a", 50), ("b", 30)):
        used = bench.module.windows()[name]
        assert used["lateness_ns_max"] == used["overrun_ns_max"] == used["missed"] == used["overruns"] == 0
        assert used["used"] == 20 * len(WINDOWS[name])
        assert len(entries[name].ticks) in range(18 * each_frame, 20 * (each_frame + 2))  # one caught up at each start


def test_what_fell_due_outside_runs_at_the_next_windows_start():
    ticker = Ticker(period_ns=10 * MS)
    bench, origin = windowed({"a": Puppet(), "b": ticker})
    bench.run(1)
    firsts = [after for before, after in pairwise(ticker.ticks) if after - before > 30 * MS]
    assert len(firsts) >= 8
    assert {place(at, origin) for at in firsts} == {30.0}


def test_cold_start_too_runs_in_a_window_only():
    born = []
    bench, origin = windowed({"a": Puppet(), "b": Puppet(lambda context: born.append(context.clock.now_ns()))})
    bench.run(0.2)
    assert [place(at, origin) for at in born] == [30.0]
    bench.kill("b")
    bench.run(0.2)
    assert 30 <= place(born[1], origin) < 60
    assert bench.module.partitions["b"].mode is OperatingMode.NORMAL


def test_work_that_the_windows_end_interrupts_goes_on_in_the_next():
    a = Puppet()
    bench, origin = windowed({"a": a, "b": Puppet()})
    bench.run(0.1)
    done = []
    # 15 ms of the window are left, 20 ms are in the frame's second, 7 ms into the next frame it is done
    bench.clock.advance((origin + FRAME + 15 * MS - bench.clock.now_ns()) / 1e9)
    bench.host.bodies["a"].loop.compute(42 * MS, lambda: done.append(bench.clock.now_ns()))
    bench.run(0.2)
    assert [at - origin for at in done] == [2 * FRAME + 7 * MS]


def test_who_holds_the_preemption_lock_goes_on_before_what_fell_due_meanwhile():
    """A holder of the lock is in the middle of its work when its window ends: nothing else comes before it then."""
    story = []
    a = Puppet(lambda context: context.wheel.task(1, lambda: story.append(("urgent", context.clock.now_ns()))))
    bench, origin = windowed({"a": a, "b": Puppet()})
    bench.run(0.1)
    bench.clock.advance((origin + FRAME + 25 * MS - bench.clock.now_ns()) / 1e9)
    bench.host.bodies["a"].loop.compute(8 * MS, lambda: story.append(("lock", bench.clock.now_ns())))
    a.context.wheel.post_at(origin + FRAME + 40 * MS, 1)  # falls due in another's window
    a.context.wheel.post_at(origin + FRAME + 71 * MS, 1)  # and while the holder is at work again
    bench.run(0.1)
    assert story == [(who, origin + FRAME + 73 * MS) for who in ("lock", "urgent", "urgent")]


def test_a_partition_finds_its_release_points_with_its_own_clock():
    released = []

    def begin(context):
        def again():
            released.append(context.clock.now_ns())
            context.clock.call_at(context.frame.next_release_ns(context.clock.now_ns()), again)

        context.clock.call_at(context.frame.next_release_ns(context.clock.now_ns()), again)

    free = Puppet()
    bench, origin = windowed({"a": Puppet(begin), "b": Puppet(), "free": free})
    bench.run(0.55)
    assert [(at - origin) // MS for at in released] == [100, 200, 300, 400, 500]
    assert free.context.frame is None


def test_a_dead_partitions_window_stays_empty_and_the_others_timing_is_the_same_to_the_nanosecond():
    """A-09: with and without crashes of b, every tick of a and of the unwindowed partition is the same."""

    def ticks(is_crashing):
        entries = {"a": Ticker(), "b": Puppet(), "free": Ticker()}
        bench, _ = windowed(entries, seed=5)
        for _ in range(20):
            bench.run(0.1)
            if is_crashing and "b" in bench.host.bodies:
                bench.kill("b")
        assert (bench.module.partitions["b"].restarts > 5) is is_crashing
        return [[at for at in entries[name].ticks if at > 5_200 * MS] for name in ("a", "free")]

    calm, crashing = ticks(False), ticks(True)
    assert calm == crashing


def test_a_repair_does_not_set_going_who_is_outside_its_window(monkeypatch):
    a, b = Ticker(), Ticker()
    bench, origin = windowed({"a": a, "b": b, "c": Puppet()}, queuing=[queuing("cb", "c.q", "b.q")])
    bench.run(0.1)
    bench.clock.advance((origin + 2 * FRAME + 5 * MS - bench.clock.now_ns()) / 1e9)
    bench.kill("c")  # its reader b is held still for the repair, in a's window
    bench.run(0.024)
    assert bench.module.partitions["c"].births == 2
    assert all(not 0 <= at - origin - 2 * FRAME < 30 * MS for at in b.ticks)


def test_stopping_does_not_wait_for_windows():
    story = []
    b = Puppet(lambda context: context.on_stop(lambda: story.append("b")))
    bench, origin = windowed({"a": Puppet(), "b": b})
    bench.run(0.1)
    bench.clock.advance((origin + 2 * FRAME + 1 * MS - bench.clock.now_ns()) / 1e9)
    bench.module.stop(lambda: story.append("stopped"))
    bench.run(0.01)
    assert story == ["b", "stopped"]


class LateTimer:
    """Edges served as late as the test likes."""

    def __init__(self, clock):
        self.clock, self.lateness_ns = clock, 0

    def call_at(self, due_ns, action):
        self.clock.call_at(due_ns + self.lateness_ns, action)


@pytest.fixture
def keeper():
    bench = Bench({"unused": Puppet()})
    timer = LateTimer(bench.clock)
    story = []
    keeper = WindowKeeper(
        SCHEDULE,
        bench.clock.now_ns() + MS,
        bench.clock.now_ns,
        timer,
        go=lambda name: story.append(f"{name} goes"),
        hold=lambda name: story.append(f"{name} stands"),
        overrun=lambda name, what: story.append(f"{name} {what}"),
    )
    keeper.start()
    return bench.clock, timer, keeper, story


def test_a_little_late_is_noted_and_no_error(keeper):
    clock, timer, keeper, story = keeper
    timer.lateness_ns = OVERRUN_NS_MAX
    clock.advance(0.1)
    assert story == ["a goes", "a stands", "b goes", "b stands", "a goes", "a stands"]
    assert keeper.counts["a"].lateness_ns_max == OVERRUN_NS_MAX
    assert keeper.counts["b"].overrun_ns_max == OVERRUN_NS_MAX


def test_later_than_allowed_is_told(keeper):
    clock, timer, keeper, story = keeper
    clock.advance(0.05)
    timer.lateness_ns = 2 * MS
    clock.advance(0.015)
    assert story[3:] == ["b stands"]
    clock.advance(0.010)
    assert story[4:6] == ["a goes", "a was set going late in its window"]
    assert keeper.counts["b"].overruns == 0  # that edge had been ordered in time
    clock.advance(0.1)
    assert "b stood still late at its window's end" in story
    assert keeper.counts["b"].overruns == 1


def test_windows_that_were_slept_through_are_missed_and_nothing_after_them(keeper):
    clock, timer, keeper, story = keeper
    timer.lateness_ns = 250 * MS
    clock.advance(0.01)  # the edge at 30 ms is served at 280 ms, in a's second window of the third frame
    timer.lateness_ns = 0
    clock.advance(0.32)
    assert story[:3] == ["a goes", "a stood still late at its window's end", "a was set going late in its window"]
    assert (keeper.counts["a"].missed, keeper.counts["b"].missed) == (4, 3)
    assert story[3:5] == ["a stands", "a goes"]


def test_an_overrun_is_an_error_for_the_tables():
    tables = HealthConfig(partitions={"b": (HealthEntry("*", "WINDOW_OVERRUN", action="IDLE"),)})
    bench, _ = windowed({"a": Puppet(), "b": Puppet()}, health=tables)
    bench.run(0.1)
    module = bench.module
    module._windows._overrun("a", "stood still late at its window's end")
    module._windows._overrun("b", "stood still late at its window's end")
    bench.run(0.01)
    assert module.modes() == {"a": "NORMAL", "b": "IDLE"}
    assert [(entry["partition"], entry["action"]) for entry in module.health.newest(5)] == [
        ("a", "IGNORE"),
        ("b", "IDLE"),
    ]
