"""A partition for the test of poisons: it answers reads, but one identifier is its death."""

from __future__ import annotations

from wattwheel.apex.bus import BusPort
from wattwheel.apex.messages import Message
from wattwheel.apex.partition import StartContext

GOOD_DI, POISON_DI = 0x0FFE0001, 0x0FFE0002


def start(context: StartContext) -> None:
    """Answer with two octets; die over `POISON_DI`, before it lets go of the request."""
    bus = BusPort(context)

    def answer(request: Message) -> None:
        if request.di == POISON_DI:
            raise RuntimeError("a poison")
        bus.reply(request, b"\x12\x34")

    bus.on_request(answer)
