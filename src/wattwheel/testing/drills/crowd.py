"""The drill `crowd`: 64 APPs ask each other everything at once through one bus, and a head-end goes on reading.

A real meter gets 64 partitions more. Each asks its requests of all the others, as many at a time as its quota on the
bus lets it; the rest waits with the asker, and nothing is dropped anywhere. An answer names who gave it and repeats the
question, so an answer from the wrong owner, to the wrong asker or a second time would show.
"""

from __future__ import annotations

import socket
import tempfile
from pathlib import Path

from wattwheel.boot.added_apps import AddedApp
from wattwheel.boot.module_file import module_document
from wattwheel.boot.settings import MeterSettings, Settings
from wattwheel.drivers.linux.clock import LinuxClock
from wattwheel.drivers.linux.loop import EpollLoop
from wattwheel.testing.benchmarks.load import IDENTIFIERS, good_head, is_good, request
from wattwheel.testing.drills.crowd_partition import (
    ANSWERED,
    CROWD_MAX,
    ENTRY,
    GO,
    OWN_DI3,
    REFUSED,
    SERVED,
    UNANSWERED,
    WAIT_MAX_US,
    WAIT_MEAN_US,
    WRONG,
    identifier,
    name_of,
)
from wattwheel.testing.drills.score import Score
from wattwheel.testing.living import LivingMeter

CROWD = CROWD_MAX
REQUESTS_MAX = GO - 1
PATIENCE_S = 120.0
ANSWER_S_MAX = 5.0
NEVER = {
    "bus": ("late", "owner_full", "beyond_quota", "replies_dropped", "replies_unasked", "damaged", "unowned"),
    "member": ("bus_replies_late", "bus_asks_refused", "bus_messages_dropped", "bus_messages_damaged"),
}
"""Counters that stay where they are when nothing is lost and nobody is answered twice."""


def drill(times: int, seed: int) -> Score:
    """`times` requests of each of the crowd. Nothing is left to chance but who is when on the processor."""
    score = Score()
    requests = min(times, REQUESTS_MAX)
    names = [name_of(number, CROWD) for number in range(CROWD)]
    apps = [AddedApp(name, ENTRY, (f"{OWN_DI3:02X}{number:02X}",)) for number, name in enumerate(names)]
    with tempfile.TemporaryDirectory(prefix="wattwheel-drill-") as top:
        module = Path(top) / "meter.xml"
        module.write_bytes(module_document(Settings(), apps))
        with LivingMeter(f'[module]\nfile = "{module}"\n') as meter:
            score.level = str(meter.status()["isolation"])
            _hold(meter, names, requests, score)
            score.check(meter.stop() == 0, "orderly stop", "the board did not end with exit code 0")
    return score


def _hold(meter: LivingMeter, names: list[str], requests: int, score: Score) -> None:
    before = _counts(meter)
    energy = meter.status()["energy_microjoule"]
    clock = LinuxClock(EpollLoop())
    with socket.create_connection(meter.door("dlt645"), timeout=ANSWER_S_MAX) as line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number, name in enumerate(names):
            line.sendall(request(MeterSettings().address, f"{identifier(number, GO | requests):08X}"))
            score.check(bool(line.recv(4096)), "the order", f"{name} did not answer")
        begun_ns = clock.now_ns()
        waits, reads = [], 0
        while sum(_outcomes(meter, names).values()) < requests * len(names):
            if clock.now_ns() - begun_ns > PATIENCE_S * 1e9:
                score.fail("patience", f"not all answered within {PATIENCE_S:g} s")
                break
            waits.append(_read(line, reads, clock, score))
            reads += 1
        seconds = (clock.now_ns() - begun_ns) / 1e9
    meter.process_ended_within(1.0)  # counters are published with a delay
    _check(meter, names, requests, before, score)
    fell = [name for name, value in meter.status()["energy_microjoule"].items() if value < energy[name]]
    score.check(not fell, "metering", f"{fell} fell")
    after = _counts(meter)
    score.add(
        what="crowd",
        partitions=len(names),
        requests=requests * len(names),
        seconds=round(seconds, 3),
        requests_a_second=round(requests * len(names) / seconds),
        wait_ms_mean=round(sum(after[name].get(WAIT_MEAN_US, 0) for name in names) / len(names) / 1e3, 2),
        wait_ms_max=round(max(after[name].get(WAIT_MAX_US, 0) for name in names) / 1e3, 2),
        reads_beside=reads,
        read_wait_ms_max=round(max(waits, default=0.0) * 1e3, 2),
    )


def _read(line: socket.socket, number: int, clock: LinuxClock, score: Score) -> float:
    """One read of a head-end beside the crowd; its wait in seconds."""
    di, address = IDENTIFIERS[number % len(IDENTIFIERS)], MeterSettings().address
    begun_ns = clock.now_ns()
    line.sendall(request(address, di))
    try:
        reply = line.recv(4096)
    except TimeoutError:
        reply = b""
    score.check(is_good(reply, good_head(address, di)), "the head-end's reads", f"{di}: {reply.hex() or 'no answer'}")
    return (clock.now_ns() - begun_ns) / 1e9


def _check(
    meter: LivingMeter, names: list[str], requests: int, before: dict[str, dict[str, int]], score: Score
) -> None:
    after = _counts(meter)
    for name in names:
        own = after[name]
        score.check(own.get(ANSWERED, 0) == requests, "answers", f"{name}: {own.get(ANSWERED, 0)} of {requests}")
        for bad in (WRONG, REFUSED, UNANSWERED, *NEVER["member"]):
            score.check(not own.get(bad), "answers", f"{name}: {bad} {own.get(bad)}")
    served = sum(after[name].get(SERVED, 0) for name in names)
    score.check(served == requests * len(names), "once each", f"{served} served of {requests * len(names)}")
    for bad in NEVER["bus"]:
        grown = after["bus"].get(bad, 0) - before["bus"].get(bad, 0)
        score.check(not grown, "the bus", f"{bad} {grown}")


def _outcomes(meter: LivingMeter, names: list[str]) -> dict[str, int]:
    counts = _counts(meter)
    return {name: sum(counts[name].get(what, 0) for what in (ANSWERED, WRONG, REFUSED, UNANSWERED)) for name in names}


def _counts(meter: LivingMeter) -> dict[str, dict[str, int]]:
    counters: dict[str, dict[str, int]] = meter.status()["counters"]
    return {name: counters.get(name, {}) for name in meter.status()["modes"]}
