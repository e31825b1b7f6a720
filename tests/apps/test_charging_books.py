"""Charging: money against plain arithmetic, kills, prices that switch over, ends of step periods."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.apps.fee_turns import (
    MILLION,
    NOON,
    ONE_A_QUANTUM,
    PRICE,
    Meter,
    money,
    prepaid,
)

from wattwheel.apps.charging_books import clock_jump_s
from wattwheel.apps.fee_control import MONEY, RECORDS, RELAY
from wattwheel.model.charging import Wallet

STEPS = json.loads((Path(__file__).parents[1] / "vectors" / "domain.json").read_text())["step_charging"]
USED = 0xB0F00000

# -- charging


@pytest.mark.parametrize("case", STEPS["cases"], ids=lambda case: f"{case['start_kwh']}+{case['delta_kwh']}")
def test_the_worked_examples_through_parameters_and_registers(case):
    def digits(text: str, unit: int) -> str:
        return f"{int(Decimal(text) * unit):08d}"

    written = {0x04060001 + at: digits(limit, 100) for at, limit in enumerate(STEPS["step_limits_kwh"])}
    written |= {0x04060101 + at: digits(price, 10_000) for at, price in enumerate(STEPS["step_prices"])}
    written |= {PRICE: digits(case["tariff_price"], 10_000), 0x04000306: f"{case['ct_vt_ratio']:06d}"}
    meter = Meter("local", written)
    meter.push()
    meter.push(quanta=Fraction(case["start_kwh"]) * 100)
    books = meter.function.charging
    wallet = Wallet(money(case["balance_before"]), money(case["overdraft_before"]))
    account = msgspec.structs.replace(books.money.account, wallet=wallet)
    books.money = msgspec.structs.replace(books.money, account=account)
    meter.push(quanta=Fraction(case["delta_kwh"]) * 100)
    assert meter.wallet == (money(case["balance_after"]), money(case["overdraft_after"]))
    assert books.plan.step(books.money.used) == case["step_after"]


PUSHES = st.lists(
    st.tuples(st.integers(1, 4), st.integers(0, 3000), st.sampled_from(["", "", "save", "kill"])), max_size=40
)


@settings(max_examples=100, deadline=None)
@given(PUSHES, st.lists(st.integers(0, 99_999), min_size=4, max_size=4), st.lists(st.integers(1, 30), max_size=6))
def test_money_is_energy_times_price_whatever_is_killed(pushes, prices, limits):
    """The reference counts every 0.01 kWh on its own, in the order in which they flowed, without saved books.

    A kill takes registers and books back to what one transaction had; the registers then go on from the core's totals.
    """
    limits = sorted(set(limits))
    step_prices = [1000 * (at + 1) for at in range(7)]
    written = {PRICE + at: f"{price:08d}" for at, price in enumerate(prices)}
    written |= {0x04060001 + at: f"{limit:08d}" for at, limit in enumerate(limits)}
    written |= {0x04060101 + at: f"{price:08d}" for at, price in enumerate(step_prices)}
    meter = Meter("local", written)
    meter.push()
    assert meter.pay("open-wallet 999999.99") == 0
    saved = dict(meter.store), list(meter.quanta), 0, 0
    paid = used = 0
    for tariff, thousandths, what in pushes:
        if what == "kill":
            meter.store, meter.quanta, paid, used = dict(saved[0]), list(saved[1]), saved[2], saved[3]
            meter.restart()
        meter.tariff = tariff
        before = int(meter.quanta[tariff - 1])
        meter.push(quanta=Fraction(thousandths, 1000), keep=False)
        for _ in range(int(meter.quanta[tariff - 1]) - before):
            paid += prices[tariff - 1] + (step_prices[sum(limit <= used for limit in limits)] if limits else 0)
            used += 1
        if what == "save":
            meter.keep()
            saved = dict(meter.store), list(meter.quanta), paid, used
    assert meter.wallet == (money("999999.99") - paid, 0)


def test_pushes_a_second_and_a_minute_apart_cost_the_same():
    spent = []
    for seconds in (1, 60):
        meter = prepaid(4000)
        for _ in range(3600 // seconds):
            meter.push(seconds, Fraction(37 * seconds, 100))
        spent.append(meter.wallet)
    assert spent[0] == spent[1] == (money("4000") - 1332 * MILLION, 0)


def test_what_flowed_without_prepayment_is_not_charged_when_it_comes():
    meter = Meter("none", ONE_A_QUANTUM)
    meter.push()
    meter.push(quanta=50)
    meter.settings["mode"] = "local"
    meter.restart()
    meter.push(quanta=7)
    assert meter.wallet == (0, 0)
    meter.push(quanta=3)
    assert meter.wallet == (0, 3 * MILLION)


def test_a_meter_without_money_saves_no_energy_and_finds_it_again():
    meter = Meter("remote", {0x04060001: "00000005", 0x04060102: "00010000"})
    meter.push()
    meter.keep()
    for _ in range(5):
        meter.push(60, quanta=2, keep=False)
        assert meter.function.changes() == {}
    meter.restart()
    meter.push()
    assert meter.function.charging.money.used == 10
    assert meter.function.look(0x0280000B, b"") == 10_000


def test_a_kill_charges_nothing_twice_and_nothing_at_no_price():
    meter = prepaid(100)
    meter.push(quanta=10)
    meter.restart()
    parameters, meter.parameters = meter.parameters, {}
    meter.push(quanta=5)  # before the parameters are heard nobody knows the price
    assert meter.wallet == (90 * MILLION, 0)
    meter.parameters = parameters
    meter.push()
    assert meter.wallet == (85 * MILLION, 0)


@pytest.mark.parametrize("junk", [b"", b"\xc1", b"\x90", b"\x93\x01\x02\x03", b"[" * 5000])
def test_octets_that_are_no_books_are_forgotten(junk):
    meter = Meter("local")
    meter.store = {MONEY: junk, RELAY: junk, RECORDS: junk}
    meter.restart()
    meter.push()
    assert meter.wallet == (0, 0)


# -- prices and steps


def test_prices_switch_over_at_their_minute_and_the_energy_before_costs_the_old_price():
    meter = prepaid(100, **{"04050201": "03000000", "04000108": "2606101205"})
    meter.push(267, quanta=4)  # 12:05:00 is still ahead by a second
    assert meter.wallet == (96 * MILLION, 0)
    meter.push(3, quanta=2)
    assert meter.wallet == (94 * MILLION, 0)
    meter.push(1, quanta=2)
    assert meter.wallet == (88 * MILLION, 0)
    assert meter.function.look(0x02800020, b"") == 3_000_000
    meter.push(60, keep=False)
    assert meter.function.changes() == {}  # what was executed is done
    assert meter.function.status_bits(3) >> 10 & 3 == 1
    meter.set_clock(NOON)
    meter.push(120)
    meter.push(600)
    assert meter.function.status_bits(3) >> 10 & 3 == 1  # once


def test_steps_switch_over_with_an_end_of_the_step_period():
    steps = {"04060001": "00000005", "04060102": "00010000", "04060201": "00000009", "04000109": "2606101205"}
    meter = prepaid(100, **steps)
    meter.push(quanta=7)
    assert meter.function.look(0x0280000B, b"") == 10_000
    meter.push(300)
    assert meter.function.charging.money.periods == (7,)
    assert meter.function.charging.money.used == 0
    assert meter.function.status_bits(3) >> 10 & 3 == 2


def test_a_monthly_step_period_ends_once_whatever_the_clock_does():
    meter = prepaid(5000, **{"04060001": "00000005", "04060401": "991114"})
    meter.at = datetime(2026, 6, 11, 13, 59, 50, tzinfo=UTC)
    meter.push(quanta=8)
    meter.push(20, quanta=1)
    assert meter.function.charging.money.periods == (9,)
    meter.push(quanta=3)
    meter.set_clock(datetime(2026, 6, 11, 13, 58, tzinfo=UTC))
    meter.push(1)
    meter.push(300)
    assert meter.function.charging.money.periods == (9,)
    assert meter.function.charging.money.used == 3
    meter.keep()
    meter.at += timedelta(days=31)  # off over the next one
    meter.restart()
    meter.push(1)
    assert meter.function.charging.money.periods == (3, 9)
    meter.set_clock(meter.at + timedelta(days=35))
    meter.push(1)
    assert meter.function.charging.money.periods == (3, 9)


@pytest.mark.parametrize("jump_s", [-7, -6, -5, 0, 5, 6, 7])
@pytest.mark.parametrize("elapsed_s", [1, 60, 3600])
def test_a_clock_that_was_moved_by_more_than_five_seconds_has_jumped(jump_s, elapsed_s):
    before, now_ns = (3, 1000, 5 * 10**9), (5 + elapsed_s) * 10**9
    now = (4, 1000 + elapsed_s + jump_s, now_ns)
    assert clock_jump_s(before, now) == (jump_s if abs(jump_s) > 5 else 0)
    assert clock_jump_s(before, (3, *now[1:])) == 0  # nobody has set it
    assert clock_jump_s(None, now) == 0


@pytest.mark.parametrize(("jump_s", "is_ended"), [(5, True), (6, False)])
def test_a_clock_that_is_set_over_an_instant_by_more_than_five_seconds_ends_no_step_period(jump_s, is_ended):
    meter = prepaid(5000, **{"04060001": "00000005", "04060401": "991114"})
    meter.at = datetime(2026, 6, 11, 13, 59, 57, tzinfo=UTC)
    meter.push(quanta=8)
    meter.set_clock(meter.at + timedelta(seconds=jump_s))
    meter.push(1)
    assert meter.function.charging.money.periods == ((8,) if is_ended else ())


def test_what_was_used_in_each_step_period_is_read():
    meter = prepaid(5000, **{"04060001": "00000005"})
    meter.at = datetime(2026, 6, 30, 23, 59, tzinfo=UTC)
    meter.push(quanta=4)
    look = meter.function.look
    assert (look(USED, b""), look(USED + 1, b"")) == (4, None)
    for days, used in ((31, 6), (31, 7), (30, 8), (31, 9), (30, 10)):  # to the last minute of each month
        meter.push(days * 86_400, quanta=used)
    assert [look(USED + at, b"") for at in range(6)] == [0, 10, 9, 8, 7, None]
    assert [di for di in meter.function.listed() if di >> 16 == USED >> 16] == [USED + at for at in range(5)]
    assert look(0xB0F10000, b"") is None


def test_yearly_step_periods_and_29_february():
    ends = {"04060401": "022906", "04060402": "070100", "04060001": "00000005"}
    meter = prepaid(5000, **ends)
    meter.push(quanta=2)
    meter.push(30 * 86_400, quanta=2)
    assert meter.function.charging.money.periods == (4,)
    meter.push(640 * 86_400, quanta=1)  # over 1 July 2027 and 29 February 2028
    assert meter.function.charging.money.periods == (0, 1, 4)


def test_without_a_valid_instant_there_are_no_steps():
    meter = prepaid(100, **{"04060001": "00000005", "04060102": "00010000", "04060401": "999999"})
    meter.push(quanta=7)
    assert meter.function.look(0x0280000B, b"") == 0
    meter.write({0x04060401: "990100"})
    meter.push(quanta=1)
    assert meter.function.charging.money.used == 0  # steps that are new begin now
    meter.push(quanta=6)
    assert meter.function.look(0x0280000B, b"") == 10_000
