"""The register ring: states of the metering core in checksummed slots of a preallocated memory.

Theory of operation. The memory is cut into pages of 4 KiB (what a flash translation layer replaces as one) and each
page into slots. A slot holds one whole state with a sequence number and a CRC-32; the readable slot with the highest
sequence is the state. All slots between two syncs lie in one page, in turn, and a sync moves on to the next page: so
one sync costs one page of wear, a torn slot hurts the newest state only, and a torn page only states written since
the last sync; the last one that was synced always stands on a page that is not being written.

A process that is killed loses nothing: what was written stays. A cut of the supply may cost what was not synced yet.
"""

from __future__ import annotations

import struct
import zlib
from enum import Enum

from wattwheel.hil.storage import Memory
from wattwheel.model.errors import StorageError

PAGE_OCTETS = 4096
SLOT_OCTETS = 1024
SLOTS_A_PAGE = PAGE_OCTETS // SLOT_OCTETS
PAGES_MIN = 3
RING_OCTETS = 8 * PAGE_OCTETS
"""Size of the memory that a new meter gets."""

_MAGIC = b"WWR1"
_HEAD = struct.Struct("<4sIQH")  # magic, CRC-32 of all that follows it, sequence, length of the state
_CRC_END = 8
STATE_OCTETS_MAX = SLOT_OCTETS - _HEAD.size
SEQUENCE_MAX = 2**63
SEQUENCE_GAP = 2**20
"""Left out after damage: a slot that could not be read now, and can later, must not outrank newer ones."""


class RingStart(Enum):
    """What was found in the memory at the start."""

    FRESH = "fresh"  # never written: zero is the truth
    RESTORED = "restored"  # the newest slot that is readable
    LOST = "lost"  # written before, and nothing is readable: a memory fault, never to be passed over in silence


class RegisterRing:
    """Keeps the newest state of the metering core in `memory`.

    Attributes:
        start: what was found at the start.
        state: the state that was found, None unless RESTORED.
        damaged: slots that were neither blank nor readable at the start.
        faults: failed reads, writes and syncs since the start.
        written: slots written since the start.
    """

    def __init__(self, memory: Memory, was_written: bool = False) -> None:
        """Read every slot of `memory`.

        `was_written`: somebody knows that this memory has held a state, so a blank one is a loss and not a new meter.
        Raises StorageError when the memory is too small for `PAGES_MIN` pages.
        """
        self._pages = memory.size // PAGE_OCTETS
        if self._pages < PAGES_MIN:
            raise StorageError("open", f"memory of {memory.size} octets; at least {PAGES_MIN * PAGE_OCTETS} are needed")
        self._memory = memory
        self.state: bytes | None = None
        self.damaged = self.faults = self.written = 0
        self._sequence = 0
        self._is_dirty = False
        self._page = self._slot = 0
        self.start = self._restore(was_written)
        if self.damaged:
            self._sequence += SEQUENCE_GAP
        if self.start is RingStart.RESTORED:
            self._settle()

    def _restore(self, was_written: bool) -> RingStart:
        is_blank = True
        for index in range(self._pages * SLOTS_A_PAGE):
            octets = self._read_slot(index)
            if octets is not None and not any(octets):
                continue
            is_blank = False
            found = _parse(octets) if octets is not None else None
            if found is None:
                self.damaged += 1
            elif found[0] > self._sequence:
                self._sequence, self.state = found
                self._page = index // SLOTS_A_PAGE
        if self.state is not None:
            return RingStart.RESTORED
        return RingStart.FRESH if is_blank and not was_written else RingStart.LOST

    def _settle(self) -> None:
        """Force what a killed process left unsynced and leave its page, so that kills in a row never wear it away."""
        self._is_dirty = True
        try:
            self.sync()
        except StorageError:
            self._page = (self._page + 1) % self._pages

    def _read_slot(self, index: int) -> bytes | None:
        try:
            octets = self._memory.read(index * SLOT_OCTETS, SLOT_OCTETS)
        except StorageError:
            self.faults += 1
            return None
        return octets if len(octets) == SLOT_OCTETS else None

    def write(self, state: bytes) -> None:
        """Put `state` (1..STATE_OCTETS_MAX octets) into the next slot: it survives the death of the process.

        Raises StorageError; then the older slots stand, and the next call takes the next slot.
        """
        assert 0 < len(state) <= STATE_OCTETS_MAX, f"state of {len(state)} octets; at most {STATE_OCTETS_MAX}"
        self._sequence += 1
        offset = self._page * PAGE_OCTETS + self._slot * SLOT_OCTETS
        self._slot = (self._slot + 1) % SLOTS_A_PAGE
        self._is_dirty = True
        try:
            self._memory.write(offset, _slot_of(self._sequence, state))
        except StorageError:
            self.faults += 1
            raise
        self.written += 1

    def sync(self) -> None:
        """Force everything written to the medium and move on to the next page. Raises StorageError; then call again."""
        if not self._is_dirty:
            return
        try:
            self._memory.sync()
        except StorageError:
            self.faults += 1
            raise
        self._is_dirty = False
        self._page, self._slot = (self._page + 1) % self._pages, 0


def _slot_of(sequence: int, state: bytes) -> bytes:
    body = _HEAD.pack(_MAGIC, 0, sequence, len(state))[_CRC_END:] + state
    body = body.ljust(SLOT_OCTETS - _CRC_END, b"\0")
    return _MAGIC + struct.pack("<I", zlib.crc32(body)) + body


def _parse(octets: bytes) -> tuple[int, bytes] | None:
    magic, crc, sequence, length = _HEAD.unpack_from(octets)
    is_good = magic == _MAGIC and 0 < sequence < SEQUENCE_MAX and 0 < length <= STATE_OCTETS_MAX
    if not is_good or zlib.crc32(octets[_CRC_END:]) != crc:
        return None
    return sequence, octets[_HEAD.size : _HEAD.size + length]
