"""A meter for the page's tests: a 347/600 V building behind 50:1 current transformers, moving when told to."""

from __future__ import annotations

import asyncio
import cmath
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from wattwheel.apps.web.face import WAVEFORM_POINTS, PhaseTrace, Waveform
from wattwheel.apps.web.load import LoadPoint
from wattwheel.model import catalogue
from wattwheel.model.display import Lcd
from wattwheel.model.errors import NotAnswered, Refused, UnknownItem
from wattwheel.model.records import Quality, ValueRow

START = datetime(2026, 11, 20, 12, tzinfo=UTC)
CURRENT_RATIO = 50
VOLTS = {"a": 348.9, "b": 352.2, "c": 346.0}
AMPERES = {"a": 2.522, "b": 3.037, "c": 3.334}
LAG_DEGREES = {"a": 22.0, "b": 18.9, "c": 21.2}
TURN_DEGREES = {"a": 0.0, "b": -120.4, "c": 119.7}
ENERGY_KWH = {"import_active_energy": 1234.56, "export_active_energy": 0.0, "combined_active_energy": 1234.56}
SCREENS = ("import_active_energy", "voltage_a", "current_a", "active_power", "frequency", "clock")


class FakeFace:
    """`MeterFace` without a meter. `tick()` is the next second; the flags make it misbehave."""

    def __init__(self, phases: str = "abc", transformer: bool = True) -> None:
        self.phases, self.transformer = phases, transformer
        self.seconds = 0
        self.silent = False
        self.broken = False
        self.quality = Quality.VALID
        self.pressed: list[tuple[str, float]] = []
        self.asked = 0
        self.screen = 0
        self.shown: Lcd | None = None
        self._told = 0
        self._second = asyncio.Event()

    def tick(self) -> None:
        """One second later."""
        self.seconds += 1
        self._second.set()

    # MeterFace

    async def rows(self, prefix: str) -> list[ValueRow]:
        self._answer()
        return [row for row in self._all() if row.di.startswith(prefix)]

    async def row(self, item: str) -> ValueRow:
        self._answer()
        if item == "04000401":
            raise Refused(0x02, "no requested data")
        if item == "04000101":
            raise Refused(0x04, "password wrong or not authorised")
        di = f"{catalogue.find(item).di:08X}"
        for row in self._all():
            if row.di == di:
                return row
        raise UnknownItem(item)

    async def live(self) -> list[ValueRow]:
        while self.seconds == self._told:
            self._second.clear()
            await self._second.wait()
        self._told = self.seconds
        if self.broken:
            raise RuntimeError("a bug in the face")
        return await self.rows("")

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = {
            "ready": True,
            "version": "0.1.0",
            "address": "202611200001",
            "dlt645": "127.0.0.1:6450",
            "serial": None,
            "web": "http://127.0.0.1:8645",
            "isolation": "L2",
            "link": "stale" if self.quality is Quality.STALE else "up",
            "clock": self._at(),
            "counters": {},
        }
        return {**status, "transformer": {"current_ratio": 50, "voltage_ratio": 1}} if self.transformer else status

    async def waveform(self) -> Waveform | None:
        self._answer()
        return Waveform(frequency_hz=60.0, phases={phase: self._trace(phase) for phase in self.phases}, at=self._at())

    def load(self) -> list[LoadPoint]:
        return [LoadPoint(float(age), 40.0 + age) for age in range(59, 0, -1)]

    def display(self) -> Lcd | None:
        if self.shown is not None:
            return self.shown
        name = SCREENS[(self.screen + self.seconds // 5) % len(SCREENS)]
        symbols = (*(f"u{p}" for p in self.phases), *(f"i{p}" for p in self.phases), "quadrant_1", "tariff")
        if name == "clock":
            digits = (START + timedelta(seconds=self.seconds)).strftime("%H:%M:%S")
            return Lcd(digits=digits, di="04000102", index="00", symbols=symbols, tariff="1", title=f"time: {digits}")
        item = catalogue.item_named(name)
        row = next(row for row in self._all() if row.name == name)
        decimals = len(item.picture.partition(".")[2])
        digits = "--------" if row.value is None else f"{row.value:.{decimals}f}"
        title = f"{item.title}: {digits} {row.unit}"
        return Lcd(
            digits=digits, di=row.di, index="00", unit=row.unit, symbols=symbols, tariff="1", lit=True, title=title
        )

    def partitions(self) -> list[dict[str, Any]]:
        names = ("bus", "store", "metering", "platform", "communication", "energy", "display", "web")
        return [
            {
                "partition": name, "identifier": number, "pid": 100 + number, "mode": "NORMAL", "user": "meter",
                "is_system": number < 6, "restarts": 0, "processor_s": 0.1 * number + 0.01 * self.seconds,
                "memory_kib": 3000 + 500 * number, "windows": None, "last_report": "normal",
            }
            for number, name in enumerate(names, 1)
        ]  # fmt: skip

    def channels(self) -> list[dict[str, Any]]:
        queues = [
            {
                "channel": f"{name}>bus", "kind": "queuing", "source": f"{name}.to_bus",
                "destinations": [f"bus.from_{name}"], "max_message_size": 4096, "depth": 32, "waiting": 0,
                "waiting_highest": 3, "stalls": 0, "messages": 1000 * self.seconds, "messages_per_s": 12.5,
            }
            for name in ("communication", "energy")
        ]  # fmt: skip
        cell = {
            **queues[0], "channel": "readings", "kind": "sampling", "depth": None, "waiting": None,
            "waiting_highest": None, "stalls": None,
        }  # fmt: skip
        return [*queues, cell]

    async def press(self, button: str, held_s: float = 0.0) -> None:
        self._answer()
        self.pressed.append((button, held_s))
        self.screen += -1 if button == "up" else 1

    # The building

    def _answer(self) -> None:
        self.asked += 1
        if self.silent:
            raise NotAnswered("no word from the energy APP")

    def _at(self) -> str:
        return (START + timedelta(seconds=self.seconds)).isoformat().replace("+00:00", "Z")

    def _load(self, phase: str) -> float:
        turn = {"a": 0.0, "b": 2.1, "c": 4.2}[phase]
        lift = 0.35 if (self.seconds + 40 * (phase == "b")) % 60 > 38 else 0.0
        return 1 + 0.1 * math.sin(self.seconds / 9 + turn) + 0.03 * math.sin(self.seconds * 1.7 + turn) + lift

    def _numbers(self) -> dict[str, float]:
        numbers: dict[str, float] = {}
        p_total = q_total = s_total = 0.0
        for phase in self.phases:
            volts = VOLTS[phase] + 0.6 * math.sin(self.seconds / 3 + ord(phase))
            amperes, lag = AMPERES[phase] * self._load(phase), math.radians(LAG_DEGREES[phase])
            s = volts * amperes / 1000
            p, q = s * math.cos(lag), s * math.sin(lag)
            p_total, q_total, s_total = p_total + p, q_total + q, s_total + s
            numbers |= {f"voltage_{phase}": volts, f"current_{phase}": amperes, f"active_power_{phase}": p}
            numbers |= {f"reactive_power_{phase}": q, f"apparent_power_{phase}": s, f"power_factor_{phase}": p / s}
            numbers |= {f"phase_angle_{phase}": math.degrees(lag)}
        numbers |= {"active_power": p_total, "reactive_power": q_total, "apparent_power": s_total}
        numbers |= {"power_factor": p_total / s_total, "frequency": 60 + 0.02 * math.sin(self.seconds / 7)}
        numbers |= {"neutral_current": 0.81} if len(self.phases) == 3 else {}
        numbers |= {name: value + self.seconds * 0.01 * (value > 0) for name, value in ENERGY_KWH.items()}
        return numbers

    def _all(self) -> list[ValueRow]:
        rows = []
        for name, number in self._numbers().items():
            item = catalogue.item_named(name)
            value = round(number, len(item.picture.partition(".")[2]))
            scaled = name.startswith(("current", "active", "reactive", "apparent", "neutral")) or "energy" in name
            primary: float | msgspec.UnsetType = msgspec.UNSET
            if self.transformer and (scaled or name.startswith("voltage")):
                primary = round(value * CURRENT_RATIO, 4) if scaled else value
            rows.append(
                ValueRow(
                    di=f"{item.di:08X}",
                    name=name,
                    value=None if self.quality is Quality.INVALID else value,
                    unit=item.unit,
                    quality=self.quality,
                    at=self._at(),
                    value_primary=msgspec.UNSET if self.quality is Quality.INVALID else primary,
                )
            )
        return sorted(rows, key=lambda row: row.di)

    def _trace(self, phase: str) -> PhaseTrace:
        volts, amperes = VOLTS[phase], AMPERES[phase] * self._load(phase)
        turn, lag = math.radians(TURN_DEGREES[phase]), math.radians(LAG_DEGREES[phase])
        voltage_v, current_a = [], []
        for n in range(WAVEFORM_POINTS):
            angle = 2 * math.pi * n / WAVEFORM_POINTS + turn
            voltage_v.append(volts * 2**0.5 * (math.sin(angle) + 0.022 * math.sin(5 * angle)))
            fifth = 0.14 * math.sin(5 * (angle - lag) + 2.4) + 0.06 * math.sin(7 * (angle - lag))
            current_a.append(amperes * 2**0.5 * (math.sin(angle - lag) + fifth))
        current_angle = math.degrees(cmath.phase(cmath.rect(1, turn - lag)))
        return PhaseTrace(
            voltage_v=tuple(round(v, 2) for v in voltage_v),
            current_a=tuple(round(i, 4) for i in current_a),
            voltage_v_rms=volts,
            current_a_rms=amperes,
            voltage_angle_deg=TURN_DEGREES[phase],
            current_angle_deg=round(current_angle, 2),
        )
