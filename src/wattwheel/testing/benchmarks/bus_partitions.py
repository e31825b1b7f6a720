"""The two partitions of the bus benchmark: one asks and counts, one answers. Entries for the module's configuration."""

from __future__ import annotations

import msgspec

from wattwheel.apex.bus import BusPort
from wattwheel.apex.messages import Control, Message
from wattwheel.apex.partition import StartContext

DI = 0x0E800000
LAST_DI = 0x0E800001
START_BIT = 8


class Work(msgspec.Struct, frozen=True):
    """What the asker does: `asks` questions one at a time, then `notices` one-way messages, each of `octets`."""

    asks: int
    notices: int
    octets: int
    warm_up: int = 500
    burst: int = 64


class Figures(msgspec.Struct, frozen=True):
    """What the asker reports: waits in nanoseconds, sorted, as chosen ranks; and how long the notices took."""

    p50_ns: int
    p99_ns: int
    notices_ns: int


def owner(context: StartContext) -> None:
    """Answer every question with its own data, and the last one with the number of notices that have come."""
    bus = BusPort(context)
    received = 0

    def answer(message: Message) -> None:
        if message.di == LAST_DI:
            bus.reply(message, received.to_bytes(8, "little"))
        else:
            bus.reply(message, message.data)

    def count(message: Message) -> None:
        nonlocal received
        received += 1

    bus.on_request(answer)
    bus.on_notice(count)


def asker(context: StartContext) -> None:
    """Ask one at a time, then tell as fast as the ports take it, then ask how many have come."""
    work = context.decode_settings(Work)
    _Asker(context, work)


class _Asker:
    def __init__(self, context: StartContext, work: Work) -> None:
        self._context, self._work = context, work
        self._bus = BusPort(context)
        self._now = context.clock.now_ns
        self._data = bytes(work.octets)
        self._waits: list[int] = []
        self._asked_ns = self._told_ns = 0
        self._told = 0
        context.wheel.task(START_BIT, self._tell_some)
        self._again = context.wheel.poster(START_BIT)
        self._phase = self._ask
        context.clock.call_at(self._now() + 300_000_000, self._ask)

    def _ask(self) -> None:
        self._asked_ns = self._now()
        self._bus.ask(Control.READ, DI, self._data, self._replied)
        self._bus.flush()

    def _replied(self, reply: Message | None) -> None:
        assert reply is not None
        assert reply.data == self._data
        self._waits.append(self._now() - self._asked_ns)
        if len(self._waits) < self._work.asks + self._work.warm_up:
            self._ask()
        else:
            self._told_ns = self._now()
            self._again()

    def _tell_some(self) -> None:
        if self._bus.unsent:
            self._context.clock.call_at(self._now() + 100_000, self._again)
            return
        for _ in range(self._work.burst):
            self._bus.tell(Control.READ, DI, self._data)
        self._told += self._work.burst
        if self._told < self._work.notices:
            self._bus.flush()
            self._again()
        else:
            self._bus.ask(Control.READ, LAST_DI, b"", self._counted)

    def _counted(self, reply: Message | None) -> None:
        assert reply is not None
        elapsed_ns = self._now() - self._told_ns
        received = int.from_bytes(reply.data, "little")
        assert received == self._told, f"{self._told} told, {received} received"
        waits = sorted(self._waits[self._work.warm_up :])
        figures = Figures(
            waits[len(waits) // 2], waits[len(waits) * 99 // 100], elapsed_ns * self._work.notices // self._told
        )
        self._context.report("figures", msgspec.json.encode(figures).decode())
