"""Limits of a wallet: what each crossing asks of the relay."""

import pytest

from wattwheel.model.charging import Wallet
from wattwheel.model.wallet_limits import (
    Limits,
    Signal,
    after_charge,
    after_initialisation,
    after_purchase,
    is_used_up,
)

LIMITS = Limits(alarm_1=100, alarm_2=50, overdraft=10, hoarding=1000, close_allowed=5)
ON, OFF, REMIND, TRIP, ALLOWED, CLOSE = Signal


@pytest.mark.parametrize(
    ("before", "after", "signals"),
    [
        ((150, 0), (101, 0), ()),
        ((101, 0), (100, 0), (ON,)),
        ((100, 0), (99, 0), ()),
        ((51, 0), (50, 0), (REMIND,)),
        ((50, 0), (1, 0), ()),
        ((1, 0), (0, 0), (REMIND,)),
        ((150, 0), (0, 0), (ON, REMIND)),
        ((0, 0), (0, 9), ()),
        ((0, 9), (0, 10), (TRIP,)),
        ((0, 10), (0, 11), (TRIP,)),
        ((150, 0), (0, 10), (ON, REMIND, TRIP)),
    ],
)
def test_a_falling_balance(before, after, signals):
    assert after_charge(Wallet(*before), Wallet(*after), LIMITS, False).signals == signals


def test_limits_of_zero_are_off_but_nothing_left_is_nothing_left():
    assert after_charge(Wallet(2, 0), Wallet(0, 0), Limits(), False).signals == (REMIND, TRIP)
    assert after_charge(Wallet(2, 0), Wallet(1, 0), Limits(), False).signals == ()


@pytest.mark.parametrize(
    ("after", "signals", "is_held_back"),
    [
        ((0, 3), (ON,), True),
        ((5, 0), (ON,), True),
        ((6, 0), (ON, ALLOWED), True),
        ((50, 0), (ON, ALLOWED), True),
        ((51, 0), (ALLOWED,), False),
        ((100, 0), (ALLOWED,), False),
        ((101, 0), (OFF, ALLOWED), False),
    ],
)
def test_a_purchase(after, signals, is_held_back):
    assert after_purchase(Wallet(*after), LIMITS) == (signals, is_held_back)


def test_without_limits_any_money_ends_the_alarm():
    assert after_purchase(Wallet(1, 0), Limits()) == ((OFF, ALLOWED), False)
    assert after_purchase(Wallet(0, 1), Limits()) == ((), False)


def test_a_reminder_is_held_back_until_the_balance_was_above_the_second_limit():
    assert after_charge(Wallet(20, 0), Wallet(0, 0), LIMITS, True) == ((), True)
    assert after_charge(Wallet(51, 0), Wallet(40, 0), LIMITS, True) == ((REMIND,), False)


def test_a_new_wallet_closes_when_there_is_money_or_credit():
    assert after_initialisation(Wallet(500, 0), LIMITS).signals == (OFF, CLOSE)
    assert after_initialisation(Wallet(0, 0), LIMITS).signals == (ON, CLOSE)
    assert after_initialisation(Wallet(0, 0), Limits()).signals == ()


def test_used_up():
    assert is_used_up(Wallet(0, 0), Limits())
    assert not is_used_up(Wallet(0, 9), LIMITS)
    assert not is_used_up(Wallet(1, 0), Limits())
