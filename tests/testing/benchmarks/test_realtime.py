"""The window benchmark: what it makes of stretches, and a short run of it in which real partitions never overlap."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise

import msgspec
import pytest

from wattwheel.testing.benchmarks import realtime
from wattwheel.testing.benchmarks.realtime import FRAME_NS, MS, WINDOWS, Figures, figures
from wattwheel.testing.benchmarks.window_partitions import Ran

ORIGIN = 12_345_678


def told(late_ns: int, over_ns: int) -> dict[str, Ran]:
    """Three frames in which every start and every end is that late."""
    return {
        name: Ran(
            ORIGIN,
            [
                (
                    ORIGIN + frame * FRAME_NS + start + late_ns,
                    ORIGIN + frame * FRAME_NS + start + duration + over_ns,
                )
                for frame in range(3)
            ],
        )
        for name, (start, duration) in WINDOWS.items()
    }


@pytest.mark.parametrize(("late_ns", "over_ns"), [(0, 0), (70_000, 50_000), (3 * MS, -2 * MS), (-1, 4 * MS)])
def test_lateness_is_what_was_put_in(late_ns, over_ns):
    found = figures(told(late_ns, over_ns), [5, 3, 4], True)
    assert found == Figures(True, [late_ns] * 6, [over_ns] * 6, [3, 4, 5])


def test_ranks():
    assert realtime.rank([1000 * number for number in range(100)], 0.99) == 99
    assert realtime.in_words([1000, 2000, 3000]) == "2 / 3 / 3"


PROGRAM = """
import json, sys, msgspec
from wattwheel.testing.benchmarks.realtime import run_windows
told, bare, granted = run_windows(4, False)
print(json.dumps([{name: msgspec.to_builtins(ran) for name, ran in told.items()}, len(bare)]))
"""


def test_real_partitions_run_in_turn_and_never_two_at_once():
    """Each stands still before the next is set going, so however late the machine is, no two stretches overlap."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, timeout=100)
    assert done.returncode == 0, done.stderr.decode()
    stretches, bare = msgspec.json.decode(done.stdout.splitlines()[-1], type=tuple[dict[str, Ran], int])
    assert set(stretches) == set(WINDOWS)
    assert all(len(ran.spans) == 4 for ran in stretches.values())  # what a window's end interrupts goes on in the next
    assert bare >= 3
    spans = sorted((begun, ended, name) for name, ran in stretches.items() for begun, ended in ran.spans)
    for (_, ended, one), (begun, _, other) in pairwise(spans):
        assert one == other or ended < begun
