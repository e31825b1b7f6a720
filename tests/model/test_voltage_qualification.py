"""Voltage qualification: worked examples, limits out of order, nothing monitored."""

import json
from pathlib import Path

import pytest

from wattwheel.model.voltage_qualification import Qualification, VoltageLimits, minute_looked

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "domain.json").read_text())["voltage_qualification"]


@pytest.mark.parametrize("case", VECTORS, ids=lambda case: case["samples"])
def test_the_worked_examples(case):
    limits = VoltageLimits(case["upper"], case["lower"], case["check_upper"], case["check_lower"])
    state, minute = Qualification(), 0
    for run in case["samples"].split(", "):
        times, _, volts = run.partition("x")
        for _ in range(int(times)):
            minute_looked(state, round(float(volts) * 10), limits, minute)
            minute += 1
    assert state.monitored_minutes == case["monitored_min"]
    assert (state.over_minutes, state.under_minutes) == (case["over_upper_min"], case["under_lower_min"])
    assert (state.over_rate, state.rate) == (case["over_rate_0_01pct"], case["pass_rate_0_01pct"])


def test_extremes_are_those_that_count_and_the_first_of_equals():
    state, limits = Qualification(), VoltageLimits(2354, 2046, 2640, 1540)
    for minute, voltage in enumerate((2200, 2300, 2300, 2641, 2640, 1540, 2100, 2100)):
        minute_looked(state, voltage, limits, minute)
    assert (state.highest, state.lowest, state.monitored_minutes) == ((2300, 1), (2100, 6), 5)


@pytest.mark.parametrize("limits", [(2046, 2354, 2640, 1540), (2640, 2046, 2640, 1540), (2354, 1540, 2640, 1540)])
def test_limits_out_of_order_count_nothing(limits):
    state = Qualification()
    minute_looked(state, 2200, VoltageLimits(*limits), 0)
    assert state == Qualification()
    assert (state.rate, state.over_rate) == (0, 0)
