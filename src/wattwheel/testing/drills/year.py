"""The drill `year`: a leap year of a meter's life, cuts of the supply and steps of the clock, and the books balance.

In virtual time a prepaid meter lives through 2028, its end of February and all its months, two switch-overs of the zone
and day tables, of prices and steps, purchases, steps of its clock forth and back, and cuts of the supply at random
instants and in the middle of writes. All the while its registers and its wallet are those of a reference that knows the
load, the cuts, the tables and the prices, and none of the meter's code; in the end so is all that it has kept: load
records, freezes of every kind, settlement periods and their maximum demands.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

import msgspec

from wattwheel.apex.messages import Control, Message
from wattwheel.boot.minute_core import MinuteCore, MinuteLoad
from wattwheel.boot.settings import Settings
from wattwheel.boot.sim_meter import SimStore
from wattwheel.boot.time_machine import SECOND_NS, TimeMachine
from wattwheel.drivers.sim.clock import START_NS
from wattwheel.drivers.sim.load_file import LoadRow
from wattwheel.drivers.sim.storage import PowerCut, SimDisk, Torn
from wattwheel.testing.drills import year_reading
from wattwheel.testing.drills.score import Score
from wattwheel.testing.drills.year_account import EPOCH, TARIFFS
from wattwheel.testing.drills.year_diary import Diary
from wattwheel.testing.drills.year_judge import Seen, balanced, clock
from wattwheel.testing.drills.year_load import NO_ENERGY, Energy, Load
from wattwheel.testing.drills.year_plan import (
    INTERVAL_MINUTES,
    RATIO,
    SETTLES,
    TIMED,
    WRITTEN_AFTER,
    Course,
    leap_year,
    parameters,
    plan_of,
    switch_parameters,
)
from wattwheel.testing.drills.year_reading import DAILY, HOURLY
from wattwheel.testing.drills.year_reference import YearReference
from wattwheel.testing.readable import readable, requested, written
from wattwheel.testing.world import simulated_settings

PASSWORD, ORDER_PASSWORD = "440044", "220022"
START_MS = START_NS // 1_000_000
OFFSET_MINUTES = 60
"""The meter's standard time is an hour ahead of UTC."""
LOAD_MINUTES, STILL_MINUTES = 10_000, 10
"""In the first minutes of the load nothing flows: the meter is set up in them."""
POWER_MILLIWATT_MAX = 9_000_000
EXPORT_SHARE = 0.1
WATCH_S = 200
"""So long before a cut everything runs in seconds, with all timers and saves."""
CALM_S = 400
OFF_S_MAX = 7200
TORN_SHARE, WRITES_AHEAD_MAX = 0.6, 18
"""Share of the cuts that are meant for a write to the disk, and how many others may come before that."""
CLOCK_STEP_S_MIN, CLOCK_STEP_S_MAX, CLOCK_DRIFT_S_MAX = 6, 3 * 3600, 2 * 3600
EARLY_S = 6 * 3600
"""So long before a step that waits for a time of the meter's clock the drill begins to wait."""
READ_EVERY_DAYS, READ_ALL_EVERY_DAYS = 9, 61
REPLY_S_MAX, READY_S_MAX = 5.0, 30.0
PURCHASE_UNITS_MAX = 2000
READ, FREEZE, ORDER = 0x11, 0x16, 0x1C
PRESERVE = bytes.fromhex("3a00 000000301299")
"""The order that preserves the supply, until far away: a relay stays closed whatever the wallet holds or owes."""
DEPTHS = {"hourly freezes": (HOURLY, 254), "daily freezes": (DAILY, 62), "timed freezes": (0x00, 60)}
AGREED = {"zone": 0x02, "day table": 0x03, "price": 0x05, "step": 0x07}
"""Freezes at switch-overs, and DI2 of each."""
AGREED_DEPTH, PERIODS = 2, 12


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
        rows = [LoadRow(0, 0, 220_000, 0)] * STILL_MINUTES + [self._row() for _ in range(LOAD_MINUTES - STILL_MINUTES)]
        core = MinuteCore(MinuteLoad(rows, START_MS, repeats=True))
        self._disk = SimDisk(chance.randrange(1 << 32))
        seed, begin = chance.randrange(1 << 32), course.begin - timedelta(minutes=OFFSET_MINUTES)
        self._machine = TimeMachine(_settings(), core, SimStore(self._disk), begin, seed)
        load = Load([row.active_milliwatt for row in rows], START_MS)
        diary = Diary(INTERVAL_MINUTES, TIMED, SETTLES)
        zero_us = START_NS // 1000 - (course.begin - EPOCH) // timedelta(microseconds=1)
        self._reference = YearReference(load, START_MS, zero_us, plan_of(course), diary)
        self._torn_writes = 0
        self._offs_ms: list[int] = []
        self._seen = {name: Seen(name) for name in (*DEPTHS, *(f"{name} freezes" for name in AGREED))}

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
            self._check_now(f"{getattr(act, '__name__', 'a step over an end').strip('_')} at {at_s} s")
        self._play(START_NS + self._course.days * 86_400 * SECOND_NS)
        self._check_now("the end")
        self._compare()

    def _plan(self) -> list[tuple[int, Callable[[], None]]]:
        """Seconds since the beginning and what happens, far enough from each other to be told apart."""
        chance, course, end_s = self._chance, self._course, self._course.days * 86_400
        second_switch = int((course.switches[0] + WRITTEN_AFTER - course.begin).total_seconds())
        wanted = [self._cut] * course.cuts + [self._step_clock] * course.clock_steps + [self._buy] * course.purchases
        drawn = [(chance.randrange(CALM_S, end_s - CALM_S), act) for act in wanted]
        plan: list[tuple[int, Callable[[], None]]] = [*drawn, (second_switch, self._write_second_switches)]
        plan += [(day * 86_400 + 43_200, self._read) for day in range(READ_EVERY_DAYS, course.days, READ_EVERY_DAYS)]
        for step in course.steps:
            early = step[0] - timedelta(seconds=EARLY_S) - course.begin
            plan.append((int(early.total_seconds()), partial(self._step_over, *step)))
        spread: list[tuple[int, Callable[[], None]]] = []
        for at_s, act in sorted(plan, key=lambda each: each[0]):
            earliest = spread[-1][0] + OFF_S_MAX + CALM_S if spread else STILL_MINUTES * 60
            spread.append((max(at_s, earliest), act))
        return [each for each in spread if each[0] < end_s - CALM_S - OFF_S_MAX]

    def _play(self, instant_ns: int) -> None:
        if instant_ns > self._machine.clock.now_ns():
            self._machine.play_to(instant_ns)

    # -- what happens

    def _set_up(self) -> None:
        for di, digits in parameters(self._course).items():
            self._write(di, digits)
        day, hour, minute = TIMED
        data = bytes.fromhex(f"99{day:02d}{hour:02d}{minute:02d}")[::-1]
        self._score.check(requested(self._machine, FREEZE, data) is not None, "set-up", "16H was not answered")
        self._pay("open-wallet {}", plan_of(self._course).opened)
        self._preserve()
        self._machine.advance(5)
        is_still = self._machine.now_ms < START_MS + STILL_MINUTES * 60_000
        self._score.check(is_still, "set-up", "something has flowed before it was done")

    def _preserve(self) -> None:
        """Keep the relay closed from now on."""
        machine, score = self._machine, self._score
        authority = bytes((2,)) + bytes.fromhex(ORDER_PASSWORD)[::-1] + bytes(4)
        reply = requested(machine, ORDER, authority + PRESERVE)
        is_done = reply is not None and reply.control == ORDER | 0x80
        score.check(is_done, "set-up", "1CH was not obeyed")

    def _write(self, di: int, digits: str) -> None:
        self._score.check(written(self._machine, di, digits, PASSWORD), "write", f"{di:08X} was refused")

    def _write_second_switches(self) -> None:
        for di, digits in switch_parameters(self._course, 1).items():
            self._write(di, digits)

    def _pay(self, words: str, amount: int) -> None:
        replies: list[Message | None] = []
        data = words.format(f"{amount / 1_000_000:.2f}").encode()
        self._machine.ask(Control.FEE, 0, data, replies.append)
        self._machine.advance_until(lambda: bool(replies), REPLY_S_MAX)
        is_done = bool(replies) and replies[0] is not None and not replies[0].error
        self._score.check(is_done, "money", f"{data!r} was refused")

    def _buy(self) -> None:
        amount = self._chance.randrange(1, PURCHASE_UNITS_MAX * 100) * 10_000
        self._pay(f"recharge {{}} {self._reference.account.wallet.purchases + 1}", amount)
        self._reference.paid(amount)

    def _step_clock(self) -> None:
        """Set the clock forth or back, now and then over a midnight or a settlement."""
        machine = self._machine
        drift_s = (machine.local - self._course.begin).total_seconds() - (machine.clock.now_ns() - START_NS) / 1e9
        sign = self._chance.choice((-1, 1)) if abs(drift_s) < CLOCK_DRIFT_S_MAX else -1 if drift_s > 0 else 1
        step = sign * self._chance.randrange(CLOCK_STEP_S_MIN, CLOCK_STEP_S_MAX)
        self._set_clock(step)

    def _step_over(self, local: datetime, step_s: int) -> None:
        """Set the clock when it shows `local`."""
        wait_s = max(0.0, (local - self._machine.local).total_seconds())
        self._play(self._machine.clock.now_ns() + round(wait_s * SECOND_NS))
        self._set_clock(step_s)

    def _set_clock(self, step_s: int) -> None:
        machine = self._machine
        local = (machine.local + timedelta(seconds=step_s)).replace(microsecond=0)
        done: list[bool] = []
        machine.set_clock(local, done.append)
        machine.advance_until(lambda: bool(done), REPLY_S_MAX)
        self._score.check(done == [True], "clock", f"{local} was refused")
        calendar_us = (machine.local - EPOCH) // timedelta(microseconds=1)
        self._reference.clock_was(machine.now_ms, machine.clock.now_ns() // 1000 - calendar_us)
        machine.advance(CALM_S)

    def _cut(self) -> None:
        """Cut the supply at a random instant, or in the middle of one of the next writes to the disk."""
        machine, disk, reference = self._machine, self._disk, self._reference
        patience_s = self._chance.uniform(1, WATCH_S)
        if self._chance.random() < TORN_SHARE:
            patience_s = WATCH_S
            disk.torn = self._chance.choice(list(Torn))
            disk.cut_at_write = disk.writes + 1 + self._chance.randrange(WRITES_AHEAD_MAX)
        try:
            machine.advance(patience_s)
        except PowerCut:
            self._torn_writes += 1
        off_ms = machine.now_ms
        reference.cut(off_ms)
        machine.lose_power()
        disk.power_up()
        machine.clock.skip_to(machine.clock.now_ns() + self._chance.randrange(1, OFF_S_MAX) * SECOND_NS)
        machine.power_up()
        reference.core.switched_on(machine.now_ms)
        self._offs_ms.append(off_ms)
        machine.advance_until(lambda: machine.is_metering, READY_S_MAX)
        at_ms, totals, shares, amount = self._shown()
        when = f"cut at {off_ms - START_MS} ms, back by {at_ms - START_MS} ms"
        known = reference.ready(at_ms, totals, shares, amount)
        told = f"{when}: {totals} {shares} {amount}; the reference says {reference.account}"
        self._score.check(known, "return of the supply", told)
        machine.await_ready()
        machine.advance(WATCH_S)

    def _read(self) -> None:
        """A head-end reads: nothing is malformed, and what was frozen stays."""
        machine, score = self._machine, self._score
        for name, (kind, depth) in DEPTHS.items():
            self._seen[name].take(year_reading.frozen(machine, kind, depth), score)
        for name, kind in AGREED.items():
            self._seen[f"{name} freezes"].take(year_reading.frozen(machine, kind, AGREED_DEPTH), score)
        if (machine.clock.now_ns() - START_NS) // SECOND_NS // 86_400 % READ_ALL_EVERY_DAYS < READ_EVERY_DAYS:
            found = readable(machine)
            score.check(len(found) > 100, "items", f"{len(found)} could be read")

    # -- the books

    def _shown(self) -> tuple[int, Energy, tuple[Energy, ...], int]:
        """Instant of the last push; then the totals, the shares of the tariffs, and what the wallet holds or owes."""
        image, wallet = self._machine.image, self._machine.account.wallet
        shares = tuple(Energy(*share[:2]) for share in image.shares)
        whole = shares + (NO_ENERGY,) * (TARIFFS - len(shares))
        return image.at_ns // 1_000_000, Energy(*image.elements[:2]), whole, wallet.balance - wallet.overdraft

    def _check_now(self, when: str) -> None:
        """Registers and wallet are those of the reference, to the last microjoule and millionth."""
        machine, score, reference = self._machine, self._score, self._reference
        machine.advance(0.5)
        at_ms, totals, shares, amount = self._shown()
        reference.until(at_ms)
        own = reference.account
        score.check(totals == own.booked, "total", f"{when}: {totals} microjoule; the reference says {own.booked}")
        sums = Energy(sum(share.imported for share in shares), sum(share.exported for share in shares))
        score.check(totals == sums, "sum of the tariffs", f"{when}: {sums}, total {totals}")
        score.check(shares == own.shares, "tariffs", f"{when}: {shares}; the reference says {own.shares}")
        wallet, account = own.wallet, machine.account
        score.check(amount == wallet.amount, "money", f"{when}: {amount} millionths; the reference says {wallet}")
        purchases = (account.count, account.purchased)
        score.check(purchases == (wallet.purchases, wallet.purchased), "purchases", f"{when}: {purchases}; {wallet}")
        if (totals, shares, amount) != (own.booked, own.shares, wallet.amount):
            reference.adopt(totals, shares, amount)
        score.check(not machine.core.is_open, "relay", f"{when}: it is open, though the supply is preserved")
        score.check(not machine.crashes, "crashes", f"{when}: {machine.crashes[:2]}")

    def _compare(self) -> None:
        machine, reference, score = self._machine, self._reference, self._score
        core = reference.core
        self._read()
        for name, ring in (("hourly", reference.diary.hourly), ("daily", reference.diary.daily)):
            self._seen[f"{name} freezes"].judge(ring, score)
        self._seen["timed freezes"].judge(reference.diary.timed, score)
        for name, kind in AGREED.items():
            self._seen[f"{name} freezes"].judge(reference.diary.agreed[kind], score)
        self._compare_settlements()
        records = list(year_reading.load_records(machine))
        self._check_now("after all was read")
        account = reference.account
        balanced(records, reference.diary.load, account.registers.total, self._offs_ms, score)
        shown = year_reading.wallet(machine)
        score.check(shown == reference.account.wallet.shown, "money shown", f"{shown}; {reference.account.wallet}")
        for way in Energy._fields:
            lost, unmetered = getattr(core.lost, way), getattr(core.unmetered, way)
            total = getattr(account.booked, way)
            score.add(what=way, microjoule=total, lost_by_cuts=lost, while_off=unmetered)
        for tariff, share in enumerate(account.shares, 1):
            score.add(what=f"tariff {tariff}", **share._asdict())
        score.add(what="money", **account.wallet._asdict())
        score.add(
            what="lived",
            days=self._course.days,
            cuts=machine.kernel_starts - 1,
            cuts_in_writes=self._torn_writes,
            cuts_at_boundaries=reference.cuts_at_boundaries,
            settlements=len(machine.settled),
            settlements_passed_over=reference.diary.passed_over,
            pushes=machine.pushes,
            clock=f"{machine.local:%Y-%m-%d %H:%M}",
        )

    def _compare_settlements(self) -> None:
        machine, reference, score = self._machine, self._reference, self._score
        settled, name = reference.diary.settled.entries, "settlement"
        for back, minute in enumerate(sorted(settled, reverse=True)[:PERIODS], 1):
            found, entry = year_reading.settlement(machine, back), settled[minute]
            score.check(found in entry.values, name, f"{clock(minute)}: {found}; the reference says {entry.values}")
            maxima = year_reading.maxima(machine, back)
            possible = reference.demand.ended[minute]
            for way, own, may in zip(Energy._fields, maxima or (None, None), possible, strict=True):
                score.check(own in may, "maximum demand", f"{way}, {clock(minute)}: {own}; the reference says {may}")
        entries = {entry.minute for entry in machine.settled}
        newest = set(sorted(settled)[-PERIODS:])
        score.check(entries == newest, name, f"settled at {sorted(entries)}; the reference says {sorted(newest)}")
        score.add(what="settlement periods", found=len(entries), due=len(settled))


def _settings() -> Settings:
    settings = simulated_settings()
    return msgspec.structs.replace(
        settings,
        meter=msgspec.structs.replace(settings.meter, current_ratio=RATIO),
        dlt645=msgspec.structs.replace(settings.dlt645, password_level_2=ORDER_PASSWORD, password_level_4=PASSWORD),
        fee_control=msgspec.structs.replace(settings.fee_control, mode="local", switch="external"),
        clock=msgspec.structs.replace(settings.clock, utc_offset_minutes=OFFSET_MINUTES),
    )
