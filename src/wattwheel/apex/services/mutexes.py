"""Mutex services. The owner runs at the mutex's priority, so that nobody less urgent than that can hold others up."""

from __future__ import annotations

from typing import Any, NamedTuple

from wattwheel.apex.codes import Discipline, MutexState, ReturnCode
from wattwheel.apex.limits import (
    LOCK_LEVEL_MAX,
    MUTEXES_MAX,
    NO_MUTEX_OWNED,
    PREEMPTION_LOCK,
    PRIORITY_MAX,
    PRIORITY_MIN,
)
from wattwheel.apex.objects import Objects
from wattwheel.apex.process import Process, Request, WaitRow
from wattwheel.apex.scheduler import Scheduler
from wattwheel.apex.services.base import OK
from wattwheel.apex.services.processes import ProcessServices

_INVALID_PARAM, _INVALID_MODE = ReturnCode.INVALID_PARAM, ReturnCode.INVALID_MODE


class MutexStatus(NamedTuple):
    """What GET_MUTEX_STATUS tells. `mutex_owner`: identifier of the process; 0: nobody."""

    mutex_owner: int
    mutex_state: MutexState
    mutex_priority: int
    lock_count: int
    waiting_processes: int


class _Mutex:
    def __init__(self, identifier: int, priority: int, discipline: Discipline) -> None:
        self.identifier, self.priority = identifier, priority
        self.owner: Process | None = None
        self.lock_count = 0
        self.row = WaitRow(discipline)


