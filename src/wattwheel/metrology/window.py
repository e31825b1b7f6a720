"""Exact sums over a window whose ends lie between two samples.

The samples stand for a curve: through every four neighbours goes a cubic. The integral of that curve from one position
to another is a sum of all samples with weight one, except four beside each end, whose weights depend on where between
the samples the end lies. What the end of a window takes from a sample, the next window's start gives back: the weights
of neighbouring windows add to one on every sample, so that no energy is lost or counted twice.

All products of the inner samples are added as integers: 16-bit counts in float64, which holds the sums exactly, wider
ones in 64-bit integers. The bits of the result do not depend on block size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

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


def weights_at(ticks: int) -> tuple[float, float, float, float]:
    """`end_weights` of a position in ticks."""
    return end_weights(ticks % TICKS_PER_SAMPLE / TICKS_PER_SAMPLE)


class Sums(NamedTuple):
    """What one window adds up to, in counts.

    Attributes:
        length: samples, with the fraction.
        first: sum of every channel.
        squares_voltage, squares_current, products: sums of voltage squared, current squared and voltage times current,
            one a phase.
        lines: complex sum of every channel turned back by the fundamental; None where there was no whole cycle.
        lines_length: samples that `lines` was taken over.
    """

    length: float
    first: list[float]
    squares_voltage: list[float]
    squares_current: list[float]
    products: list[float]
    lines: list[complex] | None
    lines_length: float


class Summer:
    """Adds windows up. Keeps its working memory, so that every window is computed at the same place.

    Channels are the voltages, the currents and perhaps the neutral current, in this order. `delays` holds the terms
    that delay each phase's current against its voltage, None where there is nothing to delay.
    """

    def __init__(self, phases: int, channels: int, bits: int, delays: tuple[tuple[Lag, ...] | None, ...]) -> None:
        self._phases = phases
        self._channels = channels
        self._delays = delays
        self._is_float = bits <= FLOAT_BITS_MAX
        self.margin = max((abs(lag.samples) for terms in delays if terms for lag in terms), default=0)
        self._probe = Probe(channels)
        self._exact: NDArray[np.int64] = np.empty((channels, 0), np.int64)
        self._work: Floats = np.zeros((channels, 0))
        self._shifted: Floats | NDArray[np.int64] = np.empty(0)
        self._edges: Floats = np.empty((channels, 8))
        self._weighted: Floats = np.empty((channels, 8))
        self._edge_products: Floats = np.empty((3, phases, 8))
        self._weights: Floats = np.empty(8)

    def sums(self, raw: Counts, start: int, end: int, fundamental_start: int, cycles: int) -> Sums:
        """Add up from `start` to `end`, both in ticks.

        `raw` holds the samples from `margin` + 1 before the one of `start` to `margin` + 2 after the one of `end`.
        """
        count = end // TICKS_PER_SAMPLE - start // TICKS_PER_SAMPLE
        length = (end - start) / TICKS_PER_SAMPLE
        self._load(raw, count, start, end)
        second = self._second(raw, count)
        if cycles and fundamental_start == start:
            first, lines = self._probe.both(self._work, count, self._weighted, cycles / length)
            return Sums(length, first, *second, lines, length)
        first = (self._work[:, :count].sum(axis=1) + self._weighted.sum(axis=1)).tolist()
        if not cycles:
            return Sums(length, first, *second, None, length)
        skipped = fundamental_start // TICKS_PER_SAMPLE - start // TICKS_PER_SAMPLE
        self._load(raw[:, skipped:], count - skipped, fundamental_start, end)
        span = (end - fundamental_start) / TICKS_PER_SAMPLE
        _, lines = self._probe.both(self._work, count - skipped, self._weighted, cycles / span)
        return Sums(length, first, *second, lines, span)

    def _load(self, raw: Counts, count: int, start: int, end: int) -> None:
        """The inner samples as float64, with zeros up to a whole row of the probe behind them, and the ends."""
        room = self._probe.padded(count)
        if self._work.shape[1] < room:
            self._work = np.zeros((self._channels, room))
            self._exact = np.empty((self._channels, 0 if self._is_float else room), np.int64)
        margin, edges, weights = self.margin, self._edges, self._weights
        self._work[:, :count] = raw[:, margin : margin + count]
        self._work[:, count:room] = 0.0
        edges[:, :4] = raw[:, margin : margin + 4]
        edges[:, 4:] = raw[:, margin + count : margin + count + 4]
        before, behind = weights_at(start), weights_at(end)
        weights[:] = (-before[0], -before[1], -before[2], -before[3], *behind)
        np.multiply(edges, weights, out=self._weighted)

    def _second(self, raw: Counts, count: int) -> tuple[list[float], list[float], list[float]]:
        """Sums of squares of voltage and current, and of products, phase by phase."""
        phases, edge_products = self._phases, self._edge_products
        edges, weighted = self._edges, self._weighted
        np.multiply(
            weighted[: 2 * phases].reshape(2, phases, 8),
            edges[: 2 * phases].reshape(2, phases, 8),
            out=edge_products[:2],
        )
        np.multiply(weighted[:phases], edges[phases : 2 * phases], out=edge_products[2])
        inner: Floats | NDArray[np.int64] = self._work
        if not self._is_float:
            inner = self._exact
            inner[:, :count] = raw[:, self.margin : self.margin + count]
        for phase, terms in enumerate(self._delays):
            if terms:
                edge_products[2, phase] = weighted[phase] * self._delayed_edges(raw, phase, terms, count)
        squares_voltage, squares_current, products = edge_products.sum(axis=2).tolist()
        for phase, terms in enumerate(self._delays):
            volt, amp = inner[phase, :count], inner[phases + phase, :count]
            squares_voltage[phase] += float(volt.dot(volt))
            squares_current[phase] += float(amp.dot(amp))
            products[phase] += self._delayed(raw, phase, volt, terms) if terms else float(volt.dot(amp))
        return squares_voltage, squares_current, products

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
        row = raw[self._phases + phase].astype(np.float64)
        total = np.zeros(8)
        for lag in terms:
            begin = self.margin - lag.samples
            total[:4] += lag.tap * row[begin : begin + 4]
            total[4:] += lag.tap * row[begin + count : begin + count + 4]
        return total
