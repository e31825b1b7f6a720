"""Runs a partition's processes on its wheel: whose turn it is, who waits, who has missed a deadline.

Theory of operation. The scheduler is one task of the wheel, at its least urgent bit. Each run of it is one *step*: the
most urgent READY process goes on to its next `yield`. So a process is preempted at a yield and nowhere else: by every
posted task of the wheel, then by a more urgent process. A preempted process stays first among its equals; one that
gives way (TIMED_WAIT of 0) goes behind them. READY processes stand in one row a priority, and a number has a bit set
for each row that is not empty, as the wheel's board has for its tasks: whose turn it is costs no search.

While the preemption lock is held only its holder runs. The error handler comes before everything.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from wattwheel.apex.alarms import Alarms
from wattwheel.apex.codes import ErrorCode, OperatingMode, ProcessState, ReturnCode
from wattwheel.apex.limits import ERROR_MESSAGE_OCTETS_MAX, INFINITE, TIME_NS_MAX
from wattwheel.apex.partition import StartContext
from wattwheel.apex.process import BLOCKED, HANDLER_PRIORITY, Body, Process, Request, WaitRow
from wattwheel.apex.wheel import BITS
from wattwheel.model.errors import WattwheelError

PROCESS_BIT = BITS - 1
"""The wheel's task in which processes run: every other task comes first."""
STEPS_IN_A_ROW_MAX = 256
"""After so many steps without rest the process's loop is let in, so that a busy process cannot shut the world out."""
REST_NS = 20_000
"""For so long, a twentieth of what so many steps take. In a simulation, where steps take no time, time moves by it."""
REPORT_RETRY_NS = 10_000_000


class _Ended(Exception):
    """A process has come to its end."""


