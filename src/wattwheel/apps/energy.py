"""Energy and momentary values: the APP that owns the identifiers 00xxxxxx and 02xxxxxx.

The metering core sends running totals. What this APP keeps is, for each register, the total it has booked up to and the
tariffs' shares, changed together; so a push that is lost, late, doubled or seen again after a restart moves nothing
twice. The energy of a push goes to the tariff in force when the push was made, whole, also when it spans a change of
tariff. At each settlement instant the registers are copied; a period that was never settled is answered with "no
requested data".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec

from wattwheel.apps.energy_history import History
from wattwheel.model.records import ElementReading, EnergyTotals, Momentary, Quality, Readings
from wattwheel.model.settled_books import NOTHING_SETTLED, Settled
from wattwheel.model.tariff import TARIFFS_MAX, TariffPlan, resolve
from wattwheel.model.tariff_parameters import FIRST_SETS, RunningSets, plan_of, switched, tariffs_of
from wattwheel.sdk import App, Meter, SaveResult

app = App("energy", version="0.1.0")
start = app.start

MICROJOULE_PER_CENTIWATTHOUR = 36_000_000_000
REGISTER_MODULUS = 100_000_000  # 999999.99 and back to 0
SIGNED_MAX = 79_999_999
BOOKS_KEY = "books"
SAVE_EVERY_PUSHES = 60
ACTIVE_COMBINATION = 0x05  # forward plus reverse (04000601)
REACTIVE_COMBINATIONS = (0x41, 0x14)  # I + IV, II + III (04000602, 04000603)
PARAMETERS_PORT = "parameters"
WORDS = (0x04000601, 0x04000602, 0x04000603)

PHASE_BASES = {"a": 0x15, "b": 0x29, "c": 0x3D}  # DI2 of the forward active register
NO_TOTALS = (0,) * 24
CALENDAR_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
REGISTERS_2007 = ("import_active", "export_active", "reactive_q1", "reactive_q2", "reactive_q3", "reactive_q4")
_DI2_OF_REGISTER = (0x01, 0x02, 0x05, 0x06, 0x07, 0x08)


class Settings(msgspec.Struct, frozen=True):
    """Settings of the partition. `utc_offset_minutes`: meter standard time minus UTC."""

    utc_offset_minutes: int = 0


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
    """

    seen: list[int]
    tariff_1: list[int]
    highest: list[int] = []
    further: list[list[int]] = []
    tariff: int = 1
    sets: RunningSets = FIRST_SETS
    settled: Settled = NOTHING_SETTLED

    @property
    def shares(self) -> list[list[int]]:
        """The registers of each tariff, 1 first."""
        return [self.tariff_1, *self.further]

    def share(self, tariff: int) -> list[int]:
        """The registers of `tariff`, to add to."""
        while len(self.further) < tariff - 1:
            self.further.append([0] * len(REGISTERS_2007))
        return self.further[tariff - 2] if tariff > 1 else self.tariff_1


def books_of(saved: bytes | None) -> Books | None:
    """The books that were saved; None when there are none, or none that this version can read."""
    try:
        books = msgspec.msgpack.decode(saved or b"", type=Books)
    except (ValueError, RecursionError):
        return None
    is_ours = (
        len(books.seen) == len(REGISTERS_2007)
        and all(len(share) == len(REGISTERS_2007) for share in books.shares)
        and len(books.shares) <= TARIFFS_MAX
        and 1 <= books.tariff <= TARIFFS_MAX
        and {books.sets.zones, books.sets.day_tables} <= {0, 1}
    )
    return books if is_ours and len(books.highest) in (0, len(NO_TOTALS)) else None


class Words(NamedTuple):
    """Characteristic words: how registers are combined."""

    active: int = ACTIVE_COMBINATION
    reactive: tuple[int, int] = REACTIVE_COMBINATIONS


STANDARD_WORDS = Words()


def words_of(parameters: Mapping[int, bytes]) -> Words:
    """The words among the parameters."""
    active, *reactive = (parameters[di][0] for di in WORDS)
    return Words(active, (reactive[0], reactive[1]))


