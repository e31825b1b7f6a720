"""Momentary values as data items, in the units of their last digits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wattwheel.model.momentary_items import momentary_items, rounded
from wattwheel.model.records import ElementReading, Momentary

PHASE_A = ElementReading(219_960, 4_999_500, -1_234_560, 250_049, 1_259_600, -980_100, 359_960, 120_000, 1234, 5678)
TOTAL = ElementReading(None, None, -3_000_050, 99, 3_000_149, -999_500)


def test_momentary_items_in_the_units_of_their_last_digits():
    absent = ElementReading()
    values = momentary_items(Momentary((TOTAL, PHASE_A, absent, absent), 50_004, 12_500))
    assert values[0x02010100] == 2200  # 220.0 V
    assert values[0x02020100] == 5000  # 5.000 A, halves away from zero
    assert values[0x02030100] == -12346
    assert values[0x02030000] == -30001
    assert values[0x02040000] == 1
    assert values[0x02060000] == -1000
    assert values[0x02070100] == 0  # 359.96 degrees are a full turn
    assert values[0x0201FF00] == (2200, None, None)
    assert values[0x0203FF00] == (-30001, -12346, None, None)
    assert values[0x02800002] == 5000
    assert values[0x02800001] == 13
    assert not {0x02010000, 0x02020000, 0x02070000, 0x02010200, 0x02030300} & set(values)


def test_without_any_phase_there_is_nothing():
    assert momentary_items(Momentary((ElementReading(),) * 4)) == {}


@given(st.integers(-(2**70), 2**70), st.sampled_from((10, 100, 1000)))
def test_rounding_is_to_the_nearest_and_the_same_on_both_sides_of_zero(value, divisor):
    assert abs(rounded(value, divisor) * divisor - value) * 2 <= divisor
    assert rounded(-value, divisor) == -rounded(value, divisor)
