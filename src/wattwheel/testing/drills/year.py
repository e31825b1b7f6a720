"""The drill `year`: a leap year of a meter's life, cuts of the supply and steps of the clock, and the books balance.

In virtual time a meter lives through 2028, its end of February and all its months, two switch-overs of the day tables,
steps of its clock forth and back, and cuts of the supply at random instants and in the middle of writes. In the end the
registers are those of a reference that knows the load, the cuts and the tables, and none of the meter's code: the total
is the sum of the tariffs, and what flowed, less what the metering core forgets by a cut; each tariff has its own.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec

from wattwheel.boot.minute_core import MinuteCore, MinuteLoad
from wattwheel.boot.settings import Settings
from wattwheel.boot.sim_meter import SimStore
from wattwheel.boot.time_machine import SECOND_NS, TimeMachine
from wattwheel.drivers.sim.clock import START_NS
from wattwheel.drivers.sim.load_file import LoadRow
from wattwheel.drivers.sim.storage import PowerCut, SimDisk, Torn
from wattwheel.model.records import REGISTERS
from wattwheel.testing.drills.score import Score
from wattwheel.testing.drills.year_reference import Slot, YearReference
from wattwheel.testing.readable import readable, requested, written
from wattwheel.testing.world import simulated_settings

PASSWORD = "440044"
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
START_MS = START_NS // 1_000_000
LOAD_MINUTES = 10_000
POWER_MILLIWATT_MAX = 9_000_000
EXPORT_SHARE = 0.2
WATCH_S = 200
"""So long before a cut everything runs in seconds, with all timers and saves."""
CALM_S = 400
OFF_S_MAX = 7200
TORN_SHARE, WRITES_AHEAD_MAX = 0.6, 18
"""Share of the cuts that are meant for a write to the disk, and how many others may come before that."""
CLOCK_STEP_S_MAX = 3 * 3600
CLOCK_STEPS_A_MONTH = 2
TABLES = (
    (Slot(0, 1), Slot(6 * 60 + 17, 2), Slot(12 * 60, 3), Slot(20 * 60 + 15, 4)),
    (Slot(1 * 60 + 1, 4), Slot(7 * 60 + 30, 1), Slot(18 * 60, 2), Slot(22 * 60 + 59, 3)),
)
REGISTER_OF = {1: 0, -1: 1}
READ_EVERY_DAYS = 61
READ, DONE = 0x11, 0x80
DAILY_FREEZE, DAYS_FROZEN_MAX = (0x05060000, 0x05060100), 62
"""Identifiers of the time and of the imported energy of a daily freeze, to which the number of days back is added."""


class Course(NamedTuple):
    """What is lived through. `switches`: when the other set of day tables is taken."""

    begin: datetime
    days: int
    switches: tuple[datetime, datetime]
    cuts: int
    clock_steps: int


def leap_year(cuts: int) -> Course:
    """2028."""
    switches = (datetime(2028, 2, 29, 13, 0, tzinfo=UTC), datetime(2028, 9, 30, 0, 30, tzinfo=UTC))
    return Course(datetime(2028, 1, 1, tzinfo=UTC), 366, switches, cuts, 12 * CLOCK_STEPS_A_MONTH)


def drill(times: int, seed: int) -> Score:
    """Live through the leap year with `times` cuts of the supply."""
    return lived(leap_year(times), seed)


def lived(course: Course, seed: int) -> Score:
    """Live through `course`."""
    score = Score()
    _Year(course, random.Random(seed), score).run()
    return score


class _Year:
    def __init__(self, course: Course, chance: random.Random, score: Score) -> None:
        self._course, self._chance, self._score = course, chance, score
        rows = [self._row() for _ in range(LOAD_MINUTES)]
        core = MinuteCore(MinuteLoad(rows, START_MS, repeats=True))
        self._disk = SimDisk(chance.randrange(1 << 32))
        seed = chance.randrange(1 << 32)
        self._machine = TimeMachine(_settings(), core, SimStore(self._disk), course.begin, seed)
        switches = [(switch - EPOCH) // timedelta(minutes=1) for switch in course.switches]
        self._reference = YearReference([row.active_milliwatt for row in rows], START_MS, TABLES, switches)
        self._reference.switched_on(START_MS)
        self._torn_writes = 0
        self._seen: dict[int, tuple[int, ...]] = {}

    def _row(self) -> LoadRow:
        power = self._chance.randrange(POWER_MILLIWATT_MAX)
        power = -power if self._chance.random() < EXPORT_SHARE else power
        return LoadRow(power, power // 7, 220_000, abs(power) * 1000 // 220)

    def run(self) -> None:
        """Live, then compare."""
        self._machine.await_ready()
        self._set_up()
        for at_s, act in self._plan():
            self._play(START_NS + at_s * SECOND_NS)
            act()
            self._check_whole(f"{act.__name__.strip('_')} at {at_s} s")
        self._play(START_NS + self._course.days * 86_400 * SECOND_NS)
        self._machine.advance(0.5)
        self._compare()

    def _plan(self) -> list[tuple[int, Callable[[], None]]]:
        """Seconds since the beginning and what happens, far enough from each other to be told apart."""
        chance, end_s = self._chance, self._course.days * 86_400
        second_switch = int((self._course.switches[0] - self._course.begin).total_seconds()) + 86_400
        wanted = [self._cut] * self._course.cuts + [self._step_clock] * self._course.clock_steps
        drawn = [(chance.randrange(CALM_S, end_s - CALM_S), act) for act in wanted]
        plan: list[tuple[int, Callable[[], None]]] = [*drawn, (second_switch, self._plan_second_switch)]
        plan += [(day * 86_400 + 43_200, self._read) for day in range(1, self._course.days, READ_EVERY_DAYS)]
        spread: list[tuple[int, Callable[[], None]]] = []
        for at_s, act in sorted(plan, key=lambda each: each[0]):
            earliest = spread[-1][0] + OFF_S_MAX + CALM_S if spread else CALM_S
            spread.append((max(at_s, earliest), act))
        return [each for each in spread if each[0] < end_s - CALM_S - OFF_S_MAX]

    def _play(self, instant_ns: int) -> None:
        if instant_ns > self._machine.clock.now_ns():
            self._machine.play_to(instant_ns)

    # -- what happens

    def _set_up(self) -> None:
        first = f"{self._course.switches[0]:%y%m%d%H%M}"
        parameters = {
            0x04000203: "04",
            0x04000204: "04",
            0x04010001: _digits(TABLES[0]),
            0x04020001: _digits(TABLES[1]),
            0x04000107: first,
        }
        for di, digits in parameters.items():
            self._write(di, digits)
        self._clock_is()

    def _write(self, di: int, digits: str) -> None:
        self._score.check(written(self._machine, di, digits, PASSWORD), "write", f"{di:08X} was refused")

    def _plan_second_switch(self) -> None:
        self._write(0x04000107, f"{self._course.switches[1]:%y%m%d%H%M}")

    def _clock_is(self) -> None:
        machine = self._machine
        calendar_us = (machine.local - EPOCH) // timedelta(microseconds=1)
        self._reference.clock_was(machine.now_ms, machine.clock.now_ns() // 1000 - calendar_us)

    def _step_clock(self) -> None:
        """Set the clock forth or back; not where that would settle or switch over."""
        machine = self._machine
        step = self._chance.choice((-1, 1)) * self._chance.randrange(1, CLOCK_STEP_S_MAX)
        local = (machine.local + timedelta(seconds=step)).replace(microsecond=0)
        done: list[bool] = []
        machine.set_clock(local, done.append)
        machine.advance_until(lambda: bool(done), 5.0)
        self._score.check(done == [True], "clock", f"{local} was refused")
        self._clock_is()
        machine.advance(CALM_S)

    def _cut(self) -> None:
        """Cut the supply at a random instant, or in the middle of one of the next writes to the disk."""
        machine, disk = self._machine, self._disk
        patience_s = self._chance.uniform(1, WATCH_S)
        if self._chance.random() < TORN_SHARE:
            patience_s = WATCH_S
            disk.torn = self._chance.choice(list(Torn))
            disk.cut_at_write = disk.writes + 1 + self._chance.randrange(WRITES_AHEAD_MAX)
        try:
            machine.advance(patience_s)
        except PowerCut:
            self._torn_writes += 1
        self._reference.cut(machine.now_ms)
        machine.lose_power()
        disk.power_up()
        machine.clock.skip_to(machine.clock.now_ns() + self._chance.randrange(1, OFF_S_MAX) * SECOND_NS)
        machine.power_up()
        self._reference.switched_on(machine.now_ms)
        machine.await_ready()
        machine.advance(WATCH_S)

    def _read(self) -> None:
        """A head-end reads everything: nothing is malformed, and no register has fallen."""
        found = readable(self._machine)
        self._score.check(len(found) > 100, "items", f"{len(found)} could be read")

    # -- the books

    def _check_whole(self, when: str) -> None:
        """The total is the sum of the tariffs and never falls."""
        image = self._machine.image
        totals, own = tuple(map(sum, zip(*image.shares, strict=True))), image.elements[: len(REGISTERS)]
        self._score.check(totals == own, "sum of the tariffs", f"{when}: {totals}, total {own}")
        before = self._seen.get(0, totals)
        falls = any(now < then for now, then in zip(totals, before, strict=True))
        self._score.check(not falls, "registers fell", f"{when}: {before} to {totals}")
        self._seen[0] = totals
        self._score.check(not self._machine.crashes, "crashes", f"{when}: {self._machine.crashes[:2]}")

    def _compare(self) -> None:
        machine, reference, score = self._machine, self._reference, self._score
        self._check_whole("at the end")
        image = machine.image
        reference.ended(image.at_ns // 1_000_000)
        for sign, name in ((1, "import"), (-1, "export")):
            at = REGISTER_OF[sign]
            total = sum(share[at] for share in image.shares)
            expected = reference.total(sign)
            score.check(total == expected, f"total {name}", f"{total} microjoule; the reference says {expected}")
            doubt, shares = reference.doubt(sign), reference.shares(sign)
            for tariff, share in enumerate(image.shares, 1):
                off = share[at] - shares.get(tariff, 0)
                what = f"{share[at]} microjoule, {off} off; cuts at changes of tariff explain {doubt}"
                score.check(abs(off) <= doubt, f"{name} of tariff {tariff}", what)
            score.add(what=name, microjoule=total, lost_by_cuts=reference.lost(sign), at_changes_of_tariff=doubt)
        for check in CHECKS:
            check(machine, score)
        score.add(
            what="lived",
            days=self._course.days,
            cuts=machine.kernel_starts - 1,
            cuts_in_writes=self._torn_writes,
            settlements=len(machine.settled),
            pushes=machine.pushes,
            clock=f"{machine.local:%Y-%m-%d %H:%M}",
        )


def daily_freezes(machine: TimeMachine, score: Score) -> None:
    """Each day is frozen once, and no frozen register stands above a later one; told where the meter freezes none."""
    found: list[tuple[str, int]] = []
    for back in range(1, DAYS_FROZEN_MAX + 1):
        time, energy = (requested(machine, READ, (di | back).to_bytes(4, "little")) for di in DAILY_FREEZE)
        if time is None or energy is None or READ | DONE not in (time.control, energy.control):
            break
        found.append((time.data[:3:-1].hex(), int(energy.data[7:3:-1].hex())))
    times, energies = [time for time, _ in found], [energy for _, energy in found]
    score.check(len(set(times)) == len(times), "daily freezes", f"a day was frozen twice: {sorted(times)}")
    score.check(energies == sorted(energies, reverse=True), "daily freezes", f"frozen energy fell: {energies}")
    score.add(what="daily freezes", found=len(found) or "the meter has no such function")


Check = Callable[[TimeMachine, Score], None]
CHECKS: tuple[Check, ...] = (daily_freezes,)
"""What else has to hold in the end; one more function's books are one more row."""


def _settings() -> Settings:
    settings = simulated_settings()
    own = msgspec.structs.replace(settings.dlt645, password_level_4=PASSWORD)
    return msgspec.structs.replace(settings, dlt645=own)


def _digits(table: tuple[Slot, ...]) -> str:
    """Slots as they are written, the last one first."""
    slots = [f"{slot.minute // 60:02d}{slot.minute % 60:02d}{slot.tariff:02d}" for slot in table]
    return "".join(reversed(slots))
