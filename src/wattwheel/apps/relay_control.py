"""Drives the relay: orders in, time and guards looked at with each push, trips and closings recorded.

The relay itself follows the state that is published: the metering core drives it, and its pushes say how its contact
stands. Where nothing is measured the relay is taken to follow.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple, TypeVar

import msgspec

from wattwheel.apps.charging_books import clock_jump_s
from wattwheel.apps.fee_records import Records, has_ended, misoperation_ended, misoperation_record, relay_record
from wattwheel.apps.functions import ERROR_OTHER, Turn
from wattwheel.model.prices import number
from wattwheel.model.relay import Output
from wattwheel.model.relay_state import (
    MISOPERATION_S,
    TRIPS,
    Code,
    Guards,
    Relay,
    driven,
    is_pending,
    moved,
    next_due,
    ordered,
    told,
    wanted,
)
from wattwheel.model.wallet_limits import Signal

TRIP_DELAY, TRIP_CURRENT, GUARD_TIME = 0x04001401, 0x04001402, 0x04001403
LOW_VOLTAGE_SHARE = (6, 10)
"""Of the nominal voltage; below it the relay is not driven."""

MICROAMPERE_PER_MILLIAMPERE = 1000
SECONDS_A_MINUTE = 60
ORDER_OCTETS, DEADLINE_OCTETS = 8, 6
ZERO_DEADLINE = bytes(DEADLINE_OCTETS)
OWN_OPERATOR = bytes(4)

_T = TypeVar("_T", Relay, Records)


class RelaySettings(NamedTuple):
    """What the meter's settings say of the relay.

    Attributes:
        nominal_millivolt: of the supply.
        is_external_switch: it is a switch outside the meter.
        accepts_zero_deadline: a deadline of all zeros is none.
    """

    nominal_millivolt: int = 0
    is_external_switch: bool = False
    accepts_zero_deadline: bool = False


class RelayBooks(NamedTuple):
    """What changes together: the relay's state and the records."""

    relay: Relay
    records: Records


