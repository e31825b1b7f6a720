"""Non-volatile media, and what they may do to us."""

from __future__ import annotations

from collections.abc import Iterable
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


class RecordMedium(Protocol):
    """The management side's medium: named records, changed in transactions.

    Contract (`domain` rules 13.1): a transaction is there entirely or not at all, also after a cut at any write; a
    record whose checksum fails is never returned as if it were good; the older good copy is, and the fault is counted.
    """

    faults: int

    def load(self, name_space: str) -> dict[str, bytes]:
        """All records of a name space, newest good copy of each. Raises StorageError."""

    def commit(self, changes: Iterable[Change]) -> None:
        """Make `changes` durable as one transaction: on the medium when this returns. Raises StorageError."""

    def close(self) -> None:
        """Orderly end: everything on the medium, second copy included."""
