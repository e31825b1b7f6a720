"""Non-volatile media, and what they may do to us."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import NamedTuple, Protocol


class Memory(Protocol):
    """Preallocated non-volatile octets, as the metering core's register ring uses them.

    Contract: after a cut of the supply every octet written since the last `sync` may be old, new or torn at any octet
    boundary; what was synced stays. After the death of the process alone, everything written stays.
    """

    size: int

    def read(self, offset: int, length: int) -> bytes:
        """`length` octets from `offset`. Raises StorageError."""

    def write(self, offset: int, octets: bytes) -> None:
        """Replace octets from `offset` on. Raises StorageError; then they are undefined until written again."""

    def sync(self) -> None:
        """Force everything written to the medium. Raises StorageError."""


class Change(NamedTuple):
    """One durable change: the record `key` of `name_space` becomes `payload`; None deletes it."""

    name_space: str
    key: str
    payload: bytes | None


class Recovered(IntEnum):
    """What had to be done to give a name space back. The greater, the worse."""

    NOTHING = 0  # as acknowledged; no damage met
    REPAIRED = 1  # damage met, and nothing that was acknowledged is missing
    OLDER = 2  # the whole state after an earlier transaction; unpromised changes since the last refresh may be missing
    PARTIAL = 3  # no whole state found: each record is the newest good one by itself
    LOST = 4  # damage met and no record left: empty, but not because nothing was ever stored


class RecordMedium(Protocol):
    """The management side's medium: named records, changed in transactions, kept in two copies.

    Contract (`docs/explanation/storage.md`), checked by `wattwheel.testing.conformance.check_record_medium`: a
    transaction is there entirely or not at all, also after a cut at any write; a record whose checksum fails is never
    returned as if it were good; an older good state is, the fault is counted and `recovered` tells.

    Attributes:
        faults: damage met and writes of the second copy that failed, since the medium was opened.
        recovered: by name space, what had to be done for it since its last change; missing: nothing.
    """

    faults: int
    recovered: Mapping[str, Recovered]

    def load(self, name_space: str) -> dict[str, bytes]:
        """All records of a name space as they stood after its newest whole transaction. Raises StorageError."""

    def commit(self, changes: Iterable[Change], both: bool = False) -> None:
        """Make `changes` durable as one transaction: on the medium when this returns. Raises StorageError.

        `both`: bring the second copy up to date as well (for what was promised to somebody). A second copy that fails
        is counted in `faults` and tried again at the next occasion; the transaction stands on the first.
        """

    def refresh(self) -> None:
        """Bring the second copy up to date; nothing is written when nothing has changed. Raises StorageError."""

    def close(self) -> None:
        """Orderly end: everything on the medium, second copy included. Harmless when repeated."""
