"""The drill `hostile`: a partition that means ill lives in a meter, and nobody else notices.

A real meter with one partition more is run by an ordinary user; started as root, the drill becomes nobody and says so.
One attempt after the other is ordered through the meter's own door, while two head-ends go on reading. Checked after
each: nothing was reached, every read of the others was answered rightly, the metering went on to the last microjoule,
nobody but the hostile partition had to be started again. The others' waits beside it are told as a ratio to their
waits beside a harmless one.
"""

from __future__ import annotations

import os
import select
import socket
import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgspec

from wattwheel.boot.added_apps import AddedApp
from wattwheel.boot.module_file import module_document
from wattwheel.boot.settings import MeterSettings, Settings
from wattwheel.drivers.linux.clock import LinuxClock
from wattwheel.drivers.linux.loop import EpollLoop
from wattwheel.drivers.linux.sandbox import LEVELS
from wattwheel.protocols.dlt645.frame import FrameReader
from wattwheel.testing.benchmarks.load import IDENTIFIERS, good_head, is_good, request
from wattwheel.testing.drills.hostile_partition import ATTEMPTS, GOT_THROUGH, OWN_DI
from wattwheel.testing.drills.score import Score
from wattwheel.testing.drills.unprivileged import NOBODY, become_nobody
from wattwheel.testing.living import LivingMeter

NAME = "hostile"
ENTRY = "wattwheel.testing.drills.hostile_partition:start"
READS_A_ROUND = 400
ANSWER_S_MAX = 2.0
BACK_S_MAX = 15.0
"""How long the hostile partition may take to be there again after it has died or hung."""

FATAL = ("forge", "die", "crash")
"""Attempts that end the partition itself."""

SILENT = ("never_answer", *FATAL)
COUNTED = ("flood", "forge", "truncate", "oversize", "ask_for_the_unknown")
"""Attempts that the bus counts."""

REPORTED = ("flood", "truncate")
"""Attempts that the bus tells the health monitor of."""

COUNTS = ("refused", "damaged", "unowned", "replies_unasked", "unknown_kind", "notices_unowned", "notices_dropped")
COUNTED_S_MAX = 10.0
ORDERS_MAX = 20
LATE = "refused by the bus"
"""No answer within the bus's time limit: the asker gets the error instead."""


def drill(times: int, seed: int) -> Score:
    """Every attempt `times` times."""
    score = Score()
    address = MeterSettings().address
    with ExitStack() as stack:
        meter = stack.enter_context(hostile_meter(score))
        score.level = str(meter.status()["isolation"])
        score.add(
            what="level",
            level=score.level,
            reasons=meter.status()["isolation_reasons"],
            not_run=[level for level in LEVELS if level != score.level],
        )
        others = stack.enter_context(_Reader(meter, address))
        order = stack.enter_context(_Reader(meter, address))
        base = _Round(others, order, meter, score, address)
        base_us = statistics.median(wait for _ in range(3) for wait in base.run("harmless"))
        for _ in range(times):
            for attempt in ATTEMPTS[1:]:
                waits = base.run(attempt)
                ratio = statistics.median(waits) / base_us
                score.add(
                    what="attempt",
                    attempt=attempt,
                    outcome=base.outcome,
                    wait_us_p50=round(statistics.median(waits), 1),
                    ratio=round(ratio, 3),
                )
        score.check(meter.stop() == 0, "orderly stop", "the board did not end with exit code 0")
    return score


@contextmanager
def hostile_meter(score: Score) -> Iterator[LivingMeter]:
    """A meter with the hostile partition, run by an ordinary user."""
    app = AddedApp(NAME, ENTRY, (f"{OWN_DI >> 16:04X}",))
    with tempfile.TemporaryDirectory(prefix="wattwheel-drill-") as top:
        scratch, state = Path(top) / "view", Path(top) / "state"
        scratch.mkdir()
        state.mkdir()
        Path(top).chmod(0o755)
        module = state / "meter.xml"
        module.write_bytes(module_document(Settings(), (app,)))
        become: Callable[[], None] | None = None
        if os.getuid() == 0:
            become = become_nobody(str(scratch))
            os.chown(state, NOBODY, NOBODY)
            score.add(what="user", user=NOBODY, started_as=0)
        else:
            score.add(what="user", user=os.getuid(), started_as=os.getuid())
        with LivingMeter(f'[module]\nfile = "{module}"\n', state=state, become=become) as meter:
            yield meter


class _Reader:
    """A head-end of its own connection."""

    def __init__(self, meter: LivingMeter, address: str) -> None:
        self._channel = socket.create_connection(meter.door("dlt645"), timeout=ANSWER_S_MAX)
        self._channel.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._address = address

    def __enter__(self) -> _Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()

    def send(self, octets: bytes) -> None:
        """Ask."""
        self._channel.sendall(octets)

    def waiting(self) -> bool:
        """Whether an answer has come."""
        return bool(select.select([self._channel], [], [], 0)[0])

    def receive(self, wait_s: float = ANSWER_S_MAX) -> bytes:
        """The answer, empty when none comes in time."""
        if not select.select([self._channel], [], [], wait_s)[0]:
            return b""
        return self._channel.recv(4096)


