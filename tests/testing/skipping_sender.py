"""A sender for the drill `link-cut` that leaves a number out: the drill must notice."""

from __future__ import annotations

from wattwheel.apex.partition import StartContext
from wattwheel.testing.drills import link_partitions

LEFT_OUT = 40


def send(context: StartContext) -> None:
    """As `link_partitions.send`, but the 40th message never leaves."""
    real = context.queuing_source

    def skipping(name: str):
        port = real(name)
        send_on = port.send
        port.send = lambda message: message.startswith(b"%d " % LEFT_OUT) or send_on(message)
        return port

    context.queuing_source = skipping
    link_partitions.send(context)
