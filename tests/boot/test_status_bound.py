"""The status document fits its cell, whatever partitions have said."""

import msgspec

from wattwheel.boot.kernel_process import bounded


def test_what_partitions_said_is_left_out_first():
    document = {"ready": True, "counters": {"a": {"x" * 5000: 1}}, "health": [{"detail": "y" * 3000}]}
    assert msgspec.json.decode(bounded(document, 10_000)) == document
    assert msgspec.json.decode(bounded(document, 7_000)) == {**document, "counters": {}}
    assert msgspec.json.decode(bounded(document, 1_000)) == {"ready": True, "counters": {}, "health": []}
    assert document["health"]
