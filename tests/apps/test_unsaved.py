"""Saves that are refused, answered late and overtaken: the medium ends with the newest of each key."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wattwheel.apps.unsaved import Unsaved

KEYS = st.sampled_from("abc")
STEPS = st.lists(st.tuples(st.sets(KEYS), st.integers(0, 3), st.booleans()), max_size=30)


@given(STEPS)
def test_once_everything_is_saved_the_medium_has_the_newest_of_each_key(steps):
    """Saves are begun in order and answered in order, up to four under way; what is answered as saved is there."""
    unsaved, medium, newest, under_way = Unsaved(), {}, {}, []

    def begin(changes):
        changes = {**unsaved.take(), **changes}
        under_way.append((unsaved.begin(changes), changes))

    def answer(is_saved):
        number, changes = under_way.pop(0)
        if is_saved:
            medium.update(changes)
        unsaved.end(number, changes, {} if is_saved else changes)

    for at, (keys, waiting_max, is_saved) in enumerate(steps):
        fresh = dict.fromkeys(keys, b"%d" % at)
        newest.update(fresh)
        begin(fresh)
        while len(under_way) > waiting_max:
            answer(is_saved)
    while under_way:
        answer(True)
    begin({})
    answer(True)
    assert medium == newest
    assert unsaved.take() == unsaved._newest == {}


def test_of_a_command_only_what_came_before_it_is_put_back():
    unsaved = Unsaved()
    number = unsaved.begin({"a": b"of the command", "b": b"before"})
    unsaved.end(number, {"a": b"of the command", "b": b"before"}, {"b": b"before"})
    assert unsaved.take() == {"b": b"before"}
