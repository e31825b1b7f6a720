"""Harmonic content of a cycle against curves whose content is known."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattwheel.model.core_records import WAVEFORM_POINTS, PhaseWave, Waveform
from wattwheel.model.harmonics import CONTENT_DIGITS_MAX, ORDERS_MAX, contents, harmonic_item, is_harmonic

FUNDAMENTAL = 20_000


def curve(shares: dict[int, tuple[float, float]]) -> tuple[int, ...]:
    """Points of a fundamental with harmonics: order to share of the fundamental and phase."""

    def point(place: int) -> float:
        angle = 2 * math.pi * place / WAVEFORM_POINTS
        return sum(share * math.cos(order * angle + phase) for order, (share, phase) in shares.items())

    return tuple(round(FUNDAMENTAL * point(place)) for place in range(WAVEFORM_POINTS))


SHARES = st.dictionaries(
    st.integers(2, ORDERS_MAX), st.tuples(st.floats(0, 0.05), st.floats(-math.pi, math.pi)), max_size=20
)


@given(SHARES, st.floats(-math.pi, math.pi))
def test_each_order_is_found_as_it_was_made(shares, phase):
    found = contents(curve({1: (1.0, phase), **shares}))
    assert found[0] == CONTENT_DIGITS_MAX
    for order in range(2, ORDERS_MAX + 1):
        assert found[order - 1] == pytest.approx(1e4 * shares.get(order, (0, 0))[0], abs=1.0)


def test_without_a_fundamental_there_is_no_content():
    assert contents((0,) * WAVEFORM_POINTS) is None
    assert contents(curve({3: (1.0, 0.0)})) is None


def test_items_by_phase_quantity_and_order():
    voltage, current = curve({1: (1, 0), 3: (0.1, 1)}), curve({1: (0.1, 0), 5: (0.02, 0)})
    waveform = Waveform(50_000, (PhaseWave(1, 1, voltage, current),))
    assert harmonic_item(waveform, 0x020A0103) == 1000
    assert harmonic_item(waveform, 0x020B0105) == 2000
    assert harmonic_item(waveform, 0x020B0103) in (0, 1)
    block = harmonic_item(waveform, 0x020A01FF)
    assert len(block) == ORDERS_MAX
    assert block[2] == 1000
    for none in (0x020A0203, 0x020A0003, 0x020A0100, 0x020A0116, 0x020AFFFF):
        assert harmonic_item(waveform, none) is None
    assert is_harmonic(0x020B0301)
    assert not is_harmonic(0x02090100)
