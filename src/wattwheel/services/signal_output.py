"""The multi-function terminal: which signal it gives (1DH, or a key that is held), and when it is due.

The metering core gives the pulse; here is the selection, and the clock that it follows. A meter without a pulse output
keeps the selection and looks at no clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import IntEnum

import msgspec

from wattwheel.hil.clock import Clock
from wattwheel.model.demand import method_of
from wattwheel.model.tariff import TariffPlan, resolve
from wattwheel.model.tariff_parameters import RunningSets, plan_of

SIGNAL_DI = 0x0E300000
"""Private identifier under which the selection is read: one octet."""

STATUS_WORD_3 = 0x04000503
DAY_TABLES_BIT, ZONES_BIT = 0, 5
WORD_AFTER_S = 2
"""So long after the turn of a minute it is asked which sets of zones and day tables are running."""

SECOND_US = 1_000_000
EARLY_US_MAX = 2_000
"""A look so little before a whole second is the one for it: the host's clock is being slewed."""


class Signal(IntEnum):
    """What the terminal can give, by the octet of 1DH."""

    SECOND = 0x00
    DEMAND_PERIOD = 0x01
    SLOT_CHANGE = 0x02


class SignalOutput:
    """The selection. It is not kept: whenever the meter starts it is the second pulse."""

    def __init__(self) -> None:
        self.selected = Signal.SECOND

    def select(self, data: bytes) -> bool:
        """Take the octet of 1DH. False: there is no such signal, and the former one goes on."""
        if len(data) != 1 or data[0] not in set(Signal):
            return False
        self.selected = Signal(data[0])
        return True

    def step(self) -> None:
        """Take the next one, and the first behind the last: a key was held."""
        self.selected = Signal((self.selected + 1) % len(Signal))


class Terminal:
    """Gives the selected signal whenever it is due: it looks at the clock at each whole second."""

    def __init__(
        self,
        output: SignalOutput,
        clock: Clock,
        local: Callable[[], datetime],
        parameters: Callable[[], bytes | None],
        give: Callable[[Signal], None],
        ask_word: Callable[[Callable[[bytes], None]], None],
    ) -> None:
        """`local`: the meter's standard time; `parameters`: the newest message of the port; `ask_word`: fetches run
        status word 3."""
        self._output, self._clock, self._local = output, clock, local
        self._parameters, self._give, self._ask_word = parameters, give, ask_word
        self._heard: bytes | None = None
        self._values: Mapping[int, bytes] = {}
        self._sets: RunningSets | None = None
        self._plan: TariffPlan | None = None
        self._slot: tuple[int, int | None] | None = None
        self._minute: datetime | None = None

    def arm(self, post: Callable[[], None]) -> None:
        """Let `post` be called at the next whole second."""
        left_us = SECOND_US - self._local().microsecond
        left_us += SECOND_US if left_us <= EARLY_US_MAX else 0
        self._clock.call_at(self._clock.now_ns() + left_us * 1000, post)

    def look(self) -> None:
        """A whole second: give what is due."""
        local = self._local()
        minute = local.replace(second=0, microsecond=0)
        before, self._minute = self._minute, minute
        selected = self._output.selected
        if selected is Signal.SECOND:
            self._give(selected)
        elif selected is Signal.DEMAND_PERIOD:
            is_turn = before is not None and (minute - before).total_seconds() == 60
            if is_turn and not minute.minute % method_of(self._told()).slip_minutes:
                self._give(selected)
        elif self._sets is None or local.second == WORD_AFTER_S:
            self._ask_word(self._hear_word)
        elif minute != before:
            self._look_at_slot(minute)
        if selected is not Signal.SLOT_CHANGE:
            self._sets = self._slot = None

    def _told(self) -> Mapping[int, bytes]:
        octets = self._parameters()
        if octets is not None and octets != self._heard:
            self._heard, self._plan = octets, None
            self._values = msgspec.msgpack.decode(octets, type=dict[int, bytes])
        return self._values

    def _hear_word(self, octets: bytes) -> None:
        """Which sets are running: another set may bring another slot."""
        word = int.from_bytes(octets, "little")
        sets = RunningSets(word >> ZONES_BIT & 1, word >> DAY_TABLES_BIT & 1)
        if sets != self._sets:
            self._sets, self._plan = sets, None
        if self._output.selected is Signal.SLOT_CHANGE:
            self._look_at_slot(self._local())

    def _look_at_slot(self, local: datetime) -> None:
        values = self._told()
        if not values or self._sets is None:
            return
        if self._plan is None:
            self._plan = plan_of(values, self._sets)
        found = resolve(self._plan, local)
        slot, before = (found.day_table, found.slot_minute), self._slot
        self._slot = slot
        if before is not None and slot != before:
            self._give(Signal.SLOT_CHANGE)
