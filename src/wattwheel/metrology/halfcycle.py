"""RMS over one cycle, renewed every half cycle, and the dips, swells and interruptions it shows (IEC 61000-4-30).

The half cycles follow a straight line through the window's cycle marks, laid by medians: around the edge of a dip the
smoothed crossings are milliseconds off, and a line through them all would be bent. All phases share the marks of the
reference.
"""

from __future__ import annotations

from collections import deque
from enum import StrEnum
from statistics import median_low
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np

from wattwheel.metrology.crossing import TICKS_PER_SAMPLE
from wattwheel.metrology.window import EDGE_AFTER, EDGE_BEFORE, end_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wattwheel.metrology.cycles import Span
    from wattwheel.metrology.history import History
    from wattwheel.metrology.quantities import Scales

    Floats = NDArray[np.float64]

EVENTS_MAX = 64
"""Finished events that wait to be taken; the oldest give way and are counted."""

SERIES_MAX = 4096
"""Half-cycle values that wait to be taken; the oldest give way."""

STEADY_SHARE = 0.003
"""Marks within this share of a period carry the line of the window before on."""

STRAIGHT_SHARE = 0.0003
"""When no mark is farther than this share of a period off the line from the first to the last, that is the line."""

STEADY_MARKS_MIN = 4
"""With so many of them the others, moved by a dip, do not matter."""


class Limits(NamedTuple):
    """Thresholds as shares of the reference voltage."""

    dip: float = 0.9
    swell: float = 1.1
    interruption: float = 0.05
    hysteresis: float = 0.02


class EventKind(StrEnum):
    """What happened to a voltage."""

    DIP = "dip"
    SWELL = "swell"
    INTERRUPTION = "interruption"  # a dip that went below the interruption threshold


class HalfCycle(NamedTuple):
    """One value of the series: RMS of the cycle around `at` (ticks, its middle), one voltage a metered phase."""

    at: int
    voltage_v_rms: tuple[float, ...]


class VoltageEvent(NamedTuple):
    """A finished dip, swell or interruption of one phase.

    Attributes:
        phase: place among the metered phases.
        kind: what it was.
        start: position in ticks.
        half_cycles: how long; multiply by half a period for the time.
        duration_s: the same as time.
        extreme_v_rms: lowest value of a dip, highest of a swell.
    """

    phase: int
    kind: EventKind
    start: int
    half_cycles: int
    duration_s: float
    extreme_v_rms: float


class _Open(NamedTuple):
    is_swell: bool
    start: int
    half_cycles: int
    extreme: float


