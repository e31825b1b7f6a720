"""Real-time figures of one partition and of a channel between two: task switching, signal reception, communication.

Each is a distribution: minimum, p50, p99, maximum, and how many fell into each power of two of microseconds.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import partial
from typing import Any

import msgspec

from wattwheel.apex.codes import Discipline, OperatingMode
from wattwheel.apex.limits import INFINITE
from wattwheel.apex.partition import StartContext
from wattwheel.apex.process import Body, ProcessAttributes
from wattwheel.apex.scheduler import PROCESS_BIT
from wattwheel.apex.services import Apex
from wattwheel.apex.wheel import Wheel
from wattwheel.boot.body import run_body
from wattwheel.drivers.linux.clock import LinuxClock
from wattwheel.drivers.linux.loop import EpollLoop
from wattwheel.drivers.linux.process import LinuxProcessHost
from wattwheel.hil.process import BodySpec
from wattwheel.kernel.config import (
    KERNEL,
    ModuleConfig,
    PartitionConfig,
    PortEnd,
    QueuingChannelConfig,
    SamplingChannelConfig,
)
from wattwheel.kernel.module import Module
from wattwheel.testing.benchmarks.result import Result

SWITCHES, SIGNALS, MESSAGES = 20_000, 2_000, 2_000
WARM_UP = 100
MESSAGE_PERIOD_NS = 500_000
MESSAGE_OCTETS = 64
FIGURES_OCTETS_MAX = 65_536
TIMEOUT_S = 60
FIRST_BIT, SECOND_BIT = 0, 1
PORT, FIGURES = "messages", "figures"


def measure() -> list[Result]:
    """All figures, each in a process of its own."""
    return [
        result("realtime_task_switch", _run("switch"), "a task posts the next one; from the end of one to the other"),
        result(
            "realtime_semaphore",
            _run("semaphore"),
            "two processes hand each other the turn by semaphores; from the signal of one to the wait of the other",
        ),
        result("realtime_signal", _run("signal"), "a signal to the process itself, until the task that takes it"),
        result(
            "realtime_channel",
            _run("channel"),
            f"a message of {MESSAGE_OCTETS} octets every {MESSAGE_PERIOD_NS // 1000} us from one sleeping partition to "
            "another, until the task that takes it",
        ),
    ]


def _run(what: str) -> list[int]:
    command = [sys.executable, "-m", "wattwheel.testing.benchmarks.realtime_tasks", what]
    done = subprocess.run(command, capture_output=True, check=True, timeout=TIMEOUT_S)
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=list[int])


def result(name: str, nanoseconds: list[int], what: str) -> Result:
    """The figure of a distribution."""
    ordered = sorted(nanoseconds)
    ranks = [ordered[min(len(ordered) - 1, int(len(ordered) * share))] / 1000 for share in (0, 0.5, 0.99, 1)]
    return Result(
        name=name,
        value=ranks[2],
        unit="us p99",
        at_most=True,
        notes=[
            what,
            f"{len(ordered)} times; min/p50/p99/max: {' / '.join(f'{rank:.3g}' for rank in ranks)} us",
            f"histogram: {histogram(ordered)}",
        ],
    )


def histogram(nanoseconds: list[int]) -> str:
    """How many fell below each power of two of microseconds and not below the one before."""
    buckets: dict[int, int] = {}
    for value in nanoseconds:
        power = (value // 1000).bit_length()
        buckets[power] = buckets.get(power, 0) + 1
    return ", ".join(f"<{1 << power} us: {number}" for power, number in sorted(buckets.items()))


def task_switches(times: int = SWITCHES) -> list[int]:
    """Two tasks that post each other: from the last thing the one does to the first thing the other does."""
    clock = LinuxClock(EpollLoop())
    wheel, waits, now_ns = Wheel(clock), list[int](), clock.now_ns
    posted = 0

    def to(bit: int) -> None:
        def task() -> None:
            nonlocal posted
            waits.append(now_ns() - posted)
            if len(waits) < times + WARM_UP:
                posted = now_ns()
                wheel.post(bit)

        wheel.task(1 - bit, task)

    to(FIRST_BIT)
    to(SECOND_BIT)
    posted = now_ns()
    wheel.post(FIRST_BIT)
    wheel.turn()
    return waits[WARM_UP:]


def semaphore_shuffles(times: int = SWITCHES) -> list[int]:
    """Two processes, each of which signals the other's semaphore and waits for its own."""
    clock = LinuxClock(EpollLoop())
    context = StartContext(BodySpec("shuffle", "", b"{}", (), ()), clock, _NoPorts())
    apex, waits, now_ns = Apex(context), list[int](), clock.now_ns
    semaphores = [apex.CREATE_SEMAPHORE(name, 0, 1, Discipline.FIFO)[0] for name in ("first", "second")]
    signalled = now_ns()

    def shuffle(own: int, other: int) -> Body:
        nonlocal signalled
        while len(waits) < times + WARM_UP:
            yield apex.WAIT_SEMAPHORE(own, INFINITE)
            waits.append(now_ns() - signalled)
            signalled = now_ns()
            apex.SIGNAL_SEMAPHORE(other)

    for own, other in (semaphores, semaphores[::-1]):
        attributes = ProcessAttributes(f"process {own}", partial(shuffle, own, other), 10)
        apex.START(apex.CREATE_PROCESS(attributes)[0])
    apex.SET_PARTITION_MODE(OperatingMode.NORMAL)
    context.wheel.turn()
    signalled = now_ns()
    apex.SIGNAL_SEMAPHORE(semaphores[0])
    while len(waits) < times + WARM_UP:  # the scheduler lets the loop in now and then
        context.wheel.post(PROCESS_BIT)
        context.wheel.turn()
    return waits[WARM_UP : WARM_UP + times]


