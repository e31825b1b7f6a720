"""The relay's state: orders and signals in any order, and what may never be."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from wattwheel.model.relay import LocalOrder, Output
from wattwheel.model.relay_state import (
    AUTO_RETURN_UNIT_S,
    Code,
    Guards,
    Relay,
    aged,
    driven,
    is_pending,
    left_to_remote,
    moved,
    next_due,
    ordered,
    told,
    wanted,
)
from wattwheel.model.wallet_limits import Signal

FREE = Guards()
WHO = b"\x01\x02\x03\x04"

_steps = st.lists(
    st.one_of(
        st.tuples(st.just("order"), st.sampled_from(list(Code)), st.integers(0, 3)),
        st.tuples(st.just("signal"), st.sampled_from(list(Signal))),
        st.tuples(st.just("pass"), st.integers(0, 2000)),
        st.tuples(st.just("key")),
    ),
    max_size=30,
)


@given(_steps, st.integers(0, 600), st.booleans())
def test_whatever_comes_the_relay_obeys_its_table(steps, delay_s, is_external):
    relay, now, guards = Relay(), 1000, Guards(is_external_switch=is_external)
    for kind, *what in steps:
        has_key = kind == "key"
        if kind == "order":
            relay = ordered(relay, what[0], now, delay_s, what[1], WHO) or relay
        elif kind == "signal":
            relay = told(relay, what[0], now)
        elif kind == "pass":
            now += what[0]
        was_open = relay.is_open
        relay = driven(relay, now, guards, has_key)
        wish = wanted(relay, now, is_external)
        if wish is Output.TRIP:
            assert relay.is_open
        elif wish is Output.CLOSE:
            assert not relay.is_open
        else:
            assert relay.is_open is (was_open and not (has_key and wish is Output.CONDITIONAL))
        assert not (relay.is_preserved and wish is Output.TRIP)
        due = next_due(relay, now, guards)
        assert due is None or due > now
        if due is not None:  # nothing moves before, and every due instant is known
            assert driven(relay, due - 1, guards) == relay
        else:
            assert driven(relay, now + 10**9, guards) == relay
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(relay), type=Relay) == relay


@given(_steps, st.integers(-(10**6), 10**6))
def test_a_clock_that_is_set_changes_nothing_of_how_long(steps, seconds):
    relay, now = Relay(), 10**7
    for kind, *what in steps:
        if kind == "order":
            relay = ordered(relay, what[0], now, 120, what[1], WHO) or relay
        elif kind == "signal":
            relay = told(relay, what[0], now)
        elif kind == "pass":
            now += what[0]
        relay = driven(relay, now, FREE)
    there, here = next_due(moved(relay, seconds), now + seconds, FREE), next_due(relay, now, FREE)
    assert (there is None) is (here is None)
    assert there is None or there == here + seconds


def test_an_automatic_return_becomes_the_order_it_returns_to():
    for code, after in ((Code.TRIP_THEN_CLOSE, Code.CLOSE), (Code.TRIP_THEN_CLOSE_ALLOWED, Code.CLOSE_ALLOWED)):
        relay = ordered(Relay(), code, 0, 0, 2, WHO)
        assert aged(relay, 2 * AUTO_RETURN_UNIT_S - 1) == relay
        over = aged(relay, 2 * AUTO_RETURN_UNIT_S)
        assert (over.remote, over.remote_number) == (after, 1)


def test_a_purchase_allows_closing_only_what_the_meter_itself_has_opened():
    assert told(Relay(), Signal.CLOSE_ALLOWED, 0) == Relay()
    tripped = told(Relay(), Signal.TRIP, 0)
    assert told(tripped, Signal.CLOSE_ALLOWED, 0).local is LocalOrder.CLOSE_ALLOWED


def test_the_newer_of_two_permits_counts():
    relay = driven(told(Relay(), Signal.TRIP, 0), 0, FREE)
    relay = told(relay, Signal.CLOSE_ALLOWED, 1)
    assert wanted(relay, 1) is Output.CONDITIONAL
    relay = ordered(relay, Code.CLOSE, 2, 0, 0, WHO)
    assert wanted(relay, 2) is Output.CLOSE
    assert driven(relay, 2, FREE).is_open is False


def test_pending_is_a_trip_that_waits():
    relay = ordered(Relay(), Code.TRIP, 0, 60, 0, WHO)
    assert is_pending(relay, 59)
    assert is_pending(relay, 60)
    assert not is_pending(driven(relay, 60, FREE), 60)
    assert not is_pending(Relay(), 0)
    held = driven(relay, 60, Guards(is_current_large=True, guard_s=600))
    assert not held.is_open
    assert is_pending(held, 61)
    assert next_due(held, 61, Guards(is_current_large=True, guard_s=600)) == 660
    assert driven(held, 660, Guards(is_current_large=True, guard_s=600)).is_open
    assert driven(held, 61, Guards(is_current_large=True, guard_s=600, is_external_switch=True)).is_open
    assert not driven(relay, 60, Guards(is_voltage_low=True)).is_open


def test_at_power_up_what_the_user_may_close_is_opened_first():
    relay = ordered(Relay(), Code.CLOSE_ALLOWED, 0, 0, 0, WHO)
    assert not driven(relay, 1, FREE).is_open
    assert driven(relay, 1, FREE, is_power_up=True).is_open
    assert not driven(relay, 1, Guards(is_external_switch=True), is_power_up=True).is_open
    assert not driven(relay, 1, Guards(is_voltage_low=True), is_power_up=True).is_open
    assert not driven(Relay(), 1, FREE, is_power_up=True).is_open
    assert not driven(driven(relay, 1, FREE, is_power_up=True), 2, FREE, has_key=True).is_open


def test_a_trip_of_its_own_does_not_outlive_a_meters_own_money():
    for signal in (Signal.TRIP, Signal.REMIND):
        relay = driven(told(told(Relay(), Signal.ALARM_ON, 0), signal, 0), 0, FREE)
        left = left_to_remote(relay)
        assert (left.is_open, left.is_alarming, wanted(left, 0)) == (True, False, Output.CONDITIONAL)
        assert left_to_remote(left) == left
        assert not driven(left, 1, FREE, has_key=True).is_open
        assert not driven(ordered(left, Code.CLOSE, 1, 0, 0, WHO), 1, FREE).is_open
    assert left_to_remote(Relay()) == Relay()
