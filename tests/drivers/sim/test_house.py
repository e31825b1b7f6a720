"""The simulated house: the powers of its day, the same for the same seed, smooth."""

from __future__ import annotations

import numpy as np
import pytest

from wattwheel.drivers.sim.house import HouseSource, load_profile, load_tables
from wattwheel.hil.sampling import SampleSource
from wattwheel.model.inputs import HouseInput
from wattwheel.protocols.recordings.cycles import find_cycles


def physical(source: SampleSource, seconds: float, step_ns: int = 200_000_000) -> tuple[np.ndarray, np.ndarray]:
    blocks = [b for k in range(int(seconds * 1e9 / step_ns) + 1) for b in source.read(k * step_ns)]
    volts = np.concatenate([b.voltage for b in blocks]) * np.array(source.format.voltage_v_per_count)
    return volts, np.concatenate([b.current for b in blocks]) * np.array(source.format.current_a_per_count)


@pytest.mark.parametrize("minute", [3.5, 500.5, 1100.5])
def test_powers_are_those_of_the_profile(minute: float):
    source = HouseSource(HouseInput(noise_lsb=0.0), 0, 1.0, minute - 0.02)
    volts, amperes = physical(source, 2.4)
    whole = 2 * 6400
    active, reactive, voltage = source.powers_at(minute)
    assert np.mean(volts[:whole, 0] * amperes[:whole, 0]) == pytest.approx(active, rel=5e-3)
    found = find_cycles(np.arange(len(volts)) / 6400, volts[:, 0])
    assert found is not None
    kernel = np.exp(-2j * np.pi * found.position[:whole])
    v1, i1 = (np.sqrt(2) * np.mean(x[:whole, 0] * kernel) for x in (volts, amperes))
    assert np.imag(v1 * np.conj(i1)) == pytest.approx(reactive, abs=0.01 * active + 1)
    assert abs(v1) == pytest.approx(voltage, rel=1e-3)


def test_a_day_has_the_energy_of_the_profile():
    source = HouseSource(HouseInput(load=2.0), 0, 1.0)
    minutes = np.arange(0, 1440, 0.25) + 0.125
    mean = np.mean([source.powers_at(float(minute))[0] for minute in minutes])
    assert mean == pytest.approx(2 * load_profile().active_w.mean(), rel=1e-6)
    assert load_profile().active_w.sum() / 60e3 == pytest.approx(26.0, abs=10), "kWh of a household's day"


def test_three_phases_carry_a_third_each_and_have_a_neutral():
    source = HouseSource(HouseInput(phases=3, noise_lsb=0.0), 0, 1.0, 600.0)
    blocks = source.read(10**9)
    assert blocks[0].voltage.shape[1] == 3
    assert blocks[0].neutral is not None
    volts, amperes = physical(HouseSource(HouseInput(phases=3), 0, 1.0, 600.0), 1.0)
    lag = np.angle([np.vdot(np.exp(-2j * np.pi * 50 * np.arange(6400) / 6400), volts[:6400, k]) for k in range(3)])
    turn = np.degrees(np.diff(lag)) % 360
    assert turn == pytest.approx([120, 120], abs=1) or turn == pytest.approx([240, 240], abs=1)
    power = np.mean(volts[:6400] * amperes[:6400], axis=0)
    third = [source.powers_at(600.0 - shift)[0] for shift in (0, 7, 23)]
    assert power == pytest.approx(third, rel=2e-2)


def test_same_seed_same_samples_whatever_the_blocks_and_another_seed_others():
    fast = physical(HouseSource(HouseInput(seed=5), 0, 1.0, 100.0), 2.0, 1_000_000_000)
    slow = physical(HouseSource(HouseInput(seed=5), 0, 1.0, 100.0), 2.0, 12_500_000)
    other = physical(HouseSource(HouseInput(seed=6), 0, 1.0, 100.0), 2.0)
    assert np.array_equal(fast[0], slow[0])
    assert np.array_equal(fast[1], slow[1])
    assert not np.array_equal(fast[0], other[0])


def test_voltage_is_smooth_over_the_borders_of_segments():
    source = HouseSource(HouseInput(noise_lsb=0.0), 0, 1.0, 1100.0)
    volts = physical(source, 4.0)[0][:, 0]
    bends = np.abs(np.diff(volts, 2))
    borders = np.arange(1280, len(volts) - 2, 1280)
    assert max(bends[borders - 1].max(), bends[borders - 2].max()) < 1.2 * np.quantile(bends, 0.999)


def test_frequency_wanders_around_its_mean():
    volts = physical(HouseSource(HouseInput(noise_lsb=0.0, rate_hz=3200.0), 0, 1.0), 120.0, 1_000_000_000)[0][:, 0]
    found = find_cycles(np.arange(len(volts)) / 3200.0, volts)
    assert found is not None
    second = 50 / (found.crossings_s[50:] - found.crossings_s[:-50])
    assert found.frequency_hz == pytest.approx(50, abs=0.03)
    assert 0.01 < np.ptp(second) < 0.08


def test_appliances_draw_one_watt_each_and_the_load_is_distorted():
    tables = load_tables()
    mean = np.mean(tables.voltage[:-1, np.newaxis] * tables.current[:-1], axis=0)
    assert mean[:-1] == pytest.approx(np.ones(len(tables.names)))
    assert mean[-1] == pytest.approx(0, abs=1e-12)
    assert np.array_equal(tables.current[0], tables.current[-1])
    pc = tables.current[:-1, tables.names.index("desktop-pc")]
    lines = np.abs(np.fft.rfft(pc))
    assert np.sqrt((lines[2:41] ** 2).sum()) / lines[1] == pytest.approx(0.396, abs=0.005)
