"""Rising zero crossings of a voltage, to a millionth of a sample, the same for every block size.

The raw counts are summed in groups (to about 2.5 kHz), smoothed by a Hann window one nominal cycle long, which lets
the fundamental through and has its zeros on the harmonics, and freed of DC by subtracting the neighbours half a cycle
before and after. All of it is done with integer weights small enough that float64 holds every sum exactly: the order
of additions, and with it the processor and the block size, cannot change a bit. Between the two samples around a
crossing the smoothed voltage is a sine; its zero is found by arc tangents, which stays good down to eight samples a
cycle. The filter is symmetrical, so its delay is constant and is subtracted.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wattwheel.metrology.history import History

    Floats = NDArray[np.float64]

TICKS_PER_SAMPLE = 1 << 20
"""Positions are integers: 2**20 to a sample."""

SMOOTHED_RATE_HZ = 2500.0
"""Samples are summed in groups down to this rate or a little above."""

TAP_SCALE = 1 << 16
"""Integer weights of the Hann window: 24-bit counts x group x weights x taps stay below 2**53."""

ARC_TANGENT = tuple((-1) ** n / (2 * n + 1) for n in range(1, 9))
"""Series behind x: good to a millionth at six samples a cycle, to the last bit at fifty. Plain additions and
multiplications, because library functions may round differently in differently long arrays."""


class CrossingFilter:
    """The smoothing filter for one sample rate and nominal frequency, shared by all voltages."""

    def __init__(self, rate_hz: float, nominal_hz: float) -> None:
        self.group = max(1, int(rate_hz // SMOOTHED_RATE_HZ))
        cycle = rate_hz / self.group / nominal_hz
        reach = math.ceil(cycle / 2.0) - 1
        at = np.arange(-reach, reach + 1)
        self.taps: Floats = np.rint(TAP_SCALE * 0.5 * (1.0 + np.cos(2.0 * np.pi * at / cycle)))
        self.half = round(cycle / 2.0)
        self.memory = 2 * reach + 2 * self.half  # groups before the newest that one output needs
        step = 2.0 * math.pi / cycle
        self.half_step_sin_squared = math.sin(step / 2.0) ** 2
        raw_step = step / self.group
        summing = math.sin(step / 2.0) / math.sin(raw_step / 2.0)
        smoothing = float(np.sum(self.taps * np.cos(step * at)))
        self.gain = summing * smoothing * 2.0 * (1.0 - math.cos(step * self.half))
        # From the middle of the newest group back to the instant that the output stands for.
        self.delay_ticks = self.memory * self.group * TICKS_PER_SAMPLE // 2

    def smooth(self, groups: Floats) -> Floats:
        """Smoothed voltage without DC; `memory` values shorter than `groups`. Exact integers."""
        one = np.correlate(groups, self.taps, "valid")
        half = self.half
        return 2.0 * one[half : len(one) - half] - one[: len(one) - 2 * half] - one[2 * half :]

    def part_of_step(self, y0: Floats, y1: Floats, y2: Floats, y3: Floats) -> Floats:
        """Where between y1 and y2 (0..1) the sine through four neighbours is zero.

        The outer difference over the inner one is 3 - 4 sin^2 of half a step, whatever the phase; the middle over half
        the inner difference is the tangent of the angle from the middle of the step to the zero over that of half a
        step.
        """
        inner = y2 - y1
        nominal = self.half_step_sin_squared
        square = np.clip((3.0 - (y3 - y0) / inner) / 4.0, 0.5 * nominal, min(2.0 * nominal, 0.5))
        half_step = np.sqrt(square / (1.0 - square))
        return np.asarray(0.5 - 0.5 * _arc_tangent((y2 + y1) / inner * half_step) / _arc_tangent(half_step))


def _arc_tangent(x: Floats) -> Floats:
    square = x * x
    series = square * ARC_TANGENT[-1]
    for factor in ARC_TANGENT[-2::-1]:
        series = (series + factor) * square
    return np.asarray(x + x * series)


class CrossingTracker:
    """Finds the rising zero crossings of one channel as the samples come in.

    Attributes:
        horizon_ticks: every crossing up to this position has been reported.
    """

    def __init__(self, kernel: CrossingFilter, channel: int, arming_counts: float) -> None:
        self._kernel = kernel
        self._channel = channel
        self._arming = -arming_counts * kernel.gain  # a crossing counts only after the voltage was below this
        self._ones = np.ones(kernel.group)
        self.restart(0)

    def restart(self, first: int) -> None:
        """Begin anew with the sample of absolute number `first`."""
        self._next = first
        self._groups: Floats = np.empty(0)
        self._line: Floats = np.empty(0)  # the three newest outputs
        self._lowest = 0.0  # lowest output since the newest rising one
        self.horizon_ticks = first * TICKS_PER_SAMPLE

    def feed(self, history: History) -> list[int]:
        """Positions, in ticks, of the crossings that the samples new in `history` complete."""
        kernel = self._kernel
        count = (history.end - self._next) // kernel.group
        if count <= 0:
            return []
        stop = self._next + count * kernel.group
        fresh = history.view(self._next, stop)[self._channel].astype(np.float64)
        groups = fresh.reshape(count, kernel.group) @ self._ones if kernel.group > 1 else fresh
        groups = np.concatenate((self._groups, groups))
        self._next = stop
        if len(groups) <= kernel.memory:
            self._groups = groups
            return []
        self._groups = groups[len(groups) - kernel.memory :]
        return self._crossings(kernel.smooth(groups))

    def _crossings(self, smoothed: Floats) -> list[int]:
        kernel = self._kernel
        group_ticks = kernel.group * TICKS_PER_SAMPLE
        newest = (self._next - kernel.group) * TICKS_PER_SAMPLE + (group_ticks - TICKS_PER_SAMPLE) // 2
        newest -= kernel.delay_ticks
        line = np.concatenate((self._line, smoothed))
        self._line = line[-3:]
        if len(line) < 4:
            return []
        self.horizon_ticks = newest - group_ticks
        # A crossing lies between `inner` and its right neighbour; both have another neighbour outside.
        inner = line[1:-2]
        rising = np.flatnonzero((line[2:-1] >= 0.0) & (inner < 0.0))
        if not len(rising):
            self._lowest = min(self._lowest, float(inner.min()))
            return []
        lowest = np.minimum.reduceat(np.append(inner, 0.0), np.concatenate(((0,), rising + 1)))
        lowest[0] = min(lowest[0], self._lowest)
        self._lowest = float(lowest[-1])
        rising = rising[lowest[:-1] < self._arming]
        parts = kernel.part_of_step(line[rising], line[rising + 1], line[rising + 2], line[rising + 3])
        ticks = (rising + 1) * group_ticks + np.rint(parts * group_ticks).astype(np.int64)
        origin = newest - (len(line) - 1) * group_ticks
        return [origin + at for at in ticks.tolist()]
