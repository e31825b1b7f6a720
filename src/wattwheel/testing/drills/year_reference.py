"""What a year must have booked: plain arithmetic on the load, the instants of cuts, the tables and the prices.

Nothing of the APPs' code is used. A push comes at each whole second; the first one of a minute of the meter's calendar
is its turn. After a cut of the supply the registers go on from what was on the medium: that belongs to the newest
boundary (a change of tariff, of prices, the end of a step period), or, where that came shortly before the cut, to the
one before. Each of these is followed, and what the meter shows then decides.
"""

from __future__ import annotations

from typing import NamedTuple

from wattwheel.testing.drills.year_account import Account, Registers, Tables, booked, looked, passed, quanta
from wattwheel.testing.drills.year_demand import PUNCTUAL_S, Demand
from wattwheel.testing.drills.year_diary import UNSAVED_MS, Diary
from wattwheel.testing.drills.year_load import SECOND_MS, CoreReference, Energy, Load, between
from wattwheel.testing.drills.year_money import Prices, Wallet, paid_in

ROUNDING_US = 500
"""A push tells the calendar in whole milliseconds, and the even one of two that are equally near."""
MINUTE_US, SECOND_US, SECONDS_A_MINUTE = 60_000_000, 1_000_000, 60
JUMP_S = 5
"""A clock that is set further than that ends no step period on its way. Settled is nothing, however far it is set."""
ZONES, DAYS, PRICES, STEPS = 0x02, 0x03, 0x05, 0x07
"""DI2 of the freezes that are agreed."""


class Plan(NamedTuple):
    """Tables, prices, and the amount with which the wallet was opened."""

    tables: Tables
    prices: Prices
    opened: int


class Turned(NamedTuple):
    """The last turn of a minute: when, at which second of the calendar, and what was booked."""

    at_ms: int
    second: int
    totals: Energy


