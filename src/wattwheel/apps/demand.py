"""Demand: the mean power of the last period and its maxima (01xxxxxx, 02800004 to 02800006, the demand clear 19H).

What a minute had of energy is the difference of the register images at its two turns, so lost, late and doubled pushes
move nothing. `model.demand_windows` says which minutes count, `model.demand_maxima` what becomes of them. Here is what
restarts them, what a settlement does with them, and what is saved: the windows with each turn of a minute, the rest
when it changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import msgspec

from wattwheel.apps.demand_periods import Periods, periods_of, taken_up
from wattwheel.apps.functions import ERROR_OTHER, Changes, MeterFunction, Prepared, Turn
from wattwheel.model.demand import STANDARD_METHOD, method_of
from wattwheel.model.demand_maxima import (
    FAMILY_DI3,
    MAXIMUM_OCTETS,
    NO_MAXIMA,
    NOT_AVAILABLE,
    Maxima,
    quantities,
)
from wattwheel.model.demand_windows import DemandWindows, Windows, restarted
from wattwheel.model.event_ring import EventRing, time_octets
from wattwheel.model.ratings import Ratings
from wattwheel.model.register_image import RegisterImage
from wattwheel.model.reporting import Report
from wattwheel.model.turns_between import are_seldom, pause_s_max, turns_between
from wattwheel.sdk import Function, Shown

WINDOWS_KEY, MAXIMA_KEY, CLEARS_KEY = "demand windows", "demand maxima", "demand clears"
DEMAND_NOW = (0x02800004, 0x02800005, 0x02800006)
CLEARS_DI = 0x03300200
CLEARS_DI_ALL = CLEARS_DI | 0xFF
EVENTS_ALL = 0xFFFFFFFF
BLOCK = 0xFF
BLOCK_BIT = 1
"""Of status word 1: windows lie side by side."""

_encode = msgspec.msgpack.Encoder().encode


class Demand(MeterFunction):
    """See the module."""

    obeys = frozenset({Function.CLEAR_DEMAND})

    def __init__(self) -> None:
        self._windows = DemandWindows(Windows())
        self._maxima = Maxima()
        self._periods = Periods()
        self._clears = EventRing()
        self._parameters: Mapping[int, bytes] | None = None
        self._method = STANDARD_METHOD
        self._tariffs = 1
        self._push_milliseconds = Ratings().push_milliseconds
        self._before: RegisterImage | None = None
        self._has_begun = False
        self._unsaved: dict[str, Callable[[], bytes]] = {}

    def rate(self, ratings: Ratings) -> None:
        """See `MeterFunction`."""
        self._push_milliseconds = ratings.push_milliseconds

    def begin(self, saved: Mapping[str, bytes]) -> None:
        """Take up what was saved."""
        windows = taken_up(saved.get(WINDOWS_KEY), Windows) or Windows()
        self._windows, self._method = DemandWindows(windows), windows.method
        self._maxima = taken_up(saved.get(MAXIMA_KEY), Maxima) or Maxima()
        self._periods = periods_of(saved)
        try:
            self._clears = msgspec.msgpack.decode(saved.get(CLEARS_KEY, b""), type=EventRing)
        except (ValueError, RecursionError):
            self._clears = EventRing()

    # -- pushes

    def minute(self, turn: Turn) -> None:
        """Book the minute that has ended, if all of it was seen; otherwise the windows restart."""
        if self._has_restarted(turn):
            return
        for image in self._turns(turn.image):
            self._pass(image, turn.words.reactive)

    def _turns(self, image: RegisterImage) -> Iterable[RegisterImage]:
        """The turns of a minute since the push before `image`: itself, or, where those are seldom, also before it."""
        before = self._before
        if before is None or not are_seldom(self._push_milliseconds):
            return (image,)
        is_pause = not 0 < image.second - before.second <= pause_s_max(self._push_milliseconds)
        return (image,) if is_pause or image.meter_clears != before.meter_clears else turns_between(before, image)

    def _pass(self, image: RegisterImage, reactive: tuple[int, int]) -> None:
        windows = self._windows
        seen = windows.kept.seen
        assert seen is not None
        if image.minute == seen.second // 60:
            return
        is_partial = windows.kept.active[0] < 0
        if not (image.minute == seen.second // 60 + 1 if is_partial else seen.is_followed_by(image)):
            self._restart(image)
        elif windows.pass_minute(image) and self._maxima.compare(windows, image.minute, seen.tariff, reactive):
            self._unsaved[MAXIMA_KEY] = self._encoded_maxima
        if image.tariff != seen.tariff:
            windows.restart_tariff(image)
        self._unsaved[WINDOWS_KEY] = self._encoded_windows

    def push(self, turn: Turn) -> None:
        """Look for what restarts windows, and for the end of a settlement period."""
        image = self._before = turn.image
        self._has_restarted(turn)
        kept = self._windows.kept
        assert kept.seen is not None
        if image.tariff != kept.seen.tariff:
            kept.seen = msgspec.structs.replace(kept.seen, tariff=image.tariff)
            self._windows.restart_tariff(image)
            self._unsaved[WINDOWS_KEY] = self._encoded_windows
        if turn.settled is not self._periods.seen and self._periods.take(turn.settled, self._maxima):
            self._maxima = Maxima()  # once, however many periods were missed
            self._unsaved[MAXIMA_KEY] = self._encoded_maxima
            self._restart(image)
        self._tariffs = image.tariffs

    def _has_restarted(self, turn: Turn) -> bool:
        """Restart for anything but a missed minute, if there is reason to."""
        image, seen = turn.image, self._windows.kept.seen
        has_reason = seen is None or image.clock_changes != seen.clock_changes
        if not self._has_begun:
            self._has_begun, has_reason = True, has_reason or turn.is_power_up
        if turn.parameters is not self._parameters and turn.parameters:
            self._parameters = turn.parameters
            if (method := method_of(turn.parameters)) != self._method:
                self._method, has_reason = method, True
        if has_reason:
            self._restart(image)
        return has_reason

    def _restart(self, image: RegisterImage) -> None:
        self._windows = DemandWindows(restarted(self._method, image, self._windows.kept))
        self._unsaved[WINDOWS_KEY] = self._encoded_windows

    # -- the medium

    def changes(self) -> Changes:
        """The windows after each turn of a minute, the rest when it has changed."""
        changes: dict[str, bytes | None] = {key: encoded() for key, encoded in self._unsaved.items()}
        self._unsaved.clear()
        changes.update(self._periods.changes())
        return changes

    def _encoded_windows(self) -> bytes:
        return _encode(self._windows.kept)

    def _encoded_maxima(self) -> bytes:
        return _encode(self._maxima)

    # -- reads

    def look(self, di: int, data: bytes) -> Shown | None:
        """A maximum, a block of them, a demand now, or the demand clears."""
        if di >> 24 == FAMILY_DI3:
            return self._maximum(di >> 16 & 0xFF, di >> 8 & 0xFF, di & 0xFF)
        if di in DEMAND_NOW:
            return self._windows.kept.demand[di - DEMAND_NOW[0]]
        return self._clears.items(CLEARS_DI).get(di) if di >> 8 == CLEARS_DI >> 8 else None

    def _maximum(self, di2: int, tariff: int, period: int) -> bytes | None:
        if period == BLOCK:
            if tariff == BLOCK or (now := self._maximum(di2, tariff, 0)) is None:
                return None
            ended = (self._maximum(di2, tariff, 1 + at) for at in range(len(self._periods)))
            return now + b"".join(octets or b"" for octets in ended)
        if period > len(self._periods) or (tariff != BLOCK and tariff > self._tariffs):
            return None
        maxima = self._maxima if period == 0 else self._periods.maxima(period)
        if tariff != BLOCK:
            octets = (maxima or NO_MAXIMA).octets(di2, tariff)
            return octets if maxima or not octets else NOT_AVAILABLE
        if (di2, True) not in _QUANTITIES:
            return None
        if maxima is None:
            return NOT_AVAILABLE * (1 + self._tariffs)
        return b"".join(maxima.octets(di2, each) or bytes(MAXIMUM_OCTETS) for each in range(1 + self._tariffs))

    def status_bits(self, number: int) -> int:
        """The method, in word 1."""
        return self._method.is_block << BLOCK_BIT if number == 1 else 0

    def listed(self) -> Iterable[int]:
        """Every identifier that has a value now."""
        yield from DEMAND_NOW
        yield from self._clears.items(CLEARS_DI)
        periods = range(1 + len(self._periods))
        for di2, has_tariffs in quantities():
            tariffs = range(1 + self._tariffs) if has_tariffs else (0,)
            for tariff in tariffs:
                base = FAMILY_DI3 << 24 | di2 << 16 | tariff << 8
                yield from (base | period for period in (*periods, BLOCK))
            if has_tariffs:
                yield from (FAMILY_DI3 << 24 | di2 << 16 | BLOCK << 8 | period for period in periods)

    # -- commands

    def prepare(self, function: Function, data: bytes, operator: bytes, turn: Turn) -> Prepared | int:
        """The demand clear: maxima to zero, windows restarted, periods untouched, and a record of what there was."""
        if data:
            return ERROR_OTHER
        record = time_octets(turn.local) + operator + self._maxima.cleared()
        emptied = self._emptied(turn.image, self._clears.added(record), {})

        def apply() -> None:
            emptied.apply()
            self.on_report(Report.DEMAND_CLEAR, False)

        return Prepared(emptied.changes, apply)

    def clear(self, turn: Turn, operator: bytes) -> Prepared | None:
        """Its part of a meter clear: maxima, periods and the records of demand clears go, the registers begin at 0."""
        image = msgspec.structs.replace(
            turn.image, elements=(0,) * len(turn.image.elements), meter_clears=turn.image.meter_clears + 1
        )
        return self._emptied(image, EventRing(), self._periods.cleared())

    def _emptied(self, image: RegisterImage, clears: EventRing, gone: Changes) -> Prepared:
        windows, maxima = restarted(self._method, image, self._windows.kept), Maxima()
        changes = {WINDOWS_KEY: _encode(windows), MAXIMA_KEY: _encode(maxima), CLEARS_KEY: _encode(clears), **gone}

        def apply() -> None:
            self._windows, self._maxima, self._clears = DemandWindows(windows), maxima, clears
            if gone:
                self._periods = Periods(())

        return Prepared(changes, apply)

    def clear_events(self, di: int, turn: Turn) -> Prepared | None:
        """The records of demand clears go."""
        if di not in (EVENTS_ALL, CLEARS_DI_ALL):
            return None

        def apply() -> None:
            self._clears = EventRing()

        return Prepared({CLEARS_KEY: None}, apply)


_QUANTITIES = frozenset(quantities())
