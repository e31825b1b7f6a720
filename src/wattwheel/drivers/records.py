"""Records in two slots and two files, over any file that can change rows as one transaction.

Theory of operation. A *slot file* offers two columns of rows (slot A and slot B) and one atomic, durable change of many
rows; on Linux it is a SQLite database, in the simulation an array with a journal. Everything that the storage contract
adds stands here, once for both:

- every version of a record goes to the slot that does not hold its newest version, so the older one is not touched
  before the newer is on the medium;
- the first file takes every transaction. The second takes them when asked to (`refresh`, `both`), always all at once,
  so that it too stands as some transaction left it;
- at opening both files are read completely and checked, and each name space is settled (`protocols.durable.settle`);
  a file that does not show that state is written anew, the damaged one aside, but never before the other is up to date.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress

from wattwheel.drivers.slots import SIDES, Copy, Name, Seen, SlotFile
from wattwheel.hil.storage import Change, Recovered
from wattwheel.model.errors import StorageDamaged, StorageError
from wattwheel.protocols.durable import (
    MARK_KEY,
    NAME_OCTETS_MAX,
    Mark,
    Record,
    Settled,
    as_of,
    decode,
    mark_of,
    marks,
    moved_mark,
    settle,
)

PAYLOAD_OCTETS_MAX = 16 * 1024 * 1024


class _Space:
    """What is known of a name space without reading it: its mark, and the generation of each live record."""

    def __init__(self, generations: dict[str, int], mark: Mark, next_generation: int) -> None:
        self.generations, self.mark, self.next_generation = generations, mark, next_generation


class DualRecords:
    """`hil.storage.RecordMedium` over two slot files.

    Opening raises StorageError when the files cannot be read for another reason than damage: a later try may succeed.
    """

    def __init__(self, first: SlotFile, second: SlotFile) -> None:
        self.faults = 0
        self._recovered: dict[str, Recovered] = {}
        self._first, self._second = Copy(first), Copy(second)
        self._spaces: dict[str, _Space] = {}
        self._behind: dict[Name, Record] = {}  # what the second file does not have yet
        self._forgotten: set[Name] = set()  # deleted, and the second file knows it: their rows can go
        self._has_doubt = False  # damage was met that may have taken a whole name space away
        self._is_closed = False
        settled = self._look()
        if settled or not self._has_doubt:  # else the evidence stays until somebody writes
            try:
                self._mend(settled)
            except StorageError:
                self.faults += 1  # the next commit tries again, and refuses until it succeeds

    @property
    def recovered(self) -> Mapping[str, Recovered]:
        """By name space, the worst that had to be done for it since it was last changed."""
        return self._recovered

    def load(self, name_space: str) -> dict[str, bytes]:
        """See `RecordMedium.load`."""
        if name_space not in self._spaces:
            if self._has_doubt:
                self._recovered[name_space] = Recovered.LOST
            return {}
        if not self._first.needs_replacing:
            try:
                return self._load(name_space)
            except StorageDamaged:
                self._first.needs_replacing = True
        settled = self._look()
        with suppress(StorageError):
            self._mend(settled)
        return {
            key: record.payload for key, record in settled[name_space].records.items() if record.payload is not None
        }

    def _load(self, name_space: str) -> dict[str, bytes]:
        """The same, straight from the first file. Raises StorageDamaged when a slot does not hold what it should."""
        found: dict[str, bytes] = {}
        for key, generation in self._spaces[name_space].generations.items():
            number, side = self._first.newest[name_space, key]
            record = decode(self._first.file.read(side, number) or b"")
            if record is None or record[:3] != (name_space, key, generation) or record.payload is None:
                raise StorageDamaged("load", f"{name_space}/{key}: the slot does not hold what was written")
            found[key] = record.payload
        return found

    def commit(self, changes: Iterable[Change], both: bool = False) -> None:
        """See `RecordMedium.commit`."""
        changes = list(changes)
        for change in changes:
            _check(change)
        if self._first.needs_replacing:
            self._mend(self._look())
        try:
            self._commit(changes)
        except StorageDamaged:
            self.faults += 1
            self._first.needs_replacing = True
            self._mend(self._look())
            self._commit(changes)
        if both:
            try:
                self.refresh()
            except StorageError:
                self.faults += 1

    def _commit(self, changes: Iterable[Change]) -> None:
        """Write `changes` to the first file."""
        records, moved = self._versions(changes)
        if not records:
            return
        self._first.commit(records, self._forgotten)
        self._forgotten.clear()
        for record in records:
            generations = self._spaces[record.name_space].generations
            self._behind[record.name_space, record.key] = record
            if record.payload is None:
                del generations[record.key]
            elif record.key != MARK_KEY:
                generations[record.key] = record.generation
        for name_space, mark in moved.items():
            self._spaces[name_space].mark = mark
            self._recovered.pop(name_space, None)  # its owner has gone on from what it got

    def _versions(self, changes: Iterable[Change]) -> tuple[list[Record], dict[str, Mark]]:
        """The versions to write for `changes`, marks included. Of several changes of a key the last counts."""
        by_space: dict[str, dict[str, bytes | None]] = {}
        for name_space, key, payload in changes:
            by_space.setdefault(name_space, {})[key] = payload
        records: list[Record] = []
        moved: dict[str, Mark] = {}
        for name_space, latest in by_space.items():
            space = self._spaces.get(name_space) or _Space({}, mark_of({}, 0), 1)
            live = space.generations
            latest = {key: payload for key, payload in latest.items() if payload is not None or key in live}
            if not latest:
                continue
            self._spaces[name_space] = space
            generation = space.next_generation
            space.next_generation += 1  # also when the write fails: a generation never stands for two contents
            before = [(key, live[key]) for key in latest if key in live]
            after = [key for key, payload in latest.items() if payload is not None]
            moved[name_space] = moved_mark(space.mark, generation, before, after)
            records += [Record(name_space, key, generation, payload) for key, payload in latest.items()]
            records.append(moved[name_space].as_record(name_space))
        return records, moved

    def refresh(self) -> None:
        """See `RecordMedium.refresh`."""
        if self._first.needs_replacing or self._second.needs_replacing:
            self._mend(self._look())
        try:
            self._refresh()
        except StorageDamaged:
            self.faults += 1
            self._second.needs_replacing = True
            self._mend(self._look())
        if self._second.needs_replacing:
            raise StorageError("refresh", "the second copy cannot be written anew")

    def _refresh(self) -> None:
        """Write what the second file does not have yet, as one transaction."""
        if not self._behind or self._second.needs_replacing:
            return
        deleted = {name for name, record in self._behind.items() if record.payload is None}
        self._second.commit((record for record in self._behind.values() if record.payload is not None), deleted)
        self._behind.clear()
        self._forgotten |= deleted

    def close(self) -> None:
        """See `RecordMedium.close`."""
        if self._is_closed:
            return
        try:
            self.refresh()
        except StorageError:
            self.faults += 1
        self._is_closed = True
        self._first.file.close()
        self._second.file.close()

    def _look(self) -> dict[str, Settled]:
        """Read both files and settle every name space; note what each file lacks. Raises StorageError."""
        first, second = self._first.look(), self._second.look()
        faults = [seen.fault for seen in (first, second) if seen.fault is not None]
        if len(faults) == SIDES and not all(isinstance(fault, StorageDamaged) for fault in faults):
            raise StorageError("open", "; ".join(map(str, faults)))
        self.faults += first.bad + second.bad + len(faults)
        self._first.needs_replacing |= not first.is_clean
        self._second.needs_replacing |= not second.is_clean
        self._has_doubt |= first.may_lack and second.may_lack and not (first.is_clean and second.is_clean)
        known: dict[str, list[Record]] = {}  # met while running: written by ourselves and surely good
        for (name_space, _), record in self._behind.items():
            known.setdefault(name_space, []).append(record)
        self._behind = {}
        settled: dict[str, Settled] = {}
        for name in sorted(first.versions.keys() | second.versions.keys() | known.keys()):
            in_first, in_second = first.versions.get(name, []), second.versions.get(name, [])
            state = settle(in_first + known.get(name, []), in_second)
            settled[name] = state
            self._adopt(name, state, 1 + max(r.generation for r in in_first + in_second + known.get(name, [])))
            self._compare_first(name, state, in_first, first)
            self._compare_second(name, state, in_second)
        return settled

    def _adopt(self, name: str, state: Settled, next_generation: int) -> None:
        """Use `state` from now on."""
        generations = {key: record.generation for key, record in state.records.items()}
        known = self._spaces.get(name)
        next_generation = max(next_generation, known.next_generation if known else 1)
        self._spaces[name] = _Space(generations, mark_of(generations, state.generation), next_generation)

    def _compare_first(self, name: str, state: Settled, versions: list[Record], seen: Seen) -> None:
        """Note whether the first file shows `state`, and otherwise what had to be done for the name space."""
        mark = self._spaces[name].mark
        has_mark = mark in marks(versions)
        is_passed = any(record.generation > mark.generation for record in versions)
        shows = has_mark and _shows(versions, mark)
        if not shows:
            self._first.needs_replacing = True
            self.faults += 1
        self._forgotten |= {(name, r.key) for r in versions if r.payload is None and r.key not in state.records}
        if not state.is_whole:
            self._note(name, Recovered.PARTIAL if state.records else Recovered.LOST)
        elif not has_mark or seen.fault is not None or (name, MARK_KEY) in seen.touched or is_passed:
            self._note(name, Recovered.OLDER)  # there was a younger transaction, or there may have been
        elif not shows or any(space == name for space, _ in seen.touched):
            self._note(name, Recovered.REPAIRED)

    def _note(self, name: str, what: Recovered) -> None:
        self._recovered[name] = max(what, self._recovered.get(name, Recovered.NOTHING))

    def _compare_second(self, name: str, state: Settled, versions: list[Record]) -> None:
        """Note what the second file lacks of `state`; it may be behind, but must stand as a transaction left it."""
        mark = self._spaces[name].mark
        has = next(iter(marks(versions)), mark_of({}, 0))
        if not _shows(versions, has):
            self._second.needs_replacing = True
            self.faults += 1
        elif has != mark:
            had = as_of(versions, has.generation)
            wanted = (mark.as_record(name), *state.records.values())
            self._behind.update({(name, r.key): r for r in wanted if had.get(r.key) != r})
            gone = had.keys() - state.records.keys()
            self._behind.update({(name, key): Record(name, key, state.generation, None) for key in gone})

    def _mend(self, settled: Mapping[str, Settled]) -> None:
        """Write anew the files that need it, the second before the first is touched.

        Raises StorageError when the first cannot be written; a second that cannot is counted and stays to be mended.
        """
        if not (self._first.needs_replacing or self._second.needs_replacing):
            return
        everything: list[Record] = []
        for name, state in settled.items():
            everything += [self._spaces[name].mark.as_record(name), *state.records.values()]
        try:
            if self._second.needs_replacing:
                self._second.replace(everything)
                self._behind.clear()
            else:
                self._refresh()
        except StorageError as fault:
            self.faults += 1
            self._second.needs_replacing |= isinstance(fault, StorageDamaged)
        if self._first.needs_replacing:
            self._first.replace(everything)
            self._forgotten.clear()


def _shows(versions: list[Record], mark: Mark) -> bool:
    """Whether `versions` are the state that `mark` tells, with nothing younger."""
    state = as_of(versions, mark.generation)
    return all(record.generation <= mark.generation for record in versions) and mark == mark_of(
        {key: record.generation for key, record in state.items()}, mark.generation
    )


def _check(change: Change) -> None:
    """Raise StorageError unless the medium can hold `change`."""
    name_space, key, payload = change
    if not key or not name_space or max(len(key.encode()), len(name_space.encode())) > NAME_OCTETS_MAX:
        raise StorageError("commit", f"names {name_space!r}, {key!r}: allowed are 1 to {NAME_OCTETS_MAX} octets each")
    if payload is not None and len(payload) > PAYLOAD_OCTETS_MAX:
        raise StorageError("commit", f"{name_space}/{key}: {len(payload)} octets; allowed: {PAYLOAD_OCTETS_MAX}")
