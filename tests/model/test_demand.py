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
    by_register,
    demand_view,
    mean_milliwatt,
    method_of,
    signed_view,
)

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "domain.json").read_text())


@pytest.mark.parametrize("case", VECTORS["demand_rounding"], ids=lambda case: case["kw_6dec"])
def test_rounding(case):
    milliwatt = int(Decimal(case["kw_6dec"]) * 1_000_000)
    assert demand_view(milliwatt) == int(Decimal(case["stored_4dec"]) * 10_000)


@given(st.integers(0, 10**14), st.sampled_from(PERIODS_MIN))
def test_a_mean_has_six_decimals_and_halves_go_up(microjoule, period):
    kilowatt = Decimal(microjoule) / (MICROJOULE_A_MINUTE_A_MILLIWATT * period * 10**6)
    assert mean_milliwatt(microjoule, period) == int(kilowatt.quantize(Decimal("1e-6"), ROUND_HALF_UP) * 10**6)


def test_what_the_picture_does_not_hold_is_shown_as_the_highest_it_holds():
    assert demand_view(99_999_949) == demand_view(99_999_950) == demand_view(36_000_000_000) == 999_999
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


@pytest.mark.parametrize(
    ("active", "reactive", "own"),
    [
        (7, 3, (7, 0, 3, 0, 0, 0)),
        (-7, 3, (0, 7, 0, 3, 0, 0)),
        (-7, -3, (0, 7, 0, 0, 3, 0)),
        (7, -3, (7, 0, 0, 0, 0, 3)),
        (0, 0, (0, 0, 0, 0, 0, 0)),
    ],
)
def test_a_demand_belongs_to_one_direction_and_one_quadrant(active, reactive, own):
    assert by_register(active, reactive) == own
