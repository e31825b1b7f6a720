"""The partition of the window benchmark: busy all the time, it notes when it really ran. An entry for the module."""

from __future__ import annotations

import msgspec

from wattwheel.apex.partition import StartContext

SPANS_PORT = "spans"
SPIN_BIT = 8


class Work(msgspec.Struct, frozen=True):
    """What the partition does: note `spans` stretches of running, each parted from the next by at least `gap_ns`."""

    spans: int
    gap_ns: int


class Ran(msgspec.Struct, frozen=True):
    """What it found: its origin, and (start, end) of each stretch on the monotonic clock."""

    origin_ns: int
    spans: list[tuple[int, int]]


def spinner(context: StartContext) -> None:
    """Burn the processor in every window; tell the stretches through the port `spans` when they are complete."""
    work = context.decode_settings(Work)
    port = context.sampling_source(SPANS_PORT)
    now_ns = context.clock.now_ns
    spans: list[tuple[int, int]] = []
    begun = last = now_ns()

    def spin() -> None:
        nonlocal begun, last
        while len(spans) < work.spans:
            instant = now_ns()
            if instant - last > work.gap_ns:
                spans.append((begun, last))
                begun = last = instant
                context.wheel.post_at(instant, SPIN_BIT)  # the loop has its turn, and with it the heartbeat
                return
            last = instant
        assert context.frame is not None
        port.write(msgspec.json.encode(Ran(context.frame.origin_ns, spans)))

    context.wheel.task(SPIN_BIT, spin)
    context.wheel.post(SPIN_BIT)
