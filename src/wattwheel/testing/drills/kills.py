"""The drill `kills`: kill -9 on any process of a meter while it meters, is read, and keeps its promises about energy.

A real meter plays its bundled recording at 20 x speed. At random instants one process, now and then two at once, is
killed, until either core has been killed as often as was asked for, and all the others in between. A head-end reads
through every door all the time. Checked, besides what `witness` says about energy: every door answers again within
its limit, the two cores agree again within `AGREE_S_MAX`, nobody else had to be restarted, no process, zombie,
descriptor or socket is left behind, and the energy is there after an orderly stop and a new start.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from wattwheel.boot.measure import measure
from wattwheel.boot.settings import MeterSettings, Settings
from wattwheel.boot.standard_module import standard_module
from wattwheel.drivers.sim.recordings import BUNDLED
from wattwheel.model.errors import NotAnswered, Refused
from wattwheel.testing.drills import census
from wattwheel.testing.drills.observer import DOORS, Observer
from wattwheel.testing.drills.score import Score
from wattwheel.testing.drills.witness import EnergyWitness
from wattwheel.testing.living import LivingMeter

SPEED = 20.0
CORES = ("metering_core", "kernel")
PARTITIONS = tuple(own.name for own in standard_module(Settings(), (), ()).partitions)
HELPERS = ("zygote",)
AGREE_S_MAX = 3.0
BACK_S_MAX = 1.0
GIVE_UP_S = 30.0
SETTLE_S = 1.5
LOST_S_MAX = 1.5
"""What a killed metering core may forget, besides the time until it runs again: see `energy-never-lost.md`."""

AGAIN_SHARE, AGAIN_S_MAX = 0.2, 0.4
"""Share of the kills that are followed by another at most so long after, while the meter is still recovering."""

CENSUS_LOOKS, CENSUS_PAUSE_S = 5, 0.1

OBSERVED_S = 1.0
"""How exactly lost metering time can be told from outside: a push that waited for its reader looks late itself."""

Victims = tuple[str, ...]


class Plan(NamedTuple):
    """Who is killed, and what is promised about it.

    Attributes:
        singles: the cards of a deck: who is killed alone, as often as a name stands here.
        pairs: cards of a deck with two of anybody.
        counted: whose kills count.
        doors_s_max: how soon every door answers again.
        watch_s_max: a kill comes at most this long after the meter was whole again.
    """

    singles: Victims
    pairs: int
    counted: Victims
    doors_s_max: float
    watch_s_max: float


CORES_AND_ALL = Plan((*CORES * 4, *PARTITIONS, *HELPERS), 4, CORES, 3.0, 1.5)  # the watch: longer than a push interval
PARTITIONS_ONLY = Plan(PARTITIONS, 0, PARTITIONS, BACK_S_MAX, 0.3)


def drill(times: int, seed: int) -> Score:
    """Kill `times` times one of the cores, and everybody else in between."""
    return _held(CORES_AND_ALL, times, seed)


def drill_restarts(times: int, seed: int) -> Score:
    """Kill `times` times a partition: it is back within a second."""
    return _held(PARTITIONS_ONLY, times, seed)


def _held(plan: Plan, times: int, seed: int) -> Score:
    score = Score()
    with tempfile.TemporaryDirectory(prefix="wattwheel-drill-") as folder:
        try:
            _Kills(score, random.Random(seed), Path(folder), plan).run(times)
        except NotAnswered as fault:
            score.fail("the meter", str(fault))
    return score


class Deck:
    """Victims in random order, so that a few dozen draws have had everything."""

    def __init__(self, chance: random.Random, plan: Plan) -> None:
        self._chance, self._plan = chance, plan
        self._cards: list[Victims] = []

    def draw(self) -> Victims:
        """The next one or two names."""
        if not self._cards:
            everybody = sorted(set(self._plan.singles))
            pairs = (tuple(self._chance.sample(everybody, 2)) for _ in range(self._plan.pairs))
            self._cards = [*((name,) for name in self._plan.singles), *pairs]
            self._chance.shuffle(self._cards)
        return self._cards.pop()


class Tally:
    """Figures of one kind of kill."""

    def __init__(self) -> None:
        self.kills = 0
        self.doors_s = self.agree_s = 0.0
        self.lost_s: list[float] = []


def secondary_power_w() -> float:
    """Mean power that the default meter's core meters: the bundled recording's without DC, by the current ratio."""
    phases = measure(BUNDLED, periodic=True)["phases"]
    return float(sum(phases[p]["ac"]["active_power_w"] for p in "abc")) / MeterSettings().current_ratio


class _Kills:
    def __init__(self, score: Score, chance: random.Random, state: Path, plan: Plan) -> None:
        self._score, self._chance, self._state, self._plan = score, chance, state, plan
        self._deck = Deck(chance, plan)
        self._tallies: dict[Victims, Tally] = {}
        self._power_w = secondary_power_w()
        self._voltage_v = float(measure(BUNDLED, periodic=True)["phases"]["a"]["voltage_v_rms"])
        self._expected: dict[str, int] = {}
        self._behind_s: float | None = None
        self._since_behind: list[tuple[Victims, float]] = []
        self._killed = dict.fromkeys((*CORES, *PARTITIONS, *HELPERS), 0)

    def run(self, times: int) -> None:
        """The whole drill."""
        with LivingMeter("", "--speed", f"{SPEED:g}", state=self._state) as meter:
            witness = EnergyWitness(self._power_w, SPEED, meter.started_ns)
            self._score.level = str(meter.status()["isolation"])
            with Observer(meter, witness, self._score, self._voltage_v) as observer:
                self._settle(meter, observer)
                before = self._census(meter, observer)
                self._settle(meter, observer)
                while sum(self._killed[name] for name in self._plan.counted) < times:
                    self._kill_once(meter, observer, witness)
                self._watch(observer, SETTLE_S)
                self._note_behind(witness)
                self._compare(before, self._census(meter, observer))
                self._check_residents(meter)
                self._add_figures(witness, observer)
            self._score.check(meter.stop() == 0, "orderly stop", "the board did not end with exit code 0")
            self._check_left_over(meter)
        self._start_again(witness)

    # -- one kill ----------------------------------------------------------------------------------------------

    def _kill_once(self, meter: LivingMeter, observer: Observer, witness: EnergyWitness) -> None:
        self._watch(observer, self._chance.uniform(0.0, self._plan.watch_s_max))
        self._note_behind(witness)
        victims = self._deck.draw()
        status, pids = self._ask(meter, observer), meter.pids()
        witness.disturbed()
        for name in victims:
            self._kill(name, pids[name])
        killed_ns = observer.now_ns()
        old = {pids[name] for name in victims} | ({pids["kernel"]} if "zygote" in victims else set())
        self._count_restarts(victims)
        if self._chance.random() < AGAIN_SHARE:
            again = self._kill_again(meter, old)
            if again is not None:
                killed_ns, victims = observer.now_ns(), (*victims, again[0])
                old |= again[1]
        recovered_s = self._recover(observer, victims, killed_ns, old, status["push_sequence"])
        self._since_behind.append((victims, recovered_s))

    def _kill_again(self, meter: LivingMeter, old: set[int]) -> tuple[str, set[int]] | None:
        """Kill one more while the meter is still recovering: its name and the pids that have to be replaced.

        None when it cannot be told yet who is there: `old` processes do not count.
        """
        name = self._deck.draw()[0]
        meter.process_ended_within(self._chance.uniform(0.0, AGAIN_S_MAX))
        try:
            pids = meter.pids()
        except (NotAnswered, Refused):
            return None
        assert meter.process is not None
        living = {one.pid for one in census.residents(meter.process.pid) if one.state != "Z"} - old
        gone = {pids.get(name, 0), pids["kernel"]} if name == "zygote" else {pids.get(name, 0)}
        if pids["kernel"] not in living or not gone <= living:
            return None
        self._kill(name, pids[name])
        self._count_restarts((name,))
        return name, gone

    def _kill(self, name: str, pid: int) -> None:
        """kill -9, of a process that may have died a moment ago with its kernel or zygote."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            self._killed[name] += 1

    def _ask(self, meter: LivingMeter, observer: Observer) -> dict[str, Any]:
        """The status, asked again where the machine was too busy to answer in time; that counts as a failure."""
        until_ns = observer.now_ns() + GIVE_UP_S * 1e9
        while True:
            try:
                return meter.status()
            except NotAnswered as fault:
                self._score.fail("status", str(fault))
                if observer.now_ns() > until_ns:
                    raise

    def _count_restarts(self, victims: Victims) -> None:
        if {"kernel", "zygote"} & set(victims):
            self._expected = {}
            return
        for name in victims:
            if name in PARTITIONS:
                self._expected[name] = self._expected.get(name, 0) + 1

    def _recover(self, observer: Observer, victims: Victims, killed_ns: int, old: set[int], sequence: int) -> float:
        """Look until everything is well again; seconds until the cores agreed."""
        tally = self._tallies.setdefault(tuple(sorted(victims)), Tally())
        tally.kills += 1
        missing, agreed_s = set(DOORS), None
        while missing or agreed_s is None:
            sight = observer.look()
            status = sight.status
            is_whole = status is not None and _is_whole(status, old)
            for name in list(missing) if is_whole else ():
                if name in sight.told_ns:
                    missing.discard(name)
                    took_s = (sight.told_ns[name] - killed_ns) / 1e9
                    tally.doors_s = max(tally.doors_s, took_s)
                    limit_s = self._plan.doors_s_max
                    what = f"{name} after kill -9 of {'+'.join(victims)}: {took_s:.2f} s, at most {limit_s:g}"
                    self._score.check(took_s <= limit_s, "doors", what)
            if agreed_s is None and is_whole and sight.agreed_ns is not None and _pushed(status, sequence):
                agreed_s = (sight.agreed_ns - killed_ns) / 1e9
                tally.agree_s = max(tally.agree_s, agreed_s)
                what = f"after kill -9 of {'+'.join(victims)}: {agreed_s:.2f} s, at most {AGREE_S_MAX:g}"
                self._score.check(agreed_s <= AGREE_S_MAX, "agreement", what)
            if observer.now_ns() - killed_ns > GIVE_UP_S * 1e9:
                absent = f"doors {sorted(missing)}, agreed {agreed_s}, status {_short(status)}"
                raise NotAnswered(f"after kill -9 of {'+'.join(victims)} not whole within {GIVE_UP_S:g} s: {absent}")
        self._check_bystanders(status, victims)
        return agreed_s

    def _check_bystanders(self, status: dict[str, Any] | None, victims: Victims) -> None:
        if status is None:
            return
        for name, restarts in status["restarts"].items():
            expected = self._expected.get(name, 0)
            if restarts != expected:
                what = f"{name}: {restarts} restarts, {expected} expected, after kill -9 of {'+'.join(victims)}"
                self._score.fail("bystander", what)
                self._expected[name] = restarts

    def _watch(self, observer: Observer, seconds: float) -> None:
        """Look for `seconds`; every door must answer in each of two rounds, since nothing is being killed."""
        until_ns = observer.now_ns() + round(seconds * 1e9)
        silent: set[str] = set()
        while observer.now_ns() < until_ns:
            absent = set(DOORS) - set(observer.look().told_ns)
            for name in silent & absent:
                self._score.fail("steady", f"{name} did not answer twice in a row while nothing was killed")
            silent = absent

    def _settle(self, meter: LivingMeter, observer: Observer) -> None:
        self._watch(observer, SETTLE_S)

    # -- what was lost -----------------------------------------------------------------------------------------

    def _note_behind(self, witness: EnergyWitness) -> None:
        """Book the metering time lost by the kills since the last time it could be told."""
        behind_s = witness.take_behind_s()
        if behind_s is None:
            return
        if self._behind_s is not None and self._since_behind:
            lost_s = behind_s - self._behind_s
            allowed_s = sum(
                LOST_S_MAX + recovered_s for victims, recovered_s in self._since_behind if CORES[0] in victims
            )
            names = ", ".join("+".join(victims) for victims, _ in self._since_behind)
            what = f"{lost_s:.2f} s of metering by kill -9 of {names}; at most {allowed_s + OBSERVED_S:.2f} s"
            self._score.check(lost_s <= allowed_s + OBSERVED_S, "lost metering time", what)
            if len(self._since_behind) == 1:
                self._tallies[tuple(sorted(self._since_behind[0][0]))].lost_s.append(lost_s)
        self._behind_s, self._since_behind = behind_s, []

    # -- what was left behind ----------------------------------------------------------------------------------

    def _census(self, meter: LivingMeter, observer: Observer) -> dict[str, int]:
        """Descriptors by process name, with nobody connected: the fewest of several looks, since some come and go."""
        observer.close()
        pids = meter.pids()
        looks = []
        for _ in range(CENSUS_LOOKS):
            meter.process_ended_within(CENSUS_PAUSE_S)
            looks.append({name: census.descriptors(pid) or 0 for name, pid in pids.items()})
        return {name: min(look[name] for look in looks) for name in pids}

    def _compare(self, before: dict[str, int], after: dict[str, int]) -> None:
        self._score.check(set(before) == set(after), "processes", f"{sorted(after)}, before {sorted(before)}")
        for name, count in after.items():
            self._score.check(count <= before.get(name, count), "descriptors", f"{name}: {before.get(name)} -> {count}")
        self._score.add(what="descriptors", before=before, after=after)

    def _check_residents(self, meter: LivingMeter) -> None:
        """Nobody lives in the meter's session but who is known: no orphan, no zombie."""
        assert meter.process is not None
        known = set(meter.pids().values())
        strange = [r for r in census.residents(meter.process.pid) if r.pid not in known or r.state == "Z"]
        self._score.check(not strange, "processes", ", ".join(f"{r.name} {r.pid} state {r.state}" for r in strange))

    def _check_left_over(self, meter: LivingMeter) -> None:
        assert meter.process is not None
        left = census.residents(meter.process.pid)
        self._score.check(not left, "left over after the stop", ", ".join(f"{r.name} {r.pid} {r.state}" for r in left))

    def _start_again(self, witness: EnergyWitness) -> None:
        """A new power-on finds all the energy that was told."""
        witness.disturbed()
        with (
            LivingMeter("", "--speed", f"{SPEED:g}", state=self._state) as meter,
            Observer(meter, witness, self._score, self._voltage_v) as observer,
        ):
            self._watch(observer, 1.2)
            self._score.check(observer.look().agreed_ns is not None, "agreement", "after a new start: none")

    # -- figures -----------------------------------------------------------------------------------------------

    def _add_figures(self, witness: EnergyWitness, observer: Observer) -> None:
        joule_per_s = self._power_w * SPEED
        self._score.add(what="killed", cores=sum(self._killed[core] for core in CORES), processes=self._killed)
        self._score.add(
            what="energy",
            power_w=round(self._power_w, 3),
            speed=SPEED,
            microjoule_at_end=witness.microjoule,
            closest_to_bound_s=round(witness.closest_s, 3),
            answers=observer.answers,
            machine_late_s_worst=round(observer.late_s, 3),
        )
        for victims, tally in sorted(self._tallies.items()):
            lost_s = max(tally.lost_s, default=None)
            self._score.add(
                what="kill",
                killed="+".join(victims),
                kills=tally.kills,
                doors_s_worst=round(tally.doors_s, 3),
                agree_s_worst=round(tally.agree_s, 3),
                not_metered_s_worst=None if lost_s is None else round(max(0.0, lost_s), 3),
                energy_lost_j_worst=None if lost_s is None else round(max(0.0, lost_s) * joule_per_s),
            )


def _is_whole(status: dict[str, Any], old: set[int]) -> bool:
    """Ready, every process there, and none of those that were killed."""
    pids = status["pids"]
    living = {pids["kernel"], pids["metering_core"], *pids["partitions"].values()}
    return bool(status["ready"]) and None not in living and not living & old


def _pushed(status: dict[str, Any] | None, sequence: int) -> bool:
    """Whether a push has come since the one that was the newest."""
    return status is not None and (status["push_sequence"] or 0) > sequence


def _short(status: dict[str, Any] | None) -> str:
    if status is None:
        return "none"
    return msgspec.json.encode(
        {key: status[key] for key in ("ready", "pids", "restarts", "link", "push_sequence")}
    ).decode()
