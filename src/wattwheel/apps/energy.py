"""Energy and what lives on its registers: the APP that owns 00xxxxxx, 02xxxxxx, and what its functions own.

The metering core sends running totals. What this APP keeps is, for each register, the total it has booked up to and the
tariffs' shares, changed together; so a push that is lost, late, doubled or seen again after a restart moves nothing
twice. The energy of a push goes whole to the tariff that was in force at the push before. At each settlement instant
the registers are copied; a period that was never settled is answered with "no requested data".

The other functions (`FUNCTIONS`) are told of each push and each turn of a minute after the registers have been booked;
`apps.functions` says how. What all of them have to save goes into one transaction.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from functools import partial, reduce
from itertools import chain
from operator import or_
from typing import Any

import msgspec

from wattwheel.apps import status_words
from wattwheel.apps.cells import Cells
from wattwheel.apps.contacts import Contacts
from wattwheel.apps.demand import Demand
from wattwheel.apps.energy_books import Books, Ledger, RunningTariff, books_of, clear_record, cleared, settled_items
from wattwheel.apps.energy_history import History
from wattwheel.apps.factory import unrecorded_clears
from wattwheel.apps.fee_control import FeeControl
from wattwheel.apps.freezing import Freezing
from wattwheel.apps.functions import ERROR_OTHER, STEP_BACK_MINUTES, MeterFunction, Prepared, Turn
from wattwheel.apps.further_freezing import FurtherFreezing
from wattwheel.apps.load_record import LoadRecord
from wattwheel.apps.mean_power import MeanPower
from wattwheel.apps.recording import Recording
from wattwheel.apps.register_views import is_view, view_item, views
from wattwheel.apps.reporting import Reporting
from wattwheel.apps.silence import Silence, turn_now
from wattwheel.apps.status_words import STATUS_DIS
from wattwheel.apps.switch_overs import SwitchOvers
from wattwheel.apps.told_bits import told_bits
from wattwheel.apps.unsaved import Unsaved
from wattwheel.model.core_records import lost_counter
from wattwheel.model.energy_items import energy_items
from wattwheel.model.event_clears import EVENT_CLEARS_MAX, Clears
from wattwheel.model.momentary_items import momentary_items
from wattwheel.model.panel_state import PANEL_PORT
from wattwheel.model.ratings import Ratings
from wattwheel.model.records import REGISTERS, EnergyTotals, Quality, Readings
from wattwheel.model.register_image import RegisterImage
from wattwheel.sdk import App, Command, Function, Meter, SaveResult, Shown
from wattwheel.sdk.buttons import HELD_S

app = App("energy", version="0.1.0")
start = app.start

BOOKS_KEY = "books"
PARAMETERS_PORT, CLEARS_PORT = "parameters", "clears"
METER_CLEARS_DI = 0x03300100
OBEYED = (
    *(Function.CLEAR_METER, Function.CLEAR_DEMAND, Function.CLEAR_EVENTS),
    *(Function.FREEZE, Function.RELAY, Function.CONTACT, Function.SENSOR, Function.FEE),
    *(Function.REPORTED, Function.WRITE),
)
PRESSES_WAITING_MAX = 16
COMMANDS_WAITING_MAX = 16
"""Commands that wait for the one under way; one more is refused."""

FUNCTIONS: tuple[type[MeterFunction], ...] = (
    *(MeanPower, Contacts, Cells, Demand, FeeControl, SwitchOvers),
    *(Freezing, FurtherFreezing, Recording, LoadRecord, Reporting),
)
"""In the order in which they see a turn: whoever needs another's values comes after it."""


class Settings(msgspec.Struct, frozen=True):
    """Settings of the partition.

    Attributes:
        utc_offset_minutes: meter standard time minus UTC.
        speed: how many seconds pass on the meter's calendar in one.
        ratings: what the meter is made for.
        functions: settings of functions by their names, which their constructors get.
    """

    utc_offset_minutes: int = 0
    speed: float = 1.0
    ratings: Ratings = Ratings()
    functions: dict[str, dict[str, Any]] = {}


