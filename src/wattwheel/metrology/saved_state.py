"""What the metering core keeps in a slot of its ring: push sequence, starts, lasting faults, and the ledger's state.

Format 3 is a row of parts, each with its tag and length; a part that this version does not know is left out. Formats 1
and 2 are those of versions before it: the ledger, and in format 2 in front of it what is known of pulses.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from wattwheel.model.errors import ItemValueError

_HEAD = struct.Struct("<BBIQ")  # format, lasting faults, starts, push sequence; the parts follow
_PART = struct.Struct("<BH")  # tag, octets
_FORMAT, _FORMAT_PULSES, _FORMAT_PARTS = 1, 2, 3
_LEDGER, _PULSES, _PHASES, _PLUG, _CALENDAR = 1, 2, 3, 4, 5


class SavedState(NamedTuple):
    """One state.

    Attributes:
        faults: those that a restart does not heal.
        starts, sequence: of the core, and of its pushes.
        ledger, pulses, plug, calendar: as they pack themselves.
        phases: as in `model.core_records.CoreIdentity`; 0: a version that did not say so has saved it.
    """

    faults: int
    starts: int
    sequence: int
    ledger: bytes
    pulses: bytes = b""
    phases: int = 0
    plug: bytes = b""
    calendar: bytes = b""

    def to_octets(self) -> bytes:
        """As it stands in a slot."""
        phases = bytes((self.phases,)) if self.phases else b""
        parts = {_LEDGER: self.ledger, _PULSES: self.pulses, _PHASES: phases}
        parts |= {_PLUG: self.plug, _CALENDAR: self.calendar}
        packed = b"".join(_PART.pack(tag, len(octets)) + octets for tag, octets in parts.items() if octets)
        return _HEAD.pack(_FORMAT_PARTS, self.faults, self.starts, self.sequence) + packed

    @classmethod
    def from_octets(cls, octets: bytes) -> SavedState:
        """What `to_octets` packed, in this version or in one before it. Raises ItemValueError."""
        if len(octets) < _HEAD.size:
            raise ItemValueError("state of the core", f"{len(octets)} octets", f"at least {_HEAD.size}")
        form, faults, starts, sequence = _HEAD.unpack_from(octets)
        rest = octets[_HEAD.size :]
        if form == _FORMAT:
            return cls(faults, starts, sequence, rest)
        if form == _FORMAT_PULSES and rest:
            end = 1 + rest[0]
            return cls(faults, starts, sequence, rest[end:], rest[1:end])
        if form != _FORMAT_PARTS:
            raise ItemValueError("state of the core", f"format {form}", f"a format from 1 to {_FORMAT_PARTS}")
        parts = _parts(rest)
        ledger, pulses, phases, plug, calendar = (
            parts.get(tag, b"") for tag in (_LEDGER, _PULSES, _PHASES, _PLUG, _CALENDAR)
        )
        return cls(faults, starts, sequence, ledger, pulses, (phases or b"\0")[0], plug, calendar)


def _parts(octets: bytes) -> dict[int, bytes]:
    """The parts that are not empty, by tag. Raises ItemValueError where they do not fill `octets`."""
    parts: dict[int, bytes] = {}
    at = 0
    while at < len(octets):
        head = octets[at : at + _PART.size]
        tag, length = _PART.unpack(head) if len(head) == _PART.size else (0, 0)
        at += _PART.size + length
        if not length or at > len(octets):
            raise ItemValueError("state of the core", f"{len(octets)} octets of parts", "whole parts")
        parts[tag] = octets[at - length : at]
    return parts
