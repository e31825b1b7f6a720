"""One change after the other on its way to the medium, and what becomes of those that have to wait.

What somebody outside wants is worth something for a while only: who asked has been refused by then, and a broadcast
time is the time of its arrival. What the medium refuses is kept here and saved again, with the next change and every
minute.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

from wattwheel.apex.store import SaveResult, StoreClient
from wattwheel.hil.clock import Clock

WAITING_MAX = 64
"""Changes that wait for the one under way; one more from outside is refused."""

BROADCAST_NS_MAX = 1_000_000_000
"""A broadcast time that has waited for longer is no longer the time."""

REQUEST_NS_MAX = 380_000_000
"""Whoever asked for a change has been refused after that: `writing.ANSWER_TIMEOUT_NS`."""

SAVE_AGAIN_NS = 60_000_000_000
"""How often what was refused is saved again: no more than a failing flash can bear."""


class ChangeQueue:
    """See the module.

    Args:
        store: where changes are saved; None: nothing is, so nothing waits.

    Attributes:
        is_saving: a change is on its way; what there was before is, at the start.
    """

    def __init__(self, store: StoreClient | None, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._waiting: deque[Callable[[], object]] = deque()
        self._refused: dict[str, bytes | None] = {}
        self._under_way: dict[str, bytes | None] = {}
        self._is_retrying = False
        self.is_saving = store is not None

    def take(self, action: Callable[[], object]) -> None:
        """Run `action` when no change is on its way. One that waits already is not run twice."""
        if not self.is_saving:
            action()
        elif action not in self._waiting:
            self._waiting.append(action)

    def take_within(
        self, wait_ns_max: int, action: Callable[[], object], on_late: Callable[[], object] | None = None
    ) -> bool:
        """Run `action` when no change is on its way; `on_late` if that took longer. False: neither, too many wait."""
        if not self.is_saving:
            action()
            return True
        if len(self._waiting) >= WAITING_MAX:
            return False
        until_ns = self._clock.now_ns() + wait_ns_max

        def act() -> None:
            if self._clock.now_ns() <= until_ns:
                action()
            elif on_late is not None:
                on_late()

        self._waiting.append(act)
        return True

    def save(
        self,
        records: Mapping[str, bytes | None],
        on_saved: Callable[[SaveResult], None] | None = None,
        is_undone: bool = False,
    ) -> None:
        """Save `records` at once, and what was refused before. `is_undone`: what is refused is not in force either."""
        assert self._store is not None
        self.is_saving = True
        self._under_way = {**self._refused, **records}

        def saved(result: SaveResult) -> None:
            if result is SaveResult.SAVED:
                self._refused = {}
            elif not is_undone:
                self._refused = self._under_way
            if self._refused:
                self._retry_later()
            if on_saved is not None:
                on_saved(result)
            self.go_on()

        self._store.save(dict(self._under_way), promised=True, on_saved=saved)

    def save_with_others(self, records: Mapping[str, bytes | None]) -> None:
        """Save `records` when others are; nothing waits for it."""
        assert self._store is not None
        for key in records:  # what is older is not saved after it
            self._refused.pop(key, None)
            self._under_way.pop(key, None)
        self._store.save(records)

    def go_on(self) -> None:
        """No change is on its way any more: run what waits."""
        self.is_saving = False
        while self._waiting and not self.is_saving:
            self._waiting.popleft()()

    def _retry_later(self) -> None:
        if not self._is_retrying:
            self._is_retrying = True
            self._clock.call_at(self._clock.now_ns() + SAVE_AGAIN_NS, lambda: self.take(self._retry))

    def _retry(self) -> None:
        self._is_retrying = False
        if self._refused:
            self.save({})
