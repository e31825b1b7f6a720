"""Load record: six classes, each at its interval, in one ring of records (06xxxxxx).

At each minute at which a class is due, one record of all due classes is made, of the push that begins the minute. The
ring is in order of time: when the clock goes back, what is later than it is void, and a minute is recorded once. A
clock that has lost the time records nothing until it is set.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta

import msgspec

from wattwheel.apps.functions import EPOCH, STEP_BACK_MINUTES, GatheringFunction, Prepared, Turn
from wattwheel.apps.load_pages import LoadPages
from wattwheel.model.bcd import MINUTES_MAX, minute_of, number, unsigned
from wattwheel.model.load_classes import (
    DEMAND_ITEMS,
    DEMANDS,
    ENERGIES,
    FACTORS,
    POWERS,
    QUADRANTS,
    VOLTAGES,
    demands,
    energies,
    factors,
    powers,
    quadrants,
    voltages,
)
from wattwheel.model.load_record import CLASSES, classes_due, encode_record
from wattwheel.model.ratings import Ratings
from wattwheel.model.records import Quality
from wattwheel.model.turns_between import SECONDS_A_MINUTE, pause_s_max
from wattwheel.sdk import ANSWER_OCTETS_MAX

MODE, START = 0x04000901, 0x04000A01
INTERVALS = tuple(START + number for number in CLASSES)
MODE_WORD, INTERVAL_MINUTES = 0x3F, 15
"""Where none can be read."""

START_KEY = "load_record start"
LOAD_DI3 = 0x06
EARLIEST, FROM_TIME, LATEST = range(3)
NEVER = MINUTES_MAX + 1
_MINUTE = timedelta(minutes=1)


class Started(msgspec.Struct, frozen=True, array_like=True):
    """What 04000A01, which has no year, was taken to mean when it was heard first.

    Attributes:
        octets: as on the wire.
        minute: since 2000.
    """

    octets: bytes = b""
    minute: int = 0


class LoadRecord(GatheringFunction):
    """See the module."""

    def __init__(self) -> None:
        super().__init__()
        self._pages = LoadPages()
        self._started = Started()
        self._parameters: Mapping[int, bytes] | None = None
        self._mode = MODE_WORD
        self._intervals = [INTERVAL_MINUTES] * len(CLASSES)
        self._minute: int | None = None  # of the last turn
        self._missed = -1  # up to that minute the supply was off
        self._due = 0  # nothing is, before that minute
        self._late_minutes_max = 0

    @property
    def counted(self) -> Mapping[str, int]:
        """Records that were passed over because they are damaged."""
        return {"load_records_corrupt": self._pages.corrupt}

    def rate(self, ratings: Ratings) -> None:
        """Where pushes are more than a minute apart, what fell due between two of them is recorded with the later."""
        is_seldom = ratings.push_milliseconds > 1000 * SECONDS_A_MINUTE
        self._late_minutes_max = pause_s_max(ratings.push_milliseconds) // SECONDS_A_MINUTE if is_seldom else 0

    def begin(self, saved: Mapping[str, bytes]) -> None:
        """Take up the records."""
        self._pages = LoadPages(saved)
        self._started = _started_of(saved.get(START_KEY))

    def minute(self, turn: Turn) -> None:
        """Record what is due. Before the parameters were heard nobody knows what that is, nor when by a lost clock."""
        if turn.is_power_up:
            self._missed = turn.minute_missed
        if not turn.parameters or turn.readings.is_clock_lost:
            return
        now, before = turn.image.minute, self._minute
        is_same = turn.parameters is self._parameters
        if is_same and before is not None and before < now < self._due:
            self._minute = now
            return
        is_back = before is None or now < before
        if not is_same or is_back:
            self._learn(turn.parameters, now)
        if is_back:
            self._unsaved.update(self._pages.void_after(now))
        self._minute = now
        if now != before and now != self._pages.last_minute:
            if before is None:
                since = max(now - 1, self._missed)
            else:
                since = now - 1 if is_back else max(before, now - 1 - self._late_minutes_max)
            self._record(turn, now, since)
        self._due = self._next_due(now)

    def push(self, turn: Turn) -> None:
        """Begin in the middle of a minute, when the parameters are heard only then; void what is later than a clock
        that was set back, in the transaction of the push that finds it."""
        if self._minute is None:
            self.minute(turn)
        elif turn.image.minute < self._minute - STEP_BACK_MINUTES and not turn.readings.is_clock_lost:
            self._minute, self._due = turn.image.minute, 0
            self._learn(turn.parameters or self._parameters or {}, self._minute)
            self._unsaved.update(self._pages.void_after(self._minute))
            self.needs_saving_now = True

    def _learn(self, parameters: Mapping[int, bytes], now: int) -> None:
        self._parameters = parameters
        self._mode = (parameters.get(MODE) or bytes((MODE_WORD,)))[0]
        intervals = (number(parameters.get(di, b"")) for di in INTERVALS)
        self._intervals = [INTERVAL_MINUTES if interval is None else interval for interval in intervals]
        octets, year = parameters.get(START, b""), _year(now)
        if octets != self._started.octets or _year(self._started.minute) > year:  # the clock was years ahead then
            self._started = Started(octets, minute_of(octets + unsigned(year % 100, 1)) or 0)
            self._unsaved[START_KEY] = msgspec.msgpack.encode(self._started)

    def _next_due(self, now: int) -> int:
        """The first minute after `now` at which a class may be due."""
        start, due = self._started.minute, NEVER
        for class_, interval in zip(CLASSES, self._intervals, strict=True):
            if interval and self._mode >> class_ - 1 & 1:
                due = min(due, now + interval - (now - start) % interval)
        return due

    def _record(self, turn: Turn, now: int, since: int) -> None:
        """Record the newest minute after `since` up to `now` at which a class is due."""
        begun = EPOCH + self._started.minute * _MINUTE
        for minute in range(now, since, -1):
            time = EPOCH + minute * _MINUTE
            if due := classes_due(self._mode, self._intervals, begun, time):
                record = encode_record(time, {class_: _class(class_, turn) for class_ in due})
                self._unsaved.update(self._pages.add(minute, due, record))
                return

    def look(self, di: int, data: bytes) -> bytes | None:
        """Records: `data` is their number N, behind it the time for DI0 = 01. Nothing is a good answer: no records.

        An answer holds as many whole records as one message does; the rest is asked for from the time after the last.
        """
        if di >> 24 != LOAD_DI3 or di >> 8 & 0xFF or (wanted := di >> 16 & 0xFF) > len(CLASSES):
            return None
        count = number(data[:1]) if data else 1
        which, minute = di & 0xFF, minute_of(data[1:])
        if count is None:
            return None
        if which == FROM_TIME and minute is not None:
            return self._pages.from_time(wanted, count, ANSWER_OCTETS_MAX, minute)
        if which in (EARLIEST, LATEST) and len(data) <= 1:
            read = self._pages.earliest if which == EARLIEST else self._pages.latest
            return read(wanted, count, ANSWER_OCTETS_MAX)
        return None

    def listed(self) -> Iterable[int]:
        """The oldest and the newest record, and those of each class that was recorded."""
        classes = self._pages.classes
        for wanted in (0, *CLASSES):
            if classes >> wanted - 1 & 1 if wanted else classes:
                yield LOAD_DI3 << 24 | wanted << 16 | EARLIEST
                yield LOAD_DI3 << 24 | wanted << 16 | LATEST

    def clear(self, turn: Turn, operator: bytes) -> Prepared | None:
        """No record is left."""
        return Prepared(dict.fromkeys(self._pages.keys), self._pages.empty)


def _class(class_: int, turn: Turn) -> bytes:
    """The octets of a class at `turn`."""
    if class_ in (ENERGIES, QUADRANTS):
        registers = turn.image.totals
        return energies(registers, turn.words) if class_ == ENERGIES else quadrants(registers)
    if class_ == DEMANDS:
        return demands(*map(turn.look, DEMAND_ITEMS))
    momentary = turn.readings.momentary if turn.readings.quality is Quality.VALID else None
    return _OF_MOMENTARY[class_](momentary)


_OF_MOMENTARY = {VOLTAGES: voltages, POWERS: powers, FACTORS: factors}


def _started_of(saved: bytes | None) -> Started:
    try:
        started = msgspec.msgpack.decode(saved or b"", type=Started)
    except (ValueError, RecursionError):
        return Started()
    return started if 0 <= started.minute <= MINUTES_MAX else Started()


def _year(minute: int) -> int:
    return (EPOCH + minute * _MINUTE).year
