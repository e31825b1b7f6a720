"""The ring of load records, in pages, each under a key of its own: part of the function `load_record`.

Records stand one after another as they go over the wire, in order of time, each behind an octet that tells its classes;
a page begins with an octet of all classes in it. So one record costs the writing of one small page, a cut leaves the
record out or whole, and looking for a class passes over what does not have it. When there is no room for another page,
the oldest one goes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from wattwheel.model.bcd import minute_of
from wattwheel.model.load_record import (
    CLASSES,
    RECORD_OCTETS_MAX,
    RECORD_OCTETS_MIN,
    START,
    decode_record,
    encode_record,
    is_intact,
    record_octets,
    time_of,
)

PAGE_KEY = "load_record page "
PAGE_OCTETS_MAX = 2048
PAGES_MAX = 1408
"""2.9 MB: 60 days of class 4 each minute, 18 days of all classes each minute, nine months of them each 15 minutes."""

PAGE_NUMBERS_MAX = 1 << 62
"""No page has ever had a higher number."""

_HEAD_OCTETS = 1


class Place(NamedTuple):
    """An intact record: where it stands in its page, its minute since 2000, and its octets."""

    at: int
    minute: int
    record: bytes


class Page(NamedTuple):
    """`number` counts pages, `first`: minute of the first record."""

    number: int
    first: int
    octets: bytes

    @property
    def key(self) -> str:
        """Its key in the name space."""
        return f"{PAGE_KEY}{self.number}"


class LoadPages:
    """The newest load records.

    Attributes:
        corrupt: how often a record was met that is none.
    """

    def __init__(self, saved: Mapping[str, bytes] | None = None) -> None:
        self.corrupt = 0
        self._pages: list[Page] = []
        self._next_number = 0
        for number, octets in sorted(_numbered(saved or {})):
            first = next((place.minute for place in self._places(octets, 0)), None)
            if first is not None:
                self._pages.append(Page(number, first, octets))
                self._next_number = number + 1
        self.last_minute = self._find_last()

    @property
    def octets(self) -> int:
        """Of all pages."""
        return sum(len(page.octets) for page in self._pages)

    @property
    def keys(self) -> list[str]:
        """Keys of all pages."""
        return [page.key for page in self._pages]

    @property
    def classes(self) -> int:
        """The classes that were recorded, as bits of the mode word."""
        found = 0
        for page in self._pages:
            found |= page.octets[0]
        return found

    # -- changes; each returns what has to be saved

    def add(self, minute: int, classes: Iterable[int], record: bytes) -> dict[str, bytes | None]:
        """Add the record of `minute`, which is later than all others."""
        mask = sum(1 << number - 1 for number in classes)
        entry = bytes((mask,)) + record
        changes: dict[str, bytes | None] = {}
        self.last_minute = minute
        if self._pages and len(self._pages[-1].octets) + len(entry) <= PAGE_OCTETS_MAX:
            page = self._pages.pop()
            octets = bytes((page.octets[0] | mask,)) + page.octets[_HEAD_OCTETS:] + entry
            page = page._replace(octets=octets)
        else:
            page = Page(self._next_number, minute, bytes((mask,)) + entry)
            self._next_number += 1
        self._pages.append(page)
        while len(self._pages) > PAGES_MAX:
            changes[self._pages.pop(0).key] = None
        return {**changes, page.key: page.octets}

    def void_after(self, minute: int) -> dict[str, bytes | None]:
        """Take away every record later than `minute`."""
        changes: dict[str, bytes | None] = {}
        if self.last_minute is None or self.last_minute <= minute:
            return changes
        while self._pages and self._pages[-1].first > minute:
            changes[self._pages.pop().key] = None
        if self._pages:
            page = self._pages.pop()
            octets, mask, end = page.octets, 0, len(page.octets)
            for place in self._places(octets, 0):
                if place.minute > minute:
                    end = place.at
                    break
                mask |= octets[place.at]
            page = page._replace(octets=bytes((mask,)) + octets[_HEAD_OCTETS:end])
            self._pages.append(page)
            changes[page.key] = page.octets
        self.last_minute = self._find_last()
        return changes

    def empty(self) -> None:
        """Forget all records."""
        self._pages.clear()
        self.last_minute = None

    # -- reads; `wanted`: number of the class, 0 for all; no more than fit `octets_max`

    def earliest(self, wanted: int, count: int, octets_max: int) -> bytes:
        """The `count` oldest records."""
        return self._joined(self._from(0, None, wanted), wanted, count, octets_max)

    def from_time(self, wanted: int, count: int, octets_max: int, minute: int) -> bytes:
        """`count` records from `minute` on, the next later one where there is none of that minute."""
        at = max(0, bisect_right(self._pages, minute, key=lambda page: page.first) - 1)
        return self._joined(self._from(at, minute, wanted), wanted, count, octets_max)

    def latest(self, wanted: int, count: int, octets_max: int) -> bytes:
        """The `count` newest records, in order of time; where they do not fit, the oldest ones of them."""
        found: list[bytes] = []
        for page in reversed(self._pages):
            if len(found) >= count:
                break
            records = [_shown(place.record, wanted) for place in self._places(page.octets, _bit(wanted))]
            found += filter(None, reversed(records))
        return self._joined(reversed(found[:count]), 0, count, octets_max)

    def _from(self, at: int, minute: int | None, wanted: int) -> Iterator[bytes]:
        for page in self._pages[at:]:
            for place in self._places(page.octets, _bit(wanted)):
                if minute is None or place.minute >= minute:
                    yield place.record

    def _joined(self, records: Iterator[bytes], wanted: int, count: int, octets_max: int) -> bytes:
        found: list[bytes] = []
        octets = 0
        while len(found) < count and (record := next(records, None)) is not None:
            shown = _shown(record, wanted)
            octets += len(shown)
            if octets > octets_max:
                break
            if shown:
                found.append(shown)
        return b"".join(found)

    def _places(self, page: bytes, mask: int) -> Iterator[Place]:
        """The intact records of `page` that have a class of `mask`; 0: all. What is none is counted and passed over."""
        if mask and not page[0] & mask:
            return
        at, end = _HEAD_OCTETS, len(page)
        while at + 1 + RECORD_OCTETS_MIN <= end:
            begin = at + 1
            size = record_octets(page[begin : begin + 3])
            if mask and not page[at] & mask and page.startswith(START, begin) and size <= RECORD_OCTETS_MAX:
                at = begin + size
                continue
            record = page[begin : begin + size]
            minute = minute_of(time_of(record)) if is_intact(record) else None
            if minute is None:
                self.corrupt += 1
                found = page.find(START, begin + 1)
                at = found - 1 if found > 0 else end
                continue
            yield Place(at, minute, record)
            at = begin + size

    def _find_last(self) -> int | None:
        for page in reversed(self._pages):
            minutes = [place.minute for place in self._places(page.octets, 0)]
            if minutes:
                return minutes[-1]
        return None


def _shown(record: bytes, wanted: int) -> bytes:
    """`record`, or its part that is of the class `wanted`; b"" where it has none."""
    if not wanted:
        return record
    try:
        time, classes = decode_record(record)
    except ValueError:  # its checksum is right, its content is not
        return b""
    return encode_record(time, {wanted: classes[wanted]}) if wanted in classes else b""


def _bit(wanted: int) -> int:
    return 1 << wanted - 1 if wanted in CLASSES else 0


def _numbered(saved: Mapping[str, bytes]) -> Iterator[tuple[int, bytes]]:
    for key, octets in saved.items():
        number = key.removeprefix(PAGE_KEY)
        is_page = key.startswith(PAGE_KEY) and number.isdecimal() and 0 < len(octets) <= PAGE_OCTETS_MAX
        if is_page and int(number) <= PAGE_NUMBERS_MAX:
            yield int(number), octets
