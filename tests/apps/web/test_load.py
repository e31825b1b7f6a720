"""The load of the last minute: order, age, bounds."""

from __future__ import annotations

from wattwheel.apps.web.load import LOAD_S, MAX_POINTS, LoadHistory, LoadPoint

SECOND_NS = 1_000_000_000


def test_it_holds_the_last_minute_oldest_first() -> None:
    history = LoadHistory()
    assert history.points(0) == []
    for second in range(100):
        history.add(second * SECOND_NS, None if second == 98 else float(second))
    found = history.points(99 * SECOND_NS + SECOND_NS // 2)
    assert found[0] == LoadPoint(59.5, 40.0)
    assert found[-2:] == [LoadPoint(1.5, None), LoadPoint(0.5, 99.0)]
    assert len(found) == LOAD_S


def test_readings_seen_twice_are_one_point_and_old_ones_none() -> None:
    history = LoadHistory()
    for at_ns, kilowatt in ((5, 1.0), (5, 1.0), (5, None), (4, 2.0), (6, 3.0)):
        history.add(at_ns, kilowatt)
    assert [point.kilowatt for point in history.points(6)] == [1.0, 3.0]


def test_it_does_not_grow_when_readings_come_fast() -> None:
    history = LoadHistory()
    for at_ns in range(10 * MAX_POINTS):
        history.add(at_ns, 1.0)
    assert len(history.points(10 * MAX_POINTS)) == MAX_POINTS