class Energy:
    """The ledger, the functions beside it, and the command under way.

    Attributes:
        is_power_up: this partition starts because the whole meter does.
        keeps_by_itself: what has to be saved is given to the store at the turn of a minute, or at once. A host that
            plays minutes in a row, and lets nothing happen between them, switches it off and calls `keep` itself.
        saves_under_way: how often `keep` has saved what is not known to be on the medium, or refused, yet.
    """

    is_power_up = False

    def __init__(self, meter: Meter, ledger: Ledger, settings: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        """`settings`: of functions, by their names."""
        self.ledger = ledger
        own: Mapping[str, Any] = settings or {}
        making: list[Any] = list(FUNCTIONS)
        self.functions: list[MeterFunction] = [make(own[make.name]) if make.name in own else make() for make in making]
        for each in self.functions:
            each.meet(self.functions)
        heard = [each for each in self.functions if each.port and meter.has_port(each.port)]
        self._publishing = [(each, meter.publish(each.port)) for each in heard]
        self._published: list[bytes] = [b""] * len(self._publishing)
        self._pressed: deque[tuple[str, bool]] = deque(maxlen=PRESSES_WAITING_MAX)
        self._meter = meter
        panel = meter.sampled(PANEL_PORT) if meter.has_port(PANEL_PORT) else lambda: None
        self._told_bits, self._is_unrecorded = told_bits(meter, panel), unrecorded_clears(panel, self.functions)
        self._minute_before: RegisterImage | None = None
        self._last_minute: int | None = None
        self._turn: Turn | None = None
        self._passed_over: Readings | None = None
        self.silence = Silence(meter, self.functions, lambda: self._turn, ledger, self.keep)
        self.keeps_by_itself = True
        self.saves_under_way, self._is_saving = 0, False
        self._unsaved = Unsaved()
        self._waiting: deque[tuple[Function, Command]] = deque()
        self.publish_clears: Callable[[bytes], None] | None = None

    # -- pushes

    def take(self, readings: Readings) -> None:
        """Book a push and tell the functions; while a command is on its way to the medium, the newest push waits."""
        if self._is_saving:
            self._meter.counters.add("pushes_passed_over", int(self._passed_over is not None))
            self._passed_over = readings
            return
        ledger = self.ledger
        is_urgent = ledger.take(readings)
        image = ledger.image
        assert image is not None
        before = self._minute_before
        is_first, is_turn = self._turn is None, self._is_turn(image.minute) or before is None
        while self._pressed and self._turn is not None:
            button = self._pressed.popleft()
            for function in self.functions:
                function.press(*button, self._turn)
        turn = self._turn = self._turn_of(readings, is_first)
        is_due = is_turn
        for function in self.functions:
            if is_turn:
                function.minute(turn)
            function.push(turn)
            is_urgent = is_urgent or function.needs_saving_now
            is_due = is_due or function.needs_saving
        if is_turn:
            self._minute_before = image
        self._show(readings)
        self._publish()
        if (is_urgent or is_due) and self.keeps_by_itself:
            self.keep(at_once=is_urgent)

    def _is_turn(self, minute: int) -> bool:
        """Whether the clock has passed the end of a minute: being set back passes none, and a step back over one end,
        or two, does not bring it again."""
        last = self._last_minute
        if last is None or minute > last:
            self._last_minute = minute
            return True
        if minute < last - STEP_BACK_MINUTES:
            self._last_minute = minute
        return False

    def _publish(self) -> None:
        for at, (function, publish) in enumerate(self._publishing):
            message = function.published()
            if message is not self._published[at]:
                self._published[at] = message
                publish(message)

    def press(self, button: str, is_long: bool) -> None:
        """A button was pressed: the functions learn it with the next push."""
        self._pressed.append((button, is_long))

    def _turn_of(self, readings: Readings, is_first: bool) -> Turn:
        ledger = self.ledger
        assert ledger.books is not None
        assert ledger.image is not None
        kept = ledger.books.settled.entries, ledger.history.copies
        told = ledger.image, self._minute_before, ledger.running.parameters, ledger.running.words
        return Turn(readings, *told, *kept, is_first, self.look, is_first and self.is_power_up)

    def _show(self, readings: Readings) -> None:
        meter, ledger, books = self._meter, self.ledger, self.ledger.books
        assert books is not None
        if (shows := (books.settled.entries, ledger.running.words, ledger.tariffs, books.clears)) != ledger.shown:
            ledger.shown = shows
            meter.show_beside({**settled_items(ledger), **books.clears.items(METER_CLEARS_DI)})
        meter.show(partial(self._items, readings), readings.quality)
        meter.counters.set("pushes_booked", readings.totals.sequence)
        meter.counters.set("totals_fell", ledger.fell)
        for name, microjoule in zip(REGISTERS, books.origin, strict=False):
            meter.counters.set(lost_counter(name), microjoule)

    def _items(self, readings: Readings) -> dict[int, Shown]:
        """Registers and momentary values after the push `readings`, which is the last one that was taken."""
        ledger, books = self.ledger, self.ledger.books
        assert books is not None
        values: dict[int, Shown] = {}
        totals = EnergyTotals(readings.totals.sequence, books.elements)
        values.update(energy_items(books.shares, totals, ledger.running.words, ledger.tariffs))
        if readings.momentary is not None and readings.quality is Quality.VALID:
            values.update(momentary_items(readings.momentary))
        return values

    # -- reads of what the functions own

    def look(self, di: int, data: bytes = b"") -> Shown | None:
        """What the first function that knows `di` says of it; of a status word, what all of them say."""
        if di in STATUS_DIS:
            return None if self._turn is None else status_words.shown(di, self._status_word)
        if is_view(di):
            return None if self._turn is None else view_item(self.ledger, di)
        for function in self.functions:
            if (value := function.look(di, data)) is not None:
                return value
        return None

    def _status_word(self, number: int) -> int:
        word = reduce(or_, (function.status_bits(number) for function in self.functions), self._told_bits(number))
        return status_words.fed(number, word)

    def listed(self) -> list[int]:
        """What the functions answer."""
        return [*STATUS_DIS, *views(self.ledger), *chain.from_iterable(each.listed() for each in self.functions)]

    # -- the medium

    def keep(self, at_once: bool = False) -> None:
        """Save everything that has changed as one transaction, within a minute or `at_once`."""
        ledger = self.ledger
        if ledger.books is None or self._is_saving:
            return
        changes = self._changes()
        number = self._unsaved.begin(changes)

        def saved(result: SaveResult) -> None:
            self.saves_under_way -= 1
            self._unsaved.end(number, changes, {} if result is SaveResult.SAVED else changes)

        self.saves_under_way += 1
        self._meter.save({BOOKS_KEY: _encode(ledger.books), **changes}, at_once, saved)

    def _changes(self) -> dict[str, bytes | None]:
        """What the next transaction has to hold beside the books."""
        changes = {**self._unsaved.take(), **self.ledger.history.changes()}
        for each in self.functions:
            changes.update(each.changes())
            for name, count in each.counted.items():
                self._meter.counters.set(name, count)
        return changes

    # -- commands

    def tell_clears(self) -> None:
        """Publish the clears that are on the medium, for whoever keeps event records in another partition."""
        if self.publish_clears is not None and self.ledger.books is not None:
            events = next((each.event_clears for each in self.functions if each.event_clears), ())
            self.publish_clears(_encode(Clears(self.ledger.books.clears.generation, events[-EVENT_CLEARS_MAX:])))

    def obey(self, function: Function, command: Command) -> None:
        """Carry out a command, now or when those before it are done."""
        if not self._is_saving:
            self._begin(function, command)
        elif len(self._waiting) < COMMANDS_WAITING_MAX:
            self._waiting.append((function, command))
        else:
            command.refuse(ERROR_OTHER)

    def _begin(self, function: Function, command: Command) -> None:
        turn, books = self._turn, self.ledger.books
        if function is Function.CONTACT and books is not None:  # it counts from now on, whenever a push came, or comes
            turn = turn_now(self._meter, self.ledger, turn)
        if turn is None or books is None:  # nothing was metered yet: nobody knows what to freeze or clear
            command.refuse(ERROR_OTHER)
            return
        if function is Function.CLEAR_METER:
            operator = b"" if self._is_unrecorded() else command.operator
            parts = [self._clear_registers(books, turn, operator)]
            parts += [part for each in self.functions if (part := each.clear(turn, operator)) is not None]
        else:
            own = next((each for each in self.functions if function in each.obeys), None)
            prepared = ERROR_OTHER if own is None else own.prepare(function, command.data, command.operator, turn)
            if isinstance(prepared, int):
                command.refuse(prepared)
                return
            parts = [prepared]
            if function is Function.CLEAR_EVENTS:
                di = int.from_bytes(command.data, "little")
                parts += [part for each in self.functions if (part := each.clear_events(di, turn)) is not None]
        before = self._changes()
        changes = dict(before)
        for part in parts:
            changes.update(part.changes)
        self._is_saving = True
        number = self._unsaved.begin(changes)

        def saved(result: SaveResult) -> None:
            self._unsaved.end(number, changes, {} if result is SaveResult.SAVED else before)
            self._saved(parts, command, result)

        self._meter.save({BOOKS_KEY: _encode(books), **changes}, True, saved)

    def _saved(self, parts: list[Prepared], command: Command, result: SaveResult) -> None:
        self._is_saving = False
        if result is SaveResult.SAVED:
            for part in parts:
                part.apply()
            if self._turn is not None:
                self._show(self._turn.readings)
            self.tell_clears()
            self._publish()
            command.done(parts[0].data)
        else:
            self._meter.counters.add("commands_unsaved")
            command.refuse(ERROR_OTHER)
        while self._waiting and not self._is_saving:
            self._begin(*self._waiting.popleft())
        if self._passed_over is not None and not self._is_saving:
            readings, self._passed_over = self._passed_over, None
            self.take(readings)

    def _clear_registers(self, books: Books, turn: Turn, operator: bytes) -> Prepared:
        ledger = self.ledger
        emptied = cleared(books, clear_record(turn.image, operator) if operator else None)
        gone = dict.fromkeys(key for number in ledger.history.copies for key in ledger.history.keys(number))

        def apply() -> None:
            ledger.books, ledger.history, self._minute_before = emptied, ledger.history.emptied(), None
            shares = tuple(map(tuple, emptied.shares))
            image = ledger.image = msgspec.structs.replace(
                turn.image, shares=shares, elements=emptied.elements, meter_clears=emptied.clears.generation
            )
            self._turn = turn._replace(image=image, minute_before=None, settled=(), copies={})
            self._meter.counters.add("meter_clears")

        return Prepared({BOOKS_KEY: _encode(emptied), **gone}, apply)


_encode = msgspec.msgpack.Encoder().encode


@app.on_start
def begin(meter: Meter) -> None:
    """Take up the books where they were saved."""
    saved = meter.saved.get(BOOKS_KEY)
    books = books_of(saved)
    if saved and books is None:  # of another version: the core's totals are the best there is
        meter.counters.add("books_unreadable")
    history = History(meter.saved)
    if books is not None:
        books.settled = history.known(books.settled)
    ledger = Ledger(books, history)
    settings = meter.settings(Settings)
    ledger.running, ledger.speed = RunningTariff(settings.utc_offset_minutes), settings.speed
    if meter.has_port(PARAMETERS_PORT):
        ledger.parameters = meter.sampled(PARAMETERS_PORT)
    own = meter.memory = Energy(meter, ledger, settings.functions)
    own.is_power_up = meter.is_power_up
    for function in own.functions:
        function.rate(settings.ratings)
        function.begin(meter.saved)
    if meter.has_port(CLEARS_PORT):
        own.publish_clears = meter.publish(CLEARS_PORT)
        own.tell_clears()
    meter.saved = {}  # load records are megabytes: whoever needs something has taken it
    for obeyed in OBEYED:
        meter.accept(obeyed, partial(_obey, obeyed))
    meter.look_up(own.look, own.listed)
    meter.on_stop(own.keep)


def _obey(function: Function, meter: Meter, command: Command) -> None:
    meter.memory.obey(function, command)


@app.on_press
def press(meter: Meter, button: str, held_s: float) -> None:
    """Pass a button on."""
    meter.memory.press(button, held_s >= HELD_S[1])


@app.on_readings
def book(meter: Meter, readings: Readings) -> None:
    """Book the newest totals, tell the functions, show every item."""
    meter.memory.take(readings)
    meter.memory.silence.hear(readings)
