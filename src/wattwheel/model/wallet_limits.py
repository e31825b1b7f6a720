"""What a wallet's balance asks of the relay, when it passes a limit.

Pure: the wallet before and after, in millionths of the currency, and the limits (04001001 to 04001005) in; signals out.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from wattwheel.model.charging import Wallet


class Signal(StrEnum):
    """What the local side of the relay logic is told."""

    ALARM_ON = "alarm-on"
    ALARM_OFF = "alarm-off"
    REMIND = "remind"  # one trip, then closing is allowed
    TRIP = "trip"
    CLOSE_ALLOWED = "close-allowed"
    CLOSE = "close"


class Limits(NamedTuple):
    """Limits, in millionths; alarms of 0 are off."""

    alarm_1: int = 0
    alarm_2: int = 0
    overdraft: int = 0
    hoarding: int = 0
    close_allowed: int = 0


class Told(NamedTuple):
    """Signals in their order, and whether a reminder is held back from now on (the purchase flag)."""

    signals: tuple[Signal, ...]
    is_held_back: bool


def is_used_up(wallet: Wallet, limits: Limits) -> bool:
    """Nothing is left, and as much is owed as may be."""
    return wallet.balance == 0 and wallet.overdraft >= limits.overdraft


def after_charge(before: Wallet, after: Wallet, limits: Limits, is_held_back: bool) -> Told:
    """Signals of a balance that has fallen from `before` to `after`.

    Who has bought so little that the second alarm lasted is not reminded again, before the balance was above it.
    """
    is_held_back = is_held_back and before.balance <= limits.alarm_2
    signals = []
    if after.balance <= limits.alarm_1 < before.balance and limits.alarm_1:
        signals.append(Signal.ALARM_ON)
    passed_second = after.balance <= limits.alarm_2 < before.balance and limits.alarm_2
    if (passed_second or after.balance == 0 < before.balance) and not is_held_back:
        signals.append(Signal.REMIND)
    if is_used_up(after, limits):
        signals.append(Signal.TRIP)
    return Told(tuple(signals), is_held_back)


def after_purchase(after: Wallet, limits: Limits) -> Told:
    """Signals of a balance that has risen to `after`."""
    signals = []
    is_low = 0 < limits.alarm_2 >= after.balance
    if is_low:
        signals.append(Signal.ALARM_ON)
    elif after.balance > limits.alarm_1:
        signals.append(Signal.ALARM_OFF)
    if after.balance > limits.close_allowed:
        signals.append(Signal.CLOSE_ALLOWED)
    return Told(tuple(signals), is_low)


def after_initialisation(after: Wallet, limits: Limits) -> Told:
    """Signals of a wallet that was made anew."""
    alarm, is_held_back = after_purchase(after, limits)
    alarms = tuple(signal for signal in alarm if signal is not Signal.CLOSE_ALLOWED)
    return Told((*alarms, Signal.CLOSE) if after.balance or limits.overdraft else alarms, is_held_back)
