"""What the store decides: messages in, answers out, and one medium to write to. No ports, no timer.

What a client saves is accepted and held in memory, and committed together with what all the others have saved: in the
same turn when somebody was promised it, otherwise at most a minute later. The answer goes out after the commit. While
the medium fails, what was promised is refused, the rest is kept and tried again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from wattwheel.apex.store import (
    MESSAGE_OCTETS_MAX,
    Hello,
    Load,
    Loaded,
    Refused,
    Reply,
    Request,
    Resume,
    Save,
    Saved,
    SaveResult,
    decode_request,
    grouped,
    is_storable,
    record_octets,
)
from wattwheel.hil.clock import Clock
from wattwheel.hil.storage import Change, RecordMedium, Recovered
from wattwheel.model.errors import StorageError

GROUP_NS = 60_000_000_000
"""Longest time that something not promised stays in memory only."""

REFRESH_NS = 600_000_000_000
"""Longest time that the second copy stays behind the first."""

RETRY_NS = 10_000_000_000
"""Time between attempts while the medium fails."""

SEQUENCE_KEY = "\x01sequence"
"""The store's own record in each name space: number of the last transaction that is in it, 8 octets."""

Answer = tuple[str, Reply]
"""A client's name and what to tell it."""


class _Transaction(NamedTuple):
    """What was accepted from a client and is not on the medium yet: one transaction, or several unpromised in a row."""

    first: int
    sequence: int
    changes: dict[str, bytes | None]
    promised: bool


class _Arriving:
    """The parts of a transaction so far. What goes beyond the quota is counted and dropped: it will be refused."""

    def __init__(self, sequence: int) -> None:
        self.sequence = sequence
        self.next_part = 0
        self.octets = 0
        self.changes: dict[str, bytes | None] = {}

    def add(self, changes: tuple[tuple[str, bytes | None], ...], octets_max: int) -> None:
        """Take the next part."""
        self.next_part += 1
        self.octets += sum(record_octets(key, payload) for key, payload in changes)
        if self.octets <= octets_max:
            self.changes.update(changes)


class _Client:
    """One name space as the store sees it.

    Attributes:
        sizes: octets of every record, with what is pending.
        sequence: of the last transaction accepted.
        is_in_step: True once this life of the store has heard `Load` or `Resume`.
        needs_hello: out of step because the medium could not be read; to be told when it can.
        arriving: a transaction of which parts are still missing.
        waiting_load: a load that the medium could not serve yet.
    """

    def __init__(self, name: str, quota_octets: int) -> None:
        self.name, self.quota_octets = name, quota_octets
        self.sizes: dict[str, int] | None = None
        self.sequence = 0
        self.is_in_step = False
        self.pending: list[_Transaction] = []
        self.needs_hello = False
        self.arriving: _Arriving | None = None
        self.waiting_load: Load | None = None


class Wear(msgspec.Struct):
    """What a name space has written since the store started: records and their octets."""

    records: int = 0
    octets: int = 0


