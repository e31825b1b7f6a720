"""The relay: every order of 1CH, delays and guards, what is measured."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from tests.apps.fee_turns import (
    ALARM_OFF,
    ALARM_ON,
    AUTO_CLOSE,
    AUTO_PERMIT,
    CLOSE,
    MILLION,
    OPERATOR,
    PERMIT,
    PRESERVE,
    RELEASE,
    TRIP,
    Meter,
    momentary,
    prepaid,
    remote,
    wire,
)

from wattwheel.model.records import Momentary
from wattwheel.sdk import Function

# -- orders of the head-end


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


def test_a_trip_that_was_withdrawn_leaves_no_wait_behind():
    meter = remote(**{"04001403": "0010"})
    meter.momentary = momentary(microampere=31_000_000)
    meter.order(TRIP)
    meter.push(500)
    meter.order(CLOSE)
    meter.push()
    meter.order(TRIP)
    meter.push(599)
    assert not meter.is_open
    meter.push(1)
    assert meter.is_open


def test_a_key_counts_once():
    meter = remote()
    meter.order(TRIP)
    meter.order(PERMIT)
    meter.function.press("up", True, meter.turn())
    meter.push()
    assert not meter.is_open
    meter.order(TRIP)
    meter.order(PERMIT)
    meter.push()
    meter.push(60)
    assert meter.is_open


def test_before_the_parameters_are_heard_no_order_is_taken():
    meter = remote()
    meter.parameters = {}
    meter.restart()
    meter.push()
    assert meter.order(TRIP) == 0x01


def test_without_voltage_the_relay_is_not_driven():
    meter = remote()
    meter.momentary = momentary(millivolt=131_999)
    assert meter.order(TRIP) == 0
    meter.push(60)
    assert not meter.is_open
    total, _, b, _ = momentary().elements
    dead = momentary(millivolt=0).elements[1]
    meter.momentary = Momentary((total, dead, b, dead))  # one phase is enough to drive it
    meter.push()
    assert meter.is_open
    assert meter.order(CLOSE) == 0
    meter.push()
    assert not meter.is_open
    meter.momentary = momentary(millivolt=131_999)
    assert meter.order(TRIP) == 0
    meter.push(60)
    assert not meter.is_open
    meter.momentary = momentary(millivolt=132_000)
    meter.push()
    assert meter.is_open
    meter.momentary = momentary(millivolt=100_000)
    assert meter.order(CLOSE) == 0
    meter.push(60)
    assert meter.is_open
    meter.momentary = momentary()
    meter.push()
    assert not meter.is_open


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
    assert meter.function.status_bits(1) == 0
    meter.push(1)
    assert meter.function.status_bits(1) == 1 << 8
    assert meter.function.status_bits(3) >> 4 & 1 == 1
    assert meter.function.look(0x03360000, b"") == wire("000001")
    assert meter.pay("relay-contact follow") == 0
    meter.push()
    meter.push(5)
    assert meter.function.status_bits(1) == 0
    record = meter.function.look(0x03360001, b"")
    assert (len(record), record[12]) == (61, 1)
    assert [record[at : at + 6] for at in (0, 6)] == [wire("260610120037"), wire("260610120043")]


def test_a_contact_that_is_elsewhere_for_a_moment_is_none():
    meter = remote()
    for state in ("open", "follow", "open", "closed", "open", "follow"):
        meter.pay(f"relay-contact {state}")
        meter.push()
        meter.push(4)
    assert meter.function.look(0x03360000, b"") == wire("000000")


def test_status_bits():
    meter = prepaid(5)
    meter.push(quanta=17)
    bits = [meter.function.status_bits(number) for number in range(1, 8)]
    assert bits == [1 << 14, 0, 1 << 4 | 1 << 6 | 1 << 7 | 2 << 8, 0, 0, 0, 0]
    other = remote()
    other.order(PRESERVE)
    assert (other.function.status_bits(1), other.function.status_bits(3)) == (0, 1 << 12)


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
