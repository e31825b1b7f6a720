"""Fee control: money against plain arithmetic, every limit crossed, every order of 1CH, kills."""

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
from tests.apps.fee_turns import MILLION, NOON, OPERATOR, Meter, momentary, wire

from wattwheel.apps.charging_books import Money
from wattwheel.apps.fee_control import MONEY, RECORDS, RELAY, STATUS_BITS
from wattwheel.model.charging import Wallet
from wattwheel.sdk import Function

STEPS = json.loads((Path(__file__).parents[1] / "vectors" / "domain.json").read_text())["step_charging"]
ALARM_1, ALARM_2, OVERDRAFT, HOARDING, CLOSE_ALLOWED = range(0x04001001, 0x04001006)
TRIP_DELAY, TRIP_CURRENT, GUARD_MINUTES = 0x04001401, 0x04001402, 0x04001403
PRICE = 0x04050101
TRIP, PERMIT, CLOSE, AUTO_CLOSE, AUTO_PERMIT = range(0x1A, 0x1F)
ALARM_ON, ALARM_OFF, PRESERVE, RELEASE = 0x2A, 0x2B, 0x3A, 0x3B
ONE_A_QUANTUM = {PRICE: "01000000"}
"""100.0000 a kWh: a quantum of 0.01 kWh costs 1."""


def prepaid(balance: int = 200, **written: str) -> Meter:
    limits = {ALARM_1: "00010000", ALARM_2: "00005000", OVERDRAFT: "00001000"}
    meter = Meter("local", {**ONE_A_QUANTUM, **limits, **{int(di, 16): digits for di, digits in written.items()}})
    meter.push()
    assert meter.pay(f"open-wallet {balance}") == 0
    meter.push()
    return meter


def money(text: str) -> int:
    return int(Decimal(text) * MILLION)


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
    assert meter.function.status_bits[1] >> 10 & 3 == 1
    meter.set_clock(NOON)
    meter.push(120)
    meter.push(600)
    assert meter.function.status_bits[1] >> 10 & 3 == 1  # once


def test_steps_switch_over_with_an_end_of_the_step_period():
    steps = {"04060001": "00000005", "04060102": "00010000", "04060201": "00000009", "04000109": "2606101205"}
    meter = prepaid(100, **steps)
    meter.push(quanta=7)
    assert meter.function.look(0x0280000B, b"") == 10_000
    meter.push(300)
    assert meter.function.charging.money.periods == (7,)
    assert meter.function.charging.money.used == 0
    assert meter.function.status_bits[1] >> 10 & 3 == 2


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


# -- limits


def test_each_limit_has_its_effect_when_it_is_passed():
    meter = prepaid(150)
    meter.push(quanta=49)
    assert (meter.is_alarming, meter.is_open) == (False, False)
    meter.push(quanta=1)  # 100.00
    assert (meter.is_alarming, meter.is_open) == (True, False)
    meter.push(quanta=50)  # 50.00: a reminder
    assert meter.is_open
    meter.push()
    assert meter.function.control.waits_for_key
    meter.push(600)
    assert meter.is_open
    meter.function.press("up", True, meter.turn())
    meter.push()
    assert not meter.is_open
    meter.push(quanta=50)  # exactly nothing
    assert (meter.wallet, meter.is_open) == ((0, 0), True)
    meter.push()
    meter.function.press("up", True, meter.turn())
    meter.push()
    assert not meter.is_open
    meter.push(quanta=9)
    assert (meter.wallet, meter.is_open) == ((0, 9 * MILLION), False)
    meter.push(quanta=1)  # the overdraft limit
    assert meter.is_open
    meter.push()
    meter.function.press("up", True, meter.turn())
    meter.push()
    assert meter.is_open
    assert meter.counts() == (3, 2)


