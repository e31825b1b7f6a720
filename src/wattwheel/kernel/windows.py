"""Keeps the windows: sets partitions going and holds them at the edges of the schedule, and measures how well.

Every edge is decided anew from the instant at which it is served, so an edge that was served late (the machine was
busy) or not at all costs the windows that it hid and nothing after them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from wattwheel.kernel.config import ScheduleConfig
from wattwheel.kernel.schedule import MajorFrame, Turn, WindowCount

OVERRUN_NS_MAX = 1_000_000
"""A start or an end later than this is an error for the health monitor; soft windows are some 0.2 ms late."""


class EdgeTimer(Protocol):
    """Runs one action at an instant, as exactly as the machine can. A later order takes the place of an earlier one."""

    def call_at(self, due_ns: int, action: Callable[[], None]) -> None:
        """Run `action` at `due_ns` on the monotonic clock."""


Hold = Callable[[str], None]

MISSED_COUNTED_MAX = 1000
"""Windows missed in one go beyond this are not told one by one: the machine stood still."""


class WindowKeeper:
    """Drives a major frame.

    Args:
        schedule: with at least one window.
        origin_ns: start of the first frame.
        now_ns: the monotonic clock.
        timer: for the edges.
        go, hold: set a partition going, or hold it; on return it is so.
        overrun: told of a partition whose edge was more than `OVERRUN_NS_MAX` late, and of what happened.
    """

    def __init__(
        self,
        schedule: ScheduleConfig,
        origin_ns: int,
        now_ns: Callable[[], int],
        timer: EdgeTimer,
        go: Hold,
        hold: Hold,
        overrun: Callable[[str, str], None],
    ) -> None:
        self.frame = MajorFrame(schedule, origin_ns)
        self.counts = {partition: WindowCount() for partition in sorted(self.frame.partitions)}
        self._now_ns, self._timer = now_ns, timer
        self._go, self._hold, self._overrun = go, hold, overrun
        self._turn: Turn | None = None
        self._last_number = -1
        self._is_running = False

    def start(self) -> None:
        """Begin with the first edge."""
        self._is_running = True
        self._timer.call_at(self.frame.next_edge_ns(self.frame.origin_ns - 1), self._edge)

    def stop(self) -> None:
        """Serve no more edges. Who is held stays so."""
        self._is_running = False
        self._turn = None

    def is_open(self, partition: str) -> bool:
        """Whether `partition` may run now: it has the window, or no windows at all."""
        if partition not in self.frame.partitions:
            return True
        return self._turn is not None and self._turn.partition == partition

    def _edge(self) -> None:
        if not self._is_running:
            return
        before, self._turn = self._turn, self.frame.turn_at(self._now_ns())
        turn = self._turn
        stays = before is not None and turn is not None and turn.partition == before.partition
        if before is not None and not stays:
            self._hold(before.partition)
            self._note_end(before, self._now_ns())
        if turn is not None and not stays:
            self._go(turn.partition)
        if turn is not None and (before is None or turn.number != before.number):
            if before is not None and stays:
                self._note_end(before, turn.start_ns)  # without a gap between the two it had no reason to stand still
            self._note_start(turn)
        self._timer.call_at(self.frame.next_edge_ns(self._now_ns()), self._edge)

    def _note_end(self, turn: Turn, stood_ns: int) -> None:
        count = self.counts[turn.partition]
        late_ns = stood_ns - turn.end_ns
        count.overrun_ns_max = max(count.overrun_ns_max, late_ns)
        if late_ns > OVERRUN_NS_MAX:
            count.overruns += 1
            self._overrun(turn.partition, "stood still late at its window's end")

    def _note_start(self, turn: Turn) -> None:
        late_ns = self._now_ns() - turn.start_ns
        for number in range(max(self._last_number + 1, turn.number - MISSED_COUNTED_MAX), turn.number):
            self.counts[self.frame.partition_of(number)].missed += 1
        self._last_number = turn.number
        count = self.counts[turn.partition]
        count.used += 1
        count.lateness_ns_max = max(count.lateness_ns_max, late_ns)
        if late_ns > OVERRUN_NS_MAX:
            self._overrun(turn.partition, "was set going late in its window")
