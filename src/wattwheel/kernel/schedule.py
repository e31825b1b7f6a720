"""The time partition: whose window it is. Pure: a major frame, and what follows from an instant.

Windows lie within a major frame that repeats without a gap. In a window its partition runs and no other windowed one;
partitions without a window run at any time and are not known here.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import NamedTuple

from wattwheel.hil.process import PartitionFrame
from wattwheel.kernel.config import ScheduleConfig


class Turn(NamedTuple):
    """One window of one major frame.

    Attributes:
        number: 0, 1, 2... over all windows of all frames; a number left out is a window that was missed.
        partition: whose it is.
        start_ns: planned start on the monotonic clock.
        end_ns: planned end.
        is_release: the partition's periodic processes are released at its start.
    """

    number: int
    partition: str
    start_ns: int
    end_ns: int
    is_release: bool


class MajorFrame:
    """The windows of `schedule` from `origin_ns` on."""

    def __init__(self, schedule: ScheduleConfig, origin_ns: int) -> None:
        self._schedule = schedule
        self._windows = sorted(schedule.windows, key=lambda window: window.start_ns)
        self._starts = [window.start_ns for window in self._windows]
        self._edges = sorted({edge for w in self._windows for edge in (w.start_ns, w.start_ns + w.duration_ns)})
        self.origin_ns = origin_ns
        self.partitions = frozenset(window.partition for window in self._windows)

    def turn_at(self, now_ns: int) -> Turn | None:
        """The window that `now_ns` lies in; its first instant belongs to it, its last to what follows."""
        length = self._schedule.major_frame_ns
        frames, offset = divmod(now_ns - self.origin_ns, length)
        index = bisect_right(self._starts, offset) - 1
        if frames < 0 or index < 0:
            return None
        window = self._windows[index]
        start = self.origin_ns + frames * length + window.start_ns
        if now_ns >= start + window.duration_ns:
            return None
        number = frames * len(self._windows) + index
        return Turn(number, window.partition, start, start + window.duration_ns, window.is_period_start)

    def partition_of(self, number: int) -> str:
        """Whose window the one of that number is."""
        return self._windows[number % len(self._windows)].partition

    def next_edge_ns(self, now_ns: int) -> int:
        """The first start or end of a window after `now_ns`."""
        frames, offset = divmod(now_ns - self.origin_ns, self._schedule.major_frame_ns)
        begun = self.origin_ns + frames * self._schedule.major_frame_ns
        index = bisect_right(self._edges, offset)
        if index < len(self._edges):
            return begun + self._edges[index]
        return begun + self._schedule.major_frame_ns + self._edges[0]

    def of(self, partition: str) -> PartitionFrame | None:
        """What `partition` is told of its windows; None: it has none. Without a marked window the first is a release.

        Without a period in the configuration the major frame is its period.
        """
        own = [window for window in self._windows if window.partition == partition]
        if not own:
            return None
        whole = sum(window.duration_ns for window in own)
        period_ns, duration_ns = self._schedule.periods.get(partition, (self._schedule.major_frame_ns, whole))
        return PartitionFrame(
            origin_ns=self.origin_ns,
            major_frame_ns=self._schedule.major_frame_ns,
            period_ns=period_ns,
            duration_ns=duration_ns,
            windows=tuple((window.start_ns, window.duration_ns) for window in own),
            releases_ns=tuple(w.start_ns for w in own if w.is_period_start) or (own[0].start_ns,),
        )


class WindowCount:
    """What the windows of one partition came to.

    Attributes:
        used: windows that it had.
        missed: windows that were over before they could begin.
        lateness_ns_max: worst start: it was set going that much after the planned start.
        overrun_ns_max: worst end: it stood still that much after the planned end.
        overruns: ends that were later than allowed.
    """

    def __init__(self) -> None:
        self.used = self.missed = self.overruns = 0
        self.lateness_ns_max = self.overrun_ns_max = 0

    def document(self) -> dict[str, int]:
        """As `status` shows it."""
        return {
            "used": self.used,
            "missed": self.missed,
            "overruns": self.overruns,
            "lateness_ns_max": self.lateness_ns_max,
            "overrun_ns_max": self.overrun_ns_max,
        }
