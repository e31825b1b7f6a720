"""The health monitor: what an error is, at which level it is handled, and what is done about it. Tables decide.

Theory of operation. An error has an identifier and happens in a state of its partition. The module's table of levels
says at which level it is handled (MODULE, PARTITION, PROCESS) and which of the standard's error codes it is. The table
of that level gives the action. An error at PROCESS level belongs to the partition's own error handler; where it has
none, the partition's table decides. Rows of the configuration come before the defaults below, row by row.
"""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

from wattwheel.apex.codes import OperatingMode
from wattwheel.hil import process
from wattwheel.kernel.config import HealthConfig, HealthEntry

MODULE, PARTITION, PROCESS = "MODULE", "PARTITION", "PROCESS"
IGNORE, IDLE, WARM_START, COLD_START = "IGNORE", "IDLE", "WARM_START", "COLD_START"
RESET, SHUTDOWN = "RESET", "SHUTDOWN"
HANDLED = "HANDLED"  # what the log shows where the partition's own error handler has acted
MODULE_ACTIONS = (IGNORE, RESET, SHUTDOWN)
PARTITION_ACTIONS = (IGNORE, IDLE, WARM_START, COLD_START)
START_ACTIONS = (WARM_START, COLD_START)

PARTITION_INIT, PROCESS_EXECUTION, PARTITION_SWITCHING = "PARTITION_INIT", "PROCESS_EXECUTION", "PARTITION_SWITCHING"
SYSTEM_FUNCTION_EXECUTION = "SYSTEM_FUNCTION_EXECUTION"
STATES = (PARTITION_INIT, PROCESS_EXECUTION, PARTITION_SWITCHING, SYSTEM_FUNCTION_EXECUTION)
"""A partition that is starting; one in NORMAL mode; at the edge of a window; the kernel itself."""

ANY = "*"

CODES: dict[str, str] = {
    "APPLICATION_ERROR": "APPLICATION_ERROR",
    "DEADLINE_MISSED": "DEADLINE_MISSED",
    "NUMERIC_ERROR": "NUMERIC_ERROR",
    "ILLEGAL_REQUEST": "ILLEGAL_REQUEST",
    "STACK_OVERFLOW": "STACK_OVERFLOW",
    "MEMORY_VIOLATION": "MEMORY_VIOLATION",
    "HARDWARE_FAULT": "HARDWARE_FAULT",
    "POWER_FAIL": "POWER_FAIL",
    "CRASH": "APPLICATION_ERROR",
    "HANG": "DEADLINE_MISSED",
    "WINDOW_OVERRUN": "DEADLINE_MISSED",
    "STORAGE_FAILURE": "HARDWARE_FAULT",
    "NO_ROOM": "HARDWARE_FAULT",
}
"""Error identifiers of this module, and the standard's code for each."""

REPORTED: dict[str, str] = {
    "application_error": "APPLICATION_ERROR",
    "deadline_missed": "DEADLINE_MISSED",
    "numeric_error": "NUMERIC_ERROR",
    "illegal_request": "ILLEGAL_REQUEST",
    "storage_failure": "STORAGE_FAILURE",
    "hang": "HANG",
}
"""What a partition may report, and the error that it stands for."""

DEFAULT_LEVELS = (
    HealthEntry(ANY, "POWER_FAIL", level=MODULE),
    HealthEntry(ANY, "CRASH", level=PARTITION),
    HealthEntry(ANY, "HANG", level=PARTITION),
    HealthEntry(ANY, "NO_ROOM", level=PARTITION),
    HealthEntry(ANY, "WINDOW_OVERRUN", level=PARTITION),
    HealthEntry(ANY, "MEMORY_VIOLATION", level=PARTITION),
    HealthEntry(ANY, "STACK_OVERFLOW", level=PARTITION),
    HealthEntry(ANY, "STORAGE_FAILURE", level=PARTITION),
    HealthEntry(ANY, "HARDWARE_FAULT", level=PARTITION),
    HealthEntry(PARTITION_INIT, ANY, level=PARTITION),
    HealthEntry(ANY, ANY, level=PROCESS),
)
DEFAULT_MODULE = (HealthEntry(ANY, "POWER_FAIL", action=SHUTDOWN), HealthEntry(ANY, ANY, action=IGNORE))
DEFAULT_PARTITION = (
    HealthEntry(ANY, "WINDOW_OVERRUN", action=IGNORE),
    HealthEntry(ANY, "STORAGE_FAILURE", action=IGNORE),
    HealthEntry(ANY, "ILLEGAL_REQUEST", action=IGNORE),
    HealthEntry(ANY, "DEADLINE_MISSED", action=IGNORE),
    HealthEntry(ANY, "HANG", action=COLD_START),
    HealthEntry(ANY, ANY, action=COLD_START),
)
"""What a meter does: whatever has died or hangs starts again, whatever can still work goes on."""

