"""A ring of event records: the ten newest, and how many there have ever been (DL/T 645-2007, DI3 = 03).

Pure. It belongs to whoever makes the change that it records, and is saved in the same transaction as the change.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

RECORDS_MAX = 10
COUNT_MAX = 999_999
"""A count stops there."""

COUNT_OCTETS = 3


class EventRing(msgspec.Struct, frozen=True, array_like=True):
    """Records of one kind.

    Attributes:
        count: how often it happened, as far as the picture goes.
        records: octets as on the wire, the newest first.
        uncounted: how often it happened beside: after `count` had stopped, or unrecorded.
    """

    count: Annotated[int, msgspec.Meta(ge=0, le=COUNT_MAX)] = 0
    records: Annotated[tuple[bytes, ...], msgspec.Meta(max_length=RECORDS_MAX)] = ()
    uncounted: Annotated[int, msgspec.Meta(ge=0)] = 0

    @property
    def generation(self) -> int:
        """How often it happened, without end: what others follow."""
        return self.count + self.uncounted

    def added(self, record: bytes) -> EventRing:
        """The ring with one more record."""
        is_full = self.count >= COUNT_MAX
        records = (record, *self.records)[:RECORDS_MAX]
        return EventRing(self.count + (not is_full), records, self.uncounted + is_full)

    def unrecorded(self) -> EventRing:
        """The ring after it has happened without being recorded or counted: those who follow do so all the same."""
        return EventRing(self.count, self.records, self.uncounted + 1)

    def replaced(self, record: bytes) -> EventRing:
        """The ring with another newest record: the event goes on."""
        return EventRing(self.count, (record, *self.records[1:]), self.uncounted)

    def items(self, count_di: int, first_di: int | None = None) -> dict[int, bytes]:
        """Identifier to octets: the count, and the records from `first_di` (by default the one after the count) on."""
        first = count_di + 1 if first_di is None else first_di
        return {count_di: count_octets(self.count)} | {first + at: octets for at, octets in enumerate(self.records)}


def count_octets(count: int, octets: int = COUNT_OCTETS) -> bytes:
    """BCD, the low octet first."""
    return bytes.fromhex(f"{count:0{2 * octets}d}")[::-1]


def time_octets(local: datetime) -> bytes:
    """YYMMDDhhmmss as on the wire, the seconds first."""
    return bytes.fromhex(f"{local:%y%m%d%H%M%S}")[::-1]
