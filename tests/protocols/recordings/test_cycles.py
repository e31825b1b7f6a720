"""Zero crossings of known signals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wattwheel.protocols.recordings.cycles import coarse_frequency, find_cycles, integral_to, interpolated, steadiest


@settings(max_examples=40, deadline=None)
@given(
    frequency=st.floats(45, 65),
    phase=st.floats(0, 1),
    rate=st.sampled_from([400.0, 1000.0, 3200.0, 20833.3]),
    third=st.floats(0, 0.2),
)
def test_frequency_and_crossings_of_a_distorted_signal_with_dc(
    frequency: float, phase: float, rate: float, third: float
):
    times = np.arange(int(rate)) / rate
    angle = 2 * np.pi * (frequency * times + phase)
    found = find_cycles(times, 10 * np.sin(angle) + 10 * third * np.sin(3 * angle) + 3.0)
    assert found is not None
    assert found.frequency_hz == pytest.approx(frequency, abs=1e-3)
    cycles = frequency * found.crossings_s + phase
    assert cycles == pytest.approx(np.round(cycles), abs=2e-3)
    assert len(found.crossings_s) in range(int(frequency) - 1, int(frequency) + 2)


def test_few_cycles_are_enough_and_one_is_not():
    rate = 6400.0
    for cycles in (2.2, 3.0, 4.5):
        times = np.arange(int(cycles * rate / 50)) / rate
        found = find_cycles(times, np.sin(2 * np.pi * (50 * times + 0.9)))
        assert found is not None
        assert found.frequency_hz == pytest.approx(50, abs=0.05)
    times = np.arange(int(1.2 * rate / 50)) / rate
    assert find_cycles(times, np.sin(2 * np.pi * 50 * times)) is None


def test_wandering_frequency_is_followed():
    rate = 400.0
    times = np.arange(int(60 * rate)) / rate
    cycles = 50 * times + 0.03 * 20 / (2 * np.pi) * np.sin(2 * np.pi * times / 20)
    found = find_cycles(times, np.sin(2 * np.pi * cycles))
    assert found is not None
    assert found.position - found.position[0] == pytest.approx(cycles - cycles[0], abs=2e-3)


def test_the_phase_goes_straight_on_through_an_interruption():
    rate = 3200.0
    times = np.arange(int(rate)) / rate
    signal = np.sin(2 * np.pi * 50 * times)
    signal[1000:1600] = 0.0
    found = find_cycles(times, signal)
    assert found is not None
    assert found.frequency_hz == pytest.approx(50, abs=1e-3)
    assert len(found.crossings_s) == 50


@pytest.mark.parametrize("signal", [np.zeros(1000), np.ones(1000), np.random.default_rng(1).standard_normal(1000)])
def test_no_fundamental(signal: np.ndarray):
    assert find_cycles(np.arange(1000) / 1000, signal) is None


def test_line_frequency_of_the_file_widens_the_search():
    times = np.arange(4000) / 4000
    signal = np.sin(2 * np.pi * 16.7 * times)
    assert coarse_frequency(times, signal) is None
    assert coarse_frequency(times, signal, 16.7) == pytest.approx(16.7, abs=0.05)


def test_integral_shares_every_sample_between_neighbours():
    times = np.cumsum(np.random.default_rng(2).uniform(0.5, 1.5, 50))
    values = np.random.default_rng(3).standard_normal(50)
    edges = np.sort(np.concatenate([times[[0, -1]], np.random.default_rng(4).uniform(times[0], times[-1], 20)]))
    assert np.diff(integral_to(times, values, edges)).sum() == pytest.approx(np.trapezoid(values, times))
    middle = integral_to(np.array([0.0, 1.0]), np.array([0.0, 2.0]), np.array([0.5]))
    assert middle[0] == pytest.approx(0.25)


def test_interpolation_is_exact_for_cubics():
    course = np.arange(12.0)
    places = np.array([0.0, 0.3, 1.7, 5.5, 10.9, 11.0])
    assert interpolated(course**3 - 2 * course, places) == pytest.approx(places**3 - 2 * places)


def test_steadiest_is_a_voltage_that_lasts():
    wave = np.sin(np.arange(800) / 5)
    dying = wave * np.linspace(3, 0, 800)
    assert steadiest({"va": dying, "vb": wave, "ia": 100 * wave}) == "vb"
    assert steadiest({"ia": dying, "ib": wave}) == "ib"
