"""Window ends between samples."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattwheel.metrology.fundamental import is_reversed, sequence_components, unbalance
from wattwheel.metrology.window import Summer, end_weights, weights_at

fractions = st.floats(0.0, 1.0)


@given(fractions)
def test_weights_hold_the_time_passed(fraction):
    assert sum(end_weights(fraction)) == pytest.approx(1.5 + fraction, abs=1e-14)


@given(fractions, st.lists(st.floats(-5.0, 5.0), min_size=4, max_size=4))
def test_cubics_are_integrated_exactly(fraction, c):
    def antiderivative(x):
        return sum(factor * x ** (power + 1) / (power + 1) for power, factor in enumerate(c))

    def samples(at):
        return sum(factor * at**power for power, factor in enumerate(c))

    inner = np.arange(10)
    # Between two ends that lie at the same place between samples, what is left out at one is added at the other.
    difference = (
        sum(weight * samples(10 + place) for weight, place in zip(end_weights(fraction), range(4), strict=True))
        - sum(weight * samples(place) for weight, place in zip(end_weights(0.0), range(4), strict=True))
        + sum(samples(place) for place in inner)
    )
    assert difference == pytest.approx(antiderivative(11.0 + fraction) - antiderivative(1.0), rel=1e-9, abs=1e-6)


def test_an_end_on_a_sample_is_the_same_from_both_sides():
    before, after = end_weights(1.0), end_weights(0.0)
    assert (*before, 0.0) == pytest.approx((1.0, *after), abs=1e-15)
    assert weights_at(5 << 20) == end_weights(0.0)


@given(st.integers(20 << 20, 40 << 20))
def test_two_windows_are_one(middle):
    rng = np.random.default_rng(middle)
    raw = rng.integers(-30_000, 30_000, (2, 80)).astype(np.int16)
    summer = Summer(1, 2, 16, (None,))
    start, end = (5 << 20) + 1234, (60 << 20) + 999_999

    def part(begin, stop):
        first = begin // 2**20 - 1
        sums = summer.sums(raw[:, first : stop // 2**20 + 3], begin, stop, begin, 0)
        return [*sums.first, *sums.squares_voltage, *sums.squares_current, *sums.products]

    whole = part(start, end)
    assert [a + b for a, b in zip(part(start, middle), part(middle, end), strict=True)] == pytest.approx(
        whole, rel=1e-12
    )


@pytest.mark.parametrize("turn", [1, -1])
def test_sequence(turn):
    a = np.exp(2j * math.pi / 3)
    phasors = [220.0, 220.0 * a ** (-turn), 220.0 * a**turn]
    zero, positive, negative = map(abs, sequence_components(*phasors))
    assert zero == pytest.approx(0.0, abs=1e-9)
    assert (positive, negative) == pytest.approx((220.0, 0.0) if turn == 1 else (0.0, 220.0), abs=1e-9)
    assert is_reversed(phasors) == (turn == -1)
    assert unbalance(phasors) == pytest.approx(0.0, abs=1e-9)
    assert unbalance([0j, 0j, 0j]) is None
    assert unbalance([220.0, 0.0, 0.0]) == pytest.approx(1.0)
