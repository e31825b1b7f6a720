"""Sampling port services: the newest message, read as often as one likes."""

from __future__ import annotations

from typing import NamedTuple

from wattwheel.apex.codes import PortDirection, ReturnCode, Validity
from wattwheel.apex.limits import SAMPLING_PORTS_MAX
from wattwheel.apex.objects import Objects
from wattwheel.apex.partition import COUNTERS_PORT
from wattwheel.apex.ports import SamplingDestinationPort, SamplingSourcePort
from wattwheel.apex.scheduler import Scheduler
from wattwheel.apex.services.base import OK, Services
from wattwheel.hil.process import SamplingPortSpec

_INVALID_PARAM, _INVALID_CONFIG = ReturnCode.INVALID_PARAM, ReturnCode.INVALID_CONFIG


class SamplingPortStatus(NamedTuple):
    """What GET_SAMPLING_PORT_STATUS tells. `last_msg_validity`: of the last read; INVALID before the first."""

    refresh_period_ns: int
    max_message_size: int
    port_direction: PortDirection
    last_msg_validity: Validity


class _Port:
    def __init__(self, spec: SamplingPortSpec, end: SamplingSourcePort | SamplingDestinationPort) -> None:
        self.spec, self.end = spec, end
        self.last_validity = Validity.INVALID


class SamplingServices(Services):
    """ARINC 653 Part 1, sampling ports."""

    def __init__(self, scheduler: Scheduler) -> None:
        super().__init__(scheduler)
        self._sampling: Objects[_Port] = Objects(SAMPLING_PORTS_MAX)

    def CREATE_SAMPLING_PORT(
        self, name: str, max_message_size: int, port_direction: PortDirection, refresh_period_ns: int
    ) -> tuple[int, ReturnCode]:
        """Open a port that the module's configuration has. Gives its identifier.

        The refresh period is compared for destinations only: a source has none in this configuration.

        Codes:
            NO_ERROR: open.
            NO_ACTION: it is open already; its identifier is given.
            INVALID_PARAM: name empty or too long.
            INVALID_CONFIG: no room; not in the configuration; size, direction or refresh period not as configured.
            INVALID_MODE: the mode is neither COLD_START nor WARM_START.
        """
        if not self._is_starting:
            return 0, ReturnCode.INVALID_MODE
        return self._sampling.create(
            name, lambda _: self._opened_sampling(name, max_message_size, port_direction, refresh_period_ns)
        )

    def _opened_sampling(self, name: str, size: int, direction: int, refresh_ns: int) -> _Port | ReturnCode:
        context = self._scheduler.context
        configured = context.sampling_ports()
        spec = next((spec for port, spec in configured.items() if port.upper() == name.upper()), None)
        if spec is None or spec.name == COUNTERS_PORT or size != spec.max_message_size or size <= 0:
            return _INVALID_CONFIG
        if spec.direction == "SOURCE":
            if direction != PortDirection.SOURCE:
                return _INVALID_CONFIG
            return _Port(spec, context.sampling_source(spec.name))
        if direction != PortDirection.DESTINATION or refresh_ns != spec.refresh_ns:
            return _INVALID_CONFIG
        return _Port(spec, context.sampling_destination(spec.name))

    def WRITE_SAMPLING_MESSAGE(self, sampling_port_id: int, message: bytes) -> ReturnCode:
        """Replace the port's message.

        Codes:
            NO_ERROR: written.
            INVALID_PARAM: no such port; message empty.
            INVALID_CONFIG: message longer than the port's maximum.
            INVALID_MODE: not a source.
        """
        port = self._sampling.find(sampling_port_id)
        if port is None or not message:
            return _INVALID_PARAM
        if len(message) > port.spec.max_message_size:
            return _INVALID_CONFIG
        if not isinstance(port.end, SamplingSourcePort):
            return ReturnCode.INVALID_MODE
        port.end.write(message)
        return OK

    def READ_SAMPLING_MESSAGE(self, sampling_port_id: int) -> tuple[bytes, Validity, ReturnCode]:
        """Give the newest message, which stays, and VALID if it is no older than the refresh period.

        Codes:
            NO_ERROR: given, whether VALID or INVALID.
            NO_ACTION: nothing was ever written; b"" and INVALID are given.
            INVALID_PARAM: no such port.
            INVALID_MODE: not a destination.
        """
        port = self._sampling.find(sampling_port_id)
        if port is None:
            return b"", Validity.INVALID, _INVALID_PARAM
        if not isinstance(port.end, SamplingDestinationPort):
            return b"", Validity.INVALID, ReturnCode.INVALID_MODE
        message, validity, _ = port.end.read()
        port.last_validity = validity
        if message is None:
            return b"", validity, ReturnCode.NO_ACTION
        return message, validity, OK

    def GET_SAMPLING_PORT_ID(self, name: str) -> tuple[int, ReturnCode]:
        """Give the identifier of the port of that name.

        Codes:
            NO_ERROR: given.
            INVALID_CONFIG: no port of that name is open.
        """
        return self._sampling.identifier_of(name)

    def GET_SAMPLING_PORT_STATUS(self, sampling_port_id: int) -> tuple[SamplingPortStatus | None, ReturnCode]:
        """Tell refresh period, size, direction and validity of the last read.

        Codes:
            NO_ERROR: told.
            INVALID_PARAM: no such port.
        """
        port = self._sampling.find(sampling_port_id)
        if port is None:
            return None, _INVALID_PARAM
        spec = port.spec
        direction = PortDirection[spec.direction]
        return SamplingPortStatus(spec.refresh_ns, spec.max_message_size, direction, port.last_validity), OK