class _Round:
    """One attempt after the other, with everything that is checked."""

    def __init__(self, others: _Reader, order: _Reader, meter: LivingMeter, score: Score, address: str) -> None:
        self._others, self._order, self._meter, self._score, self._address = others, order, meter, score, address
        self._clock = LinuxClock(EpollLoop())
        self._energy = self._energies()
        self._restarts = dict(meter.status()["restarts"])
        self._refusals = self._counted()
        self.outcome = ""

    def run(self, attempt: str) -> list[float]:
        """Order `attempt`; the waits of the others meanwhile, in microseconds."""
        di = f"{OWN_DI | ATTEMPTS.index(attempt):08X}"
        self._order.send(request(self._address, di))
        waits = [wait for number in range(READS_A_ROUND) if (wait := self._read(attempt, number)) is not None]
        self.outcome = self._answer(self._order.receive())
        for _ in range(ORDERS_MAX):  # on a busy machine a partition that stands behind the others may answer too late
            if attempt in SILENT or self.outcome != LATE:
                break
            self._order.send(request(self._address, di))
            self.outcome = self._answer(self._order.receive())
        self._meter.drain()
        self._check(attempt)
        return waits or [float("inf")]

    def _read(self, attempt: str, number: int) -> float | None:
        identifier = IDENTIFIERS[number % len(IDENTIFIERS)]
        begin = self._clock.now_ns()
        self._others.send(request(self._address, identifier))
        reply = self._others.receive()
        wait_us = (self._clock.now_ns() - begin) / 1e3
        good = is_good(reply, good_head(self._address, identifier))
        what = f"{attempt}: read {number} of {identifier}: {reply.hex() or 'no answer'}"
        return wait_us if self._score.check(good, "the others' reads", what) else None

    def _answer(self, octets: bytes) -> str:
        """What the hostile partition said came of it."""
        frames = FrameReader().feed(octets)
        if not frames:
            return "no answer"
        data = frames[0].data
        return data[4:].decode("ascii", "replace") if len(data) > 4 else LATE

    def _check(self, attempt: str) -> None:
        self._score.check(self.outcome != GOT_THROUGH, "the wall", f"{attempt}: got through")
        if attempt in SILENT:
            self._score.check(self.outcome == LATE, "the asker", f"{attempt}: {self.outcome}")
        elif self.outcome in ("no answer", LATE):
            self._score.fail("the attempt", f"{attempt}: {self.outcome}")
        self._wait_until_back(attempt)
        if attempt in COUNTED:
            self._wait_until_counted(attempt)
        status = self._meter.status()
        for name, restarts in status["restarts"].items():
            known = self._restarts.get(name, 0)
            if name != NAME:
                self._score.check(restarts == known, "bystander", f"{attempt}: {name} was started again")
        if attempt in REPORTED:
            newest = [entry["error"] for entry in status["health"] if entry["partition"] == NAME]
            self._score.check("ILLEGAL_REQUEST" in newest, "health", f"{attempt}: no ILLEGAL_REQUEST in the log")
        if attempt in FATAL:
            self._score.check(
                status["restarts"][NAME] > self._restarts[NAME], "health", f"{attempt}: not started again"
            )
            newest = [entry for entry in status["health"] if entry["partition"] == NAME]
            self._score.check(bool(newest), "health", f"{attempt}: nothing in the log of the health monitor")
        self._restarts = dict(status["restarts"])
        energy = self._energies()
        fell = [name for name, value in energy.items() if value < self._energy[name]]
        self._score.check(not fell, "metering", f"{attempt}: {fell} fell")
        self._score.check(status["link"] == "up", "metering", f"{attempt}: link {status['link']}")
        self._energy = energy

    def _wait_until_back(self, attempt: str) -> None:
        begin = self._clock.now_ns()
        while self._meter.status()["modes"][NAME] != "NORMAL":
            if self._clock.now_ns() - begin > BACK_S_MAX * 1e9:
                self._score.fail("restart", f"{attempt}: not back within {BACK_S_MAX:g} s")
                return
            self._meter.process_ended_within(0.05)

    def _wait_until_counted(self, attempt: str) -> None:
        begin = self._clock.now_ns()
        while (counted := self._counted()) <= self._refusals:
            if self._clock.now_ns() - begin > COUNTED_S_MAX * 1e9:
                self._score.fail("counters", f"{attempt}: the bus has counted nothing")
                return
            self._meter.process_ended_within(0.05)
        self._refusals = counted

    def _counted(self) -> int:
        counters = self._meter.status()["counters"].get("bus", {})
        return sum(counters.get(name, 0) for name in COUNTS)

    def _energies(self) -> dict[str, int]:
        return msgspec.convert(self._meter.status()["energy_microjoule"], dict[str, int])


def rows(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The attempts in a document of the drill."""
    return [row for row in document["details"] if row.get("what") == "attempt"]
