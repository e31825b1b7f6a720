"""One of the crowd of the drill `crowd` that answers in another's name: the drill must notice."""

from __future__ import annotations

from wattwheel.apex.partition import StartContext
from wattwheel.testing.drills.crowd_partition import Member, answer_of


class _MistakenMember(Member):
    def answer(self, number: int, question: bytes) -> bytes:
        return answer_of(number + 1, question)


def start(context: StartContext) -> None:
    """Entry of the partition."""
    _MistakenMember(context)
