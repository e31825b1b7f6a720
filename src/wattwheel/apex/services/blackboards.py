"""Blackboard services: one message for every process of a partition to see, until it is cleared or replaced."""

from __future__ import annotations

from typing import Any, NamedTuple

from wattwheel.apex.codes import ReturnCode
from wattwheel.apex.limits import BLACKBOARDS_MAX
from wattwheel.apex.objects import Objects
from wattwheel.apex.process import Process, Request, WaitRow
from wattwheel.apex.scheduler import Scheduler
from wattwheel.apex.services.base import OK, Services, is_message_size

_INVALID_PARAM = ReturnCode.INVALID_PARAM


class BlackboardStatus(NamedTuple):
    """What GET_BLACKBOARD_STATUS tells. `is_empty`: the standard's EMPTY_INDICATOR."""

    is_empty: bool
    max_message_size: int
    waiting_processes: int


class _Blackboard:
    def __init__(self, size: int) -> None:
        self.max_message_size = size
        self.message = b""
        self.row = WaitRow()


class BlackboardServices(Services):
    """ARINC 653 Part 1, blackboards."""

    def __init__(self, scheduler: Scheduler) -> None:
        super().__init__(scheduler)
        self._blackboards: Objects[_Blackboard] = Objects(BLACKBOARDS_MAX)

    def CREATE_BLACKBOARD(self, name: str, max_message_size: int) -> tuple[int, ReturnCode]:
        """Create a blackboard, empty. Gives its identifier.

        Codes:
            NO_ERROR: created.
            NO_ACTION: a blackboard of that name exists; its identifier is given.
            INVALID_PARAM: name or size out of range.
            INVALID_CONFIG: no room for one more.
            INVALID_MODE: the mode is neither COLD_START nor WARM_START.
        """
        if not self._is_starting:
            return 0, ReturnCode.INVALID_MODE
        if not is_message_size(max_message_size):
            return 0, _INVALID_PARAM
        return self._blackboards.create(name, lambda _: _Blackboard(max_message_size))

    def DISPLAY_BLACKBOARD(self, blackboard_id: int, message: bytes) -> ReturnCode:
        """Show a message in place of the old one. Every process that waits for one gets it.

        Codes:
            NO_ERROR: shown.
            INVALID_PARAM: no such blackboard; message empty or too long.
        """
        blackboard = self._blackboards.find(blackboard_id)
        if blackboard is None or not 1 <= len(message) <= blackboard.max_message_size:
            return _INVALID_PARAM
        blackboard.message = message
        self._wake_all(blackboard.row, (message, OK))
        return OK

    def READ_BLACKBOARD(self, blackboard_id: int, timeout_ns: int) -> Request[tuple[bytes, ReturnCode]]:
        """Read the message, which stays; wait for one at most `timeout_ns`. To be yielded.

        Codes:
            NO_ERROR: given.
            NOT_AVAILABLE: empty, and `timeout_ns` is 0.
            INVALID_PARAM: no such blackboard; `timeout_ns` out of range.
            INVALID_MODE: `timeout_ns` is not 0 and the caller may not wait.
            TIMED_OUT: no message within `timeout_ns`.
        """
        return self._request(lambda caller: self._read_blackboard(caller, blackboard_id, timeout_ns))

    def _read_blackboard(self, caller: Process | None, identifier: int, timeout_ns: int) -> Any:
        blackboard = self._blackboards.find(identifier)
        if blackboard is None:
            return b"", _INVALID_PARAM
        code = self._scheduler.timing(caller, timeout_ns)
        if code is not OK:
            return b"", code
        if blackboard.message:
            return blackboard.message, OK
        if timeout_ns == 0:
            return b"", ReturnCode.NOT_AVAILABLE
        return self._wait(caller, blackboard.row, timeout_ns, (b"", ReturnCode.TIMED_OUT))

    def CLEAR_BLACKBOARD(self, blackboard_id: int) -> ReturnCode:
        """Wipe the message.

        Codes:
            NO_ERROR: empty.
            INVALID_PARAM: no such blackboard.
        """
        blackboard = self._blackboards.find(blackboard_id)
        if blackboard is None:
            return _INVALID_PARAM
        blackboard.message = b""
        return OK

    def GET_BLACKBOARD_ID(self, name: str) -> tuple[int, ReturnCode]:
        """Give the identifier of the blackboard of that name.

        Codes:
            NO_ERROR: given.
            INVALID_CONFIG: no blackboard of that name.
        """
        return self._blackboards.identifier_of(name)

    def GET_BLACKBOARD_STATUS(self, blackboard_id: int) -> tuple[BlackboardStatus | None, ReturnCode]:
        """Tell whether it is empty, its size, and waiting processes.

        Codes:
            NO_ERROR: told.
            INVALID_PARAM: no such blackboard.
        """
        blackboard = self._blackboards.find(blackboard_id)
        if blackboard is None:
            return None, _INVALID_PARAM
        return BlackboardStatus(not blackboard.message, blackboard.max_message_size, len(blackboard.row)), OK
