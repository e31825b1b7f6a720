"""The partitions of the drill `link-cut`: one sends numbers and samples, one takes them and looks at their order."""

from __future__ import annotations

from wattwheel.apex.partition import StartContext
from wattwheel.apex.ports import SamplingSourcePort

ORDERS, LEVEL, STOP = "orders", "level", "stop"
TICK_NS = 5_000_000
MESSAGES_A_TICK = 20
LEVEL_TICKS = 4
SENT, TAKEN, WRONG, LEVEL_SEEN, LEVEL_FELL, LEVEL_SENT = "sent", "taken", "wrong", "level", "level_fell", "level_sent"
PADDING = b"." * 60


def send(context: StartContext) -> None:
    """Entry: sends the numbers from 1 on, and a level that grows, until it is told to stop. It is not killed."""
    port, level = context.queuing_source(ORDERS), context.sampling_source(LEVEL)
    stop = context.sampling_destination(STOP)
    counters = context.counters
    bit = context.wheel.free_bit()
    ticks = 0

    def tick() -> None:
        nonlocal ticks
        ticks += 1
        if stop.version():
            return
        for _ in range(MESSAGES_A_TICK):
            if not port.send(b"%d %s" % (counters[SENT] + 1, PADDING)):
                break
            counters.add(SENT)
        if ticks % LEVEL_TICKS == 0:
            _write(level, ticks)
            counters.set(LEVEL_SENT, ticks)

    context.wheel.task(bit, tick)
    context.wheel.post_every(TICK_NS, bit)


def _write(level: SamplingSourcePort, number: int) -> None:
    level.write(b"%d" % number)


def take(context: StartContext) -> None:
    """Entry: takes numbers and counts those that are not the next one; looks at the level."""
    port, level = context.queuing_destination(ORDERS), context.sampling_destination(LEVEL)
    counters = context.counters
    bit, look_bit = context.wheel.free_bit(), context.wheel.free_bit(9)

    def arrived() -> None:
        message = port.receive()
        if message is None:
            return
        if int(message.split()[0]) != counters[TAKEN] + 1:
            counters.add(WRONG)
        counters.add(TAKEN)
        port.done()

    def look() -> None:
        message, _validity, _age_ns = level.read()
        if message is None:
            return
        if int(message) < counters[LEVEL_SEEN]:
            counters.add(LEVEL_FELL)
        counters.set(LEVEL_SEEN, int(message))

    context.wheel.task(bit, arrived)
    port.on_message(context.wheel.poster(bit))
    context.wheel.task(look_bit, look)
    context.wheel.post_every(TICK_NS, look_bit)