class RunningTariff:
    """The tariff in force, found anew at each minute, and when the parameters or the clock have changed.

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
        self._minute: int | None = None
        self.words = STANDARD_WORDS
        self.tariffs: int | None = None

    def hear(self, message: bytes | None) -> None:
        """Take the newest message of the port `parameters`; None: there was none yet."""
        if message != self._heard and message is not None:
            self._heard = message
            self.parameters = msgspec.msgpack.decode(message, type=dict[int, bytes])
            self.words, self.tariffs = words_of(self.parameters), tariffs_of(self.parameters)
            self._plan = self._minute = None

    def minute(self, calendar_s: float) -> int:
        """Minutes of the meter's standard time since 2000."""
        return int(calendar_s // 60) + self._offset_minutes

    def find(self, calendar_s: float, tariff: int, sets: RunningSets) -> tuple[int, RunningSets]:
        """The tariff in force at `calendar_s` and the sets that run then, after `tariff` and `sets`.

        Before the parameters were heard nobody knows: what was in force goes on.
        """
        minute = self.minute(calendar_s)
        if self.tariffs is None or minute == self._minute:
            return tariff, sets
        self._minute = minute
        local = CALENDAR_EPOCH + timedelta(minutes=minute)
        running = switched(sets, self.parameters, local)
        if self._plan is None or running != sets:
            self._plan = plan_of(self.parameters, running)
        return resolve(self._plan, local).tariff, running


class Ledger:
    """Books totals into tariffs. Pure but for its own state.

    Attributes:
        is_taken_up: nothing has been booked since the books were taken up where they had been saved.
    """

    def __init__(self, books: Books | None = None, history: History | None = None) -> None:
        self.books = books
        self.history = history or History()
        self.is_taken_up = books is not None
        self.fell = 0
        self.bookings = 0
        self.running = RunningTariff()
        self.shown: object = None
        self.parameters: Callable[[], bytes | None] = lambda: None

    def book(self, totals: EnergyTotals, tariff: int = 1) -> None:
        """Book the difference to what was seen, all of it to `tariff`.

        A total below it is counted and books nothing until it has passed what was seen: it comes late, for the second
        time, or from a core that has lost something, and in no case may energy be booked twice.

        What was not booked when the APP ended goes to the tariff that was in force then: each change of tariff is made
        durable at once, so no tariff's register falls over a restart.
        """
        self.bookings += 1
        newest = totals.microjoule[: len(REGISTERS_2007)]
        if self.books is None:
            self.books = Books([0] * len(newest), [0] * len(newest))
        books = self.books
        share = books.share(books.tariff if self.is_taken_up else tariff)
        self.is_taken_up = False
        books.tariff = tariff
        books.highest = list(map(max, books.highest or NO_TOTALS, totals.microjoule))
        for number, (before, now) in enumerate(zip(books.seen, newest, strict=True)):
            if now < before:
                self.fell += 1
            else:
                share[number] += now - before
                books.seen[number] = now

    def take(self, readings: Readings) -> bool:
        """Book `readings` to the tariff in force when they were made, and settle what has fallen due.

        A push belongs to the period in which it was made. Only the first one after a start brings what flowed before,
        so it is booked before what was missed is settled. True: what was decided here has to be made durable now.
        """
        before = (self.books.tariff, self.books.sets) if self.books else (1, FIRST_SETS)
        self.running.hear(self.parameters())
        found = self.running.find(readings.calendar_s, *before)
        is_first, has_settled = self.is_taken_up or self.books is None, False
        if not is_first:
            has_settled = self._settle(readings)
        self.book(readings.totals, found[0])
        assert self.books is not None
        self.books.sets = found[1]
        if is_first:
            has_settled = self._settle(readings)
        return found != before or has_settled

    def _settle(self, readings: Readings) -> bool:
        books, history, minute = self.books, self.history, self.running.minute(readings.calendar_s)
        assert books is not None
        before = books.settled
        was_set = history.clock_was_set(readings.at_ns, readings.calendar_s)
        if was_set:
            books.settled = history.set_clock(before, minute)
        if self.running.tariffs is not None:
            books.settled = history.take(books.settled, self.running.parameters, minute, books.shares)
        return was_set or (before.entries, before.day_1) != (books.settled.entries, books.settled.day_1)

    @property
    def tariffs(self) -> int:
        """How many tariffs are shown: those the meter has; before that is known, those that had energy."""
        return self.running.tariffs or (len(self.books.shares) if self.books else 1)


def register_view(microjoule: int) -> int:
    """A register in 0.01 kWh (kvarh), rolled over after 999999.99; the remainder stays inside."""
    return microjoule // MICROJOULE_PER_CENTIWATTHOUR % REGISTER_MODULUS


def combined(word: int, registers: Sequence[int]) -> int:
    """Sum of `registers` by a characteristic word: for each two bits, add and subtract; add wins."""
    total = 0
    for number, register in enumerate(registers):
        bits = word >> 2 * number & 3
        total += register if bits & 1 else -register if bits & 2 else 0
    return total


def signed_view(microjoule: int) -> int:
    """A combined register in 0.01 units, towards zero, within what a signed picture holds."""
    units = abs(microjoule) // MICROJOULE_PER_CENTIWATTHOUR % (SIGNED_MAX + 1)
    return -units if microjoule < 0 else units


def energy_items(
    shares: Sequence[Sequence[int]], totals: EnergyTotals, words: Words = STANDARD_WORDS, tariffs: int = 1
) -> dict[int, int | tuple[int, ...]]:
    """Identifier to value of every energy item: total, each of `tariffs`, the block of both, and the phases' totals.

    The total is the sum of all `shares`, those of tariffs that the meter no longer has among them.
    """
    values = tariff_items(shares, words, tariffs)
    for phase, base in PHASE_BASES.items():
        registers = [totals.register(name, phase) for name in REGISTERS_2007]
        own = [register_view(register) for register in registers]
        reactive = [signed_view(combined(word, registers[2:])) for word in words.reactive]
        for offset, value in enumerate((*own[:2], *reactive, *own[2:])):
            values[base + offset << 16] = value
    return values


def tariff_items(
    shares: Sequence[Sequence[int]], words: Words, tariffs: int, period: int = 0
) -> dict[int, int | tuple[int, ...]]:
    """Total, each of `tariffs`, and the block of them all, of the registers at the end of `period`; 0: now."""
    none = (0,) * len(REGISTERS_2007)
    shown = [[sum(column) for column in zip(*shares, strict=True)], *shares[:tariffs]]
    shown += [none] * (1 + tariffs - len(shown))
    columns = {di2: [register_view(row[number]) for row in shown] for number, di2 in enumerate(_DI2_OF_REGISTER)}
    columns[0x00] = [signed_view(combined(words.active, row[:2])) for row in shown]
    for di2, word in zip((0x03, 0x04), words.reactive, strict=True):
        columns[di2] = [signed_view(combined(word, row[2:])) for row in shown]
    values: dict[int, int | tuple[int, ...]] = {}
    for di2, column in columns.items():
        values |= {di2 << 16 | tariff << 8 | period: value for tariff, value in enumerate(column)}
        values[di2 << 16 | 0xFF00 | period] = tuple(column)
    return values


def settled_items(ledger: Ledger) -> dict[int, int | tuple[int, ...]]:
    """The items of the settlement periods that have ended, the newest is 1."""
    values: dict[int, int | tuple[int, ...]] = {}
    for period, entry in enumerate(ledger.books.settled.entries if ledger.books else (), 1):
        values |= tariff_items(ledger.history.copies[entry.copy], ledger.running.words, ledger.tariffs, period)
    return values


_PER_ELEMENT = (
    # DI2, field, divisor from its unit to the picture's last digit, total first in the block
    (0x01, "voltage_millivolt", 100, False),
    (0x02, "current_microampere", 1000, False),
    (0x03, "active_power_milliwatt", 100, True),
    (0x04, "reactive_power_millivar", 100, True),
    (0x05, "apparent_power_millivoltampere", 100, True),
    (0x06, "power_factor_millionth", 1000, True),
    (0x07, "phase_angle_millidegree", 100, False),
    (0x08, "thd_voltage_millipercent", 10, False),
    (0x09, "thd_current_millipercent", 10, False),
)
PHASE_ANGLE_DI2, FULL_TURN = 0x07, 3600
FREQUENCY_DI, NEUTRAL_CURRENT_DI = 0x02800002, 0x02800001


def rounded(value: int, divisor: int) -> int:
    """`value` / `divisor`, to the nearest, halves away from zero."""
    units = (abs(value) + divisor // 2) // divisor
    return -units if value < 0 else units


def momentary_items(momentary: Momentary) -> dict[int, int | tuple[int | None, ...]]:
    """Identifier to value of every momentary item that is there; a block keeps the places of absent phases."""
    values: dict[int, int | tuple[int | None, ...]] = {}
    for di2, field, divisor, has_total in _PER_ELEMENT:
        column = [_value(element, field, divisor, di2) for element in momentary.elements]
        members = column if has_total else column[1:]
        for number, value in enumerate(column):
            if value is not None and (number or has_total):
                values[0x02000000 | di2 << 16 | number << 8] = value
        if any(value is not None for value in members):
            values[0x0200FF00 | di2 << 16] = tuple(members)
    if momentary.frequency_millihertz is not None:
        values[FREQUENCY_DI] = rounded(momentary.frequency_millihertz, 10)
    if momentary.neutral_current_microampere is not None:
        values[NEUTRAL_CURRENT_DI] = rounded(momentary.neutral_current_microampere, 1000)
    return values


def _value(element: ElementReading, field: str, divisor: int, di2: int) -> int | None:
    value = getattr(element, field)
    if value is None:
        return None
    units = rounded(value, divisor)
    return units % FULL_TURN if di2 == PHASE_ANGLE_DI2 else units


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
    meter.memory = Ledger(books, history)
    meter.memory.running = RunningTariff(meter.settings(Settings).utc_offset_minutes)
    if meter.has_port(PARAMETERS_PORT):
        meter.memory.parameters = meter.sampled(PARAMETERS_PORT)
    meter.on_stop(lambda: keep(meter))


@app.on_readings
def book(meter: Meter, readings: Readings) -> None:
    """Book the newest totals and show every item."""
    ledger: Ledger = meter.memory
    is_urgent = ledger.take(readings)
    assert ledger.books is not None
    if (shows := (ledger.books.settled.entries, ledger.running.words, ledger.tariffs)) != ledger.shown:
        ledger.shown = shows
        meter.show_beside(settled_items(ledger))
    values: dict[int, int | bytes | tuple[int | None, ...]] = {}
    shown = EnergyTotals(readings.totals.sequence, tuple(ledger.books.highest))
    values.update(energy_items(ledger.books.shares, shown, ledger.running.words, ledger.tariffs))
    if readings.momentary is not None and readings.quality is Quality.VALID:
        values.update(momentary_items(readings.momentary))
    meter.show(values, readings.quality)
    meter.counters.set("pushes_booked", readings.totals.sequence)
    meter.counters.set("totals_fell", ledger.fell)
    if is_urgent or ledger.bookings % SAVE_EVERY_PUSHES == 1:
        keep(meter, at_once=is_urgent)


def keep(meter: Meter, at_once: bool = False) -> None:
    """Save the books, within a minute or `at_once`."""
    ledger: Ledger = meter.memory
    if ledger.books is not None:
        changes = ledger.history.changes()

        def saved(result: SaveResult) -> None:
            if result is not SaveResult.SAVED:
                ledger.history.put_back(changes)

        meter.save({BOOKS_KEY: msgspec.msgpack.encode(ledger.books), **changes}, at_once, saved)