class MutexServices(ProcessServices):
    """ARINC 653 Part 1, mutexes."""

    def __init__(self, scheduler: Scheduler) -> None:
        super().__init__(scheduler)
        self._mutexes: Objects[_Mutex] = Objects(MUTEXES_MAX)
        scheduler.on_end = self._process_ended

    def CREATE_MUTEX(self, name: str, mutex_priority: int, queuing_discipline: Discipline) -> tuple[int, ReturnCode]:
        """Create a mutex that nobody owns. Gives its identifier.

        Codes:
            NO_ERROR: created.
            NO_ACTION: a mutex of that name exists; its identifier is given.
            INVALID_PARAM: name, priority or discipline out of range.
            INVALID_CONFIG: no room for one more.
            INVALID_MODE: the mode is neither COLD_START nor WARM_START.
        """
        if not self._is_starting:
            return 0, _INVALID_MODE
        if queuing_discipline not in Discipline.__members__.values():
            return 0, _INVALID_PARAM
        if not PRIORITY_MIN <= mutex_priority <= PRIORITY_MAX:
            return 0, _INVALID_PARAM
        discipline = Discipline(queuing_discipline)
        return self._mutexes.create(name, lambda identifier: _Mutex(identifier, mutex_priority, discipline))

    def ACQUIRE_MUTEX(self, mutex_id: int, timeout_ns: int) -> Request[ReturnCode]:
        """Own the mutex; wait for it at most `timeout_ns`, by its discipline. Its owner may acquire it again.

        To be yielded.

        Codes:
            NO_ERROR: owned.
            NOT_AVAILABLE: another process owns it, and `timeout_ns` is 0.
            INVALID_PARAM: no such mutex, or the preemption lock; `timeout_ns` out of range.
            INVALID_CONFIG: the owner has acquired it as often as is allowed.
            INVALID_MODE: another mutex owned; own priority above the mutex's; error handler or no process;
                or `timeout_ns` is not 0 and preemption is locked.
            TIMED_OUT: not free within `timeout_ns`.
        """
        return self._request(lambda caller: self._acquire(caller, mutex_id, timeout_ns))

    def _acquire(self, caller: Process | None, identifier: int, timeout_ns: int) -> Any:
        mutex = self._mutexes.find(identifier)
        code = self._scheduler.timing(caller, timeout_ns)
        if mutex is None or code is _INVALID_PARAM:
            return _INVALID_PARAM
        if caller is None or caller.is_handler:
            return _INVALID_MODE
        if mutex.owner is caller:
            if mutex.lock_count >= LOCK_LEVEL_MAX:
                return ReturnCode.INVALID_CONFIG
            mutex.lock_count += 1
            return OK
        if caller.mutex is not None or caller.current_priority > mutex.priority or code is not OK:
            return _INVALID_MODE
        if mutex.owner is None:
            self._own(mutex, caller)
            return OK
        if timeout_ns == 0:
            return ReturnCode.NOT_AVAILABLE
        return self._wait(caller, mutex.row, timeout_ns, ReturnCode.TIMED_OUT)

    def _own(self, mutex: _Mutex, process: Process) -> None:
        mutex.owner, mutex.lock_count = process, 1
        process.mutex = mutex.identifier
        self._scheduler.set_priority(process, max(mutex.priority, process.current_priority))

    def _free(self, mutex: _Mutex) -> None:
        """Take the mutex from its owner and give it to whose turn it is."""
        owner, mutex.owner, mutex.lock_count = mutex.owner, None, 0
        if owner is not None:
            owner.mutex = None
            self._scheduler.set_priority(owner, owner.base_priority)
        next_owner = mutex.row.first()
        if next_owner is not None:
            self._own(mutex, next_owner)
            self._scheduler.wake(next_owner, OK)

    def _process_ended(self, process: Process) -> None:
        mutex = None if process.mutex is None else self._mutexes.find(process.mutex)
        if mutex is not None:
            self._free(mutex)

    def RELEASE_MUTEX(self, mutex_id: int) -> ReturnCode:
        """Undo one ACQUIRE_MUTEX. The last one frees the mutex and gives the caller its own priority back.

        Codes:
            NO_ERROR: released.
            INVALID_PARAM: no such mutex, or the preemption lock.
            INVALID_MODE: the caller does not own it.
        """
        mutex, caller = self._mutexes.find(mutex_id), self._scheduler.current
        if mutex is None:
            return _INVALID_PARAM
        if caller is None or mutex.owner is not caller:
            return _INVALID_MODE
        mutex.lock_count -= 1
        if mutex.lock_count == 0:
            self._free(mutex)
        return OK

    def RESET_MUTEX(self, mutex_id: int, process_id: int) -> ReturnCode:
        """Take the mutex from the process that owns it.

        Codes:
            NO_ERROR: free, or with whose turn it was.
            INVALID_PARAM: no such mutex or process, or the preemption lock.
            INVALID_MODE: the process does not own it.
        """
        mutex, process = self._mutexes.find(mutex_id), self._processes.find(process_id)
        if mutex is None or process is None:
            return _INVALID_PARAM
        if mutex.owner is not process:
            return _INVALID_MODE
        self._free(mutex)
        return OK

    def GET_MUTEX_ID(self, name: str) -> tuple[int, ReturnCode]:
        """Give the identifier of the mutex of that name.

        Codes:
            NO_ERROR: given.
            INVALID_CONFIG: no mutex of that name.
        """
        return self._mutexes.identifier_of(name)

    def GET_MUTEX_STATUS(self, mutex_id: int) -> tuple[MutexStatus | None, ReturnCode]:
        """Tell owner, state, priority, lock count and waiting processes.

        Codes:
            NO_ERROR: told.
            INVALID_PARAM: no such mutex, or the preemption lock.
        """
        mutex = self._mutexes.find(mutex_id)
        if mutex is None:
            return None, _INVALID_PARAM
        owner, state = 0, MutexState.AVAILABLE
        if mutex.owner is not None:
            owner, state = mutex.owner.identifier, MutexState.OWNED
        return MutexStatus(owner, state, mutex.priority, mutex.lock_count, len(mutex.row)), OK

    def GET_PROCESS_MUTEX_STATE(self, process_id: int) -> tuple[int, ReturnCode]:
        """Give the identifier of the mutex that the process owns, PREEMPTION_LOCK, or NO_MUTEX_OWNED.

        Codes:
            NO_ERROR: given.
            INVALID_PARAM: no such process.
        """
        process = self._processes.find(process_id)
        if process is None:
            return NO_MUTEX_OWNED, _INVALID_PARAM
        if process is self._scheduler.lock_owner:
            return PREEMPTION_LOCK, OK
        return NO_MUTEX_OWNED if process.mutex is None else process.mutex, OK
