"""One of the crowd: a partition that asks all the others as much as its quota lets it, and answers what they ask.

Its name tells its number and that of the crowd. A head-end's read starts it; what came of it stands in its counters.
"""

from __future__ import annotations

import struct
import zlib

from wattwheel.apex.bus import BusPort
from wattwheel.apex.messages import Control, Message
from wattwheel.apex.partition import StartContext

ENTRY = "wattwheel.testing.drills.crowd_partition:start"
CROWD_MAX = 64
OWN_DI3 = 0x0F
GO = 0x8000
"""With this bit in its low half an identifier means: ask so many requests, half a second from now."""
START_DELAY_NS = 500_000_000
PATIENCE_NS = 60_000_000_000
"""An asker's patience. The bus itself tells of an owner that does not answer long before."""
ANSWERED, WRONG, REFUSED, UNANSWERED, SERVED = "answered", "wrong", "refused", "unanswered", "served"
WAIT_MEAN_US, WAIT_MAX_US = "wait_us_mean", "wait_us_max"

_QUESTION = struct.Struct(">HI")


def name_of(number: int, crowd: int) -> str:
    """Name of a partition of the crowd."""
    return f"crowd {number} of {crowd}"


def identifier(number: int, low: int) -> int:
    """An identifier whose owner is partition `number`."""
    return OWN_DI3 << 24 | number << 16 | low


def answer_of(number: int, question: bytes) -> bytes:
    """What partition `number`, and no other, answers."""
    return struct.pack(">HI", number, zlib.crc32(question, number)) + question


class Member:
    """One of the crowd."""

    def __init__(self, context: StartContext) -> None:
        words = context.name.split()
        self._number, self._crowd = int(words[1]), int(words[3])
        self._counters, self._clock = context.counters, context.clock
        self._bus = BusPort(context)
        self._bus.on_request(self._serve)
        self._waited_ns = self._wait_max_ns = self._done = 0

    def _serve(self, request: Message) -> None:
        low = request.di & 0xFFFF
        if low & GO:
            self._clock.call_at(self._clock.now_ns() + START_DELAY_NS, lambda: self._ask_all(low ^ GO))
            self._bus.reply(request, b"go")
            return
        self._counters.add(SERVED)
        self._bus.reply(request, self.answer(self._number, request.data))

    def answer(self, number: int, question: bytes) -> bytes:
        """See `answer_of`."""
        return answer_of(number, question)

    def _ask_all(self, requests: int) -> None:
        for each in range(requests):
            peer = (self._number + each) % self._crowd
            question = _QUESTION.pack(self._number, each)
            if not self._ask(peer, each, question):
                self._counters.add(UNANSWERED)

    def _ask(self, peer: int, each: int, question: bytes) -> bool:
        due, begun_ns = answer_of(peer, question), self._clock.now_ns()

        def replied(reply: Message | None) -> None:
            if reply is None:
                self._counters.add(UNANSWERED)
            elif reply.error:
                self._counters.add(REFUSED)
            else:
                self._counters.add(ANSWERED if reply.data == due else WRONG)
            self._note_wait(self._clock.now_ns() - begun_ns)

        return self._bus.ask(Control.READ, identifier(peer, each), question, replied, PATIENCE_NS)

    def _note_wait(self, wait_ns: int) -> None:
        self._done += 1
        self._waited_ns += wait_ns
        self._wait_max_ns = max(self._wait_max_ns, wait_ns)
        self._counters.set(WAIT_MEAN_US, self._waited_ns // self._done // 1000)
        self._counters.set(WAIT_MAX_US, self._wait_max_ns // 1000)


def start(context: StartContext) -> None:
    """Entry of a partition of the crowd."""
    Member(context)
