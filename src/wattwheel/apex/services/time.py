"""Time services: waiting, periods, deadlines."""

from __future__ import annotations

from wattwheel.apex.codes import ReturnCode
from wattwheel.apex.limits import INFINITE, TIME_NS_MAX
from wattwheel.apex.process import BLOCKED, Process, Request
from wattwheel.apex.services.base import OK, Services


class TimeServices(Services):
    """ARINC 653 Part 1, time management. Times are nanoseconds on the monotonic clock."""

    def TIMED_WAIT(self, delay_ns: int) -> Request[ReturnCode]:
        """Wait for `delay_ns`; 0: let processes of equal priority go first. To be yielded.

        Codes:
            NO_ERROR: the time has passed.
            INVALID_PARAM: negative, infinite, or beyond the range of time.
            INVALID_MODE: preemption locked, error handler, owner of a mutex, or no process.
        """
        return self._request(lambda caller: self._timed_wait(caller, delay_ns))

    def _timed_wait(self, caller: Process | None, delay_ns: int) -> object:
        scheduler = self._scheduler
        if not 0 <= delay_ns <= TIME_NS_MAX - scheduler.clock.now_ns():
            return ReturnCode.INVALID_PARAM
        if caller is None or caller.mutex is not None or not scheduler.may_block(caller):
            return ReturnCode.INVALID_MODE
        if delay_ns == 0:
            caller.reply = OK
            scheduler.make_ready(caller)
            return BLOCKED
        return scheduler.block(caller, None, delay_ns, OK)

    def PERIODIC_WAIT(self) -> Request[ReturnCode]:
        """Wait for the caller's next release point. To be yielded.

        Release points are a whole period apart, whatever the caller needed. One that has passed already releases it at
        once; of several that have passed only the newest does, and the counter `releases_missed` tells the others.

        Codes:
            NO_ERROR: released.
            INVALID_MODE: not periodic, preemption locked, error handler, owner of a mutex, or no process.
            INVALID_CONFIG: the next deadline would lie beyond the range of time.
        """
        return self._request(self._periodic_wait)

    def _periodic_wait(self, caller: Process | None) -> object:
        scheduler = self._scheduler
        if caller is None or not caller.is_periodic or caller.mutex is not None or not scheduler.may_block(caller):
            return ReturnCode.INVALID_MODE
        now = scheduler.clock.now_ns()
        period_ns = caller.attributes.period_ns
        periods = max(1, (now - caller.release_ns) // period_ns)
        release_ns = caller.release_ns + periods * period_ns
        if release_ns + max(0, caller.attributes.time_capacity_ns) > TIME_NS_MAX:
            return ReturnCode.INVALID_CONFIG
        if periods > 1:
            scheduler.context.counters.add("releases_missed", periods - 1)
        scheduler.look_at_deadline(caller)
        caller.release_ns = release_ns
        scheduler.set_deadline(caller, release_ns)
        if release_ns > now:
            return scheduler.block(caller, None, release_ns - now, OK)
        caller.reply = OK
        scheduler.make_ready(caller)
        return BLOCKED

    def GET_TIME(self) -> tuple[int, ReturnCode]:
        """Give the time: nanoseconds on a clock that never goes back.

        Codes:
            NO_ERROR: always.
        """
        return self._scheduler.clock.now_ns(), OK

    def REPLENISH(self, budget_ns: int) -> ReturnCode:
        """Postpone the caller's deadline to `budget_ns` from now; INFINITE: for ever.

        Codes:
            NO_ERROR: postponed; a process without time capacity has no deadline and gets none.
            NO_ACTION: the mode is not NORMAL, the error handler, or no process.
            INVALID_PARAM: negative, or beyond the range of time.
            INVALID_MODE: periodic, and the deadline would lie beyond the next release point.
        """
        scheduler = self._scheduler
        caller, now = scheduler.current, scheduler.clock.now_ns()
        if not self._is_normal or caller is None or caller.is_handler:
            return ReturnCode.NO_ACTION
        if budget_ns != INFINITE and not 0 <= budget_ns <= TIME_NS_MAX - now:
            return ReturnCode.INVALID_PARAM
        deadline_ns = None if budget_ns == INFINITE else now + budget_ns
        if caller.is_periodic and (
            deadline_ns is None or deadline_ns > caller.release_ns + caller.attributes.period_ns
        ):
            return ReturnCode.INVALID_MODE
        if caller.attributes.time_capacity_ns != INFINITE:
            scheduler.look_at_deadline(caller)
            scheduler.set_deadline_at(caller, deadline_ns)
        return OK
