"""A partition's body in a simulated world: the same entry on the same start context as in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from wattwheel.apex.partition import StartContext
from wattwheel.boot.body import Entry, entry_of
from wattwheel.drivers.sim.process import Birth, Life


class SimLife:
    """A started partition as the simulated host turns it."""

    def __init__(self, context: StartContext) -> None:
        self.context = context
        self.turn = context.wheel.turn
        self.stop = context.stop


def body_runner(entries: Mapping[str, Entry] | None = None) -> Callable[[Birth], Life]:
    """A runner for the simulated host; `entries` stand in for the entry of the partitions that they name.

    A partition that lives in an asyncio loop cannot run here: an assertion says so.
    """
    given = dict(entries or {})

    def run_body(birth: Birth) -> Life:
        context = StartContext(birth.spec, birth.loop, birth.ports)
        (given.get(birth.spec.partition) or entry_of(birth.spec.entry))(context)
        assert context.main is None, f"{birth.spec.partition} lives in an asyncio loop; virtual time has none"
        context.report("normal")
        return SimLife(context)

    return run_body
