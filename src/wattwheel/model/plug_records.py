"""Plug events of the management module: it was taken out, put in, or has another security element.

The metering core records them and keeps the ten newest; here is what it tells of them. Pure.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Any, NamedTuple

import msgspec

from wattwheel.model.contacts import SERIAL_OCTETS
from wattwheel.model.errors import ItemValueError
from wattwheel.model.event_ring import RECORDS_MAX

COUNT_MAX = SECOND_MAX = 2**32 - 1

_HEAD = struct.Struct("<QI")  # epoch, count; the records follow
_RECORD = struct.Struct(f"<I{SERIAL_OCTETS}s{SERIAL_OCTETS}sB")
PLUG_RECORDS_OCTETS_MAX = _HEAD.size + RECORDS_MAX * _RECORD.size


class PlugEvent(IntEnum):
    """What happened."""

    REMOVED = 1
    INSERTED = 2
    EXCHANGED = 3


class PlugRecord(NamedTuple):
    """One event.

    Attributes:
        second: of the meter's calendar, UTC, since 2000.
        old, new: serial numbers, their first digits first; `NO_SERIAL` for none.
        kind: see `PlugEvent`.
    """

    second: int
    old: bytes
    new: bytes
    kind: PlugEvent


class PlugRecords(msgspec.Struct, frozen=True):
    """What a core has recorded in its life.

    Attributes:
        epoch: tells this memory of the core from another, whose count begins anew; 0: nothing was recorded.
        count: of all events.
        records: the newest of them, the newest first.
    """

    epoch: int = 0
    count: int = 0
    records: tuple[PlugRecord, ...] = ()

    def added(self, record: PlugRecord, epoch: int) -> PlugRecords:
        """With one more; `epoch`: where this is the first."""
        return PlugRecords(self.epoch or epoch, min(COUNT_MAX, self.count + 1), (record, *self.records)[:RECORDS_MAX])

    def to_octets(self) -> bytes:
        """As they are kept and told."""
        return _HEAD.pack(self.epoch, self.count) + b"".join(_RECORD.pack(*record) for record in self.records)

    @classmethod
    def from_octets(cls, octets: bytes) -> PlugRecords:
        """What `to_octets` packed. Raises ItemValueError."""
        places = range(_HEAD.size, len(octets), _RECORD.size)
        kinds = set(PlugEvent)
        found: list[Any] = [_RECORD.unpack_from(octets, at) for at in places if at + _RECORD.size <= len(octets)]
        if not _HEAD.size <= len(octets) <= PLUG_RECORDS_OCTETS_MAX or (len(octets) - _HEAD.size) % _RECORD.size:
            raise ItemValueError("plug records", f"{len(octets)} octets", f"whole ones, at most {RECORDS_MAX}")
        if any(kind not in kinds for *_, kind in found):
            raise ItemValueError("plug records", octets.hex(), f"kinds {min(kinds)} to {max(kinds)}")
        epoch, count = _HEAD.unpack_from(octets)
        if len(found) != min(count, RECORDS_MAX) or bool(epoch) is not bool(count):
            raise ItemValueError("plug records", f"{len(found)} of {count}", f"the newest {RECORDS_MAX}")
        return cls(
            epoch, count, tuple(PlugRecord(second, old, new, PlugEvent(kind)) for second, old, new, kind in found)
        )