class RelayControl:
    """See the module.

    Attributes:
        books: state and records; `is_changed`: they have to be saved.
        measured: what the contact says, True for open; None: nothing is measured, it is taken to follow.
        forced: what it is to say instead, for trials; None: what it says.
        is_misoperating: it has said otherwise than it should for long enough.
    """

    def __init__(self, settings: RelaySettings) -> None:
        self.settings = settings
        self.books = RelayBooks(Relay(), Records())
        self.is_changed = False
        self.measured: bool | None = None
        self.forced: bool | None = None
        self.is_misoperating = False
        self.has_key = False
        self._differs_since: int | None = None
        self._due: int | None = 0
        self._heard: Mapping[int, bytes] | None = None
        self._last: tuple[int, int, int] | None = None
        self._trip_delay_s = self._guard_s = self._large_microampere = 0

    @property
    def is_measured_open(self) -> bool:
        """What the contact says, or what it should say where it is not measured."""
        return self.books.relay.is_open if self.measured is None else self.measured

    def take_up(self, relay: bytes | None, records: bytes | None) -> None:
        """Go on from what was saved."""
        self.books = RelayBooks(_decoded(relay, Relay), _decoded(records, Records))
        newest = self.books.records.misoperations.records[:1]
        self.is_misoperating = any(not has_ended(record) for record in newest)

    def push(self, turn: Turn, signals: Iterable[Signal]) -> None:
        """Take signals of the money, and whatever is due."""
        image = turn.image
        self.measured = turn.readings.relay_open if self.forced is None else self.forced
        if turn.parameters is not self._heard:
            self._hear(turn.parameters)
        last, self._last = self._last, (image.clock_changes, image.second, image.at_ns)
        if jump := clock_jump_s(last, self._last):
            self.replace(RelayBooks(moved(self.books.relay, jump), self.books.records))
            self._differs_since = None
        for signal in signals:
            self.replace(RelayBooks(told(self.books.relay, signal, image.second), self.books.records))
        if self._due is not None and image.second >= self._due:
            self._take(self.evaluated(self.books, turn, self.has_key, turn.is_power_up))
            self.has_key = False
            self._due = self._next(turn)
        if self.measured is not None or self.is_misoperating:
            self._compare(turn)
        else:
            self._differs_since = None

    def _hear(self, parameters: Mapping[int, bytes]) -> None:
        self._heard = parameters
        self._trip_delay_s = SECONDS_A_MINUTE * number(parameters.get(TRIP_DELAY, b""))
        self._guard_s = SECONDS_A_MINUTE * number(parameters.get(GUARD_TIME, b""))
        self._large_microampere = MICROAMPERE_PER_MILLIAMPERE * number(parameters.get(TRIP_CURRENT, b""))
        self._due = 0

    def replace(self, books: RelayBooks) -> None:
        """Go on with `books`, and look at them with the next push."""
        self._due = 0
        if not books.records.misoperations.records:
            self.is_misoperating = False
        self._take(books)

    def _take(self, books: RelayBooks) -> None:
        if books != self.books:
            self.books, self.is_changed = books, True

    def evaluated(self, books: RelayBooks, turn: Turn, has_key: bool = False, is_power_up: bool = False) -> RelayBooks:
        """`books` after the relay has been driven as far as the guards allow, with a record of what it did."""
        relay = driven(books.relay, turn.image.second, self._guards(turn), has_key, is_power_up)
        records = books.records
        if relay.is_open != books.relay.is_open:
            record = relay_record(turn, self._operator(relay, turn))
            if relay.is_open:
                records = msgspec.structs.replace(records, trips=records.trips.added(record))
            else:
                records = msgspec.structs.replace(records, closes=records.closes.added(record))
        return RelayBooks(relay, records)

    def _next(self, turn: Turn) -> int | None:
        """When to look again: at once while a guard holds the relay back."""
        relay, now, guards = self.books.relay, turn.image.second, self._guards(turn)
        wish = wanted(relay, now, guards.is_external_switch)
        return 0 if wish is (Output.CLOSE if relay.is_open else Output.TRIP) else next_due(relay, now, guards)

    def _operator(self, after: Relay, turn: Turn) -> bytes:
        """Who has moved it: the head-end's operator, unless the meter's own order or its user did."""
        if after.is_open:
            is_remote = after.remote in TRIPS
        else:
            wish = wanted(after, turn.image.second, self.settings.is_external_switch)
            is_remote = wish is Output.CLOSE and after.remote_number > after.local_number
        return after.operator if is_remote else OWN_OPERATOR

    def _guards(self, turn: Turn) -> Guards:
        settings, momentary = self.settings, turn.readings.momentary
        voltages, currents = [], []
        if momentary is not None:
            voltages = [each.voltage_millivolt or 0 for each in momentary.elements[1:]]
            currents = [abs(each.current_microampere or 0) for each in momentary.elements[1:]]
        share, whole = LOW_VOLTAGE_SHARE
        is_low = bool(voltages) and max(voltages) * whole < settings.nominal_millivolt * share
        limit = self._large_microampere
        is_large = bool(limit) and max(currents, default=0) > limit
        return Guards(is_low, is_large, self._guard_s, settings.is_external_switch)

    def _compare(self, turn: Turn) -> None:
        """Misoperation (event 46): begins and ends when the contact has said so for `MISOPERATION_S`."""
        differs, now = self.is_measured_open != self.books.relay.is_open, turn.image.second
        if differs is self.is_misoperating:
            self._differs_since = None
            return
        self._differs_since = now if self._differs_since is None else self._differs_since
        if now - self._differs_since < MISOPERATION_S:
            return
        self._differs_since, self.is_misoperating = None, differs
        ring = self.books.records.misoperations
        if differs:
            ring = ring.added(misoperation_record(turn, self.is_measured_open))
        elif ring.records:
            ring = ring.replaced(misoperation_ended(ring.records[0], turn))
        records = msgspec.structs.replace(self.books.records, misoperations=ring)
        self._take(RelayBooks(self.books.relay, records))

    # -- orders

    def ordered(self, data: bytes, operator: bytes, turn: Turn) -> RelayBooks | int:
        """State and records after the order `data` (N1 to N8 of 1CH); an ERR octet refuses it."""
        if len(data) != ORDER_OCTETS or data[0] not in Code.__members__.values():
            return ERROR_OTHER
        deadline = data[2:]
        if not (deadline == ZERO_DEADLINE and self.settings.accepts_zero_deadline) and is_over(deadline, turn.local):
            return ERROR_OTHER
        self._hear(turn.parameters)
        relay = ordered(
            self.books.relay, Code(data[0]), turn.image.second, self._trip_delay_s, data[1], bytes(operator)
        )
        return ERROR_OTHER if relay is None else self.evaluated(RelayBooks(relay, self.books.records), turn)

    # -- what is told of it

    @property
    def is_order_open(self) -> bool:
        """The orders want it open, or leave it open."""
        return self._wish() is Output.TRIP or (self.books.relay.is_open and self._wish() is not Output.CLOSE)

    @property
    def is_pending(self) -> bool:
        """A trip is on its way."""
        return is_pending(self.books.relay, self._now(), self.settings.is_external_switch)

    @property
    def waits_for_key(self) -> bool:
        """It is open, and closes when the user holds a key."""
        return self.books.relay.is_open and self._wish() is Output.CONDITIONAL

    def _wish(self) -> Output:
        return wanted(self.books.relay, self._now(), self.settings.is_external_switch)

    def _now(self) -> int:
        return 0 if self._last is None else self._last[1]


def is_over(deadline: bytes, local: datetime) -> bool:
    """Whether `ss mm hh DD MM YY` lies before `local`, or is no time; the year 99 is far away."""
    try:
        second, minute, hour, day, month, year = (int(f"{octet:02x}") for octet in deadline)
        return datetime(2000 + year, month, day, hour, minute, second, tzinfo=UTC) < local
    except ValueError:
        return True


def _decoded(saved: bytes | None, kind: type[_T]) -> _T:
    try:
        return msgspec.msgpack.decode(saved or b"", type=kind)
    except (ValueError, RecursionError):
        return kind()
