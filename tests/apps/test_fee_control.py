"""Fee control: each limit of the wallet crossed, payments, what a clear leaves."""

from __future__ import annotations

from fractions import Fraction

import msgspec
import pytest
from tests.apps.fee_turns import (
    CLOSE,
    MILLION,
    ONE_A_QUANTUM,
    OPERATOR,
    TRIP,
    Meter,
    money,
    prepaid,
    remote,
    wire,
)

from wattwheel.apps.charging_books import Money
from wattwheel.apps.fee_control import RELAY, FeeControl
from wattwheel.model.relay import LocalOrder
from wattwheel.model.relay_state import Relay
from wattwheel.sdk import Function

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


def test_what_the_relay_does_is_saved_at_once():
    meter = prepaid(60)
    saved = meter.urgent
    meter.push(quanta=5, keep=False)
    assert meter.urgent == saved
    meter.push(quanta=5, keep=False)  # a reminder
    meter.restart()
    assert meter.is_open


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


@pytest.mark.parametrize(("mode", "order"), [("remote", LocalOrder.CLOSE_ALLOWED), ("local", LocalOrder.TRIP)])
def test_a_meter_that_has_become_a_remote_one_obeys_its_own_trip_no_more(mode, order):
    fees = FeeControl({"mode": mode})
    fees.begin({RELAY: msgspec.msgpack.encode(Relay(local=LocalOrder.TRIP, is_open=True))})
    assert (fees.control.books.relay.local, fees.control.books.relay.is_open) == (order, True)