def test_with_no_overdraft_allowed_nothing_left_is_a_trip_at_once():
    meter = prepaid(60, **{"04001003": "00000000", "04001002": "00000000"})
    meter.push(quanta=60)
    assert meter.is_open
    meter.push(5)
    assert not meter.function.control.waits_for_key


def test_limits_of_zero_are_no_limits():
    meter = prepaid(150, **{"04001001": "00000000", "04001002": "00000000"})
    meter.push(quanta=149)
    assert (meter.is_alarming, meter.is_open, meter.counts()) == (False, False, (0, 0))


def test_who_buys_too_little_is_alarmed_and_not_reminded_again_before_the_balance_was_above_the_limit():
    meter = prepaid(60)
    meter.push(quanta=55)
    meter.push(2)
    meter.function.press("up", True, meter.turn())
    meter.push()
    assert meter.pay("recharge 20 1") == 0
    assert meter.is_alarming
    trips = meter.counts()[0]
    meter.push(quanta=25)
    assert meter.wallet == (0, 0)
    assert meter.counts()[0] == trips
    assert meter.pay("recharge 80 2") == 0
    assert meter.wallet == (80 * MILLION, 0)
    meter.push(quanta=40)
    assert meter.counts()[0] == trips + 1


# -- paying


def test_a_recharge_repays_what_is_owed_and_allows_closing():
    meter = prepaid(5)
    meter.push(quanta=17)
    assert (meter.wallet, meter.is_open) == ((0, 12 * MILLION), True)
    assert meter.pay("recharge 12 1") == 0
    assert meter.wallet == (0, 0)
    meter.push()
    assert not meter.function.control.waits_for_key  # nothing left is not above the limit of closing
    assert meter.pay("recharge 150.25 2") == 0
    meter.push()
    assert meter.wallet == (money("150.25"), 0)
    assert meter.function.control.waits_for_key
    assert not meter.is_alarming
    meter.function.press("both", False, meter.turn())
    meter.push()
    assert meter.is_open
    meter.function.press("both", True, meter.turn())
    meter.push()
    assert not meter.is_open


def test_purchases_count_one_by_one_and_leave_records():
    meter = prepaid(10)
    assert meter.pay("recharge 1.5 2") == 0x20
    assert meter.pay("recharge 1.5 0") == 0x02
    assert meter.pay("recharge 1.5 1") == 0
    assert meter.pay("recharge 1.5 1") == 0x02
    assert meter.pay("recharge 200 2") == 0
    assert meter.wallet == (money("211.5"), 0)
    look = meter.function.look
    assert [look(0x03330001 + (field << 8), b"") for field in range(1, 7)] == [
        wire("2606101200"),
        wire("0002"),
        wire("00020000"),
        wire("00001150"),
        wire("00021150"),
        wire("00020150"),
    ]
    assert look(0x03330302, b"") == wire("00000150")
    assert look(0x03330103, b"") is None


def test_hoarding_is_refused():
    meter = prepaid(10, **{"04001004": "00010000"})
    assert meter.pay("recharge 90.01 1") == 0x40
    assert meter.pay("recharge 90 1") == 0
    assert meter.pay("open-wallet 100.01") == 0x40


def test_a_refund_never_goes_below_nothing_and_is_recorded():
    meter = prepaid(30)
    assert meter.pay("refund 10") == 0
    assert meter.pay("refund 50") == 0
    assert meter.wallet == (0, 0)
    assert meter.function.look(0x03340000, b"") == wire("000002")
    record = wire("2606101200") + wire("0000") + wire("00002000") + wire("00002000") + wire("00000000")
    assert meter.function.look(0x03340001, b"") == record


@pytest.mark.parametrize(
    "words",
    ["", "recharge", "recharge 1", "recharge -1 1", "recharge 0 1", "recharge 1.234 1", "recharge 1 one",
     "recharge 1 ²", "refund 0", "refund 1 1", "open-wallet", "relay-contact", "relay-contact ajar",
     "recharge 1e3 1", "recharge 1 1 1"],
)  # fmt: skip
def test_other_words_are_refused(words):
    meter = prepaid(10)
    store = dict(meter.store)
    assert meter.pay(words)
    assert (meter.wallet, meter.store) == ((10 * MILLION, 0), store)


