"""A recording function on a bench: voltages, currents and powers in, records out; registers follow the powers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from wattwheel.apps.functions import EPOCH, Turn
from wattwheel.apps.parameters import Settings, default_items
from wattwheel.apps.recording import Recording
from wattwheel.model.energy_items import STANDARD_WORDS
from wattwheel.model.ratings import Ratings
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

RATINGS = Ratings("3p4w", 220_000, 5_000_000, 60_000_000)
START = int((datetime(2026, 6, 10, 12, 0, tzinfo=UTC) - EPOCH).total_seconds())


class Flow(NamedTuple):
    """What a scenario sets: volts, amperes and watts of the phases; watts None: as volts and amperes need."""

    volts: tuple[float, ...] = (220.0, 220.0, 220.0)
    amperes: tuple[float, ...] = (5.0, 5.0, 5.0)
    watts: tuple[int, ...] | None = None
    vars: tuple[int, ...] = (0, 0, 0)
    is_reversed: bool = False
    factor: float = 1.0
    lag_degrees: tuple[int, ...] = (0, 0, 0)
    neutral: float | None = None

    @property
    def milliwatt(self) -> tuple[int, ...]:
        if self.watts is not None:
            return tuple(1000 * each for each in self.watts)
        return tuple(round(1000 * u * i) for u, i in zip(self.volts, self.amperes, strict=True))

    def momentary(self, phases=(0, 1, 2)) -> Momentary:
        elements = [ElementReading() for _ in range(4)]
        turn = 120 if self.is_reversed else -120
        for phase in phases:
            elements[phase + 1] = ElementReading(
                voltage_millivolt=round(1000 * self.volts[phase]),
                current_microampere=round(1e6 * self.amperes[phase]),
                active_power_milliwatt=self.milliwatt[phase],
                reactive_power_millivar=1000 * self.vars[phase],
                power_factor_millionth=1_000_000,
                phase_angle_millidegree=1000 * self.lag_degrees[phase] % 360_000,
                voltage_angle_millidegree=1000 * turn * phase % 360_000,
            )
        elements[0] = ElementReading(
            active_power_milliwatt=sum(self.milliwatt),
            reactive_power_millivar=1000 * sum(self.vars),
            power_factor_millionth=round(1e6 * self.factor),
        )
        neutral = None if self.neutral is None else round(1e6 * self.neutral)
        return Momentary((elements[0], elements[1], elements[2], elements[3]), 50_000, neutral, self.is_reversed)


STEADY = Flow()


def digits(**items: str) -> dict[int, bytes]:
    return {int(di.removeprefix("x"), 16): bytes.fromhex(text)[::-1] for di, text in items.items()}


class Bench:
    """Time passes with `run`; pushes come every `cadence_s`, and at the turns of minutes."""

    def __init__(self, cadence_s: int = 1, ratings: Ratings = RATINGS, **written: str) -> None:
        self.ratings, self.cadence_s = ratings, cadence_s
        self.parameters = default_items(Settings(ratings=ratings)) | digits(**written)
        self.second, self.sequence, self.at_ns = START, 0, 1
        self.clock_changes = self.meter_clears = 0
        self.elements = [0] * REGISTER_COUNT
        self.store: dict[str, bytes] = {}
        self.demands: dict[int, int] = {}
        self.before: RegisterImage | None = None
        self.turn: Turn | None = None
        self.urgent = 0
        self.recording = self.made()

    def made(self) -> Recording:
        recording = Recording()
        recording.rate(self.ratings)
        recording.begin(self.store)
        return recording

    def write(self, **items: str) -> None:
        self.parameters = self.parameters | digits(**items)

    def run(self, seconds: int, flow: Flow = STEADY) -> None:
        """`flow` for so long from now on. A push tells what flows from then on; that at the end is the next run's."""
        for _ in range(seconds):
            if self.turn is None or self.second % self.cadence_s == 0:
                self.push(flow)
            self._flow(flow)
            self.pass_s(1)

    def _flow(self, flow: Flow) -> None:
        for element, (p, q) in enumerate(
            (
                (sum(flow.milliwatt), 1000 * sum(flow.vars)),
                *zip(flow.milliwatt, (1000 * v for v in flow.vars), strict=True),
            )
        ):
            self.elements[element * len(REGISTERS) + (p < 0)] += abs(p) * 1000
            quadrant = (0 if q >= 0 else 3) if p >= 0 else (1 if q >= 0 else 2)
            self.elements[element * len(REGISTERS) + 2 + quadrant] += abs(q) * 1000

    def pass_s(self, seconds: int) -> None:
        self.second += seconds
        self.at_ns += seconds * 10**9

    def push(self, flow: Flow, quality: Quality = Quality.VALID) -> None:
        self.sequence += self.cadence_s
        image = RegisterImage(
            self.second,
            ((0,) * len(REGISTERS),),
            tuple(self.elements),
            clock_changes=self.clock_changes,
            meter_clears=self.meter_clears,
            at_ns=self.at_ns,
        )
        totals = EnergyTotals(self.sequence, tuple(self.elements))
        momentary = flow.momentary(self.ratings.phases)
        readings = Readings(self.at_ns, float(self.second), quality, totals, momentary)
        self.turn = turn = Turn(
            readings, image, self.before, self.parameters, STANDARD_WORDS, (), {}, False, self.demands.get
        )
        is_turn = self.before is None or self.before.minute != image.minute
        if is_turn:
            self.recording.minute(turn)
            self.before = image
        self.recording.push(turn)
        self.urgent += self.recording.needs_saving_now
        if is_turn or self.recording.needs_saving or self.recording.needs_saving_now:
            self.save()

    def save(self) -> None:
        self.take(self.recording.changes())

    def take(self, changes) -> None:
        for key, octets in changes.items():
            if octets is None:
                self.store.pop(key, None)
            else:
                assert len(octets) <= 7936
                self.store[key] = octets

    def kill(self) -> None:
        """The partition dies, and goes on from what was saved."""
        self.before = None
        self.recording = self.made()

    def read(self, di: int) -> bytes | None:
        return self.recording.look(di, b"")

    def count(self, di: int) -> int:
        return number(self.read(di)[:3])

    def obey(self, prepared) -> None:
        self.take(self.recording.changes())
        self.take(prepared.changes)
        prepared.apply()


def number(octets: bytes) -> int:
    return int(octets[::-1].hex())


def time(second: int) -> bytes:
    local = datetime.fromtimestamp(EPOCH.timestamp() + second, UTC)
    return bytes.fromhex(f"{local:%y%m%d%H%M%S}")[::-1]
