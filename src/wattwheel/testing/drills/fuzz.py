"""The drill `fuzz`: mutated frames and noise through TCP and a pseudo-terminal, with sound requests in between.

A real meter meters a constant load. Bursts of octets go to it; an oracle that knows nothing of the meter's reader says
which replies are due, and exactly these must come, in order, octet for octet; values must be what the page's API shows
before or after. Bursts end in filler, so that no half frame is waited for; half frames with a sound request inside are
sent apart from them, and the answer is due when the meter has given the half frame up. In the end nothing may have
restarted, memory must have stayed where it was after a warm-up, and the meter's counters must show what was sent.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from wattwheel.drivers.linux.clock import LinuxClock
from wattwheel.drivers.linux.loop import EpollLoop
from wattwheel.model.errors import NotAnswered
from wattwheel.testing.drills import census
from wattwheel.testing.drills.channel import Channel, exchange
from wattwheel.testing.drills.head_end import Browser, Stream, open_line, open_tcp
from wattwheel.testing.drills.jury import Jury, blocks_of, known
from wattwheel.testing.drills.mutations import Mutator
from wattwheel.testing.drills.oracle import Oracle
from wattwheel.testing.drills.score import Score
from wattwheel.testing.living import LivingMeter

ADDRESS = "202611200001"
HALF_FRAME_TIMEOUT_MS = 1500
"""Of the meter in this drill: longer than any pause that a busy machine makes within a burst."""

SETTINGS = f"""
[meter]
address = "{ADDRESS}"
nominal_voltage_v = 220.0
nominal_frequency_hz = 50
current_ratio = 1

[input]
kind = "constant"
voltage_v = [220.0, 221.0, 219.0]
active_power_w = [900.0, 700.0, 500.0]
reactive_power_var = [300.0, 200.0, 100.0]
noise_lsb = 0.0

[dlt645]
half_frame_timeout_ms = {HALF_FRAME_TIMEOUT_MS}
"""
REPLY_PREAMBLE = 4
BURST_OCTETS = 8192
"""Some thirty replies are due from one: far from the 256 questions of a channel that the meter takes at a time."""

CONNECTIONS = 4
SNAPSHOT_EVERY_NS = 1_000_000_000
API_PATIENCE_S = 30.0
"""The API is not what is exercised here; on a busy machine it may take its time."""

HALF_FRAMES = {"tcp": 24, "line": 2}
"""Half frames sent: on TCP each on a connection of its own and all at once, on the line one after the other."""

WARM_UP_SHARE = 0.2
"""Share of the octets after which memory is looked at for the first time."""

GROWTH_KIB_MAX = 1024
"""How much larger the communication partition's proportional set may be in the end than after the warm-up."""

COUNTED_WITHIN_S = 5.0
READS_ENDED = ("reads_by_owner", "reads_refused", "reads_unanswered", "reads_from_snapshot")
UNCOUNTED = ("reads_internal",)


def drill(octets: int, seed: int) -> Score:
    """Send `octets` through each type of channel."""
    score = Score()
    try:
        with LivingMeter(SETTINGS) as meter:
            score.level = str(meter.status()["isolation"])
            _Fuzz(meter, score, random.Random(seed)).run(octets)
            score.check(meter.stop() == 0, "orderly stop", "the board did not end with exit code 0")
    except NotAnswered as fault:
        score.fail("the meter", str(fault))
    return score


