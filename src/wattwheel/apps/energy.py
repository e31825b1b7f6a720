"""Energy and momentary values: the APP that owns the identifiers 00xxxxxx and 02xxxxxx.

The metering core sends running totals. What this APP keeps is, for each register, the total it has booked up to and the
tariffs' shares, changed together; so a push that is lost, late, doubled or seen again after a restart moves nothing
twice. All energy goes to tariff 1 in this version; there is no history yet, so earlier settlement periods are
answered with "no requested data".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from wattwheel.model.records import ElementReading, EnergyTotals, Momentary, Quality, Readings
from wattwheel.sdk import App, Meter

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
REGISTERS_2007 = ("import_active", "export_active", "reactive_q1", "reactive_q2", "reactive_q3", "reactive_q4")
_DI2_OF_REGISTER = (0x01, 0x02, 0x05, 0x06, 0x07, 0x08)


class Books(msgspec.Struct, array_like=True):
    """What was booked, in microjoule.

    Attributes:
        seen: the core's totals up to which.
        tariff_1: the shares.
        highest: of all registers of all elements, the highest total ever seen: what is shown of a phase never falls.
    """

    seen: list[int]
    tariff_1: list[int]
    highest: list[int] = []


def books_of(saved: bytes | None) -> Books | None:
    """The books that were saved; None when there are none, or none that this version can read."""
    try:
        books = msgspec.msgpack.decode(saved or b"", type=Books)
    except (ValueError, RecursionError):
        return None
    is_ours = len(books.seen) == len(books.tariff_1) == len(REGISTERS_2007)
    return books if is_ours and len(books.highest) in (0, len(NO_TOTALS)) else None


class Words(NamedTuple):
    """Characteristic words: how registers are combined."""

    active: int = ACTIVE_COMBINATION
    reactive: tuple[int, int] = REACTIVE_COMBINATIONS


STANDARD_WORDS = Words()


def words_of(parameters: bytes | None) -> Words:
    """The words in a message of the port `parameters`; the standard ones before the first."""
    if parameters is None:
        return STANDARD_WORDS
    active, *reactive = (msgspec.msgpack.decode(parameters, type=dict[int, bytes])[di][0] for di in WORDS)
    return Words(active, (reactive[0], reactive[1]))


class Ledger:
    """Books totals into tariffs. Pure but for its own state."""

    def __init__(self, books: Books | None = None) -> None:
        self.books = books
        self.fell = 0
        self.bookings = 0
        self.words = STANDARD_WORDS
        self.heard: bytes | None = None
        self.parameters: Callable[[], bytes | None] = lambda: None

    def book(self, totals: EnergyTotals) -> None:
        """Book the difference to what was seen.

        A total below it is counted and books nothing until it has passed what was seen: it comes late, for the second
        time, or from a core that has lost something, and in no case may energy be booked twice.
        """
        self.bookings += 1
        newest = totals.microjoule[: len(REGISTERS_2007)]
        if self.books is None:
            self.books = Books(list(newest), list(newest), list(totals.microjoule))
            return
        self.books.highest = list(map(max, self.books.highest or NO_TOTALS, totals.microjoule))
        for number, (before, now) in enumerate(zip(self.books.seen, newest, strict=True)):
            if now < before:
                self.fell += 1
            else:
                self.books.tariff_1[number] += now - before
                self.books.seen[number] = now


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
    tariff_1: Sequence[int], totals: EnergyTotals, words: Words = STANDARD_WORDS
) -> dict[int, int | tuple[int, ...]]:
    """Identifier to value of every energy item: total, tariff 1, the block of both, and the phases' totals."""
    values: dict[int, int | tuple[int, ...]] = {}
    for number, di2 in enumerate(_DI2_OF_REGISTER):
        _put(values, di2, register_view(tariff_1[number]))
    _put(values, 0x00, signed_view(combined(words.active, tariff_1[:2])))
    for di2, word in zip((0x03, 0x04), words.reactive, strict=True):
        _put(values, di2, signed_view(combined(word, tariff_1[2:])))
    for phase, base in PHASE_BASES.items():
        registers = [totals.register(name, phase) for name in REGISTERS_2007]
        own = [register_view(register) for register in registers]
        reactive = [signed_view(combined(word, registers[2:])) for word in words.reactive]
        for offset, value in enumerate((*own[:2], *reactive, *own[2:])):
            values[base + offset << 16] = value
    return values


def _put(values: dict[int, int | tuple[int, ...]], di2: int, value: int) -> None:
    values[di2 << 16] = value
    values[di2 << 16 | 0x0100] = value
    values[di2 << 16 | 0xFF00] = (value, value)


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
    meter.memory = Ledger(books)
    if meter.has_port(PARAMETERS_PORT):
        meter.memory.parameters = meter.sampled(PARAMETERS_PORT)
    meter.on_stop(lambda: keep(meter))


@app.on_readings
def book(meter: Meter, readings: Readings) -> None:
    """Book the newest totals and show every item."""
    ledger: Ledger = meter.memory
    ledger.book(readings.totals)
    assert ledger.books is not None
    values: dict[int, int | bytes | tuple[int | None, ...]] = {}
    if (heard := ledger.parameters()) != ledger.heard:
        ledger.heard, ledger.words = heard, words_of(heard)
    shown = EnergyTotals(readings.totals.sequence, tuple(ledger.books.highest))
    values.update(energy_items(ledger.books.tariff_1, shown, ledger.words))
    if readings.momentary is not None and readings.quality is Quality.VALID:
        values.update(momentary_items(readings.momentary))
    meter.show(values, readings.quality)
    meter.counters.set("pushes_booked", readings.totals.sequence)
    meter.counters.set("totals_fell", ledger.fell)
    if ledger.bookings % SAVE_EVERY_PUSHES == 1:
        keep(meter)


def keep(meter: Meter) -> None:
    """Save the books."""
    ledger: Ledger = meter.memory
    if ledger.books is not None:
        meter.save({BOOKS_KEY: msgspec.msgpack.encode(ledger.books)})
