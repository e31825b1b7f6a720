"""Money for energy, exact: prices in 0.0001 a kWh, quanta of 0.01 kWh, amounts in 0.000001.

Pure. A quantum costs price x ratio in the unit of the amounts, so nothing is ever rounded. The step of a quantum is the
one in force before it is added.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, NamedTuple

import msgspec

from wattwheel.model.tariff import step_number

AMOUNT_DIGITS = 1_000_000
"""Amounts count millionths of the currency."""

AMOUNT_MAX = 999_999_990_000
"""999999.99, what a wallet may hold."""


Amount = Annotated[int, msgspec.Meta(ge=0, le=1 << 60)]
"""In millionths; more than `AMOUNT_MAX` can be owed, but not shown."""


class Wallet(NamedTuple):
    """What is left and what is owed; at most one of them is not zero."""

    balance: Amount
    overdraft: Amount


def cost(
    used: int, quanta: int, tariff_price: int, limits: Sequence[int], step_prices: Sequence[int], ratio: int = 1
) -> int:
    """Cost of `quanta` more, after `used` in the running step period.

    `used`, `quanta` and `limits` count 0.01 kWh, `tariff_price` and `step_prices` 0.0001 a kWh; `ratio`: voltage ratio
    times current ratio. Missing step prices are 0.
    """
    if not limits:
        return quanta * tariff_price * ratio
    total, at, end = 0, used, used + quanta
    while at < end:
        step = step_number(limits, at)
        above = [limit for limit in limits if limit > at]
        until = min(min(above, default=end), end) if step else end
        step_price = step_prices[step - 1] if 0 < step <= len(step_prices) else 0
        total += (until - at) * (tariff_price + step_price) * ratio
        at = until
    return total


def charged(wallet: Wallet, amount: int) -> Wallet:
    """The wallet after paying `amount` (>= 0): what the balance cannot pay is owed."""
    assert amount >= 0
    if wallet.balance >= amount:
        return Wallet(wallet.balance - amount, wallet.overdraft)
    return Wallet(0, wallet.overdraft + amount - wallet.balance)


def recharged(wallet: Wallet, amount: int) -> Wallet:
    """The wallet after `amount` (>= 0) was paid in: it first pays what is owed."""
    assert amount >= 0
    if wallet.overdraft >= amount:
        return Wallet(wallet.balance, wallet.overdraft - amount)
    return Wallet(wallet.balance + amount - wallet.overdraft, 0)


def refunded(wallet: Wallet, amount: int) -> Wallet:
    """The wallet after `amount` (>= 0) was paid out; never below nothing."""
    assert amount >= 0
    return Wallet(max(0, wallet.balance - amount), wallet.overdraft)