def test_only_a_prepaid_meter_has_money():
    for mode in ("remote", "none"):
        meter = Meter(mode, ONE_A_QUANTUM)
        meter.push(quanta=5)
        assert meter.pay("recharge 10 1") == 0x01
        assert meter.function.look(0x00900200, b"") is None
        assert meter.wallet == (0, 0)
        assert not meter.is_open


# -- orders of the head-end


def remote(**written: str) -> Meter:
    meter = Meter("remote", {int(di, 16): digits for di, digits in written.items()})
    meter.push()
    return meter


def test_orders_one_by_one():
    meter = remote()
    assert meter.order(TRIP) == 0
    assert meter.is_open
    assert meter.order(PERMIT) == 0
    meter.push()
    assert meter.is_open
    meter.function.press("up", True, meter.turn())
    meter.push()
    assert not meter.is_open
    assert meter.order(TRIP) == 0
    assert meter.order(CLOSE) == 0
    assert not meter.is_open
    assert meter.order(ALARM_ON) == 0
    assert meter.is_alarming
    assert meter.order(ALARM_OFF) == 0
    assert not meter.is_alarming
    assert meter.counts() == (2, 2)
    records = meter.function.control.books.records
    assert [ring.records[0][6:10] for ring in (records.trips, records.closes)] == [OPERATOR, OPERATOR]
    assert records.closes.records[1][6:10] == bytes(4)  # the user's key
    assert {len(record) for record in (*records.trips.records, *records.closes.records)} == {34}


def test_a_trip_waits_for_its_delay():
    meter = remote(**{"04001401": "0002"})
    assert meter.order(TRIP) == 0
    meter.push(119)
    assert (meter.is_open, meter.function.control.is_pending) == (False, True)
    meter.order(TRIP)  # once more does not begin anew
    meter.push(1)
    assert (meter.is_open, meter.function.control.is_pending) == (True, False)


@pytest.mark.parametrize(("code", "is_open_after"), [(AUTO_CLOSE, False), (AUTO_PERMIT, True)])
def test_a_trip_returns_by_itself(code, is_open_after):
    meter = remote()
    assert meter.order(code, 2) == 0
    assert meter.is_open
    meter.restart()
    meter.push(599)
    assert (meter.is_open, meter.function.control.waits_for_key) == (True, False)
    meter.push(1)
    assert (meter.is_open, meter.function.control.waits_for_key) == (is_open_after, is_open_after)


def test_automatic_returns_that_are_refused():
    meter = remote()
    assert meter.order(AUTO_CLOSE, 0) == 0x01
    assert meter.order(TRIP) == 0
    assert meter.order(AUTO_CLOSE, 1) == 0x01
    assert meter.order(CLOSE) == 0
    assert meter.order(AUTO_CLOSE, 1) == 0


def test_preservation_keeps_the_supply():
    meter = remote()
    assert meter.order(PRESERVE) == 0
    assert [meter.order(code, 1) for code in (TRIP, AUTO_CLOSE, AUTO_PERMIT)] == [0x01] * 3
    assert meter.order(RELEASE) == 0
    assert meter.order(TRIP) == 0
    assert meter.order(PRESERVE) == 0
    assert meter.function.control.waits_for_key
    assert meter.order(RELEASE) == 0
    meter.push(600)
    assert meter.function.control.waits_for_key  # the trip is not taken up again


def test_preservation_stops_the_meters_own_trip():
    meter = prepaid(20)
    assert meter.order(PRESERVE) == 0
    meter.push(quanta=40)
    assert (meter.wallet, meter.is_open) == ((0, 20 * MILLION), False)
    assert meter.order(RELEASE) == 0
    assert meter.is_open


