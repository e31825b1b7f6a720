"""An APP: a name, a version, and functions that the meter calls. No threads; only a process waits, by `yield`."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from functools import partial
from typing import Any, NamedTuple, TypeVar

from wattwheel.apex.capacity import within_capacity
from wattwheel.apex.partition import StartContext
from wattwheel.apex.process import Request
from wattwheel.model.records import Readings
from wattwheel.sdk.meter import Meter

OnStart = Callable[[Meter], None]
OnReadings = Callable[[Meter, Readings], None]
OnPress = Callable[[Meter, str, float], None]
Main = Callable[[Meter], Coroutine[None, None, None]]
ProcessEntry = Callable[[Meter], Generator[Request[Any] | None, Any, None]]

_F = TypeVar("_F")

PERIODS_MAX = 8


class _ProcessPlan(NamedTuple):
    entry: ProcessEntry
    priority: int
    period: float | None
    time_capacity: float | None


class App:
    """One APP. Decorate functions with its methods; the module calls `start` as the partition's entry.

    app = App("peak-guard", version="1.0.0")

    @app.on_readings
    def guard(meter, readings): ...

    Args:
        time_capacity: seconds that one call of a function of `on_readings` or `every` may take; one that took more is
            told to the health monitor as DEADLINE_MISSED. Nothing interrupts it. None: as long as it likes.
    """

    def __init__(self, name: str, version: str, time_capacity: float | None = None) -> None:
        self.name = name
        self.version = version
        self._time_capacity = time_capacity
        self._on_start: OnStart | None = None
        self._on_readings: OnReadings | None = None
        self._on_press: OnPress | None = None
        self._every: list[tuple[float, OnStart]] = []
        self._main: Main | None = None
        self._processes: list[_ProcessPlan] = []

    def on_start(self, action: OnStart) -> OnStart:
        """Call `action` once, before anything else, when what was saved is there."""
        self._on_start = action
        return action

    def on_readings(self, action: OnReadings) -> OnReadings:
        """Call `action` whenever the metering core has pushed, and when its push has gone stale."""
        self._on_readings = action
        return action

    def on_press(self, action: OnPress) -> OnPress:
        """Call `action` with the name of a button ("up", "down", "both", "program") and the seconds it was held."""
        self._on_press = action
        return action

    def every(self, seconds: float) -> Callable[[OnStart], OnStart]:
        """Call the function every `seconds` of the monotonic clock."""

        def remember(action: OnStart) -> OnStart:
            assert len(self._every) < PERIODS_MAX, f"at most {PERIODS_MAX} periods an APP"
            self._every.append((seconds, action))
            return action

        return remember

    def process(
        self, priority: int, period: float | None = None, time_capacity: float | None = None
    ) -> Callable[[ProcessEntry], ProcessEntry]:
        """Let the generator function be a process (`sdk.processes`), called with the meter after `on_start`.

        `period`: seconds from release to release; `time_capacity`: seconds from a release to its deadline.
        """

        def remember(entry: ProcessEntry) -> ProcessEntry:
            self._processes.append(_ProcessPlan(entry, priority, period, time_capacity))
            return entry

        return remember

    def main(self, coroutine: Main) -> Main:
        """Let the APP live in an asyncio loop, for libraries that need one. `coroutine` is cancelled at the end."""
        self._main = coroutine
        return coroutine

    def start(self, context: StartContext) -> None:
        """Entry of the partition."""
        self.begin(context)

    def begin(self, context: StartContext) -> Meter:
        """The same; the meter as this APP sees it, for a host that drives the APP itself."""
        meter = Meter(context)
        if self._on_press is not None:
            meter.watch_buttons(self._on_press)
        if self._main is not None:
            main = self._main
            context.live_in(lambda: main(meter))
        if meter.has_store:
            meter.load(lambda: self._begin(context, meter))
        else:
            self._begin(context, meter)
        return meter

    def _begin(self, context: StartContext, meter: Meter) -> None:
        if self._on_start is not None:
            self._on_start(meter)
        for seconds, action in self._every:
            bit = context.wheel.free_bit()
            context.wheel.task(bit, self._timed(context, action.__name__, partial(action, meter)))
            context.wheel.post_every(round(seconds * 1e9), bit)
        if self._on_readings is not None:
            heard = self._on_readings

            def hear(own: Meter, readings: Readings) -> None:
                self._timed(context, heard.__name__, partial(heard, own, readings))()

            meter.watch_readings(heard if self._time_capacity is None else hear)
        for plan in self._processes:
            entry = partial(plan.entry, meter)
            meter.processes.start(plan.entry.__name__, entry, plan.priority, plan.period, plan.time_capacity)
        meter.run_processes()

    def _timed(self, context: StartContext, name: str, action: Callable[[], None]) -> Callable[[], None]:
        if self._time_capacity is None:
            return action
        return within_capacity(context, name, action, round(self._time_capacity * 1e9))
