"""Accuracy of powers, voltages, currents and frequency against closed forms: A01-A16, R01-R03, M01-M05, Q01.

Limits are those of a correct software chain behind a 16-bit converter; the standards' limits are ten to a thousand
times wider.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from tests.metrology.truth import CASES, PPM, energy_error, meter, run

from wattwheel.metrology.wiring import Wiring
from wattwheel.testing.stimulus import Converter, Wave, sine, wave_of

FREQUENCIES = [name for name in CASES if name.startswith("freq_") and CASES[name]["kind"] == "harmonic"]
VOLTAGES = [name for name in CASES if name.startswith("voltage_") and "Un" in name]
HARMONIC = ["harm5_iec", "harm5_antiphase", "harm3_in_phase", "harm7_quadrature", "harm357_mix", "quadriform_ir46"]
HARMONIC += ["peaked_ir46", "harm21_40", "voltage_5th_12pct", "phase_fired_90", "phase_fired_45", "phase_fired_135"]
QUADRANTS = {"sine_pf05_ind": (0, 2), "sine_pf08_cap": (0, 5), "sine_q2_120": (1, 3), "sine_q3_240": (1, 4)}
QUADRANTS |= {"sine_q4_300": (0, 5), "sine_reverse_180": (1, None)}
FULL_LOAD = [*VOLTAGES, *FREQUENCIES, *HARMONIC, "half_wave_rectified", "dc_offsets_adc", "sine_pf1", "sine_pf05_ind"]
FULL_LOAD += ["sine_pf1_60A", "sine_pf05_ind_60A", "sine_pf08_cap", "sine_pf025_ind", "sine_pf05_cap"]


@pytest.mark.parametrize(
    ("name", "limit_ppm"),
    [
        ("sine_pf1_0.05A", 2000),
        ("sine_pf1_0.25A", 200),
        ("sine_pf1_0.5A", 200),
        ("sine_pf1_1A", 200),
        ("sine_pf1", 20),
        ("sine_pf1_60A", 20),
        ("sine_pf05_ind_0.25A", 200),
        ("sine_pf05_ind_0.5A", 200),
        ("sine_pf05_ind_1A", 200),
        ("sine_pf05_ind", 20),
        ("sine_pf05_ind_60A", 20),
        ("sine_pf08_cap", 20),
        ("sine_pf025_ind", 20),
        ("sine_pf05_cap", 20),
        ("harm5_iec", 25),
        ("harm5_antiphase", 25),
        ("harm3_in_phase", 25),
        ("harm7_quadrature", 25),
        ("harm357_mix", 25),
        ("quadriform_ir46", 25),
        ("peaked_ir46", 25),
        ("phase_fired_90", 25),
        ("phase_fired_45", 25),
        ("phase_fired_135", 25),
        ("half_wave_rectified", 25),
        ("harm21_40", 50),
        ("voltage_5th_12pct", 25),
        ("dc_offsets_adc", 30),
    ],
)
def test_active_energy_over_ten_seconds(name, limit_ppm):  # A01-A03, A09-A12, A14-A16
    assert abs(energy_error(name)) <= limit_ppm * PPM


@pytest.mark.parametrize("name", VOLTAGES)
def test_a_voltage_off_nominal_changes_nothing(name):  # A07
    assert abs(energy_error(name) - energy_error("sine_pf05_ind")) <= 20 * PPM


@pytest.mark.parametrize("name", FREQUENCIES)
def test_a_frequency_off_nominal_changes_nothing(name):  # A08
    assert abs(energy_error(name) - energy_error("sine_pf05_ind")) <= 25 * PPM


def test_bursts_of_whole_cycles():  # A13
    case = CASES["burst_2on_2off"]
    wave, converter = wave_of(case), Converter()
    result = meter([converter.sample(wave, 8.7, 3, -0.113)], converter)
    begin = result.windows[0].span.start / 2**20 / converter.rate_hz - 0.113
    # Four cycles are the period: energy of full periods by the truth, of the rest by quadrature.
    periods = math.floor(result.seconds / 0.08 + 1e-6)
    rest = wave.energy_j(begin + periods * 0.08, begin + result.seconds)
    expected = case["expected"]["p"] * periods * 0.08 + rest
    assert abs(result.net_energy_j - expected) / (case["expected"]["s"] * result.seconds) <= 10 * PPM


def test_converter_offsets_do_not_count():  # A16
    expected = CASES["dc_offsets_adc"]["expected"]
    for window in run("dc_offsets_adc").windows:
        assert window.voltage_v_rms[0] == pytest.approx(expected["vrms_ac"], rel=30 * PPM)
        assert window.current_a_rms[0] == pytest.approx(expected["irms_ac"], rel=50 * PPM)
        assert window.voltage_v_dc[0] == pytest.approx(3.0, abs=1e-3)
        assert window.current_a_dc[0] == pytest.approx(0.2, abs=1e-3)


@pytest.mark.parametrize("name", QUADRANTS)
def test_reactive_power_and_its_registers(name):  # R01
    case, result = CASES[name], run(name)
    active, quadrant = QUADRANTS[name]
    used = {active} if quadrant is None else {active, quadrant}
    assert {place for place, fine in enumerate(result.registers._fine[:6]) if fine} == used
    reactive = sum(result.energy_j(place) for place in (2, 3)) - sum(result.energy_j(place) for place in (4, 5))
    assert abs(reactive / result.seconds - case["expected"]["q1"]) <= 25 * PPM * case["expected"]["s"]
    for window in result.windows:
        assert abs(window.reactive_power_var[0] - case["expected"]["q1"]) <= 25 * PPM * case["expected"]["s"]


@pytest.mark.parametrize("name", [*HARMONIC, *FREQUENCIES, "half_wave_rectified"])
def test_reactive_power_is_that_of_the_fundamental(name):  # R02, R03
    expected = CASES[name]["expected"]
    for window in run(name).windows:
        assert abs(window.reactive_power_var[0] - expected["q1"]) <= 25 * PPM * expected["s"]


@pytest.mark.parametrize("name", FULL_LOAD)
def test_rms_of_every_window(name):  # M01, M02
    wave = wave_of(CASES[name])
    at = np.arange(1 << 15) / (1 << 15) / wave.frequency_hz
    rms = [float(np.std(curve[0](at))) for curve in (wave.voltage, wave.current)]
    for window in run(name).windows:
        assert window.voltage_v_rms[0] == pytest.approx(rms[0], rel=20 * PPM)
        assert window.current_a_rms[0] == pytest.approx(rms[1], rel=50 * PPM)


@pytest.mark.parametrize("name", ["sine_pf1_0.25A", "sine_pf05_ind_0.25A"])
def test_rms_of_a_small_current(name):  # M02
    for window in run(name).windows:
        assert window.current_a_rms[0] == pytest.approx(0.25, rel=1000 * PPM)


@pytest.mark.parametrize("name", [*FREQUENCIES, *HARMONIC])
def test_frequency(name):  # M03
    result, frequency = run(name), wave_of(CASES[name]).frequency_hz
    assert max(abs(window.frequency_hz - frequency) for window in result.windows) <= 0.5e-3
    for five in zip(*(result.windows[place::5] for place in range(5)), strict=False):
        second = 50 / (sum(window.duration_s for window in five))
        assert abs(second - frequency) <= 0.05e-3


def test_a_running_frequency():  # M04
    case, converter = CASES["freq_ramp_49.5_50.5"], Converter()
    wave = wave_of(case)
    assert wave.energy_j(0.0, 10.0) == pytest.approx(case["energy_j"]["10"], rel=1e-9)
    result = meter([converter.sample(wave, 10.0, 5)], converter)
    begin, end = (
        ticks / 2**20 / converter.rate_hz for ticks in (result.windows[0].span.start, result.windows[-1].span.end)
    )
    apparent = case["v_rms"] * case["i_rms"] * result.seconds
    assert abs(result.net_energy_j - wave.energy_j(begin, end)) <= 20 * PPM * apparent
    mean = 10 * len(result.windows) / result.seconds
    assert mean == pytest.approx(49.5 + 0.1 * (begin + end) / 2.0, abs=0.5e-3)
    for window in result.windows:
        middle = (window.span.start + window.span.end) / 2 / 2**20 / converter.rate_hz
        assert window.frequency_hz == pytest.approx(49.5 + 0.1 * middle, abs=0.5e-3)


@pytest.mark.parametrize("name", HARMONIC)
def test_derived_quantities(name):  # M05
    expected = CASES[name]["expected"]
    wave = wave_of(CASES[name])
    at = np.arange(1 << 15) / (1 << 15) / wave.frequency_hz
    sent = float(np.std(wave.voltage[0](at)) * np.std(wave.current[0](at)))
    for window in run(name).windows[::10]:
        assert window.apparent_power_va[0] == pytest.approx(sent, rel=60 * PPM)
        assert window.power_factor[0] == pytest.approx(expected["p"] / sent, abs=1e-4)
        if "thd_v" in expected:
            assert window.thd_voltage[0] == pytest.approx(expected["thd_v"], abs=1e-4)
            assert window.thd_current[0] == pytest.approx(expected["thd_i"], abs=2e-4)


def test_harmonics_are_found_one_by_one():
    window, case = run("harm357_mix").windows[7], CASES["harm357_mix"]
    lines = window.harmonics
    assert lines.shape == (2, 40)
    lines = lines * 1j  # so that a sine at its rising zero has the angle 0
    shift = np.angle(lines[0, 0]) - math.radians(case["v"]["1"][1])
    for channel, name in enumerate(("v", "i")):
        for order in range(1, 41):
            rms, phase_deg = case[name].get(str(order), (0.0, 0.0))
            true = rms * np.exp(1j * (order * shift + math.radians(phase_deg)))
            assert abs(lines[channel, order - 1] - true) <= (2e-3, 6e-4)[channel]


def test_repeatability():  # Q01
    powers = []
    for seed in range(10):
        result = run("sine_pf1", 10.0, 100 + seed)
        powers.append(result.net_energy_j / result.seconds)
    assert max(powers) - min(powers) <= 5 * PPM * 1100.0


@pytest.mark.parametrize("name", ["ramp_0.1_to_60A", "ramp_60_to_0.1A_pf05"])
def test_a_running_current(name):  # E01
    case, converter = CASES[name], Converter()
    wave = wave_of(case)
    assert wave.energy_j(0.0, 10.0) == pytest.approx(case["energy_j"]["10"], rel=1e-9)
    result = meter([converter.sample(wave, 10.6, 5, -0.3)], converter)
    spans = [(window.span.start, window.span.end) for window in result.windows]
    begin, end = (ticks / 2**20 / converter.rate_hz - 0.3 for ticks in (spans[0][0], spans[-1][1]))
    exact = sum(wave.energy_j(max(begin, a), min(end, b)) for a, b in ((-1.0, 0.0), (0.0, 10.0), (10.0, 11.0)))
    assert result.net_energy_j == pytest.approx(exact, rel=20 * PPM)


THREE_PHASE = [name for name in CASES if name.startswith("3p_")]


@pytest.mark.parametrize("name", THREE_PHASE)
def test_three_phases(name):  # T01
    expected = CASES[name]["expected"]
    result = run(name)
    largest = max(expected["s"])
    for window in result.windows:
        for phase in range(3):
            assert abs(window.active_power_w[phase] - expected["p"][phase]) <= 30 * PPM * largest
            assert abs(window.reactive_power_var[phase] - expected["q"][phase]) <= 30 * PPM * largest
        assert window.total_apparent_power_va == pytest.approx(expected["s_arithmetic"], rel=1e-3)
        assert window.is_sequence_reversed == (CASES[name]["sequence"] == "ACB")
    for total, true in (
        ("total_active_power_w", expected["p_total"]),
        ("total_reactive_power_var", expected["q_total"]),
        ("total_absolute_active_power_w", sum(map(abs, expected["p"]))),
    ):
        mean = sum(getattr(window, total) for window in result.windows) / len(result.windows)
        assert abs(mean - true) <= 30 * PPM * expected["s_arithmetic"]
    window = result.windows[3]
    assert window.neutral_a_rms == pytest.approx(expected["i_neutral"], abs=5e-3)
    for element, phase in ((8, 0), (16, 1), (24, 2)):
        energy = result.energy_j(element) - result.energy_j(element + 1)
        assert abs(energy / result.seconds - expected["p"][phase]) <= 30 * PPM * largest
    assert abs(result.net_energy_j / result.seconds - expected["p_total"]) <= 30 * PPM * expected["s_arithmetic"]


def test_unbalance():
    window = run("3p_unbalanced").windows[3]
    volts = [220.0, 209.0 * np.exp(-2j * np.pi / 3), 231.0 * np.exp(2j * np.pi / 3)]
    a = np.exp(2j * np.pi / 3)
    negative, positive = (abs(volts[0] + t * volts[1] + t * t * volts[2]) for t in (a * a, a))
    assert window.voltage_unbalance == pytest.approx(negative / positive, abs=1e-5)
    assert run("3p_balanced").windows[3].voltage_unbalance == pytest.approx(0.0, abs=1e-5)


def test_two_elements_meter_a_three_wire_load():
    f, amps, phi = 50.0, 5.0, 37.0
    # Line voltages of a balanced 100 V system: a-b leads phase a by 30 degrees, c-b by 90.
    volts = (sine(f, 100.0, 30.0), sine(f, 100.0, 90.0))
    currents = (sine(f, amps, -phi), sine(f, amps, 120.0 - phi))
    converter = Converter(voltage_v_rms=150.0, current_a_peak=12.0)
    result = meter([converter.sample(Wave(volts, currents), 5.0, 1, 0.003)], converter, Wiring.THREE_WIRE)
    apparent = math.sqrt(3.0) * 100.0 * amps
    for window in result.windows:
        assert window.total_active_power_w == pytest.approx(
            apparent * math.cos(math.radians(phi)), abs=30 * PPM * apparent
        )
        assert window.total_reactive_power_var == pytest.approx(
            apparent * math.sin(math.radians(phi)), abs=30 * PPM * apparent
        )
        assert window.total_apparent_power_va == pytest.approx(apparent, rel=1e-4)
        assert not window.is_sequence_reversed
        assert window.voltage_unbalance == pytest.approx(0.0, abs=1e-4)
        assert window.current_unbalance == pytest.approx(0.0, abs=1e-4)
    assert result.registers.snapshot()[16:24] == (0,) * 8
    assert result.net_energy_j / result.seconds == pytest.approx(apparent * math.cos(math.radians(phi)), rel=50 * PPM)


def test_three_wires_turned_round_are_seen():
    volts = (sine(50.0, 100.0, 30.0), sine(50.0, 100.0, -30.0))
    converter = Converter(voltage_v_rms=150.0)
    result = meter([converter.sample(Wave(volts, volts), 1.0, 1)], converter, Wiring.THREE_WIRE)
    assert result.windows[0].is_sequence_reversed
