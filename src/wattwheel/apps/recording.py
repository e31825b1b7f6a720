"""Event records: what was measured and when it was out of limits (03xxxxxx, 1xxxxxxx), and the voltage statistics.

Each push is judged, with the number of seconds since the one before: for all of them but the last what the push before
found goes on, so pushes once a second and once a minute find the same begins and ends. When nothing differs from what
is known already, a push costs a comparison.

What lasts goes on over a restart of the partition. The metering core numbers its pushes for life: when fewer numbers
have passed than the time that is missing needs, the meter was without supply. Then all events have ended with the last
push that was saved, and a power-down lies between that push and the first one after it.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from wattwheel.apps.event_book import ALL_EVENTS, WHOLE_FAMILY, EventBook
from wattwheel.apps.event_conditions import (
    DEMAND_SLOTS,
    IMBALANCE_SLOTS,
    POWER_DOWN,
    PRIVATE_DI3,
    REPORTS,
    Conditions,
    Situation,
    bits,
    delays_of,
    off_of,
)
from wattwheel.apps.event_judge import Flip, Judge
from wattwheel.apps.event_records import Open, Snapshot, largest_current_octets, measured_octets, second_octets
from wattwheel.apps.event_watch import (
    Seen,
    Watch,
    charge_after,
    counted_between,
    currents_of,
    decoded,
    seconds_between,
    watch_of,
)
from wattwheel.apps.functions import ERROR_OTHER, Changes, MeterFunction, Prepared, Turn
from wattwheel.apps.status_words import direction_words, event_word, sets_word, supply_word
from wattwheel.apps.voltage_statistics import MONTHS_KEY, STATISTICS_DI, VoltageStatistics
from wattwheel.model.energy_items import STANDARD_WORDS
from wattwheel.model.event_ring import EventRing, count_octets
from wattwheel.model.event_thresholds import Thresholds, thresholds_of
from wattwheel.model.momentary_items import rounded
from wattwheel.model.profile import is_2020
from wattwheel.model.ratings import Ratings
from wattwheel.model.records import Quality
from wattwheel.model.register_image import RegisterImage
from wattwheel.model.reporting import Report
from wattwheel.sdk import Function, Shown

WATCH_KEY, CLEARS_KEY = "recording", "recording clears"
DI_OCTETS = 4
CLEARS_DI = 0x03300300
ACTIVE_DEMAND, REACTIVE_DEMAND = 0x02800004, 0x02800005
CLOCK_BATTERY_MINUTES, MINUTES_OCTETS, MINUTES_SHOWN_MAX = 0x0280000A, 4, 99_999_999
EVENT_DI3 = (0x03, *range(0x10, 0x21), PRIVATE_DI3)
"""First octets of what can be cleared."""

UNSEEN_S_MAX = 180
"""A longer silence is not judged: nobody knows what was."""

OUTAGE_S_MIN = 3
"""Time without pushes from which the meter was without supply."""

EXTREME_SLOTS = IMBALANCE_SLOTS | DEMAND_SLOTS
"""Slots whose records tell the largest value."""

URGENT_GAP_S = 60
"""Begins and ends are saved at once, but not more often than that: an event without a delay may flicker."""


class Recording(MeterFunction):
    """Judges, keeps and shows the events; obeys the event clear (1BH)."""

    obeys = frozenset({Function.CLEAR_EVENTS})

    def __init__(self) -> None:
        self.judge, self.book = Judge(), EventBook()
        self.clears = EventRing()
        self._words = STANDARD_WORDS
        self._parameters: Mapping[int, bytes] | None = None
        self._thresholds: Thresholds | None = None
        self._judged_by: Thresholds | None = None
        self._demands: tuple[int | None, int | None] = (None, None)
        self._demand_second = 0
        self._last: Seen | None = None
        self._saved: Watch | None = None
        self._sequence = 0
        self._needs_look = True
        self._urgent_second = 0
        self._without_supply_s = 0
        self.rate(Ratings())

    def rate(self, ratings: Ratings) -> None:
        """See `MeterFunction`."""
        self._ratings = ratings
        self._conditions = Conditions(ratings)
        self.statistics = VoltageStatistics(ratings)

    def begin(self, saved: Mapping[str, bytes]) -> None:
        """See `MeterFunction`."""
        self.book = EventBook(saved)
        watch = self._saved = watch_of(saved.get(WATCH_KEY))
        self._without_supply_s = watch.without_supply_s if watch else 0
        clears = decoded(saved.get(CLEARS_KEY), EventRing)
        self._take_clears(clears if clears is not None else EventRing())
        self.statistics = VoltageStatistics(self._ratings, watch.voltage if watch else None, saved.get(MONTHS_KEY))
        self.judge.take_up(self.book.lasting, watch.differing if watch else [], watch.down_s if watch else None)

    # -- pushes

    def minute(self, turn: Turn) -> None:
        """Count the minute for the voltage statistics, and take the demands of the minute that has ended."""
        if not self._hear(turn) or self._thresholds is None:
            return
        momentary = turn.readings.momentary
        limits = self._thresholds
        if momentary is not None and turn.readings.quality is Quality.VALID:
            voltages = [
                None if element.voltage_millivolt is None else rounded(element.voltage_millivolt, 100)
                for element in momentary.elements[1:]
            ]
            self.statistics.minute(turn.image, voltages, limits)
        demands = (
            _number(turn.look(ACTIVE_DEMAND)) if limits.demand_active or limits.demand_reactive else None,
            _number(turn.look(REACTIVE_DEMAND)) if limits.demand_reactive else None,
        )
        if demands != self._demands:
            self._demands, self._demand_second = demands, turn.image.second

    def push(self, turn: Turn) -> None:
        """Judge the seconds since the push before."""
        self.needs_saving = self.needs_saving_now = False
        momentary = turn.readings.momentary
        if momentary is None or turn.readings.quality is not Quality.VALID or not self._hear(turn):
            return
        assert self._thresholds is not None
        situation, image = Situation(momentary, self._thresholds, self._demands, self._demand_second), turn.image
        last, self._words, self._sequence = self._last, turn.words, turn.readings.totals.sequence
        if last is None:
            self._judge_by(self._thresholds)
            last = self._resumed(situation, image)
        seconds = 1 if last is None else seconds_between(last.image, image)
        if seconds > 0:
            self._look(last, situation, image, seconds)

    def _hear(self, turn: Turn) -> bool:
        """Whether the parameters are known."""
        if turn.parameters is not self._parameters:
            if not turn.parameters:
                return False
            self._parameters = turn.parameters
            limits = thresholds_of(turn.parameters)
            self._thresholds = self._thresholds if limits == self._thresholds else limits
        return True

    def _look(self, last: Seen | None, situation: Situation, image: RegisterImage, seconds: int) -> None:
        judge, pending, conditions = self.judge, self.judge.pending, self._conditions
        momentary = situation.momentary
        currents = currents_of(momentary)
        before = last or Seen(image, situation, currents, Snapshot(image.second, 0, image.elements, (0, 0, 0)))
        charge = charge_after(before.counted.charge, before.currents, seconds)
        now = Snapshot(image.second, before.counted.watched_s + seconds, image.elements, charge)
        judged = 1 if seconds > UNSEEN_S_MAX else seconds
        has_turned = False

        def look(found: Situation, held: int | None, looks: int, passed: int) -> list[Flip]:
            flips = judge.look(
                lambda active: conditions.hold(found, active) if held is None else held,
                lambda: conditions.carries_current(found.momentary),
                looks,
            )
            for flip in flips:
                self._turn(flip, found, counted_between(before, now, seconds, passed + flip.look))
            return flips

        if judged > 1 and self._needs_look:
            has_turned = bool(look(before.situation, before.held, judged - 1, seconds - judged))
        if situation.thresholds is not self._judged_by:
            self._judge_by(situation.thresholds)
        if has_turned or self._needs_look or situation != before.situation:
            has_turned_now = bool(look(situation, None, 1, seconds - 1))
            self._needs_look = has_turned_now or judge.is_waiting
            has_turned = has_turned or has_turned_now
        if judge.active & EXTREME_SLOTS:
            for slot, (extreme, since) in conditions.extremes(situation, judge.active).items():
                self.book.reach(slot, extreme, image.second if since is None else since)
        self._last = Seen(image, situation, currents, now)
        self.needs_saving_now = has_turned and abs(image.second - self._urgent_second) >= URGENT_GAP_S
        if self.needs_saving_now:
            self._urgent_second = image.second
        self.needs_saving = has_turned or judge.pending != pending

    def _judge_by(self, limits: Thresholds) -> None:
        """Judge by other limits from the next look on."""
        self._judged_by, self._needs_look = limits, True
        self.judge.off, self.judge.delays_s = off_of(limits), delays_of(limits)

    def _turn(self, flip: Flip, situation: Situation, at: Snapshot) -> None:
        """An event begins or ends with what had been counted `at` then."""
        if (bit := REPORTS.get(flip.slot)) is not None:
            self.on_report(bit, not flip.begins)
        if not flip.begins:
            if flip.slot == POWER_DOWN:
                self._without_supply_s += self.book.lasted_s(POWER_DOWN, at)
            self.book.end(flip.slot, at, self._words)
            return
        momentary = situation.momentary
        extreme, since = self._conditions.extremes(situation, 1 << flip.slot).get(flip.slot, (0, None))
        second = at.second if since is None else since
        self.book.begin(
            flip.slot, Open(at, measured_octets(momentary), largest_current_octets(momentary), extreme, second)
        )

    # -- restarts

    def _resumed(self, situation: Situation, image: RegisterImage) -> Seen | None:
        """The last push before the restart; None: there is none to go on from."""
        watch, self._saved = self._saved, None
        if watch is None:
            return None
        is_same = watch.meter_clears == image.meter_clears and len(watch.counted.elements) == len(image.elements)
        counted = watch.counted if is_same else msgspec.structs.replace(watch.counted, elements=image.elements)
        gap = image.second - watch.second
        pushed_s = (self._sequence - watch.sequence) * self._ratings.push_milliseconds // 1000
        if gap - pushed_s >= OUTAGE_S_MIN:
            self._supply_was_lost(counted, image)
            return None
        second = watch.second if gap > 0 else image.second - 1
        before = msgspec.structs.replace(image, second=second, at_ns=0)
        held = self.judge.active ^ self.judge.pending  # what was pending goes on until something else is seen
        return Seen(before, situation, watch.currents, counted, held)

    def _supply_was_lost(self, lost: Snapshot, image: RegisterImage) -> None:
        """End all events with the moment of the loss, and record the power-down.

        No energy flows without supply: what the registers say now they said then.
        """
        ended = msgspec.structs.replace(lost, elements=image.elements)
        self._without_supply_s += self.book.lasted_s(POWER_DOWN, ended) + max(0, image.second - lost.second)
        for slot in bits(self.book.lasting & ~(1 << POWER_DOWN)):
            self.book.end(slot, ended, self._words)
        if not self.book.lasting:
            self.book.begin(POWER_DOWN, Open(ended))
        self.book.end(POWER_DOWN, msgspec.structs.replace(ended, second=image.second), self._words)
        for is_end in (False, True):
            self.on_report(Report.POWER_DOWN, is_end)
        self.judge.take_up(0, [], None)
        self._urgent_second = 0

    def changes(self) -> Changes:
        """See `MeterFunction`."""
        changes: dict[str, bytes | None] = {**self.book.changes(), **self.statistics.changes()}
        if self._last is not None:
            changes[WATCH_KEY] = msgspec.msgpack.encode(self._watch(self._last))
        return changes

    def _watch(self, last: Seen) -> Watch:
        judge = self.judge
        differing = [state.differing_s for state in judge.states] if judge.pending else []
        return Watch(
            last.image.second,
            self._sequence,
            last.image.meter_clears,
            last.counted,
            last.currents,
            differing,
            judge.down_s,
            self.statistics.running,
            self._without_supply_s,
        )

    # -- clearing

    def prepare(self, function: Function, data: bytes, operator: bytes, turn: Turn) -> Prepared | int:
        """The record of an event clear; what it empties is in `clear_events` of each function."""
        di = int.from_bytes(data, "little")
        if len(data) != 4 or (di != ALL_EVENTS and (di & 0xFF != WHOLE_FAMILY or di >> 24 not in EVENT_DI3)):
            return ERROR_OTHER
        clears = self.clears.added(second_octets(turn.image.second) + operator + data)

        def apply() -> None:
            self._take_clears(clears)
            self.on_report(Report.EVENT_CLEAR, False)

        return Prepared({CLEARS_KEY: msgspec.msgpack.encode(clears)}, apply)

    def _take_clears(self, clears: EventRing) -> None:
        """Keep the records of event clears, and tell the newest of them to whoever follows in other partitions."""
        self.clears = clears
        newest = enumerate(clears.records)
        self.event_clears = tuple(
            (clears.generation - at, int.from_bytes(record[-DI_OCTETS:], "little")) for at, record in newest
        )[::-1]

    def clear_events(self, di: int, turn: Turn) -> Prepared | None:
        """See `MeterFunction`."""
        slots = self.book.named(di)
        return self._emptied(slots, di == ALL_EVENTS or di >> 16 == STATISTICS_DI)

    def clear(self, turn: Turn, operator: bytes) -> Prepared:
        """All events and statistics go; the record of event clears stays."""
        emptied = self._emptied(self.book.named(ALL_EVENTS), has_statistics=True)

        def apply() -> None:
            emptied.apply()
            if (last := self._last) is not None:  # the registers begin anew
                anew = msgspec.structs.replace(last.counted, elements=(0,) * len(last.counted.elements))
                self._last = last._replace(counted=anew)

        return Prepared(emptied.changes, apply)

    def _emptied(self, slots: list[int], has_statistics: bool) -> Prepared:
        changes: dict[str, bytes | None] = dict(self.book.cleared(slots))
        if has_statistics:
            changes[MONTHS_KEY] = None
        if self._last is not None:
            watch = self._watch(self._last)
            watch.differing = [0 if slot in slots else each for slot, each in enumerate(watch.differing)]
            watch.voltage = self.statistics.emptied() if has_statistics else watch.voltage
            changes[WATCH_KEY] = msgspec.msgpack.encode(watch)

        def apply() -> None:
            if POWER_DOWN in slots and self._last is not None:
                self._without_supply_s += self.book.lasted_s(POWER_DOWN, self._last.counted)
            self.book.clear(slots)
            self.judge.forget(slots)
            self._needs_look = True
            if has_statistics:
                self.statistics.clear()

        return Prepared(changes, apply)

    # -- what is read

    def look(self, di: int, data: bytes) -> Shown | None:
        """See `MeterFunction`."""
        if di >> 16 == STATISTICS_DI:
            return self.statistics.look(di)
        if di == CLOCK_BATTERY_MINUTES:
            return count_octets(min(self._without_supply() // 60, MINUTES_SHOWN_MAX), MINUTES_OCTETS)
        if di == CLEARS_DI:
            return count_octets(self.clears.count)
        if CLEARS_DI < di <= CLEARS_DI + len(self.clears.records):
            return self.clears.records[di - CLEARS_DI - 1]
        if di >> 24 not in EVENT_DI3:
            return None
        return self.book.look(di, self._last.counted if self._last is not None else None, self._words)

    def listed(self) -> list[int]:
        """See `MeterFunction`."""
        clears = range(CLEARS_DI, CLEARS_DI + 1 + len(self.clears.records))
        return [*self.book.listed(), *self.statistics.listed(), *clears, CLOCK_BATTERY_MINUTES]

    def _without_supply(self) -> int:
        """Seconds in which nothing but its cell has kept the clock going."""
        lasting = 0 if self._last is None else self.book.lasted_s(POWER_DOWN, self._last.counted)
        return self._without_supply_s + lasting

    def status_bits(self, number: int) -> int:
        """Directions of powers, running sets, and the events that are on."""
        last = self._last
        if number in (1, 2):
            return direction_words(None if last is None else last.situation.momentary)[number - 1]
        if number == 3:
            if last is None:
                return 0
            sets = 0 if is_2020(self._parameters) else sets_word(last.image.sets)
            return sets | supply_word(self.judge.active)
        return event_word(number, self.judge.active)


def _number(shown: Shown | None) -> int | None:
    return shown if isinstance(shown, int) else None
