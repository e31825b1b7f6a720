"""What a year's energy costs: plain arithmetic on registers, prices, steps and their switch-overs.

Amounts are integers of 0.000001, prices of 0.0001 a kWh, energy counts in quanta of 0.01 kWh: a quantum costs its price
in the unit of the amounts, and nothing is ever rounded. What is left and what is owed is one number with a sign.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

CENT = 10_000
"""Amounts in a hundredth of the currency."""


class Prices(NamedTuple):
    """One pair of sets.

    Attributes:
        tariffs: price of each tariff, in each of the two sets.
        limits: where steps end, in quanta, in each of the two.
        steps: price of each step, beside the tariff's, in each of the two.
        price_switches, step_switches: minutes of the calendar at which the other set is taken.
        step_ends: minutes of the calendar at which a step period ends, in order, in each of the two sets.
        ratio: of the current transformers: so many times what is metered has flowed.
    """

    tariffs: tuple[tuple[int, ...], tuple[int, ...]]
    limits: tuple[tuple[int, ...], tuple[int, ...]]
    steps: tuple[tuple[int, ...], tuple[int, ...]]
    price_switches: tuple[int, ...]
    step_switches: tuple[int, ...]
    step_ends: tuple[tuple[int, ...], tuple[int, ...]]
    ratio: int = 1


class Wallet(NamedTuple):
    """The wallet and what decides the next price.

    Attributes:
        amount: left; below 0 it is owed.
        purchases: how many; `purchased`: all of them together.
        quanta: of each tariff, charged.
        used: in the running step period.
        looked: the minute up to which step periods were ended; `ended`: the newest end.
        prices, steps: how many switch-overs were executed.
    """

    amount: int = 0
    purchases: int = 0
    purchased: int = 0
    quanta: tuple[int, ...] = ()
    used: int = 0
    looked: int = 0
    ended: int = -1
    prices: int = 0
    steps: int = 0

    @property
    def shown(self) -> tuple[int, int]:
        """What is left and what is owed, in whole hundredths."""
        return max(0, self.amount) // CENT, max(0, -self.amount) // CENT


def paid_in(wallet: Wallet, amount: int) -> Wallet:
    """After the next purchase of `amount`."""
    purchased = wallet.purchased + amount
    return wallet._replace(amount=wallet.amount + amount, purchases=wallet.purchases + 1, purchased=purchased)


def step_of(limits: Sequence[int], used: int) -> int:
    """Which step, from 0 on, the quantum belongs to that comes after `used` others."""
    return sum(1 for limit in limits if used >= limit)


def charged(wallet: Wallet, quanta: tuple[int, ...], prices: Prices) -> Wallet:
    """After the tariffs' registers have come to `quanta`, at the prices that are running."""
    if quanta == wallet.quanta:
        return wallet
    amount, used = wallet.amount, wallet.used
    tariffs, which = prices.tariffs[wallet.prices % 2], wallet.steps % 2
    for number, price in enumerate(tariffs):
        before = wallet.quanta[number] if number < len(wallet.quanta) else 0
        for _ in range(quanta[number] - before):
            amount -= (price + prices.steps[which][step_of(prices.limits[which], used)]) * prices.ratio
            used += 1
    return wallet._replace(amount=amount, used=used, quanta=quanta)


def turned(wallet: Wallet, minute: int, was_set: bool, prices: Prices) -> Wallet:
    """After the turn to `minute`: what switches over and what ends; a clock that was set ends nothing."""
    if was_set or not wallet.looked:
        wallet = wallet._replace(looked=minute)
    waiting = prices.price_switches[wallet.prices :], prices.step_switches[wallet.steps :]
    if waiting[0] and waiting[0][0] <= minute:
        wallet = wallet._replace(prices=wallet.prices + 1, looked=max(minute, wallet.looked))
    if waiting[1] and waiting[1][0] <= minute:
        looked = max(minute, wallet.looked)
        wallet = wallet._replace(steps=wallet.steps + 1, used=0, ended=minute, looked=looked)
    for end in prices.step_ends[wallet.steps % 2]:
        if wallet.looked < end <= minute:
            ends = end != wallet.ended
            wallet = wallet._replace(looked=end, ended=end, used=0 if ends else wallet.used)
    return wallet
