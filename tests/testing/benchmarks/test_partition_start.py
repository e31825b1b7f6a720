"""The start benchmark: what it makes of its figures, and a short run of it with real partitions."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest

from wattwheel.testing.benchmarks.partition_start import Figures, results

LOOK = {"Private_Dirty": 3000, "Private_Clean": 8, "Pss": 10_000}


@pytest.mark.parametrize(("p99_ns", "is_met"), [(9_999_000, True), (10_001_000, False)])
def test_the_start_is_held_against_its_target_at_the_99th_percentile(p99_ns, is_met):
    start, _ = results(Figures("L2", [3_000_000] * 98 + [p99_ns] * 2, [LOOK]))
    assert (start.name, start.met) == ("partition_start", is_met)
    assert start.value == p99_ns / 1e6
    assert "p50 3.00 ms" in start.notes[0]


@pytest.mark.parametrize(("dirty_kib", "is_met"), [(3898, True), (3900, False)])
def test_memory_is_what_is_private_in_decimal_megabytes(dirty_kib, is_met):
    looks = [{**LOOK, "Private_Dirty": dirty} for dirty in (1, dirty_kib, 1_000_000)]
    _, memory = results(Figures("L2", [1], looks))
    assert (memory.name, memory.met) == ("partition_memory", is_met)
    assert memory.value == pytest.approx((dirty_kib + 8) * 1024 / 1e6)


def test_real_partitions_start_behind_their_wall():
    command = [sys.executable, "-m", "wattwheel.testing.benchmarks.partition_start", "3"]
    done = subprocess.run(command, capture_output=True, timeout=100)
    assert done.returncode == 0, done.stderr.decode()
    found = msgspec.json.decode(done.stdout.splitlines()[-1], type=Figures)
    assert len(found.starts_ns) == 3
    assert all(start_ns > 0 for start_ns in found.starts_ns)
    assert all(look["Private_Dirty"] > 0 for look in found.memory_kib)
