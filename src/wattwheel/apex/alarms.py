"""Alarms that can be taken back, on a clock whose calls cannot.

Theory of operation. Alarms stand in a heap; one that was taken back stays there without its action until it comes up,
or until such dead ones are the majority and are swept out. The clock is asked for a call only when the earliest alarm
comes before every call that is under way, so calls do not pile up however often alarms are set and taken back.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count

from wattwheel.hil.clock import Clock

DEAD_MAX = 256
"""Alarms taken back that are kept in any case; beyond it at most as many as living ones."""


class Alarm:
    """One alarm that is set."""

    __slots__ = ("action", "due_ns")

    def __init__(self, due_ns: int, action: Callable[[], None]) -> None:
        self.due_ns = due_ns
        self.action: Callable[[], None] | None = action


class Alarms:
    """All alarms of a partition."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heap: list[tuple[int, int, Alarm]] = []
        self._serial = count()
        self._dead = 0
        self._calls: set[int] = set()  # instants at which the clock will call

    def __len__(self) -> int:
        """Alarms kept, dead ones included."""
        return len(self._heap)

    def set(self, due_ns: int, action: Callable[[], None]) -> Alarm:
        """Call `action` at `due_ns` on the monotonic clock or soon after, unless taken back."""
        alarm = Alarm(due_ns, action)
        heapq.heappush(self._heap, (due_ns, next(self._serial), alarm))
        self._arm()
        return alarm

    def take_back(self, alarm: Alarm) -> None:
        """Let `alarm` not ring. Harmless when it has rung."""
        if alarm.action is None:
            return
        alarm.action = None
        self._dead += 1
        if self._dead > DEAD_MAX and 2 * self._dead > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].action is not None]
            heapq.heapify(self._heap)
            self._dead = 0

    def _arm(self) -> None:
        while self._heap and self._heap[0][2].action is None:
            heapq.heappop(self._heap)
            self._dead -= 1
        if not self._heap:
            return
        due_ns = self._heap[0][0]
        if not self._calls or due_ns < min(self._calls):
            self._calls.add(due_ns)
            self._clock.call_at(due_ns, lambda: self._ring(due_ns))

    def _ring(self, call_ns: int) -> None:
        self._calls.discard(call_ns)
        now = self._clock.now_ns()
        heap = self._heap
        while heap and heap[0][0] <= now:
            _, _, alarm = heapq.heappop(heap)
            action, alarm.action = alarm.action, None
            if action is None:
                self._dead -= 1
            else:
                action()
            heap = self._heap  # an action may have had it swept
        self._arm()