class StoreCore:
    """What the store decides, without ports: messages in, answers out.

    Args:
        medium: the only thing that this object writes to.
        clock: for the grouping; the calendar is not asked.
        quotas: octets of keys and payloads that each client may hold, by client.
        group_ns: see `GROUP_NS`.
        refresh_ns: see `REFRESH_NS`.

    Attributes:
        commits: transactions on the medium.
        commits_promised: those of them that could not wait.
        failures: commits and refreshes that the medium refused.
        is_failing: the medium refused what it was asked last.
        unmended: name spaces of which not all records could be given back, since this life of the store began.
        ignored: messages out of step, doubled or malformed.
        refused: transactions answered with `Refused`.
        wear: by client.
    """

    def __init__(
        self,
        medium: RecordMedium,
        clock: Clock,
        quotas: Mapping[str, int],
        group_ns: int = GROUP_NS,
        refresh_ns: int = REFRESH_NS,
    ) -> None:
        self.commits = self.commits_promised = self.failures = self.ignored = self.refused = 0
        self.is_failing = False
        self.unmended: set[str] = set()
        self.wear = {name: Wear() for name in quotas}
        self._medium, self._clock = medium, clock
        self._group_ns, self._refresh_ns = group_ns, refresh_ns
        self._clients = {name: _Client(name, quota) for name, quota in quotas.items()}
        self._commit_due_ns: int | None = None
        self._refresh_due_ns: int | None = None
        self._not_before_ns = 0  # after a failure

    def handle(self, name: str, message: bytes) -> list[Answer]:
        """Take a message that came through the port of client `name`. Returns what can be answered now."""
        client = self._clients[name]
        try:
            request: Request = decode_request(message)
        except msgspec.DecodeError:  # a client's fault never harms another one
            self.ignored += 1
            return []
        if isinstance(request, Load):
            return self._load(client, request)
        if isinstance(request, Resume):
            client.arriving = None
            client.is_in_step = self._know(client)
            client.needs_hello = not client.is_in_step
            return []
        return [(name, reply) for reply in self._save(client, request)]

    def due(self) -> int | None:
        """When `turn` has to be called at the latest, on the monotonic clock; None: nothing waits."""
        dues = [] if self._refresh_due_ns is None else [self._refresh_due_ns]
        if self._commit_due_ns is not None:
            dues.append(max(self._commit_due_ns, self._not_before_ns))
        return min(dues, default=None)

    def turn(self) -> list[Answer]:
        """Commit and refresh what is due, try again what the medium could not serve. Returns the answers."""
        now = self._clock.now_ns()
        answers: list[Answer] = []
        is_due = self._commit_due_ns is not None and max(self._commit_due_ns, self._not_before_ns) <= now
        if is_due or self._is_urgent():
            answers += self._commit()
            answers += self._serve_waiting()
        if self._refresh_due_ns is not None and self._refresh_due_ns <= now:
            self._refresh()
        return answers

    def stop(self) -> list[Answer]:
        """Orderly end: everything accepted is committed, then the medium is closed. Returns the answers."""
        answers = self._commit()
        self._medium.close()
        return answers

    def _is_urgent(self) -> bool:
        return any(transaction.promised for client in self._clients.values() for transaction in client.pending)

    # Loading

    def _load(self, client: _Client, request: Load) -> list[Answer]:
        """The whole name space; what was accepted from it goes to the medium first, so that it cannot be lost later."""
        client.arriving = client.waiting_load = None
        answers = self._commit() if client.pending else []
        try:
            records = self._read(client)
        except StorageError:
            self._failed()
            client.waiting_load = request
            return answers
        self._learn(client, records)
        for transaction in client.pending:  # the medium fails: the newest is in memory only
            _apply(records, transaction.changes)
        records.pop(SEQUENCE_KEY, None)
        client.is_in_step, client.needs_hello = True, False
        recovered = self._recovered(client)
        groups = tuple(grouped(records.items(), MESSAGE_OCTETS_MAX))
        for part, group in enumerate(groups):
            more = part + 1 < len(groups)
            reply = Loaded(request.session, part, more, client.sequence, recovered, group)
            answers.append((client.name, reply))
        return answers

    def _serve_waiting(self) -> list[Answer]:
        """Try again the loads and resumptions that the medium could not serve."""
        answers: list[Answer] = []
        for client in self._clients.values():
            if client.waiting_load is not None:
                answers += self._load(client, client.waiting_load)
            elif client.needs_hello and self._know(client):
                client.needs_hello = False
                answers.append((client.name, Hello()))
        return answers

    def _know(self, client: _Client) -> bool:
        """Whether the client's state is known; reads it from the medium the first time."""
        if client.sizes is None:
            try:
                self._learn(client, self._read(client))
            except StorageError:
                self._failed()
                return False
        return True

    def _read(self, client: _Client) -> dict[str, bytes]:
        """What is on the medium of a name space. Raises StorageError."""
        records = self._medium.load(client.name)
        if self._recovered(client) >= Recovered.PARTIAL:
            self.unmended.add(client.name)
        return records

    def _recovered(self, client: _Client) -> Recovered:
        return self._medium.recovered.get(client.name, Recovered.NOTHING)

    def _learn(self, client: _Client, records: Mapping[str, bytes]) -> None:
        """Take sizes and sequence number from what is on the medium, and add what is pending."""
        client.sizes = {key: record_octets(key, payload) for key, payload in records.items() if key != SEQUENCE_KEY}
        client.sequence = int.from_bytes(records.get(SEQUENCE_KEY, b""), "little")
        for transaction in client.pending:
            client.sizes = _resized(client.sizes, transaction.changes)
            client.sequence = transaction.sequence

    # Saving

    def _save(self, client: _Client, save: Save) -> list[Reply]:
        if not client.is_in_step or client.sizes is None:
            self.ignored += 1
            return []
        if save.sequence <= client.sequence:
            self.ignored += 1
            return [] if client.pending or save.more else [Saved(client.sequence)]
        if save.part == 0:
            client.arriving = _Arriving(save.sequence)
        arriving = client.arriving
        if arriving is None or (save.sequence, save.part) != (arriving.sequence, arriving.next_part):
            self.ignored += 1
            return []
        octets_max = max(client.quota_octets, sum(client.sizes.values()))  # a quota may have been lowered
        arriving.add(save.changes, octets_max)
        if save.more:
            return []
        client.arriving = None
        if arriving.octets > octets_max:
            return self._refuse(save.sequence, SaveResult.OVER_QUOTA)
        return self._accept(client, _Transaction(save.sequence, save.sequence, arriving.changes, save.promised))

    def _accept(self, client: _Client, new: _Transaction) -> list[Reply]:
        """Hold a complete transaction until the commit, or refuse it."""
        assert client.sizes is not None
        if not all(is_storable(key, payload) for key, payload in new.changes.items()):
            return self._refuse(new.sequence, SaveResult.MALFORMED)
        sizes = _resized(client.sizes, new.changes)
        octets = sum(sizes.values())
        if octets > client.quota_octets and octets > sum(client.sizes.values()):
            return self._refuse(new.sequence, SaveResult.OVER_QUOTA)
        client.sizes, client.sequence = sizes, new.sequence
        last = client.pending[-1] if client.pending else None
        if last is not None and not last.promised and not new.promised:
            client.pending[-1] = _Transaction(last.first, new.sequence, last.changes | new.changes, False)
        else:
            client.pending.append(new)
        if self._commit_due_ns is None:
            self._commit_due_ns = self._clock.now_ns() + self._group_ns
        return []

    def _refuse(self, sequence: int, reason: SaveResult) -> list[Reply]:
        self.refused += 1
        return [Refused(sequence, sequence, reason)]

    # The medium

    def _commit(self) -> list[Answer]:
        """Commit everything pending of all clients as one transaction. Returns acknowledgements or refusals."""
        waiting = [client for client in self._clients.values() if client.pending]
        self._commit_due_ns = None
        if not waiting:
            return []
        promised = self._is_urgent()
        changes: list[Change] = []
        for client in waiting:
            for transaction in client.pending:
                changes += [Change(client.name, key, payload) for key, payload in transaction.changes.items()]
            # Not `client.sequence`: that may count transactions which were refused after these, and a store that
            # starts anew has to take those up again if their refusal has not reached the client.
            changes.append(Change(client.name, SEQUENCE_KEY, client.pending[-1].sequence.to_bytes(8, "little")))
        try:
            self._medium.commit(changes, both=promised)
        except StorageError:
            self._failed()
            return [(client.name, reply) for client in waiting for reply in self._give_up(client)]
        self.is_failing = False
        self.commits += 1
        self.commits_promised += promised
        self._count_wear(changes)
        if self._refresh_due_ns is None:
            self._refresh_due_ns = self._clock.now_ns() + self._refresh_ns
        answers: list[Answer] = [(client.name, Saved(client.pending[-1].sequence)) for client in waiting]
        for client in waiting:
            client.pending.clear()
        return answers

    def _give_up(self, client: _Client) -> list[Reply]:
        """After a failed commit: refuse what was promised and what came after it; the rest is tried again later."""
        first = next((n for n, transaction in enumerate(client.pending) if transaction.promised), None)
        if first is None:
            return []
        dropped = client.pending[first:]
        del client.pending[first:]
        self.refused += len(dropped)
        client.sizes = None
        if not self._know(client):
            client.is_in_step, client.needs_hello = False, True
        client.sequence = dropped[-1].sequence
        return [Refused(dropped[0].first, dropped[-1].sequence, SaveResult.MEDIUM_FAILED)]

    def _refresh(self) -> None:
        try:
            self._medium.refresh()
        except StorageError:
            self.failures += 1
            self.is_failing = True
            self._refresh_due_ns = self._clock.now_ns() + RETRY_NS
        else:
            self.is_failing = False
            self._refresh_due_ns = None

    def _failed(self) -> None:
        """The medium did not do what it was asked: whatever waits is tried again after a while."""
        self.failures += 1
        self.is_failing = True
        self._commit_due_ns = self._not_before_ns = self._clock.now_ns() + RETRY_NS

    def _count_wear(self, changes: Iterable[Change]) -> None:
        for name, key, payload in changes:
            wear = self.wear[name]
            wear.records += 1
            wear.octets += record_octets(key, payload)


def _apply(records: dict[str, bytes], changes: Mapping[str, bytes | None]) -> None:
    """Carry out `changes` on `records`."""
    for key, payload in changes.items():
        if payload is None:
            records.pop(key, None)
        else:
            records[key] = payload


def _resized(sizes: Mapping[str, int], changes: Mapping[str, bytes | None]) -> dict[str, int]:
    """`sizes` after `changes`."""
    after = dict(sizes)
    for key, payload in changes.items():
        if payload is None:
            after.pop(key, None)
        else:
            after[key] = record_octets(key, payload)
    return after
