"""Zero crossings: place, arming, offset, exactness."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wattwheel.metrology.crossing import CrossingFilter, CrossingTracker
from wattwheel.metrology.history import History

RATE_HZ = 1.0 / 48e-6


def crossings(
    counts: np.ndarray, rate_hz: float = RATE_HZ, nominal_hz: float = 50.0, arming: float = 500.0
) -> list[float]:
    history = History(1, np.int32, 1 << 16)
    tracker = CrossingTracker(CrossingFilter(rate_hz, nominal_hz), 0, arming)
    history.append([counts.astype(np.int32)])
    return [ticks / 2**20 for ticks in tracker.feed(history)]


@pytest.mark.parametrize("rate_hz", [400.0, 1000.0, 3200.0, RATE_HZ, 50_000.0])
@pytest.mark.parametrize("frequency_hz", [45.0, 50.0, 61.7])
def test_place_of_a_sine(rate_hz, frequency_hz):
    at = np.arange(int(rate_hz))
    found = crossings(np.rint(1e6 * np.sin(2 * np.pi * (frequency_hz * at / rate_hz - 0.3))), rate_hz)
    turns = np.array(found) * frequency_hz / rate_hz - 0.3
    assert len(found) >= frequency_hz - 4
    assert turns - np.rint(turns) == pytest.approx(0.0, abs=3e-6)


@pytest.mark.parametrize("offset", [0.0, 30_000.0, -200_000.0])
def test_an_offset_moves_nothing(offset):
    at = np.arange(30_000)
    found = crossings(np.rint(1e4 * np.sin(2 * np.pi * 50.0 * at / RATE_HZ) + offset))
    assert np.diff(found) * 50.0 / RATE_HZ == pytest.approx(1.0, abs=1e-5)


def test_harmonics_move_all_crossings_alike():
    turn = 2 * np.pi * 50.0 * np.arange(60_000) / RATE_HZ
    found = crossings(np.rint(1e4 * (np.sin(turn) + 0.6 * np.sin(3 * turn + 2.0) + 0.5 * np.sin(5 * turn - 1.0))))
    turns = np.array(found) * 50.0 / RATE_HZ
    assert turns - np.rint(turns) == pytest.approx(0.0, abs=1e-4)


def test_a_voltage_below_the_arming_level_has_no_crossings():
    at = np.arange(30_000)
    wave = np.sin(2 * np.pi * 50.0 * at / RATE_HZ)
    assert len(crossings(np.rint(510 * wave))) > 20
    assert crossings(np.rint(490 * wave)) == []
    assert crossings(np.random.default_rng(1).integers(-400, 400, 30_000)) == []


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(1, 5000), min_size=1, max_size=20))
def test_any_cutting_gives_the_same_crossings(sizes):
    counts = np.rint(8e6 * np.sin(2 * np.pi * 50.1 * np.arange(20_000) / RATE_HZ + 1.0)).astype(np.int32)
    history = History(1, np.int32, 4096)
    tracker = CrossingTracker(CrossingFilter(RATE_HZ, 50.0), 0, 500.0)
    found, at, turn = [], 0, 0
    while at < len(counts):
        size = sizes[turn % len(sizes)]
        history.append([counts[at : at + size]])
        found += tracker.feed(history)
        assert all(ticks <= tracker.horizon_ticks for ticks in found)
        history.drop_before(history.end - 100)
        at, turn = at + size, turn + 1
    assert [ticks / 2**20 for ticks in found] == crossings(counts)


def test_sums_stay_exact_in_float64():
    for rate_hz in (400.0, 2600.0, 4999.0, RATE_HZ, 50_000.0):
        kernel = CrossingFilter(rate_hz, 50.0)
        largest = 2**23 * kernel.group * float(kernel.taps.sum()) * 4
        assert largest < 2**53
