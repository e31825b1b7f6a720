"""The mode graph of a partition: what may be asked for in which mode."""

from __future__ import annotations

from wattwheel.apex.codes import OperatingMode, ReturnCode


def check_mode(now: OperatingMode, wanted: OperatingMode) -> ReturnCode:
    """Whether a partition in mode `now` may ask for `wanted`; the graph of the standard's SET_PARTITION_MODE."""
    if now is OperatingMode.IDLE:
        return ReturnCode.INVALID_MODE  # nothing runs there that could ask
    if wanted is OperatingMode.NORMAL and now is OperatingMode.NORMAL:
        return ReturnCode.NO_ACTION
    if wanted is OperatingMode.WARM_START and now is OperatingMode.COLD_START:
        return ReturnCode.INVALID_MODE
    return ReturnCode.NO_ERROR
