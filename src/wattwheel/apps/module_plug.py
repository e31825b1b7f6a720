"""Plug events of the management module (B052xxxx), as the metering core has recorded them. Pure.

The core keeps the ten newest and how many there have been; here is what was taken over of them. Count and records of
the core are told again and again, so an event is never left out and never taken twice; clearing forgets what was taken,
and what comes after it begins anew. The identifiers are this platform's own.
"""

from __future__ import annotations

import msgspec

from wattwheel.apps.event_records import second_octets
from wattwheel.model.event_ring import COUNT_MAX, EventRing
from wattwheel.model.plug_records import PlugRecord, PlugRecords

PLUG_DI = 0xB0520000


class Plug(msgspec.Struct, frozen=True, array_like=True):
    """What is kept.

    Attributes:
        epoch: of the core's records.
        taken: how many of them were taken over.
        ring: as they are answered.
    """

    epoch: int = 0
    taken: int = 0
    ring: EventRing = EventRing()

    def heard(self, told: PlugRecords, offset_s: int) -> Plug:
        """With what is new in `told`; `offset_s`: local standard time minus UTC.

        A core whose memory is another one begins to count anew; one that has lost its newest does not tell them twice.
        """
        if (told.epoch, told.count) == (self.epoch, self.taken) or not told.epoch:
            return self
        new = told.count - self.taken if told.epoch == self.epoch else told.count
        gone = max(0, new - len(told.records))  # older ones than the core keeps
        ring = msgspec.structs.replace(self.ring, count=min(COUNT_MAX, self.ring.count + gone))
        for record in reversed(told.records[: max(0, new)]):
            ring = ring.added(_octets(record, offset_s))
        return Plug(told.epoch, told.count, ring)


class _Before(msgspec.Struct, frozen=True, array_like=True):
    """What was kept while the management core itself recorded the events."""

    is_removed: bool
    serial: bytes
    ring: EventRing


def plug_of(saved: bytes) -> Plug:
    """What was saved, by this version or one before it; of anything else nothing is known."""
    try:
        return msgspec.msgpack.decode(saved, type=Plug)
    except (ValueError, RecursionError):
        pass
    try:
        return Plug(ring=msgspec.msgpack.decode(saved, type=_Before).ring)
    except (ValueError, RecursionError):
        return Plug()


def _octets(record: PlugRecord, offset_s: int) -> bytes:
    """Time, old and new number (the low octet first), kind; 23 octets."""
    time = second_octets(max(0, record.second + offset_s))
    return time + record.old[::-1] + record.new[::-1] + bytes((record.kind,))
