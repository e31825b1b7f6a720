"""Rings of frozen entries: what is saved comes back, what is not ours does not."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattwheel.apps.freeze_rings import Frozen, rings_of
from wattwheel.model.bcd import MINUTES_MAX
from wattwheel.model.freeze_content import DEPTHS, FreezeKind

DAILY = FreezeKind.DAILY


def entry(sequence: int, minute: int = 0) -> bytes:
    return msgspec.msgpack.encode(Frozen(sequence, minute, {1: b"\x01"}))


@given(st.lists(st.integers(0, 300), max_size=12), st.sampled_from(FreezeKind))
def test_whatever_was_added_the_newest_are_there_in_order(minutes, kind):
    ring, saved = rings_of()[kind], {}
    for minute in minutes:
        key, octets = ring.next_entry(minute, {1: bytes((minute % 200,))})
        ring.add(minute, octets)
        saved[key] = octets
    kept: list[int] = []  # newest first
    for minute in minutes:
        kept = kept if minute in kept else [minute, *kept][: DEPTHS[kind]]
    newest = kept
    for each in (ring, rings_of(saved)[kind]):
        assert [each.entry(back).minute for back in each.backs] == newest
        assert list(each.backs) == list(range(1, len(newest) + 1))
        assert sorted(each.keys) == sorted(saved)
        assert all(each.has(minute) for minute in newest)
        assert each.has(301) is False


def test_an_entry_that_fell_out_is_forgotten():
    ring = rings_of()[FreezeKind.ZONE_SETS]
    for minute in (1, 2, 3):
        ring.add(minute, ring.next_entry(minute, {})[1])
    assert not ring.has(1)
    assert [ring.entry(back).minute for back in ring.backs] == [3, 2]
    assert len(ring.keys) == 2


@pytest.mark.parametrize(
    ("key", "octets"),
    [
        ("freezing 6 2", entry(1)),  # another slot
        ("freezing 6 0", entry(0)),
        ("freezing 6 1", entry(1, MINUTES_MAX + 1)),
        ("freezing 6 1", entry(1, -1)),
        ("freezing 8 1", entry(1)),
        ("freezing 6 x", entry(1)),
        ("freezing 6", entry(1)),
        ("freezing 6 1", b"\x93\x01"),
        ("freezing 6 1", b""),
        ("freezing 6 1", msgspec.msgpack.encode(Frozen(1, 0, {1: bytes(5000)}))),
        ("settled 1", entry(1)),
    ],
)
def test_what_is_no_entry_is_passed_over(key, octets):
    assert all(ring.keys == [] and ring.newest == 0 for ring in rings_of({key: octets}).values())
    rings = rings_of({key: octets, "freezing 6 7": entry(7, 5)})
    assert [rings[DAILY].entry(back).minute for back in rings[DAILY].backs] == [5]


def test_an_entry_that_a_round_was_lost_behind_is_not_taken_for_a_newer_one():
    ring = rings_of({"freezing 6 1": entry(1, 11), "freezing 6 38": entry(100, 22)})[DAILY]
    assert [ring.entry(back).minute for back in ring.backs] == [22]
    assert ring.entry(38) is ring.entry(100) is ring.entry(0) is None
    assert ring.has(22)
    assert not ring.has(11)


def test_after_being_emptied_a_ring_counts_on():
    ring = rings_of()[DAILY]
    ring.add(1, ring.next_entry(1, {})[1])
    ring.empty()
    assert ring.keys == list(ring.backs) == []
    assert not ring.has(1)
    ring.add(2, ring.next_entry(2, {})[1])
    assert ring.entry(1).sequence == 2
