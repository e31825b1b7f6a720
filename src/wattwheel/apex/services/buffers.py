"""Buffer services: bounded rows of messages between the processes of a partition."""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

from wattwheel.apex.codes import Discipline, ReturnCode
from wattwheel.apex.limits import BUFFERS_MAX
from wattwheel.apex.objects import Objects
from wattwheel.apex.process import Process, Request, WaitRow
from wattwheel.apex.scheduler import Scheduler
from wattwheel.apex.services.base import OK, Services, is_message_count, is_message_size

_INVALID_PARAM = ReturnCode.INVALID_PARAM


class BufferStatus(NamedTuple):
    """What GET_BUFFER_STATUS tells."""

    nb_message: int
    max_nb_message: int
    max_message_size: int
    waiting_processes: int


class _Buffer:
    """Full, senders wait in `row`; empty, receivers do. Never both."""

    def __init__(self, size: int, depth: int, discipline: Discipline) -> None:
        self.max_message_size, self.depth = size, depth
        self.messages: deque[bytes] = deque()
        self.row = WaitRow(discipline)


class BufferServices(Services):
    """ARINC 653 Part 1, buffers."""

    def __init__(self, scheduler: Scheduler) -> None:
        super().__init__(scheduler)
        self._buffers: Objects[_Buffer] = Objects(BUFFERS_MAX)

    def CREATE_BUFFER(
        self, name: str, max_message_size: int, max_nb_message: int, queuing_discipline: Discipline
    ) -> tuple[int, ReturnCode]:
        """Create a buffer, empty. Gives its identifier.

        Codes:
            NO_ERROR: created.
            NO_ACTION: a buffer of that name exists; its identifier is given.
            INVALID_PARAM: name, size, number of messages or discipline out of range.
            INVALID_CONFIG: no room for one more.
            INVALID_MODE: the mode is neither COLD_START nor WARM_START.
        """
        if not self._is_starting:
            return 0, ReturnCode.INVALID_MODE
        if queuing_discipline not in Discipline.__members__.values():
            return 0, _INVALID_PARAM
        if not is_message_size(max_message_size) or not is_message_count(max_nb_message):
            return 0, _INVALID_PARAM
        discipline = Discipline(queuing_discipline)
        return self._buffers.create(name, lambda _: _Buffer(max_message_size, max_nb_message, discipline))

    def SEND_BUFFER(self, buffer_id: int, message: bytes, timeout_ns: int) -> Request[ReturnCode]:
        """Put a message in; wait for room at most `timeout_ns`, by the buffer's discipline. To be yielded.

        Codes:
            NO_ERROR: in the buffer, or with a process that waited for it.
            NOT_AVAILABLE: full, and `timeout_ns` is 0.
            INVALID_PARAM: no such buffer; message empty or too long; `timeout_ns` out of range.
            INVALID_MODE: `timeout_ns` is not 0 and the caller may not wait.
            TIMED_OUT: no room within `timeout_ns`.
        """
        return self._request(lambda caller: self._send_buffer(caller, buffer_id, message, timeout_ns))

    def _send_buffer(self, caller: Process | None, identifier: int, message: bytes, timeout_ns: int) -> Any:
        buffer = self._buffers.find(identifier)
        if buffer is None or not 1 <= len(message) <= buffer.max_message_size:
            return _INVALID_PARAM
        code = self._scheduler.timing(caller, timeout_ns)
        if code is not OK:
            return code
        if len(buffer.messages) < buffer.depth:
            if buffer.row:  # receivers
                self._wake_first(buffer.row, (message, OK))
            else:
                buffer.messages.append(message)
            return OK
        if timeout_ns == 0:
            return ReturnCode.NOT_AVAILABLE
        return self._wait(caller, buffer.row, timeout_ns, ReturnCode.TIMED_OUT, message)

    def RECEIVE_BUFFER(self, buffer_id: int, timeout_ns: int) -> Request[tuple[bytes, ReturnCode]]:
        """Take the oldest message out; wait for one at most `timeout_ns`, by the buffer's discipline. To be yielded.

        Codes:
            NO_ERROR: given.
            NOT_AVAILABLE: empty, and `timeout_ns` is 0.
            INVALID_PARAM: no such buffer; `timeout_ns` out of range.
            INVALID_MODE: `timeout_ns` is not 0 and the caller may not wait.
            TIMED_OUT: no message within `timeout_ns`.
        """
        return self._request(lambda caller: self._receive_buffer(caller, buffer_id, timeout_ns))

    def _receive_buffer(self, caller: Process | None, identifier: int, timeout_ns: int) -> Any:
        buffer = self._buffers.find(identifier)
        if buffer is None:
            return b"", _INVALID_PARAM
        code = self._scheduler.timing(caller, timeout_ns)
        if code is not OK:
            return b"", code
        if buffer.messages:
            message = buffer.messages.popleft()
            if buffer.row:  # senders
                buffer.messages.append(self._wake_first(buffer.row, OK))
            return message, OK
        if timeout_ns == 0:
            return b"", ReturnCode.NOT_AVAILABLE
        return self._wait(caller, buffer.row, timeout_ns, (b"", ReturnCode.TIMED_OUT))

    def GET_BUFFER_ID(self, name: str) -> tuple[int, ReturnCode]:
        """Give the identifier of the buffer of that name.

        Codes:
            NO_ERROR: given.
            INVALID_CONFIG: no buffer of that name.
        """
        return self._buffers.identifier_of(name)

    def GET_BUFFER_STATUS(self, buffer_id: int) -> tuple[BufferStatus | None, ReturnCode]:
        """Tell messages now, depth, size and waiting processes.

        Codes:
            NO_ERROR: told.
            INVALID_PARAM: no such buffer.
        """
        buffer = self._buffers.find(buffer_id)
        if buffer is None:
            return None, _INVALID_PARAM
        return BufferStatus(len(buffer.messages), buffer.depth, buffer.max_message_size, len(buffer.row)), OK