class YearReference:
    """The reference of one year, from `start_ms` on, when nothing has flowed and the calendar is `zero_us` old.

    Attributes:
        core: the metering core.
        account: what is booked now.
        demand, diary: what is kept.
        cuts_at_boundaries: cuts after which more than one account was possible.
    """

    def __init__(self, load: Load, start_ms: int, zero_us: int, plan: Plan, diary: Diary) -> None:
        self._start_ms, self._zero_us = start_ms, zero_us
        self._tables, self._prices = plan.tables, plan.prices
        tables, prices = plan.tables, plan.prices
        self.core = CoreReference(load)
        self.core.switched_on(start_ms)
        self.diary, self.demand = diary, Demand()
        self.account = Account(wallet=Wallet(plan.opened))
        self._before = [self.account]
        self._segments = [(start_ms, self.account)]
        self._last_minute: int | None = None
        self._turned: Turned | None = None
        self._is_new = True
        self.cuts_at_boundaries = 0
        slots = {slot.minute for days in tables.days for table in days for slot in table}
        self._minutes_of_change = slots | {0}
        self._instants = {*tables.zone_switches, *tables.day_switches, *prices.price_switches, *prices.step_switches}
        self._instants |= {*prices.step_ends[0], *prices.step_ends[1]}
        self._next_ms = start_ms

    # -- what happens

    def until(self, at_ms: int) -> None:
        """Time passes, and the supply is there."""
        while self._next_ms <= at_ms:
            self._look(self._next_ms)
        self.account = booked(self.account, self.core.total(self._grid_before(at_ms)), self._prices)

    def clock_was(self, at_ms: int, zero_us: int) -> None:
        """From the first push after `at_ms` on the calendar was zero at `zero_us` of the machine's clock."""
        self.until(at_ms)
        self._zero_us, self._is_new = zero_us, True
        self._next_ms = self._grid(at_ms + 1)

    def paid(self, amount: int) -> None:
        """A purchase of `amount`."""
        self.account = self.account._replace(wallet=paid_in(self.account.wallet, amount))
        self._segments = [
            (start_ms, begun._replace(wallet=paid_in(begun.wallet, amount))) for start_ms, begun in self._segments
        ]

    def adopt(self, totals: Energy, shares: tuple[Energy, ...], amount: int) -> None:
        """Go on from what the meter shows, after it was found to be wrong: what is wrong later is another failure."""
        wallet = self.account.wallet._replace(amount=amount, quanta=tuple(quanta(share).imported for share in shares))
        self.account = self.account._replace(booked=totals, shares=shares, wallet=wallet)
        self._segments = [(self._segments[-1][0], self.account)]

    def cut(self, at_ms: int) -> None:
        """The supply was cut."""
        self.until(at_ms)
        self.core.cut(at_ms)
        self.diary.cut(at_ms)
        self.demand.cut(at_ms)
        starts = [start_ms for start_ms, _ in self._segments[1:]] + [at_ms]
        self._before = [
            account for (_, account), end_ms in zip(self._segments, starts, strict=True) if end_ms > at_ms - UNSAVED_MS
        ]
        self._last_minute = self._turned = None

    def ready(self, at_ms: int, totals: Energy, shares: tuple[Energy, ...], amount: int) -> bool:
        """The meter took its first whole push at `at_ms`, and shows that. False: that cannot have come of it.

        What it had on the medium may be ahead of the metering core; more than it had booked it cannot be.
        """
        lowest, highest = self.core.total(at_ms), self.account.booked
        can_be = all(low <= own <= max(low, high) for low, own, high in zip(lowest, totals, highest, strict=True))
        found: list[Account] = []
        for before in self._before:
            if all(now >= then for now, then in zip(totals, before.booked, strict=True)):
                after = booked(before, totals, self._prices)
                if after.shares == shares and after.wallet.amount == amount and after not in found:
                    found.append(after)
        self.cuts_at_boundaries += len(self._before) > 1
        self.account = found[-1] if found else self._before[-1]
        if not found:
            self.adopt(totals, shares, amount)
        self._look(at_ms)
        self._segments = [(at_ms, self.account)]
        return can_be and bool(found)

    # -- pushes

    def _minute(self, at_ms: int) -> int:
        return (at_ms * 1000 - self._zero_us + ROUNDING_US) // MINUTE_US

    def _look(self, at_ms: int) -> None:
        """The first push of a minute, or after the clock was set, or the supply came."""
        minute, prices = self._minute(at_ms), self._prices
        second = (at_ms * 1000 - self._zero_us + ROUNDING_US) // SECOND_US
        before = self.account
        account = booked(before, self.core.total(at_ms), prices)
        is_new, self._is_new = self._is_new, False
        is_turn = self._is_turn(minute)
        since = self._turned
        if is_turn:
            self._turned = Turned(at_ms, second, account.booked)
        passed_ms = 0 if since is None else at_ms - since.at_ms
        was_set = since is not None and abs(second - since.second - round(passed_ms / 1000)) > JUMP_S
        if is_new or was_set or since is None or minute % 1440 in self._minutes_of_change or minute in self._instants:
            account = looked(account, minute, self._tables)
            account = passed(account, minute, was_set, prices) if is_turn else account
        self.account = account
        if account.course != before.course:
            self._bound(at_ms, account)
        self._keep(minute, second, at_ms, before, is_new, since if is_turn else None, is_turn)
        turn_us = (minute + 1) * MINUTE_US + self._zero_us - ROUNDING_US
        self._next_ms = self._grid(-(-turn_us // 1000))

    def _bound(self, at_ms: int, account: Account) -> None:
        self._segments.append((at_ms, account))
        while len(self._segments) > 1 and self._segments[1][0] < at_ms - UNSAVED_MS:
            del self._segments[0]

    def _keep(
        self, minute: int, second: int, at_ms: int, before: Account, is_new: bool, since: Turned | None, is_turn: bool
    ) -> None:
        account, diary, demand = self.account, self.diary, self.demand

        def registers() -> Registers:
            return account.registers

        if is_new or (is_turn and since is None):
            demand.restart(second)
        elif since is not None:
            demand.turn(minute, between(since.totals, account.booked), at_ms)
        if is_new:
            diary.load.clock_set(minute)
        known = set(diary.settled.entries)
        if diary.look(minute, is_new, registers, at_ms):
            demand.settle(sorted(set(diary.settled.entries) - known), second)
        if is_turn and diary.is_due(minute):
            diary.turn(minute, registers, at_ms, since is not None or second % SECONDS_A_MINUTE <= PUNCTUAL_S)
        elif is_turn:
            diary.pass_turn(minute)
        self._keep_agreed(before, account, at_ms)

    def _keep_agreed(self, before: Account, account: Account, at_ms: int) -> None:
        rows = (
            (ZONES, self._tables.zone_switches, before.zones, account.zones),
            (DAYS, self._tables.day_switches, before.days, account.days),
            (PRICES, self._prices.price_switches, before.wallet.prices, account.wallet.prices),
            (STEPS, self._prices.step_switches, before.wallet.steps, account.wallet.steps),
        )
        for kind, instants, then, now in rows:
            for executed in range(then, now):
                self.diary.agreed[kind].add(instants[executed], account.registers, at_ms)

    def _is_turn(self, minute: int) -> bool:
        """A clock that is set back passes no minute, and a step back of a minute does not bring it again."""
        if self._last_minute is None or minute > self._last_minute:
            self._last_minute = minute
            return True
        if minute < self._last_minute - 1:
            self._last_minute = minute
        return False

    def _grid(self, at_ms: int) -> int:
        return self._start_ms - (self._start_ms - at_ms) // SECOND_MS * SECOND_MS

    def _grid_before(self, at_ms: int) -> int:
        return self._start_ms + (at_ms - self._start_ms) // SECOND_MS * SECOND_MS
