"""What wakes a process: descriptors, timers and signals on one epoll instance. No threads, no sleeping."""

from __future__ import annotations

import heapq
import select
import signal
import socket
import time
from collections.abc import Callable
from itertools import count
from types import FrameType

Action = Callable[[], None]

EVENTS_A_POLL_MAX = 256
_GONE = int(select.EPOLLHUP | select.EPOLLERR)  # told to readers and writers: they find out on trying
_READABLE = select.EPOLLIN | select.EPOLLRDHUP | _GONE
_WRITABLE = select.EPOLLOUT | _GONE


class EpollLoop:
    """Calls actions when descriptors are ready, when time has come and when signals arrive.

    Actions must not wait. `run` calls `turn` after every round of actions: that is where the wheel turns.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._poll = self._epoll.poll
        self._readers: dict[int, Action] = {}
        self._writers: dict[int, Action] = {}
        self._timers: list[tuple[int, int, Action]] = []
        self._serial = count()
        self._signals: dict[int, Action] = {}
        self._signal_ends: tuple[socket.socket, socket.socket] | None = None
        self._is_stopped = False
        self._on_new_timer: Action | None = None

    def watch(self, descriptor: int, action: Action) -> None:
        """Call `action` whenever `descriptor` is readable or its far end has gone."""
        known = descriptor in self._readers or descriptor in self._writers
        self._readers[descriptor] = action
        self._set_interest(descriptor, known)

    def watch_writable(self, descriptor: int, action: Action) -> None:
        """Call `action` whenever `descriptor` takes octets, until `unwatch_writable`."""
        known = descriptor in self._readers or descriptor in self._writers
        self._writers[descriptor] = action
        self._set_interest(descriptor, known)

    def unwatch_writable(self, descriptor: int) -> None:
        """Stop waiting for room. Harmless when not waited for."""
        if self._writers.pop(descriptor, None) is not None:
            self._set_interest(descriptor, known=True)

    def unwatch_readable(self, descriptor: int) -> None:
        """Stop looking whether `descriptor` is readable; waiting for room goes on. Harmless when unknown."""
        if self._readers.pop(descriptor, None) is not None:
            self._set_interest(descriptor, known=True)

    def unwatch(self, descriptor: int) -> None:
        """Forget a descriptor that is about to be closed. Harmless when unknown."""
        if (self._readers.pop(descriptor, None) or self._writers.pop(descriptor, None)) is not None:
            self._writers.pop(descriptor, None)
            self._epoll.unregister(descriptor)

    def _set_interest(self, descriptor: int, known: bool) -> None:
        interest = (select.EPOLLIN | select.EPOLLRDHUP if descriptor in self._readers else 0) | (
            select.EPOLLOUT if descriptor in self._writers else 0
        )
        if not interest:
            self._epoll.unregister(descriptor)
        elif known:
            self._epoll.modify(descriptor, interest)
        else:
            self._epoll.register(descriptor, interest)

    def call_at(self, due_ns: int, action: Action) -> None:
        """Run `action` once, at `due_ns` on the monotonic clock or as soon after as possible."""
        heapq.heappush(self._timers, (due_ns, next(self._serial), action))
        if self._on_new_timer is not None and self._timers[0][2] is action:
            self._on_new_timer()

    def on_new_timer(self, action: Action) -> None:
        """Call `action` whenever the earliest timer has changed: for a loop around this one."""
        self._on_new_timer = action

    def on_signal(self, number: int, action: Action) -> None:
        """Call `action` from the loop, never from inside a handler, when signal `number` has come."""
        if self._signal_ends is None:
            self._signal_ends = socket.socketpair()
            for end in self._signal_ends:
                end.setblocking(False)
            signal.set_wakeup_fd(self._signal_ends[1].fileno(), warn_on_full_buffer=False)
            self.watch(self._signal_ends[0].fileno(), self._take_signals)
        self._signals[number] = action
        signal.signal(number, _ignore_in_handler)

    def _take_signals(self) -> None:
        assert self._signal_ends is not None
        for number in self._signal_ends[0].recv(256):
            if number in self._signals:
                self._signals[number]()

    def stop(self) -> None:
        """Let `run` return after this round."""
        self._is_stopped = True

    def run(self, turn: Action) -> None:
        """Serve until `stop`. `turn` runs before the first wait and after every round."""
        turn()
        while not self._is_stopped:
            self.step(self.wait_s() if self._timers else None)
            turn()

    def step(self, wait_s: float | None) -> None:
        """One round: wait at most `wait_s` (None: for ever), then call what is ready and what is due."""
        readers, writers = self._readers, self._writers
        for descriptor, events in self._poll(wait_s, EVENTS_A_POLL_MAX):
            if events & _READABLE and (action := readers.get(descriptor)) is not None:
                action()
            if writers and events & _WRITABLE and (action := writers.get(descriptor)) is not None:
                action()
        if self._timers:
            self._run_due()

    def wait_s(self) -> float | None:
        """Seconds until the next timer is due, None when there is none."""
        if not self._timers:
            return None
        return max(0.0, (self._timers[0][0] - time.monotonic_ns()) / 1e9)

    @property
    def is_stopped(self) -> bool:
        """True after `stop`."""
        return self._is_stopped

    def fileno(self) -> int:
        """A descriptor that is readable while `step` has something to do: for a loop around this one."""
        return self._epoll.fileno()

    def _run_due(self) -> None:
        now = time.monotonic_ns()
        while self._timers and self._timers[0][0] <= now:
            heapq.heappop(self._timers)[2]()

    def close(self) -> None:
        """Give descriptors back; actions are forgotten."""
        if self._signal_ends is not None:
            signal.set_wakeup_fd(-1)
            for end in self._signal_ends:
                end.close()
        self._epoll.close()


def _ignore_in_handler(number: int, frame: FrameType | None) -> None:
    """Stand-in for a handler: the wake-up descriptor carries the signal to the loop."""
