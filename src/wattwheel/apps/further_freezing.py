"""Freezes of the 2020 profile (B5xxxxxx): months, years, settlements, step settlements, up to eight schemes of minutes.

They are made as those of `freezing`, from the image of the push that finds them due, and have their nominal times. Of
months and years that were missed the newest is made up for, of settlements all that were; minutes are not. In the
2007 profile there are none of them, and nothing is looked at: what passes meanwhile was not missed, so 2020 begins anew
after it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from wattwheel.apps.fee_control import FeeControl
from wattwheel.apps.freeze_rings import FreezeRing, taken_up
from wattwheel.apps.freezing import LATE_MINUTES_MAX
from wattwheel.apps.frozen_items import FrozenItems
from wattwheel.apps.functions import GatheringFunction, MeterFunction, Prepared, Turn
from wattwheel.model.bcd import MINUTES_MAX
from wattwheel.model.freeze_content import ALL_CONTENT, BLOCK, TIME, FreezeKind
from wattwheel.model.further_freezes import (
    CONTENT_WORDS,
    DEPTHS,
    FURTHER_DI3,
    SCHEMES,
    FurtherKind,
    intervals_of,
    month_begin,
    next_month,
    year_begin,
)
from wattwheel.model.profile import is_2020
from wattwheel.model.ratings import Ratings
from wattwheel.model.turns_between import SECONDS_A_MINUTE, pause_s_max

KEY, STATE_KEY = "further ", "further state"
NEVER = MINUTES_MAX + 1


class FurtherState(msgspec.Struct, frozen=True, array_like=True):
    """What is kept beside the entries, in minutes since 2000; None: nothing was looked for yet.

    Attributes:
        until: up to which months and years are done.
        settled: the newest settlement that was frozen; 0: there was none.
        step_settled: the end of a step period that was frozen last; -1: there was none.
    """

    until: int | None = None
    settled: int | None = None
    step_settled: int | None = None


def _like(kind: int) -> FreezeKind:
    """Which kind of DL/T 645-2007 an entry of `kind` is made like."""
    return FreezeKind.HOURLY if kind in SCHEMES else FreezeKind.DAILY


class FurtherFreezing(GatheringFunction):
    """See the module."""

    def __init__(self) -> None:
        super().__init__()
        self._rings = {kind: FreezeRing(_like(kind), depth, f"{KEY}{kind} ") for kind, depth in DEPTHS.items()}
        self._state = FurtherState()
        self._frozen = FrozenItems()
        self._fees: FeeControl | None = None
        self._parameters: Mapping[int, bytes] | None = None
        self._is_on = False
        self._intervals: dict[int, int] = {}
        self._minute: int | None = None  # of the last turn
        self._missed = -1  # up to that minute the supply was off
        self._due = 0  # nothing is, before that minute
        self._settled: object = None
        self._late_minutes_max = LATE_MINUTES_MAX

    def meet(self, functions: Sequence[MeterFunction]) -> None:
        """Know who ends step periods."""
        self._fees = next((each for each in functions if isinstance(each, FeeControl)), None)

    def rate(self, ratings: Ratings) -> None:
        """See `MeterFunction`."""
        self._late_minutes_max = max(LATE_MINUTES_MAX, pause_s_max(ratings.push_milliseconds) // SECONDS_A_MINUTE)

    def begin(self, saved: Mapping[str, bytes]) -> None:
        """Take up the entries and the state."""
        taken_up(self._rings, saved, KEY)
        try:
            self._state = msgspec.msgpack.decode(saved.get(STATE_KEY, b""), type=FurtherState)
        except (ValueError, RecursionError):
            self._state = FurtherState()

    # -- when

    def minute(self, turn: Turn) -> None:
        """Months, years and schemes of minutes."""
        if turn.is_power_up:
            self._missed = turn.minute_missed
        if turn.parameters is not self._parameters and turn.parameters:
            self._parameters, self._due = turn.parameters, 0
            self._is_on, self._intervals = is_2020(turn.parameters), intervals_of(turn.parameters)
            if not self._is_on:
                self._begin_anew()
        if not self._is_on:
            return
        now, before = turn.image.minute, self._minute
        self._minute = now
        if before is not None and before < now < self._due:
            return
        is_running = before is not None and 0 < now - before <= self._late_minutes_max
        since = max(now - 1, self._missed) if before is None else before if is_running else now - 1
        for kind, minutes in self._intervals.items():
            nominal = now - now % minutes
            if nominal > since and now != before:
                self._freeze(kind, nominal, turn)
        self._end_months(turn, now)
        self._due = min([next_month(now), *(now - now % each + each for each in self._intervals.values())])

    def _begin_anew(self) -> None:
        """Forget what was looked for: this is the 2007 profile, in which nothing is missed."""
        self._minute = self._settled = None
        if self._state != FurtherState():
            self._state = FurtherState()
            self._unsaved[STATE_KEY] = None
            self.needs_saving_now = True

    def _end_months(self, turn: Turn, now: int) -> None:
        until = self._state.until
        if until is None or until > now:  # a clock that was set back begins anew
            self._change(until=now)
            return
        month, year = month_begin(now), year_begin(now)
        if month > until:
            self._freeze(FurtherKind.MONTH, month, turn)
            if year > until:
                self._freeze(FurtherKind.YEAR, year, turn)
            self._change(until=month)

    def push(self, turn: Turn) -> None:
        """Settlements and step settlements, whenever they are."""
        if self._parameters is None:
            self.minute(turn)
        if not self._is_on:
            return
        if turn.settled is not self._settled:
            self._settled = turn.settled
            newest = turn.settled[0].minute if turn.settled else 0
            seen = self._state.settled
            for entry in reversed(turn.settled):
                if seen is not None and entry.minute > seen:
                    self._freeze(FurtherKind.SETTLEMENT, entry.minute, turn)
            if newest != seen:
                self._change(settled=newest)
        ended = -1 if self._fees is None else self._fees.charging.money.settled
        if ended != self._state.step_settled:
            if self._state.step_settled is not None and ended >= 0:
                self._freeze(FurtherKind.STEP_SETTLEMENT, ended, turn)
            self._change(step_settled=ended)

    def _change(self, **changes: object) -> None:
        self._state = msgspec.structs.replace(self._state, **changes)
        self._unsaved[STATE_KEY] = _encode(self._state)

    def _freeze(self, kind: int, minute: int, turn: Turn) -> None:
        ring = self._rings[kind]
        if ring.has(minute):
            return
        word = turn.parameters.get(CONTENT_WORDS[kind])
        key, octets = ring.next_entry(minute, self._frozen.of(ring.kind, word[0] if word else ALL_CONTENT, turn))
        ring.add(minute, octets)
        self._unsaved[key] = octets
        self.needs_saving_now = True

    # -- reads and commands

    def look(self, di: int, data: bytes) -> bytes | None:
        """An item or the block of an entry."""
        ring = self._rings.get(di >> 16 & 0xFF) if di >> 24 == FURTHER_DI3 and self._is_on and not data else None
        entry = None if ring is None else ring.entry(di & 0xFF)
        return None if ring is None or entry is None else entry.shown(ring.kind, di >> 8 & 0xFF)

    def listed(self) -> Iterator[int]:
        """Time, items and block of every entry."""
        for kind, ring in self._rings.items() if self._is_on else ():
            for back in ring.backs:
                entry = ring.entry(back)
                for item in (TIME, *(entry.items if entry else ()), BLOCK):
                    yield FURTHER_DI3 << 24 | kind << 16 | item << 8 | back

    def clear(self, turn: Turn, operator: bytes) -> Prepared | None:
        """No entry is left."""

        def apply() -> None:
            for ring in self._rings.values():
                ring.empty()

        return Prepared({key: None for ring in self._rings.values() for key in ring.keys}, apply)


_encode = msgspec.msgpack.Encoder().encode
