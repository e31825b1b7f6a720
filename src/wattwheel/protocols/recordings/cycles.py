"""Where the cycles of a voltage or current lie: frequency and rising zero crossings of the fundamental.

The signal is turned down by its own frequency and averaged over one cycle twice, so harmonics, DC and steps of the
samples do not move the crossings; this holds from 6 samples a cycle on, and with sample steps that vary.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SEARCH_HZ = (40.0, 70.0)
"""Where the fundamental is looked for when the recording does not state the line frequency."""

SAMPLES_PER_CYCLE_MIN = 6.0
"""Slower sampling carries no waveform worth metering."""

FUNDAMENTAL_SHARE_MIN = 0.1
"""Less of the AC power than this around the largest line: noise, no fundamental."""

FUNDAMENTAL_WIDTH_HZ = 1.0
"""How far to both sides of the largest line a wandering fundamental is still taken as the fundamental."""

REFINEMENTS = 4
"""Times the frequency is corrected by the drift of the phase."""

EDGE_CYCLES = 10.0
"""Stretch over which the frequency at the ends is taken to continue the phase into the first and the last cycle."""

CYCLES_MIN = 1.5
"""Shorter stretches do not show where their cycles lie."""

CROSSING_SLACK = 1e-6
"""A crossing that lies so many cycles outside of the record counts as its end."""

STEADINESS_PARTS = 8
"""Parts of a record that are compared when the steadiest channel is looked for."""


class Cycles(NamedTuple):
    """Phase of a fundamental over a recording.

    Attributes:
        frequency_hz: mean between the outermost rising zero crossings, or of all samples with fewer than 2 of them.
        median_hz: median over the samples; a fault that moves the phase once does not show in it.
        position: cycles passed at each sample, shape (n,), never falling; whole numbers are rising zero crossings.
        crossings_s: times of the rising zero crossings, in the scale of the sample times.
    """

    frequency_hz: float
    median_hz: float
    position: NDArray[np.float64]
    crossings_s: NDArray[np.float64]


def find_cycles(
    times_s: NDArray[np.float64], samples: NDArray[np.float64], nominal_hz: float | None = None
) -> Cycles | None:
    """Cycles of `samples` (any unit) taken at `times_s`; None without a fundamental or with less than `CYCLES_MIN`."""
    signal = samples - samples.mean()
    frequency = coarse_frequency(times_s, signal, nominal_hz)
    span = float(times_s[-1] - times_s[0])
    if frequency is None or span * frequency < CYCLES_MIN:
        return None
    for _ in range(REFINEMENTS):
        turned = _phase_cycles(times_s, signal, frequency)
        if turned is None:
            return None
        inside, phase = turned
        if inside[-1] - inside[0] < 0.25 / frequency:
            break
        drift = float(np.polynomial.polynomial.polyfit(inside - inside[0], phase, 1)[1])
        frequency += drift
        if abs(drift) * span < 1e-6:
            break
    turned = _phase_cycles(times_s, signal, frequency)
    if turned is None:
        return None
    position = frequency * (times_s - times_s[0]) + _continued(times_s, *turned, frequency)
    position = np.maximum.accumulate(position)
    whole = np.arange(np.ceil(position[0] - CROSSING_SLACK), np.floor(position[-1] + CROSSING_SLACK) + 1)
    crossings = np.interp(whole, position, times_s)
    if len(crossings) > 1:
        frequency = (len(crossings) - 1) / float(crossings[-1] - crossings[0])
    median = float(np.median(np.diff(position) / np.diff(times_s)))
    return Cycles(frequency, median, position, crossings)


def coarse_frequency(
    times_s: NDArray[np.float64], signal: NDArray[np.float64], nominal_hz: float | None = None
) -> float | None:
    """Frequency of the largest line of the spectrum near the line frequency; None when there is none."""
    count = len(signal)
    power = float(np.mean(signal * signal))
    if count < 2 * SAMPLES_PER_CYCLE_MIN or power <= 0:
        return None
    rate = (count - 1) / float(times_s[-1] - times_s[0])
    low, high = SEARCH_HZ
    if nominal_hz:
        low, high = min(low, 0.8 * nominal_hz), max(high, 1.2 * nominal_hz)
    high = min(high, rate / SAMPLES_PER_CYCLE_MIN)
    size = 1 << (4 * count - 1).bit_length()
    window = np.hanning(count + 2)[1:-1]
    spectrum = np.abs(np.fft.rfft(signal * window, size))
    first, last = int(np.ceil(low * size / rate)), int(np.floor(high * size / rate))
    if first < 1 or last <= first:
        return None
    peak = first + int(np.argmax(spectrum[first : last + 1]))
    width = int((FUNDAMENTAL_WIDTH_HZ / rate + 2 / count) * size) + 1
    around = spectrum[max(peak - width, 0) : peak + width + 1]
    if 2 * float(around @ around) < FUNDAMENTAL_SHARE_MIN * power * size * float(window @ window):
        return None
    left, top, right = np.log(spectrum[peak - 1 : peak + 2] + 1e-300)
    bend = left - 2 * top + right
    shift = 0.5 * (left - right) / bend if bend < 0 else 0.0
    return float((peak + np.clip(shift, -0.5, 0.5)) * rate / size)


def _phase_cycles(
    times_s: NDArray[np.float64], signal: NDArray[np.float64], frequency: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Times inside the record and the phase there against `frequency`, in cycles, unwrapped."""
    cycle = 1 / frequency
    turned = signal * np.exp(-2j * np.pi * frequency * (times_s - times_s[0]))
    times, passes = times_s, 2 if times_s[-1] - times_s[0] > 4 * cycle else 1
    for _ in range(passes):
        inside = (times >= times[0] + cycle / 2) & (times <= times[-1] - cycle / 2)
        centres = times[inside]
        if len(centres) < 2:
            return None
        turned = (
            integral_to(times, turned, centres + cycle / 2) - integral_to(times, turned, centres - cycle / 2)
        ) / cycle
        times = centres
    size = np.abs(turned)
    strong = size > 0.02 * np.median(size)  # through an interruption the phase goes straight on
    if strong.sum() < 2:
        return None
    phase = np.unwrap(np.angle(turned[strong])) / (2 * np.pi) + 0.25
    return times, np.interp(times, times[strong], phase)


