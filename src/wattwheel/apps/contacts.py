"""What watches the meter from outside its circuit: covers (03300Dxx, 03300Exx), auxiliary supply (0306), magnetic field
(0335), internal supply (0337), metering chip (B049), and the plug of the management module (B052).

What a contact says is on the medium before it is answered; a state that lasts for as long as the event's delay begins a
record, and the end of that state, for as long, completes it. Each change counts from the second it was told with, so
covers and magnetic field, which are watched without mains too, have their times when the core begins to push again:
what they were told to be held for the whole time between. The metering chip also counts as faulty while the core
reports a fault of its own or is silent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from wattwheel.apps.contact_records import (
    ALL_EVENTS,
    CLOCK,
    CLOCK_FAULT,
    SECOND_NS,
    WATCHED,
    WHOLE_CLASS,
    WHOLE_FAMILY,
    Told,
    Watched,
)
from wattwheel.apps.functions import ERROR_OTHER, MeterFunction, Prepared, Turn
from wattwheel.apps.module_plug import PLUG_DI, Plug, plug_of
from wattwheel.apps.status_words import SUPPLY_AUXILIARY, SUPPLY_SHIFT, SUPPLY_WORD
from wattwheel.model.contacts import STATES, WATCHED_WITHOUT_MAINS, Contact, told_changes
from wattwheel.model.core_records import CHIP_FAULTS
from wattwheel.model.errors import ItemValueError
from wattwheel.model.event_delay import EventDelay, looked
from wattwheel.model.event_ring import EventRing
from wattwheel.model.plug_records import PlugRecords
from wattwheel.model.ratings import Ratings
from wattwheel.model.records import Quality
from wattwheel.sdk import Function

KEY, PLUG_KEY = "contacts", "contacts plug"
NONE_LEFT: dict[str, tuple[()]] = {"changes": (), "changes_ns": ()}
STATUS_WORD_7, AUXILIARY_BIT = 7, 1 << 4
EVENT_DI3 = (0x03, 0xB0)
_ITEM_FAMILIES = frozenset(
    {PLUG_DI >> 16, *(each.count_di >> 16 for each in (*WATCHED.values(), *CLOCK_FAULT.values()))}
)

ByName = dict[str, Told]


class Contacts(MeterFunction):
    """See the module."""

    name = "contacts"
    obeys = frozenset({Function.CONTACT})

    def __init__(self, settings: Mapping[str, bool] | None = None) -> None:
        """`settings`: `has_auxiliary_supply`, without which nothing but a battery feeds the meter without mains;
        `watches_clock`: whether a fault of the clock is an event (B048), as in the 2020 profile."""
        own = settings or {}
        self._has_auxiliary = bool(own.get("has_auxiliary_supply"))
        self._watched: dict[str, Watched] = {**WATCHED, **(CLOCK_FAULT if own.get("watches_clock") else {})}
        self._told: ByName = {str(name): Told() for name in self._watched}
        self._plug = Plug()
        self._held: dict[str, bool] = {}
        self._last_ns: int | None = None
        self._second = self._faults = 0
        self._is_changed = self._is_quiet = self._is_plug_changed = False
        self._plug_heard = b""
        self._critical_millivolt = 0

    def rate(self, ratings: Ratings) -> None:
        """See `MeterFunction`."""
        self._critical_millivolt = ratings.critical_millivolt

    def begin(self, saved: Mapping[str, bytes]) -> None:
        """Take up states and records."""
        try:
            found = msgspec.msgpack.decode(saved.get(KEY, b""), type=ByName)
        except (ValueError, RecursionError):
            found = {}
        self._told = {name: found.get(name, Told()) for name in self._told}
        self._plug = plug_of(saved.get(PLUG_KEY, b""))

    # -- pushes

    def push(self, turn: Turn) -> None:
        """Look at the contacts, as often as seconds have passed: all but the last look find what was before."""
        faults = turn.readings.core_faults
        self.needs_saving_now = faults != self._faults  # a core that has lost something can no longer be asked for it
        self._faults = faults
        if turn.readings.plug != self._plug_heard:
            self._hear_plug(turn)
        now_ns, self._second, is_first = turn.image.at_ns, turn.image.second, self._last_ns is None
        last_ns = now_ns - SECOND_NS if self._last_ns is None else self._last_ns
        seconds = (now_ns - last_ns + SECOND_NS // 2) // SECOND_NS  # to the nearest: a push may come a little early
        if seconds < 1:
            return
        self._last_ns = last_ns + seconds * SECOND_NS
        is_good = turn.readings.quality is Quality.VALID and not turn.readings.core_faults & CHIP_FAULTS
        is_good = is_good and not (CLOCK in self._told and _is_clock_faulty(turn))
        if self._is_quiet and is_good:
            return
        is_quiet = is_good
        if is_first:
            self._resume(turn)
        for name, told in self._told.items():
            if told.changes:
                self._catch_up(name, turn, seconds, is_first)
                is_quiet = False
                continue
            holds = self._holds(name, told, turn)
            before = self._held.get(name, holds)
            self._held[name] = holds
            if before is not holds and seconds > 1:
                self._look(name, before, turn, seconds - 1, 1)
                self._look(name, holds, turn, 1, 0)
            else:
                self._look(name, holds, turn, seconds, 0)
            is_quiet = is_quiet and not (holds or told.is_on or self._told[name].delay != (False, 0))
        self._is_quiet = is_quiet

    def _hear_plug(self, turn: Turn) -> None:
        """The core has recorded something, or is heard for the first time."""
        self._plug_heard = turn.readings.plug
        try:
            told = PlugRecords.from_octets(self._plug_heard)
        except ItemValueError:
            return
        offset_s = round((turn.image.second - turn.readings.calendar_s) / 60) * 60
        plug = self._plug.heard(told, offset_s)
        if plug is not self._plug:
            self._plug, self._is_plug_changed, self.needs_saving_now = plug, True, True

    def silence(self, turn: Turn) -> None:
        """The core has been silent up to now: the metering chip has been faulty for all of it."""
        self._held[Contact.METERING_CHIP], self._is_quiet = True, False
        self.push(turn)

    def _resume(self, turn: Turn) -> None:
        """Nothing was looked at since the start: what began before it goes on, where somebody watched."""
        for name, told in self._told.items():
            resumed = told.resumed() if name in WATCHED_WITHOUT_MAINS else told
            is_new_time = turn.is_power_up  # of the machine
            self._told[name] = resumed.powered_up(turn.image.second, turn.image.at_ns) if is_new_time else resumed

    def _catch_up(self, name: str, turn: Turn, seconds: int, is_first: bool) -> None:
        """Take the looks since the last one as the contact was told to be then, without supply too.

        Changes that are later than the push wait for the next one: after a restart an old push is heard again.
        """
        whole, second, at_ns = self._told[name], turn.image.second, turn.image.at_ns
        is_watched = name in WATCHED_WITHOUT_MAINS
        told, waiting = whole.parted(second, at_ns, turn.readings.quality is Quality.STALE, is_watched)
        if waiting and not told.changes:  # the push is older than all of them
            if not is_first:
                self._look(name, self._holds(name, told, turn), turn, seconds, 0)
            return
        looked = told.changes[-1][0], told.changes_ns[-1] if told.changes_ns else 0
        left = (
            {"changes": whole.changes[-waiting:], "changes_ns": whole.changes_ns[-waiting:]} if waiting else NONE_LEFT
        )
        self._told[name] = msgspec.structs.replace(whole, looked=looked, **left)
        self._is_changed = True
        for is_on, looks, later_s in told.runs(second, seconds, is_watched, at_ns):
            holds = self._held[name] = self._holds(name, msgspec.structs.replace(told, is_on=is_on), turn)
            self._look(name, holds, turn, looks, later_s)

    def _holds(self, name: str, told: Told, turn: Turn) -> bool:
        """Whether the condition of the event holds now."""
        readings = turn.readings
        if name == CLOCK:
            return _is_clock_faulty(turn)
        if name == Contact.METERING_CHIP:
            return told.is_on or readings.quality is not Quality.VALID or bool(readings.core_faults & CHIP_FAULTS)
        if name == Contact.INTERNAL_SUPPLY and told.is_on and readings.momentary is not None:
            voltages = [element.voltage_millivolt or 0 for element in readings.momentary.elements[1:]]
            return max(voltages) >= self._critical_millivolt  # without mains nothing is abnormal about it
        return told.is_on

    def _look(self, name: str, holds: bool, turn: Turn, seconds: int, later_s: int) -> None:
        """Take `seconds` looks in a row that found the same; after them came `later_s` more seconds."""
        told, watched = self._told[name], self._watched[name]
        if holds is told.delay[0] and not told.delay[1]:
            return
        state = EventDelay(*told.delay)
        is_judged = name == CLOCK and holds and turn.readings.is_clock_lost  # it took the delay to find that
        flip = looked(state, holds, 0 if is_judged else watched.delay_s, seconds)
        if flip is None:
            self._told[name] = msgspec.structs.replace(told, delay=(state.is_active, state.differing_s))
        else:
            self._told[name] = told.flipped(watched, turn.image.second - later_s - (seconds - flip), turn)
            self.needs_saving_now = True
            if watched.report is not None:
                self.on_report(watched.report, not self._told[name].delay[0])
        self._is_changed = True

    @property
    def is_cover_open(self) -> bool:
        """Whether the meter's cover is open now."""
        return self._told[Contact.METER_COVER].is_on

    def status_bits(self, number: int) -> int:
        """A lost auxiliary supply, in word 7; one that is there, in word 3."""
        if number == SUPPLY_WORD:
            is_there = self._has_auxiliary and not self._told[Contact.AUXILIARY_SUPPLY].is_on
            return SUPPLY_AUXILIARY << SUPPLY_SHIFT if is_there else 0
        is_lost = number == STATUS_WORD_7 and self._told[Contact.AUXILIARY_SUPPLY].delay[0]
        return AUXILIARY_BIT if is_lost else 0

    def changes(self) -> Mapping[str, bytes]:
        """All of it, when any of it has changed."""
        changed: dict[str, bytes] = {}
        if self._is_changed:
            changed[KEY] = msgspec.msgpack.encode(self._told)
        if self._is_plug_changed:
            changed[PLUG_KEY] = msgspec.msgpack.encode(self._plug)
        self._is_changed = self._is_plug_changed = False
        return changed

    # -- what is read

    def look(self, di: int, data: bytes) -> bytes | None:
        """Counts and records."""
        return self._items().get(di) if di >> 16 in _ITEM_FAMILIES else None

    def listed(self) -> Iterable[int]:
        """Counts, and the records that are there."""
        return self._items()

    def _items(self) -> dict[int, bytes]:
        found = self._plug.ring.items(PLUG_DI)
        for name, told in self._told.items():
            found |= told.items(self._watched[name], self._second)
        return found

    # -- commands

    def prepare(self, function: Function, data: bytes, operator: bytes, turn: Turn) -> Prepared | int:
        """A contact has changed: `data` is its name and its state, one of `model.contacts.STATES`, a space between.

        What was watched without supply is told once that is back: each state is followed by its time (`TIME_FORMAT`).
        """
        told = told_changes(data, turn.image.second)
        if told is None or told[0] not in self._told:  # those of the plug the metering core looks at
            return ERROR_OTHER
        name, changes = told
        known = self._told[name]
        for state, second in changes:
            at_ns = turn.image.at_ns - (turn.image.second - second) * SECOND_NS
            known = known.changed(state == STATES[name][0], second, at_ns)
        return self._prepared({**self._told, name: known})

    def clear(self, turn: Turn, operator: bytes) -> Prepared:
        """Records and counts are emptied; an opening that lasts begins no new record."""
        return self._cleared(ALL_EVENTS)

    def clear_events(self, di: int, turn: Turn) -> Prepared | None:
        """All, or one class."""
        return self._cleared(di)

    def _cleared(self, di: int) -> Prepared:
        told = {
            name: msgspec.structs.replace(each, ring=EventRing(), seconds=0, since=self._second)
            for name, each in self._told.items()
            if self._watched[name].is_named(di)
        }
        has_plug = di in (ALL_EVENTS, PLUG_DI | WHOLE_CLASS, PLUG_DI | WHOLE_FAMILY)
        changes, apply_told = self._prepared({**self._told, **told})[:2]
        if not has_plug:
            return Prepared(changes, apply_told)
        more, apply_plug = self._plugged(msgspec.structs.replace(self._plug, ring=EventRing()))[:2]

        def apply() -> None:
            apply_told()
            apply_plug()

        return Prepared({**changes, **more}, apply)

    def _prepared(self, told: ByName) -> Prepared:
        def apply() -> None:
            self._told, self._is_quiet = told, False

        return Prepared({KEY: msgspec.msgpack.encode(told)}, apply)

    def _plugged(self, plug: Plug) -> Prepared:
        def apply() -> None:
            self._plug = plug

        return Prepared({PLUG_KEY: msgspec.msgpack.encode(plug)}, apply)


def _is_clock_faulty(turn: Turn) -> bool:
    """Whether the clock has lost the time, or disagrees with a broadcast."""
    return turn.readings.is_clock_lost or turn.readings.is_clock_doubtful
