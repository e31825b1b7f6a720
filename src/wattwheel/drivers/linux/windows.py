"""Edges of windows on Linux: a timerfd in the loop, and the scheduler's real-time class where it is granted.

epoll rounds its own time-outs up to whole milliseconds; a timerfd is as exact as the machine's timers. Held is held by
SIGSTOP and SIGCONT (`drivers.linux.process`): a partition cannot escape them, and a body that is held loses nothing.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import time
from collections.abc import Callable

from wattwheel.drivers.linux.loop import EpollLoop

KEEPER_PRIORITY = 50
"""Real-time priority of the process that keeps the windows. Partitions have none: they must not starve the meter."""
_TFD_TIMER_ABSTIME = 1
_NANOSECONDS = 1_000_000_000


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class LinuxEdgeTimer:
    """`kernel.windows.EdgeTimer`: one order at a time, to the microsecond on a quiet machine."""

    def __init__(self, loop: EpollLoop) -> None:
        self._loop = loop
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = _checked(self._libc.timerfd_create(time.CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC))
        self._action: Callable[[], None] | None = None
        loop.watch(self._descriptor, self._expired)

    def call_at(self, due_ns: int, action: Callable[[], None]) -> None:
        """Run `action` at `due_ns` on the monotonic clock, at once when that is past; an earlier order is forgotten."""
        self._action = action
        due = _Timespec(*divmod(max(due_ns, 1), _NANOSECONDS))  # zero would disarm it
        order = _Itimerspec(_Timespec(0, 0), due)
        _checked(self._libc.timerfd_settime(self._descriptor, _TFD_TIMER_ABSTIME, ctypes.byref(order), None))

    def _expired(self) -> None:
        try:
            os.read(self._descriptor, 8)
        except BlockingIOError:  # a new order came between the expiry and this look
            return
        action, self._action = self._action, None
        if action is not None:
            action()

    def close(self) -> None:
        """Give the descriptor back."""
        self._loop.unwatch(self._descriptor)
        os.close(self._descriptor)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def take_real_time_priority(priority: int = KEEPER_PRIORITY) -> bool:
    """Let this process, not its children, run before all ordinary ones. False: the machine does not permit it."""
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(priority))
        return True
    return False
