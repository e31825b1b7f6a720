"""Rising zero crossings of a voltage, to a millionth of a sample, the same for every block size.

The raw counts are summed in groups (to about 2.5 kHz), smoothed by a Hann window one nominal cycle long, which lets
the fundamental through and has its zeros on the harmonics, and freed of DC by subtracting the neighbours half a cycle
before and after. All of it is done with integer weights small enough that float64 holds every sum exactly: the order
of additions, and with it the processor and the block size, cannot change a bit. Between the two samples around a
crossing the smoothed voltage is a sine; its zero is found by an arc tangent, which stays good down to eight samples a
cycle. The filter is symmetrical, so its delay is constant and is subtracted.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wattwheel.metrology.history import History

TICKS_PER_SAMPLE = 1 << 20
"""Positions are integers: 2**20 to a sample."""

SMOOTHED_RATE_HZ = 2500.0
"""Samples are summed in groups down to this rate or a little above."""

TAP_SCALE = 1 << 16
"""Integer weights of the Hann window: 24-bit counts x group x weights x taps stay below 2**53."""

ARC_TANGENT = tuple((-1) ** n / (2 * n + 1) for n in range(1, 9))
"""Series behind x: good to 3e-7 for the tangent of half a step at six samples a cycle, to the last bit at fifty. Plain
additions and multiplications, because library functions may round differently in differently long arrays."""


class CrossingFilter:
    """The smoothing filter for one sample rate and nominal frequency, shared by all voltages."""

    def __init__(self, rate_hz: float, nominal_hz: float) -> None:
        self.group = max(1, int(rate_hz // SMOOTHED_RATE_HZ))
        cycle = rate_hz / self.group / nominal_hz
        reach = math.ceil(cycle / 2.0) - 1
        at = np.arange(-reach, reach + 1)
        self.taps: NDArray[np.float64] = np.rint(TAP_SCALE * 0.5 * (1.0 + np.cos(2.0 * np.pi * at / cycle)))
        self.half = round(cycle / 2.0)
        self.memory = 2 * reach + 2 * self.half  # groups before the newest that one output needs
        step = 2.0 * math.pi / cycle
        self.step_rad, self.half_step_tan = step, math.tan(step / 2.0)
        raw_step = step / self.group
        summing = math.sin(step / 2.0) / math.sin(raw_step / 2.0)
        smoothing = float(np.sum(self.taps * np.cos(step * at)))
        self.gain = summing * smoothing * 2.0 * (1.0 - math.cos(step * self.half))
        # From the middle of the newest group back to the instant that the output stands for.
        self.delay_ticks = self.memory * self.group * TICKS_PER_SAMPLE // 2

    def smooth(self, groups: NDArray[np.float64]) -> NDArray[np.float64]:
        """Smoothed voltage without DC; `memory` values shorter than `groups`. Exact integers."""
        one = np.correlate(groups, self.taps, "valid")
        half = self.half
        return 2.0 * one[half : len(one) - half] - one[: len(one) - 2 * half] - one[2 * half :]


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
        self._groups: NDArray[np.float64] = np.empty(0)
        self._last = 0.0
        self._lowest = 0.0
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

    def _crossings(self, smoothed: NDArray[np.float64]) -> list[int]:
        kernel = self._kernel
        half_group = (kernel.group - 1) * TICKS_PER_SAMPLE // 2
        group_ticks = kernel.group * TICKS_PER_SAMPLE
        # Position of the first new output, one group before the carried one's successor.
        newest = (self._next - kernel.group) * TICKS_PER_SAMPLE + half_group - kernel.delay_ticks
        origin = newest - (len(smoothed) - 1) * group_ticks
        self.horizon_ticks = newest
        line = np.concatenate(((self._last,), smoothed))
        self._last = float(line[-1])
        rising = np.flatnonzero((line[1:] >= 0.0) & (line[:-1] < 0.0))
        if not len(rising):
            self._lowest = min(self._lowest, float(line.min()))
            return []
        lowest = np.minimum.reduceat(line, np.concatenate(((0,), rising + 1)))
        lowest[0] = min(lowest[0], self._lowest)
        self._lowest = float(lowest[-1])
        rising = rising[lowest[:-1] < self._arming]
        before, after = line[rising], line[rising + 1]
        # A sine passes through both. Its zero lies off the middle between them by the arc tangent of this.
        x = (after + before) / (after - before) * kernel.half_step_tan
        square = x * x
        series = square * ARC_TANGENT[-1]
        for factor in ARC_TANGENT[-2::-1]:
            series = (series + factor) * square
        parts = 0.5 - (x + x * series) / kernel.step_rad
        ticks = (rising - 1) * group_ticks + np.rint(parts * group_ticks).astype(np.int64)
        return [origin + at for at in ticks.tolist()]
