"""Virtual time: moves only when told to, and is the same again for the same seed."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count

Action = Callable[[], None]

POWER_UP = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
START_NS = 5_000_000_000
ACTIONS_AN_INSTANT_MAX = 100_000
"""More actions than this without time moving on are a loop that would never end."""


class SimClock:
    """`hil.clock.Clock` of a simulated world, and its scheduler.

    Actions that are due at the same instant run in the order in which they were asked for; with `chance`, in a random
    order that the seed decides.
    """

    def __init__(self, calendar: datetime = POWER_UP, chance: random.Random | None = None) -> None:
        self._now = self._started = START_NS
        self._calendar = calendar
        self._rate = 1.0
        self._chance = chance
        self._serial = count()
        self._timers: list[tuple[int, float, int, Action]] = []

    def now_ns(self) -> int:
        """Nanoseconds on the monotonic clock of the world."""
        return self._now

    def calendar(self) -> datetime:
        """Calendar date and time in UTC."""
        return self._calendar + timedelta(microseconds=(self._now - self._started) * self._rate // 1000)

    def call_at(self, due_ns: int, action: Action) -> None:
        """Run `action` at `due_ns`; when that is past, as soon as time moves."""
        tie = self._chance.random() if self._chance is not None else 0.0
        heapq.heappush(self._timers, (due_ns, tie, next(self._serial), action))

    def call_first_at(self, due_ns: int, action: Action) -> None:
        """The same, before anything else that is due at that instant: what the machine itself does."""
        heapq.heappush(self._timers, (due_ns, -1.0, next(self._serial), action))

    def step_calendar(self, seconds: float) -> None:
        """Let the calendar jump, as a clock setting of the host does. Intervals are not touched."""
        self._calendar += timedelta(seconds=seconds)

    def drift_calendar(self, parts_per_million: float) -> None:
        """Let the calendar run faster (or slower, negative) from now on."""
        self._calendar = self.calendar()
        self._started = self._now
        self._rate = 1.0 + parts_per_million / 1e6

    def skip_to(self, instant_ns: int) -> None:
        """Let time jump to `instant_ns`, as for a machine that stood still: what fell due meanwhile runs afterwards."""
        self._now = max(self._now, instant_ns)

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass: everything that falls due in them is run, each at its instant."""
        self._advance_to(self._now + round(seconds * 1e9), lambda: False)

    def advance_until(self, condition: Callable[[], bool], seconds_max: float) -> bool:
        """Let time pass until `condition` holds, looked at after each action. False: `seconds_max` are over."""
        return condition() or self._advance_to(self._now + round(seconds_max * 1e9), condition)

    def _advance_to(self, end: int, is_enough: Callable[[], bool]) -> bool:
        timers, pop = self._timers, heapq.heappop
        at_this_instant = 0
        while timers and timers[0][0] <= end:
            due, _, _, action = pop(timers)
            if due > self._now:
                self._now = due
                at_this_instant = 0
            at_this_instant += 1
            assert at_this_instant <= ACTIONS_AN_INSTANT_MAX, f"time stands still at {self._now} ns: {action}"
            action()
            if is_enough():
                return True
        self._now = end
        return False
