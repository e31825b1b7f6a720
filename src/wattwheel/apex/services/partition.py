"""Partition services: status and mode."""

from __future__ import annotations

from typing import NamedTuple

from wattwheel.apex.codes import OperatingMode, ReturnCode, StartCondition
from wattwheel.apex.modes import check_mode
from wattwheel.apex.services.base import OK, Services


class PartitionStatus(NamedTuple):
    """What GET_PARTITION_STATUS tells. Period and duration are 0 for a partition that runs at any time."""

    period_ns: int
    duration_ns: int
    identifier: int
    lock_level: int
    operating_mode: OperatingMode
    start_condition: StartCondition


class PartitionServices(Services):
    """ARINC 653 Part 1, partition management."""

    def GET_PARTITION_STATUS(self) -> tuple[PartitionStatus, ReturnCode]:
        """Tell period, duration, identifier, lock level, mode and start condition.

        Codes:
            NO_ERROR: always.
        """
        scheduler = self._scheduler
        context = scheduler.context
        frame = context.frame
        period_ns, duration_ns = (0, 0) if frame is None else (frame.period_ns, frame.duration_ns)
        mode, level = scheduler.mode, scheduler.lock_level
        return PartitionStatus(period_ns, duration_ns, context.identifier, level, mode, context.condition), OK

    def SET_PARTITION_MODE(self, operating_mode: int) -> ReturnCode:
        """Go to NORMAL, to IDLE, or start again cold or warm.

        NORMAL releases the processes that were started. The other three stop every process; the one that calls ends at
        its next yield. This body of the partition is IDLE from then on; the kernel ends it, and for COLD_START and
        WARM_START begins another one with the condition PARTITION_RESTART.

        Codes:
            NO_ERROR: done, or under way.
            NO_ACTION: NORMAL while NORMAL.
            INVALID_PARAM: no such mode.
            INVALID_MODE: WARM_START while COLD_START; anything while IDLE.
        """
        if operating_mode not in OperatingMode.__members__.values():
            return ReturnCode.INVALID_PARAM
        wanted = OperatingMode(operating_mode)
        code = check_mode(self._scheduler.mode, wanted)
        if code is not OK:
            return code
        if wanted is OperatingMode.NORMAL:
            self._scheduler.go_normal()
        else:
            self._scheduler.halt(wanted)
        return OK
