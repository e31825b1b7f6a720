"""Exact sums over a window whose ends lie between two samples.

The samples stand for a curve: through every four neighbours goes a cubic. The integral of that curve from one
position to another is a sum of all samples with weight one, except four beside each end, whose weights depend on
where between the samples the end lies. What the end of a window takes from a sample, the next window's start gives
back: the weights of neighbouring windows add to one on every sample, so that no energy is lost or counted twice.

All products of the inner samples are added as integers: 16-bit counts in float64, which holds the sums exactly, wider
ones in 64-bit integers. The bits of the result do not depend on processor, library or block size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wattwheel.metrology.crossing import TICKS_PER_SAMPLE
from wattwheel.metrology.fundamental import Probe

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wattwheel.metrology.calibration import Lag
    from wattwheel.metrology.history import Counts

    Floats = NDArray[np.float64]

EDGE_BEFORE, EDGE_AFTER = 1, 3
"""A window that begins and ends in samples k0 and k1 reads samples k0 - 1 up to k1 + 2."""

FLOAT_BITS_MAX = 16
"""Counts up to this width are multiplied and added in float64: 2**30 a product, below 2**23 products a window."""


def end_weights(fraction: float) -> tuple[float, float, float, float]:
    """Weights of the samples k-1..k+2 in an integral that runs up to the position k + `fraction` (all before: one)."""
    f2 = fraction * fraction
    f3 = f2 * fraction
    f4 = f2 * f2
    return (
        25.0 / 24.0 + (f3 - f2 - f4 / 4.0) / 6.0,
        0.5 + fraction + f4 / 8.0 - f3 / 3.0 - f2 / 4.0,
        f3 / 6.0 + f2 / 2.0 - f4 / 8.0 - 1.0 / 24.0,
        f4 / 24.0 - f2 / 12.0,
    )


class Sums:
    """What one window adds up to, in counts.

    Attributes:
        length: samples, with the fraction.
        first: sum of every channel, shape (channels,).
        second: sums of voltage squared, current squared and voltage times current, shape (3, phases).
        phasors: complex amplitude (rms) of the fundamental of every channel; None where there was no whole cycle.
    """

    __slots__ = ("first", "length", "phasors", "second")

    def __init__(self, length: float, first: Floats, second: Floats, phasors: NDArray[np.complex128] | None) -> None:
        self.length = length
        self.first = first
        self.second = second
        self.phasors = phasors


class Summer:
    """Adds windows up. Keeps its working memory, so that every window is computed at the same place.

    Channels are the voltages, the currents and perhaps the neutral current, in this order.
    """

    def __init__(self, phases: int, channels: int, bits: int, delays: tuple[tuple[Lag, ...] | None, ...]) -> None:
        self._phases = phases
        self._channels = channels
        self._delays = delays
        self._is_float = bits <= FLOAT_BITS_MAX
        self.margin = max((abs(lag.samples) for terms in delays if terms for lag in terms), default=0)
        self._probe = Probe()
        self._exact: NDArray[np.int64] = np.empty((channels, 0), np.int64)
        self._work: Floats = np.zeros((channels, 0))
        self._shifted: Floats | NDArray[np.int64] = np.empty(0)
        self._edge_products: Floats = np.empty((3, phases, 8))
        self._weights: Floats = np.empty(8)

    def sums(self, raw: Counts, start: int, end: int, fundamental_start: int, cycles: int) -> Sums:
        """Add up from `start` to `end` (ticks after the sample in column `margin + 1` of `raw`).

        `raw` holds the samples from `margin` + 1 before the one of `start` to `margin` + 2 after the one of `end`.
        """
        count = end // TICKS_PER_SAMPLE - start // TICKS_PER_SAMPLE
        work = self._load(raw, count)
        edges = self._edges(raw, self.margin, count)
        weights = self._weights
        weights[:4] = end_weights((start % TICKS_PER_SAMPLE) / TICKS_PER_SAMPLE)
        np.negative(weights[:4], out=weights[:4])
        weights[4:] = end_weights((end % TICKS_PER_SAMPLE) / TICKS_PER_SAMPLE)
        length = (end - start) / TICKS_PER_SAMPLE
        second = self._second(raw, work, edges, count)
        if cycles and fundamental_start == start:
            turn = cycles / length
            first, phasors = self._probe.both(work, count, edges, weights, turn)
            phasors *= 2**0.5 / length
            return Sums(length, first, second, phasors)
        first = work[:, :count].sum(axis=1) + (edges * weights).sum(axis=1)
        if not cycles:
            return Sums(length, first, second, None)
        skipped = fundamental_start // TICKS_PER_SAMPLE - start // TICKS_PER_SAMPLE
        weights[:4] = end_weights((fundamental_start % TICKS_PER_SAMPLE) / TICKS_PER_SAMPLE)
        np.negative(weights[:4], out=weights[:4])
        span = (end - fundamental_start) / TICKS_PER_SAMPLE
        later = raw[:, skipped:]
        rest = count - skipped
        _, phasors = self._probe.both(
            self._load(later, rest), rest, self._edges(later, self.margin, rest), weights, cycles / span
        )
        return Sums(length, first, second, phasors * (2**0.5 / span))

    def _load(self, raw: Counts, count: int) -> Floats:
        """The inner samples as float64, with zeros behind them up to a whole row of the probe."""
        room = self._probe.padded(count)
        if self._work.shape[1] < room:
            self._work = np.zeros((self._channels, room))
            self._exact = np.empty((self._channels, room), np.int64)
        self._work[:, :count] = raw[:, self.margin : self.margin + count]
        self._work[:, count:room] = 0.0
        return self._work

    @staticmethod
    def _edges(raw: Counts, margin: int, count: int) -> Floats:
        """The four samples beside either end as float64, shape (channels, 8)."""
        edges = np.empty((len(raw), 8))
        edges[:, :4] = raw[:, margin : margin + 4]
        edges[:, 4:] = raw[:, margin + count : margin + count + 4]
        return edges

    def _second(self, raw: Counts, work: Floats, edges: Floats, count: int) -> Floats:
        phases, products = self._phases, self._edge_products
        volts, amps = edges[:phases], edges[phases : 2 * phases]
        np.multiply(volts, volts, out=products[0])
        np.multiply(amps, amps, out=products[1])
        np.multiply(volts, amps, out=products[2])
        inner: Floats | NDArray[np.int64] = work
        if not self._is_float:
            inner = self._exact
            inner[:, :count] = raw[:, self.margin : self.margin + count]
        sums = np.empty((3, phases))
        for phase in range(phases):
            volt, amp = inner[phase, :count], inner[phases + phase, :count]
            terms = self._delays[phase]
            sums[0, phase], sums[1, phase] = volt.dot(volt), amp.dot(amp)
            sums[2, phase] = self._delayed(raw, phase, volt, terms) if terms else volt.dot(amp)
            if terms:
                products[2, phase] = volts[phase] * self._delayed_edges(raw, phase, terms, count)
        sums += (products * self._weights).sum(axis=2)
        return sums

    def _delayed(self, raw: Counts, phase: int, volt: Floats | NDArray[np.int64], terms: tuple[Lag, ...]) -> float:
        """Sum of the voltage times the delayed current: one exact sum a term."""
        count = len(volt)
        if len(self._shifted) < count:
            self._shifted = np.empty_like(volt)
        shifted = self._shifted[:count]
        total = 0.0
        for lag in terms:
            begin = self.margin - lag.samples
            shifted[:] = raw[self._phases + phase, begin : begin + count]
            total += lag.tap * float(volt.dot(shifted))
        return total

    def _delayed_edges(self, raw: Counts, phase: int, terms: tuple[Lag, ...], count: int) -> Floats:
        row = raw[self._phases + phase : self._phases + phase + 1]
        total = np.zeros(8)
        for lag in terms:
            total += lag.tap * self._edges(row, self.margin - lag.samples, count)[0]
        return total
