"""Processes of an APP: generators that wait by `yield`, and the objects at which they meet.

The services are those of ARINC 653 (`apex.services`), here with times in seconds and exceptions instead of return
codes. A time-out of None waits for ever, one of 0 not at all. What can wait is a request: a process yields it, anybody
else calls `at_once` on a request that does not wait.
"""

from __future__ import annotations

from typing import Any, TypeVar

from wattwheel.apex.codes import Discipline, OperatingMode, PortDirection, ReturnCode
from wattwheel.apex.limits import INFINITE
from wattwheel.apex.partition import StartContext
from wattwheel.apex.process import Entry, ProcessAttributes, Request
from wattwheel.apex.services import Apex
from wattwheel.model.errors import NotAvailable, ServiceRefused, TimedOut

_T = TypeVar("_T")
_REFUSALS = {ReturnCode.NOT_AVAILABLE: NotAvailable, ReturnCode.TIMED_OUT: TimedOut}
_DONE = (ReturnCode.NO_ERROR, ReturnCode.NO_ACTION)


def _nanoseconds(seconds: float | None) -> int:
    return INFINITE if seconds is None else round(seconds * 1e9)


def _check(service: str, code: ReturnCode, about: str) -> None:
    if code not in _DONE:
        raise _REFUSALS.get(code, ServiceRefused)(service, code.name, about)


def _only(service: str, request: Request[ReturnCode], about: str) -> Request[None]:
    return request.then(lambda code: _check(service, code, about))


def _given(service: str, request: Request[tuple[_T, ReturnCode]], about: str) -> Request[_T]:
    def translate(outcome: tuple[_T, ReturnCode]) -> _T:
        _check(service, outcome[1], about)
        return outcome[0]

    return request.then(translate)


class _Object:
    def __init__(self, apex: Apex, name: str, created: tuple[int, ReturnCode], service: str) -> None:
        self._apex, self.name, self.identifier = apex, name, created[0]
        _check(service, created[1], name)


class Buffer(_Object):
    """A bounded row of messages between processes."""

    def send(self, message: bytes, timeout: float | None = None) -> Request[None]:
        """Put a message in; wait for room. Raises NotAvailable or TimedOut when there is none."""
        request = self._apex.SEND_BUFFER(self.identifier, message, _nanoseconds(timeout))
        return _only("SEND_BUFFER", request, self.name)

    def receive(self, timeout: float | None = None) -> Request[bytes]:
        """Take the oldest message; wait for one. Raises NotAvailable or TimedOut when there is none."""
        request = self._apex.RECEIVE_BUFFER(self.identifier, _nanoseconds(timeout))
        return _given("RECEIVE_BUFFER", request, self.name)


class Blackboard(_Object):
    """One message that everybody reads until it is cleared or another is displayed."""

    def display(self, message: bytes) -> None:
        """Show a message; all who wait for one go on."""
        _check("DISPLAY_BLACKBOARD", self._apex.DISPLAY_BLACKBOARD(self.identifier, message), self.name)

    def clear(self) -> None:
        """Show nothing."""
        _check("CLEAR_BLACKBOARD", self._apex.CLEAR_BLACKBOARD(self.identifier), self.name)

    def read(self, timeout: float | None = None) -> Request[bytes]:
        """The message; wait for one. Raises NotAvailable or TimedOut when there is none."""
        request = self._apex.READ_BLACKBOARD(self.identifier, _nanoseconds(timeout))
        return _given("READ_BLACKBOARD", request, self.name)


class Semaphore(_Object):
    """A count of what may be taken."""

    def wait(self, timeout: float | None = None) -> Request[None]:
        """Take one; wait for one. Raises NotAvailable or TimedOut when there is none."""
        return _only("WAIT_SEMAPHORE", self._apex.WAIT_SEMAPHORE(self.identifier, _nanoseconds(timeout)), self.name)

    def signal(self) -> bool:
        """Give one back. False: the count is at its maximum."""
        return self._apex.SIGNAL_SEMAPHORE(self.identifier) is ReturnCode.NO_ERROR


class Event(_Object):
    """Something that has happened, or not yet."""

    def set(self) -> None:
        """It has happened; all who wait for it go on."""
        self._apex.SET_EVENT(self.identifier)

    def reset(self) -> None:
        """It has not happened any more."""
        self._apex.RESET_EVENT(self.identifier)

    def wait(self, timeout: float | None = None) -> Request[None]:
        """Wait until it has happened. Raises NotAvailable or TimedOut when it has not."""
        return _only("WAIT_EVENT", self._apex.WAIT_EVENT(self.identifier, _nanoseconds(timeout)), self.name)


class Mutex(_Object):
    """Something that one process at a time may use. Its owner runs at the mutex's priority."""

    def acquire(self, timeout: float | None = None) -> Request[None]:
        """Own it; wait for it. Raises NotAvailable or TimedOut when another process keeps it."""
        return _only("ACQUIRE_MUTEX", self._apex.ACQUIRE_MUTEX(self.identifier, _nanoseconds(timeout)), self.name)

    def release(self) -> None:
        """Give it back. Raises ServiceRefused when the caller does not own it."""
        _check("RELEASE_MUTEX", self._apex.RELEASE_MUTEX(self.identifier), self.name)