class Scheduler:
    """The processes of one partition.

    Attributes:
        context: the partition's start context.
        clock, alarms: its time.
        mode: operating mode.
        current: the process that is running; None in a start function and in tasks of the wheel.
        lock_level: of the preemption lock; lock_owner: who holds it.
        on_error: told of each error at process level. The health services set it.
        on_end: told of each process that has become DORMANT. The mutex services set it.
    """

    def __init__(self, context: StartContext, bit: int = PROCESS_BIT) -> None:
        self.context = context
        self.clock = context.clock
        self.alarms = Alarms(context.clock)
        self.mode = context.mode
        self.current: Process | None = None
        self.lock_level = 0
        self.lock_owner: Process | None = None
        self.on_error: Callable[[Process, ErrorCode, bytes, Exception | None], None] = _raise
        self.on_end: Callable[[Process], None] = _ignore
        self._now_ns = context.clock.now_ns
        self._rows: list[deque[Process]] = [deque() for _ in range(HANDLER_PRIORITY + 1)]
        self._board = 0
        self._living: dict[int, Process] = {}  # by identifier: those that are not DORMANT
        self._unyielded: Request[Any] | None = None
        self._steps = 0
        self._post = context.wheel.poster(bit)
        context.wheel.task(bit, self._step)

    # -- requests ----------------------------------------------------------------------------------------------

    def request(self, perform: Callable[[Process | None], Any]) -> Request[Any]:
        """A request to be yielded. A process that makes one and then does not yield it has forgotten the `yield`."""
        request: Request[Any] = Request(perform, self._at_once)
        if self.current is not None:
            self._check_yielded()
            self._unyielded = request
        return request

    def _check_yielded(self) -> None:
        assert self._unyielded is None, "a request was made and not yielded: write `yield` before the call"

    def _at_once(self, request: Request[Any]) -> Any:
        assert self.current is None, "a process yields its requests"
        outcome = request.perform(None)
        return outcome if request.translate is None else request.translate(outcome)

    def timing(self, caller: Process | None, timeout_ns: int) -> ReturnCode:
        """Whether `caller` may wait for `timeout_ns` (0: does not wait): NO_ERROR, INVALID_PARAM or INVALID_MODE."""
        if timeout_ns != INFINITE and not 0 <= timeout_ns <= TIME_NS_MAX - self._now_ns():
            return ReturnCode.INVALID_PARAM
        if timeout_ns == 0 or (self.may_block(caller) and caller is not None and caller.mutex is None):
            return ReturnCode.NO_ERROR
        return ReturnCode.INVALID_MODE

    def may_block(self, caller: Process | None) -> bool:
        """Whether `caller` may give up its turn: not a task of the wheel, the error handler, or under the lock."""
        return caller is not None and not caller.is_handler and self.lock_level == 0

    def block(self, process: Process, row: WaitRow | None, timeout_ns: int, late: Any) -> Any:
        """Let `process` wait in `row` for `wake`, at most `timeout_ns`; `late` is its reply then. Gives BLOCKED."""
        process.is_blocked, process.state = True, ProcessState.WAITING
        process.row, process.late = row, late
        if row is not None:
            row.put(process)
        if timeout_ns != INFINITE:
            process.alarm = self.alarms.set(self._now_ns() + timeout_ns, lambda: self.wake(process, process.late))
        return BLOCKED

    def wake(self, process: Process, reply: Any) -> None:
        """End the waiting of `process` with `reply`. It goes on when its turn comes, and not before it is resumed."""
        self._leave(process)
        process.is_blocked, process.reply, process.offer = False, reply, None
        if not process.is_suspended:
            self.make_ready(process)

    def _leave(self, process: Process) -> None:
        if process.row is not None:
            process.row.remove(process)
            process.row = None
        if process.alarm is not None:
            self.alarms.take_back(process.alarm)
            process.alarm = None

    def suspend(self, process: Process) -> None:
        """Take `process` out of the game until `resume`."""
        if process.state is ProcessState.READY:
            self._take_out(process)
        process.is_suspended, process.state = True, ProcessState.WAITING

    def suspend_self(self, process: Process, timeout_ns: int, reply: Any, late: Any) -> None:
        """Suspend the running `process`: with `reply` for `resume`, with `late` after `timeout_ns`."""
        self.suspend(process)
        process.reply = reply

        def is_over() -> None:
            process.reply = late
            self.resume(process)

        if timeout_ns != INFINITE:
            process.alarm = self.alarms.set(self._now_ns() + timeout_ns, is_over)

    def resume(self, process: Process) -> None:
        """Let a suspended `process` go on."""
        process.is_suspended = False
        if not process.is_blocked:
            self._leave(process)  # the time-out of one that suspended itself
            self.make_ready(process)

    # -- rows of READY processes -------------------------------------------------------------------------------

    def make_ready(self, process: Process) -> None:
        """Let `process` stand behind its equals."""
        self._put_in(process)
        if self.current is None and self.mode is OperatingMode.NORMAL:  # in a step, its end looks for the next one
            self._post()

    def _put_in(self, process: Process, is_first: bool = False) -> None:
        process.state = ProcessState.READY
        row = self._rows[process.current_priority]
        if is_first:
            row.appendleft(process)
        else:
            row.append(process)
        self._board |= 1 << process.current_priority

    def _take_out(self, process: Process) -> None:
        row = self._rows[process.current_priority]
        row.remove(process)
        if not row:
            self._board &= ~(1 << process.current_priority)

    def set_priority(self, process: Process, priority: int) -> None:
        """Give `process` the current priority; a READY one stands behind its new equals."""
        if process.state is ProcessState.READY:
            self._take_out(process)
            process.current_priority = priority
            self.make_ready(process)
        else:
            process.current_priority = priority

    def _next(self) -> Process | None:
        if self._rows[HANDLER_PRIORITY]:
            chosen = self._rows[HANDLER_PRIORITY][0]
        elif self.lock_owner is not None:
            chosen = self.lock_owner
            if chosen.state is not ProcessState.READY:
                return None
        elif self._board:
            chosen = self._rows[self._board.bit_length() - 1][0]
        else:
            return None
        self._take_out(chosen)
        return chosen

    # -- steps -------------------------------------------------------------------------------------------------

    def _is_normal(self) -> bool:
        return self.mode is OperatingMode.NORMAL

    def _step(self) -> None:
        if not self._is_normal():
            return
        process = self._next()
        if process is None:
            self._steps = 0
            return
        self.current, process.state = process, ProcessState.RUNNING
        try:
            self._go_on(process)
        finally:
            self.current = self._unyielded = None
        if not self._is_normal():
            self.end(process)
            return
        self.look_at_deadline(process)
        if process.state is ProcessState.RUNNING:
            self._put_in(process, is_first=True)
        self._again()

    def _again(self) -> None:
        if not self._board:
            self._steps = 0
            return
        self._steps += 1
        if self._steps < STEPS_IN_A_ROW_MAX:
            self._post()
        else:
            self._steps = 0
            self.clock.call_at(self._now_ns() + REST_NS, self._post)

    def _go_on(self, process: Process) -> None:
        """Let `process` run to its next yield, and perform what it yields."""
        try:
            request = self._resumed(process)
            if request is None:
                return
            process.translate = request.translate
            outcome = request.perform(process)
            if outcome is not BLOCKED:
                process.reply = outcome
        except _Ended:
            self.end(process)
        except (MemoryError, RecursionError):  # the body's end tells the health monitor which
            raise
        except Exception as fault:
            self.end(process)
            code = ErrorCode.NUMERIC_ERROR if isinstance(fault, ArithmeticError) else ErrorCode.APPLICATION_ERROR
            self.on_error(process, code, str(fault).encode()[:ERROR_MESSAGE_OCTETS_MAX], fault)

    def _resumed(self, process: Process) -> Request[Any] | None:
        """What `process` yields next. Raises _Ended when it has come to its end."""
        body = process.body
        if body is None:
            body = process.body = process.attributes.entry_point()
            if body is None:
                self._check_yielded()
                raise _Ended
        reply, process.reply = process.reply, None
        translate, process.translate = process.translate, None
        try:
            yielded: object = self._send(body, reply, translate)
        except StopIteration:
            self._check_yielded()
            raise _Ended from None
        if yielded is None:
            self._check_yielded()
            return None
        assert isinstance(yielded, Request), f"a process yields a request or nothing, not {yielded!r}"
        self._unyielded = None  # it, or what it was derived from
        return yielded

    @staticmethod
    def _send(body: Body, reply: Any, translate: Callable[[Any], Any] | None) -> object:
        if translate is not None:
            try:
                reply = translate(reply)
            except WattwheelError as refusal:
                return body.throw(refusal)
        return body.send(reply)

    # -- start and end -----------------------------------------------------------------------------------------

    def start(self, process: Process, delay_ns: int = 0) -> None:
        """Release DORMANT `process`: now, after `delay_ns`, or (periodic) at its release point and `delay_ns`."""
        process.delay_ns = delay_ns
        process.state = ProcessState.WAITING
        self._living[process.identifier] = process
        if self.mode is OperatingMode.NORMAL:
            self._release(process)
        else:
            process.is_blocked = True  # until the mode is NORMAL

    def _release(self, process: Process) -> None:
        now = self._now_ns()
        due_ns = now + process.delay_ns
        if process.is_periodic and self.context.frame is not None:
            due_ns = self.context.frame.next_release_ns(now) + process.delay_ns
        process.release_ns = due_ns
        self.set_deadline(process, due_ns)
        if due_ns > now:
            self.block(process, None, due_ns - now, None)
            return
        process.is_blocked = False
        if not process.is_suspended:
            self.make_ready(process)

    def deadline_after(self, process: Process, release_ns: int) -> int | None:
        """The deadline that belongs to a release; None: `process` has no time capacity."""
        capacity_ns = process.attributes.time_capacity_ns
        return None if capacity_ns == INFINITE else release_ns + capacity_ns

    def set_deadline(self, process: Process, release_ns: int) -> None:
        """Let the deadline of `process` be that of a release."""
        self.set_deadline_at(process, self.deadline_after(process, release_ns))

    def set_deadline_at(self, process: Process, deadline_ns: int | None) -> None:
        """Let the deadline of `process` be this instant; None: none."""
        if process.deadline_alarm is not None:
            self.alarms.take_back(process.deadline_alarm)
            process.deadline_alarm = None
        process.deadline_ns = deadline_ns
        if deadline_ns is not None:
            process.deadline_alarm = self.alarms.set(deadline_ns + 1, lambda: self.look_at_deadline(process))

    def look_at_deadline(self, process: Process) -> None:
        """Tell of a deadline of `process` that has passed, once."""
        if process.deadline_ns is None or self._now_ns() <= process.deadline_ns:
            return
        self.set_deadline_at(process, None)
        self.on_error(process, ErrorCode.DEADLINE_MISSED, process.attributes.name.encode(), None)

    def end(self, process: Process) -> None:
        """Let `process` be DORMANT, whatever it was doing. What it held is given back."""
        if process.state is ProcessState.DORMANT:
            return
        if process.state is ProcessState.READY:
            self._take_out(process)
        process.state = ProcessState.DORMANT
        self._leave(process)
        self.set_deadline_at(process, None)
        if self.lock_owner is process:
            self.lock_owner, self.lock_level = None, 0
        self.on_end(process)
        body = process.body
        process.forget()
        self._living.pop(process.identifier, None)
        if body is not None:
            body.close()

    def go_normal(self) -> None:
        """Mode NORMAL: what was started is released, in the order of the starts."""
        self.mode = OperatingMode.NORMAL
        for process in list(self._living.values()):
            self._release(process)

    def halt(self, mode: OperatingMode) -> None:
        """Be IDLE: no process runs again, the one that is running ends at its next yield.

        The kernel, which does the rest, is told that `mode` is wanted, and told again until it has heard.
        """
        self.mode = OperatingMode.IDLE
        for process in list(self._living.values()):
            if process is not self.current:
                self.end(process)
        self._tell_kernel(mode)

    def _tell_kernel(self, mode: OperatingMode) -> None:
        if not self.context.report("set_partition_mode", mode.name):
            self.clock.call_at(self._now_ns() + REPORT_RETRY_NS, lambda: self._tell_kernel(mode))


def _raise(process: Process, code: ErrorCode, message: bytes, fault: Exception | None) -> None:
    if fault is not None:
        raise fault


def _ignore(process: Process) -> None:
    """Nobody wants to know."""
