"""Event services: a flag that processes wait for."""

from __future__ import annotations

from typing import Any, NamedTuple

from wattwheel.apex.codes import EventState, ReturnCode
from wattwheel.apex.limits import EVENTS_MAX
from wattwheel.apex.objects import Objects
from wattwheel.apex.process import Process, Request, WaitRow
from wattwheel.apex.scheduler import Scheduler
from wattwheel.apex.services.base import OK, Services

_INVALID_PARAM = ReturnCode.INVALID_PARAM


class EventStatus(NamedTuple):
    """What GET_EVENT_STATUS tells."""

    event_state: EventState
    waiting_processes: int


class _Event:
    def __init__(self) -> None:
        self.state = EventState.DOWN
        self.row = WaitRow()


class EventServices(Services):
    """ARINC 653 Part 1, events."""

    def __init__(self, scheduler: Scheduler) -> None:
        super().__init__(scheduler)
        self._events: Objects[_Event] = Objects(EVENTS_MAX)

    def CREATE_EVENT(self, name: str) -> tuple[int, ReturnCode]:
        """Create an event, DOWN. Gives its identifier.

        Codes:
            NO_ERROR: created.
            NO_ACTION: an event of that name exists; its identifier is given.
            INVALID_PARAM: name empty or too long.
            INVALID_CONFIG: no room for one more.
            INVALID_MODE: the mode is neither COLD_START nor WARM_START.
        """
        if not self._is_starting:
            return 0, ReturnCode.INVALID_MODE
        return self._events.create(name, lambda _: _Event())

    def SET_EVENT(self, event_id: int) -> ReturnCode:
        """Let the event be UP. Every process that waits for it goes on.

        Codes:
            NO_ERROR: UP.
            INVALID_PARAM: no such event.
        """
        event = self._events.find(event_id)
        if event is None:
            return _INVALID_PARAM
        event.state = EventState.UP
        self._wake_all(event.row, OK)
        return OK

    def RESET_EVENT(self, event_id: int) -> ReturnCode:
        """Let the event be DOWN.

        Codes:
            NO_ERROR: DOWN.
            INVALID_PARAM: no such event.
        """
        event = self._events.find(event_id)
        if event is None:
            return _INVALID_PARAM
        event.state = EventState.DOWN
        return OK

    def WAIT_EVENT(self, event_id: int, timeout_ns: int) -> Request[ReturnCode]:
        """Wait until the event is UP, at most `timeout_ns`. To be yielded.

        Codes:
            NO_ERROR: it is UP, or was set while waiting.
            NOT_AVAILABLE: DOWN, and `timeout_ns` is 0.
            INVALID_PARAM: no such event; `timeout_ns` out of range.
            INVALID_MODE: `timeout_ns` is not 0 and the caller may not wait.
            TIMED_OUT: not UP within `timeout_ns`.
        """
        return self._request(lambda caller: self._wait_event(caller, event_id, timeout_ns))

    def _wait_event(self, caller: Process | None, identifier: int, timeout_ns: int) -> Any:
        event = self._events.find(identifier)
        if event is None:
            return _INVALID_PARAM
        code = self._scheduler.timing(caller, timeout_ns)
        if code is not OK:
            return code
        if event.state is EventState.UP:
            return OK
        if timeout_ns == 0:
            return ReturnCode.NOT_AVAILABLE
        return self._wait(caller, event.row, timeout_ns, ReturnCode.TIMED_OUT)

    def GET_EVENT_ID(self, name: str) -> tuple[int, ReturnCode]:
        """Give the identifier of the event of that name.

        Codes:
            NO_ERROR: given.
            INVALID_CONFIG: no event of that name.
        """
        return self._events.identifier_of(name)

    def GET_EVENT_STATUS(self, event_id: int) -> tuple[EventStatus | None, ReturnCode]:
        """Tell state and waiting processes.

        Codes:
            NO_ERROR: told.
            INVALID_PARAM: no such event.
        """
        event = self._events.find(event_id)
        if event is None:
            return None, _INVALID_PARAM
        return EventStatus(event.state, len(event.row)), OK
