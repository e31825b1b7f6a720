"""The mean active power of the last whole minute (02800003)."""

from __future__ import annotations

from collections.abc import Iterable
from operator import sub

from wattwheel.apps.functions import MeterFunction, Turn
from wattwheel.model.demand import MICROJOULE_A_MINUTE_A_MILLIWATT, MILLIWATT_A_DIGIT

MEAN_POWER_DI = 0x02800003
DIGITS_MAX = 999_999
LATE_S_MAX = 1
"""How long after the turn of a minute the push may have come that counts for it."""


class MeanPower(MeterFunction):
    """Energy of the last minute, import against export, over its length; none before a whole minute was seen."""

    def __init__(self) -> None:
        self._digits: int | None = None

    def minute(self, turn: Turn) -> None:
        """Take the minute that has ended, if it was seen from its beginning."""
        before, now = turn.minute_before, turn.image
        self._digits = None
        if before is None or now.minute != before.minute + 1 or now.clock_changes != before.clock_changes:
            return
        if before.second % 60 > LATE_S_MAX:  # the first push after a start
            return
        imported, exported, *_reactive = map(sub, now.totals, before.totals)
        unit = MICROJOULE_A_MINUTE_A_MILLIWATT * MILLIWATT_A_DIGIT
        digits = (abs(imported - exported) + unit // 2) // unit
        if digits <= DIGITS_MAX:
            self._digits = digits

    def look(self, di: int, data: bytes) -> int | None:
        """The mean power in 0.1 W; its picture has no sign."""
        return self._digits if di == MEAN_POWER_DI else None

    def listed(self) -> Iterable[int]:
        """The one item, once it is known."""
        return () if self._digits is None else (MEAN_POWER_DI,)
