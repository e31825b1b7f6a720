"""The real-time figures: their arithmetic, and a short run of each."""

from __future__ import annotations

import subprocess
import sys

import msgspec

from wattwheel.testing.benchmarks import realtime_tasks
from wattwheel.testing.benchmarks.realtime_tasks import WARM_UP, histogram, result


def test_the_histogram_counts_by_powers_of_two():
    assert (
        histogram([0, 999, 1000, 1999, 2000, 4000, 1_000_000]) == "<1 us: 2, <2 us: 2, <4 us: 1, <8 us: 1, <1024 us: 1"
    )


def test_a_distribution_is_told_whole():
    told = result("name", [1000 * number for number in range(100)], "what")
    assert told.value == 99
    assert "100 times; min/p50/p99/max: 0 / 50 / 99 / 99 us" in told.notes


def test_every_switch_and_every_signal_is_counted():
    assert len(realtime_tasks.task_switches(50)) == 50
    shuffles = realtime_tasks.semaphore_shuffles(600)  # more than the scheduler does in a row
    assert (len(shuffles), min(shuffles) > 0) == (600, True)
    program = (
        "from wattwheel.testing.benchmarks.realtime_tasks import *\n"
        "print(msgspec.json.encode([signal_receptions(50), channel_waits(50)]).decode())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=100)
    assert done.returncode == 0, done.stderr.decode()
    for waits in msgspec.json.decode(done.stdout.splitlines()[-1], type=list[list[int]]):
        assert len(waits) == 50
        assert min(waits) > 0
    assert WARM_UP > 0
