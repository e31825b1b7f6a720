"""Freezing: copies of the registers at set times and on command (05xxxxxx, 16H).

Everything that is due at one minute is frozen from one image of the registers, in the order periodic, daily, timed;
settlement has come before. An entry has its nominal time. One that is there already with the same time is not made
again, so neither a restart nor a clock that goes back freezes anything twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial

import msgspec

from wattwheel.apps.freeze_rings import KEY, FreezeRing, rings_of
from wattwheel.apps.frozen_items import FrozenItems
from wattwheel.apps.functions import EPOCH, ERROR_OTHER, GatheringFunction, Prepared, Turn
from wattwheel.model.bcd import MINUTES_MAX, minute_of, number
from wattwheel.model.freeze import FreezePattern, daily_freezes_missed, freeze_pattern, next_freeze
from wattwheel.model.freeze_content import (
    ALL_CONTENT,
    CONTENT_WORDS,
    TIME,
    FreezeKind,
)
from wattwheel.model.ratings import Ratings
from wattwheel.model.turns_between import SECONDS_A_MINUTE, pause_s_max
from wattwheel.sdk import Function

STATE_KEY = f"{KEY}state"
HOURLY_START, HOURLY_INTERVAL, DAILY_TIME = 0x04001201, 0x04001202, 0x04001203
HOURLY_INTERVAL_MINUTES = 60
"""When none can be read."""

LATE_MINUTES_MAX = 5
"""A running meter freezes what fell due since the minute before, when that is no longer ago. It is the most that a
broadcast moves the clock. Where pushes are further apart than that, it is what they may be apart."""

FREEZE_DI3 = 0x05
NEVER = MINUTES_MAX + 1
_MINUTE = timedelta(minutes=1)


class FreezingState(msgspec.Struct, frozen=True, array_like=True):
    """What is kept beside the entries.

    Attributes:
        pattern: of the last timed freeze command, as on the wire; empty: none came yet.
        daily_until: the minute up to which daily freezes are done; None: never.
        daily_time: 04001203 as it was then.
        switched: switch-over instants that were seen last, as on the wire, by kind of the agreed freeze; None: never.
    """

    pattern: bytes = b""
    daily_until: int | None = None
    daily_time: bytes = b""
    switched: dict[int, bytes] | None = None


class Freezing(GatheringFunction):
    """See the module."""

    obeys = frozenset({Function.FREEZE})

    def __init__(self) -> None:
        super().__init__()
        self._rings = rings_of()
        self._state = FreezingState()
        self._parameters: Mapping[int, bytes] | None = None
        self._hourly = (0, HOURLY_INTERVAL_MINUTES)  # first minute, interval; 0: off
        self._daily = (0, 0)  # hour, minute
        self._minute: int | None = None  # of the last turn
        self._missed = -1  # up to that minute the supply was off
        self._due = 0  # nothing is, before that minute
        self._sets: object = None
        self._pending: list[tuple[FreezeKind, bytes]] = []
        self._frozen = FrozenItems()
        self._late_minutes_max = LATE_MINUTES_MAX

    def rate(self, ratings: Ratings) -> None:
        """See `MeterFunction`."""
        self._late_minutes_max = max(LATE_MINUTES_MAX, pause_s_max(ratings.push_milliseconds) // SECONDS_A_MINUTE)

    def begin(self, saved: Mapping[str, bytes]) -> None:
        """Take up the entries and the state."""
        self._rings = rings_of(saved)
        self._state = _state_of(saved.get(STATE_KEY))

    # -- when

    def minute(self, turn: Turn) -> None:
        """Freeze what has fallen due. Before the parameters were heard nobody knows what that is."""
        if turn.is_power_up:
            self._missed = turn.minute_missed
        if not turn.parameters:
            return
        now, before = turn.image.minute, self._minute
        is_same = turn.parameters is self._parameters
        if is_same and before is not None and before < now < self._due:
            self._minute = now
            return
        if not is_same:
            self._learn(turn.parameters, now)
        if now != before:  # after a meter clear the same minute comes again
            self._minute = now
            self._freeze_due(turn, before, now)
        self._due = self._next_due(now)

    def push(self, turn: Turn) -> None:
        """Freeze at switch-overs, whenever they are executed."""
        if self._minute is None:
            self.minute(turn)
        if turn.image.sets is not self._sets:
            self._sets = sets = turn.image.sets
            executed = {FreezeKind.ZONE_SETS: sets.zones_switched, FreezeKind.DAY_TABLE_SETS: sets.day_tables_switched}
            if self._state.switched is None:  # nobody knows what happened before
                self._change(switched={kind.value: instant for kind, instant in executed.items()})
            for kind, instant in executed.items():
                self.switch_over(kind, instant)
        while self._pending:
            self._freeze_switch(turn, *self._pending.pop(0))

    def prices_switched(self, prices: bytes, steps: bytes) -> None:
        """Fee control has executed these switch-overs of prices and of steps; each new one is frozen at this push."""
        executed = {FreezeKind.PRICE_SETS: prices, FreezeKind.STEP_SETS: steps}
        for kind, instant in executed.items():
            self.switch_over(kind, instant)

    def switch_over(self, kind: FreezeKind, instant: bytes) -> None:
        """Two sets of `kind` have been switched over at `instant` (YYMMDDhhmm on the wire): freeze at the next push.

        For PRICE_SETS and STEP_SETS fee control calls it, before this function sees the same turn. The same instant
        again does nothing.
        """
        if instant and instant != (self._state.switched or {}).get(kind):
            self._pending.append((kind, instant))

    def _freeze_switch(self, turn: Turn, kind: FreezeKind, instant: bytes) -> None:
        self._change(switched={**(self._state.switched or {}), kind.value: instant})
        nominal = minute_of(instant)
        self._freeze(kind, turn.image.minute if nominal is None else nominal, turn)

    def _freeze_due(self, turn: Turn, before: int | None, now: int) -> None:
        """Freeze what fell due after the minute `before` up to `now`."""
        is_running = before is not None and 0 < now - before <= self._late_minutes_max
        since = max(now - 1, self._missed) if before is None else before if is_running else now - 1
        hourly = self._last_hourly(now)
        if hourly is not None and hourly > since:
            self._freeze(FreezeKind.HOURLY, hourly, turn)
        until = self._state.daily_until
        until = now - 1 if until is None else min(until, now)  # a clock that was set back begins anew
        missed = daily_freezes_missed(*self._daily, _time(until), _time(now))
        for time in missed:
            self._freeze(FreezeKind.DAILY, _minute(time), turn)
        until = _minute(missed[-1]) if missed else until
        if until != self._state.daily_until:
            self._change(daily_until=until)
        pattern = self._pattern
        due = next_freeze(pattern, _time(since)) if pattern else None
        if due is not None and _minute(due) <= now:
            self._freeze(FreezeKind.TIMED, _minute(due), turn)

    def _last_hourly(self, now: int) -> int | None:
        """The newest nominal minute of the periodic freeze up to `now`."""
        first, interval = self._hourly
        return now - (now - first) % interval if interval and now >= first else None

    def _next_due(self, now: int) -> int:
        """The first minute after `now` at which something is due."""
        first, interval = self._hourly
        last = self._last_hourly(now)
        hourly = NEVER if not interval else first if last is None else last + interval
        time = _time(now)
        daily = time.replace(hour=self._daily[0], minute=self._daily[1])
        daily = daily if daily > time else daily + timedelta(days=1)
        timed = next_freeze(self._pattern, time) if self._pattern else None
        return min(hourly, _minute(daily), NEVER if timed is None else _minute(timed))

    @property
    def _pattern(self) -> FreezePattern | None:
        return freeze_pattern(self._state.pattern) if self._state.pattern else None

    def _learn(self, parameters: Mapping[int, bytes], now: int) -> None:
        """Take over the parameters. Another daily time counts from the minute before on."""
        self._parameters = parameters
        interval = number(parameters.get(HOURLY_INTERVAL, b""))
        first = minute_of(parameters.get(HOURLY_START, b"")) or 0
        self._hourly = (first, HOURLY_INTERVAL_MINUTES if interval is None else interval)
        daily_time = parameters.get(DAILY_TIME, b"")
        self._daily = _time_of_day(daily_time)
        if daily_time != self._state.daily_time:
            is_first = self._state.daily_until is None or not self._state.daily_time
            until = self._state.daily_until if is_first else now - 1
            self._change(daily_until=until, daily_time=daily_time)

    def _change(self, **changes: object) -> None:
        self._state = msgspec.structs.replace(self._state, **changes)
        self._unsaved[STATE_KEY] = _encode(self._state)

    # -- what

    def _freeze(self, kind: FreezeKind, minute: int, turn: Turn) -> None:
        ring = self._rings[kind]
        if not ring.has(minute):
            key, octets = ring.next_entry(minute, self._items(kind, turn))
            ring.add(minute, octets)
            self._unsaved[key] = octets
            self.needs_saving_now = True

    def _items(self, kind: FreezeKind, turn: Turn) -> dict[int, bytes]:
        return self._frozen.of(kind, self._content_word(kind, turn), turn)

    def _content_word(self, kind: FreezeKind, turn: Turn) -> int:
        word = turn.parameters.get(CONTENT_WORDS[kind])
        return word[0] if word else ALL_CONTENT

    # -- reads and commands

    def look(self, di: int, data: bytes) -> bytes | None:
        """An item or the block of an entry."""
        if di >> 24 != FREEZE_DI3 or data or (ring := self._ring(di)) is None:
            return None
        entry = ring.entry(di & 0xFF)
        return None if entry is None else entry.shown(ring.kind, di >> 8 & 0xFF)

    def _ring(self, di: int) -> FreezeRing | None:
        kind = di >> 16 & 0xFF
        return self._rings[FreezeKind(kind)] if kind in self._rings else None

    def listed(self) -> Iterable[int]:
        """Time, items and block of every entry."""
        return self._identifiers()

    def _identifiers(self) -> Iterator[int]:
        for kind, ring in self._rings.items():
            for back in ring.backs:
                entry = ring.entry(back)
                for item in (TIME, *(entry.items if entry else ()), 0xFF):
                    yield FREEZE_DI3 << 24 | kind << 16 | item << 8 | back

    def prepare(self, function: Function, data: bytes, operator: bytes, turn: Turn) -> Prepared | int:
        """16H: freeze at once, or take another pattern for the timed freeze. ERR 01: `data` is no pattern."""
        try:
            pattern = freeze_pattern(data)
        except ValueError:
            return ERROR_OTHER
        if pattern.is_at_once:
            ring, minute = self._rings[FreezeKind.INSTANT], turn.image.minute
            replaces = ring.newest_minute == minute  # no two entries in a row of one nominal time
            key, octets = ring.next_entry(minute, self._items(FreezeKind.INSTANT, turn), replaces)
            return Prepared({key: octets}, partial(ring.add, minute, octets, replaces))
        state = msgspec.structs.replace(self._state, pattern=data)

        def apply() -> None:
            self._state, self._due = state, 0

        return Prepared({STATE_KEY: _encode(state)}, apply)

    def clear(self, turn: Turn, operator: bytes) -> Prepared | None:
        """No entry is left; the pattern and what was switched over stay."""
        rings = self._rings.values()

        def apply() -> None:
            for ring in rings:
                ring.empty()

        return Prepared({key: None for ring in rings for key in ring.keys}, apply)


_encode = msgspec.msgpack.Encoder().encode


def _state_of(saved: bytes | None) -> FreezingState:
    """The state that was saved; the first one when there is none, or none that this version can read."""
    try:
        state = msgspec.msgpack.decode(saved or b"", type=FreezingState)
        if state.pattern and freeze_pattern(state.pattern).is_at_once:
            raise ValueError("at once is no pattern to wait for")
    except (ValueError, RecursionError):
        return FreezingState()
    return state if 0 <= (state.daily_until or 0) <= MINUTES_MAX else FreezingState()


def _time_of_day(octets: bytes) -> tuple[int, int]:
    """Hour and minute of hhmm on the wire; midnight where it is no time."""
    minute, hour = (number(octets[at : at + 1]) for at in (0, 1))
    is_time = minute is not None and hour is not None and minute < 60 and hour < 24
    return (hour or 0, minute or 0) if is_time else (0, 0)


def _time(minute: int) -> datetime:
    return EPOCH + minute * _MINUTE


def _minute(time: datetime) -> int:
    return (time - EPOCH) // _MINUTE
