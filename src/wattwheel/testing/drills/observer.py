"""The observer of the drill `kills`: reads through every door, hears the witness, and tells when all is well again."""

from __future__ import annotations

import contextlib
from typing import Any, NamedTuple

from wattwheel.drivers.linux.clock import LinuxClock
from wattwheel.drivers.linux.loop import EpollLoop
from wattwheel.model.catalogue import item_2007
from wattwheel.model.errors import NotAnswered, Refused
from wattwheel.protocols.dlt645.items import decode
from wattwheel.testing.drills.head_end import Browser, HeadEnd, open_line, open_tcp
from wattwheel.testing.drills.score import Score
from wattwheel.testing.drills.witness import EnergyWitness
from wattwheel.testing.living import LivingMeter

ENERGY_DI, EXPORT_DI, VOLTAGE_DI, ADDRESS_DI = 0x00010000, 0x00020000, 0x02010100, 0x04000401
ITEMS = (ENERGY_DI, VOLTAGE_DI, ADDRESS_DI, EXPORT_DI)
"""Asked together in one segment; their values differ in kind and length, so that a swapped answer shows."""

DOORS = ("status", "tcp", "line", "api")
VOLTAGE_V_TOLERANCE = 1.0
PACE_S = 0.015


class Sight(NamedTuple):
    """One round through the doors.

    Attributes:
        told_ns: when each door gave its good answer; a door that did not is missing.
        agreed_ns: when both cores were seen to agree, None when they were not.
        status: the newest status document, None when there was none.
    """

    told_ns: dict[str, int]
    agreed_ns: int | None
    status: dict[str, Any] | None


class Observer:
    """Reads energy and other items through TCP, pseudo-terminal, API and status, one after the other.

    Attributes:
        answers: good answers by door.
        late_s: how much longer than asked for a pause of the drill itself took, at worst: what the machine's load is.
    """

    def __init__(self, meter: LivingMeter, witness: EnergyWitness, score: Score, voltage_v: float) -> None:
        self._meter, self._witness, self._score, self._voltage_v = meter, witness, score, voltage_v
        self._clock = LinuxClock(EpollLoop())
        address = next(line.split()[1] for line in meter.output.splitlines() if line.startswith("address"))
        self._address = address
        door, path = meter.door("dlt645"), meter.serial_path()
        self._heads = {
            "tcp": HeadEnd(lambda: open_tcp(door), address, self._clock),
            "line": HeadEnd(lambda: open_line(path), address, self._clock),
        }
        self._browser = Browser(meter.door("web"))
        self._copied = 0
        self.answers = dict.fromkeys(DOORS, 0)
        self.late_s = 0.0

    def now_ns(self) -> int:
        """Monotonic time."""
        return self._clock.now_ns()

    def look(self) -> Sight:
        """One round. Failures of what was answered go to the score; what was not answered is just missing."""
        told: dict[str, int] = {}
        registers: dict[str, int] = {}
        first = self._status()
        for name, head in self._heads.items():
            units = self._read(name, head)
            if units is not None:
                told[name], registers[name] = self._clock.now_ns(), units
                self._object(self._witness.heard_register(name, told[name], units))
        if self._browse():
            told["api"] = self._clock.now_ns()
        last = self._status()
        if last is not None:
            told["status"] = self._clock.now_ns()
        agreed = first is not None and last is not None and self._agree(first, registers.get("tcp"), last)
        for name in told:
            self.answers[name] += 1
        self._meter.drain()
        paused_ns = self._clock.now_ns()
        if self._meter.process_ended_within(PACE_S):
            raise NotAnswered(f"the board itself has ended; it printed:\n{self._meter.output[-2000:]}")
        self.late_s = max(self.late_s, (self._clock.now_ns() - paused_ns) / 1e9 - PACE_S)
        return Sight(told, told["tcp"] if agreed else None, last)

    def _object(self, objections: list[str]) -> None:
        for objection in objections:
            self._score.fail("energy", objection)

    def _status(self) -> dict[str, Any] | None:
        asked_ns = self._clock.now_ns()
        try:
            document = self._meter.status()
        except (NotAnswered, Refused):
            return None
        energy, sequence = document["energy_microjoule"]["import_active"], document["push_sequence"]
        if energy is not None and sequence is not None:
            self._object(self._witness.heard_status(asked_ns, self._clock.now_ns(), energy, sequence))
        return document

    def _read(self, name: str, head: HeadEnd) -> int | None:
        """The energy register that `head` reads, None unless every item is answered."""
        try:
            octets = head.read(ITEMS)
        except NotAnswered as fault:
            if "reply" in str(fault) and "within" not in str(fault):
                self._score.fail("reply", f"{name}: {fault}")
            return None
        numbers = [None if o is None else decode(item_2007(di), o) for di, o in zip(ITEMS, octets, strict=True)]
        energy, voltage, address, export = numbers
        if voltage is not None:
            is_near = isinstance(voltage.value, float) and abs(voltage.value - self._voltage_v) < VOLTAGE_V_TOLERANCE
            self._score.check(is_near, "value", f"{name}: voltage_a {voltage.text}")
        if address is not None:
            self._score.check(address.text == self._address, "value", f"{name}: address {address.text}")
        if export is not None:
            self._score.check(export.number == 0, "value", f"{name}: export_active_energy {export.text}")
        return None if energy is None or None in numbers else energy.number

    def _browse(self) -> bool:
        """Read register and running total from the API; True when the register was answered."""
        try:
            code, row = self._browser.get(f"/api/items/{ENERGY_DI:08X}")
            told_ns = self._clock.now_ns()
            status = self._browser.get("/api/status")[1]
        except NotAnswered:
            return False
        if code == 200:
            self._object(self._witness.heard_register("api", told_ns, round(row["value"] * 100)))
        copied = status.get("energy_microjoule", {}).get("import_active")
        if copied is not None:
            self._object(self._witness.heard_copy(self._clock.now_ns(), copied, self._copied))
            self._copied = copied
        return bool(code == 200)

    def _agree(self, first: dict[str, Any], units: int | None, last: dict[str, Any]) -> bool:
        """Whether the APP's register fits the metering core's running totals around it."""
        sequences = first["push_sequence"], last["push_sequence"]
        if units is None or None in sequences or {first["link"], last["link"]} != {"up"}:
            return False
        return self._witness.agrees(sequences[0], units, sequences[1])

    def close(self) -> None:
        """Close every channel."""
        for head in self._heads.values():
            head.close()
        self._browser.close()

    def __enter__(self) -> Observer:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self.close()
