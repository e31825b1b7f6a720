"""An APEX process: a generator with a priority, a period and a deadline; what it yields; how it waits in a row."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Final, Generic, NamedTuple, TypeVar

from wattwheel.apex.alarms import Alarm
from wattwheel.apex.codes import Deadline, Discipline, ProcessState
from wattwheel.apex.limits import INFINITE, PRIORITY_MAX

HANDLER_PRIORITY = PRIORITY_MAX + 1
HANDLER_ID = 0
"""The error handler has no identifier that a service would take."""
STACK_OCTETS = 65_536

_T = TypeVar("_T")
_U = TypeVar("_U")

BLOCKED: Final[Any] = object()
"""What performing a request gives when the process has to wait; its reply comes later."""


class Request(Generic[_T]):
    """A service call that may have to wait. A process yields it, and gets the outcome as the value of the `yield`.

    Nothing happens before it is yielded. Who is no process (a start function, a task of the wheel) calls `at_once`.
    """

    __slots__ = ("_at_once", "perform", "translate")

    def __init__(
        self,
        perform: Callable[[Process | None], Any],
        at_once: Callable[[Request[Any]], Any],
        translate: Callable[[Any], _T] | None = None,
    ) -> None:
        self.perform, self.translate, self._at_once = perform, translate, at_once

    def at_once(self) -> _T:
        """The outcome without a process: with a time-out other than 0 it is INVALID_MODE, for nobody is there to wait.

        In a process this is an assertion that fails: a process yields.
        """
        outcome: _T = self._at_once(self)
        return outcome

    def then(self, translate: Callable[[_T], _U]) -> Request[_U]:
        """The same call with `translate` of its outcome; what that raises is raised at the `yield`."""
        before = self.translate
        if before is None:
            return Request(self.perform, self._at_once, translate)
        return Request(self.perform, self._at_once, lambda outcome: translate(before(outcome)))


Body = Generator[Request[Any] | None, Any, None]
Entry = Callable[[], Body | None]
"""What a process runs when it is started: a generator function, or a function that runs to its end."""


class ProcessAttributes(NamedTuple):
    """What a process is created from.

    Attributes:
        name: unique in the partition, up to 30 characters; upper and lower case are one.
        entry_point: called without arguments at every start.
        base_priority: 1 to 239, the higher the more urgent.
        period_ns: of a periodic process; INFINITE: an aperiodic one.
        time_capacity_ns: from release to deadline; INFINITE: it has none.
        deadline: HARD or SOFT.
        stack_octets: checked and shown; a generator has no stack of its own.
    """

    name: str
    entry_point: Entry
    base_priority: int
    period_ns: int = INFINITE
    time_capacity_ns: int = INFINITE
    deadline: Deadline = Deadline.SOFT
    stack_octets: int = STACK_OCTETS


class ProcessStatus(NamedTuple):
    """What GET_PROCESS_STATUS tells. `deadline_ns`: on the monotonic clock, INFINITE when it has none."""

    deadline_ns: int
    current_priority: int
    process_state: ProcessState
    attributes: ProcessAttributes


class Process:
    """One process and all that the scheduler knows of it.

    Attributes:
        body: its generator; None before its first step.
        reply: outcome of its last request, given to it at its next step; `translate` of it, when that is set.
        is_blocked: it waits for something; is_suspended: it was suspended. READY needs neither.
        row: the row that it stands in; alarm: what ends its waiting; late: its reply then; offer: what it brings.
        release_ns: its last release point; deadline_ns: when it must be through, None: never or told already.
        mutex: identifier of the mutex that it owns, or None.
    """

    __slots__ = (
        "alarm",
        "attributes",
        "base_priority",
        "body",
        "current_priority",
        "deadline_alarm",
        "deadline_ns",
        "delay_ns",
        "identifier",
        "is_blocked",
        "is_suspended",
        "late",
        "mutex",
        "offer",
        "release_ns",
        "reply",
        "row",
        "state",
        "translate",
    )

    def __init__(self, identifier: int, attributes: ProcessAttributes) -> None:
        self.identifier, self.attributes = identifier, attributes
        self.forget()

    def forget(self) -> None:
        """Be as created: DORMANT."""
        self.body: Body | None = None
        self.base_priority = self.current_priority = self.attributes.base_priority
        self.state = ProcessState.DORMANT
        self.reply: Any = None
        self.translate: Callable[[Any], Any] | None = None
        self.is_blocked = self.is_suspended = False
        self.row: WaitRow | None = None
        self.alarm: Alarm | None = None
        self.late: Any = None
        self.offer: Any = None
        self.delay_ns = self.release_ns = 0
        self.deadline_ns: int | None = None
        self.deadline_alarm: Alarm | None = None
        self.mutex: int | None = None

    @property
    def is_periodic(self) -> bool:
        """It has a period."""
        return self.attributes.period_ns != INFINITE

    @property
    def is_handler(self) -> bool:
        """It is the error handler."""
        return self.identifier == HANDLER_ID


class WaitRow:
    """Processes that wait for the same thing."""

    def __init__(self, discipline: Discipline = Discipline.FIFO) -> None:
        self.discipline = discipline
        self._waiting: list[Process] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, process: Process) -> None:
        """Let `process` stand at the end."""
        self._waiting.append(process)

    def remove(self, process: Process) -> None:
        """Let `process` leave."""
        self._waiting.remove(process)

    def first(self) -> Process | None:
        """Whose turn it is, by the discipline and by today's priorities; None: nobody waits."""
        if not self._waiting:
            return None
        if self.discipline is Discipline.FIFO:
            return self._waiting[0]
        return max(self._waiting, key=lambda process: process.current_priority)  # the first of the greatest
