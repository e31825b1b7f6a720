"""Money paid in and out: the count that lets nothing be booked twice, the hoarding limit, and what each leaves behind.

Pure. Amounts in millionths of the currency, as in `model.charging`.
"""

from __future__ import annotations

from enum import IntFlag
from typing import Annotated

import msgspec

from wattwheel.model import charging
from wattwheel.model.charging import AMOUNT_MAX, Wallet

PURCHASE_COUNT_MAX = 9999


class Refusal(IntFlag):
    """Why nothing was booked: bits of the security error word of DL/T 645-2007 (03H)."""

    OTHER = 0x01
    REPEATED = 0x02
    COUNT_WRONG = 0x20
    HOARDING = 0x40


class Account(msgspec.Struct, frozen=True, array_like=True):
    """A wallet and its history: `count` purchases so far, `purchased` in all of them together."""

    wallet: Wallet = Wallet(0, 0)
    count: Annotated[int, msgspec.Meta(ge=0, le=PURCHASE_COUNT_MAX)] = 0
    purchased: Annotated[int, msgspec.Meta(ge=0)] = 0


def recharged(account: Account, amount: int, count: int, hoarding_limit: int = AMOUNT_MAX) -> Account | Refusal:
    """The account after purchase number `count` of `amount`: it first pays what is owed.

    The number must be one more than that of the last purchase; the same number again is told apart. Refused, too, is
    a balance above `hoarding_limit`.
    """
    if amount <= 0:
        return Refusal.OTHER
    if count == account.count:
        return Refusal.REPEATED
    if count != account.count + 1 or count > PURCHASE_COUNT_MAX:
        return Refusal.COUNT_WRONG
    if account.wallet.balance + amount > min(hoarding_limit, AMOUNT_MAX):
        return Refusal.HOARDING
    return Account(charging.recharged(account.wallet, amount), count, account.purchased + amount)


def refunded(account: Account, amount: int) -> Account | Refusal:
    """The account after `amount` was paid out; never below nothing."""
    if amount <= 0:
        return Refusal.OTHER
    return msgspec.structs.replace(account, wallet=charging.refunded(account.wallet, amount))


def initialised(amount: int, hoarding_limit: int = AMOUNT_MAX) -> Account | Refusal:
    """The account of a wallet that is made anew with `amount` in it, no purchase yet, and nothing owed."""
    if amount < 0:
        return Refusal.OTHER
    if amount > min(hoarding_limit, AMOUNT_MAX):
        return Refusal.HOARDING
    return Account(Wallet(amount, 0))