class QueuingPort(_Object):
    """A queuing port of the partition, for processes that wait at it."""

    def send(self, message: bytes, timeout: float | None = None) -> Request[None]:
        """Send a message; wait for room. Raises NotAvailable or TimedOut when there is none."""
        request = self._apex.SEND_QUEUING_MESSAGE(self.identifier, message, _nanoseconds(timeout))
        return _only("SEND_QUEUING_MESSAGE", request, self.name)

    def receive(self, timeout: float | None = None) -> Request[tuple[bytes, bool]]:
        """The oldest message, and whether messages were lost before it; wait for one.

        Raises NotAvailable or TimedOut when there is none.
        """

        def translate(outcome: tuple[bytes, ReturnCode]) -> tuple[bytes, bool]:
            message, code = outcome
            if message and code is ReturnCode.INVALID_CONFIG:
                return message, True
            _check("RECEIVE_QUEUING_MESSAGE", code, self.name)
            return message, False

        return self._apex.RECEIVE_QUEUING_MESSAGE(self.identifier, _nanoseconds(timeout)).then(translate)


class Processes:
    """The processes of one APP. Everything is created in the APP's `on_start`; then they run.

    Attributes:
        apex: the services in the standard's own names.
    """

    def __init__(self, context: StartContext) -> None:
        self.apex = Apex(context)
        self._ports = context.queuing_ports()

    def buffer(self, name: str, size: int, depth: int, discipline: Discipline = Discipline.FIFO) -> Buffer:
        """Create a buffer of `depth` messages of up to `size` octets."""
        return Buffer(self.apex, name, self.apex.CREATE_BUFFER(name, size, depth, discipline), "CREATE_BUFFER")

    def blackboard(self, name: str, size: int) -> Blackboard:
        """Create a blackboard for a message of up to `size` octets."""
        return Blackboard(self.apex, name, self.apex.CREATE_BLACKBOARD(name, size), "CREATE_BLACKBOARD")

    def semaphore(self, name: str, value: int, value_max: int, discipline: Discipline = Discipline.FIFO) -> Semaphore:
        """Create a semaphore that has `value` and never more than `value_max`."""
        created = self.apex.CREATE_SEMAPHORE(name, value, value_max, discipline)
        return Semaphore(self.apex, name, created, "CREATE_SEMAPHORE")

    def event(self, name: str) -> Event:
        """Create an event that has not happened."""
        return Event(self.apex, name, self.apex.CREATE_EVENT(name), "CREATE_EVENT")

    def mutex(self, name: str, priority: int, discipline: Discipline = Discipline.FIFO) -> Mutex:
        """Create a mutex; `priority`: at least that of all who use it."""
        return Mutex(self.apex, name, self.apex.CREATE_MUTEX(name, priority, discipline), "CREATE_MUTEX")

    def port(self, name: str, discipline: Discipline = Discipline.FIFO) -> QueuingPort:
        """Open the queuing port `name` of the module's configuration. KeyError: there is none."""
        spec = self._ports[name]
        created = self.apex.CREATE_QUEUING_PORT(
            name, spec.max_message_size, spec.depth, PortDirection[spec.direction], discipline
        )
        return QueuingPort(self.apex, name, created, "CREATE_QUEUING_PORT")

    def start(
        self,
        name: str,
        entry: Entry,
        priority: int,
        period: float | None = None,
        time_capacity: float | None = None,
    ) -> int:
        """Create a process and start it with mode NORMAL; its identifier.

        Args:
            entry: generator function without arguments.
            priority: 1 to 239, the higher the more urgent.
            period: seconds from release to release; None: it has none.
            time_capacity: seconds from a release to its deadline; None: it has none.
        """
        attributes = ProcessAttributes(name, entry, priority, _nanoseconds(period), _nanoseconds(time_capacity))
        identifier, code = self.apex.CREATE_PROCESS(attributes)
        _check("CREATE_PROCESS", code, name)
        _check("START", self.apex.START(identifier), name)
        return identifier

    def wait(self, seconds: float) -> Request[None]:
        """Wait; 0 lets processes of equal priority go first."""
        return _only("TIMED_WAIT", self.apex.TIMED_WAIT(round(seconds * 1e9)), "")

    def next_period(self) -> Request[None]:
        """Wait for the next release of a periodic process."""
        return _only("PERIODIC_WAIT", self.apex.PERIODIC_WAIT(), "")

    def run(self) -> None:
        """Mode NORMAL: nothing can be created any more, and what was started runs. The SDK does it after `on_start`."""
        code: Any = self.apex.SET_PARTITION_MODE(OperatingMode.NORMAL)
        _check("SET_PARTITION_MODE", code, "")
