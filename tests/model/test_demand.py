"""Demand windows: worked examples, restarts, rounding, and the plain mean as the reference."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattwheel.model.demand import (
    MICROJOULE_A_MINUTE_A_MILLIWATT,
    PERIODS_MIN,
    SLIPS_MIN,
    Demand,
    DemandWindow,
    are_allowed,
    demand_view,
    is_new_maximum,
    minute_passed,
    restarted,
)

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "domain.json").read_text())
TEN_KW = 10_000_000 * MICROJOULE_A_MINUTE_A_MILLIWATT
PROFILE = [0] * 7 + [TEN_KW] * 15 + [0] * 38


@pytest.mark.parametrize("case", VECTORS["demand"], ids=lambda case: f"{case['period']}-{case['slip']}")
def test_the_worked_examples(case):
    window = DemandWindow(case["period"], case["slip"])
    ends = [(minute, minute_passed(window, minute, energy)) for minute, energy in enumerate(PROFILE, 1)]
    found = [(demand.milliwatt, minute) for minute, demand in ends if demand is not None and demand.is_whole]
    highest = max(milliwatt for milliwatt, _ in found)
    assert highest == int(Decimal(str(case["max_kw"])) * 1_000_000)
    assert next(minute for milliwatt, minute in found if milliwatt == highest) == case["first_reached_at_minute"]


@pytest.mark.parametrize("case", VECTORS["demand_rounding"], ids=lambda case: case["kw_6dec"])
def test_rounding(case):
    milliwatt = int(Decimal(case["kw_6dec"]) * 1_000_000)
    assert demand_view(milliwatt) == int(Decimal(case["stored_4dec"]) * 10_000)


def test_a_restart_off_the_minute_takes_one_minute_more():
    for second, first in ((0, 15), (1, 15), (2, 16), (30, 16)):
        window = restarted(DemandWindow(), second)
        whole = [minute for minute in range(1, 40) if (d := minute_passed(window, minute, 1)) and d.is_whole]
        assert whole[0] == first


def test_a_block_that_is_not_whole_is_none():
    window = restarted(DemandWindow(15, 15), 0)
    demands = {minute: minute_passed(window, minute, TEN_KW) for minute in range(8, 46)}
    assert {minute: d.is_whole for minute, d in demands.items() if d is not None} == {15: False, 30: True, 45: True}


def test_only_a_greater_one_replaces_a_maximum():
    assert not is_new_maximum(Demand(1_234_550, True), 12_346)
    assert is_new_maximum(Demand(1_234_650, True), 12_346)
    assert not is_new_maximum(Demand(9_000_000, False), 0)


@pytest.mark.parametrize(
    ("period", "slip", "allowed"),
    [(15, 1, True), (15, 5, True), (15, 15, True), (15, 2, False), (60, 60, True), (7, 1, False), (15, 10, False)],
)
def test_pairs_of_period_and_slip(period, slip, allowed):
    assert are_allowed(period, slip) is allowed


_pairs = [(period, slip) for period in PERIODS_MIN for slip in (*SLIPS_MIN, period) if are_allowed(period, slip)]


@given(st.sampled_from(_pairs), st.integers(0, 1439), st.lists(st.integers(0, 10**13), max_size=150))
def test_a_demand_is_the_mean_of_its_period(pair, start, energies):
    period, slip = pair
    window = DemandWindow(period, slip)
    for count, energy in enumerate(energies, 1):
        demand = minute_passed(window, (start + count) % 1440, energy)
        assert (demand is not None) == ((start + count) % 1440 % slip == 0)
        if demand is not None and demand.is_whole:
            mean = sum(energies[count - period : count]) / period / MICROJOULE_A_MINUTE_A_MILLIWATT
            assert demand.milliwatt == pytest.approx(mean, abs=1.01)
        assert demand is None or demand.is_whole == (count >= period)
