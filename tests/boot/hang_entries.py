"""Partitions for the test of hanging: one that hangs as often as the file of its settings says, one that only lives."""

from __future__ import annotations

import os

from wattwheel.apex.partition import StartContext


def endless(context: StartContext) -> None:
    """A task that never ends, in the first life."""
    path = context.decode_settings(str)
    is_first = not os.path.exists(path)

    def task() -> None:
        with open(path, "w"):
            pass
        while True:
            pass

    context.wheel.task(8, task)
    if is_first:
        context.wheel.post(8)


def calm(context: StartContext) -> None:
    """Nothing but a heartbeat."""
