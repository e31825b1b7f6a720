"""Counting semaphore services."""

from __future__ import annotations

from typing import Any, NamedTuple

from wattwheel.apex.codes import Discipline, ReturnCode
from wattwheel.apex.limits import SEMAPHORE_VALUE_MAX, SEMAPHORES_MAX
from wattwheel.apex.objects import Objects
from wattwheel.apex.process import Process, Request, WaitRow
from wattwheel.apex.scheduler import Scheduler
from wattwheel.apex.services.base import OK, Services

_INVALID_PARAM = ReturnCode.INVALID_PARAM


class SemaphoreStatus(NamedTuple):
    """What GET_SEMAPHORE_STATUS tells."""

    current_value: int
    maximum_value: int
    waiting_processes: int


class _Semaphore:
    def __init__(self, value: int, value_max: int, discipline: Discipline) -> None:
        self.value, self.value_max = value, value_max
        self.row = WaitRow(discipline)


class SemaphoreServices(Services):
    """ARINC 653 Part 1, semaphores."""

    def __init__(self, scheduler: Scheduler) -> None:
        super().__init__(scheduler)
        self._semaphores: Objects[_Semaphore] = Objects(SEMAPHORES_MAX)

    def CREATE_SEMAPHORE(
        self, name: str, current_value: int, maximum_value: int, queuing_discipline: Discipline
    ) -> tuple[int, ReturnCode]:
        """Create a semaphore. Gives its identifier.

        Codes:
            NO_ERROR: created.
            NO_ACTION: a semaphore of that name exists; its identifier is given.
            INVALID_PARAM: name, values or discipline out of range; current value above the maximum.
            INVALID_CONFIG: no room for one more.
            INVALID_MODE: the mode is neither COLD_START nor WARM_START.
        """
        if not self._is_starting:
            return 0, ReturnCode.INVALID_MODE
        if queuing_discipline not in Discipline.__members__.values():
            return 0, _INVALID_PARAM
        if not 0 <= current_value <= maximum_value <= SEMAPHORE_VALUE_MAX or maximum_value == 0:
            return 0, _INVALID_PARAM
        discipline = Discipline(queuing_discipline)
        return self._semaphores.create(name, lambda _: _Semaphore(current_value, maximum_value, discipline))

    def WAIT_SEMAPHORE(self, semaphore_id: int, timeout_ns: int) -> Request[ReturnCode]:
        """Take one; wait for one at most `timeout_ns`, by the semaphore's discipline. To be yielded.

        Codes:
            NO_ERROR: taken.
            NOT_AVAILABLE: the value is 0, and so is `timeout_ns`.
            INVALID_PARAM: no such semaphore; `timeout_ns` out of range.
            INVALID_MODE: `timeout_ns` is not 0 and the caller may not wait.
            TIMED_OUT: none within `timeout_ns`.
        """
        return self._request(lambda caller: self._wait_semaphore(caller, semaphore_id, timeout_ns))

    def _wait_semaphore(self, caller: Process | None, identifier: int, timeout_ns: int) -> Any:
        semaphore = self._semaphores.find(identifier)
        if semaphore is None:
            return _INVALID_PARAM
        code = self._scheduler.timing(caller, timeout_ns)
        if code is not OK:
            return code
        if semaphore.value > 0:
            semaphore.value -= 1
            return OK
        if timeout_ns == 0:
            return ReturnCode.NOT_AVAILABLE
        return self._wait(caller, semaphore.row, timeout_ns, ReturnCode.TIMED_OUT)

    def SIGNAL_SEMAPHORE(self, semaphore_id: int) -> ReturnCode:
        """Give one back: to the process whose turn it is, or to the value.

        Codes:
            NO_ERROR: given.
            NO_ACTION: the value is at its maximum.
            INVALID_PARAM: no such semaphore.
        """
        semaphore = self._semaphores.find(semaphore_id)
        if semaphore is None:
            return _INVALID_PARAM
        if semaphore.row:
            self._wake_first(semaphore.row, OK)
        elif semaphore.value >= semaphore.value_max:
            return ReturnCode.NO_ACTION
        else:
            semaphore.value += 1
        return OK

    def GET_SEMAPHORE_ID(self, name: str) -> tuple[int, ReturnCode]:
        """Give the identifier of the semaphore of that name.

        Codes:
            NO_ERROR: given.
            INVALID_CONFIG: no semaphore of that name.
        """
        return self._semaphores.identifier_of(name)

    def GET_SEMAPHORE_STATUS(self, semaphore_id: int) -> tuple[SemaphoreStatus | None, ReturnCode]:
        """Tell value, maximum and waiting processes.

        Codes:
            NO_ERROR: told.
            INVALID_PARAM: no such semaphore.
        """
        semaphore = self._semaphores.find(semaphore_id)
        if semaphore is None:
            return None, _INVALID_PARAM
        return SemaphoreStatus(semaphore.value, semaphore.value_max, len(semaphore.row)), OK
