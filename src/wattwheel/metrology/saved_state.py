"""What the metering core keeps in a slot of its ring: push sequence, starts, lasting faults, and the ledger's state.

Format 2 has in front of the ledger what is known of pulses; a core that gives none and was never told a constant
writes format 1.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from wattwheel.model.errors import ItemValueError

_HEAD = struct.Struct("<BBIQ")  # format, lasting faults, starts, push sequence; the state of the registers follows
_FORMAT, _FORMAT_PULSES = 1, 2


PULSES_OCTETS_MAX = 255


class SavedState(NamedTuple):
    """One state. `faults`: those that a restart does not heal; `ledger`, `pulses`: as they pack themselves."""

    faults: int
    starts: int
    sequence: int
    ledger: bytes
    pulses: bytes = b""

    def to_octets(self) -> bytes:
        """As it stands in a slot."""
        assert len(self.pulses) <= PULSES_OCTETS_MAX
        form = _FORMAT_PULSES if self.pulses else _FORMAT
        pulses = bytes((len(self.pulses),)) + self.pulses if self.pulses else b""
        return _HEAD.pack(form, self.faults, self.starts, self.sequence) + pulses + self.ledger

    @classmethod
    def from_octets(cls, octets: bytes) -> SavedState:
        """What `to_octets` packed. Raises ItemValueError."""
        if len(octets) < _HEAD.size:
            raise ItemValueError("state of the core", f"{len(octets)} octets", f"at least {_HEAD.size}")
        form, faults, starts, sequence = _HEAD.unpack_from(octets)
        rest = octets[_HEAD.size :]
        if form == _FORMAT:
            return cls(faults, starts, sequence, rest)
        if form != _FORMAT_PULSES or not rest:
            raise ItemValueError("state of the core", f"format {form}", f"format {_FORMAT} or {_FORMAT_PULSES}")
        end = 1 + rest[0]
        return cls(faults, starts, sequence, rest[end:], rest[1:end])