class _Fuzz:
    def __init__(self, meter: LivingMeter, score: Score, chance: random.Random) -> None:
        self._meter, self._score = meter, score
        self._clock = LinuxClock(EpollLoop())
        self._browser = Browser(meter.door("web"), API_PATIENCE_S)
        values = self._values()
        blocks = [di for di in blocks_of(values) if self._browser.get(f"/api/items/{di:08X}")[0] == 200]
        answered = [*values, *blocks]
        self._jury = Jury(values)
        self._mutator = Mutator(chance, bytes.fromhex(ADDRESS)[::-1], answered)
        self._oracle = Oracle(ADDRESS, answered)
        self._pids = meter.pids()
        self._counters = self._counted()
        self._looked_ns = self._clock.now_ns()
        self._sound = self._half_frames = 0
        self._score.add(what="meter", identifiers_answered=len(answered), blocks=len(blocks))

    def run(self, octets: int) -> None:
        """The whole drill."""
        door, path = self._meter.door("dlt645"), self._meter.serial_path()
        self._exercise("tcp", [lambda: open_tcp(door)] * CONNECTIONS, octets)
        self._exercise("line", [lambda: open_line(path)], octets)
        self._browser.close()
        self._check_whole()
        self._check_counters()

    # -- one type of channel -------------------------------------------------------------------------------------

    def _exercise(self, kind: str, doors: list[Callable[[], Stream]], octets: int) -> None:
        held = census.descriptors(self._pids["communication"])
        begun_ns, frames, false_starts = self._clock.now_ns(), self._oracle.frames, self._oracle.false_starts
        swallowed, self._sound = self._oracle.swallowed, 0
        channels = [self._open(f"{kind} {number}", door) for number, door in enumerate(doors, 1)]
        memory_kib, sent, rounds = None, 0, 0
        while sent < octets:
            sent += self._round(channels, min(BURST_OCTETS, -(-(octets - sent) // len(channels))))
            rounds += 1
            if memory_kib is None and sent >= octets * WARM_UP_SHARE:
                memory_kib = self._memory_kib()
        self._look(force=True)
        seconds = (self._clock.now_ns() - begun_ns) / 1e9
        memory_end_kib = self._memory_kib()
        self._check_memory(kind, memory_kib or memory_end_kib, memory_end_kib)
        answered = sum(channel.answered for channel in channels)
        waits_s = self._half(kind, doors)
        for channel in channels:
            channel.stream.close()
        self._score.add(
            what="channel",
            kind=kind,
            octets=sent,
            bursts=rounds * len(channels),
            seconds=round(seconds, 1),
            octets_per_s=round(sent / seconds),
            frames=self._oracle.frames - frames,
            false_starts=self._oracle.false_starts - false_starts,
            sound_requests=self._sound,
            sound_swallowed=self._oracle.swallowed - swallowed,
            answered=answered,
            half_frames=HALF_FRAMES[kind],
            half_frame_answer_s=[round(min(waits_s), 2), round(max(waits_s), 2)],
            communication_kib=[memory_kib, memory_end_kib],
        )
        self._check_descriptors(kind, held)

    def _open(self, name: str, door: Callable[[], Stream]) -> Channel:
        return Channel(name, door(), ADDRESS, REPLY_PREAMBLE, self._score.fail, self._jury.hear)

    def _round(self, channels: list[Channel], octets: int) -> int:
        """One burst through every channel at the same time; the octets sent."""
        sent = 0
        for channel in channels:
            burst = self._mutator.burst(octets)
            due = self._oracle.replies(burst.octets, burst.sound)
            self._sound += len(burst.sound)
            channel.begin(burst.octets, due)
            sent += len(burst.octets)
        exchange(channels, self._clock, self._score.fail)
        self._look()
        return sent

    def _half(self, kind: str, doors: list[Callable[[], Stream]]) -> list[float]:
        """Half frames with a sound request inside; seconds until each was answered."""
        count = HALF_FRAMES[kind]
        groups = [[self._open(f"{kind} half {n}", doors[0]) for n in range(count)]] if kind == "tcp" else []
        groups = groups or [[self._open(f"{kind} half", doors[0])] for _ in range(count)]
        waits_s = []
        for group in groups:
            for channel in group:
                octets = self._mutator.half_frame()
                channel.begin(octets, self._oracle.replies(octets))
            begun_ns = self._clock.now_ns()
            exchange(group, self._clock, self._score.fail)
            wait_s = (self._clock.now_ns() - begun_ns) / 1e9
            waits_s.append(wait_s)
            is_late = wait_s >= 0.9 * HALF_FRAME_TIMEOUT_MS / 1000
            self._score.check(is_late, "half frame", f"{kind}: answered after {wait_s:.2f} s, before its time was up")
            self._half_frames += len(group)
            for channel in group:
                channel.stream.close()
        self._look(force=True)
        return waits_s

    # -- values ------------------------------------------------------------------------------------------------

    def _values(self) -> dict[int, Any]:
        code, rows = self._browser.get("/api/items?prefix=")
        if code != 200 or not rows:
            raise NotAnswered(f"the API lists no items: {code} {rows}")
        return known(rows)

    def _look(self, force: bool = False) -> None:
        """Compare what was heard with the API, once a second."""
        self._meter.drain()
        if not force and self._clock.now_ns() - self._looked_ns < SNAPSHOT_EVERY_NS:
            return
        for objection in self._jury.judge(self._values()):
            self._score.fail("wrong value", objection)
        self._looked_ns = self._clock.now_ns()

    # -- the meter as a whole ------------------------------------------------------------------------------------

    def _memory_kib(self) -> int:
        return census.proportional_kib(self._pids["communication"]) or 0

    def _check_memory(self, kind: str, before_kib: int, after_kib: int) -> None:
        what = f"{kind}: communication {before_kib} -> {after_kib} KiB, at most {GROWTH_KIB_MAX} more"
        self._score.check(after_kib - before_kib <= GROWTH_KIB_MAX, "memory", what)

    def _check_descriptors(self, kind: str, before: int | None) -> None:
        """Closed connections leave nothing behind."""
        for _ in range(20):
            after = census.descriptors(self._pids["communication"])
            if after == before or self._meter.process_ended_within(0.1):
                break
        self._score.check(after == before, "descriptors", f"{kind}: communication {before} -> {after}")

    def _check_whole(self) -> None:
        pids, status = self._meter.pids(), self._meter.status()
        self._score.check(pids == self._pids, "restart", f"processes {pids}, before {self._pids}")
        restarts = {name: count for name, count in status["restarts"].items() if count}
        self._score.check(not restarts, "restart", f"{restarts}; the meter printed:\n{self._meter.output[-2000:]}")

    # -- counters ----------------------------------------------------------------------------------------------

    def _counted(self) -> dict[str, int]:
        counters: dict[str, int] = self._meter.status()["counters"].get("communication", {})
        return counters

    def _grown(self) -> dict[str, int]:
        """The counters as the oracle counts, since the beginning."""
        now = self._counted()
        grown = {name: count - self._counters.get(name, 0) for name, count in now.items()}
        grown["reads"] = sum(grown.pop(name, 0) for name in READS_ENDED)
        names = [name for name in grown if name.startswith("rejected_")]
        grown["false_starts"] = sum(grown.pop(name) for name in names)
        return grown

    def _check_counters(self) -> None:
        """Everything that was sent is in the counters once, published within a second or so."""
        due = {name: count for name, count in self._oracle.counts.items() if name not in UNCOUNTED}
        due |= {"false_starts": self._oracle.false_starts, "half_frames": self._half_frames}
        for _ in range(round(COUNTED_WITHIN_S / 0.1)):
            grown = self._grown()
            wrong = {name: (count, grown.get(name, 0)) for name, count in due.items() if grown.get(name, 0) != count}
            if not wrong or self._meter.process_ended_within(0.1):
                break
        for name, (expected, found) in wrong.items():
            self._score.fail("counters", f"{name}: {found}, by what was sent {expected}")
        for name in ("octets_dropped", "reads_unanswered", "connections_refused"):
            self._score.check(not grown.get(name), "counters", f"{name}: {grown.get(name)}")
        self._score.add(what="counters", **due)
