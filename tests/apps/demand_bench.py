"""The registers and the demand on them, under a clock and a load that a test moves: the partition without a meter."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import hypot

import msgspec
from tests.apps.test_energy_tariffs import message, readings

from wattwheel.apex.partition import Counters
from wattwheel.apps.demand import Demand
from wattwheel.apps.energy import Energy
from wattwheel.apps.energy_books import Ledger, books_of
from wattwheel.apps.energy_history import History
from wattwheel.model.catalogue import item_2007
from wattwheel.model.records import ELEMENTS, REGISTER_COUNT, REGISTERS
from wattwheel.sdk import Function, SaveResult

START = datetime(2026, 6, 10, 8, 0, tzinfo=UTC)
KILOWATT_MINUTE = 60_000_000_000
"""Microjoule of 1 kW in a minute."""

OPERATOR = bytes.fromhex("12345678")
ELEMENT = {name: place * len(REGISTERS) for place, name in enumerate(ELEMENTS)}


class Medium:
    """A meter whose medium takes what it is told to, at once or, while `holds`, never; and nobody reads."""

    def __init__(self, saved=None):
        self.saved = dict(saved or {})
        self.counters = Counters(lambda: None)
        self.result = SaveResult.SAVED

    def save(self, changes, promised=False, on_saved=None):
        if self.result is SaveResult.SAVED:
            for key, octets in changes.items():
                if octets is None:
                    self.saved.pop(key, None)
                else:
                    self.saved[key] = octets
        on_saved(self.result)

    def has_port(self, port):
        return False

    def show(self, values, quality):
        """Nobody reads."""

    def show_beside(self, values):
        """Nobody reads."""


class Answered:
    """A command that keeps how it was answered."""

    def __init__(self, data=b""):
        self.data, self.operator, self.replies = data, OPERATOR, []

    def done(self, data=b""):
        self.replies.append(data)

    def refuse(self, error):
        self.replies.append(error)


class Bench:
    """A partition `energy` whose only function is the demand. `at`: meter time; `registers`: the core's totals."""

    def __init__(self, written=None, at=START):
        self.written, self.at, self.mono_s, self.clock_changes = dict(written or {}), at, 1000.0, 0
        self.registers = [0] * REGISTER_COUNT
        self.parameters = message(self.written)
        self.medium = Medium()
        self.start(is_power_up=True)

    def start(self, is_power_up=False):
        """Begin anew with what is on the medium; `is_power_up`: after a loss of the supply, else after a kill."""
        saved = dict(self.medium.saved)
        self.medium = Medium(saved)
        history, books = History(saved), books_of(saved.get("books"))
        if books is not None:
            books.settled = history.known(books.settled)
        ledger = Ledger(books, history)
        ledger.parameters = lambda: self.parameters
        self.energy = Energy(self.medium, ledger)
        self.energy.is_power_up = is_power_up
        self.demand = Demand()
        self.energy.functions = [self.demand]
        self.demand.begin(saved)

    def write(self, written):
        """Write parameters; they are heard with the next push."""
        self.written |= written
        self.parameters = message(self.written)

    def flow(self, kilowatt=0, kilovar=0, seconds=60, element="total", kilovoltampere=None):
        """Let energy flow at constant power: more than 0 is forward, inductive. Without harmonics if not told else."""
        own, quadrant = ELEMENT[element], (2 if kilovar >= 0 else 5) if kilowatt >= 0 else (3 if kilovar >= 0 else 4)
        self.registers[own + (kilowatt < 0)] += abs(kilowatt) * KILOWATT_MINUTE * seconds // 60
        self.registers[own + quadrant] += abs(kilovar) * KILOWATT_MINUTE * seconds // 60
        if kilovoltampere is None:
            kilovoltampere = hypot(kilowatt, kilovar)
        self.registers[own + 6 + (kilowatt < 0)] += round(kilovoltampere * KILOWATT_MINUTE) * seconds // 60

    def wait(self, seconds):
        """Let time pass, unseen."""
        self.at += timedelta(seconds=seconds)
        self.mono_s += seconds

    def push(self):
        """What the metering core sends now is taken."""
        reading = readings(self.at, *self.registers)
        self.energy.take(
            msgspec.structs.replace(reading, at_ns=round(self.mono_s * 1e9), clock_changes=self.clock_changes)
        )

    def run(self, minutes, kilowatt=0, kilovar=0, every_s=60, phases=()):
        """Minutes of constant power, with a push every so many seconds; `phases`: kW and kvar of a, b, c."""
        for _ in range(minutes * 60 // every_s):
            apparent = sum(hypot(*power) for power in phases) if phases else None
            self.flow(kilowatt, kilovar, every_s, kilovoltampere=apparent)
            for element, power in zip("abc", phases, strict=False):
                self.flow(*power, every_s, element)
            self.wait(every_s)
            self.push()

    def run_half(self, kilowatt=0, every_s=60):
        """Half a minute of constant power, with a push at its end if there is one every second or if it ends one."""
        self.flow(kilowatt, seconds=30)
        self.wait(30)
        if every_s < 60 or self.at.second == 0:
            self.push()

    def command(self, function, data=b""):
        """How a command was answered: octets of a good reply, or the ERR octet."""
        command = Answered(data)
        self.energy.obey(function, command)
        return command.replies[0]

    def clear(self):
        """The demand clear."""
        return self.command(Function.CLEAR_DEMAND)

    # -- reads

    def maximum(self, di=0x01010000):
        """Value in 0.1 W and time YYMMDDhhmm of a maximum; None: no requested data."""
        octets = self.energy.look(di)
        return None if octets is None else maximum(octets, item_2007(di).signed)

    def block(self, di):
        """The same of each in a block."""
        octets = self.energy.look(di)
        signed = item_2007(di).signed
        return None if octets is None else [maximum(octets[at : at + 8], signed) for at in range(0, len(octets), 8)]

    def now(self):
        """Demand now: active, reactive, apparent."""
        return tuple(self.energy.look(0x02800004 + at) for at in range(3))

    def minute(self, minutes=0):
        """YYMMDDhhmm of now, or of so many minutes ago."""
        return f"{self.at - timedelta(minutes=minutes):%y%m%d%H%M}"


def maximum(octets, signed=False):
    """Eight octets in words: the value with its sign, the time; "ff" for what is not available."""
    if octets == b"\xff" * 8:
        return "ff"
    value, time = int(octets[2::-1].hex(), 16), octets[:2:-1].hex()
    is_negative = signed and value >> 23
    magnitude = int(f"{value & 0x7FFFFF if is_negative else value:06x}")
    return (-magnitude if is_negative else magnitude, time)


NONE = (0, "0000000000")


def bench(written=None, at=START):
    """A bench that had its first push."""
    made = Bench(written, at)
    made.push()
    return made
