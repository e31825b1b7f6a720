"""Turns of the energy APP's functions, made by hand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from wattwheel.apps.functions import Turn
from wattwheel.apps.parameters import default_items
from wattwheel.model.bcd import EPOCH, minute_octets
from wattwheel.model.energy_items import MICROJOULE_PER_CENTIWATTHOUR as CENTI
from wattwheel.model.energy_items import STANDARD_WORDS
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
from wattwheel.model.tariff_parameters import FIRST_SETS, RunningSets

MOMENTARY = Momentary(
    (
        ElementReading(None, None, 5_000_400, -1_200_000, 6_000_000, -950_000),
        ElementReading(220_149, 1_234_567, 1_000_000, 100_000, 1_100_000, 990_000),
        ElementReading(221_050, 2_000_000, 2_000_000, 200_000, 2_200_000, 980_000),
        ElementReading(229_949, 3_000_000, 2_000_400, -1_500_000, 2_700_000, -970_000),
    ),
    frequency_millihertz=49_994,
)


def wire(digits: str) -> bytes:
    """Digits as the picture prints them, as on the wire."""
    return bytes.fromhex(digits)[::-1]


def at(text: str) -> datetime:
    """2026-03-01 00:00[:00]."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def shown_time(octets: bytes) -> str:
    """YYMMDDhhmm on the wire, to be read."""
    return octets[::-1].hex()


def octets_of(time: datetime) -> bytes:
    """YYMMDDhhmm of `time` on the wire."""
    return minute_octets((time - EPOCH) // timedelta(minutes=1))


def parameters(written: Mapping[int, str] | None = None) -> dict[int, bytes]:
    """Defaults and what was written; a new object each time."""
    return default_items() | {di: wire(digits) for di, digits in (written or {}).items()}


class Clockwork:
    """Drives one function with turns, as the energy APP does, and saves what it wants saved.

    `is_power_up`: the first push comes after a loss of the supply; `passes_turns_only`: a clock that goes back turns no
    minute, which is what the APP does.
    """

    def __init__(self, function: object, written: Mapping[int, str] | None = None, saved: dict | None = None) -> None:
        self.function = function
        self.parameters = parameters(written)
        self.saved: dict[str, bytes] = dict(saved or {})
        self.demands: dict[int, int | bytes] = {}
        self.shares: tuple[tuple[int, ...], ...] = ((0,) * len(REGISTERS),)
        self.tariffs = 1
        self.sets: RunningSets = FIRST_SETS
        self.momentary: Momentary | None = MOMENTARY
        self.quality = Quality.VALID
        self.turn: Turn | None = None
        self.is_power_up = False
        self.passes_turns_only = False
        function.begin(self.saved)

    def push(self, time: datetime | str, centi: int | None = None) -> bool:
        """A push at `time`; `centi`: hundredths of a kWh in tariff 1. True: the function wants to be saved now."""
        time = at(time) if isinstance(time, str) else time
        if centi is not None:
            self.shares = ((centi * CENTI, *self.shares[0][1:]), *self.shares[1:])
        second = int((time - EPOCH).total_seconds())
        image = RegisterImage(second, self.shares, (0,) * REGISTER_COUNT, 1, self.tariffs, self.sets)
        readings = Readings(0, float(second), self.quality, EnergyTotals(1, (0,) * REGISTER_COUNT), self.momentary)
        before = self.turn.image if self.turn else None
        turn = Turn(readings, image, before, self.parameters, STANDARD_WORDS, (), {}, before is None, self.demands.get)
        turn = turn._replace(is_power_up=before is None and self.is_power_up)
        is_turn = before is None or before.minute != image.minute
        if is_turn and not (self.passes_turns_only and before is not None and before.minute > image.minute):
            self.function.minute(turn)
        self.function.push(turn)
        self.turn = turn
        is_urgent = self.function.needs_saving_now
        self.keep()
        return is_urgent

    def keep(self) -> None:
        """Save what has changed."""
        for key, octets in self.function.changes().items():
            assert len(key) <= 64
            if octets is None:
                self.saved.pop(key, None)
            else:
                assert len(octets) <= 7936
                self.saved[key] = octets

    def carry_out(self, prepared: object) -> None:
        """A command whose transaction has come through."""
        self.keep()
        for key, octets in prepared.changes.items():
            if octets is None:
                self.saved.pop(key, None)
            else:
                self.saved[key] = octets
        prepared.apply()

    def run(self, begin: str, end: str, step_minutes: int = 1) -> None:
        """Pushes from `begin` to `end`, hundredths counting up."""
        time = at(begin)
        while time <= at(end):
            self.push(time, (self.shares[0][0] // CENTI) + 1)
            time += timedelta(minutes=step_minutes)
