"""Drift in integers: what is gained, and when a drifting clock has come to a time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattwheel.model.clock_drift import DRIFT_PPM_MAX, PARTS, drift_ppb, drifted_us, elapsed_until_us

DAY_US = 86_400_000_000
PPB = st.integers(drift_ppb(-DRIFT_PPM_MAX), drift_ppb(DRIFT_PPM_MAX))
ELAPSED = st.integers(-DAY_US * 366 * 100, DAY_US * 366 * 100)


@pytest.mark.parametrize(
    ("ppm", "days", "gained_us"),
    [(0.0, 365, 0), (1.0, 1, 86_400), (-1.0, 1, -86_400), (5.787, 1, 499_996), (5.787, 20, 9_999_936)],
)
def test_what_a_clock_gains(ppm, days, gained_us):
    assert drifted_us(days * DAY_US, drift_ppb(ppm)) == gained_us


@given(ELAPSED, st.integers(0, 10_000_000), PPB)
def test_a_drifting_clock_never_goes_back(elapsed_us, later_us, ppb):
    before = elapsed_us + drifted_us(elapsed_us, ppb)
    assert before <= elapsed_us + later_us + drifted_us(elapsed_us + later_us, ppb)


@given(ELAPSED, PPB)
def test_the_instant_of_a_time_is_the_first_one_that_shows_it(shown_us, ppb):
    at_us = elapsed_until_us(shown_us, ppb)
    assert at_us + drifted_us(at_us, ppb) >= shown_us
    assert at_us - 1 + drifted_us(at_us - 1, ppb) < shown_us


@pytest.mark.parametrize("ppb", [-1_000_000, -999_999, 1_000_000])
def test_where_a_time_is_shown_twice_or_passed_over_it_is_the_first_instant_too(ppb):
    for shown_us in range(-3000, 3000):
        expected = next(at for at in range(shown_us - 9, shown_us + 9) if at + drifted_us(at, ppb) >= shown_us)
        assert elapsed_until_us(shown_us, ppb) == expected


@given(ELAPSED, PPB)
def test_drift_is_its_share_of_the_time(elapsed_us, ppb):
    assert 0 <= elapsed_us * ppb - drifted_us(elapsed_us, ppb) * PARTS < PARTS
