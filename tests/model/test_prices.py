"""Prices out of parameters: sets, steps, ends of step periods."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattwheel.model.prices import (
    FIRST_PRICES,
    PRICES_SWITCH,
    STEP_COUNT,
    STEPS_SWITCH,
    PriceSets,
    YearInstant,
    next_settlement,
    number,
    plan_of,
    switched,
)

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
MONTHLY = {0x04060401: "990100"}
LIMITS = {0x04060001: "00000500", 0x04060002: "00001000", 0x04060101: "00000010", 0x04060102: "00000020"}


def octets(written: dict[int, str]) -> dict[int, bytes]:
    return {di: bytes.fromhex(digits)[::-1] for di, digits in written.items()}


def test_the_running_sets_make_the_plan():
    written = octets(
        {0x04050101: "00000001", 0x04050203: "00000002", 0x04060201: "00000007", 0x04060301: "00000009"}
        | LIMITS | MONTHLY | {0x04060501: "070112"}
    )  # fmt: skip
    first, second = plan_of(written), plan_of(written, PriceSets(1, 1))
    assert (first.tariff_price(1), first.tariff_price(3), first.tariff_price(64)) == (1, 0, 0)
    assert (second.tariff_price(1), second.tariff_price(3)) == (0, 2)
    assert [first.step(used) for used in (0, 499, 500, 1000)] == [1, 1, 2, 3]
    assert [first.step_price(used) for used in (0, 500, 1000)] == [10, 20, 0]
    assert (second.step(6), second.step_price(6), second.step(7)) == (1, 9, 2)
    assert second.instants == (YearInstant(7, 1, 12),)


@pytest.mark.parametrize("more", [{}, {0x04060401: "999999"}, {0x04060401: "023000"}, {**MONTHLY, STEP_COUNT: "00"}])
def test_no_instant_or_no_limit_is_no_step(more):
    plan = plan_of(octets(LIMITS | more))
    assert (plan.step(700), plan.step_price(700), plan.limits == () or any(plan.limits)) == (0, 0, True)


def test_limits_of_zero_are_no_steps_and_need_no_ends():
    assert plan_of(octets(MONTHLY)).instants == ()


def test_the_count_says_how_many_limits_there_are():
    assert plan_of(octets(LIMITS | MONTHLY | {STEP_COUNT: "01"})).step(5000) == 2


def test_the_ratios_are_multiplied():
    assert plan_of(octets({0x04000306: "000050", 0x04000307: "000100"})).ratio == 5000
    assert plan_of(octets({0x04000306: "000000"})).ratio == 1


def test_each_pair_switches_over_once_at_its_instant():
    written = octets({PRICES_SWITCH: "2606101200", STEPS_SWITCH: "0000000000"})
    assert switched(FIRST_PRICES, written, NOON - timedelta(minutes=1)) == FIRST_PRICES
    after = switched(FIRST_PRICES, written, NOON)
    assert (after.prices, after.steps) == (1, 0)
    assert switched(after, written, NOON + timedelta(days=9)) == after
    again = octets({PRICES_SWITCH: "2606111200", STEPS_SWITCH: "2606111200"})
    assert (switched(after, again, NOON + timedelta(days=1)).prices, after.steps) == (0, 0)


@pytest.mark.parametrize(
    ("instants", "after", "expected"),
    [
        ([YearInstant(None, 1, 0)], NOON, datetime(2026, 7, 1, tzinfo=UTC)),
        ([YearInstant(None, 10, 12)], NOON, datetime(2026, 7, 10, 12, tzinfo=UTC)),
        ([YearInstant(None, 31, 0)], NOON, datetime(2026, 7, 31, tzinfo=UTC)),
        ([YearInstant(None, 5, 3)], NOON.replace(month=12), datetime(2027, 1, 5, 3, tzinfo=UTC)),
        ([YearInstant(2, 29, 6)], NOON, datetime(2028, 2, 29, 6, tzinfo=UTC)),
        ([YearInstant(3, 1, 0), YearInstant(9, 1, 0)], NOON, datetime(2026, 9, 1, tzinfo=UTC)),
        ([], NOON, None),
    ],
)
def test_the_next_end_of_a_step_period(instants, after, expected):
    assert next_settlement(instants, after) == expected


@given(st.binary(max_size=5))
def test_any_octets_are_a_number_or_0(octets):
    said = octets[::-1].hex()
    assert number(octets) == (int(said) if said.isdigit() else 0)
