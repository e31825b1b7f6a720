"""What an APP saves of its own between two writes: nothing else is under way, and what fails changes nothing."""

from __future__ import annotations

import pytest

from wattwheel.apex.partition import Counters
from wattwheel.apex.store import SaveResult
from wattwheel.sdk.writing import Writes

PERIOD = 0x04000103


class Medium:
    """Keeps what it was asked to save, and answers when the test wants."""

    def __init__(self):
        self.saves = []

    def save(self, changes, promised, on_saved):
        assert promised
        self.saves.append((dict(changes), on_saved))

    def answer(self, result=SaveResult.SAVED):
        self.saves.pop(0)[1](result)


@pytest.fixture
def medium():
    return Medium()


@pytest.fixture
def writes(medium):
    done = []
    made = Writes(
        None, medium, Counters(lambda: None), lambda di, octets: 0, lambda di, octets: done.append((di, octets))
    )
    made.done = done
    return made


def test_a_write_waits_for_it(medium, writes):
    told, answers = [], []
    writes.between(lambda: writes.alone({"own": b"1"}, lambda: told.append("own")))
    writes.put(PERIOD, b"\x30", b"", answers.append)
    assert [changes for changes, _ in medium.saves] == [{"own": b"1"}]
    assert told == writes.done == []
    medium.answer()
    assert told == ["own"]
    assert list(medium.saves[0][0]) == ["item 04000103"]
    medium.answer()
    assert (writes.done, answers) == ([(PERIOD, b"\x30")], [0])


def test_it_waits_for_a_write_and_one_comes_after_the_other(medium, writes):
    told = []
    writes.put(PERIOD, b"\x30", b"", told.append)
    for name in ("first", "second"):
        writes.between(lambda name=name: writes.alone({name: b""}, lambda: told.append(name)))
    writes.put(PERIOD, b"\x15", b"", told.append)
    for expected in (["item 04000103"], ["first"], ["second"], ["item 04000103"]):
        assert [list(changes) for changes, _ in medium.saves] == [expected]
        medium.answer()
    assert told == [0, "first", "second", 0]


def test_what_cannot_be_kept_changes_nothing(medium, writes):
    told, answers = [], []
    writes.between(lambda: writes.alone({"own": b"1"}, lambda: told.append("own")))
    writes.put(PERIOD, b"\x30", b"", answers.append)
    medium.answer(next(result for result in SaveResult if result is not SaveResult.SAVED))
    assert told == []
    medium.answer()
    assert answers == [0]
