"""Test waveforms of the metering standards, and the converter that samples them.

A wave is a function of time, so the same stimulus can be sampled at any rate, from any start, and integrated exactly.
The converter adds what a real one does: full scale, rounding to counts, a little noise, a skew between voltage and
current. The noise belongs there: without it a signal in step with the samples keeps one rounding error for ever.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wattwheel.hil.sampling import SampleBlock, SampleFormat

Values = NDArray[np.float64]
Curve = Callable[[Values], Values]
"""Value of a wave at the times given in seconds."""

BAND_HZ = 10_400.0
"""Stepped currents are cut off here, below half of the usual sample rate, as an anti-aliasing filter would."""

TABLE_POINTS = 1 << 17
"""Points of one period of a tabulated wave."""

GAUSS_POINTS = 32
"""Points of the quadrature in each quarter of a cycle."""


class Wave(NamedTuple):
    """Voltages in V and currents in A, one curve a phase."""

    voltage: tuple[Curve, ...]
    current: tuple[Curve, ...]
    frequency_hz: float = 50.0

    def energy_j(self, begin_s: float, end_s: float, phase: int = 0) -> float:
        """Integral of voltage times current. For smooth waves with few harmonics."""
        panels = max(1, math.ceil((end_s - begin_s) * self.frequency_hz * 4.0))
        nodes, weights = np.polynomial.legendre.leggauss(GAUSS_POINTS)
        width = (end_s - begin_s) / panels
        at = begin_s + width * (np.arange(panels)[:, None] + 0.5 + 0.5 * nodes[None, :])
        power = self.voltage[phase](at.ravel()) * self.current[phase](at.ravel())
        return float((power.reshape(at.shape) @ weights).sum() * width / 2.0)


def silent(at: Values) -> Values:
    """No signal."""
    return np.zeros_like(at)


def sines(frequency_hz: float, orders: Mapping[int, tuple[float, float]], dc: float = 0.0) -> Curve:
    """Sum of sines: order -> (rms, phase in degrees at time 0)."""

    def curve(at: Values) -> Values:
        total = np.full_like(at, dc)
        for order, (rms, phase_deg) in orders.items():
            if rms:
                turn = 2.0 * math.pi * frequency_hz * order
                total += rms * math.sqrt(2.0) * np.sin(turn * at + math.radians(phase_deg))
        return total

    return curve


def sine(frequency_hz: float, rms: float, phase_deg: float = 0.0) -> Curve:
    """A sine."""
    return sines(frequency_hz, {1: (rms, phase_deg)})


def cut_sine(frequency_hz: float, peak: float, pieces_deg: Sequence[tuple[float, float]]) -> Curve:
    """`peak` times sine inside of the given pieces of each period and nothing between, band-limited to `BAND_HZ`.

    The Fourier coefficients are the exact ones of the cut wave.
    """
    orders = np.arange(int(BAND_HZ / frequency_hz) + 1)
    line = np.zeros(len(orders), np.complex128)
    for begin_deg, end_deg in pieces_deg:
        for theta, sign in ((math.radians(end_deg), 1.0), (math.radians(begin_deg), -1.0)):
            rising = np.exp(1j * (1 - orders) * theta) / (1j * np.where(orders == 1, 1, 1 - orders))
            rising[1] = theta
            falling = np.exp(-1j * (1 + orders) * theta) / (-1j * (1 + orders))
            line += sign * (rising - falling) / 2j
    spectrum = np.zeros(TABLE_POINTS // 2 + 1, np.complex128)
    spectrum[: len(line)] = line * peak * TABLE_POINTS / (2.0 * math.pi)
    table = np.append(np.fft.irfft(spectrum, TABLE_POINTS), 0.0)
    table[-1] = table[0]
    grid = np.linspace(0.0, 1.0, TABLE_POINTS + 1)

    def curve(at: Values) -> Values:
        return np.asarray(np.interp(at * frequency_hz % 1.0, grid, table))

    return curve


def scaled(curve: Curve, envelope: Curve) -> Curve:
    """A wave whose amplitude follows `envelope`."""
    return lambda at: curve(at) * envelope(at)


def stepped(begin_s: float, end_s: float, inside: float) -> Curve:
    """An envelope: `inside` between two instants, 1 outside of them."""
    return lambda at: np.where((at >= begin_s) & (at < end_s), inside, 1.0)


def _frequency_ramp(case: Mapping[str, Any]) -> Wave:
    start, slope = case["f_start"], (case["f_end"] - case["f_start"]) / case["seconds"]

    def turning(rms: float, phase_deg: float) -> Curve:
        def curve(at: Values) -> Values:
            theta = 2.0 * math.pi * (start * at + slope * at * at / 2.0) + math.radians(phase_deg)
            return np.asarray(rms * math.sqrt(2.0) * np.sin(theta))

        return curve

    return Wave((turning(case["v_rms"], 0.0),), (turning(case["i_rms"], -case["phi_deg"]),))


def _current_ramp(case: Mapping[str, Any]) -> Wave:
    f, first, last, seconds = case["f_hz"], case["i_start"], case["i_end"], case["seconds"]

    def envelope(at: Values) -> Values:
        return np.asarray(np.clip(first + (last - first) * at / seconds, min(first, last), max(first, last)))

    return Wave((sine(f, case["v_rms"]),), (scaled(sine(f, 1.0, -case["phi_deg"]), envelope),), f)


def _three_phase(case: Mapping[str, Any]) -> Wave:
    f = case["f_hz"]
    turn = -120.0 if case["sequence"] == "ABC" else 120.0
    angles = [turn * phase for phase in range(3)]
    volts = tuple(sine(f, rms, angle) for rms, angle in zip(case["v_rms"], angles, strict=True))
    amps = zip(case["i_rms"], angles, case["phi_deg"], strict=True)
    return Wave(volts, tuple(sine(f, rms, angle - phi) for rms, angle, phi in amps), f)


def wave_of(case: Mapping[str, Any]) -> Wave:
    """The wave of one case of the truth file. Raises KeyError for a kind that does not exist."""
    kind, f = case["kind"], case.get("f_hz", 50.0)
    if kind == "harmonic":
        curves = [
            sines(f, {int(order): (rms, deg) for order, (rms, deg) in case[name].items()}, case[f"{name}_dc"])
            for name in ("v", "i")
        ]
        return Wave((curves[0],), (curves[1],), f)
    if kind == "freq_ramp":
        return _frequency_ramp(case)
    if kind == "current_ramp":
        return _current_ramp(case)
    if kind == "three_phase":
        return _three_phase(case)
    volts = sine(f, case["v_rms"])
    if kind == "phase_fired":
        fire = case["fire_deg"]
        return Wave((volts,), (cut_sine(f, case["i_peak"], ((fire, 180.0), (180.0 + fire, 360.0))),), f)
    if kind == "half_wave":
        return Wave((volts,), (cut_sine(f, case["i_peak"], ((0.0, 180.0),)),), f)
    if kind == "burst":
        on, period = case["on_cycles"], case["on_cycles"] + case["off_cycles"]
        amps = scaled(sine(f, case["i_rms_on"]), lambda at: np.where(at * f % period < on, 1.0, 0.0))
        return Wave((volts,), (amps,), f)
    if kind == "dip":
        begin = case["start_cycle"] / f
        falling = stepped(begin, begin + case["cycles"] / f, case["residual"])
        return Wave((scaled(volts, falling),), (sine(f, case["i_rms"]),), f)
    raise KeyError(kind)


class Converter(NamedTuple):
    """A converter of `bits` bits with simultaneous channels.

    Attributes:
        rate_hz: samples a second and channel; the usual one is 48 microseconds apart.
        bits: counts lie within +-(2**(bits-1) - 1).
        voltage_v_rms: sine that just fills the voltage range.
        current_a_peak: current that just fills the current range.
        noise_lsb: standard deviation of the noise, in counts of 16 bits whatever the width.
        current_skew_s: how much later than the voltage the current is sampled.
    """

    rate_hz: float = 1.0 / 48e-6
    bits: int = 16
    voltage_v_rms: float = 400.0
    current_a_peak: float = 120.0
    noise_lsb: float = 0.5
    current_skew_s: float = 0.0

    def form(self, phases: int = 1, has_neutral: bool = False) -> SampleFormat:
        """What the counts mean."""
        full = float(2 ** (self.bits - 1) - 1)
        amps = self.current_a_peak / full
        volts = self.voltage_v_rms * math.sqrt(2.0) / full
        return SampleFormat(self.rate_hz, (volts,) * phases, (amps,) * phases, amps if has_neutral else None, self.bits)

    def sample(self, wave: Wave, seconds: float, seed: int, start_s: float = 0.0) -> SampleBlock:
        """`seconds` of `wave` from the time `start_s` on, as one block of samples from number 0 on."""
        chance = np.random.default_rng(seed)
        count = int(seconds * self.rate_hz)
        at = start_s + np.arange(count) / self.rate_hz
        form = self.form(len(wave.voltage))
        volts = self._counts(wave.voltage, at, form.voltage_v_per_count[0], chance)
        amps = self._counts(wave.current, at + self.current_skew_s, form.current_a_per_count[0], chance)
        return SampleBlock(0, volts, amps)

    def _counts(
        self, curves: tuple[Curve, ...], at: Values, per_count: float, chance: np.random.Generator
    ) -> NDArray[np.signedinteger]:
        limit = 2 ** (self.bits - 1)
        counts = np.empty((len(at), len(curves)), np.int16 if self.bits <= 16 else np.int32)
        for column, curve in enumerate(curves):
            values = curve(at) / per_count
            values += chance.standard_normal(len(at)) * (self.noise_lsb * 2.0 ** (self.bits - 16))
            counts[:, column] = np.clip(np.rint(values), -limit, limit - 1)
        return counts


def split(block: SampleBlock, sizes: Sequence[int]) -> list[SampleBlock]:
    """The same samples in blocks of `sizes`, repeated until they are used up."""
    pieces = []
    at, turn = 0, 0
    while at < len(block.voltage):
        stop = at + sizes[turn % len(sizes)]
        neutral = None if block.neutral is None else block.neutral[at:stop]
        pieces.append(SampleBlock(block.first + at, block.voltage[at:stop], block.current[at:stop], neutral))
        at, turn = stop, turn + 1
    return pieces
