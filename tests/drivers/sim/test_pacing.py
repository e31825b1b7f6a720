"""Samples fall due exactly, however the time is cut and whatever the speed."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from wattwheel.drivers.sim.pacing import BLOCKS_PER_READ_MAX, Pace

YEAR_NS = 365 * 86_400 * 10**9


@given(steps=st.lists(st.integers(0, 3 * 10**9), max_size=30), speed=st.sampled_from([0.5, 1.0, 20.0]))
def test_blocks_join_and_end_where_the_clock_is(steps: list[int], speed: float):
    pace, now, taken = Pace(6400.0, 1000, speed), 1000, 0
    for step in steps:
        now += step
        for first, end in pace.take(now):
            assert first == taken
            assert 0 < end - first <= 6400
            taken = end
    assert taken == (int((now - 1000) * 6400 * speed) // 10**9 + 1 if steps else 0)


def test_no_drift_in_a_year_and_none_due_before_the_origin():
    pace = Pace(30707.244140625, 5, 1.0)
    assert pace.due(4) == 0
    assert pace.due(5) == 1
    assert pace.due(5 + YEAR_NS) == 30707244140625 * 365 * 86_400 // 10**9 + 1


def test_after_a_pause_the_rest_comes_later_and_nothing_is_lost():
    pace = Pace(100.0, 0, 1.0)
    now = 1000 * 10**9
    first_read = list(pace.take(now))
    assert len(first_read) == BLOCKS_PER_READ_MAX
    blocks = first_read
    while more := list(pace.take(now)):
        blocks += more
    assert blocks[-1][1] == 100_001
    assert all(one[1] == two[0] for one, two in pairwise(blocks))


def test_end_of_a_record():
    pace = Pace(100.0, 0, 1.0)
    assert list(pace.take(10**10, end=42)) == [(0, 42)]
    assert list(pace.take(2 * 10**10, end=42)) == []
