"""Changes wait for one another; what waited for too long is dropped, and what the medium refused is saved again."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from wattwheel.apex.store import SaveResult
from wattwheel.drivers.sim.clock import SimClock
from wattwheel.services.change_queue import REQUEST_NS_MAX, SAVE_AGAIN_NS, WAITING_MAX, ChangeQueue
from wattwheel.services.writing import ANSWER_TIMEOUT_NS

SAVED, REFUSED = SaveResult.SAVED, SaveResult.MEDIUM_FAILED
SECOND_NS = 1_000_000_000


class Medium:
    """What a store is asked to save, and how the newest promised save ends."""

    def __init__(self) -> None:
        self.asked: list[dict[str, bytes | None]] = []
        self._on_saved: Callable[[SaveResult], None] | None = None

    def save(self, records: Mapping[str, bytes | None], promised: bool = False, on_saved=None) -> None:
        self.asked.append(dict(records))
        if promised:
            assert self._on_saved is None, "two changes at once"
            self._on_saved = on_saved

    def end(self, result: SaveResult) -> None:
        on_saved, self._on_saved = self._on_saved, None
        on_saved(result)


@pytest.fixture
def medium():
    return Medium()


@pytest.fixture
def clock():
    return SimClock()


@pytest.fixture
def queue(medium, clock):
    queue = ChangeQueue(medium, clock)
    queue.go_on()
    return queue


def test_without_a_store_nothing_waits(clock):
    done = []
    queue = ChangeQueue(None, clock)
    queue.take(lambda: done.append(1))
    assert queue.take_within(0, lambda: done.append(2))
    assert done == [1, 2]


def test_one_change_after_the_other_in_order(queue, medium):
    done = []
    queue.save({"a": b"1"}, done.append)
    queue.take(lambda: queue.save({"b": b"2"}, done.append))
    queue.take_within(SECOND_NS, lambda: done.append("c"))
    assert medium.asked == [{"a": b"1"}]
    medium.end(SAVED)
    assert medium.asked == [{"a": b"1"}, {"b": b"2"}]
    assert done == [SAVED]
    medium.end(SAVED)
    assert done == [SAVED, SAVED, "c"]
    assert not queue.is_saving


@pytest.mark.parametrize(("waits_s", "expected"), [(0.9, "done"), (1.1, "late")])
def test_what_waited_for_too_long_is_not_done(queue, medium, clock, waits_s, expected):
    done = []
    queue.save({"a": b"1"})
    queue.take_within(SECOND_NS, lambda: done.append("done"), lambda: done.append("late"))
    clock.advance(waits_s)
    assert done == []
    medium.end(SAVED)
    assert done == [expected]


def test_no_more_wait_than_there_is_room_for(queue, medium):
    done = []
    queue.save({"a": b"1"})
    room = [queue.take_within(SECOND_NS, lambda: done.append(1)) for _ in range(WAITING_MAX + 3)]
    assert room == [True] * WAITING_MAX + [False] * 3
    queue.take(done.clear)  # the meter's own changes always do, but each once
    queue.take(done.clear)
    queue.take(lambda: done.append("end"))
    medium.end(SAVED)
    assert done == ["end"]


def test_whoever_asked_has_been_refused_when_a_request_is_late():
    assert REQUEST_NS_MAX == ANSWER_TIMEOUT_NS


def test_what_was_refused_is_saved_with_the_next_change(queue, medium, clock):
    queue.save({"a": b"1", "b": b"1"})
    medium.end(REFUSED)
    queue.save({"b": b"2", "c": None})
    assert medium.asked[-1] == {"a": b"1", "b": b"2", "c": None}
    medium.end(SAVED)
    clock.advance(3 * SAVE_AGAIN_NS / 1e9)
    assert len(medium.asked) == 2


def test_what_was_refused_is_saved_again_until_it_is_taken(queue, medium, clock):
    queue.save({"a": b"1"})
    for _ in range(4):
        medium.end(REFUSED)
        asked = len(medium.asked)
        clock.advance(SAVE_AGAIN_NS / 1e9 - 1)
        assert len(medium.asked) == asked
        clock.advance(2)
        assert medium.asked[asked:] == [{"a": b"1"}]
    medium.end(SAVED)
    clock.advance(3 * SAVE_AGAIN_NS / 1e9)
    assert len(medium.asked) == 5


def test_what_is_not_in_force_is_not_saved_again(queue, medium, clock):
    queue.save({"a": b"1"})
    medium.end(REFUSED)
    queue.save({"a": b"2", "b": b"2"}, is_undone=True)
    medium.end(REFUSED)
    clock.advance(SAVE_AGAIN_NS / 1e9 + 1)
    assert medium.asked[2:] == [{"a": b"1"}]


@pytest.mark.parametrize("is_under_way", [True, False])
def test_what_is_older_is_not_saved_after_what_is_newer(queue, medium, clock, is_under_way):
    queue.save({"a": b"1", "seen": b"1"})
    if is_under_way:
        queue.save_with_others({"seen": b"2"})
    medium.end(REFUSED)
    if not is_under_way:
        queue.save_with_others({"seen": b"2"})
    clock.advance(SAVE_AGAIN_NS / 1e9 + 1)
    assert medium.asked[1:] == [{"seen": b"2"}, {"a": b"1"}]
