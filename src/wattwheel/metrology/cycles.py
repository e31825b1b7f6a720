"""From zero crossings to windows of whole cycles, through dips, dead phases and no voltage at all.

A *mark* ends each mains cycle. While a reference voltage is locked, a mark is its crossing if that lies where the
last window's period puts it, and is set by that period if it does not: a dip or a phase jump moves the smoothed
crossing by milliseconds, which must not bend the window. After a few such cycles the reference is given up and
whichever voltage next shows two crossings a cycle apart takes over. Without any, windows run on the nominal period.

Every decision depends on positions only, never on how much had arrived when it was taken, so that the windows are the
same for any block size; where the next crossing is not certain yet, nothing is decided.
"""

from __future__ import annotations

from bisect import bisect_left
from enum import StrEnum
from statistics import median_low
from typing import TYPE_CHECKING, NamedTuple

from wattwheel.metrology.crossing import TICKS_PER_SAMPLE

if TYPE_CHECKING:
    from collections.abc import Sequence

CYCLE_HZ_MIN, CYCLE_HZ_MAX = 40.0, 70.0
"""Crossings this far apart can be a cycle."""

MARK_TOLERANCE = 0.02
"""A crossing farther than this share of a period from its place is not believed."""

SURE_TOLERANCE = 0.001
"""A crossing within this share of a period behind the last mark is believed at once."""

MISSED_MARKS_MAX = 6
"""So many marks in a row without a believed crossing give the reference up."""


class WindowKind(StrEnum):
    """What a window's ends are.

    WHOLE: so many whole cycles as the rating says. FREE: the nominal time, there was no voltage to follow. PARTIAL: a
        shorter piece beside a start, a gap or a change of the reference; its energy counts, its momentary values are
        not for display.
    """

    WHOLE = "whole"
    FREE = "free"
    PARTIAL = "partial"


class Span(NamedTuple):
    """Where a window lies. Positions in ticks (2**20 to a sample).

    Attributes:
        start: first position; the end of the window before it.
        end: last position.
        kind: what the ends are.
        cycles: whole cycles between `fundamental_start` and `end`; 0: less than one, or unknown.
        period: one cycle.
        marks: position of every known cycle end, `start` included where it is one.
        predicted: how many of them were set by the period because the crossing was not believed.
        reference: place of the voltage that was followed, None in a FREE window.
    """

    start: int
    end: int
    kind: WindowKind
    cycles: int
    period: int
    marks: tuple[int, ...]
    predicted: int = 0
    reference: int | None = None

    @property
    def fundamental_start(self) -> int:
        """Start of the whole cycles that end with the window."""
        return self.start if self.kind is not WindowKind.PARTIAL else self.end - self.cycles * self.period