class _NoPorts:
    """A `PortMaker` of a partition without ports."""

    def __getattr__(self, name: str) -> Any:
        raise KeyError(name)


def signal_receptions(times: int = SIGNALS) -> list[int]:
    """A signal, the loop, the board, the task."""
    loop = EpollLoop()
    clock = LinuxClock(loop)
    wheel, waits, now_ns, own = Wheel(clock), list[int](), clock.now_ns, os.getpid()
    sent = 0

    def task() -> None:
        waits.append(now_ns() - sent)

    wheel.task(FIRST_BIT, task)
    loop.on_signal(signal.SIGUSR1, wheel.poster(FIRST_BIT))
    for number in range(times + WARM_UP):
        sent = now_ns()
        os.kill(own, signal.SIGUSR1)
        while len(waits) <= number:
            loop.step(None)
            wheel.turn()
    loop.close()
    return waits[WARM_UP:]


def sender(context: StartContext) -> None:
    """An entry: the time of its sending, again and again."""
    port = context.queuing_source(PORT)
    now_ns = context.clock.now_ns
    rest = bytes(MESSAGE_OCTETS - 8)

    def send() -> None:
        port.send(now_ns().to_bytes(8, "little") + rest)

    context.wheel.task(FIRST_BIT, send)
    context.wheel.post_every(MESSAGE_PERIOD_NS, FIRST_BIT)


def receiver(context: StartContext) -> None:
    """An entry: how old each message is when its task has it."""
    port, figures = context.queuing_destination(PORT), context.sampling_source(FIGURES)
    now_ns, times = context.clock.now_ns, context.decode_settings(int)
    waits: list[int] = []

    def take() -> None:
        while (message := port.receive()) is not None:
            waits.append(now_ns() - int.from_bytes(message[:8], "little"))
            port.done()
            if len(waits) == times + WARM_UP:
                figures.write(msgspec.json.encode(waits[WARM_UP:]))

    context.wheel.task(FIRST_BIT, take)
    port.on_message(context.wheel.poster(FIRST_BIT))


def channel_waits(times: int = MESSAGES) -> list[int]:
    """One way from partition to partition."""
    host = LinuxProcessHost(run_body)
    loop = EpollLoop()
    host.attach(loop)
    entry = "wattwheel.testing.benchmarks.realtime_tasks"
    config = ModuleConfig(
        "channel",
        (
            PartitionConfig("sender", f"{entry}:sender"),
            PartitionConfig("receiver", f"{entry}:receiver", msgspec.json.encode(times)),
        ),
        (QueuingChannelConfig("channel", PortEnd("sender", PORT), (PortEnd("receiver", PORT),)),),
        (
            SamplingChannelConfig(
                "figures", PortEnd("receiver", FIGURES), (PortEnd(KERNEL, FIGURES),), FIGURES_OCTETS_MAX, (KERNEL,)
            ),
        ),
    )
    config.check()
    module = Module(config, LinuxClock(loop), host, print)
    cell = host.sampling_destination("figures")
    cell.on_arrival(loop.stop)
    module.start()
    loop.run(lambda: None)
    sample = cell.read()
    assert sample is not None
    host.close()
    return msgspec.json.decode(sample.message, type=list[int])


if __name__ == "__main__":
    kinds = {
        "switch": task_switches,
        "semaphore": semaphore_shuffles,
        "signal": signal_receptions,
        "channel": channel_waits,
    }
    print(msgspec.json.encode(kinds[sys.argv[1]]()).decode())
