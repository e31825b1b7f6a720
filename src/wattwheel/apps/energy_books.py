"""What the APP `energy` has booked: totals into tariffs, settlement periods, and the image of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from operator import add, lt, sub

import msgspec

from wattwheel.apps.energy_history import History
from wattwheel.model.core_records import CoreFault
from wattwheel.model.energy_items import (
    STANDARD_WORDS,
    TWO_DECIMALS,
    View,
    phase_items,
    register_view,
    tariff_items,
    words_of,
)
from wattwheel.model.event_ring import EventRing, count_octets, time_octets
from wattwheel.model.records import (
    ELEMENTS,
    REGISTER_COUNT,
    REGISTERS,
    REGISTERS_RECORDED,
    EnergyTotals,
    Readings,
    widened,
)
from wattwheel.model.register_image import RegisterImage
from wattwheel.model.settled_books import NOTHING_SETTLED, Settled
from wattwheel.model.tariff import TARIFFS_MAX, TariffPlan, next_change, resolve
from wattwheel.model.tariff_parameters import FIRST_SETS, RunningSets, plan_of, switch_instants, switched, tariffs_of

NO_TOTALS = (0,) * REGISTER_COUNT
CALENDAR_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


class Books(msgspec.Struct, array_like=True):
    """What was booked, in microjoule, and what decides where the next energy goes: one record, so never a mix.

    Attributes:
        seen: the core's totals up to which.
        tariff_1: the shares of tariff 1.
        highest: of all registers of all elements, the highest total ever seen: what is shown of a phase never falls.
        further: the shares of the tariffs from 2 on, as far as any had energy.
        tariff: the one that was in force at the last booking.
        sets: which zone and day tables are running.
        settled: which settlement periods have ended.
        cleared: `highest` when the meter was cleared last; what is shown of a phase counts from there.
        clears: how often the meter was cleared, and the records of it.
        clock_changes: how often the clock had been set at the last booking; None: by an earlier version.
        origin: of all registers of all elements, what the core has counted before it lost its registers, all told; what
            it tells counts from there. Empty: it never has.
    """

    seen: list[int]
    tariff_1: list[int]
    highest: list[int] = []
    further: list[list[int]] = []
    tariff: int = 1
    sets: RunningSets = FIRST_SETS
    settled: Settled = NOTHING_SETTLED
    cleared: list[int] = []
    clears: EventRing = EventRing()
    clock_changes: int | None = None
    origin: list[int] = []

    @property
    def shares(self) -> list[list[int]]:
        """The registers of each tariff, 1 first."""
        return [self.tariff_1, *self.further]

    def share(self, tariff: int) -> list[int]:
        """The registers of `tariff`, to add to."""
        while len(self.further) < tariff - 1:
            self.further.append([0] * len(REGISTERS))
        return self.further[tariff - 2] if tariff > 1 else self.tariff_1

    @property
    def elements(self) -> tuple[int, ...]:
        """The registers of all elements since the last clear."""
        return tuple(map(sub, self.highest, self.cleared)) if self.cleared else tuple(self.highest)


def books_of(saved: bytes | None) -> Books | None:
    """The books that were saved; None when there are none, or none that this version can read."""
    try:
        books = msgspec.msgpack.decode(saved or b"", type=Books)
    except (ValueError, RecursionError):
        return None
    books.seen, books.tariff_1 = list(widened(books.seen)), list(widened(books.tariff_1))
    books.further = [list(widened(share)) for share in books.further]
    books.highest, books.cleared = list(widened(books.highest)), list(widened(books.cleared))
    is_ours = (
        len(books.seen) == len(REGISTERS)
        and all(len(share) == len(REGISTERS) for share in books.shares)
        and len(books.shares) <= TARIFFS_MAX
        and 1 <= books.tariff <= TARIFFS_MAX
        and {books.sets.zones, books.sets.day_tables} <= {0, 1}
        and {len(books.highest), len(books.cleared), len(books.origin)} <= {0, len(NO_TOTALS)}
        and min(books.origin, default=0) >= 0
        and (not books.cleared or bool(books.highest))
    )
    return books if is_ours else None


def cleared(books: Books, record: bytes | None) -> Books:
    """The books after a meter clear, of which `record` is kept (None: none); what was seen of the core stays seen."""
    none = [0] * len(REGISTERS)
    return Books(
        list(books.seen),
        none,
        list(books.highest),
        [],
        books.tariff,
        books.sets,
        msgspec.structs.replace(books.settled, entries=()),
        list(books.highest),
        books.clears.unrecorded() if record is None else books.clears.added(record),
        books.clock_changes,
        list(books.origin),
    )


class RunningTariff:
    """The tariff in force, found anew when it may change, and when the parameters or the clock have changed.

    Attributes:
        parameters: as they were heard last, octets as on the wire.
        words: how registers are combined.
        tariffs: how many there are; None before the parameters were heard.
    """

    def __init__(self, utc_offset_minutes: int = 0) -> None:
        self._offset_minutes = utc_offset_minutes
        self._heard: bytes | None = None
        self.parameters: Mapping[int, bytes] = {}
        self._plan: TariffPlan | None = None
        self._found = range(0)
        self.words = STANDARD_WORDS
        self.tariffs: int | None = None

    def hear(self, message: bytes | None) -> None:
        """Take the newest message of the port `parameters`; None: there was none yet."""
        if message is not self._heard and message != self._heard and message is not None:
            self._heard = message
            self.parameters = msgspec.msgpack.decode(message, type=dict[int, bytes])
            self.words, self.tariffs = words_of(self.parameters), tariffs_of(self.parameters)
            self._plan, self._found = None, range(0)

    def second(self, calendar_s: float) -> int:
        """Seconds of the meter's standard time since 2000."""
        return int(calendar_s) + 60 * self._offset_minutes

    def minute(self, calendar_s: float) -> int:
        """Minutes of the meter's standard time since 2000."""
        return self.second(calendar_s) // 60

    def find(self, calendar_s: float, tariff: int, sets: RunningSets) -> tuple[int, RunningSets]:
        """The tariff in force at `calendar_s` and the sets that run then, after `tariff` and `sets`.

        Before the parameters were heard nobody knows: what was in force goes on.
        """
        minute = self.minute(calendar_s)
        if self.tariffs is None or minute in self._found:
            return tariff, sets
        local = CALENDAR_EPOCH + timedelta(minutes=minute)
        running = switched(sets, self.parameters, local)
        if self._plan is None or running != sets:
            self._plan = plan_of(self.parameters, running)
        changes = (next_change(self._plan, local), *switch_instants(self.parameters, local))
        self._found = range(minute, (min(changes) - CALENDAR_EPOCH) // timedelta(minutes=1))
        return resolve(self._plan, local).tariff, running


class Ledger:
    """Books totals into tariffs. Pure but for its own state.

    Attributes:
        image: the registers after the last push; None before the first.
        speed: how many seconds pass on the meter's calendar in one.
    """

    def __init__(self, books: Books | None = None, history: History | None = None) -> None:
        self.books = books
        self.history = history or History()
        self.fell = 0
        self.bookings = 0
        self.running = RunningTariff()
        self.shown: object = None
        self.parameters: Callable[[], bytes | None] = lambda: None
        self.image: RegisterImage | None = None
        self.speed = 1.0

    def book(self, totals: EnergyTotals, tariff: int = 1, has_lost: bool = False) -> bool:
        """Book the difference to what was seen, all of it to the tariff that was in force at the last booking.

        What flows until a push flowed, but for an instant, before whatever the push finds changed; so a push at the
        turn of a minute belongs to the minute that ends, however long the pushes are apart. `tariff` is that of the
        very first booking only.

        A total below what was seen is counted and books nothing until it has passed it: it comes late, for the second
        time, or from a core that has lost something, and in no case may energy be booked twice. Where the core says
        that it `has_lost` its registers they count from here on: what was booked stays, what comes is booked.

        Each change of tariff is made durable at once, so no tariff's register falls over a restart. True: so must this
        be.
        """
        self.bookings += 1
        if self.books is None:
            none = [0] * len(REGISTERS)
            self.books = Books(none, list(none), tariff=tariff)
        books = self.books
        share = books.share(books.tariff)
        told = totals.microjoule if not books.origin else tuple(map(add, books.origin, totals.microjoule))
        is_anew = has_lost and any(map(lt, told, books.highest))
        if is_anew:
            short = [max(0, before - now) for before, now in zip(books.highest, told, strict=True)]
            books.origin = list(map(add, books.origin or NO_TOTALS, short))
            told = tuple(map(add, told, short))
        newest = told[: len(REGISTERS)]
        highest = zip(books.highest or NO_TOTALS, told, strict=True)
        books.highest = [then if then > now else now for then, now in highest]
        for number, gained in enumerate(map(sub, newest, books.seen)):
            if gained < 0:
                self.fell += 1
            elif gained:
                share[number] += gained
                books.seen[number] += gained
        return is_anew

    def take(self, readings: Readings) -> bool:
        """Book `readings`, settle what has fallen due, and make the image.

        True: what was decided here has to be made durable now.
        """
        is_first = self.books is None
        before = (self.books.tariff, self.books.sets) if self.books else (1, FIRST_SETS)
        self.running.hear(self.parameters())
        found = self.running.find(readings.calendar_s, *before)
        is_anew = self.book(readings.totals, found[0], bool(readings.core_faults & CoreFault.REGISTERS_LOST))
        books = self.books
        assert books is not None
        books.tariff, books.sets = found
        has_settled = self._settle(readings)
        self._picture(readings)
        return is_first or found != before or has_settled or is_anew

    def _settle(self, readings: Readings) -> bool:
        books, history, minute = self.books, self.history, self.running.minute(readings.calendar_s)
        assert books is not None
        before = books.settled
        was_set = books.clock_changes not in (None, readings.clock_changes)
        books.clock_changes = readings.clock_changes
        if was_set:
            books.settled = history.set_clock(before, minute)
        if self.running.tariffs is not None:
            parameters = self.running.parameters
            books.settled = history.take(books.settled, parameters, minute, books.shares, books.elements)
        return was_set or (before.entries, before.day_1) != (books.settled.entries, books.settled.day_1)

    def _picture(self, readings: Readings) -> None:
        books = self.books
        assert books is not None
        self.image = RegisterImage(
            self.running.second(readings.calendar_s),
            tuple(map(tuple, books.shares)),
            books.elements,
            books.tariff,
            self.tariffs,
            books.sets,
            readings.clock_changes,
            books.clears.generation,
            self.own_ns(readings.at_ns),
        )

    def own_ns(self, at_ns: int) -> int:
        """The monotonic instant `at_ns` in the meter's own time, see `RegisterImage`."""
        return at_ns if self.speed == 1.0 else round(at_ns * self.speed)

    @property
    def tariffs(self) -> int:
        """How many tariffs are shown: those the meter has; before that is known, those that had energy."""
        return self.running.tariffs or (len(self.books.shares) if self.books else 1)


def period_items(ledger: Ledger, period: int, view: View = TWO_DECIMALS) -> dict[int, int | tuple[int, ...]]:
    """The items at the end of a settlement period, the newest is 1, or (0) now; none where nothing is kept."""
    books, history, words = ledger.books, ledger.history, ledger.running.words
    if books is None or period > len(books.settled.entries):
        return {}
    shares, elements = books.shares, books.elements
    if period:
        copy = books.settled.entries[period - 1].copy
        shares, elements = history.copies[copy], tuple(history.phases.get(copy, ()))
    values = tariff_items(shares, words, ledger.tariffs, period, view)
    if elements:
        values.update(phase_items(EnergyTotals(0, elements), words, period, view))
    return values


def settled_items(ledger: Ledger) -> dict[int, int | tuple[int, ...]]:
    """The items of the settlement periods that have ended, the newest is 1."""
    values: dict[int, int | tuple[int, ...]] = {}
    for period in range(1, period_count(ledger)):
        values |= period_items(ledger, period)
    return values


def period_count(ledger: Ledger) -> int:
    """Now, and the periods that have ended."""
    return 1 + len(ledger.books.settled.entries) if ledger.books else 0


def clear_record(image: RegisterImage, operator: bytes) -> bytes:
    """The record of a meter clear: time, operator, active and reactive energies of total, A, B, C then (106 octets)."""
    time = time_octets(CALENDAR_EPOCH + timedelta(seconds=image.second))
    elements = (image.totals, *(image.phase(element) for element in ELEMENTS[1:]))
    registers = [register for each in elements for register in each[:REGISTERS_RECORDED]]
    energies = [count_octets(register_view(register), 4) for register in registers]
    return time + operator + b"".join(energies)
