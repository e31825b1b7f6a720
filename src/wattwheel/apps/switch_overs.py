"""The copies of standby sets that the energy APP waits for in the 2020 profile, asked of the owner of the parameters.

What is in force never waits for a copy: `model.set_copies` says why. Nothing is kept here; whoever was not answered
asks again at the next turn of a minute, and after each start.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import msgspec

from wattwheel.apps.fee_control import FeeControl
from wattwheel.apps.functions import MeterFunction, Turn
from wattwheel.model.prices import FIRST_PRICES
from wattwheel.model.profile import is_2020
from wattwheel.model.set_copies import Asked, asked

PORT = "switch_overs"


class SwitchOvers(MeterFunction):
    """See the module."""

    port: ClassVar[str] = PORT

    def __init__(self) -> None:
        self._fees: FeeControl | None = None
        self._seen: tuple[object, object, object] = (None, None, None)
        self._asked: Asked = {}
        self._message = b""

    def meet(self, functions: Sequence[MeterFunction]) -> None:
        """Know whose price sets are switched over."""
        self._fees = next((each for each in functions if isinstance(each, FeeControl)), None)

    def minute(self, turn: Turn) -> None:
        """Ask again for what has not been done."""
        if self._asked:
            self._seen = (None, None, None)

    def push(self, turn: Turn) -> None:
        """Ask for the copies of sets that have been switched over."""
        sets = turn.image.sets
        prices = FIRST_PRICES if self._fees is None else self._fees.charging.money.sets
        before = self._seen
        if sets is before[0] and prices is before[1] and turn.parameters is before[2]:
            return
        self._seen = (sets, prices, turn.parameters)
        wanted = asked(sets, prices) if is_2020(turn.parameters) else {}
        if wanted or self._asked:
            self._asked, self._message = wanted, msgspec.msgpack.encode(wanted)

    def published(self) -> bytes:
        """See `MeterFunction`."""
        return self._message
