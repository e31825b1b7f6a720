"""What a whole standard meter takes: time to start, memory, processor at rest, octets written at rest."""

from __future__ import annotations

import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

from wattwheel.drivers.linux.clock import LinuxClock
from wattwheel.drivers.linux.loop import EpollLoop
from wattwheel.testing.benchmarks.load import IDENTIFIERS, good_head, is_good, request
from wattwheel.testing.benchmarks.reads import ADDRESS
from wattwheel.testing.benchmarks.result import Result, median
from wattwheel.testing.living import LivingMeter

BOOTS = 5
TRY_S = 0.02
GIVE_UP_S = 20.0
REST_S = 180.0
"""Three commits of the store and nine syncs of the registers, so that none more or less weighs much."""
DAY_S = 86_400
PAGE_REQUEST = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"


def measure_boot(boots: int = BOOTS) -> list[Result]:
    """Power-on to the first answered read, and to the first page."""
    reads, pages = [], []
    for _ in range(boots):
        meter = LivingMeter("", "--dlt645", f"127.0.0.1:{_free_port()}", "--web", f"127.0.0.1:{_free_port()}")
        with _Starting(meter) as start:
            reads.append(start.seconds_to(start.read_door(), _ask, _is_answer))
            pages.append(start.seconds_to(start.page_door(), PAGE_REQUEST, _is_page))
    note = f"{boots} starts, median; from the start of the command's interpreter"
    return [
        Result(
            name="boot", value=median(reads), unit="s", target=0.5, at_most=True, notes=[note, "first answered read"]
        ),
        Result(name="boot_page", value=median(pages), unit="s", target=1.0, at_most=True, notes=[note, "first page"]),
    ]


class _Starting:
    """A meter that is being started, polled from outside as a stranger would."""

    def __init__(self, meter: LivingMeter) -> None:
        self._meter = meter
        self._clock = LinuxClock(EpollLoop())

    def __enter__(self) -> _Starting:
        self._meter.launch()
        return self

    def __exit__(self, *_: object) -> None:
        self._meter.__exit__(None, None, None)

    def read_door(self) -> int:
        """Port of the DL/T 645 door."""
        return int(self._meter.arguments[1].rpartition(":")[2])

    def page_door(self) -> int:
        """Port of the page."""
        return int(self._meter.arguments[3].rpartition(":")[2])

    def seconds_to(self, port: int, question: bytes, is_good_answer: Any) -> float:
        """Seconds from power-on until `question` is answered well."""
        while True:
            elapsed_s = (self._clock.now_ns() - self._meter.started_ns) / 1e9
            if elapsed_s > GIVE_UP_S:
                raise TimeoutError(f"port {port} did not answer within {GIVE_UP_S} s")
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=GIVE_UP_S) as channel:
                channel.sendall(question)
                if is_good_answer(channel.recv(4096)):
                    return (self._clock.now_ns() - self._meter.started_ns) / 1e9
            self._meter.process_ended_within(TRY_S)


_ask = request(ADDRESS, IDENTIFIERS[0])


def _is_answer(reply: bytes) -> bool:
    return is_good(reply, good_head(ADDRESS, IDENTIFIERS[0]))


def _is_page(reply: bytes) -> bool:
    return reply.startswith(b"HTTP/1.1 200")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def measure_rest(rest_s: float = REST_S) -> list[Result]:
    """Memory, processor time and octets written of a standard meter that nobody asks, page served once before."""
    with LivingMeter() as meter:
        host, port = meter.door("web")
        with socket.create_connection((host, port), timeout=10) as channel:
            channel.sendall(PAGE_REQUEST)
            while channel.recv(65_536):
                pass
        meter.process_ended_within(5.0)
        pids = meter.pids()
        busy, written = _busy_s(pids), _written_octets(pids)
        meter.process_ended_within(rest_s)
        assert meter.pids() == pids, "a process was restarted during the rest"
        busy, written = _busy_s(pids) - busy, _written_octets(pids) - written
        memory = {name: _resident_mib(pid) for name, pid in pids.items()}
    shares = ", ".join(f"{name} {value:.1f}" for name, value in memory.items())
    return [
        Result(
            name="memory",
            value=sum(memory.values()),
            unit="MiB",
            target=120,
            at_most=True,
            notes=[f"proportional set size of all processes, page included: {shares}"],
        ),
        Result(
            name="idle_cpu",
            value=100 * busy / rest_s,
            unit="% of one core",
            target=3,
            at_most=True,
            notes=[f"user and system time of all processes over {rest_s:g} s, sample chain included"],
        ),
        Result(
            name="written_per_day",
            value=written / rest_s * DAY_S / 1e6,
            unit="MB",
            target=50,
            at_most=True,
            notes=[
                f"write_bytes of all processes over {rest_s:g} s, scaled to a day; file system journal not included"
            ],
        ),
    ]


def _busy_s(pids: dict[str, int]) -> float:
    """Seconds of processor time by the scheduler's own count, finer than clock ticks."""
    return sum(int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for pid in pids.values()) / 1e9


def _written_octets(pids: dict[str, int]) -> int:
    lines = (line.split() for pid in pids.values() for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    return sum(int(value) for key, value in lines if key == "write_bytes:")


def _resident_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0