@pytest.mark.parametrize(
    ("deadline", "error"),
    [("260610120030", 1), ("260610120031", 0), ("260610120032", 0), ("991230000000", 0), ("000000000000", 1),
     ("260631120000", 1), ("ffffffffffff", 1), ("250610130000", 1)],
)  # fmt: skip
def test_an_order_that_is_too_late_is_refused(deadline, error):
    meter = remote()
    assert meter.order(TRIP, deadline=deadline) == error
    assert meter.is_open is not bool(error)


def test_a_deadline_of_zeros_can_be_accepted():
    meter = Meter("remote", zero_deadline="accept")
    meter.push()
    assert meter.order(TRIP, deadline="000000000000") == 0


@pytest.mark.parametrize("data", [b"", b"\x1a", bytes(8), b"\x1f\0" + wire("991230000000"), bytes(20)])
def test_what_is_no_order_is_refused(data):
    meter = remote()
    assert meter.function.prepare(Function.RELAY, data, OPERATOR, meter.turn()) == 0x01


def test_a_meter_without_a_relay_obeys_nobody():
    meter = Meter("none")
    meter.push()
    assert meter.order(TRIP) == 0x01
    assert meter.function.look(0x1D000001, b"") is None


def test_a_large_current_postpones_a_trip_but_not_for_ever():
    meter = remote(**{"04001402": "030000", "04001403": "0010"})
    meter.momentary = momentary(microampere=30_000_001)
    assert meter.order(TRIP) == 0
    meter.push(300)
    assert (meter.is_open, meter.function.control.is_pending) == (False, True)
    meter.momentary = momentary(microampere=30_000_000)
    meter.push()
    assert meter.is_open
    meter.order(CLOSE)
    meter.momentary = momentary(microampere=31_000_000)
    assert meter.order(TRIP) == 0
    meter.push(599)
    assert not meter.is_open
    meter.push(1)
    assert meter.is_open


def test_without_voltage_the_relay_is_not_driven():
    meter = remote()
    meter.momentary = momentary(millivolt=131_999)
    assert meter.order(TRIP) == 0
    meter.push(60)
    assert not meter.is_open
    meter.momentary = momentary(millivolt=132_000)
    meter.push()
    assert meter.is_open


def test_what_is_to_last_lasts_as_long_when_the_clock_is_set():
    meter = remote(**{"04001401": "0010"})
    meter.order(TRIP)
    meter.push(1)
    meter.set_clock(meter.at + timedelta(days=3))
    meter.push(1)
    assert not meter.is_open
    meter.push(597)
    assert not meter.is_open
    meter.push(2)
    assert meter.is_open


def test_an_order_is_on_the_medium_before_it_is_answered_and_survives():
    meter = remote()
    meter.order(TRIP)
    meter.restart()
    assert meter.is_open
    meter.push()
    assert (meter.is_open, meter.counts()) == (True, (1, 0))


def test_both_sources_are_combined():
    meter = prepaid(200)
    meter.order(TRIP)
    assert meter.is_open
    assert meter.pay("recharge 10 1") == 0
    meter.push()
    assert meter.is_open  # money does not undo the head-end's order
    meter.order(CLOSE)
    assert not meter.is_open


# -- what is measured, and shown


def test_a_relay_that_is_elsewhere_for_5_s_is_an_event():
    meter = remote()
    assert meter.pay("relay-contact open") == 0
    meter.push()
    meter.push(4)
    assert meter.function.status_bits[0] == 0
    meter.push(1)
    assert meter.function.status_bits[0] == 1 << 8
    assert meter.function.status_bits[1] >> 4 & 1 == 1
    assert meter.function.look(0x03360000, b"") == wire("000001")
    assert meter.pay("relay-contact follow") == 0
    meter.push()
    meter.push(5)
    assert meter.function.status_bits[0] == 0
    record = meter.function.look(0x03360001, b"")
    assert (len(record), record[12]) == (61, 1)
    assert [record[at : at + 6] for at in (0, 6)] == [wire("260610120037"), wire("260610120043")]


