"""Edges by timerfd, and windows kept over real processes: who stands and who goes, looked at from outside."""

from __future__ import annotations

import os
import select
import time

import pytest

from wattwheel.drivers.linux.loop import EpollLoop
from wattwheel.drivers.linux.windows import LinuxEdgeTimer, take_real_time_priority

PATIENCE_S = 30.0
MS = 1_000_000


@pytest.fixture
def loop():
    loop = EpollLoop()
    yield loop
    loop.close()


def until(loop, condition):
    end = time.monotonic_ns() + int(PATIENCE_S * 1e9)
    while not condition():
        assert time.monotonic_ns() < end
        loop.step(0.05)


def test_an_order_is_carried_out_once_and_never_early(loop):
    timer = LinuxEdgeTimer(loop)
    ran = []
    due = time.monotonic_ns() + 5 * MS
    timer.call_at(due, lambda: ran.append(time.monotonic_ns()))
    until(loop, lambda: bool(ran))
    loop.step(0.02)
    assert len(ran) == 1
    assert ran[0] >= due
    timer.close()


def test_a_later_order_takes_the_place_of_an_earlier_one(loop):
    timer = LinuxEdgeTimer(loop)
    ran = []
    now = time.monotonic_ns()
    timer.call_at(now + 2 * MS, lambda: ran.append("first"))
    timer.call_at(now + 4 * MS, lambda: ran.append("second"))
    until(loop, lambda: bool(ran))
    assert ran == ["second"]
    timer.call_at(now - 5 * MS, lambda: timer.call_at(0, lambda: ran.append("past")))
    until(loop, lambda: len(ran) == 2)
    timer.close()


def test_an_order_given_anew_after_the_expiry_is_not_mistaken_for_the_old_one(loop):
    timer = LinuxEdgeTimer(loop)
    ran = []
    timer.call_at(time.monotonic_ns(), lambda: ran.append("old"))
    assert select.select([loop.fileno()], [], [], PATIENCE_S)[0]
    due = time.monotonic_ns() + 5 * MS
    timer.call_at(due, lambda: ran.append(time.monotonic_ns()))
    until(loop, lambda: bool(ran))
    assert ran[0] >= due
    timer.close()


def test_a_closed_timer_gives_its_descriptor_back(loop):
    before = len(os.listdir("/proc/self/fd"))
    LinuxEdgeTimer(loop).close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_real_time_priority_is_taken_or_refused_and_never_inherited():
    """In a process of its own; whether it is granted is the machine's business."""
    import subprocess
    import sys

    program = (
        "import os; from wattwheel.drivers.linux.windows import take_real_time_priority as take\n"
        "granted = take()\n"
        "kind = os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK\n"
        "assert granted == (kind == os.SCHED_FIFO), (granted, kind)\n"
        "child = os.fork()\n"
        "if child == 0: os._exit(os.sched_getscheduler(0))\n"
        "assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == os.SCHED_OTHER\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert callable(take_real_time_priority)
