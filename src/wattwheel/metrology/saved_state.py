"""What the metering core keeps in a slot of its ring: push sequence, starts, lasting faults, and the ledger's state."""

from __future__ import annotations

import struct
from typing import NamedTuple

from wattwheel.model.errors import ItemValueError

_HEAD = struct.Struct("<BBIQ")  # format, lasting faults, starts, push sequence; the state of the registers follows
_FORMAT = 1


class SavedState(NamedTuple):
    """One state. `faults`: those that a restart does not heal; `ledger`: as the ledger packs itself."""

    faults: int
    starts: int
    sequence: int
    ledger: bytes

    def to_octets(self) -> bytes:
        """As it stands in a slot."""
        return _HEAD.pack(_FORMAT, self.faults, self.starts, self.sequence) + self.ledger

    @classmethod
    def from_octets(cls, octets: bytes) -> SavedState:
        """What `to_octets` packed. Raises ItemValueError."""
        if len(octets) < _HEAD.size:
            raise ItemValueError("state of the core", f"{len(octets)} octets", f"at least {_HEAD.size}")
        form, faults, starts, sequence = _HEAD.unpack_from(octets)
        if form != _FORMAT:
            raise ItemValueError("state of the core", f"format {form}", f"format {_FORMAT}")
        return cls(faults, starts, sequence, octets[_HEAD.size :])
