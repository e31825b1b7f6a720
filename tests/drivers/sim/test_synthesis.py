"""Constant powers: exact, signed, seeded, with or without noise."""

from __future__ import annotations

import numpy as np
import pytest

from wattwheel.drivers.inputs import open_source
from wattwheel.drivers.sim.synthesis import ConstantSource
from wattwheel.hil.sampling import SampleBlock
from wattwheel.model.inputs import ConstantInput


def blocks_of(
    settings: ConstantInput, seconds: float = 1.0, step_ns: int = 200_000_000
) -> tuple[ConstantSource, list[SampleBlock]]:
    source = open_source(settings, origin_ns=0)
    assert isinstance(source, ConstantSource)
    return source, [b for k in range(int(seconds * 1e9 / step_ns) + 1) for b in source.read(k * step_ns)]


THREE = ConstantInput(
    voltage_v=(220.0, 230.0, 57.7),
    active_power_w=(1100.0, -500.0, 0.0),
    reactive_power_var=(300.0, 100.0, -50.0),
    bits=24,
    noise_lsb=0.0,
)


def test_powers_of_three_phases_and_the_neutral():
    source, blocks = blocks_of(THREE)
    volts = np.concatenate([b.voltage for b in blocks])[:6400] * np.array(source.format.voltage_v_per_count)
    amperes = np.concatenate([b.current for b in blocks])[:6400] * np.array(source.format.current_a_per_count)
    kernel = np.exp(-2j * np.pi * 50 * np.arange(6400) / 6400)[:, np.newaxis]
    v, i = (np.sqrt(2) * np.mean(x * kernel, axis=0) for x in (volts, amperes))
    assert np.abs(v) == pytest.approx(THREE.voltage_v, rel=1e-6)
    assert np.real(v * np.conj(i)) == pytest.approx(THREE.active_power_w, abs=1e-3)
    assert np.imag(v * np.conj(i)) == pytest.approx(THREE.reactive_power_var, abs=1e-3)
    assert np.degrees(np.angle(v[1] / v[0])) == pytest.approx(-120, abs=1e-4)
    assert source.format.neutral_a_per_count is not None
    neutral = (
        np.concatenate([b.neutral for b in blocks if b.neutral is not None])[:6400] * source.format.neutral_a_per_count
    )
    assert neutral == pytest.approx(amperes.sum(axis=1), abs=1e-5)


def test_phase_goes_on_over_segments_and_hours():
    source = ConstantSource(ConstantInput(noise_lsb=0.0, frequency_hz=49.37, rate_hz=6400.0), 0, 100_000.0)
    start = 200 * 10**9 * 6400 * 100_000 // 10**9 + 1  # years of the source's own time, skipped by its pace
    source._pace.taken = start - 3000
    block_list = source.read(200 * 10**9)
    counts = np.concatenate([b.voltage[:, 0] for b in block_list])
    number = block_list[0].first + np.arange(len(counts))
    cycles = (number * 4937 % 640_000) / 640_000
    expected = 220 * np.sqrt(2) * np.sin(2 * np.pi * cycles) / source.format.voltage_v_per_count[0]
    assert counts == pytest.approx(expected, abs=0.6)


def test_noise_is_seeded_and_of_the_stated_size():
    one = np.concatenate([b.current for b in blocks_of(ConstantInput(seed=3))[1]])
    two = np.concatenate([b.current for b in blocks_of(ConstantInput(seed=3), step_ns=7_000_000)[1]])
    assert np.array_equal(one[: len(two)], two[: len(one)])
    other = np.concatenate([b.current for b in blocks_of(ConstantInput(seed=4))[1]])
    assert not np.array_equal(one, other)
    quiet = ConstantInput(voltage_v=(0.0,), active_power_w=(0.0,), noise_lsb=2.0)
    noise = np.concatenate([b.voltage for b in blocks_of(quiet, 4.0)[1]])
    assert noise.std() == pytest.approx(2.0, rel=0.05)


def test_noise_of_one_segment_is_not_that_of_the_next():
    quiet = ConstantInput(voltage_v=(0.0,), active_power_w=(0.0,), noise_lsb=2.0)
    noise = np.concatenate([b.voltage for b in blocks_of(quiet)[1]])[: 5 * 1280, 0].reshape(5, 1280)
    assert not any(np.array_equal(noise[k], noise[0]) for k in range(1, 5))


def test_never_finished():
    source, _ = blocks_of(ConstantInput())
    source.close()
    assert not source.is_finished
