"""Fee control: prepaid and remote, step charging, relay logic (`[fee_control] mode`).

A meter in mode "local" charges its energy to a wallet and opens its relay when that is used up; it obeys the head-end's
orders (1CH), too. One in mode "remote" has no money and only obeys. In mode "none" there is no relay, and prices and
steps are only shown. All of it is saved in the transaction of the energy registers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Literal

import msgspec

from wattwheel.apps.charging_books import STEP_PERIODS_KEPT, ChargingBooks, Money
from wattwheel.apps.fee_records import amount_octets, purchase_record, refund_record
from wattwheel.apps.freezing import Freezing
from wattwheel.apps.functions import ERROR_OTHER, MeterFunction, Prepared, Turn
from wattwheel.apps.relay_control import RelayBooks, RelayControl, RelaySettings
from wattwheel.model import purchases
from wattwheel.model.charging import AMOUNT_DIGITS
from wattwheel.model.fee_orders import AMOUNT, CONTACTS, RELAY_CONTACT
from wattwheel.model.purchases import Account, Refusal
from wattwheel.model.relay_state import left_to_remote, told
from wattwheel.model.reporting import Report
from wattwheel.model.wallet_limits import (
    Signal,
    Told,
    after_charge,
    after_initialisation,
    after_purchase,
    is_used_up,
)
from wattwheel.sdk import Function, Shown

MONEY, RELAY, RECORDS = "fee_control.money", "fee_control.relay", "fee_control.records"
PORT = "relay"
REMAINING_ENERGY, OVERDRAWN_ENERGY, REMAINING_AMOUNT, OVERDRAWN_AMOUNT = 0x00900100, 0x00900101, 0x00900200, 0x00900201
STEP_PRICE, CURRENT_PRICE, TARIFF_PRICE = 0x0280000B, 0x02800020, 0x02800021
STEP_PERIOD_ENERGY = 0xB0F00000
"""Consumption in the running step period; the ended ones follow it, the newest first. The standard has no such item."""

ENERGY_VIEWS = 10**8  # XXXXXX.XX

OVERDRAFT_BIT, MISOPERATION_BIT = 14, 8
OPEN_BIT, ORDER_BIT, ALARM_BIT, KIND_BIT, PRICES_BIT, STEPS_BIT, PRESERVATION_BIT = 4, 6, 7, 8, 10, 11, 12
MONEY_PREPAID = 2
RECORD_GROUPS = (0x0333, 0x0334, 0x0336, 0x1D00, 0x1E00)
REPORTS = {"trips": Report.TRIP, "closes": Report.CLOSE, "misoperations": Report.RELAY_MISOPERATION}
"""Ring of records to the bit of the active reporting status word that a further one sets."""

Mode = Literal["none", "local", "remote"]


class FeeControlSettings(msgspec.Struct, frozen=True):
    """Settings of the function.

    Attributes:
        mode: see the module.
        switch: the relay is in the meter, or a switch outside.
        zero_deadline: what an order's deadline of all zeros means.
        nominal_millivolt: of the supply.
    """

    mode: Mode = "none"
    switch: Literal["built-in", "external"] = "built-in"
    zero_deadline: Literal["expired", "accept"] = "expired"
    nominal_millivolt: int = 0


class RelayFace(msgspec.Struct, frozen=True):
    """What the port `relay` tells, as JSON: the state that the relay has to have, and what is known of it."""

    mode: Mode
    is_open: bool
    is_pending: bool
    waits_for_key: bool
    is_alarming: bool
    is_preserved: bool
    is_measured_open: bool
    is_misoperating: bool


def _tell_nobody(prices: bytes, steps: bytes) -> None:
    """For a meter that freezes nothing."""


class FeeControl(MeterFunction):
    """See the module.

    Attributes:
        on_switched: called with the switch-over instants of prices and steps that were executed last, as written,
            whenever one was.
    """

    obeys = frozenset({Function.RELAY, Function.FEE})
    name = "fee_control"
    port = PORT

    def __init__(self, settings: Mapping[str, object] | None = None) -> None:
        own = msgspec.convert(settings or {}, FeeControlSettings)
        self.mode = own.mode
        self.charging = ChargingBooks(own.mode == "local")
        self.control = RelayControl(
            RelaySettings(own.nominal_millivolt, own.switch == "external", own.zero_deadline == "accept")
        )
        self._judged: object = None
        self._reported = self.control.books.records
        self._is_overdrawn = False
        self._told_sets: object = None
        self.on_switched: Callable[[bytes, bytes], None] = _tell_nobody
        self._face: tuple[object, ...] = ()
        self._message = b""

    def meet(self, functions: Sequence[MeterFunction]) -> None:
        """Know who freezes at a switch-over."""
        for each in functions:
            if isinstance(each, Freezing):
                self.on_switched = each.prices_switched

    def begin(self, saved: Mapping[str, bytes]) -> None:
        """Take up money, relay and records."""
        self.charging.take_up(saved.get(MONEY))
        if self.mode != "none":
            self.control.take_up(saved.get(RELAY), saved.get(RECORDS))
        if self.mode == "remote":  # it may have been a local one before
            self.control.replace(self.control.books._replace(relay=left_to_remote(self.control.books.relay)))
        self._reported = self.control.books.records
        self._is_overdrawn = self.charging.money.account.wallet.overdraft > 0

    # -- turns

    def minute(self, turn: Turn) -> None:
        """Prices switch over, step periods end."""
        self._follow(turn, is_minute=True)

    def push(self, turn: Turn) -> None:
        """Charge, and move the relay if something has come."""
        self._follow(turn, is_minute=False)

    def _follow(self, turn: Turn, is_minute: bool) -> None:
        charging, before = self.charging, self.charging.money.account.wallet
        if is_minute:
            charging.minute(turn)
        else:
            charging.follow(turn)
        if (sets := charging.money.sets) is not self._told_sets:
            self._told_sets = sets
            self.on_switched(sets.prices_switched, sets.steps_switched)
        if self.mode == "none":
            return
        wallet = charging.money.account.wallet
        signals: tuple[Signal, ...] = ()
        if self.mode == "local" and charging.limits is not self._judged:  # limits are new: nothing has been passed
            self._judged = charging.limits
            signals = (Signal.TRIP,) if turn.parameters and is_used_up(wallet, charging.limits) else ()
        if wallet is not before and wallet != before:
            signals, is_held_back = after_charge(before, wallet, charging.limits, charging.money.is_held_back)
            if is_held_back is not charging.money.is_held_back:
                charging.money = msgspec.structs.replace(charging.money, is_held_back=is_held_back)
        self.control.push(turn, signals)
        self._report()
        self.needs_saving_now = self.control.is_changed

    def _report(self) -> None:
        """Tell of records that have come since the last call."""
        before, now = self._reported, self.control.books.records
        if now is not before:
            self._reported = now
            for name, bit in REPORTS.items():
                if getattr(now, name).generation > getattr(before, name).generation:
                    self.on_report(bit, False)
        if (is_overdrawn := self.charging.money.account.wallet.overdraft > 0) is not self._is_overdrawn:
            self._is_overdrawn = is_overdrawn
            self.on_report(Report.OVERDRAFT, not is_overdrawn)

    def press(self, button: str, is_long: bool, turn: Turn) -> None:
        """Any button that is held long closes a relay that may be closed."""
        if is_long and self.control.waits_for_key:
            self.control.has_key = True
            self.control.replace(self.control.books)

    def changes(self) -> Mapping[str, bytes]:
        """Money in a meter that charges, and what the relay did."""
        found = {}
        if self.charging.is_changed:
            found[MONEY] = _encode(self.charging.money)
        if self.control.is_changed:
            found |= _relay_changes(self.control.books)
        self.charging.is_changed = self.control.is_changed = False
        return found

    # -- what is shown

    def look(self, di: int, data: bytes) -> Shown | None:
        """Prices in every mode, money in a prepaid meter, records where there is a relay."""
        if di >> 16 in RECORD_GROUPS:
            return self.control.books.records.items().get(di) if self.mode != "none" else None
        return self._values().get(di) if di >> 16 in (0x0090, 0x0280, 0xB0F0) else None

    def listed(self) -> Iterable[int]:
        """All that `look` gives but the private."""
        values = list(self._values())
        return [*values, *(self.control.books.records.items() if self.mode != "none" else ())]

    def _values(self) -> dict[int, Shown]:
        plan, money = self.charging.plan, self.charging.money
        step = plan.step_price(money.used)
        tariff = plan.tariff_price(self.charging.tariff)
        values: dict[int, Shown] = {STEP_PRICE: step, CURRENT_PRICE: tariff + step, TARIFF_PRICE: tariff}
        for at, used in enumerate((money.used, *money.periods[:STEP_PERIODS_KEPT])):
            values[STEP_PERIOD_ENERGY + at] = used % ENERGY_VIEWS
        if self.mode == "local":
            wallet = money.account.wallet
            values |= {REMAINING_ENERGY: 0, OVERDRAWN_ENERGY: 0}
            values[REMAINING_AMOUNT] = amount_octets(wallet.balance)
            values[OVERDRAWN_AMOUNT] = amount_octets(wallet.overdraft)
        return values

    def status_bits(self, number: int) -> int:
        """What it has to say in the status words 1 and 3 (04000501, 04000503)."""
        if number not in (1, 3):
            return 0
        control, money = self.control, self.charging.money
        relay, sets = control.books.relay, money.sets
        word_1 = (money.account.wallet.overdraft > 0) << OVERDRAFT_BIT | control.is_misoperating << MISOPERATION_BIT
        word_3 = 0 if self.charging.has_copies else sets.prices << PRICES_BIT | sets.steps << STEPS_BIT
        if self.mode != "none":
            word_3 |= control.is_measured_open << OPEN_BIT | control.is_order_open << ORDER_BIT
            word_3 |= relay.is_alarming << ALARM_BIT | relay.is_preserved << PRESERVATION_BIT
            word_3 |= (MONEY_PREPAID if self.mode == "local" else 0) << KIND_BIT
        return word_1 if number == 1 else word_3

    def published(self) -> bytes:
        """The newest message for the port `relay`: the same object as long as nothing has changed."""
        control = self.control
        if self.mode == "none" and self._message:
            return self._message
        face = (control.books.relay, control.measured, control.is_misoperating, control.is_pending)
        if face != self._face or not self._message:
            self._face, relay = face, control.books.relay
            states = (relay.is_open, control.is_pending, control.waits_for_key, relay.is_alarming, relay.is_preserved)
            shown = RelayFace(self.mode, *states, control.is_measured_open, control.is_misoperating)
            self._message = msgspec.json.encode(shown)
        return self._message

    # -- commands

    def prepare(self, function: Function, data: bytes, operator: bytes, turn: Turn) -> Prepared | int:
        """1CH, and the operator's own: `recharge AMOUNT COUNT`, `refund AMOUNT`, `open-wallet AMOUNT`,
        `relay-contact open|closed|follow`."""
        if self.mode == "none" or not turn.parameters:  # before they were heard nobody knows limits and delays
            return ERROR_OTHER
        if function is Function.RELAY:
            books = self.control.ordered(data, operator, turn)
            return books if isinstance(books, int) else self._prepared(books=books)
        word, *rest = data.decode("ascii", "replace").split(" ")
        if word == RELAY_CONTACT and len(rest) == 1 and rest[0] in CONTACTS:
            return Prepared({}, partial(setattr, self.control, "forced", CONTACTS[rest[0]]))
        return self._paid(word, rest, turn) if self.mode == "local" else ERROR_OTHER

    def _paid(self, word: str, rest: list[str], turn: Turn) -> Prepared | int:
        charging = self.charging
        before, limits = charging.money.account, charging.limits
        amount = _amount(rest[0]) if rest else None
        result: Account | Refusal = Refusal.OTHER
        signals = Told((), charging.money.is_held_back)
        records = self.control.books.records
        if amount is None or len(rest) != (2 if word == "recharge" else 1):
            return ERROR_OTHER
        if word == "recharge" and rest[1].isascii() and rest[1].isdigit():
            result = purchases.recharged(before, amount, int(rest[1][:9]), limits.hoarding)
            if isinstance(result, Account):
                signals = after_purchase(result.wallet, limits)
                ring = records.purchases.added(purchase_record(turn, before, result))
                records = msgspec.structs.replace(records, purchases=ring)
        elif word == "open-wallet":
            result = purchases.initialised(amount, limits.hoarding)
            if isinstance(result, Account):
                signals = after_initialisation(result.wallet, limits)
        elif word == "refund":
            result = purchases.refunded(before, amount)
            if isinstance(result, Account):
                signals = after_charge(before.wallet, result.wallet, limits, charging.money.is_held_back)
                ring = records.refunds.added(refund_record(turn, before, result))
                records = msgspec.structs.replace(records, refunds=ring)
        if isinstance(result, Refusal):
            return int(result)
        money = msgspec.structs.replace(charging.money, account=result, is_held_back=signals.is_held_back)
        return self._signalled(money, RelayBooks(self.control.books.relay, records), signals.signals, turn)

    def _signalled(self, money: Money, books: RelayBooks, signals: Iterable[Signal], turn: Turn) -> Prepared:
        relay = books.relay
        for signal in signals:
            relay = told(relay, signal, turn.image.second)
        return self._prepared(money, self.control.evaluated(RelayBooks(relay, books.records), turn))

    def _prepared(self, money: Money | None = None, books: RelayBooks | None = None) -> Prepared:
        changes: dict[str, bytes] = {}
        if money is not None:
            changes[MONEY] = _encode(money)
        if books is not None:
            changes |= _relay_changes(books)

        def apply() -> None:
            if money is not None:
                self.charging.replace(money)
            if books is not None:
                self.control.replace(books)
                self.control.is_changed = False

        return Prepared(changes, apply)

    def clear(self, turn: Turn, operator: bytes) -> Prepared:
        """A meter clear empties the records; a prepaid meter keeps its money, ends its alarm and closes."""
        money = self.charging.cleared()
        if self.mode == "none":
            return self._prepared(money)
        books = RelayBooks(self.control.books.relay, self.control.books.records.cleared(0xFFFFFFFF))
        signals = (Signal.ALARM_OFF, Signal.CLOSE) if self.mode == "local" else ()
        return self._signalled(money, books, signals, turn)

    def clear_events(self, di: int, turn: Turn) -> Prepared | None:
        """All its records, or one class."""
        books = self.control.books
        records = books.records.cleared(di)
        return None if records == books.records else self._prepared(books=RelayBooks(books.relay, records))


def _relay_changes(books: RelayBooks) -> dict[str, bytes]:
    return {RELAY: _encode(books.relay), RECORDS: _encode(books.records)}


def _amount(text: str) -> int | None:
    """An amount with at most two decimals, in millionths."""
    return int(Decimal(text) * AMOUNT_DIGITS) if AMOUNT.fullmatch(text) else None


_encode = msgspec.msgpack.Encoder().encode
