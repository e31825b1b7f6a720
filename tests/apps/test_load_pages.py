"""Pages of load records, as a ring: order, room, voids."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from wattwheel.apps.load_pages import PAGE_OCTETS_MAX, LoadPages
from wattwheel.model.bcd import EPOCH, minute_of
from wattwheel.model.load_record import CLASS_OCTETS, CLASSES, encode_record, record_octets, time_of

MANY = 10**9


def record(minute: int, classes: list[int]) -> bytes:
    octets = {number: bytes(CLASS_OCTETS[number - 1]) for number in classes}
    return encode_record(EPOCH + timedelta(minutes=minute), octets)


def minutes(octets: bytes) -> list[int]:
    found = []
    while octets:
        found.append(minute_of(time_of(octets)))
        octets = octets[record_octets(octets[:3]) :]
    return found


def apply(saved: dict[str, bytes], changes: dict[str, bytes | None]) -> None:
    for key, octets in changes.items():
        if octets is None:
            del saved[key]
        else:
            assert len(octets) <= PAGE_OCTETS_MAX
            saved[key] = octets


CLASS_LISTS = st.sets(st.sampled_from(CLASSES), min_size=1).map(sorted)
STEPS = st.lists(st.tuples(st.integers(-200, 60) | st.integers(-3, 3), CLASS_LISTS), max_size=120)


@settings(deadline=None)  # a machine may be busy
@given(STEPS, st.integers(0, 6), st.integers(0, 30), st.integers(-10, 2000))
def test_against_a_plain_list(steps, wanted, count, given_minute):
    pages, saved, plain, now = LoadPages(), {}, [], 1000
    for step, classes in steps:
        now = max(0, now + step)
        if step <= 0:
            apply(saved, pages.void_after(now))
            plain = [each for each in plain if each[0] <= now]
        if not plain or plain[-1][0] < now:
            apply(saved, pages.add(now, classes, record(now, classes)))
            plain.append((now, classes))
    right = [minute for minute, classes in plain if not wanted or wanted in classes]
    later = [minute for minute in right if minute >= given_minute]
    for each in (pages, LoadPages(saved)):
        assert each.last_minute == (plain[-1][0] if plain else None)
        assert sorted(each.keys) == sorted(saved)
        assert each.octets == sum(map(len, saved.values()))
        assert minutes(each.earliest(wanted, count, MANY)) == right[:count]
        assert minutes(each.latest(wanted, count, MANY)) == right[len(right) - min(count, len(right)) :]
        assert minutes(each.from_time(wanted, count, MANY, given_minute)) == later[:count]
        assert each.corrupt == 0


HOUR = LoadPages()
for _minute in range(60):
    HOUR.add(_minute, CLASSES, record(_minute, list(CLASSES)))


@given(st.integers(0, 2000), st.integers(0, 6))
def test_an_answer_never_exceeds_its_bound_and_wastes_no_place(octets_max, wanted):
    pages = HOUR
    size = len(record(0, [wanted] if wanted else list(CLASSES)))
    expected = octets_max // size
    for octets in (pages.earliest(wanted, 99, octets_max), pages.from_time(wanted, 99, octets_max, 0)):
        assert minutes(octets) == list(range(min(60, expected)))
    assert minutes(pages.latest(wanted, 99, octets_max)) == list(range(min(60, expected)))
    assert minutes(pages.latest(wanted, 3, octets_max)) == list(range(57, 57 + min(3, expected)))


def test_pages_of_a_gap_in_their_numbers_and_what_is_no_page():
    pages, saved = LoadPages(), {}
    for minute in range(100):
        apply(saved, pages.add(minute, [1, 2, 3], record(minute, [1, 2, 3])))
    keys = list(saved)
    assert len(keys) > 3
    del saved[keys[1]]
    saved["load_record page 999"] = b"\x00"
    saved["load_record page -1"] = saved[keys[0]]
    again = LoadPages(saved)
    kept = minutes(again.earliest(0, 99, MANY))
    assert kept == sorted(kept)
    assert again.keys == [keys[0], *keys[2:]]
    assert again.last_minute == 99
    assert again.add(100, [1], record(100, [1])).keys() <= {keys[-1], f"load_record page {len(keys)}"}


def test_the_record_of_the_minute_itself_is_not_void():
    pages = LoadPages()
    for minute in range(100):
        pages.add(minute, [1, 2, 3], record(minute, [1, 2, 3]))
    for minute in (98, 57, 20, 19, 0):
        pages.void_after(minute)
        assert minutes(pages.earliest(0, 999, MANY)) == list(range(minute + 1))


def test_a_class_that_comes_later_in_a_page_is_found():
    pages, saved = LoadPages(), {}
    for minute, classes in ((1, [1]), (2, [2]), (3, [1, 6])):
        apply(saved, pages.add(minute, classes, record(minute, classes)))
    for each in (pages, LoadPages(saved)):
        assert [minutes(each.earliest(wanted, 9, MANY)) for wanted in (1, 2, 3, 6)] == [[1, 3], [2], [], [3]]
        assert each.classes == 0b100011


def test_pages_after_a_restart_take_keys_of_their_own():
    pages, saved = LoadPages(), {}
    for minute in range(200):
        if not minute % 45:
            pages = LoadPages(saved)
        apply(saved, pages.add(minute, [1, 2, 3], record(minute, [1, 2, 3])))
    assert minutes(LoadPages(saved).earliest(0, 999, MANY)) == list(range(200))


def test_emptied_pages_count_on():
    pages = LoadPages()
    pages.add(5, [1], record(5, [1]))
    pages.empty()
    assert (pages.last_minute, pages.keys, pages.classes, pages.octets) == (None, [], 0, 0)
    assert list(pages.add(3, [2], record(3, [2]))) == ["load_record page 1"]
    assert pages.classes == 2


@settings(max_examples=60)
@given(st.lists(CLASS_LISTS, min_size=1, max_size=40), st.data())
def test_a_class_whose_last_record_is_void_is_no_longer_there(runs, data):
    """So nothing is listed that a read does not give; neither before a restart nor after."""
    voided_after = data.draw(st.integers(-1, len(runs) - 1))
    saved: dict[str, bytes] = {}
    pages = LoadPages()
    for minute, classes in enumerate(runs):
        apply(saved, pages.add(minute, classes, record(minute, classes)))
    apply(saved, pages.void_after(voided_after))
    left = {number for classes in runs[: voided_after + 1] for number in classes}
    for found in (pages, LoadPages(saved)):
        assert found.classes == sum(1 << number - 1 for number in left)
        assert {number for number in CLASSES if found.earliest(number, MANY, MANY)} == left
