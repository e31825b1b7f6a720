"""Writes of an APP: what is saved beside them, and what has to wait until none is under way."""

from __future__ import annotations

from typing import Any

import pytest

from wattwheel.apex.messages import Control, Kind, Message
from wattwheel.apex.store import SaveResult
from wattwheel.sdk.writing import Writes, item_key, written_items

PERIOD = 0x04000103
OPERATOR = b"ABCD"


class Stage:
    """A bus that collects replies, and a store whose answers the test gives."""

    def __init__(self) -> None:
        self.replies: list[int] = []
        self.saved: list[tuple[dict[str, Any], Any]] = []
        self.counters = self

    def reply(self, request, data=b"", error=0):
        self.replies.append(error)

    def save(self, changes, promised, on_saved):
        assert promised
        self.saved.append((changes, on_saved))

    def add(self, name):
        pass

    def answer(self, result=SaveResult.SAVED):
        self.saved.pop(0)[1](result)


def request(number: int) -> Message:
    return Message(Kind.REQUEST, Control.WRITE, PERIOD, data=OPERATOR + bytes.fromhex(f"{number:02d}"))


def writes(stage: Stage, told: list[bytes]) -> Writes:
    def beside(di: int, octets: bytes, operator: bytes) -> dict[str, bytes | None]:
        return {"record": operator + octets}

    return Writes(stage, stage, stage, lambda di, octets: 0, lambda di, octets: told.append(octets), beside)


def test_what_belongs_to_a_write_is_saved_with_it_in_one_transaction():
    stage, told = Stage(), []
    writes(stage, told).take(request(15))
    changes = stage.saved[0][0]
    assert changes == {item_key(PERIOD): b"\x15", "record": OPERATOR + b"\x15"}
    assert written_items(changes) == {PERIOD: b"\x15"}
    assert (stage.replies, told) == ([], [])
    stage.answer()
    assert (stage.replies, told) == ([0], [b"\x15"])


@pytest.mark.parametrize(
    "result", [SaveResult.SAVED, next(each for each in SaveResult if each is not SaveResult.SAVED)]
)
def test_an_action_waits_for_the_write_under_way_and_goes_before_the_next(result):
    stage, told = Stage(), []
    own = writes(stage, told)
    seen = []
    own.between(lambda: seen.append("idle"))
    assert seen == ["idle"]
    own.take(request(15))
    own.take(request(30))
    own.between(lambda: seen.append((list(told), len(stage.saved))))
    assert seen == ["idle"]
    stage.answer(result)
    is_saved = result is SaveResult.SAVED
    assert seen[1] == ([b"\x15"] if is_saved else [], 0)  # the second write has not begun
    assert len(stage.saved) == 1
    stage.answer()
    assert told[-1] == b"\x30"