_SIGNAL_ERRORS = {
    signal.SIGSEGV: "MEMORY_VIOLATION",
    signal.SIGBUS: "MEMORY_VIOLATION",
    signal.SIGFPE: "NUMERIC_ERROR",
    signal.SIGSYS: "ILLEGAL_REQUEST",  # a system call that the partition may not make
}
_STATUS_ERRORS = {
    process.EXIT_NUMERIC_ERROR: "NUMERIC_ERROR",
    process.EXIT_STACK_OVERFLOW: "STACK_OVERFLOW",
    process.EXIT_MEMORY_VIOLATION: "MEMORY_VIOLATION",
    process.EXIT_NO_ROOM: "NO_ROOM",
}


class Decision(NamedTuple):
    """What is done about an error: its level, the standard's code for it, and the action."""

    level: str
    code: str
    action: str


def error_of_death(status: int) -> str:
    """The error of a body that ended unasked with `status` (negative: signal number)."""
    if status < 0:
        return next((error for number, error in _SIGNAL_ERRORS.items() if number == -status), "CRASH")
    return _STATUS_ERRORS.get(status, "CRASH")


def state_of(mode: OperatingMode) -> str:
    """The health monitor's state of a partition in `mode`."""
    return PROCESS_EXECUTION if mode is OperatingMode.NORMAL else PARTITION_INIT


def decide(health: HealthConfig, partition: str, state: str, error: str, is_handled: bool = False) -> Decision:
    """What the tables say about `error` in `state` of `partition`.

    Args:
        is_handled: the partition's own error handler has taken it; counts for errors of PROCESS level.
    """
    row = _row(health.levels, DEFAULT_LEVELS, state, error)
    code = row.code or CODES.get(error, "APPLICATION_ERROR")
    if row.level == MODULE:
        return Decision(MODULE, code, _row(health.module, DEFAULT_MODULE, state, error).action)
    if row.level == PROCESS and is_handled:
        return Decision(PROCESS, code, HANDLED)
    own = health.partitions.get(partition, ())
    return Decision(row.level, code, _row(own, DEFAULT_PARTITION, state, error).action)


def _row(rows: Sequence[HealthEntry], defaults: Sequence[HealthEntry], state: str, error: str) -> HealthEntry:
    """The row that fits `error` in `state` most closely: one of `rows`, or else one of `defaults`.

    A row that names the error is closer than one that names its code, and that closer than one for any error; of two
    such rows the one that names the state is closer.
    """
    names = (error, CODES.get(error, error), ANY)

    def distance(row: HealthEntry) -> tuple[int, bool]:
        return names.index(row.error), row.state != state

    for table in (rows, defaults):
        fitting = [row for row in table if row.error in names and row.state in (state, ANY, "")]
        if fitting:
            return min(fitting, key=distance)
    raise AssertionError("the defaults have a row for any error")


def may_start(restarts_ns: Sequence[int], now_ns: int, restarts_max: int, within_ns: int) -> bool:
    """Whether a partition that was started again at `restarts_ns` may be once more. `restarts_max` 0: without limit."""
    return restarts_max == 0 or sum(now_ns - at < within_ns for at in restarts_ns) < restarts_max


_WORDS = {
    COLD_START: "starting again",
    WARM_START: "starting again, warm",
    IDLE: "left idle",
    RESET: "all partitions start anew",
    SHUTDOWN: "the module ends",
    IGNORE: "noted",
    HANDLED: "its error handler has taken it",
}


def in_words(error: str, decision: Decision) -> str:
    """What follows an error, for the log; a plain crash and its plain consequence need no more words."""
    words = _WORDS.get(decision.action, decision.action)
    return words if error == "CRASH" and decision.level == PARTITION else f"{words} ({error}, {decision.level} level)"


LOG_ENTRIES_MAX = 256
DETAIL_LENGTH_MAX = 120


def plain(text: str) -> str:
    """What a partition said, fit for a log and a terminal: printable ASCII only, other characters as question marks."""
    return "".join(character if " " <= character <= "~" else "?" for character in text)


class HealthLog:
    """The newest decisions. The same one again and again is one entry that counts, so that no flood hides the rest."""

    def __init__(self) -> None:
        self._entries: deque[dict[str, Any]] = deque(maxlen=LOG_ENTRIES_MAX)
        self.decisions = 0

    def add(self, at: str, partition: str, error: str, decision: Decision, detail: str) -> bool:
        """Note a decision; `at` is the calendar time. False: it counts up the entry of the one before."""
        self.decisions += 1
        detail = plain(detail[:DETAIL_LENGTH_MAX])
        what = {"partition": partition, "error": error, **decision._asdict(), "detail": detail}
        for entry in list(self._entries)[-2:]:  # two that alternate are a flood as well
            if all(entry[key] == value for key, value in what.items()):
                entry["times"] += 1
                entry["at"] = at
                return False
        self._entries.append({"at": at, **what, "times": 1})
        return True

    def newest(self, number: int) -> list[dict[str, Any]]:
        """The newest `number` entries, the oldest of them first."""
        return list(self._entries)[-number:] if number else []
