"""Simulated media with every way in which real ones fail: power cuts, flipped bits, a full disk, I/O errors.

A `SimDisk` is the thing that survives; media are opened on it, used until the (simulated) supply is cut, and opened
again after `power_up`. Writes are numbered from 1; what a cut leaves of a write is old, new or torn.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from enum import Enum

from wattwheel.drivers.records import DualRecords
from wattwheel.drivers.slots import Row, Scan
from wattwheel.model.errors import DoorUnavailable, StorageDamaged, StorageError


class PowerCut(BaseException):
    """The supply is gone in the middle of a write. Not an Exception: no program survives to handle it."""


class Torn(Enum):
    """What a cut leaves of the write it falls into, and of earlier ones that were not synced."""

    OLD = "old"
    NEW = "new"
    TORN = "torn"


class SlotCells:
    """What stays of a simulated slot file: its rows, and the journal of a transaction under way."""

    def __init__(self) -> None:
        self.rows: dict[tuple[int, int], bytes] = {}
        self.journal: list[Row] = []
        self.is_journal_complete = False
        self.is_malformed = False

    def flip(self, side: int, number: int, bit: int) -> None:
        """Flip one bit of a slot; `bit` counts through it and round again."""
        octets = bytearray(self.rows[side, number])
        octets[bit // 8 % len(octets)] ^= 1 << bit % 8
        self.rows[side, number] = bytes(octets)


class SimDisk:
    """The world's side of simulated media.

    Attributes:
        writes: how many writes were begun.
        cut_at_write: number of the write that the supply is cut in; None: never.
        torn: what that cut leaves.
        failing_writes: numbers of the writes that fail with an I/O error.
        io_error_chance: chance of an I/O error for each other write.
        is_full: True while no row can be added or changed.
    """

    def __init__(self, seed: int = 0, cut_at_write: int | None = None, torn: Torn = Torn.TORN) -> None:
        self.chance = random.Random(seed)
        self.writes = 0
        self.cut_at_write = cut_at_write
        self.torn = torn
        self.failing_writes: Collection[int] = ()
        self.io_error_chance = 0.0
        self.is_full = False
        self.is_powered = True
        self.memories: dict[str, bytearray] = {}
        self.slots: dict[str, SlotCells] = {}
        self.held: set[str] = set()

    def power_up(self) -> None:
        """Switch on again after a cut; no further cut is planned, and nobody holds a medium."""
        self.is_powered, self.cut_at_write = True, None
        self.held.clear()

    def hold(self, name: str) -> None:
        """Take the medium `name` for one holder. Raises DoorUnavailable when somebody has it."""
        if name in self.held:
            raise DoorUnavailable(name, "somebody else holds this medium")
        self.held.add(name)

    def begin_write(self, operation: str) -> Torn | None:
        """Count a write. None: it goes well; otherwise the cut falls into it and this is what it leaves.

        Raises StorageError for an I/O error (nothing is written), PowerCut when the supply is off already.
        """
        self.check_power()
        self.writes += 1
        if self.writes == self.cut_at_write:
            self.is_powered = False
            return self.torn
        if self.writes in self.failing_writes or (self.io_error_chance and self.chance.random() < self.io_error_chance):
            raise StorageError(operation, f"input/output error (simulated, write {self.writes})")
        return None

    def check_power(self) -> None:
        """Raise PowerCut when the supply is off."""
        if not self.is_powered:
            raise PowerCut

    def mix(self, old: bytes, new: bytes, torn: Torn) -> bytes:
        """What is there after a cut in replacing `old` by `new`."""
        if torn is not Torn.TORN:
            return new if torn is Torn.NEW else old
        at = self.chance.randrange(len(new) + 1)
        return new[:at] + old[at:]


class SimMemory:
    """`hil.storage.Memory` on a simulated disk."""

    def __init__(self, disk: SimDisk, size: int, name: str = "memory") -> None:
        disk.hold(name)
        self.size = size
        self._disk = disk
        self._name = name
        self._durable = disk.memories.setdefault(name, bytearray(size))
        self._now = bytearray(self._durable)
        self._unsynced: list[tuple[int, bytes]] = []

    def read(self, offset: int, length: int) -> bytes:
        """See `Memory.read`."""
        self._disk.check_power()
        self._check("read", offset, length)
        return bytes(self._now[offset : offset + length])

    def write(self, offset: int, octets: bytes) -> None:
        """See `Memory.write`."""
        self._check("write", offset, len(octets))
        torn = self._disk.begin_write("write")
        self._unsynced.append((offset, bytes(octets)))
        self._now[offset : offset + len(octets)] = octets
        if torn is not None:
            self._cut(torn)

    def sync(self) -> None:
        """See `Memory.sync`."""
        torn = self._disk.begin_write("sync")
        if torn is not None:
            self._cut(torn)
        self._durable[:] = self._now
        self._unsynced.clear()

    def die(self) -> None:
        """The process is killed, the machine stays: what was written stays, synced or not."""
        self._durable[:] = self._now
        self._disk.held.discard(self._name)

    def close(self) -> None:
        """Give the memory back."""
        self.die()

    def _cut(self, torn: Torn) -> None:
        """Each write since the last sync is old, new or torn, independently when `torn` says so. Raises PowerCut."""
        for offset, octets in self._unsynced:
            place = slice(offset, offset + len(octets))
            self._durable[place] = self._disk.mix(bytes(self._durable[place]), octets, torn)
        raise PowerCut

    def _check(self, operation: str, offset: int, length: int) -> None:
        if offset < 0 or length < 0 or offset + length > self.size:
            raise StorageError(operation, f"octets {offset} to {offset + length}; there are {self.size}")


class SimSlots:
    """`drivers.slots.SlotFile` on a simulated disk: a journal, a commit mark, then the rows in their places."""

    def __init__(self, disk: SimDisk, name: str) -> None:
        self._disk = disk
        self._cells = disk.slots.setdefault(name, SlotCells())

    def scan(self) -> Scan:
        """See `SlotFile.scan`; a complete journal is carried out first."""
        self._disk.check_power()
        cells = self._cells
        if cells.is_journal_complete:
            for row in cells.journal:
                self._place(row, None)
        cells.journal, cells.is_journal_complete = [], False
        rows = [Row(side, number, octets) for (side, number), octets in sorted(cells.rows.items())]
        if cells.is_malformed:
            return Scan(rows[: len(rows) // 2], StorageDamaged("read", "malformed (simulated)"))
        return Scan(rows, None)

    def read(self, side: int, number: int) -> bytes | None:
        """See `SlotFile.read`."""
        self._disk.check_power()
        if self._cells.is_malformed:
            raise StorageDamaged("read", "malformed (simulated)")
        return self._cells.rows.get((side, number))

    def apply(self, rows: Sequence[Row]) -> None:
        """See `SlotFile.apply`."""
        cells = self._cells
        if cells.is_malformed:
            raise StorageDamaged("write", "malformed (simulated)")
        self._check_space(rows)
        cells.journal = []
        for row in rows:
            self._step()
            cells.journal.append(row)
        torn = self._disk.begin_write("commit mark")
        cells.is_journal_complete = torn in (None, Torn.NEW)
        if torn is not None:
            raise PowerCut
        for row in rows:
            self._place(row, self._begin_late_write())
        if self._begin_late_write() is not None:
            raise PowerCut
        cells.journal, cells.is_journal_complete = [], False

    def replace(self, rows: Sequence[Row]) -> None:
        """See `SlotFile.replace`: a new file beside the old, then one switch."""
        self._check_space(rows)
        for _ in rows:
            self._step()
        torn = self._disk.begin_write("rename")
        if torn in (None, Torn.NEW):
            cells = self._cells
            cells.rows = {(row.side, row.number): row.octets for row in rows if row.octets is not None}
            cells.journal, cells.is_journal_complete, cells.is_malformed = [], False, False
        if torn is not None:
            raise PowerCut

    def close(self) -> None:
        """See `SlotFile.close`."""

    def _step(self) -> None:
        """A write that is of no effect until the commit mark."""
        if self._disk.begin_write("write") is not None:
            raise PowerCut

    def _begin_late_write(self) -> Torn | None:
        """A write after the commit mark: an I/O error no longer matters, because the journal will be carried out."""
        try:
            torn = self._disk.begin_write("write")
        except StorageError:
            return None
        return torn

    def _place(self, row: Row, torn: Torn | None) -> None:
        """Bring one row of the journal to its place. Raises PowerCut when the cut falls into it."""
        cells, at = self._cells, (row.side, row.number)
        if torn is not None:
            cells.rows[at] = self._disk.mix(cells.rows.get(at, b""), row.octets or b"", torn)
            raise PowerCut
        if row.octets is None:
            cells.rows.pop(at, None)
        else:
            cells.rows[at] = row.octets

    def _check_space(self, rows: Sequence[Row]) -> None:
        if self._disk.is_full and any(row.octets is not None for row in rows):
            raise StorageError("write", "no space left on the disk (simulated)")


class SimRecords(DualRecords):
    """`hil.storage.RecordMedium` on a simulated disk."""

    def __init__(self, disk: SimDisk, name: str = "store") -> None:
        disk.hold(name)
        self._disk, self._held = disk, name
        super().__init__(SimSlots(disk, f"{name}.first"), SimSlots(disk, f"{name}.second"))

    def close(self) -> None:
        """See `RecordMedium.close`."""
        super().close()
        self._disk.held.discard(self._held)

    def die(self) -> None:
        """The process is killed, the machine stays."""
        self._disk.held.discard(self._held)
