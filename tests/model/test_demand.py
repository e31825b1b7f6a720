"""Demand: pairs of period and slip, rounding, and which register a demand belongs to."""

import json
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattwheel.model.demand import (
    MICROJOULE_A_MINUTE_A_MILLIWATT,
    PERIOD,
    PERIODS_MIN,
    SLIP,
    STANDARD_METHOD,
    Method,
    are_allowed,
    demand_views,
    method_of,
    signed_view,
)

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "domain.json").read_text())


@pytest.mark.parametrize("case", VECTORS["demand_rounding"], ids=lambda case: case["kw_6dec"])
def test_rounding(case):
    microjoule = int(Decimal(case["kw_6dec"]) * 1_000_000) * MICROJOULE_A_MINUTE_A_MILLIWATT * 15
    assert demand_views([microjoule], 15) == [int(Decimal(case["stored_4dec"]) * 10_000)]


def rounded(microjoule: int, period: int) -> int:
    kilowatt = Decimal(microjoule) / (MICROJOULE_A_MINUTE_A_MILLIWATT * period * 10**6)
    six = kilowatt.quantize(Decimal("1e-6"), ROUND_HALF_UP)
    return min(int(six.quantize(Decimal("1e-4"), ROUND_HALF_UP) * 10**4), 999_999)


@given(st.lists(st.integers(0, 10**14), min_size=1, max_size=12), st.sampled_from(PERIODS_MIN))
def test_halves_go_up_at_six_decimals_and_then_at_four(energies, period):
    assert demand_views(energies, period) == [rounded(energy, period) for energy in energies]


def test_a_half_of_a_milliwatt_may_make_a_half_of_the_last_digit():
    milliwatt = MICROJOULE_A_MINUTE_A_MILLIWATT * 15
    half = 49 * milliwatt + milliwatt // 2  # 49.5 mW are 50 mW are 0.1 W
    assert demand_views([half, half - 1], 15) == [1, 0]


def test_what_the_picture_does_not_hold_is_shown_as_the_highest_it_holds():
    kilowatt = 15 * MICROJOULE_A_MINUTE_A_MILLIWATT * 1_000_000
    assert demand_views([100 * kilowatt, 36_000 * kilowatt, kilowatt], 15) == [999_999, 999_999, 10_000]
    assert [signed_view(view, True) for view in (0, 5, 799_999, 800_000)] == [0, -5, -799_999, -799_999]
    assert signed_view(999_999, False) == 799_999


@pytest.mark.parametrize(
    ("period", "slip", "allowed"),
    [(15, 1, True), (15, 5, True), (15, 15, True), (15, 2, False), (60, 60, True), (7, 1, False), (15, 10, False)],
)
def test_pairs_of_period_and_slip(period, slip, allowed):
    assert are_allowed(period, slip) is allowed


@pytest.mark.parametrize(
    ("written", "method"),
    [
        ({}, STANDARD_METHOD),
        ({PERIOD: b"\x30", SLIP: b"\x05"}, Method(30, 5)),
        ({PERIOD: b"\x60", SLIP: b"\x60"}, Method(60, 60)),
        ({PERIOD: b"\x60"}, STANDARD_METHOD),
        ({PERIOD: b"\x15", SLIP: b"\x02"}, STANDARD_METHOD),
        ({PERIOD: b"\x1a", SLIP: b"\x01"}, STANDARD_METHOD),
    ],
)
def test_the_method_is_that_of_the_parameters_if_it_is_one(written, method):
    assert method_of(written) == method


def test_only_equal_period_and_slip_are_blocks():
    assert Method(15, 15).is_block
    assert not Method(15, 5).is_block
