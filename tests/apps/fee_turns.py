"""Turns for tests of fee control: pushes of a meter that is nothing but registers, parameters and a clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from wattwheel.apps.fee_control import FeeControl
from wattwheel.apps.functions import EPOCH, Prepared, Turn
from wattwheel.apps.parameters import default_items
from wattwheel.model.energy_items import MICROJOULE_PER_CENTIWATTHOUR, Words
from wattwheel.model.records import (
    REGISTER_COUNT,
    REGISTERS,
    ElementReading,
    EnergyTotals,
    Momentary,
    Quality,
    Readings,
)
from wattwheel.model.register_image import RegisterImage
from wattwheel.sdk import Function

NOON = datetime(2026, 6, 10, 12, 0, 30, tzinfo=UTC)
FAR = "991230000000"
OPERATOR = bytes.fromhex("78563412")
MILLION = 1_000_000

ALARM_1, ALARM_2, OVERDRAFT, HOARDING, CLOSE_ALLOWED = range(0x04001001, 0x04001006)
TRIP_DELAY, TRIP_CURRENT, GUARD_MINUTES = 0x04001401, 0x04001402, 0x04001403
PRICE = 0x04050101
TRIP, PERMIT, CLOSE, AUTO_CLOSE, AUTO_PERMIT = range(0x1A, 0x1F)
ALARM_ON, ALARM_OFF, PRESERVE, RELEASE = 0x2A, 0x2B, 0x3A, 0x3B
ONE_A_QUANTUM = {PRICE: "01000000"}
"""100.0000 a kWh: a quantum of 0.01 kWh costs 1."""


def wire(digits: str) -> bytes:
    return bytes.fromhex(digits)[::-1]


def momentary(millivolt: int = 220_000, microampere: int = 1_000_000) -> Momentary:
    phase = ElementReading(voltage_millivolt=millivolt, current_microampere=microampere)
    return Momentary((ElementReading(), phase, phase, phase))


NOTHING = (0,) * (len(REGISTERS) - 1)


class Meter:
    """One fee control and what surrounds it."""

    def __init__(self, mode: str = "local", written: dict[int, str] | None = None, at: datetime = NOON, **settings):
        self.settings = {"mode": mode, "nominal_millivolt": 220_000, **settings}
        self.at, self.uptime_ns, self.clock_changes = at, 0, 0
        self.quanta = [Fraction(0)] * 4
        self.tariff = 1
        self.momentary = momentary()
        self.parameters = default_items()
        self.store: dict[str, bytes] = {}
        self.urgent = 0
        self._minute: int | None = None
        self.write(written or {})
        self.restart()

    def restart(self) -> None:
        """A new body takes up what is on the medium."""
        self.function = FeeControl(self.settings)
        self.function.begin(self.store)
        self._minute = None

    def write(self, digits: dict[int, str]) -> None:
        self.parameters = {**self.parameters, **{di: wire(text) for di, text in digits.items()}}

    def turn(self) -> Turn:
        shares = tuple((int(quanta * MICROJOULE_PER_CENTIWATTHOUR), *NOTHING) for quanta in self.quanta)
        second = int((self.at - EPOCH).total_seconds())
        image = RegisterImage(
            second,
            shares,
            (0,) * REGISTER_COUNT,
            self.tariff,
            len(shares),
            clock_changes=self.clock_changes,
            at_ns=self.uptime_ns,
        )
        readings = Readings(
            self.uptime_ns, second, Quality.VALID, EnergyTotals(1, (0,) * REGISTER_COUNT), self.momentary
        )
        return Turn(readings, image, None, self.parameters, Words(), (), {}, False, lambda di: None)

    def push(self, seconds: float = 1, quanta: Fraction | int = 0, keep: bool = True) -> None:
        """`seconds` later, and `quanta` of 0.01 kWh more in the tariff in force."""
        self.at += timedelta(seconds=seconds)
        self.uptime_ns += round(seconds * 1e9)
        self.quanta[self.tariff - 1] += quanta
        turn = self.turn()
        if turn.image.minute != self._minute:
            self._minute = turn.image.minute
            self.function.minute(turn)
        self.function.push(turn)
        self.urgent += self.function.needs_saving_now
        if keep or self.function.needs_saving_now:
            self.keep()

    def keep(self) -> None:
        self.store.update(self.function.changes())

    def set_clock(self, at: datetime) -> None:
        self.at, self.clock_changes = at, self.clock_changes + 1

    def do(self, prepared: Prepared | int) -> int:
        """Carry out what was prepared; the ERR octet, 0 when it was done."""
        if isinstance(prepared, int):
            return prepared
        self.store.update({key: octets for key, octets in prepared.changes.items() if octets is not None})
        prepared.apply()
        return 0

    def pay(self, words: str) -> int:
        return self.do(self.function.prepare(Function.FEE, words.encode(), b"", self.turn()))

    def order(self, code: int, units: int = 0, deadline: str = FAR) -> int:
        data = bytes((code, units)) + wire(deadline)
        return self.do(self.function.prepare(Function.RELAY, data, OPERATOR, self.turn()))

    @property
    def wallet(self) -> tuple[int, int]:
        return tuple(self.function.charging.money.account.wallet)

    @property
    def is_open(self) -> bool:
        return self.function.control.books.relay.is_open

    @property
    def is_alarming(self) -> bool:
        return self.function.control.books.relay.is_alarming

    def counts(self) -> tuple[int, int]:
        """Trips and closings so far."""
        records = self.function.control.books.records
        return records.trips.count, records.closes.count


def prepaid(balance: int = 200, **written: str) -> Meter:
    limits = {ALARM_1: "00010000", ALARM_2: "00005000", OVERDRAFT: "00001000"}
    meter = Meter("local", {**ONE_A_QUANTUM, **limits, **{int(di, 16): digits for di, digits in written.items()}})
    meter.push()
    assert meter.pay(f"open-wallet {balance}") == 0
    meter.push()
    return meter


def money(text: str) -> int:
    return int(Decimal(text) * MILLION)


def remote(**written: str) -> Meter:
    meter = Meter("remote", {int(di, 16): digits for di, digits in written.items()})
    meter.push()
    return meter