def test_a_contact_that_is_elsewhere_for_a_moment_is_none():
    meter = remote()
    for state in ("open", "follow", "open", "follow"):
        meter.pay(f"relay-contact {state}")
        meter.push()
        meter.push(4)
    assert meter.function.look(0x03360000, b"") == wire("000000")


def test_status_bits():
    meter = prepaid(5)
    meter.push(quanta=17)
    assert meter.function.status_bits == (1 << 14, 1 << 4 | 1 << 6 | 1 << 7 | 2 << 8)
    assert meter.function.look(STATUS_BITS, b"") == meter.function.status_bits
    assert STATUS_BITS not in meter.function.listed()
    other = remote()
    other.order(PRESERVE)
    assert other.function.status_bits == (0, 1 << 12)


def test_what_is_published_stays_the_same_object_until_something_changes():
    meter = remote()
    message = meter.function.published()
    assert json.loads(message)["is_open"] is False
    meter.push()
    assert meter.function.published() is message
    meter.order(TRIP)
    assert json.loads(meter.function.published()) == {
        "mode": "remote",
        "is_open": True,
        "is_pending": False,
        "waits_for_key": False,
        "is_alarming": False,
        "is_preserved": False,
        "is_measured_open": True,
        "is_misoperating": False,
    }


# -- clearing


def test_a_meter_clear_keeps_the_money_and_closes_a_prepaid_meter():
    meter = prepaid(5)
    meter.push(quanta=30)
    assert (meter.is_open, meter.is_alarming) == (True, True)
    meter.pay("recharge 0.5 1")
    assert meter.do(meter.function.clear(meter.turn(), OPERATOR)) == 0
    assert (meter.is_open, meter.is_alarming) == (False, False)
    assert meter.wallet == (0, money("24.5"))
    assert meter.counts() == (0, 1)
    meter.quanta = [Fraction(0)] * 4
    meter.push(quanta=1)
    assert meter.wallet == (0, money("25.5"))
    assert meter.function.look(0x03330101, b"") is None


def test_a_meter_clear_leaves_the_head_ends_orders():
    meter = remote()
    meter.order(TRIP)
    assert meter.do(meter.function.clear(meter.turn(), OPERATOR)) == 0
    meter.push()
    assert (meter.is_open, meter.counts()) == (True, (0, 0))


def test_an_event_clear_takes_one_class_or_all():
    meter = remote()
    meter.order(TRIP)
    meter.order(CLOSE)
    assert meter.function.clear_events(0x03300DFF, meter.turn()) is None
    assert meter.do(meter.function.clear_events(0x1D0000FF, meter.turn())) == 0
    assert meter.counts() == (0, 1)
    assert meter.do(meter.function.clear_events(0xFFFFFFFF, meter.turn())) == 0
    assert meter.counts() == (0, 0)
    assert not meter.is_open


def test_nothing_changes_before_it_is_applied():
    meter = prepaid(50)
    before = meter.function.control.books, meter.function.charging.money
    for prepared in (
        meter.function.prepare(Function.RELAY, bytes((TRIP, 0)) + wire("991230000000"), OPERATOR, meter.turn()),
        meter.function.prepare(Function.FEE, b"recharge 5 1", b"", meter.turn()),
        meter.function.clear(meter.turn(), OPERATOR),
        meter.function.clear_events(0xFFFFFFFF, meter.turn()),
    ):
        assert not isinstance(prepared, int)
    assert (meter.function.control.books, meter.function.charging.money) == before
    assert isinstance(before[1], Money)


def test_a_meter_at_rest_saves_nothing():
    meter = prepaid(500)
    meter.push(120)
    meter.function.changes()
    for _ in range(100):
        meter.push(60, keep=False)
        assert meter.function.changes() == {}
