"""Plug events of the management module (B052xxxx): it was taken out, put in, or has another security element. Pure.

Two detectors make them: the plug's contact, and the serial number of the security element behind it, which is compared
with the one that is remembered. The first number ever told is remembered and makes no event. The identifiers are this
platform's own; the records lie in the event book of the management core.
"""

from __future__ import annotations

from enum import IntEnum

import msgspec

from wattwheel.apps.event_records import second_octets
from wattwheel.model.contacts import SERIAL_OCTETS
from wattwheel.model.event_ring import EventRing

PLUG_DI = 0xB0520000
NO_SERIAL = b"\xff" * SERIAL_OCTETS


class PlugEvent(IntEnum):
    """What happened: the last octet of a record."""

    REMOVED = 1
    INSERTED = 2
    EXCHANGED = 3


class Plug(msgspec.Struct, frozen=True, array_like=True):
    """What is kept. `serial`: the number remembered, its first digits first; empty before one was told."""

    is_removed: bool = False
    serial: bytes = b""
    ring: EventRing = EventRing()

    def removed(self, second: int) -> Plug:
        """The module is out: there is no security element any more. As it was, if it was out."""
        return self if self.is_removed else self._with(PlugEvent.REMOVED, NO_SERIAL, second, is_removed=True)

    def inserted(self, second: int) -> Plug:
        """The module is in; what it has behind it, its security element will tell. As it was, if it was in."""
        if not self.is_removed:
            return self
        return self._with(PlugEvent.INSERTED, self.serial or NO_SERIAL, second, is_removed=False)

    def told(self, serial: bytes, second: int) -> Plug:
        """The security element has told its number."""
        if serial == self.serial:
            return self
        if not self.serial:
            return msgspec.structs.replace(self, serial=serial)
        exchanged = self._with(PlugEvent.EXCHANGED, serial, second, is_removed=self.is_removed)
        return msgspec.structs.replace(exchanged, serial=serial)

    def _with(self, kind: PlugEvent, new: bytes, second: int, is_removed: bool) -> Plug:
        """With a record: time, old and new number (the low octet first), kind; 23 octets."""
        old = self.serial or NO_SERIAL
        record = second_octets(second) + old[::-1] + new[::-1] + bytes((kind,))
        return Plug(is_removed, self.serial, self.ring.added(record))