class HalfCycles:
    """Series and events of all voltages. Hand it to the chain, which calls `restart` and `take`.

    Attributes:
        series: the newest values, oldest first; take what you want off it.
        events: finished events, oldest first.
        events_dropped: events that nobody took in time.
    """

    def __init__(self, limits: Limits = Limits()) -> None:  # noqa: B008 - a frozen value
        self._limits = limits
        self.series: deque[HalfCycle] = deque(maxlen=SERIES_MAX)
        self.events: deque[VoltageEvent] = deque()
        self.events_dropped = 0
        self.restart()

    def restart(self) -> None:
        """Samples were lost: begin anew. An event that was open is given up, its end was not seen."""
        self._last: int | None = None  # where the newest half cycle ended
        self._half: tuple[Floats, Floats] | None = None  # its squares added up, and its samples
        self._open: dict[int, _Open] = {}
        self._line: _Line | None = None

    def open_phases(self) -> dict[int, EventKind]:
        """Phases whose voltage is outside of its limits now."""
        return {phase: EventKind.SWELL if event.is_swell else EventKind.DIP for phase, event in self._open.items()}

    def take(self, history: History, span: Span, scales: Scales) -> None:
        """Work the half cycles up to the end of `span` off."""
        ends = self._half_cycle_ends(span)
        if not ends:
            return
        if self._last is None:
            self._last = ends.pop(0)
            if not ends:
                return
        positions = [self._last, *ends]
        squares = self._squares(positions, history, len(scales.volts))
        lengths = np.diff(np.array(positions) - positions[0]) / TICKS_PER_SAMPLE
        starts = positions[:-1]
        if self._half is not None:
            squares = np.concatenate((self._half[0], squares), axis=1)
            lengths = np.concatenate((self._half[1], lengths))
        else:
            del starts[0]
        means = (squares[:, 1:] + squares[:, :-1]) / (lengths[1:] + lengths[:-1])
        volts = np.sqrt(np.maximum(means, 0.0)) * np.abs(np.array(scales.volts))[:, None]
        self._half = squares[:, -1:], lengths[-1:]
        self._last = ends[-1]
        values = [HalfCycle(at, row) for at, row in zip(starts, map(tuple, volts.T.tolist()), strict=True)]
        self.series += values
        reference = scales.rating.reference_voltage_v
        is_calm = (volts >= self._limits.dip * reference).all() and (volts <= self._limits.swell * reference).all()
        if self._open or not is_calm:
            half_s = float(lengths[-1]) / scales.rate_hz
            for value in values:
                self._note(value, half_s, reference)

    def _half_cycle_ends(self, span: Span) -> list[int]:
        self._line = _line(span, self._line)
        period, origin = self._line
        first = self._last + period // 4 if self._last is not None else span.start
        index = max(0, -(-2 * (first - origin) // period))
        ends = []
        while (end := origin + index * period // 2) <= span.end:
            if end > first:
                ends.append(end)
            index += 1
        return ends

    @staticmethod
    def _squares(positions: list[int], history: History, phases: int) -> Floats:
        """Squares of the voltages, in counts, from each position to the next; shape (phases, positions - 1)."""
        first = positions[0] // TICKS_PER_SAMPLE - EDGE_BEFORE
        stop = positions[-1] // TICKS_PER_SAMPLE + EDGE_AFTER
        samples = history.view(first, stop)[:phases].astype(np.float64)
        np.square(samples, out=samples)
        at = np.array([position - first * TICKS_PER_SAMPLE for position in positions])
        place, fraction = at // TICKS_PER_SAMPLE, at % TICKS_PER_SAMPLE / TICKS_PER_SAMPLE
        weights = np.array(end_weights(cast("float", fraction)))  # four weights a position
        beside = samples[:, place + np.arange(-1, 3)[:, None]]
        borders = (beside * weights).sum(axis=1)
        inner = np.add.reduceat(samples[:, : place[-1] - 1], place[:-1] - 1, axis=1)
        return np.asarray(inner + borders[:, 1:] - borders[:, :-1])

    def _note(self, value: HalfCycle, half_s: float, reference: float) -> None:
        """Open, carry on and finish the events of every phase."""
        limits = self._limits
        for phase, volts in enumerate(value.voltage_v_rms):
            share = volts / reference
            event = self._open.get(phase)
            if event is None:
                if share < limits.dip or share > limits.swell:
                    self._open[phase] = _Open(share > limits.swell, value.at, 1, volts)
            elif self._is_over(event, share):
                del self._open[phase]
                self._finish(phase, event, half_s, reference)
            else:
                extreme = max(event.extreme, volts) if event.is_swell else min(event.extreme, volts)
                self._open[phase] = event._replace(half_cycles=event.half_cycles + 1, extreme=extreme)

    def _is_over(self, event: _Open, share: float) -> bool:
        limits = self._limits
        if event.is_swell:
            return share <= limits.swell - limits.hysteresis
        return share >= limits.dip + limits.hysteresis

    def _finish(self, phase: int, event: _Open, half_s: float, reference: float) -> None:
        kind = EventKind.SWELL if event.is_swell else EventKind.DIP
        if kind is EventKind.DIP and event.extreme < self._limits.interruption * reference:
            kind = EventKind.INTERRUPTION
        if len(self.events) == EVENTS_MAX:
            self.events.popleft()
            self.events_dropped += 1
        self.events.append(
            VoltageEvent(phase, kind, event.start, event.half_cycles, event.half_cycles * half_s, event.extreme)
        )


class _Line(NamedTuple):
    """Cycle ends as a straight line: `origin` + n x `period`, in ticks."""

    period: int
    origin: int


def _line(span: Span, before: _Line | None) -> _Line:
    """The straight line through a window's marks; those that carry the line of the window before on come first."""
    first, cycles = (span.marks or (span.start,))[0], len(span.marks) - 1
    if cycles > 1:
        straight, slack = (span.marks[-1] - first) // cycles, span.period * STRAIGHT_SHARE
        if all(abs(mark - first - place * straight) <= slack for place, mark in enumerate(span.marks)):
            return _Line(straight, first)
    marks = list(enumerate(span.marks))
    if before is not None:
        half = before.period // 2
        off = [abs((mark - before.origin + half) % before.period - half) for _, mark in marks]
        steady = [entry for entry, away in zip(marks, off, strict=True) if away <= before.period * STEADY_SHARE]
        if len(steady) >= STEADY_MARKS_MIN:
            marks = steady
    reach = len(span.marks) // 2
    slopes = [
        (late - early) // (far - near)
        for place, (near, early) in enumerate(marks)
        for far, late in marks[place + 1 :]
        if far - near >= reach
    ]
    if not slopes:
        return _Line(span.period, first)
    period = median_low(slopes)
    return _Line(period, median_low(mark - index * period for index, mark in marks))
