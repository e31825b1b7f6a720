"""What the kernel tells the display, out of what the partitions count."""

from __future__ import annotations

from wattwheel.boot.condition import condition_of
from wattwheel.model.condition import Condition, condition_told


def test_faults_and_frames():
    counters = {
        "metering": {"core_faults": 1},
        "store": {"store_failing": 1},
        "platform": {"clock_lost": 1},
        "communication": {"reads_by_owner": 3, "changes_refused": 2, "connections": 99},
    }
    assert condition_of(counters) == Condition(frozenset({"memory_write", "clock_lost", "store_write"}), 5)
    assert condition_of({"store": {"store_failing": 0, "store_unmended": 2}}).faults == {"store_damaged"}
    assert condition_of({}) == condition_told(None) == condition_told(b"{}") == Condition()
    told = condition_of(counters)
    assert condition_told(told.message()) == told
    assert told.message() == b'{"faults":["clock_lost","memory_write","store_write"],"frames":5}'


def test_the_same_condition_is_the_same_message():
    names = [f"fault_{number}" for number in range(9)]
    listed = ",".join(f'"{name}"' for name in names)
    assert Condition(frozenset(names), 1).message() == f'{{"faults":[{listed}],"frames":1}}'.encode()
