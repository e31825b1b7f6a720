"""Process services: create, start, stop, suspend, priorities, the preemption lock."""

from __future__ import annotations

from wattwheel.apex.codes import ProcessState, ReturnCode
from wattwheel.apex.limits import (
    INFINITE,
    LOCK_LEVEL_MAX,
    PRIORITY_MAX,
    PRIORITY_MIN,
    PROCESSES_MAX,
    STACK_OCTETS_MAX,
    TIME_NS_MAX,
)
from wattwheel.apex.objects import Objects
from wattwheel.apex.process import BLOCKED, Process, ProcessAttributes, ProcessStatus, Request
from wattwheel.apex.scheduler import Scheduler
from wattwheel.apex.services.base import OK, Services

_INVALID_PARAM, _INVALID_CONFIG = ReturnCode.INVALID_PARAM, ReturnCode.INVALID_CONFIG
_INVALID_MODE, _NO_ACTION = ReturnCode.INVALID_MODE, ReturnCode.NO_ACTION


class ProcessServices(Services):
    """ARINC 653 Part 1, process management."""

    def __init__(self, scheduler: Scheduler) -> None:
        super().__init__(scheduler)
        self._processes: Objects[Process] = Objects(PROCESSES_MAX)

    def CREATE_PROCESS(self, attributes: ProcessAttributes) -> tuple[int, ReturnCode]:
        """Create a process, DORMANT. Gives its identifier.

        Codes:
            NO_ERROR: created.
            NO_ACTION: a process of that name exists; its identifier is given.
            INVALID_PARAM: name, stack, priority, period or time capacity out of range; period less than time capacity.
            INVALID_CONFIG: no room for one more; period not a multiple of the partition's period.
            INVALID_MODE: the mode is neither COLD_START nor WARM_START.
        """
        if not self._is_starting:
            return 0, _INVALID_MODE
        return self._processes.create(attributes.name, lambda identifier: self._made(identifier, attributes))

    def _made(self, identifier: int, attributes: ProcessAttributes) -> Process | ReturnCode:
        period_ns, capacity_ns = attributes.period_ns, attributes.time_capacity_ns
        if not 1 <= attributes.stack_octets <= STACK_OCTETS_MAX or not _is_priority(attributes.base_priority):
            return _INVALID_PARAM
        if not all(time_ns == INFINITE or 0 < time_ns <= TIME_NS_MAX for time_ns in (period_ns, capacity_ns)):
            return _INVALID_PARAM
        if period_ns != INFINITE:
            if period_ns < capacity_ns:
                return _INVALID_PARAM
            frame = self._scheduler.context.frame
            if frame is not None and period_ns % frame.period_ns:
                return _INVALID_CONFIG
        return Process(identifier, attributes)

    def GET_PROCESS_ID(self, name: str) -> tuple[int, ReturnCode]:
        """Give the identifier of the process of that name.

        Codes:
            NO_ERROR: given.
            INVALID_CONFIG: no process of that name.
        """
        return self._processes.identifier_of(name)

    def GET_PROCESS_STATUS(self, process_id: int) -> tuple[ProcessStatus | None, ReturnCode]:
        """Tell deadline, current priority, state and attributes.

        Codes:
            NO_ERROR: told.
            INVALID_PARAM: no such process.
        """
        process = self._processes.find(process_id)
        if process is None:
            return None, _INVALID_PARAM
        deadline_ns = INFINITE if process.deadline_ns is None else process.deadline_ns
        return ProcessStatus(deadline_ns, process.current_priority, process.state, process.attributes), OK

    def GET_MY_ID(self) -> tuple[int, ReturnCode]:
        """Give the identifier of the calling process.

        Codes:
            NO_ERROR: given.
            INVALID_MODE: called outside a process, or by the error handler.
        """
        caller = self._scheduler.current
        if caller is None or caller.is_handler:
            return 0, _INVALID_MODE
        return caller.identifier, OK

    def SET_PRIORITY(self, process_id: int, priority: int) -> ReturnCode:
        """Give the process another current priority. The owner of a mutex gets it when it releases the mutex.

        Codes:
            NO_ERROR: set.
            INVALID_PARAM: no such process; priority out of range.
            INVALID_MODE: the process is DORMANT.
        """
        process = self._processes.find(process_id)
        if process is None or not _is_priority(priority):
            return _INVALID_PARAM
        if process.state is ProcessState.DORMANT:
            return _INVALID_MODE
        process.base_priority = priority
        if process.mutex is None:
            self._scheduler.set_priority(process, priority)
        return OK

    def SUSPEND_SELF(self, timeout_ns: int) -> Request[ReturnCode]:
        """Stop until another process resumes the caller, at most `timeout_ns`. To be yielded.

        Codes:
            NO_ERROR: resumed, or `timeout_ns` is 0.
            INVALID_PARAM: `timeout_ns` out of range.
            INVALID_MODE: periodic, preemption locked, error handler, owner of a mutex, or no process.
            TIMED_OUT: `timeout_ns` has passed.
        """
        return self._request(lambda caller: self._suspend_self(caller, timeout_ns))

    def _suspend_self(self, caller: Process | None, timeout_ns: int) -> object:
        scheduler = self._scheduler
        if scheduler.timing(caller, timeout_ns) is _INVALID_PARAM:
            return _INVALID_PARAM
        if caller is None or caller.is_periodic or caller.mutex is not None or not scheduler.may_block(caller):
            return _INVALID_MODE
        if timeout_ns == 0:
            return OK
        scheduler.suspend_self(caller, timeout_ns, OK, ReturnCode.TIMED_OUT)
        return BLOCKED

    def SUSPEND(self, process_id: int) -> ReturnCode:
        """Stop the process until it is resumed. What it waits for goes on meanwhile.

        Codes:
            NO_ERROR: suspended.
            NO_ACTION: it is suspended already.
            INVALID_PARAM: no such process, or the caller.
            INVALID_MODE: DORMANT, periodic, or holder of the preemption lock.
        """
        process = self._processes.find(process_id)
        if process is None or process is self._scheduler.current:
            return _INVALID_PARAM
        if process.state is ProcessState.DORMANT or process.is_periodic or process is self._scheduler.lock_owner:
            return _INVALID_MODE
        if process.is_suspended:
            return _NO_ACTION
        self._scheduler.suspend(process)
        return OK

    def RESUME(self, process_id: int) -> ReturnCode:
        """Let a suspended process go on.

        Codes:
            NO_ERROR: resumed.
            NO_ACTION: it is not suspended.
            INVALID_PARAM: no such process, or the caller.
            INVALID_MODE: DORMANT or periodic.
        """
        process = self._processes.find(process_id)
        if process is None or process is self._scheduler.current:
            return _INVALID_PARAM
        if process.state is ProcessState.DORMANT or process.is_periodic:
            return _INVALID_MODE
        if not process.is_suspended:
            return _NO_ACTION
        self._scheduler.resume(process)
        return OK

    def STOP_SELF(self) -> Request[ReturnCode]:
        """End the caller: it is DORMANT and what follows the `yield` never runs. To be yielded.

        Codes:
            INVALID_MODE: called outside a process.
        """
        return self._request(self._stop_self)

    def _stop_self(self, caller: Process | None) -> object:
        if caller is None:
            return _INVALID_MODE
        self._scheduler.end(caller)
        return BLOCKED

    def STOP(self, process_id: int) -> ReturnCode:
        """End another process: it is DORMANT, and what it held is given back.

        Codes:
            NO_ERROR: stopped.
            NO_ACTION: it is DORMANT already.
            INVALID_PARAM: no such process, or the caller.
        """
        process = self._processes.find(process_id)
        if process is None or process is self._scheduler.current:
            return _INVALID_PARAM
        if process.state is ProcessState.DORMANT:
            return _NO_ACTION
        self._scheduler.end(process)
        return OK

    def START(self, process_id: int) -> ReturnCode:
        """Release a DORMANT process: an aperiodic one now, a periodic one at its release point.

        Before mode NORMAL it is released when that begins.

        Codes:
            NO_ERROR: started.
            NO_ACTION: it is not DORMANT.
            INVALID_PARAM: no such process.
            INVALID_CONFIG: its deadline would lie beyond the range of time.
        """
        return self._start(self._processes.find(process_id), 0)

    def DELAYED_START(self, process_id: int, delay_ns: int) -> ReturnCode:
        """The same, `delay_ns` later.

        Codes:
            NO_ERROR: started.
            NO_ACTION: it is not DORMANT.
            INVALID_PARAM: no such process; delay negative, infinite or out of range; periodic and delay not below the
                period.
            INVALID_CONFIG: its deadline would lie beyond the range of time.
        """
        process = self._processes.find(process_id)
        if process is None or not 0 <= delay_ns <= TIME_NS_MAX - self._scheduler.clock.now_ns():
            return _INVALID_PARAM
        if process.is_periodic and delay_ns >= process.attributes.period_ns:
            return _INVALID_PARAM
        return self._start(process, delay_ns)

    def _start(self, process: Process | None, delay_ns: int) -> ReturnCode:
        if process is None:
            return _INVALID_PARAM
        if process.state is not ProcessState.DORMANT:
            return _NO_ACTION
        if self._scheduler.clock.now_ns() + delay_ns + process.attributes.time_capacity_ns > TIME_NS_MAX:
            return _INVALID_CONFIG
        self._scheduler.start(process, delay_ns)
        return OK

    def LOCK_PREEMPTION(self) -> tuple[int, ReturnCode]:
        """Let no other process run before the caller unlocks. Gives the lock level.

        Codes:
            NO_ERROR: locked.
            NO_ACTION: the mode is not NORMAL, the error handler, or no process: nothing would preempt it.
            INVALID_CONFIG: the lock level is at its maximum.
        """
        scheduler = self._scheduler
        caller = scheduler.current
        if not self._is_normal or caller is None or caller.is_handler:
            return scheduler.lock_level, _NO_ACTION
        if scheduler.lock_level >= LOCK_LEVEL_MAX:
            return scheduler.lock_level, _INVALID_CONFIG
        scheduler.lock_level += 1
        scheduler.lock_owner = caller
        return scheduler.lock_level, OK

    def UNLOCK_PREEMPTION(self) -> tuple[int, ReturnCode]:
        """Undo one LOCK_PREEMPTION. Gives the lock level.

        Codes:
            NO_ERROR: unlocked by one level.
            NO_ACTION: level 0, the mode is not NORMAL, the error handler, or no process.
        """
        scheduler = self._scheduler
        caller = scheduler.current
        if not self._is_normal or caller is None or caller.is_handler or scheduler.lock_level == 0:
            return scheduler.lock_level, _NO_ACTION
        scheduler.lock_level -= 1
        if scheduler.lock_level == 0:
            scheduler.lock_owner = None
        return scheduler.lock_level, OK


def _is_priority(priority: int) -> bool:
    return PRIORITY_MIN <= priority <= PRIORITY_MAX
