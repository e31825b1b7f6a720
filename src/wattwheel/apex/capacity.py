"""The time capacity of a wheel's task. Nothing interrupts a task, so an overrun is told after it."""

from __future__ import annotations

from wattwheel.apex.partition import StartContext
from wattwheel.apex.wheel import Action

TASK_OVERRUNS = "task_overruns"
"""Counter of a partition: tasks that needed more than their time capacity."""


def within_capacity(context: StartContext, name: str, action: Action, time_capacity_ns: int) -> Action:
    """`action`, to be put on the wheel, that tells the health monitor of each run longer than `time_capacity_ns`.

    `name` goes into the report. Tasks that are not wrapped pay nothing for this.
    """
    assert time_capacity_ns > 0, f"task {name}: {time_capacity_ns} ns"
    now_ns, frame = context.clock.now_ns, context.frame

    def watched() -> None:
        begun = now_ns()
        action()
        ended = now_ns()
        taken = (
            ended - begun if frame is None else frame.window_time_ns(begun, ended)
        )  # pauses between windows left out
        if taken > time_capacity_ns:
            context.counters.add(TASK_OVERRUNS)
            context.report("deadline_missed", f"task {name}: {taken // 1000} us, allowed {time_capacity_ns // 1000}")

    return watched
