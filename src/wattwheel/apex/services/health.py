"""Health monitor services: the partition's error handler, and errors that an application reports.

An error at process level goes to the error handler, when there is one. Without one it is the kernel's: a missed
deadline and an application error are reported to it, an exception goes on and ends the partition's body. An error in
the handler, or before mode NORMAL, is the kernel's in any case.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from wattwheel.apex.codes import ErrorCode, ProcessState, ReturnCode
from wattwheel.apex.limits import ERROR_MESSAGE_OCTETS_MAX, ERRORS_WAITING_MAX, STACK_OCTETS_MAX
from wattwheel.apex.process import (
    HANDLER_ID,
    HANDLER_PRIORITY,
    STACK_OCTETS,
    Entry,
    Process,
    ProcessAttributes,
)
from wattwheel.apex.scheduler import Scheduler
from wattwheel.apex.services.base import OK
from wattwheel.apex.services.mutexes import MutexServices

_INVALID_PARAM, _NO_ACTION = ReturnCode.INVALID_PARAM, ReturnCode.NO_ACTION
HANDLER_NAME = "error handler"


class ErrorStatus(NamedTuple):
    """What GET_ERROR_STATUS tells. `failed_process_id`: 0 when it was not in a process."""

    error_code: ErrorCode
    message: bytes
    failed_process_id: int


class HealthServices(MutexServices):
    """ARINC 653 Part 1, health monitoring."""

    def __init__(self, scheduler: Scheduler) -> None:
        super().__init__(scheduler)
        self._handler: Process | None = None
        self._errors: deque[ErrorStatus] = deque()
        self._unread_at_start = 0
        scheduler.on_error = self._take_error
        end_of_process = scheduler.on_end

        def ended(process: Process) -> None:
            end_of_process(process)
            if process.is_handler and self._is_normal:
                self._handler_ended()

        scheduler.on_end = ended

    def CREATE_ERROR_HANDLER(self, entry_point: Entry, stack_octets: int = STACK_OCTETS) -> ReturnCode:
        """Create the error handler: a process above all priorities that runs when there is an error, and never waits.

        Codes:
            NO_ERROR: created.
            NO_ACTION: there is one.
            INVALID_CONFIG: stack out of range.
            INVALID_MODE: the mode is neither COLD_START nor WARM_START.
        """
        if not self._is_starting:
            return ReturnCode.INVALID_MODE
        if self._handler is not None:
            return _NO_ACTION
        if not 1 <= stack_octets <= STACK_OCTETS_MAX:
            return ReturnCode.INVALID_CONFIG
        attributes = ProcessAttributes(HANDLER_NAME, entry_point, HANDLER_PRIORITY, stack_octets=stack_octets)
        self._handler = Process(HANDLER_ID, attributes)
        return OK

    def GET_ERROR_STATUS(self) -> tuple[ErrorStatus | None, ReturnCode]:
        """Give the oldest error that the handler has not seen.

        Codes:
            NO_ERROR: given.
            NO_ACTION: there is none.
            INVALID_CONFIG: the caller is not the error handler.
        """
        caller = self._scheduler.current
        if caller is None or not caller.is_handler:
            return None, ReturnCode.INVALID_CONFIG
        if not self._errors:
            return None, _NO_ACTION
        return self._errors.popleft(), OK

    def RAISE_APPLICATION_ERROR(self, error_code: int, message: bytes) -> ReturnCode:
        """Hand an error to the error handler, which runs at the caller's next yield; or, without one, to the kernel.

        Codes:
            NO_ERROR: handed over.
            INVALID_PARAM: not APPLICATION_ERROR; message longer than 128 octets.
        """
        if error_code != ErrorCode.APPLICATION_ERROR or len(message) > ERROR_MESSAGE_OCTETS_MAX:
            return _INVALID_PARAM
        self._take_error(self._scheduler.current, ErrorCode.APPLICATION_ERROR, message, None)
        return OK

    def REPORT_APPLICATION_MESSAGE(self, message: bytes) -> ReturnCode:
        """Tell the kernel something for its log. It is no error.

        Codes:
            NO_ERROR: told.
            NOT_AVAILABLE: the kernel has fallen behind.
            INVALID_PARAM: message longer than 128 octets.
        """
        if len(message) > ERROR_MESSAGE_OCTETS_MAX:
            return _INVALID_PARAM
        is_told = self._scheduler.context.report("message", message.decode(errors="replace"))
        return OK if is_told else ReturnCode.NOT_AVAILABLE

    def _take_error(self, process: Process | None, code: ErrorCode, message: bytes, fault: Exception | None) -> None:
        handler = self._handler
        is_for_handler = handler is not None and self._is_normal and process is not None and not process.is_handler
        if not is_for_handler and fault is not None:
            raise fault
        detail = message.decode(errors="replace")
        if not self._scheduler.context.report(code.name.lower(), detail, is_handled=is_for_handler):
            self._scheduler.context.counters.add("reports_dropped")
        if not is_for_handler or handler is None or process is None:
            return
        if len(self._errors) >= ERRORS_WAITING_MAX:
            self._scheduler.context.counters.add("errors_dropped")
            return
        self._errors.append(ErrorStatus(code, message, process.identifier))
        if handler.state is ProcessState.DORMANT:
            self._start_handler(handler)

    def _start_handler(self, handler: Process) -> None:
        self._unread_at_start = len(self._errors)
        self._scheduler.start(handler)

    def _handler_ended(self) -> None:
        """Start the handler again for what it has left; an error that it was started for and did not read is over."""
        if self._errors and len(self._errors) >= self._unread_at_start:
            self._errors.popleft()
        if self._errors and self._handler is not None:
            self._scheduler.clock.call_at(self._scheduler.clock.now_ns(), self._handle_rest)

    def _handle_rest(self) -> None:
        handler = self._handler
        if self._errors and handler is not None and handler.state is ProcessState.DORMANT and self._is_normal:
            self._start_handler(handler)
