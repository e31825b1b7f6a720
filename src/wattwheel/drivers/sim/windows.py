"""Edges of windows in a simulated world: exact, and before everything else that is due at the same instant."""

from __future__ import annotations

from collections.abc import Callable

from wattwheel.drivers.sim.loop import SimLoop


class SimEdgeTimer:
    """`kernel.windows.EdgeTimer` on the world's clock; `loop` is the kernel's."""

    def __init__(self, loop: SimLoop) -> None:
        self._loop = loop
        self._orders = 0

    def call_at(self, due_ns: int, action: Callable[[], None]) -> None:
        """Run `action` at `due_ns`; an earlier order is forgotten."""
        self._orders += 1
        order = self._orders
        self._loop.call_first_at(due_ns, lambda: action() if order == self._orders else None)
