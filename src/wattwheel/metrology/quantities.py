"""What a window says: powers at once, everything for display only when it is asked for."""

from __future__ import annotations

import cmath
import math
from functools import cached_property
from operator import mul
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from wattwheel.metrology.crossing import TICKS_PER_SAMPLE
from wattwheel.metrology.cycles import Span, WindowKind
from wattwheel.metrology.fundamental import Probe, harmonics, is_reversed, unbalance
from wattwheel.metrology.window import EDGE_AFTER, weights_at
from wattwheel.metrology.wiring import THREE_WIRE_APPARENT_SHARE, Rating, Wiring

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wattwheel.metrology.history import Counts
    from wattwheel.metrology.window import Sums

HARMONIC_ORDER_MAX = 40
"""Highest order that counts for the distortion, if the sample rate carries it."""

NYQUIST_SHARE = 0.95
"""Orders above this share of half the sample rate are left out."""

PICTURE_POINTS = 64
"""Points of an oscilloscope picture: one cycle."""

PICTURE_PEAK = 32767
"""Largest count in an oscilloscope picture."""


class Scales(NamedTuple):
    """Physical value of one count, gain included, and turn of the delay, channel by channel."""

    rate_hz: float
    wiring: Wiring
    rating: Rating
    volts: tuple[float, ...]
    amperes: tuple[float, ...]
    neutral_a: float | None
    margin: int  # samples in front of a window's first one that its raw view holds, less one

    @property
    def factors(self) -> tuple[float, ...]:
        """Volts or amperes a count of every channel."""
        return (*self.volts, *self.amperes, *(() if self.neutral_a is None else (self.neutral_a,)))


class Picture(NamedTuple):
    """One cycle for an oscilloscope, `PICTURE_POINTS` points a trace; value = count * factor.

    `voltage` and `current` hold one trace a metered phase, in counts within +-`PICTURE_PEAK`.
    """

    voltage: tuple[tuple[int, ...], ...]
    current: tuple[tuple[int, ...], ...]
    voltage_v_per_count: tuple[float, ...]
    current_a_per_count: tuple[float, ...]


