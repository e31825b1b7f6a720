"""The major frame: whose window an instant lies in, the next edge, what a partition is told. A-03, pure."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from wattwheel.kernel.config import ScheduleConfig, WindowConfig
from wattwheel.kernel.schedule import MajorFrame

MS = 1_000_000
ORIGIN = 7_000 * MS
FRAME = 100 * MS
SCHEDULE = ScheduleConfig(
    FRAME,
    (
        WindowConfig(2, "b", 30 * MS, 25 * MS, is_period_start=True),
        WindowConfig(1, "a", 0, 30 * MS, is_period_start=True),
        WindowConfig(3, "a", 60 * MS, 20 * MS),
    ),
    {"a": (FRAME, 50 * MS)},
)


def whose(offset_ns: int) -> str | None:
    turn = MajorFrame(SCHEDULE, ORIGIN).turn_at(ORIGIN + offset_ns)
    return None if turn is None else turn.partition


def test_a_window_holds_its_first_instant_and_not_its_last():
    assert [whose(offset) for offset in (0, 30 * MS - 1, 30 * MS, 55 * MS - 1)] == ["a", "a", "b", "b"]
    assert [whose(offset) for offset in (55 * MS, 60 * MS - 1, 80 * MS, FRAME - 1)] == [None] * 4
    assert whose(FRAME) == "a"
    assert whose(-1) is None


def test_windows_are_numbered_over_all_frames():
    frame = MajorFrame(SCHEDULE, ORIGIN)
    turns = [frame.turn_at(ORIGIN + offset * MS) for offset in (0, 30, 60, 100, 130, 160)]
    assert [turn.number for turn in turns if turn] == [0, 1, 2, 3, 4, 5]
    assert [frame.partition_of(number) for number in range(6)] == ["a", "b", "a"] * 2
    assert [turn.is_release for turn in turns if turn] == [True, True, False] * 2


def test_edges_come_in_order_and_one_where_windows_touch():
    frame = MajorFrame(SCHEDULE, ORIGIN)
    edges, now = [], ORIGIN - 1
    for _ in range(7):
        now = frame.next_edge_ns(now)
        edges.append((now - ORIGIN) // MS)
    assert edges == [0, 30, 55, 60, 80, 100, 130]


def test_a_partition_is_told_its_windows_and_release_points():
    frame = MajorFrame(SCHEDULE, ORIGIN)
    own = frame.of("a")
    assert own is not None
    assert (own.origin_ns, own.major_frame_ns, own.period_ns, own.duration_ns) == (ORIGIN, FRAME, FRAME, 50 * MS)
    assert own.windows == ((0, 30 * MS), (60 * MS, 20 * MS))
    assert own.releases_ns == (0,)
    other = frame.of("b")
    assert other is not None
    assert (other.period_ns, other.duration_ns) == (FRAME, 25 * MS)
    assert frame.of("c") is None


def test_without_a_marked_window_the_first_is_the_release():
    windows = (WindowConfig(1, "a", 20 * MS, 10 * MS), WindowConfig(2, "a", 50 * MS, 10 * MS))
    own = MajorFrame(ScheduleConfig(FRAME, windows), ORIGIN).of("a")
    assert own is not None
    assert own.releases_ns == (20 * MS,)
    assert own.next_release_ns(ORIGIN) == ORIGIN + 20 * MS
    assert own.next_release_ns(ORIGIN + 20 * MS) == ORIGIN + 120 * MS


@st.composite
def schedules(draw):
    """Windows of a few partitions that do not overlap."""
    cuts = sorted(draw(st.sets(st.integers(0, 1000), min_size=2, max_size=12)))
    spans = [span for span in pairwise(cuts) if draw(st.booleans())] or [(cuts[0], cuts[1])]
    windows = tuple(
        WindowConfig(number, draw(st.sampled_from("abc")), start, end - start, draw(st.booleans()))
        for number, (start, end) in enumerate(spans)
    )
    return ScheduleConfig(draw(st.integers(cuts[-1], 1500)) or 1, windows)


@given(schedules(), st.integers(-5000, 5000), st.integers(0, 20_000))
def test_between_two_edges_nothing_changes_and_at_an_edge_something_does(schedule, origin, after):
    frame = MajorFrame(schedule, origin)
    now = origin + after
    edge = frame.next_edge_ns(now)
    assert now < edge <= now + schedule.major_frame_ns
    assert frame.turn_at(now) == frame.turn_at(edge - 1)
    assert frame.turn_at(edge) != frame.turn_at(edge - 1)


@given(schedules(), st.integers(0, 5000), st.integers(0, 5000))
def test_window_time_is_the_sum_of_the_instants_in_windows(schedule, since, length):
    frame = MajorFrame(schedule, 100)
    since += 100
    for partition in frame.partitions:
        own = frame.of(partition)
        inside = 0
        for instant in range(since, since + length):
            turn = frame.turn_at(instant)
            inside += turn is not None and turn.partition == partition
        assert own.window_time_ns(since, since + length) == inside
        release = own.next_release_ns(since)
        turn = frame.turn_at(release)
        assert since < release <= since + schedule.major_frame_ns
        assert turn is not None
        assert turn.partition == partition
        assert turn.start_ns == release
