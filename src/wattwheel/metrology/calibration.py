"""Gain and phase of every channel, applied to the sums of a window.

Counts are never touched. A gain multiplies the finished sums. A delay, needed where the current's path or converter
runs ahead of the voltage's or behind it, is a whole number of samples plus a fraction, and the fraction is a four-tap
interpolator (cubic Lagrange). Because the interpolator is linear, the sum of voltage times delayed current is four
exact integer sums at neighbouring lags, weighted by the taps. So active power is right for every harmonic, which no
coefficient on a finished power could achieve.
"""

from __future__ import annotations

import cmath
import math
from typing import NamedTuple

from wattwheel.model.errors import ConfigError

DELAY_S_MAX = 0.002
"""Largest difference of delays inside one element: 36 degrees at 50 Hz, far beyond any sensor."""

GAIN_MIN, GAIN_MAX = 0.01, 100.0
"""Factors outside of this are a wrong scale, not a calibration."""


class ChannelCalibration(NamedTuple):
    """Correction of one channel: true value = gain * counts * scale, `delay_s` later than the counts say."""

    gain: float = 1.0
    delay_s: float = 0.0


class Calibration(NamedTuple):
    """Corrections of all metered channels, in the order of the metered columns; empty tuples: none."""

    voltage: tuple[ChannelCalibration, ...] = ()
    current: tuple[ChannelCalibration, ...] = ()
    neutral: ChannelCalibration = ChannelCalibration()

    def filled(self, phases: int) -> Calibration:
        """The same with one entry a phase. Raises ConfigError where an entry cannot be or the number does not fit."""
        for name, channels in (("voltage", self.voltage), ("current", self.current)):
            if channels and len(channels) != phases:
                raise ConfigError(f"calibration.{name}", f"{len(channels)} entries", f"{phases}, one a metered phase")
        none = (ChannelCalibration(),) * phases
        full = Calibration(self.voltage or none, self.current or none, self.neutral)
        for voltage, current in zip(full.voltage, full.current, strict=True):
            skew = current.delay_s - voltage.delay_s
            if not abs(skew) <= DELAY_S_MAX:
                raise ConfigError("calibration delay_s", skew, f"at most {DELAY_S_MAX} s between voltage and current")
        for channel in (*full.voltage, *full.current, self.neutral):
            if not GAIN_MIN <= abs(channel.gain) <= GAIN_MAX:
                raise ConfigError("calibration gain", channel.gain, f"{GAIN_MIN} to {GAIN_MAX}, negative to turn round")
        return full


class Lag(NamedTuple):
    """One term of a delayed channel: `tap` times the sample `samples` earlier (negative: later)."""

    samples: int
    tap: float


def lags(delay_samples: float) -> tuple[Lag, ...]:
    """The terms that delay a channel by `delay_samples`: one for a whole number, otherwise four."""
    whole = math.floor(delay_samples)
    t = delay_samples - whole
    if t == 0.0:
        return (Lag(whole, 1.0),)
    return (
        Lag(whole - 1, -t * (t - 1.0) * (t - 2.0) / 6.0),
        Lag(whole, (t + 1.0) * (t - 1.0) * (t - 2.0) / 2.0),
        Lag(whole + 1, -(t + 1.0) * t * (t - 2.0) / 2.0),
        Lag(whole + 2, (t + 1.0) * t * (t - 1.0) / 6.0),
    )


def response(terms: tuple[Lag, ...], step_rad: float) -> complex:
    """What the terms do to a sine that turns by `step_rad` a sample."""
    return sum((lag.tap * cmath.exp(-1j * step_rad * lag.samples) for lag in terms), 0j)
