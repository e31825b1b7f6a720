"""How well windows are kept: partitions that burn the processor, their real starts and ends beside a bare timer.

Three partitions are busy in windows of 28, 30 and 28 ms of a major frame of 100 ms. Each notes when it really ran; a
start is late by its first instant in a window, an end by its last. In what is left of each frame the same process waits
for one more instant with a timer and nothing else: that lateness is the machine's own.
"""

from __future__ import annotations

import json
import subprocess
import sys

import msgspec

from wattwheel.boot.body import run_body
from wattwheel.drivers.linux.clock import LinuxClock
from wattwheel.drivers.linux.loop import EpollLoop
from wattwheel.drivers.linux.process import LinuxProcessHost
from wattwheel.drivers.linux.windows import LinuxEdgeTimer, take_real_time_priority
from wattwheel.hil.ports import SamplingDestination
from wattwheel.kernel.config import (
    KERNEL,
    ModuleConfig,
    PartitionConfig,
    PortEnd,
    SamplingChannelConfig,
    ScheduleConfig,
    WindowConfig,
)
from wattwheel.kernel.module import Module
from wattwheel.testing.benchmarks.result import Result
from wattwheel.testing.benchmarks.window_partitions import SPANS_PORT, Ran, Work

MS = 1_000_000
FRAME_NS = 100 * MS
WINDOWS = {"first": (0, 28 * MS), "second": (28 * MS, 30 * MS), "third": (58 * MS, 28 * MS)}
BARE_OFFSET_NS = 93 * MS
GAP_NS = 20 * MS
"""Shorter pauses are the machine's, not the window's: another process had the processor."""
FRAMES = 40
SPANS_OCTETS_MAX = 16_384
TIMEOUT_S = 60
BARE = "bare timer"


class Figures(msgspec.Struct, frozen=True):
    """Nanoseconds, each list sorted: late starts, late ends (negative: it did not have the processor at its end)."""

    is_real_time: bool
    starts: list[int]
    overruns: list[int]
    bare: list[int]


def measure(frames: int = FRAMES) -> list[Result]:
    """Lateness of starts and ends, in real-time priority where the machine grants it, and without."""
    plain = measure_once(frames, is_real_time=False)
    best = measure_once(frames, is_real_time=True)
    notes = [
        f"{frames} major frames of 100 ms, windows of 28, 30 and 28 ms of three busy partitions",
        f"real-time priority of the keeper: {'granted' if best.is_real_time else 'not granted'}",
    ]
    return [
        _result("realtime_window_start", best.starts, best.bare, plain.starts, plain.bare, notes),
        _result("realtime_window_overrun", best.overruns, best.bare, plain.overruns, plain.bare, notes),
    ]


def _result(
    name: str, ours: list[int], bare: list[int], plain: list[int], plain_bare: list[int], notes: list[str]
) -> Result:
    p99, bare_p99 = rank(ours, 0.99), rank(bare, 0.99)
    return Result(
        name=name,
        value=p99,
        unit="us p99",
        peers={BARE: bare_p99},
        ratio=p99 / bare_p99 if bare_p99 else None,
        at_most=True,
        notes=[
            *notes,
            f"p50/p99/max: {in_words(ours)}; {BARE}: {in_words(bare)}",
            f"without real-time priority: {in_words(plain)}; {BARE}: {in_words(plain_bare)}",
        ],
    )


def rank(ordered_ns: list[int], share: float) -> float:
    """The value at `share` of a sorted list, in microseconds."""
    return ordered_ns[min(len(ordered_ns) - 1, int(len(ordered_ns) * share))] / 1000


def in_words(ordered_ns: list[int]) -> str:
    """p50, p99 and maximum in microseconds."""
    return " / ".join(f"{rank(ordered_ns, share):.0f}" for share in (0.5, 0.99, 1.0))


def measure_once(frames: int, is_real_time: bool) -> Figures:
    """One run, in a process of its own so that its zygote starts small."""
    command = [sys.executable, "-m", "wattwheel.testing.benchmarks.realtime", str(frames), str(int(is_real_time))]
    done = subprocess.run(command, capture_output=True, check=True, timeout=TIMEOUT_S)
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=Figures)


def window_module(frames: int) -> ModuleConfig:
    """The module of three busy partitions."""
    settings = msgspec.json.encode(Work(frames, GAP_NS))
    entry = "wattwheel.testing.benchmarks.window_partitions:spinner"
    windows = tuple(
        WindowConfig(number, name, start, duration, is_period_start=True)
        for number, (name, (start, duration)) in enumerate(WINDOWS.items(), 1)
    )
    config = ModuleConfig(
        "windows",
        tuple(PartitionConfig(name, entry, settings) for name in WINDOWS),
        sampling_channels=tuple(
            SamplingChannelConfig(
                name, PortEnd(name, SPANS_PORT), (PortEnd(KERNEL, name),), SPANS_OCTETS_MAX, (KERNEL,)
            )
            for name in WINDOWS
        ),
        schedule=ScheduleConfig(FRAME_NS, windows),
    )
    config.check()
    return config


def run_windows(frames: int, is_real_time: bool) -> tuple[dict[str, Ran], list[int], bool]:
    """Run the module until each partition has told its stretches.

    Returns these, the bare timer's lateness in nanoseconds, and whether real-time priority was granted.
    """
    host = LinuxProcessHost(run_body)
    loop = EpollLoop()
    host.attach(loop)
    clock = LinuxClock(loop)
    is_granted = is_real_time and take_real_time_priority()
    told: dict[str, Ran] = {}
    module = Module(window_module(frames), clock, host, print, LinuxEdgeTimer(loop), loop.stop)
    for name in WINDOWS:
        _listen(name, host.sampling_destination(name), told, loop)
    module.start()
    bare_timer, bare = LinuxEdgeTimer(loop), list[int]()

    def expired(due_ns: int) -> None:
        bare.append(clock.now_ns() - due_ns)
        order(due_ns + FRAME_NS)

    def order(due_ns: int) -> None:
        bare_timer.call_at(due_ns, lambda: expired(due_ns))

    frame = module.partitions["first"].spec.frame
    assert frame is not None
    order(frame.origin_ns + BARE_OFFSET_NS)
    loop.run(lambda: None)
    module.stop(loop.stop)
    host.close()
    return told, bare, is_granted


def _listen(name: str, cell: SamplingDestination, told: dict[str, Ran], loop: EpollLoop) -> None:
    def take() -> None:
        sample = cell.read()
        if sample is not None:
            told[name] = msgspec.json.decode(sample.message, type=Ran)
        if len(told) == len(WINDOWS):
            loop.stop()

    cell.on_arrival(take)


def figures(told: dict[str, Ran], bare: list[int], is_granted: bool) -> Figures:
    """Lateness of every start and end; the first stretch, in which the partition was born, is left out."""
    starts, overruns = [], []
    for name, (offset, duration) in WINDOWS.items():
        ran = told[name]
        for begun, ended in ran.spans[1:]:
            into = (begun - ran.origin_ns - offset + FRAME_NS // 2) % FRAME_NS - FRAME_NS // 2
            starts.append(into)
            overruns.append(ended - (begun - into + duration))
    return Figures(is_granted, sorted(starts), sorted(overruns), sorted(bare))


if __name__ == "__main__":
    words = sys.argv[1:]
    print(json.dumps(msgspec.to_builtins(figures(*run_windows(int(words[0]), words[1] == "1")))))