class Synchroniser:
    """Cuts the time of `phases` voltages into windows."""

    def __init__(self, rate_hz: float, nominal_hz: float, cycles: int, phases: int) -> None:
        self._cycles = cycles
        self._nominal = round(rate_hz / nominal_hz * TICKS_PER_SAMPLE)
        self._shortest = round(rate_hz / CYCLE_HZ_MAX * TICKS_PER_SAMPLE)
        self._longest = round(rate_hz / CYCLE_HZ_MIN * TICKS_PER_SAMPLE)
        self._pending: list[list[int]] = [[] for _ in range(phases)]
        self.restart(0)

    @property
    def start(self) -> int:
        """Start of the window that is under way."""
        return self._start

    def restart(self, start: int) -> None:
        """Begin anew at the position `start`, without a reference."""
        self._start = start
        self._reference: int | None = None
        self._period = self._nominal
        self._marks: list[int] = []
        self._trail: list[int] = []  # the two marks before the window's first
        self._missed = self._predicted = self._used = 0
        for pending in self._pending:
            pending.clear()

    def advance(self, crossings: Sequence[list[int]], horizon: int) -> list[Span]:
        """The windows that are certain now.

        `crossings`: new ones of each voltage; `horizon`: all of them up to there are known and may be used.
        """
        for pending, new in zip(self._pending, crossings, strict=True):
            pending += new
        spans: list[Span] = []
        while self._follow(spans, horizon) if self._reference is not None else self._search(spans, horizon):
            pass
        return spans

    def close(self, end: int) -> list[Span]:
        """Cut what is left up to `end` off as the last windows, and begin anew there."""
        spans: list[Span] = []
        if end > self._start:
            marks = [mark for mark in self._marks if mark <= end]
            spans.append(self._partial(end, marks))
        self.restart(end)
        return spans

    def _partial(self, end: int, marks: Sequence[int]) -> Span:
        cycles = min((end - self._start) // self._period, self._cycles)
        return Span(
            self._start, end, WindowKind.PARTIAL, cycles, self._period, tuple(marks), self._predicted, self._reference
        )

    def _follow(self, spans: list[Span], horizon: int) -> bool:
        """Set marks by the reference until a window ends. False: more samples are needed."""
        assert self._reference is not None
        pending = self._pending[self._reference]
        marks, period = self._marks, self._period
        sure, tolerance = int(period * SURE_TOLERANCE), int(period * MARK_TOLERANCE)
        mark, used = marks[-1], self._used
        while len(marks) <= self._cycles:
            expected = mark + period
            while used < len(pending) and pending[used] < expected - 2 * tolerance:
                used += 1
            # A crossing beyond the horizon is as good as unknown, or block sizes would show.
            crossing = pending[used] if used < len(pending) and pending[used] <= horizon else None
            if crossing is None or abs(crossing - expected) > sure:
                latest = expected + sure
                expected = self._expected()
                if crossing is None and horizon < max(latest, expected + tolerance):
                    self._used = used
                    return False
                if crossing is not None and crossing < expected - tolerance:
                    used += 1
                    continue
            if crossing is not None and crossing <= expected + tolerance:
                mark = crossing
                used += 1
                self._missed = 0
            else:
                mark = expected
                self._missed += 1
                self._predicted += 1
            marks.append(mark)
            if self._missed > MISSED_MARKS_MAX:
                self._give_up(spans)
                return True
        self._period = (mark - marks[0]) // self._cycles
        spans.append(
            Span(
                self._start,
                mark,
                WindowKind.WHOLE,
                self._cycles,
                self._period,
                tuple(marks),
                self._predicted,
                self._reference,
            )
        )
        self._begin(mark)
        return True

    def _expected(self) -> int:
        """Where the next mark should be by most of the last three: one that a dip has moved is outvoted."""
        last = [*self._trail, *self._marks][-3:]
        return median_low(mark + (len(last) - place) * self._period for place, mark in enumerate(last))

    def _begin(self, mark: int) -> None:
        """Start the next window at `mark` and forget the crossings that no search can want any more."""
        self._trail = self._marks[-3:-1]
        self._start, self._marks, self._predicted, self._used = mark, [mark], 0, 0
        self._forget(mark - 2 * self._longest)

    def _forget(self, before: int) -> None:
        for pending in self._pending:
            del pending[: bisect_left(pending, before)]

    def _give_up(self, spans: list[Span]) -> None:
        """The reference is gone: end the window at the last mark that was believed and look for another voltage."""
        believed = len(self._marks) - self._missed
        if believed > 1:
            self._predicted -= self._missed
            spans.append(self._partial(self._marks[believed - 1], self._marks[:believed]))
            self._start = self._marks[believed - 1]
        self._reference = None
        self._marks, self._trail = [], []
        self._missed = self._predicted = 0

    def _search(self, spans: list[Span], horizon: int) -> bool:
        """Let the nominal time run until a voltage can be locked. False: more samples are needed."""
        end = self._start + self._cycles * self._nominal
        found: tuple[int, int, int] | None = None
        for phase, pending in enumerate(self._pending):
            for first, second, third in zip(pending, pending[1:], pending[2:], strict=False):
                if third >= self._start + self._shortest and self._is_like(second - first, third - second):
                    if found is None or third < found[0]:
                        found = third, phase, (third - first) // 2
                    break
        if found is not None and found[0] <= min(end, horizon):
            at, self._reference, self._period = found
            spans.append(self._partial(at, [mark for mark in (at - self._period, at) if mark >= self._start]))
            self._begin(at)
            return True
        if horizon < end:
            return False
        self._period = self._nominal
        marks = tuple(range(self._start, end + 1, self._nominal))
        spans.append(Span(self._start, end, WindowKind.FREE, self._cycles, self._nominal, marks))
        self._start = end
        self._forget(end - 2 * self._longest)
        return True

    def _is_like(self, one: int, other: int) -> bool:
        """Two pieces of time that can be cycles of one voltage."""
        return self._shortest <= one <= self._longest and abs(other - one) <= one * MARK_TOLERANCE
