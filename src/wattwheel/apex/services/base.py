"""What all families of services share: the scheduler, and the rules of waiting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wattwheel.apex.codes import OperatingMode, ReturnCode
from wattwheel.apex.limits import MESSAGE_OCTETS_MAX, MESSAGES_MAX
from wattwheel.apex.process import Process, Request, WaitRow
from wattwheel.apex.scheduler import Scheduler

OK = ReturnCode.NO_ERROR


class Services:
    """Base of every family: services of one partition."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    @property
    def _is_normal(self) -> bool:
        return self._scheduler.mode is OperatingMode.NORMAL

    @property
    def _is_starting(self) -> bool:
        return self._scheduler.mode in (OperatingMode.COLD_START, OperatingMode.WARM_START)

    def _request(self, perform: Callable[[Process | None], Any]) -> Request[Any]:
        return self._scheduler.request(perform)

    def _wait(self, caller: Process | None, row: WaitRow, timeout_ns: int, late: Any, offer: Any = None) -> Any:
        """Let the caller, who may wait as `timing` has said, wait in `row`."""
        assert caller is not None
        caller.offer = offer
        return self._scheduler.block(caller, row, timeout_ns, late)

    def _wake_first(self, row: WaitRow, reply: Any) -> Any:
        """End the waiting of whose turn it is; gives what that process offered. Somebody must be waiting."""
        process = row.first()
        assert process is not None
        offer = process.offer
        self._scheduler.wake(process, reply)
        return offer

    def _wake_all(self, row: WaitRow, reply: Any) -> None:
        while (process := row.first()) is not None:
            self._scheduler.wake(process, reply)


def is_message_size(size: int) -> bool:
    """Whether messages may be as long as that."""
    return 1 <= size <= MESSAGE_OCTETS_MAX


def is_message_count(count: int) -> bool:
    """Whether so many messages may be kept."""
    return 1 <= count <= MESSAGES_MAX
