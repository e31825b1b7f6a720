"""A file of rows in two slots, and where in it the newest version of each record is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from wattwheel.model.errors import StorageError
from wattwheel.protocols.durable import Record, decode, encode

SIDES = 2

Name = tuple[str, str]
"""Name space and key."""


class Row(NamedTuple):
    """One slot: column 0 (A) or 1 (B), number of the row, and what is or shall be in it (None: nothing)."""

    side: int
    number: int
    octets: bytes | None


class Scan(NamedTuple):
    """All rows that could be read, and what kept the others from it, if anything did."""

    rows: list[Row]
    fault: StorageError | None


class SlotFile(Protocol):
    """A file of rows in two slots that changes atomically and durably."""

    def scan(self) -> Scan:
        """Every row. A file that is missing is made; damage is told in `Scan.fault` and never raised."""

    def read(self, side: int, number: int) -> bytes | None:
        """One slot. Raises StorageError."""

    def apply(self, rows: Sequence[Row]) -> None:
        """Change all `rows` or, when StorageError is raised, none; on the medium when this returns."""

    def replace(self, rows: Sequence[Row]) -> None:
        """Hold exactly `rows` from now on, in a new file. When StorageError is raised, the old file stays."""

    def close(self) -> None:
        """Give the file back in order."""


class Seen(NamedTuple):
    """What a look into one file found.

    Attributes:
        versions: the good ones, by name space.
        bad: slots whose checksum or form is wrong.
        touched: records with one good and one bad slot.
        has_orphans: there is a bad slot that no good one tells the name of.
        fault: what kept part of the file from being read.
    """

    versions: dict[str, list[Record]]
    bad: int
    touched: frozenset[Name]
    has_orphans: bool
    fault: StorageError | None

    @property
    def is_clean(self) -> bool:
        """Whether no damage was met."""
        return not self.bad and self.fault is None

    @property
    def may_lack(self) -> bool:
        """Whether a whole name space may have been in the file that is not seen now."""
        return self.has_orphans or self.fault is not None or not self.versions


class Copy:
    """One of the two files, and where in it each record is."""

    def __init__(self, file: SlotFile) -> None:
        self.file = file
        self.newest: dict[Name, tuple[int, int]] = {}  # row number, side of the newest version
        self.needs_replacing = False
        self._next_number = 1

    def look(self) -> Seen:
        """Read and check every slot."""
        rows, fault = self.file.scan()
        versions: dict[str, list[Record]] = {}
        newest: dict[Name, tuple[int, int, int]] = {}
        owner: dict[int, Name] = {}
        number_of: dict[Name, int] = {}
        bad: list[int] = []
        for row in rows:
            record = decode(row.octets or b"")
            if record is None:
                bad.append(row.number)
                continue
            versions.setdefault(record.name_space, []).append(record)
            name = (record.name_space, record.key)
            if owner.setdefault(row.number, name) != name or number_of.setdefault(name, row.number) != row.number:
                bad.append(row.number)  # good octets in a wrong place: the next write would hit somebody else's slot
            newest[name] = max(newest.get(name, (-1, 0, 0)), (record.generation, row.number, row.side))
        self.newest = {name: (number, side) for name, (_, number, side) in newest.items()}
        self._next_number = 1 + max((row.number for row in rows), default=0)
        touched = frozenset(owner[number] for number in bad if number in owner)
        return Seen(versions, len(bad), touched, any(number not in owner for number in bad), fault)

    def commit(self, records: Iterable[Record], forgotten: Iterable[Name] = ()) -> None:
        """Write each record to its older slot and drop the rows of `forgotten`, as one transaction."""
        rows: list[Row] = []
        placed: dict[Name, tuple[int, int]] = {}
        next_number = self._next_number
        for record in records:
            name = (record.name_space, record.key)
            number, side = self.newest.get(name, (next_number, 1))
            if number == next_number:
                next_number += 1
            placed[name] = (number, 1 - side)
            rows.append(Row(1 - side, number, encode(record)))
        gone = [name for name in forgotten if name in self.newest and name not in placed]
        rows += [Row(side, self.newest[name][0], None) for name in gone for side in range(SIDES)]
        self.file.apply(rows)
        self._next_number = next_number
        self.newest.update(placed)
        for name in gone:
            del self.newest[name]

    def replace(self, records: Sequence[Record]) -> None:
        """Hold exactly `records`, each in slot A."""
        self.file.replace([Row(0, number, encode(record)) for number, record in enumerate(records, 1)])
        self.newest = {(record.name_space, record.key): (n, 0) for n, record in enumerate(records, 1)}
        self._next_number = len(records) + 1
        self.needs_replacing = False
