"""Queuing port services: bounded rows of messages between partitions, with processes waiting at both ends.

A message stays in the channel until it is received. While nobody waits here the channel's arrival calls are switched
off, so messages that are left lying cost nothing.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from wattwheel.apex.codes import Discipline, PortDirection, ReturnCode
from wattwheel.apex.limits import QUEUING_PORTS_MAX
from wattwheel.apex.objects import Objects
from wattwheel.apex.partition import KERNEL_PORT
from wattwheel.apex.ports import QueuingDestinationPort, QueuingSourcePort
from wattwheel.apex.process import Process, Request, WaitRow
from wattwheel.apex.scheduler import Scheduler
from wattwheel.apex.services.base import OK, Services

_INVALID_PARAM, _INVALID_CONFIG = ReturnCode.INVALID_PARAM, ReturnCode.INVALID_CONFIG


class QueuingPortStatus(NamedTuple):
    """What GET_QUEUING_PORT_STATUS tells."""

    nb_message: int
    max_nb_message: int
    max_message_size: int
    port_direction: PortDirection
    waiting_processes: int


class _Port:
    """An open port: `source` or `destination`, and who waits at it."""

    def __init__(
        self,
        discipline: Discipline,
        source: QueuingSourcePort | None,
        destination: QueuingDestinationPort | None,
    ) -> None:
        self.row = WaitRow(discipline)
        self.source, self.destination = source, destination
        self.is_called = False  # by arrivals


class QueuingServices(Services):
    """ARINC 653 Part 1, queuing ports."""

    def __init__(self, scheduler: Scheduler) -> None:
        super().__init__(scheduler)
        self._queuing: Objects[_Port] = Objects(QUEUING_PORTS_MAX)

    def CREATE_QUEUING_PORT(
        self,
        name: str,
        max_message_size: int,
        max_nb_message: int,
        port_direction: PortDirection,
        queuing_discipline: Discipline,
    ) -> tuple[int, ReturnCode]:
        """Open a port that the module's configuration has. Gives its identifier.

        Codes:
            NO_ERROR: open.
            NO_ACTION: it is open already; its identifier is given.
            INVALID_PARAM: name empty or too long; no such discipline.
            INVALID_CONFIG: no room; not in the configuration; size, depth or direction not as configured.
            INVALID_MODE: the mode is neither COLD_START nor WARM_START.
        """
        if not self._is_starting:
            return 0, ReturnCode.INVALID_MODE
        if queuing_discipline not in Discipline.__members__.values():
            return 0, _INVALID_PARAM
        discipline = Discipline(queuing_discipline)
        return self._queuing.create(
            name, lambda _: self._opened_queuing(name, max_message_size, max_nb_message, port_direction, discipline)
        )

    def _opened_queuing(
        self, name: str, size: int, depth: int, direction: int, discipline: Discipline
    ) -> _Port | ReturnCode:
        context = self._scheduler.context
        configured = context.queuing_ports()
        spec = next((spec for port, spec in configured.items() if port.upper() == name.upper()), None)
        if spec is None or spec.name == KERNEL_PORT or direction not in PortDirection.__members__.values():
            return _INVALID_CONFIG
        if (spec.max_message_size, spec.depth, spec.direction) != (size, depth, PortDirection(direction).name):
            return _INVALID_CONFIG
        if direction == PortDirection.DESTINATION:
            return _Port(discipline, None, context.queuing_destination(spec.name))
        source = context.queuing_source(spec.name)
        port = _Port(discipline, source, None)
        source.on_space(lambda: self._send_waiting(port))
        return port

    def SEND_QUEUING_MESSAGE(self, queuing_port_id: int, message: bytes, timeout_ns: int) -> Request[ReturnCode]:
        """Send a message; wait for room at most `timeout_ns`, by the port's discipline. To be yielded.

        Codes:
            NO_ERROR: in the channel.
            NOT_AVAILABLE: full, and `timeout_ns` is 0.
            INVALID_PARAM: no such port; message empty; `timeout_ns` out of range.
            INVALID_CONFIG: message longer than the port's maximum.
            INVALID_MODE: not a source; or `timeout_ns` is not 0 and the caller may not wait.
            TIMED_OUT: no room within `timeout_ns`.
        """
        return self._request(lambda caller: self._send(caller, queuing_port_id, message, timeout_ns))

    def _send(self, caller: Process | None, identifier: int, message: bytes, timeout_ns: int) -> Any:
        port = self._queuing.find(identifier)
        code = self._scheduler.timing(caller, timeout_ns)
        if port is None or not message or code is _INVALID_PARAM:
            return _INVALID_PARAM
        source = port.source
        if source is not None and len(message) > source.max_message_size:
            return _INVALID_CONFIG
        if source is None or code is not OK:
            return ReturnCode.INVALID_MODE
        if not port.row and source.send(message):
            return OK
        if timeout_ns == 0:
            return ReturnCode.NOT_AVAILABLE
        return self._wait(caller, port.row, timeout_ns, ReturnCode.TIMED_OUT, message)

    def _send_waiting(self, port: _Port) -> None:
        assert port.source is not None
        while (process := port.row.first()) is not None and port.source.send(process.offer):
            self._scheduler.wake(process, OK)

    def RECEIVE_QUEUING_MESSAGE(self, queuing_port_id: int, timeout_ns: int) -> Request[tuple[bytes, ReturnCode]]:
        """Receive the oldest message; wait for one at most `timeout_ns`, by the port's discipline. To be yielded.

        Codes:
            NO_ERROR: received.
            NOT_AVAILABLE: empty, and `timeout_ns` is 0.
            INVALID_PARAM: no such port; `timeout_ns` out of range.
            INVALID_CONFIG: received, and messages were lost before this one.
            INVALID_MODE: not a destination; or `timeout_ns` is not 0 and the caller may not wait.
            TIMED_OUT: no message within `timeout_ns`.
        """
        return self._request(lambda caller: self._receive(caller, queuing_port_id, timeout_ns))

    def _receive(self, caller: Process | None, identifier: int, timeout_ns: int) -> Any:
        port = self._queuing.find(identifier)
        code = self._scheduler.timing(caller, timeout_ns)
        if port is None or code is _INVALID_PARAM:
            return b"", _INVALID_PARAM
        if port.destination is None or code is not OK:
            return b"", ReturnCode.INVALID_MODE
        received = None if port.row else _take(port.destination)
        if received is not None:
            return received
        if timeout_ns == 0:
            return b"", ReturnCode.NOT_AVAILABLE
        if not port.is_called:
            port.is_called = True
            port.destination.on_message(lambda: self._arrived(port))
        return self._wait(caller, port.row, timeout_ns, (b"", ReturnCode.TIMED_OUT))

    def _arrived(self, port: _Port) -> None:
        assert port.destination is not None
        if not port.row:
            port.is_called = False
            port.destination.on_message(None)
            return
        while port.row and (received := _take(port.destination)) is not None:
            self._wake_first(port.row, received)

    def GET_QUEUING_PORT_ID(self, name: str) -> tuple[int, ReturnCode]:
        """Give the identifier of the port of that name.

        Codes:
            NO_ERROR: given.
            INVALID_CONFIG: no port of that name is open.
        """
        return self._queuing.identifier_of(name)

    def GET_QUEUING_PORT_STATUS(self, queuing_port_id: int) -> tuple[QueuingPortStatus | None, ReturnCode]:
        """Tell messages now, depth, size, direction and waiting processes.

        Codes:
            NO_ERROR: told.
            INVALID_PARAM: no such port.
        """
        port = self._queuing.find(queuing_port_id)
        if port is None:
            return None, _INVALID_PARAM
        waiting = len(port.row)
        if port.source is not None:
            end, direction = port.source, PortDirection.SOURCE
            return QueuingPortStatus(end.length(), end.depth, end.max_message_size, direction, waiting), OK
        there = port.destination
        assert there is not None
        size, direction = there.max_message_size, PortDirection.DESTINATION
        return QueuingPortStatus(there.length(), there.depth, size, direction, waiting), OK

    def CLEAR_QUEUING_PORT(self, queuing_port_id: int) -> ReturnCode:
        """Drop all messages that have arrived, and what is known of lost ones.

        Codes:
            NO_ERROR: empty.
            INVALID_PARAM: no such port.
            INVALID_MODE: not a destination.
        """
        port = self._queuing.find(queuing_port_id)
        if port is None:
            return _INVALID_PARAM
        if port.destination is None:
            return ReturnCode.INVALID_MODE
        for _ in range(port.destination.depth):  # a sender that is as fast as this ends here too
            if _take(port.destination) is None:
                break
        port.destination.take_overflow()
        return OK


def _take(destination: QueuingDestinationPort) -> tuple[bytes, ReturnCode] | None:
    """The oldest message, taken out, with the flag of lost ones before it; None: there is none."""
    message = destination.receive()
    if message is None:
        return None
    destination.done()
    return message, _INVALID_CONFIG if destination.take_overflow() else OK
