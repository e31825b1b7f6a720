"""The store: the one owner of the medium, as a register manager owns its EEPROM.

Every client partition has a name space and a quota; its identity is the port it speaks through, so that nobody can
write into another's. `store_core` decides; this is the partition around it: ports, timer, counters.
"""

from __future__ import annotations

from collections import deque
from typing import cast

import msgspec

from wattwheel.apex.partition import StartContext
from wattwheel.apex.ports import QueuingDestinationPort, QueuingSourcePort
from wattwheel.apex.store import Hello, Reply, encode
from wattwheel.hil.storage import RecordMedium
from wattwheel.services.store_core import GROUP_NS, REFRESH_NS, StoreCore

DEVICE = "store"
"""Name of the medium among the partition's devices."""

TURN_MESSAGES_MAX = 64
"""Messages taken from one client before the others have their turn and the commit is made."""

ARRIVAL_BIT = 2
DUE_BIT = 3


class StoreSettings(msgspec.Struct, frozen=True):
    """What the store is told.

    Attributes:
        quotas: octets of keys and payloads that each client may hold, by partition name. For each client there are the
            ports `from_NAME` and `to_NAME`.
        group_ns: longest time that something not promised stays in memory only.
        refresh_ns: longest time that the second copy stays behind.
    """

    quotas: dict[str, int]
    group_ns: int = GROUP_NS
    refresh_ns: int = REFRESH_NS


class _Line:
    """One client's pair of ports, and the answers that wait for room."""

    def __init__(self, name: str, incoming: QueuingDestinationPort, outgoing: QueuingSourcePort) -> None:
        self.name, self.incoming, self.outgoing = name, incoming, outgoing
        self.held: deque[Reply] = deque([Hello()])

    def flush(self) -> bool:
        """Send what there is room for. True: nothing is left."""
        while self.held and self.outgoing.send(encode(self.held[0])):
            self.held.popleft()
        return not self.held


class StorePartition:
    """The store between its ports. `turn` is the task of both bits."""

    def __init__(self, context: StartContext, core: StoreCore, medium: RecordMedium, clients: list[str]) -> None:
        self._context, self._core, self._medium = context, core, medium
        self._armed_ns: int | None = None
        self._lines: dict[str, _Line] = {}
        for name in clients:
            incoming = context.queuing_destination(f"from_{name}")
            outgoing = context.queuing_source(f"to_{name}")
            incoming.on_message(context.wheel.poster(ARRIVAL_BIT))
            outgoing.on_space(context.wheel.poster(ARRIVAL_BIT))
            self._lines[name] = _Line(name, incoming, outgoing)

    def turn(self) -> None:
        """Take what has come, commit what is due, answer, and see to being called again in time."""
        for line in self._lines.values():
            self._drain(line)
        self._answer(self._core.turn())
        self._arm()
        self._show()

    def stop(self) -> None:
        """Take what has come, commit everything, close the medium."""
        for line in self._lines.values():
            self._drain(line)
        self._answer(self._core.stop())
        self._show()

    def _drain(self, line: _Line) -> None:
        """Handle a client's messages, as long as its answers find room.

        A client that does not take its answers is not heard further: so a refusal is always in its port before a later
        transaction of it becomes durable, and a store that dies in between leaves no false acknowledgement.
        """
        for _ in range(TURN_MESSAGES_MAX):
            if not line.flush() or (message := line.incoming.receive()) is None:
                return
            self._answer(self._core.handle(line.name, message))
            line.incoming.done()
        self._context.wheel.post(ARRIVAL_BIT)

    def _answer(self, answers: list[tuple[str, Reply]]) -> None:
        for name, reply in answers:
            line = self._lines[name]
            line.held.append(reply)
            line.flush()

    def _arm(self) -> None:
        """Have the due bit posted when the core is due; a call that comes too early only looks."""
        due = self._core.due()
        if due is None or (self._armed_ns is not None and self._context.clock.now_ns() < self._armed_ns <= due):
            return
        self._armed_ns = due
        self._context.wheel.post_at(due, DUE_BIT)

    def _show(self) -> None:
        """Let the counters tell what was done."""
        core, counters = self._core, self._context.counters
        counters.set("store_commits", core.commits)
        counters.set("store_commits_promised", core.commits_promised)
        counters.set("store_failures", core.failures)
        if core.is_failing and not counters["store_failing"]:
            self._context.report("storage_failure", "the medium cannot be written")
        counters.set("store_failing", int(core.is_failing))
        if core.unmended:
            counters.set("store_unmended", len(core.unmended))
        counters.set("store_ignored", core.ignored)
        counters.set("store_refused", core.refused)
        counters.set("store_faults", self._medium.faults)
        for name, wear in core.wear.items():
            if wear.records:
                counters.set(f"store_records_{name}", wear.records)
                counters.set(f"store_octets_{name}", wear.octets)


def start(context: StartContext) -> None:
    """Entry of the store partition. Settings: `StoreSettings`; device: `store`."""
    settings = context.decode_settings(StoreSettings)
    medium = cast(RecordMedium, context.device(DEVICE))
    core = StoreCore(medium, context.clock, settings.quotas, settings.group_ns, settings.refresh_ns)
    partition = StorePartition(context, core, medium, list(settings.quotas))
    context.wheel.task(ARRIVAL_BIT, partition.turn)
    context.wheel.task(DUE_BIT, partition.turn)
    context.wheel.post(ARRIVAL_BIT)
    context.on_stop(partition.stop)
