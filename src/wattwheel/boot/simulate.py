"""`wattwheel simulate`: days and years of a meter's life in seconds, on a load, with whatever a script lets happen."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from wattwheel.apex.messages import Control, Message
from wattwheel.apex.meter_clock import CALENDAR_EPOCH
from wattwheel.boot.body import GC_THRESHOLDS
from wattwheel.boot.deeds import fee_refusal
from wattwheel.boot.metering_core import PHASES
from wattwheel.boot.minute_core import MILLISECOND_NS, MinuteCore, MinuteLoad
from wattwheel.boot.minute_pulses import MinutePulses
from wattwheel.boot.settings import Override, Settings
from wattwheel.boot.settings import load as load_settings
from wattwheel.boot.sim_meter import SimStore
from wattwheel.boot.simulated_state import CoreMemory, StateFolder
from wattwheel.boot.simulation_script import (
    CALENDAR_BEGIN,
    CALENDAR_END,
    CALENDAR_WORDS,
    CLOCK_WORDS,
    TIME_WORDS,
    Step,
    is_expected,
    read_script,
    whole_second,
)
from wattwheel.boot.time_machine import SECOND_NS, TimeMachine
from wattwheel.drivers.linux.clock import LinuxClock
from wattwheel.drivers.linux.loop import EpollLoop
from wattwheel.drivers.sim.clock import START_NS
from wattwheel.drivers.sim.load_file import LoadRow, load_rows
from wattwheel.drivers.sim.plug import SimPlug
from wattwheel.drivers.sim.storage import SimDisk
from wattwheel.hil.clock import Clock
from wattwheel.metrology.core_calendar import packed_calendar
from wattwheel.model.contacts import PLUG_CONTACTS, TIME_FORMAT, WATCHED_WITHOUT_MAINS
from wattwheel.model.errors import BadInput
from wattwheel.model.private_items import CLOCK_DI
from wattwheel.model.records import REGISTERS
from wattwheel.sdk.buttons import HELD_S

BEFORE_NS = AFTER_NS = 60 * SECOND_NS
"""In seconds is played what lies so close before and after a step."""

DAY_NS = 86_400 * SECOND_NS
PROGRESS_DAYS = 10
MINUTES_A_DAY = 1440
DONE_S_MAX = 5.0
SEEN_WORDS_MAX, LOOK_S = 32, 2.0
"""States and times of a contact that are told at once, and what the meter then takes to look at them."""

HOUSE_METER: dict[str, str | float] = {
    "wiring": "1p2w",
    "nominal_voltage_v": 230.0,
    "nominal_current_a": 5.0,
    "maximum_current_a": 60.0,
    "nominal_frequency_hz": 50,
    "current_ratio": 1,
}
"""Settings of `[meter]` where there is no settings file: a single phase of 230 V, 5 (60) A."""

Say = Callable[[str], None]


def simulate(
    settings_file: str | None,
    begin: str,
    days: int,
    load: str,
    repeats: bool,
    script: str | None,
    state: str | None,
    say: Say,
) -> dict[str, Any]:
    """Play `days` from `begin` on and return the document; without a settings file it is `HOUSE_METER`.

    Raises BadInput and its heirs, DoorUnavailable, StorageError, before anything is played.
    """
    time = whole_second(begin)
    if time is None:
        raise BadInput(f"--from {begin}: allowed: {TIME_WORDS}")
    own = [Override("web", "enabled", False, "simulate")]
    if settings_file is None:
        own += [Override("meter", name, value, "simulate") for name, value in HOUSE_METER.items()]
    settings = load_settings(settings_file, own)
    steps = read_script(script) if script is not None else []
    rows = load_rows(load, days * MINUTES_A_DAY)
    if len(rows) < days * MINUTES_A_DAY and not repeats:
        say(f"the load ends after {len(rows)} minutes; nothing flows from then on (--repeat plays it again and again)")
    return Simulation(settings, rows, repeats, time, days, steps, None if state is None else Path(state), say).run()


def is_done(reply: Message | None) -> bool:
    """Whether what was asked for was answered, and not with an error."""
    return reply is not None and not reply.error


class Simulation:
    """One simulation: `run` plays it and returns the document."""

    def __init__(
        self,
        settings: Settings,
        rows: Sequence[LoadRow],
        repeats: bool,
        begin: datetime,
        days: int,
        steps: Sequence[Step] = (),
        folder: Path | None = None,
        say: Say = print,
        host: Clock | None = None,
    ) -> None:
        """`begin`: the meter's standard time, no zone. Raises BadInput, DoorUnavailable, StorageError."""
        end = begin + timedelta(days=days)
        for step in steps:
            if not begin <= step.at < end:
                why = f"from {begin.isoformat()} and before {end.isoformat()}"
                raise BadInput(f"step {step.line}: at {step.at.isoformat()} is outside; allowed: {why}")
        self._steps, self._begin, self._days, self._say = steps, begin, days, say
        self._host = host or LinuxClock(EpollLoop())
        if begin < CALENDAR_BEGIN:
            raise BadInput(f"a begin at {begin.isoformat()}: allowed: {CALENDAR_WORDS}")
        if end > CALENDAR_END:
            raise BadInput(f"an end at {end.isoformat()}: a meter's calendar ends at {CALENDAR_END.isoformat()}")
        self._again_ns = 0  # until then the time after a step is played in seconds
        self._done: list[dict[str, Any]] = []
        self._folder = StateFolder(folder) if folder is not None else None
        meter = settings.meter
        self._elements = PHASES[meter.wiring]
        memory = self._memory = self._folder.core(self._elements) if self._folder is not None else CoreMemory()
        load = MinuteLoad(rows, START_NS // MILLISECOND_NS, repeats, 1 if self._elements == 1 else 3)
        registers = memory.registers()
        core = MinuteCore(load, registers.snapshot())
        core.starts, core.sequence, core.faults = memory.saved.starts, memory.saved.sequence, memory.saved.faults
        constants = meter.active_constant_imp_per_kwh, meter.reactive_constant_imp_per_kvarh
        self._plug = memory.plug_watch(SimPlug() if self._folder is None else self._folder.plug())
        core.pulses = self._pulses = MinutePulses(constants, memory.saved.pulses, registers.fine())
        core.switch(START_NS // MILLISECOND_NS, memory.relay_open)
        utc = begin.replace(tzinfo=UTC) - timedelta(minutes=settings.clock.utc_offset_minutes)
        core.plug = self._plug_records(utc)
        self.machine = TimeMachine(settings, core, self._folder or SimStore(SimDisk()), utc)
        self._is_on = True
        self._seen: dict[str, list[str]] = {}  # without supply: contacts' states and their times, to be told later

    def run(self) -> dict[str, Any]:
        """Play it to its end. Raises NotAnswered when the meter itself fails."""
        began_ns = self._host.now_ns()
        gc.set_threshold(*GC_THRESHOLDS)
        machine = self.machine
        machine.await_ready()
        for step in self._steps:
            at = self._instant(step.at)
            self._play(at - BEFORE_NS)
            self._pass(at)
            self._do(step)
            self._pass(at + 1)
            self._again_ns = machine.clock.now_ns() + AFTER_NS
        end = START_NS + self._days * DAY_NS
        self._play(end)
        self._pass(end)
        local = machine.local if self._is_on else None
        ahead = self._keep()
        if ahead:
            days = ahead / timedelta(days=1)
            self._say(
                f"the meter's clock is {days:.1f} days ahead of this machine's; a meter that runs goes on from it"
            )
        return self._document((self._host.now_ns() - began_ns) / 1e9, local, ahead)

    def _instant(self, local: datetime) -> int:
        return START_NS + int((local - self._begin).total_seconds()) * SECOND_NS

    def _play(self, instant_ns: int) -> None:
        """Let time pass until `instant_ns`, quickly where nothing happens."""
        machine = self.machine
        self._pass(min(instant_ns, self._again_ns))
        while self._is_on and (now := machine.clock.now_ns()) < instant_ns:
            stretch = START_NS + ((now - START_NS) // (PROGRESS_DAYS * DAY_NS) + 1) * PROGRESS_DAYS * DAY_NS
            machine.play_to(min(stretch, instant_ns))
            if stretch <= instant_ns:
                self._say(f"{machine.local:%Y-%m-%d}  {self._figures()}")
        self._pass(instant_ns)

    def _figures(self) -> str:
        imported = self.machine.core.registers(self.machine.now_ms)[0]
        return f"{imported / 3.6e12:.2f} kWh"

    def _pass(self, instant_ns: int) -> None:
        """Let time pass until `instant_ns`, in seconds; nothing happens while the supply is off."""
        machine = self.machine
        if not self._is_on:
            machine.clock.skip_to(instant_ns)
        elif (left := instant_ns - machine.clock.now_ns()) > 0:
            machine.advance(left / 1e9)

    # -- steps

    def _do(self, step: Step) -> None:
        row: dict[str, Any] = {"step": step.line, "at": step.at.isoformat(), "action": step.action}
        found: dict[str, Any] = getattr(self, f"_{step.action}")(step)
        self._done.append(row | found)
        if not found["ok"]:
            self._say(f"step {step.line} at {step.at.isoformat()}: {step.action} did not go as expected: {found}")

    def _send(self, step: Step) -> dict[str, Any]:
        reply = self.machine.exchange(step.value) if self._is_on else b""
        expect = None if step.expect is None else "".join(step.expect)
        is_ok = is_expected(reply, step.expect)
        return {"ok": is_ok, "sent": step.value.hex().upper(), "expected": expect, "got": reply.hex().upper()}

    def _press(self, step: Step) -> dict[str, Any]:
        taken: list[bool] = []
        if self._is_on:
            self.machine.press(step.value, HELD_S[step.is_long], lambda reply: taken.append(is_done(reply)))
            self.machine.advance_until(lambda: bool(taken), DONE_S_MAX)
        return {"ok": taken == [True], "button": step.value}

    def _clock(self, step: Step) -> dict[str, Any]:
        done: list[bool] = []
        if self._is_on:
            self.machine.set_clock(step.value, done.append)
            self.machine.advance_until(lambda: bool(done), DONE_S_MAX)
        return {"ok": done == [True], "set": step.value.isoformat()}

    def _sensor(self, step: Step) -> dict[str, Any]:
        taken: list[bool] = []
        if self._is_on:
            self.machine.ask(Control.SENSOR, 0, step.value.encode(), lambda reply: taken.append(is_done(reply)))
            self.machine.advance_until(lambda: bool(taken), DONE_S_MAX)
        return {"ok": taken == [True], "sensor": step.value}

    def _contact(self, step: Step) -> dict[str, Any]:
        name, _, state = step.value.partition(" ")
        row = {"contact": step.value}
        if step.value in CLOCK_WORDS:
            is_stopped = bytes((step.value == CLOCK_WORDS[0],))
            return {"ok": self._is_on and self._tell(is_stopped, CLOCK_DI)} | row
        if name in PLUG_CONTACTS:
            return {"ok": self._move_plug(state)} | row
        if self._is_on:
            return {"ok": self._tell(step.value.encode())} | row
        if name in WATCHED_WITHOUT_MAINS:
            self._seen.setdefault(name, []).extend((state, f"{self.machine.local:{TIME_FORMAT}}"))
        else:
            self._seen[name] = [state]
        return {"ok": True} | row

    def _move_plug(self, state: str) -> bool:
        """Let the module's plug be in `state`: the board sees it without supply too, and the core records it."""
        machine = self.machine
        offset = timedelta(minutes=machine.settings.clock.utc_offset_minutes)
        is_moved = self._plug.plug is not None and self._plug.plug.move(state)
        machine.core.plug = self._plug_records(machine.local - offset)
        if self._is_on:
            machine.advance(LOOK_S)
        return is_moved

    def _plug_records(self, utc: datetime) -> bytes:
        """The octets of the core's plug records, which has seen by `utc` what the board has noted."""
        second_ms = (utc - CALENDAR_EPOCH) // timedelta(milliseconds=1)
        self._plug.look(lambda at_ms: max(0, second_ms), max(1, self._host.now_ns()))
        return self._plug.records.to_octets() if self._plug.to_state() else b""

    def _tell(self, data: bytes, di: int = 0) -> bool:
        """Let the meter know what a contact says; whether it took it."""
        taken: list[bool] = []
        self.machine.ask(Control.CONTACT, di, data, lambda reply: taken.append(is_done(reply)))
        self.machine.advance_until(lambda: bool(taken), DONE_S_MAX)
        return taken == [True]

    def _tell_seen(self) -> bool:
        """Let the meter know what its battery has let somebody see of the contacts."""
        seen, self._seen = self._seen, {}
        is_told = True
        for name, states in seen.items():
            for at in range(0, len(states), SEEN_WORDS_MAX):
                words = " ".join((name, *states[at : at + SEEN_WORDS_MAX]))
                is_told = self._tell(words.encode()) and is_told
                self.machine.advance(LOOK_S)
        return is_told

    def _fee(self, step: Step) -> dict[str, Any]:
        replies: list[Message | None] = []
        if self._is_on:
            self.machine.ask(Control.FEE, 0, step.value.encode(), replies.append)
            self.machine.advance_until(lambda: bool(replies), DONE_S_MAX)
        reply = replies[0] if replies else None
        has_paid = is_done(reply)
        return {"ok": has_paid, "fee": step.value} | ({} if has_paid else fee_refusal(step.value, reply))

    def _supply(self, step: Step) -> dict[str, Any]:
        wants_on = step.value == "on"
        if wants_on and not self._is_on:
            self.machine.power_up()
            self.machine.await_ready()
        elif not wants_on and self._is_on:
            self.machine.switch_off()
        self._is_on = wants_on
        return {"ok": not wants_on or self._tell_seen(), "supply": step.value}

    # -- the end

    def _keep(self) -> timedelta:
        """Bring everything into the state folder; how far the meter is ahead of this machine's clock."""
        machine = self.machine
        calendar = machine.clock.calendar()
        if self._is_on:
            calendar = machine.local - timedelta(minutes=machine.settings.clock.utc_offset_minutes)
            machine.switch_off()
        if self._folder is None:
            return timedelta(0)
        core, registers = machine.core, self._memory.registers()
        microjoule = core.registers(machine.now_ms)
        registers.go_on(microjoule)
        saved = self._memory.saved._replace(
            starts=core.starts,
            sequence=core.sequence,
            ledger=registers.to_state(),
            pulses=self._pulses.to_state(microjoule),
            phases=self._elements,
            plug=self._plug.to_state(),
            calendar=self._calendar_state(calendar),
        )
        self._folder.keep_core(CoreMemory(saved, core.is_open))
        self._plug.kept()
        ahead = self._folder.keep_clock(calendar, self._host.calendar())
        self._folder.close()
        return ahead

    def _calendar_state(self, calendar: datetime) -> bytes:
        """What the core has to know of the time: the meter's, which is never behind this machine's, and the board's."""
        host = self._host.calendar()
        shown, board = ((time - CALENDAR_EPOCH) // timedelta(milliseconds=1) for time in (max(calendar, host), host))
        return packed_calendar(max(0, shown), board if board >= 0 else None)

    def _document(self, wall_s: float, local: datetime | None, ahead: timedelta) -> dict[str, Any]:
        machine = self.machine
        registers = machine.core.registers(machine.now_ms)[: len(REGISTERS)]
        flowed = machine.core.booked(machine.now_ms)
        return {
            "ok": all(step["ok"] for step in self._done) and not machine.crashes,
            "from": self._begin.isoformat(),
            "to": (self._begin + timedelta(days=self._days)).isoformat(),
            "clock": None if local is None else local.replace(tzinfo=None).isoformat(timespec="seconds"),
            "clock_ahead_s": round(ahead.total_seconds()),
            "days": self._days,
            "pushes": machine.pushes,
            "seconds": round(wall_s, 3),
            "energy_microjoule": dict(zip(REGISTERS, registers, strict=True)),
            "flowed_microjoule": dict(zip(REGISTERS, flowed, strict=True)),
            "steps": self._done,
            "crashes": [f"{crash.partition}: {crash.fault!r}" for crash in machine.crashes],
        }
