"""Talking with the store: the messages, and the client's end of the pair of ports.

A name space belongs to a pair of ports; whoever holds them can neither name nor see another one. The rules:

- a client loads once after its start, then saves. Each save is one transaction with a sequence number, counted on
  over restarts of the client (the load tells the last one);
- `Saved` says that everything up to a sequence number is on the medium; `Refused` that one transaction is not and will
  not be. There is no third answer, and no answer before the medium has it;
- the store says `Hello` when it has started. A client answers with `Resume` and repeats, in order, everything that was
  not answered; what the store had accepted and lost is thereby there again, and what it had already made durable it
  recognises by the number and only acknowledges. Saves that reach a new store before `Resume` or `Load` are ignored,
  because older ones that it lost may be missing before them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import IntEnum
from typing import NamedTuple, Protocol, TypeVar

import msgspec

from wattwheel.apex.partition import StartContext
from wattwheel.hil.storage import Recovered
from wattwheel.model.errors import StorageError

_P = TypeVar("_P", bound=bytes | None)

REQUEST_PORT = "store.request"
REPLY_PORT = "store.reply"

MESSAGE_OCTETS_MAX = 8192
"""Size of the messages on a store port; larger transactions and name spaces go in several."""

PORT_DEPTH = 8
KEY_OCTETS_MAX = 64
RECORD_OCTETS_MAX = 7936
"""Longest payload of one record."""

HEAD_OCTETS = 64
CHANGE_OCTETS = 16
"""Upper bounds for what the encoding adds to a message and to a record."""

IN_FLIGHT_MAX = 32
"""Transactions sent and not answered; what is saved beyond them waits and is merged into one."""


class Load(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """Give me my whole name space. `session` comes back with the answer."""

    session: int


class Resume(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """What follows is everything that was not answered, in order."""


class Save(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """One transaction, or part `part` (from 0) of one; `more` parts follow.

    Attributes:
        sequence: greater than that of every transaction before.
        promised: commit at once and on both copies: somebody waits for the answer.
        changes: key and new payload, None deletes.
    """

    sequence: int
    part: int
    more: bool
    promised: bool
    changes: tuple[tuple[str, bytes | None], ...]


class Hello(msgspec.Struct, frozen=True, array_like=True, tag=4):
    """The store has started and remembers nothing that it did not make durable."""


class Loaded(msgspec.Struct, frozen=True, array_like=True, tag=5):
    """Part `part` (from 0) of a name space; `more` parts follow.

    Attributes:
        sequence: of the last transaction that is in it.
        recovered: a `hil.storage.Recovered`: what had to be done to give it back.
    """

    session: int
    part: int
    more: bool
    sequence: int
    recovered: int
    records: tuple[tuple[str, bytes], ...]


class Saved(msgspec.Struct, frozen=True, array_like=True, tag=6):
    """Every transaction up to `sequence` that was not refused is on the medium."""

    sequence: int


class Refused(msgspec.Struct, frozen=True, array_like=True, tag=7):
    """The transactions `first` to `last` are not on the medium and will not be. `reason`: a `SaveResult`."""

    first: int
    last: int
    reason: int


Request = Load | Resume | Save
Reply = Hello | Loaded | Saved | Refused

encode = msgspec.msgpack.Encoder().encode
decode_request: Callable[[bytes], Request] = msgspec.msgpack.Decoder(Request).decode
decode_reply: Callable[[bytes], Reply] = msgspec.msgpack.Decoder(Reply).decode


class SaveResult(IntEnum):
    """How a save ended."""

    SAVED = 0
    OVER_QUOTA = 1  # the name space would have become larger than its quota
    MEDIUM_FAILED = 2  # the medium did not take what was promised
    MALFORMED = 3  # a key or payload that no name space may hold


class Loading(NamedTuple):
    """A client's name space as it was last acknowledged, and what had to be done to give it back."""

    records: dict[str, bytes]
    recovered: Recovered


class _Source(Protocol):
    max_message_size: int

    @property
    def send(self) -> Callable[[bytes], bool]: ...


class _Destination(Protocol):
    @property
    def receive(self) -> Callable[[], bytes | None]: ...

    @property
    def done(self) -> Callable[[], None]: ...


OnLoaded = Callable[[Loading], None]
OnSaved = Callable[[SaveResult], None]


class _Transaction:
    """What one sequence number stands for."""

    def __init__(self) -> None:
        self.changes: dict[str, bytes | None] = {}
        self.promised = False
        self.actions: list[OnSaved] = []

    def add(self, changes: Mapping[str, bytes | None], promised: bool, action: OnSaved | None) -> None:
        """Let this transaction do `changes` as well."""
        self.changes.update(changes)
        self.promised |= promised
        if action is not None:
            self.actions.append(action)


