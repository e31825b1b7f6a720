"""Gain and delay of every channel: P01."""

from __future__ import annotations

import cmath
import math

import pytest
from tests.metrology.truth import CASES, PPM, meter

from wattwheel.metrology.calibration import Calibration, ChannelCalibration, lags, response
from wattwheel.metrology.wiring import Wiring
from wattwheel.model.errors import ConfigError
from wattwheel.testing.stimulus import Converter, Wave, sine, wave_of

SKEW_S = 17.76e-6  # 0.37 sample


def delayed(voltage_s: float = 0.0, current_s: float = 0.0, phases: int = 1) -> Calibration:
    return Calibration((ChannelCalibration(1.0, voltage_s),) * phases, (ChannelCalibration(1.0, current_s),) * phases)


@pytest.mark.parametrize("bits", [16, 24])
@pytest.mark.parametrize("whole", [0.0, 3.0, -2.0, 30.0])
def test_a_known_skew_is_taken_out(whole, bits):  # P01
    expected = CASES["harm357_mix"]["expected"]
    skew = SKEW_S + whole * 48e-6
    converter = Converter(current_skew_s=skew, bits=bits)
    block = converter.sample(wave_of(CASES["harm357_mix"]), 6.0, 1, 0.007)
    result = meter([block], converter, calibration=delayed(current_s=skew))
    power = result.net_energy_j / result.seconds
    assert abs(power - expected["p"]) <= 10 * PPM * expected["s"]
    reactive = sum(window.reactive_power_var[0] for window in result.windows) / len(result.windows)
    assert abs(reactive - expected["q1"]) <= 10 * PPM * expected["s"]
    for window in result.windows:
        assert abs(window.active_power_w[0] - expected["p"]) <= 25 * PPM * expected["s"]
    # Without it the error is there to see.
    raw = meter([block], converter)
    assert abs(raw.net_energy_j / raw.seconds - expected["p"]) > 1000 * PPM * expected["s"]


def test_only_the_difference_inside_a_phase_matters_for_power():
    converter = Converter(current_skew_s=SKEW_S)
    block = converter.sample(wave_of(CASES["sine_pf05_ind"]), 2.0, 1)
    one = meter([block], converter, calibration=delayed(current_s=SKEW_S))
    other = meter([block], converter, calibration=delayed(voltage_s=-SKEW_S))
    for left, right in zip(one.windows, other.windows, strict=True):
        assert left.active_power_w == pytest.approx(right.active_power_w, rel=1e-9)
        assert left.reactive_power_var == pytest.approx(right.reactive_power_var, rel=1e-9)


def test_delays_turn_the_phasors_of_the_phases():
    wave = Wave(tuple(sine(50.0, 220.0, a) for a in (0.0, -120.0, 120.0)), (sine(50.0, 5.0),) * 3)
    block = Converter().sample(wave, 1.0, 1)
    late = Calibration((ChannelCalibration(), ChannelCalibration(1.0, 1e-3), ChannelCalibration()))
    window = meter([block], Converter(), Wiring.FOUR_WIRE, calibration=late).windows[0]
    a, b, _ = window.voltage_phasors
    assert math.degrees(cmath.phase(b / a)) == pytest.approx(-120.0 - 18.0, abs=1e-3)


def test_gains_scale_everything():
    block = Converter().sample(wave_of(CASES["sine_pf05_ind"]), 1.0, 1)
    gains = Calibration((ChannelCalibration(1.01),), (ChannelCalibration(-0.5),))
    plain, scaled = (meter([block], Converter(), calibration=c).windows[0] for c in (Calibration(), gains))
    assert scaled.active_power_w[0] == pytest.approx(-0.505 * plain.active_power_w[0], rel=1e-12)
    assert scaled.reactive_power_var[0] == pytest.approx(-0.505 * plain.reactive_power_var[0], rel=1e-12)
    assert scaled.voltage_v_rms[0] == pytest.approx(1.01 * plain.voltage_v_rms[0], rel=1e-12)
    assert scaled.current_a_rms[0] == pytest.approx(0.5 * plain.current_a_rms[0], rel=1e-12)


@pytest.mark.parametrize(("order", "ppm"), [(1, 0.01), (7, 3.0), (21, 200.0)])
def test_the_interpolator_at_harmonics(order, ppm):
    step = 2.0 * math.pi * 50.0 * order * 48e-6
    error = response(lags(0.37), step) * cmath.exp(1j * step * 0.37) - 1.0
    assert abs(error) <= ppm * PPM * 3


@pytest.mark.parametrize("delay", [0.0, 1.0, -3.0])
def test_a_whole_delay_is_one_term(delay):
    assert lags(delay) == ((int(delay), 1.0),)
    assert sum(lag.tap for lag in lags(delay + 0.3)) == pytest.approx(1.0, abs=1e-15)


@pytest.mark.parametrize(
    ("calibration", "what"),
    [
        (Calibration((ChannelCalibration(),) * 2), "voltage"),
        (Calibration((), (ChannelCalibration(),) * 3), "current"),
        (delayed(current_s=0.0021), "delay"),
        (delayed(voltage_s=float("nan")), "delay"),
        (Calibration((ChannelCalibration(0.0),)), "gain"),
        (Calibration(neutral=ChannelCalibration(1000.0)), "gain"),
    ],
)
def test_calibrations_that_cannot_be(calibration, what):
    with pytest.raises(ConfigError, match=what):
        calibration.filled(1)
