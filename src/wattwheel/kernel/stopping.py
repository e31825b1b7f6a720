"""The orderly end of all partitions: rank by rank, the store last, and who does not end is killed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from wattwheel.hil.clock import Clock
from wattwheel.hil.process import Body
from wattwheel.kernel.partition import Partition

STOP_PATIENCE_NS = 1_500_000_000
"""How long partitions of one stop rank may take to end; then they are killed, and the next rank has its turn."""


class OrderedStop:
    """Ends `partitions`, the lowest stop rank first, and calls `on_stopped` once none lives. Begins at once."""

    def __init__(
        self,
        partitions: Mapping[str, Partition],
        clock: Clock,
        log: Callable[[str], None],
        on_stopped: Callable[[], None],
    ) -> None:
        self._partitions, self._clock, self._log = partitions, clock, log
        self._on_stopped = on_stopped
        self._rank = -1
        self.go_on()

    def instead(self, on_stopped: Callable[[], None]) -> None:
        """Call `on_stopped` at the end instead of what was asked for before; at once when the end has come."""
        self._on_stopped = on_stopped
        if all(partition.body is None for partition in self._partitions.values()):
            on_stopped()

    def go_on(self) -> None:
        """Somebody has ended, or nobody lived: the next rank, or the end."""
        living = [(p, p.body) for p in self._partitions.values() if p.body is not None]
        if not living:
            self._on_stopped()
            return
        rank = min(partition.config.stop_rank for partition, _ in living)
        if rank > self._rank:
            self._rank = rank
            ending = [(partition, body) for partition, body in living if partition.config.stop_rank == rank]
            for _, body in ending:
                body.stop()
            self._clock.call_at(self._clock.now_ns() + STOP_PATIENCE_NS, lambda: self._kill_late(ending))

    def _kill_late(self, ending: list[tuple[Partition, Body]]) -> None:
        """One that does not end must not keep the store from taking what the others saved."""
        for partition, body in ending:
            if partition.body is body:
                self._log(f"{partition.config.name}: did not end when asked to; killed")
                body.kill()