class Window:
    """One window's result.

    Tuples hold one value a metered phase. RMS values and powers are without DC, which has its own. Reactive power is
    that of the fundamental, positive when the current lags.

    Attributes:
        span: where it lies, and of what kind it is.
        duration_s: its length.
        active_power_w: mean of voltage times current.
        reactive_power_var: of the fundamental; 0 where the window holds no whole cycle.
        phasors: fundamental of every channel (voltages, currents, neutral), complex rms values, delays applied; None
            where the window holds no whole cycle.
    """

    def __init__(
        self,
        span: Span,
        scales: Scales,
        sums: Sums,
        means: list[float],
        powers: tuple[list[float], list[float]],
        phasors: list[complex] | None,
        raw: Counts,
    ) -> None:
        self.span = span
        self.duration_s = sums.length / scales.rate_hz
        self.active_power_w, self.reactive_power_var = powers
        self.phasors = phasors
        self._scales = scales
        self._sums = sums
        self._means = means
        self._raw = raw

    @property
    def wiring(self) -> Wiring:
        """How the meter is connected."""
        return self._scales.wiring

    @property
    def rating(self) -> Rating:
        """The type plate of the meter."""
        return self._scales.rating

    @property
    def is_displayable(self) -> bool:
        """False for a partial window: its energy counts, its RMS values and frequency are not for display."""
        return self.span.kind is not WindowKind.PARTIAL

    @property
    def frequency_hz(self) -> float | None:
        """Cycles by time, None without a voltage to follow."""
        if self.span.reference is None or not self.span.cycles:
            return None
        ticks = self.span.end - self.span.fundamental_start
        return self.span.cycles * self._scales.rate_hz * TICKS_PER_SAMPLE / ticks

    def _rms(self, squares: list[float], factors: tuple[float, ...], first: int) -> tuple[float, ...]:
        length, totals, means = self._sums.length, self._sums.first[first:], self._means[first:]
        places = zip(factors, squares, totals, means, strict=False)
        powers = [(f, (square - mean * (2.0 * total - mean * length)) / length) for f, square, total, mean in places]
        return tuple([abs(factor) * math.sqrt(power) if power > 0.0 else 0.0 for factor, power in powers])

    @cached_property
    def voltage_v_rms(self) -> tuple[float, ...]:
        """RMS voltages, without DC."""
        return self._rms(self._sums.squares_voltage, self._scales.volts, 0)

    @cached_property
    def current_a_rms(self) -> tuple[float, ...]:
        """RMS currents, without DC."""
        return self._rms(self._sums.squares_current, self._scales.amperes, len(self._scales.volts))

    @property
    def voltage_v_dc(self) -> tuple[float, ...]:
        """Mean voltages."""
        totals = self._sums.first
        return tuple(f * total / self._sums.length for f, total in zip(self._scales.volts, totals, strict=False))

    @property
    def current_a_dc(self) -> tuple[float, ...]:
        """Mean currents."""
        totals = self._sums.first[len(self._scales.volts) :]
        return tuple(f * total / self._sums.length for f, total in zip(self._scales.amperes, totals, strict=False))

    @property
    def apparent_power_va(self) -> tuple[float, ...]:
        """RMS voltage times RMS current."""
        return tuple(map(mul, self.voltage_v_rms, self.current_a_rms))

    @property
    def power_factor(self) -> tuple[float | None, ...]:
        """Active by apparent power, signed as the active; None without apparent power."""
        powers = zip(self.active_power_w, self.apparent_power_va, strict=True)
        return tuple(p / s if s > 0.0 else None for p, s in powers)

    @property
    def total_active_power_w(self) -> float:
        """Algebraic sum of the elements."""
        return sum(self.active_power_w)

    @property
    def total_absolute_active_power_w(self) -> float:
        """Sum of the elements' magnitudes."""
        return sum(map(abs, self.active_power_w))

    @property
    def total_reactive_power_var(self) -> float:
        """Algebraic sum of the elements."""
        return sum(self.reactive_power_var)

    @property
    def total_apparent_power_va(self) -> float:
        """Arithmetic sum of the phases; of a 3-wire meter the elements' sum times cos 30 degrees."""
        total = sum(self.apparent_power_va)
        return total * THREE_WIRE_APPARENT_SHARE if self.wiring is Wiring.THREE_WIRE else total

    @property
    def voltage_phasors(self) -> list[complex] | None:
        """Fundamental voltages; the three line voltages a-b, b-c, c-a of a 3-wire meter."""
        if self.phasors is None:
            return None
        phases = len(self._scales.volts)
        if self.wiring is Wiring.THREE_WIRE:
            ab, cb = self.phasors[:2]
            return [ab, -cb, cb - ab]
        return self.phasors[:phases]

    @property
    def current_phasors(self) -> list[complex] | None:
        """Fundamental currents; all three line currents of a 3-wire meter."""
        if self.phasors is None:
            return None
        phases = len(self._scales.volts)
        if self.wiring is Wiring.THREE_WIRE:
            a, c = self.phasors[2:4]
            return [a, -a - c, c]
        return self.phasors[phases : 2 * phases]

    @property
    def is_sequence_reversed(self) -> bool:
        """True when the voltages turn a-c-b; needs all of them."""
        phasors = self.voltage_phasors
        if phasors is None or len(phasors) != 3:
            return False
        dead = self.rating.interruption_share * self.rating.reference_voltage_v
        return min(self.voltage_v_rms) >= dead and is_reversed(phasors)

    @property
    def voltage_unbalance(self) -> float | None:
        """Negative over positive sequence component, None of a single phase."""
        phasors = self.voltage_phasors
        return unbalance(phasors) if phasors is not None and len(phasors) == 3 else None

    @property
    def current_unbalance(self) -> float | None:
        """Negative over positive sequence component, None of a single phase."""
        phasors = self.current_phasors
        return unbalance(phasors) if phasors is not None and len(phasors) == 3 else None

    @cached_property
    def neutral_a_rms(self) -> float | None:
        """Neutral current without DC: measured where there is a channel, else the sum of three phases; otherwise
        None."""
        scales, phases = self._scales, len(self._scales.volts)
        if scales.neutral_a is None and self.wiring is not Wiring.FOUR_WIRE:
            return None
        samples, weights = self._weighted()
        if scales.neutral_a is not None:
            row = samples[2 * phases] * scales.neutral_a
        else:
            row = np.array(scales.amperes) @ samples[phases : 2 * phases]
        mean = float((row * weights).sum()) / self._sums.length
        square = float((row * row * weights).sum()) / self._sums.length
        return math.sqrt(max(0.0, square - mean * mean))

    def _weighted(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Every sample that touches the window, and its weight."""
        margin, span = self._scales.margin, self.span
        count = span.end // TICKS_PER_SAMPLE - span.start // TICKS_PER_SAMPLE
        samples = self._raw[:, margin : margin + count + 4].astype(np.float64)
        weights = np.zeros(count + 4)
        weights[:count] = 1.0
        weights[:4] -= weights_at(span.start)
        weights[count:] += weights_at(span.end)
        return samples, weights

    @cached_property
    def harmonics(self) -> NDArray[np.complex128] | None:
        """Complex rms of the orders 1..40 (fewer at low sample rates) of every channel in V or A, DC left out.

        Shape (channels, orders); delays of the calibration are not applied. None unless the window is whole cycles.
        """
        span, scales = self.span, self._scales
        if not self.is_displayable:
            return None
        count = span.end // TICKS_PER_SAMPLE - span.start // TICKS_PER_SAMPLE
        turns = span.cycles / self._sums.length
        orders = min(HARMONIC_ORDER_MAX, int(NYQUIST_SHARE * 0.5 / turns))
        raw = self._raw[:, scales.margin : scales.margin + count + 4]
        work = np.zeros((len(raw), Probe.padded(count)))
        work[:, :count] = raw[:, :count]
        edges = np.concatenate((raw[:, :4], raw[:, count : count + 4]), axis=1).astype(np.float64)
        weights = np.array((*weights_at(span.start), *weights_at(span.end)))
        weights[:4] *= -1.0
        lines = harmonics(work, count, edges, weights, turns, orders)
        return np.asarray(lines * (math.sqrt(2.0) / self._sums.length) * np.array(scales.factors)[:, None])

    def _distortion(self, first: int) -> tuple[float | None, ...]:
        phases = len(self._scales.volts)
        if self.harmonics is None:
            return (None,) * phases
        lines = np.abs(self.harmonics[first : first + phases])
        rest = np.sqrt((lines[:, 1:] ** 2).sum(axis=1))
        return tuple(r / f if f > 0.0 else None for r, f in zip(rest.tolist(), lines[:, 0].tolist(), strict=True))

    @property
    def thd_voltage(self) -> tuple[float | None, ...]:
        """Harmonics of the voltages, orders 2 to 40, over the fundamental."""
        return self._distortion(0)

    @property
    def thd_current(self) -> tuple[float | None, ...]:
        """Harmonics of the currents, orders 2 to 40, over the fundamental."""
        return self._distortion(len(self._scales.volts))

    def picture(self) -> Picture:
        """The last cycle of the window that begins with the first voltage's rising zero crossing, for an oscilloscope.

        Without a fundamental of that voltage: the last cycle.
        """
        scales, span = self._scales, self.span
        period = min(span.period, span.end - span.start)
        begin = span.end - period - (span.start // TICKS_PER_SAMPLE) * TICKS_PER_SAMPLE
        if self.phasors is not None and self.phasors[0] and span.kind is WindowKind.WHOLE:
            # Phasors count from the sample before the window's first; what rises through zero there is at -90 degrees.
            turns = -cmath.phase(self.phasors[0]) / (2.0 * math.pi) - 0.25
            crossing = (round(turns * period) - TICKS_PER_SAMPLE) % period
            if begin >= crossing:
                begin -= (begin - crossing) % period
        at = (begin + np.arange(PICTURE_POINTS) * (period / PICTURE_POINTS)) / TICKS_PER_SAMPLE + scales.margin + 1
        low = max(0, int(at[0]) - 1)
        samples = self._raw[:, low : int(at[-1]) + EDGE_AFTER]
        grid = np.arange(low, low + samples.shape[1])
        phases = len(scales.volts)
        traces = [np.interp(at, grid, row) for row in samples[: 2 * phases]]
        peaks = [max(1.0, float(np.abs(trace).max())) / PICTURE_PEAK for trace in traces]
        counts = [tuple(np.rint(trace / peak).astype(int).tolist()) for trace, peak in zip(traces, peaks, strict=True)]
        factors = [peak * scale for peak, scale in zip(peaks, (*scales.volts, *scales.amperes), strict=True)]
        return Picture(tuple(counts[:phases]), tuple(counts[phases:]), tuple(factors[:phases]), tuple(factors[phases:]))


def angle_deg(phasor: complex) -> float:
    """Angle of a phasor, 0 to below 360 degrees."""
    return math.degrees(cmath.phase(phasor)) % 360.0
