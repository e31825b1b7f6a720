"""Tells the functions of a metering core that is silent: no push comes then, and a fault is an event all the same."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import msgspec

from wattwheel.apps.energy_books import NO_TOTALS, Ledger
from wattwheel.apps.functions import EPOCH, SILENCE_S, MeterFunction, Turn
from wattwheel.model.energy_items import STANDARD_WORDS
from wattwheel.model.records import EnergyTotals, Quality, Readings
from wattwheel.model.register_image import RegisterImage
from wattwheel.sdk import Meter

SILENCE_NS = SILENCE_S * 1_000_000_000


def turn_now(meter: Meter, ledger: Ledger, turn: Turn | None) -> Turn:
    """`turn` with the time it is: no push may have come for long. None: none came yet, and so nothing is known."""
    calendar_s = (meter.now() - EPOCH).total_seconds()
    second, at_ns = ledger.running.second(calendar_s), ledger.own_ns(meter.clock.now_ns())
    if turn is None:
        readings = Readings(meter.clock.now_ns(), calendar_s, Quality.INVALID, EnergyTotals(0, NO_TOTALS))
        image = RegisterImage(second, (), (), at_ns=at_ns)
        return Turn(readings, image, None, {}, STANDARD_WORDS, (), {}, True, lambda di: None)
    return turn._replace(image=msgspec.structs.replace(turn.image, at_ns=at_ns, second=second))


class Silence:
    """Waits, from stale readings on, until the silence is long enough.

    `turn`: the newest one; `ledger`: what knows the meter's time; `keep`: saves at once what changed.
    """

    def __init__(
        self,
        meter: Meter,
        functions: list[MeterFunction],
        turn: Callable[[], Turn | None],
        ledger: Ledger,
        keep: Callable[[bool], None],
    ) -> None:
        self._meter, self._functions, self._turn, self._ledger, self._keep = meter, functions, turn, ledger, keep

    def hear(self, readings: Readings) -> None:
        """Take what the functions have taken."""
        if readings.quality is not Quality.VALID:
            clock = self._meter.clock
            clock.call_at(max(clock.now_ns(), readings.at_ns + SILENCE_NS), partial(self._tell, readings))

    def _tell(self, readings: Readings) -> None:
        """Nothing has come after the stale `readings`, unless the newest turn is another one by now."""
        turn = self._turn()
        if turn is None or turn.readings.at_ns != readings.at_ns:
            return
        now = turn_now(self._meter, self._ledger, turn)
        for function in self._functions:
            function.silence(now)
        if any(function.needs_saving_now for function in self._functions):
            self._keep(True)