class StoreClient:
    """A partition's end of the store. Nothing here waits: answers come as calls from `turn`.

    `turn` is to be called when a reply has come or the request port has room again; `of` arranges that.
    """

    def __init__(self, request: _Source, reply: _Destination, session: int) -> None:
        assert request.max_message_size >= MESSAGE_OCTETS_MAX, f"a store port carries {MESSAGE_OCTETS_MAX} octets"
        self.is_loaded = False
        self._send, self._size = request.send, request.max_message_size
        self._receive, self._done = reply.receive, reply.done
        self._session = session
        self._on_loaded: list[OnLoaded] = []
        self._gathered: dict[str, bytes] = {}
        self._next_part = 0
        self._sequence = 0
        self._in_flight: dict[int, _Transaction] = {}  # in order of their sequence numbers
        self._waiting: _Transaction | None = None
        self._outgoing: deque[bytes] = deque()
        while self._receive() is not None:  # answers to a predecessor in this partition
            self._done()

    @classmethod
    def of(cls, context: StartContext, bit: int) -> StoreClient:
        """The client on the ports `store.request` and `store.reply`, turned by the wheel's task `bit`."""
        request = context.queuing_source(REQUEST_PORT)
        reply = context.queuing_destination(REPLY_PORT)
        client = cls(request, reply, context.clock.now_ns())
        context.wheel.task(bit, client.turn)
        reply.on_message(context.wheel.poster(bit))
        request.on_space(context.wheel.poster(bit))
        return client

    @property
    def unsaved(self) -> int:
        """Transactions that are not yet known to be on the medium."""
        return len(self._in_flight) + (self._waiting is not None)

    def load(self, on_loaded: OnLoaded) -> None:
        """Ask for the name space; `on_loaded` is called once with all of it. To be done once, after the start."""
        assert not self.is_loaded, "the name space was loaded already"
        self._on_loaded.append(on_loaded)
        if len(self._on_loaded) == 1:
            self._outgoing.append(encode(Load(self._session)))
            self._flush()

    def save(
        self, changes: Mapping[str, bytes | None], promised: bool = False, on_saved: OnSaved | None = None
    ) -> None:
        """Make `changes` (None deletes) durable as one transaction; saves are carried out in order.

        `promised`: at once, because somebody waits; otherwise with the next group, at most a minute later. `on_saved`
        hears how it ended. Before the load has been answered a save waits. Raises StorageError for a key or payload
        that cannot be stored.
        """
        for key, payload in changes.items():
            if not is_storable(key, payload):
                allowed = f"keys of 1 to {KEY_OCTETS_MAX} octets, payloads up to {RECORD_OCTETS_MAX}"
                raise StorageError("save", f"{key!r} with {len(payload or b'')} octets; allowed: {allowed}")
        if self._waiting is None:
            self._waiting = _Transaction()
        self._waiting.add(changes, promised, on_saved)
        self._launch()
        self._flush()

    def turn(self) -> None:
        """Take in replies, send what there is room for."""
        while (message := self._receive()) is not None:
            self._take(decode_reply(message))
            self._done()
        self._flush()

    def _take(self, reply: Reply) -> None:
        if isinstance(reply, Saved):
            self._finish(0, reply.sequence, SaveResult.SAVED)
        elif isinstance(reply, Refused):
            self._finish(reply.first, reply.last, SaveResult(reply.reason))
        elif isinstance(reply, Loaded):
            self._take_part(reply)
        else:
            self._repeat()

    def _finish(self, first: int, last: int, result: SaveResult) -> None:
        """Tell those who wait for the transactions `first` to `last` how they ended."""
        finished = [self._in_flight.pop(number) for number in list(self._in_flight) if first <= number <= last]
        self._launch()
        for transaction in finished:
            for action in transaction.actions:
                action(result)

    def _take_part(self, reply: Loaded) -> None:
        """Gather the parts of the answer to the load; others (an earlier answer's) are not ours."""
        if self.is_loaded or reply.session != self._session:
            return
        if reply.part == 0:
            self._gathered, self._next_part = {}, 0
        if reply.part != self._next_part:
            return
        self._next_part += 1
        self._gathered.update(reply.records)
        if reply.more:
            return
        self.is_loaded, self._sequence = True, reply.sequence
        loading = Loading(self._gathered, Recovered(reply.recovered))
        self._gathered = {}
        actions, self._on_loaded = self._on_loaded, []
        self._launch()
        for action in actions:
            action(loading)

    def _launch(self) -> None:
        """Give what waits its number and send it, as far as that is allowed."""
        if self._waiting is None or not self.is_loaded or len(self._in_flight) >= IN_FLIGHT_MAX:
            return
        self._sequence += 1
        self._in_flight[self._sequence], self._waiting = self._waiting, None
        self._outgoing.extend(self._parts(self._sequence))

    def _repeat(self) -> None:
        """The store has started anew: ask again, or say again what was not answered."""
        self._outgoing.clear()
        self._next_part = 0
        if not self.is_loaded:
            if self._on_loaded:
                self._outgoing.append(encode(Load(self._session)))
            return
        self._outgoing.append(encode(Resume()))
        for sequence in self._in_flight:
            self._outgoing.extend(self._parts(sequence))

    def _parts(self, sequence: int) -> Iterator[bytes]:
        """The messages of a transaction."""
        transaction = self._in_flight[sequence]
        groups = tuple(grouped(transaction.changes.items(), self._size))
        for part, group in enumerate(groups):
            more = part + 1 < len(groups)
            yield encode(Save(sequence, part, more, transaction.promised, group))

    def _flush(self) -> None:
        while self._outgoing and self._send(self._outgoing[0]):
            self._outgoing.popleft()


def grouped(records: Iterable[tuple[str, _P]], octets_max: int) -> Iterator[tuple[tuple[str, _P], ...]]:
    """`records` in groups that each fit a message of `octets_max`; one empty group when there are none."""
    group: list[tuple[str, _P]] = []
    room = octets_max - HEAD_OCTETS
    for key, payload in records:
        octets = record_octets(key, payload) + CHANGE_OCTETS
        if group and octets > room:
            yield tuple(group)
            group, room = [], octets_max - HEAD_OCTETS
        group.append((key, payload))
        room -= octets
    yield tuple(group)


def record_octets(key: str, payload: bytes | None) -> int:
    """What a record counts against the quota of its name space: octets of key and payload."""
    return len(key.encode()) + len(payload or b"")


def is_storable(key: str, payload: bytes | None) -> bool:
    """Whether a name space may hold this record. Keys that start with a control character are the store's own."""
    return key >= " " and len(key.encode()) <= KEY_OCTETS_MAX and len(payload or b"") <= RECORD_OCTETS_MAX
