"""How fast a partition starts, and how much memory is its own while it rests.

The zygote holds what the meter's own holds; the partition's code is not part of it, as that of an added APP is not.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec

from wattwheel.apex.partition import COUNTERS_PORT, KERNEL_PORT
from wattwheel.boot.body import run_body
from wattwheel.boot.preloaded import preload
from wattwheel.drivers.linux.clock import LinuxClock
from wattwheel.drivers.linux.loop import EpollLoop
from wattwheel.drivers.linux.process import LinuxProcessHost
from wattwheel.hil.process import BodySpec, QueuingPortSpec, SamplingPortSpec
from wattwheel.kernel.module import COUNTERS_OCTETS_MAX, KERNEL_DEPTH, KERNEL_MESSAGE_OCTETS_MAX
from wattwheel.testing.benchmarks.realtime import rank
from wattwheel.testing.benchmarks.result import Result, median
from wattwheel.testing.benchmarks.start_partition import BEGAN_OCTETS, BEGAN_PORT

STARTS = 200
REST_S = 0.2
"""What a partition is given to come to rest before its memory is looked at."""
MEMORY_LOOKS = 10
TIMEOUT_S = 120
START_TARGET_MS = 10.0
MEMORY_TARGET_MB = 4.0
PARTITION = "starting"
ENTRY = "wattwheel.testing.benchmarks.start_partition:tell_start"
_KIB_A_MB = 1e6 / 1024


class Figures(msgspec.Struct, frozen=True):
    """From asking the zygote to the entry function, sorted; KiB of idle partitions by the kernel's own names."""

    level: str
    starts_ns: list[int]
    memory_kib: list[dict[str, int]]


def measure(starts: int = STARTS) -> list[Result]:
    """The two figures, from a process of its own so that its zygote holds no more than a meter's."""
    command = [sys.executable, "-m", "wattwheel.testing.benchmarks.partition_start", str(starts)]
    done = subprocess.run(command, capture_output=True, check=True, timeout=TIMEOUT_S)
    return results(msgspec.json.decode(done.stdout.splitlines()[-1], type=Figures))


def results(found: Figures) -> list[Result]:
    """What `found` says."""
    p50, p99 = (rank(found.starts_ns, share) / 1000 for share in (0.5, 0.99))
    parts = {name: median([float(look[name]) for look in found.memory_kib]) for name in found.memory_kib[0]}
    own_mb = (parts["Private_Dirty"] + parts["Private_Clean"]) / _KIB_A_MB
    in_words = ", ".join(f"{name} {value / _KIB_A_MB:.2f}" for name, value in parts.items())
    return [
        Result(
            name="partition_start",
            value=p99,
            unit="ms p99",
            target=START_TARGET_MS,
            at_most=True,
            notes=[
                f"{len(found.starts_ns)} starts one after the other, wall of {found.level} put up; p50 {p50:.2f} ms",
                "from asking the zygote to the first line of the entry function, its import included",
            ],
        ),
        Result(
            name="partition_memory",
            value=own_mb,
            unit="MB",
            target=MEMORY_TARGET_MB,
            at_most=True,
            notes=[f"private memory of an idle partition, median of {len(found.memory_kib)}; in MB: {in_words}"],
        ),
    ]


class Starting:
    """A host with one partition that is started again and again."""

    def __init__(self) -> None:
        self.host = LinuxProcessHost(run_body)
        self._loop = EpollLoop()
        self._clock = LinuxClock(self._loop)
        self.host.attach(self._loop)
        self.host.queuing_channel(KERNEL_PORT, KERNEL_MESSAGE_OCTETS_MAX, KERNEL_DEPTH)
        self.host.sampling_channel(COUNTERS_PORT, COUNTERS_OCTETS_MAX, ())
        self.host.sampling_channel(BEGAN_PORT, BEGAN_OCTETS, ("kernel",))
        self._spec = BodySpec(
            PARTITION,
            ENTRY,
            b"{}",
            (QueuingPortSpec(KERNEL_PORT, "SOURCE", (KERNEL_PORT,), KERNEL_MESSAGE_OCTETS_MAX, KERNEL_DEPTH),),
            (
                SamplingPortSpec(COUNTERS_PORT, "SOURCE", COUNTERS_PORT, COUNTERS_OCTETS_MAX, 0),
                SamplingPortSpec(BEGAN_PORT, "SOURCE", BEGAN_PORT, BEGAN_OCTETS, 0),
            ),
        )
        self._reports = self.host.queuing_destination(KERNEL_PORT)
        self._reports.on_arrival(self._take_reports)
        self._began = self.host.sampling_destination(BEGAN_PORT)
        self._began_ns = 0
        self._began.on_arrival(self._take_start)

    def _take_reports(self) -> None:
        while self._reports.peek_nowait() is not None:
            self._reports.consume()

    def _take_start(self) -> None:
        sample = self._began.read()
        if sample is not None:
            self._began_ns = int.from_bytes(sample.message, "big")

    def once(self, rest_s: float = 0.0) -> tuple[int, dict[str, int]]:
        """Start it, let it rest, end it: nanoseconds to its first line, and the memory that it had (KiB) if it rested.

        Raises RuntimeError when it ends before its first line.
        """
        before_ns, dead = self._began_ns, list[int]()
        asked_ns = self._clock.now_ns()
        body = self.host.spawn(self._spec)
        body.on_death(dead.append)
        while self._began_ns == before_ns and not dead:
            self._loop.step(None)
        until_ns = self._clock.now_ns() + int(rest_s * 1e9)
        while (left_ns := until_ns - self._clock.now_ns()) > 0:
            self._loop.step(left_ns / 1e9)
        if dead:
            raise RuntimeError(f"the partition ended by itself, status {dead[0]}")
        memory = memory_kib(body.pid) if rest_s else {}
        body.kill()
        while not dead:
            self._loop.step(None)
        return self._began_ns - asked_ns, memory


def memory_kib(pid: int) -> dict[str, int]:
    """Memory of a process by the names of /proc/PID/smaps_rollup."""
    lines = (line.split() for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines())
    found = {words[0].rstrip(":"): int(words[1]) for words in lines if words[0].endswith(":") and len(words) == 3}
    return {name: found[name] for name in ("Private_Dirty", "Private_Clean", "Pss")}


def run(starts: int) -> Figures:
    """Start a partition so often; every so often look at its memory."""
    preload()
    starting = Starting()
    times, memory = [], []
    for _ in range(starts):
        times.append(starting.once()[0])
    for _ in range(MEMORY_LOOKS):
        memory.append(starting.once(REST_S)[1])
    starting.host.close()
    return Figures(starting.host.offer.level, sorted(times), memory)


if __name__ == "__main__":
    print(msgspec.json.encode(run(int(sys.argv[1]))).decode())
