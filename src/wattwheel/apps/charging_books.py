"""What fee control has charged: the account, the energy up to which it was charged, steps and running price sets.

One record, saved in the transaction of the energy registers; so no quantum is charged twice, whatever dies when.

Charged is the forward active energy, by tariff: each 0.01 kWh by which a tariff's register passes costs the tariff's
price and the price of the step that was in force before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated

import msgspec

from wattwheel.apps.functions import EPOCH, Turn
from wattwheel.model.charging import charged, cost
from wattwheel.model.energy_items import MICROJOULE_PER_CENTIWATTHOUR
from wattwheel.model.prices import (
    FIRST_PRICES,
    NO_PRICES,
    PricePlan,
    PriceSets,
    copied,
    next_settlement,
    next_switch,
    number,
    plan_of,
    switched,
)
from wattwheel.model.profile import is_2020
from wattwheel.model.purchases import Account
from wattwheel.model.register_image import RegisterImage
from wattwheel.model.settled_books import MINUTES_MAX, Minute
from wattwheel.model.wallet_limits import Limits

LIMITS = (0x04001001, 0x04001002, 0x04001003, 0x04001004, 0x04001005)
MILLIONTHS_PER_CENT = 10_000
STEP_PERIODS_KEPT = 4
SECONDS_A_MINUTE = 60
CLOCK_SLACK_S = 5
"""A clock that has run further from the monotonic one than this has been set."""


class Money(msgspec.Struct, frozen=True, array_like=True):
    """What was charged.

    Attributes:
        account: balance, overdraft, purchases.
        billed: for each tariff the quanta of 0.01 kWh that were charged; None: before the first push.
        used: quanta in the running step period; `periods`: in those before, the newest first.
        looked: the minute up to which step periods have been ended; `settled`: the last end of one.
        sets: which price sets are running.
        is_held_back: no reminder before the balance has been above the second alarm.
        is_paid: energy up to `billed` was paid for; what has flowed in a meter without prepayment is not charged later.
    """

    account: Account = Account()
    billed: tuple[int, ...] | None = None
    used: Annotated[int, msgspec.Meta(ge=0)] = 0
    periods: tuple[int, ...] = ()
    looked: Minute = 0
    settled: Annotated[int, msgspec.Meta(ge=-1, le=MINUTES_MAX)] = -1
    sets: PriceSets = FIRST_PRICES
    is_held_back: bool = False
    is_paid: bool = False


def quanta_of(image: RegisterImage) -> tuple[int, ...]:
    """The whole 0.01 kWh in each tariff's forward active register."""
    return tuple(share[0] // MICROJOULE_PER_CENTIWATTHOUR for share in image.shares)


def limits_of(parameters: Mapping[int, bytes]) -> Limits:
    """The limits of a wallet, in millionths of the currency."""
    return Limits(*(number(parameters.get(di, b"")) * MILLIONTHS_PER_CENT for di in LIMITS))


class ChargingBooks:
    """Charges energy, and follows prices and step periods.

    Attributes:
        money: the record.
        plan: the running prices; `limits`: of the wallet; `tariff`: the one in force.
        is_changed: the record has to be saved.
    """

    def __init__(self, is_paid: bool) -> None:
        """`is_paid`: money is charged; else only steps and prices are followed."""
        self.is_paid = is_paid
        self.money = Money()
        self.plan: PricePlan = NO_PRICES
        self.limits = Limits()
        self.tariff = 1
        self.is_changed = False
        self._heard: Mapping[int, bytes] | None = None
        self._due: int | None = None
        self._switch: int | None = None
        self._charged: RegisterImage | None = None
        self._passes: list[int] = []  # microjoule at which each tariff's next quantum is full
        self._last: tuple[int, int, int] | None = None  # clock changes, second and monotonic time of the last push

    def take_up(self, saved: bytes | None) -> None:
        """Go on from what was saved."""
        try:
            self.money = msgspec.msgpack.decode(saved or b"", type=Money)
        except (ValueError, RecursionError):
            return

    @property
    def has_copies(self) -> bool:
        """Whether the second sets are standby ones, which are copied: then only the first ever run for long."""
        return is_2020(self._heard)

    def follow(self, turn: Turn) -> None:
        """Charge what has flowed at the prices so far, then take the parameters of now."""
        self.tariff = turn.image.tariff
        if self._heard is not None:
            self._charge(turn.image)
        if turn.parameters is not self._heard and turn.parameters:
            self._hear(turn)

    def _hear(self, turn: Turn) -> None:
        is_first, before = self._heard is None, self.plan.instants
        self._heard = turn.parameters
        self.limits = limits_of(turn.parameters)
        sets, last = copied(self.money.sets, turn.parameters), self.money.sets
        self.plan = plan_of(turn.parameters, sets)
        if is_first:
            self._charge(turn.image)
        elif before != self.plan.instants:  # only instants to come count, and steps that are new begin now
            self._change(looked=turn.image.minute, used=self.money.used if before else 0)
        if sets is not last:
            self._switch_over(sets, turn.image.minute)
        self._find_due()

    def _switch_over(self, sets: PriceSets, minute: int) -> None:
        """Let `sets` run; steps that were switched over end the running step period."""
        if sets.steps_switched != self.money.sets.steps_switched:
            self._settle(minute)
        self._change(sets=sets)

    def minute(self, turn: Turn) -> None:
        """The turn of a minute: charge, then switch sets over and end step periods that have come."""
        image = turn.image
        self.follow(turn)
        if self._heard is None:
            return
        last, self._last = self._last, (image.clock_changes, image.second, image.at_ns)
        jump = clock_jump_s(last, self._last)
        minute = image.minute
        if jump or not self.money.looked:  # a clock that is set ends no step period
            self._change(looked=minute)
            self._find_due()
        if self._switch is not None and self._switch <= minute:
            sets = switched(self.money.sets, self._heard, turn.local)
            self._switch_over(sets, minute)
            self._change(looked=max(minute, self.money.looked))
            self.plan = plan_of(self._heard, sets)
            self._find_due()
        while self._due is not None and self._due <= minute:
            if self._due != self.money.settled:
                self._settle(self._due)
            self._change(looked=self._due)
            self._find_due()

    def _settle(self, minute: int) -> None:
        money = self.money
        periods = (money.used, *money.periods)[:STEP_PERIODS_KEPT]
        self._change(used=0, periods=periods, settled=minute)

    def _change(self, **fields: object) -> None:
        self.money = msgspec.structs.replace(self.money, **fields)
        self.is_changed = True

    def _find_due(self) -> None:
        after = EPOCH + timedelta(minutes=self.money.looked)
        time = next_settlement(self.plan.instants, after) if self.plan.instants else None
        self._due = None if time is None else _minute_of(time)
        switch = next_switch(self.money.sets, self._heard or {})
        self._switch = None if switch is None else _minute_of(switch)

    def _charge(self, image: RegisterImage) -> None:
        if image is self._charged:
            return
        self._charged = image
        shares, passes = image.shares, self._passes
        if len(shares) == len(passes):
            for share, limit in zip(shares, passes, strict=True):
                if share[0] >= limit:
                    break
            else:
                return
        quanta, money = quanta_of(image), self.money
        self._passes = [(each + 1) * MICROJOULE_PER_CENTIWATTHOUR for each in quanta]
        if money.billed is None:
            self._change(billed=quanta, is_paid=self.is_paid)
            return
        if quanta == money.billed and money.is_paid is self.is_paid:
            return
        billed = (*money.billed, *(0,) * (len(quanta) - len(money.billed)))
        wallet, used = money.account.wallet, money.used
        for tariff, (before, now) in enumerate(zip(billed, quanta, strict=False), 1):
            if now > before:
                plan = self.plan
                price = plan.tariff_price(tariff)
                amount = cost(used, now - before, price, plan.limits, plan.step_prices, plan.ratio)
                used += now - before
                wallet = charged(wallet, amount) if self.is_paid and money.is_paid else wallet
        account = msgspec.structs.replace(money.account, wallet=wallet)
        # what is not paid for is found again from the registers
        self.is_changed = self.is_changed or self.is_paid or money.is_paid
        self.money = msgspec.structs.replace(money, account=account, billed=quanta, used=used, is_paid=self.is_paid)

    def cleared(self) -> Money:
        """The record after a meter clear: the money stays, the registers begin anew."""
        return msgspec.structs.replace(self.money, billed=(), used=0, periods=())

    def replace(self, money: Money) -> None:
        """Go on with `money`, which is on the medium."""
        self.money, self._passes = money, []


def _minute_of(time: datetime) -> int:
    return int((time - EPOCH).total_seconds()) // SECONDS_A_MINUTE


def clock_jump_s(before: tuple[int, int, int] | None, now: tuple[int, int, int]) -> int:
    """By how many seconds the clock was set between two pushes; 0: it was not, or nobody knows.

    Of each push: how often the clock had been set, its second, the monotonic time in ns.
    """
    if before is None or before[0] == now[0]:
        return 0
    jump = now[1] - before[1] - round((now[2] - before[2]) / 1e9)
    return jump if abs(jump) > CLOCK_SLACK_S else 0
