"""What wakes a simulated process: arrivals, timers and devices, in rounds on the world's clock.

The counterpart of `drivers.linux.loop`: a round calls the actions of whatever is ready, then lets the wheel turn. What
is still ready after its round is called again, as a level-triggered descriptor would be. Between an arrival and the
round that serves it a little time passes, chosen by chance, so that different seeds try different orders of events.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime
from functools import partial

from wattwheel.drivers.sim.clock import Action, SimClock

LATENCY_NS = 20_000
LATENCY_NS_MAX = 80_000


class Killed(BaseException):
    """The process was killed in the middle of an operation. Not an Exception: no program survives to handle it."""


class Watch:
    """One thing that may become ready, and what is called then."""

    __slots__ = ("_loop", "action", "is_posted", "is_ready")

    def __init__(self, loop: SimLoop, is_ready: Callable[[], bool], action: Action) -> None:
        self._loop, self.is_ready, self.action = loop, is_ready, action
        self.is_posted = False

    def post(self) -> None:
        """It may have become ready."""
        if not self.is_posted:
            self._loop.ask_for_round(self)


class _Work:
    """Work that takes time: what is left of it, and since when it is being done."""

    __slots__ = ("done", "left_ns", "since_ns", "stretch")

    def __init__(self, duration_ns: int, done: Action) -> None:
        self.left_ns, self.done = duration_ns, done
        self.since_ns = self.stretch = 0


class SimLoop:
    """One simulated process as the drivers see it; also its `hil.clock.Clock`.

    Attributes:
        turn: called after every round of actions; the host sets it.
        on_crash: called with what an action or a turn raised; the host sets it. Without it the exception goes on.
        fuse: operations until the process is killed in the middle of one; None: it is not.
    """

    def __init__(self, clock: SimClock, chance: random.Random | None = None) -> None:
        self.turn: Action = _nothing
        self.on_crash: Callable[[BaseException], None] | None = None
        self.fuse: int | None = None
        self.now_ns = clock.now_ns
        self._clock = clock
        self._chance = chance
        self._posted: list[Watch] = []
        self._is_round_due = self._is_paused = self._is_ended = False
        self._missed: list[Action] = []
        self._work: _Work | None = None
        self._at_end: list[Action] = []

    def calendar(self) -> datetime:
        """Calendar date and time in UTC."""
        return self._clock.calendar()

    def call_at(self, due_ns: int, action: Action) -> None:
        """Run `action` at `due_ns`, unless the process has ended by then; a paused one runs it when it goes on."""
        self._clock.call_at(due_ns, partial(self._run, action))

    def call_first_at(self, due_ns: int, action: Action) -> None:
        """The same, before anything else in the world that is due at that instant."""
        self._clock.call_first_at(due_ns, partial(self._run, action))

    def watch(self, is_ready: Callable[[], bool], action: Action) -> Watch:
        """Call `action` in rounds while `is_ready`, each time that the watch is posted or was ready after a round."""
        watch = Watch(self, is_ready, action)
        if is_ready():
            watch.post()
        return watch

    def at_end(self, action: Action) -> None:
        """Call `action` when the process has ended, in whatever way: the machine takes back what it held."""
        self._at_end.append(action)

    def ask_for_round(self, watch: Watch) -> None:
        """A watch was posted."""
        if self._is_ended:
            return
        watch.is_posted = True
        self._posted.append(watch)
        if not self._is_round_due:
            self._is_round_due = True
            latency = LATENCY_NS if self._chance is None else self._chance.randrange(1000, LATENCY_NS_MAX)
            self._clock.call_at(self._clock.now_ns() + latency, self._round)

    def _round(self) -> None:
        if self._is_ended or self._is_paused or self._work is not None:
            return
        self._is_round_due = False
        posted, self._posted = self._posted, []
        self._run(partial(_serve, posted))
        for watch in posted:
            if watch.is_ready():
                watch.post()

    def _run(self, action: Action) -> None:
        if self._is_ended:
            return
        if self._is_paused or self._work is not None:
            self._missed.append(action)
            return
        try:
            action()
            if not self._is_ended:
                self.turn()
        except (Exception, Killed) as fault:
            if self.on_crash is None:
                raise
            self.on_crash(fault)

    def compute(self, duration_ns: int, done: Action) -> None:
        """Be busy for `duration_ns` of the process's own time, then call `done`. Work takes no time but by this.

        Nothing else of the process runs until then. A pause interrupts it; the rest follows first when it goes on.
        """
        assert self._work is None, "a process does one thing at a time"
        self._work = _Work(duration_ns, done)
        self._go_on_working(self._work)

    def _go_on_working(self, work: _Work) -> None:
        work.since_ns = self._clock.now_ns()
        work.stretch += 1
        self._clock.call_at(work.since_ns + work.left_ns, partial(self._finish, work, work.stretch))

    def _finish(self, work: _Work, stretch: int) -> None:
        if self._is_ended or self._is_paused or work is not self._work or stretch != work.stretch:
            return
        self._work = None
        self._run(work.done)
        if self._work is None:
            self._catch_up()

    def operate(self) -> None:
        """A port or device is about to do something, or has just done it. Raises Killed when the fuse has burnt."""
        if self.fuse is not None:
            self.fuse -= 1
            if self.fuse < 0:
                raise Killed

    @property
    def is_ended(self) -> bool:
        """True once the process is no more."""
        return self._is_ended

    def pause(self) -> None:
        """Run nothing until `resume`; nothing is lost, work that is interrupted goes on then."""
        if self._is_paused:
            return
        self._is_paused = True
        if self._work is not None:
            self._work.left_ns -= self._clock.now_ns() - self._work.since_ns

    def resume(self) -> None:
        """Go on, with what has become due meanwhile first."""
        if not self._is_paused:
            return
        self._is_paused = False
        if self._work is not None:
            self._go_on_working(self._work)
        else:
            self._catch_up()

    def _catch_up(self) -> None:
        """Do what became due while nothing ran, in the order in which it did."""
        missed, self._missed = self._missed, []
        if missed:
            self._clock.call_at(self._clock.now_ns(), partial(self._run_all, missed))
        if self._is_round_due:
            self._clock.call_at(self._clock.now_ns(), self._round)

    def _run_all(self, actions: list[Action]) -> None:
        later, self._missed = self._missed, []
        for action in actions:
            self._run(action)
        self._missed += later

    def end(self) -> None:
        """The process is no more: nothing of it runs again, and what it held is given back."""
        if self._is_ended:
            return
        self._is_ended = True
        self._posted.clear()
        self._missed.clear()
        at_end, self._at_end = self._at_end, []
        for action in at_end:
            action()


def _serve(watches: list[Watch]) -> None:
    for watch in watches:
        watch.is_posted = False
        if watch.is_ready():
            watch.action()


def _nothing() -> None:
    """Nothing has to be done after a round."""
