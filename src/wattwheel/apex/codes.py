"""Return codes, modes, directions and validity, in the words of ARINC 653 Part 1."""

from __future__ import annotations

from enum import IntEnum


class ReturnCode(IntEnum):
    """Outcome of an APEX service."""

    NO_ERROR = 0
    NO_ACTION = 1
    NOT_AVAILABLE = 2
    INVALID_PARAM = 3
    INVALID_CONFIG = 4
    INVALID_MODE = 5
    TIMED_OUT = 6


class OperatingMode(IntEnum):
    """Mode of a partition."""

    IDLE = 0
    COLD_START = 1
    WARM_START = 2
    NORMAL = 3


class StartCondition(IntEnum):
    """Why a partition is starting."""

    NORMAL_START = 0
    PARTITION_RESTART = 1
    HM_MODULE_RESTART = 2
    HM_PARTITION_RESTART = 3


class PortDirection(IntEnum):
    """Which way a port carries messages."""

    SOURCE = 0
    DESTINATION = 1


class Validity(IntEnum):
    """Whether a sampling port's message is no older than the port's refresh period."""

    INVALID = 0
    VALID = 1


class ProcessState(IntEnum):
    """State of a process."""

    DORMANT = 0
    READY = 1
    RUNNING = 2
    WAITING = 3


class Deadline(IntEnum):
    """What a missed deadline means to the process; the health monitor is told in both cases."""

    SOFT = 0
    HARD = 1


class Discipline(IntEnum):
    """Who is served first of those that wait: who came first, or the most urgent and among equals who came first."""

    FIFO = 0
    PRIORITY = 1


class EventState(IntEnum):
    """State of an event."""

    DOWN = 0
    UP = 1


class MutexState(IntEnum):
    """State of a mutex."""

    AVAILABLE = 0
    OWNED = 1


class ErrorCode(IntEnum):
    """What has gone wrong, at process level."""

    DEADLINE_MISSED = 0
    APPLICATION_ERROR = 1
    NUMERIC_ERROR = 2
    ILLEGAL_REQUEST = 3
    STACK_OVERFLOW = 4
    MEMORY_VIOLATION = 5
    HARDWARE_FAULT = 6
    POWER_FAIL = 7
