"""The mean active power of the last whole minute (02800003)."""

from __future__ import annotations

from collections.abc import Iterable
from operator import sub

from wattwheel.apps.functions import MeterFunction, Turn
from wattwheel.model.demand import MICROJOULE_A_MINUTE_A_MILLIWATT, MILLIWATT_A_DIGIT
from wattwheel.model.ratings import Ratings
from wattwheel.model.register_image import RegisterImage
from wattwheel.model.turns_between import SECONDS_A_MINUTE, are_seldom, pause_s_max

MEAN_POWER_DI = 0x02800003
DIGITS_MAX = 999_999
LATE_S_MAX = 1
"""How long after the turn of a minute the push may have come that counts for it."""


class MeanPower(MeterFunction):
    """Energy of the last minute, import against export, over its length; none before a whole minute was seen."""

    def __init__(self) -> None:
        self._ends: tuple[RegisterImage, RegisterImage, int] | None = None
        self._push_milliseconds = Ratings().push_milliseconds

    def rate(self, ratings: Ratings) -> None:
        """See `MeterFunction`."""
        self._push_milliseconds = ratings.push_milliseconds

    def minute(self, turn: Turn) -> None:
        """Take the minute that has ended, if it was seen from its beginning.

        Where pushes are too far apart to begin and end it, what flowed from one to the other is spread over the time.
        """
        before, now = turn.minute_before, turn.image
        self._ends = None
        if before is None or now.clock_changes != before.clock_changes:
            return
        seconds = SECONDS_A_MINUTE
        if are_seldom(self._push_milliseconds):
            seconds = now.second - before.second
            if not 0 < seconds <= SECONDS_A_MINUTE + pause_s_max(self._push_milliseconds):
                return
        elif (
            now.minute != before.minute + 1 or before.second % SECONDS_A_MINUTE > LATE_S_MAX
        ):  # the first after a start
            return
        self._ends = before, now, seconds

    def look(self, di: int, data: bytes) -> int | None:
        """The mean power in 0.1 W; its picture has no sign."""
        return self._digits() if di == MEAN_POWER_DI else None

    def listed(self) -> Iterable[int]:
        """The one item, once it is known."""
        return () if self._digits() is None else (MEAN_POWER_DI,)

    def _digits(self) -> int | None:
        if self._ends is None:
            return None
        before, now, seconds = self._ends
        imported, exported, *_reactive = map(sub, now.totals, before.totals)
        unit = MICROJOULE_A_MINUTE_A_MILLIWATT * MILLIWATT_A_DIGIT * seconds // SECONDS_A_MINUTE
        digits = (abs(imported - exported) + unit // 2) // unit
        return digits if digits <= DIGITS_MAX else None