def _continued(
    times_s: NDArray[np.float64], inside: NDArray[np.float64], phase: NDArray[np.float64], frequency: float
) -> NDArray[np.float64]:
    """Phase at every sample: that of `inside`, and straight on at both ends."""
    result = np.interp(times_s, inside, phase)
    stretch = EDGE_CYCLES / frequency
    if inside[-1] - inside[0] < stretch:
        return result
    for end, near in ((0, inside < inside[0] + stretch), (-1, inside > inside[-1] - stretch)):
        slope = float(np.polynomial.polynomial.polyfit(inside[near] - inside[end], phase[near], 1)[1])
        outside = times_s < inside[0] if end == 0 else times_s > inside[-1]
        result[outside] += slope * (times_s[outside] - inside[end])
    return result


def integral_to(
    times_s: NDArray[np.float64], values: NDArray[np.inexact], instants_s: NDArray[np.float64]
) -> NDArray[np.inexact]:
    """Integral of the straight-line course of `values` from the first sample to each of `instants_s`.

    Between whole samples this gives the trapezoid with fractional ends: windows that touch share every sample
    without counting any part twice.
    """
    steps = np.diff(times_s)
    sums = np.concatenate([np.zeros(1, values.dtype), np.cumsum((values[1:] + values[:-1]) / 2 * steps)])
    k = np.clip(np.searchsorted(times_s, instants_s, side="right") - 1, 0, len(times_s) - 2)
    part = instants_s - times_s[k]
    result: NDArray[np.inexact] = sums[k] + part * (values[k] + (values[k + 1] - values[k]) * part / steps[k] / 2)
    return result


def interpolated(values: NDArray[np.float64], positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """`values` (4 at least) at fractional sample numbers, by the cubic through four samples; held at both ends."""
    inside = np.clip(positions, 0.0, len(values) - 1.0)
    base = np.clip(np.floor(inside).astype(np.intp) - 1, 0, len(values) - 4)
    u = inside - base
    result: NDArray[np.float64] = (
        -values[base] * (u - 1) * (u - 2) * (u - 3) / 6
        + values[base + 1] * u * (u - 2) * (u - 3) / 2
        - values[base + 2] * u * (u - 1) * (u - 3) / 2
        + values[base + 3] * u * (u - 1) * (u - 2) / 6
    )
    return result


def steadiest(values: Mapping[str, NDArray[np.float64]]) -> str:
    """The voltage (without one: the current) that is largest where it is smallest: the one to take the cycles from.

    The keys are quantities (`va`, `ia`, ...).
    """
    names = [quantity for quantity in values if quantity[0] == "v"] or list(values)

    def least(name: str) -> float:
        parts = np.array_split(values[name] - values[name].mean(), STEADINESS_PARTS)
        return min(float(np.mean(part**2)) if len(part) else 0.0 for part in parts)

    return max(names, key=least)
