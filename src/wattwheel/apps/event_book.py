"""The events that were recorded: counts, minutes, the ten newest records of each, and those that last."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from wattwheel.apps.event_conditions import EVENT_OF_SLOT, EVENTS, Event, Layout
from wattwheel.apps.event_records import Open, Snapshot, record
from wattwheel.model.energy_items import STANDARD_WORDS, Words
from wattwheel.model.event_ring import COUNT_MAX, RECORDS_MAX, EventRing, count_octets
from wattwheel.model.records import REGISTER_COUNT

ALL_EVENTS = 0xFFFFFFFF
WHOLE_FAMILY = 0xFF
SECONDS_MAX = 60 * COUNT_MAX
_WITHOUT_MINUTES = (0x0311, 0x0312)
"""Families of which only the counts are told: power-down, demand over limit."""

_SECOND_LIMIT = 1 << 33


class Page(msgspec.Struct, array_like=True):
    """What is kept of one slot. `seconds`: the length of all events that have ended; `lasting`: one that goes on."""

    ring: EventRing = EventRing()
    seconds: int = 0
    lasting: Open | None = None


def page_of(saved: object) -> Page:
    """A page as it was saved; an empty one for what is none."""
    try:
        page = msgspec.convert(saved, Page)
    except (ValueError, RecursionError):
        return Page()
    if page.lasting is not None:
        page.lasting = msgspec.structs.replace(page.lasting, begin=page.lasting.begin.widened())
    event = page.lasting
    sound = 0 <= page.ring.count <= COUNT_MAX and len(page.ring.records) <= RECORDS_MAX and page.seconds >= 0
    sound = sound and (event is None or _is_sound(event))
    return page if sound else Page()


def _is_sound(event: Open) -> bool:
    seconds = (event.begin.second, event.extreme_second)
    return len(event.begin.elements) == REGISTER_COUNT and all(0 <= second < _SECOND_LIMIT for second in seconds)


class EventBook:
    """A page for each slot, saved by event."""

    def __init__(self, saved: Mapping[str, bytes] | None = None) -> None:
        self.pages: dict[int, Page] = {slot: Page() for slot in EVENT_OF_SLOT}
        self._changed: set[Event] = set()
        for event in EVENTS:
            try:
                pages = msgspec.msgpack.decode((saved or {}).get(event.key, b""))
            except (ValueError, RecursionError):
                continue
            if isinstance(pages, list) and len(pages) == len(event.slots):
                self.pages.update(zip(event.slots, map(page_of, pages), strict=True))

    @property
    def lasting(self) -> int:
        """The slots whose event lasts."""
        return sum(1 << slot for slot, page in self.pages.items() if page.lasting is not None)

    def lasted_s(self, slot: int, now: Snapshot) -> int:
        """How long the event of `slot` that goes on has lasted; 0: none does."""
        lasting = self.pages[slot].lasting
        return 0 if lasting is None else max(0, now.watched_s - lasting.begin.watched_s)

    def begin(self, slot: int, event: Open) -> None:
        """An event begins."""
        self.pages[slot].lasting = event
        self._changed.add(EVENT_OF_SLOT[slot])

    def end(self, slot: int, end: Snapshot, words: Words) -> None:
        """The event of `slot` ends with `end`."""
        page, event = self.pages[slot], EVENT_OF_SLOT[slot]
        if page.lasting is None:
            return
        seconds = self._seconds(page, end)
        if event.layout is not Layout.NONE:
            page.ring = page.ring.added(record(event.layout, page.lasting, end, True, words))
        else:
            page.ring = EventRing(min(page.ring.count + 1, COUNT_MAX))
        page.seconds, page.lasting = seconds, None
        self._changed.add(event)

    def reach(self, slot: int, extreme: int, second: int) -> None:
        """A lasting event may have found a new extreme; it is saved with the next change."""
        page = self.pages[slot]
        if page.lasting is not None and (extreme > page.lasting.extreme or not page.lasting.extreme_second):
            page.lasting = msgspec.structs.replace(page.lasting, extreme=extreme, extreme_second=second)
            self._changed.add(EVENT_OF_SLOT[slot])

    @staticmethod
    def _seconds(page: Page, now: Snapshot | None) -> int:
        lasting = 0 if page.lasting is None or now is None else now.watched_s - page.lasting.begin.watched_s
        return min(page.seconds + max(0, lasting), SECONDS_MAX)

    def changes(self) -> dict[str, bytes | None]:
        """What has to be saved."""
        changed, self._changed = self._changed, set()
        changes: dict[str, bytes | None] = {}
        for event in changed:
            pages = [self.pages[slot] for slot in event.slots]
            changes[event.key] = None if all(page == Page() for page in pages) else msgspec.msgpack.encode(pages)
        return changes

    # -- clearing

    def named(self, di: int) -> list[int]:
        """The slots that an event clear of `di` means: FFFFFFFF, or a class that ends with FF."""
        if di == ALL_EVENTS:
            return list(EVENT_OF_SLOT)
        found: list[int] = []
        for event in EVENTS:
            if event.family and di >> 16 == event.family:
                phase = di >> 8 & 0xFF
            elif event.single_family and di >> 24 == event.single_family:
                phase = di >> 16 & 0xFF
            else:
                continue
            if phase in (0, WHOLE_FAMILY):
                found += event.slots
            elif phase <= len(event.slots) > 1:
                found.append(event.slots[phase - 1])
        return found

    def cleared(self, slots: Iterable[int]) -> dict[str, bytes | None]:
        """What has to be saved when the pages of `slots` are emptied; nothing changes yet."""
        gone = set(slots)
        events = {EVENT_OF_SLOT[slot] for slot in gone}
        changes: dict[str, bytes | None] = {}
        for event in events:
            pages = [Page() if slot in gone else self.pages[slot] for slot in event.slots]
            changes[event.key] = None if all(page == Page() for page in pages) else msgspec.msgpack.encode(pages)
        return changes

    def clear(self, slots: Iterable[int]) -> None:
        """Empty the pages of `slots`: it has been saved."""
        for slot in slots:
            self.pages[slot] = Page()

    # -- what is read

    def look(self, di: int, now: Snapshot | None, words: Words = STANDARD_WORDS) -> bytes | None:
        """Octets of a count, of minutes, or of a record; None: there is nothing of that identifier.

        `now`: what has been counted so far, for the events that last.
        """
        family = di >> 16
        event = _BY_FAMILY.get(family)
        if event is not None:
            place, number = di >> 8 & 0xFF, di & 0xFF
            if not number:
                return self._counts(event, now) if not place else None
            if len(event.slots) == 1:
                return self._record(event, event.slots[0], number, now, words) if not place else None
            if not 1 <= place <= len(event.slots):
                return None
            return self._record(event, event.slots[place - 1], number, now, words)
        event = _BY_SINGLE_FAMILY.get(di >> 24)
        field = di & 0xFFFF
        if event is None or field not in (1, 2):
            return None
        phase = di >> 16 & 0xFF
        first = 0 if len(event.slots) == 1 else 1
        if not first <= phase < first + len(event.slots):
            return None
        page = self.pages[event.slots[phase - first]]
        return _count(page) if field == 1 else count_octets(self._seconds(page, now) // 60, 3)

    def _counts(self, event: Event, now: Snapshot | None) -> bytes:
        octets = b""
        for slot in event.slots:
            page = self.pages[slot]
            octets += _count(page)
            if event.family not in _WITHOUT_MINUTES:
                octets += count_octets(self._seconds(page, now) // 60, 3)
        return octets

    def _record(self, event: Event, slot: int, number: int, now: Snapshot | None, words: Words) -> bytes | None:
        page = self.pages[slot]
        if page.lasting is not None:
            if number == 1:
                return record(event.layout, page.lasting, now or page.lasting.begin, False, words)
            number -= 1
        is_there = number <= min(len(page.ring.records), RECORDS_MAX - (page.lasting is not None))
        return page.ring.records[number - 1] if is_there else None

    def listed(self) -> list[int]:
        """The identifiers that `look` answers."""
        found = []
        for event in EVENTS:
            if event.family:
                found.append(event.family << 16)
                for place, slot in enumerate(event.slots, 1):
                    page = self.pages[slot]
                    first = event.family << 16 | (place << 8 if len(event.slots) > 1 else 0)
                    count = min(RECORDS_MAX, len(page.ring.records) + (page.lasting is not None))
                    found += range(first + 1, first + 1 + count)
            if event.single_family:
                phases = range(1, len(event.slots) + 1) if len(event.slots) > 1 else (0,)
                found += [event.single_family << 24 | phase << 16 | field for phase in phases for field in (1, 2)]
        return found


def _count(page: Page) -> bytes:
    return count_octets(min(COUNT_MAX, page.ring.count + (page.lasting is not None)))


_BY_FAMILY = {event.family: event for event in EVENTS if event.family}
_BY_SINGLE_FAMILY = {event.single_family: event for event in EVENTS if event.single_family}
