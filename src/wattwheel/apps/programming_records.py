"""Programming records (03300000, 03300500 to 03301000): which parameters were written, by whom, what was there before.

Pure: each change gives what has to be saved with the write, in the same transaction, and the state that counts once
that is on the medium.

A session is what one operator writes within ten minutes, or until the programming key is released. It makes one record
of each kind: tables, words, settlement days, prices and steps have a kind of their own, which keeps what was there
before the session's first write of that kind; everything else is listed in the general record, the first ten
identifiers. What has a kind of its own is not listed there too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec

from wattwheel.model.authority import PASSWORD_DI
from wattwheel.model.event_clears import Clears, Followed, emptied, followed
from wattwheel.model.event_ring import COUNT_MAX, RECORDS_MAX, EventRing, count_octets, time_octets
from wattwheel.model.panel_state import PasswordChange
from wattwheel.model.settled_books import SETTLEMENT_DAYS
from wattwheel.model.tariff import DAY_TABLES_MAX, HOLIDAYS_MAX, SLOTS_MAX, ZONES_MAX
from wattwheel.model.tariff_parameters import HOLIDAY_COUNT, REST_TABLE, TARIFF_COUNT

SESSION = timedelta(minutes=10)
LISTED_MAX = 10
"""Identifiers in the general record; further ones of the session are not kept."""

STEP_LIMITS, STEP_PRICES = 6, 7
HEAD_KEY, RECORD_KEY = "programming", "programming record "
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_UNUSED = b"\xff" * 4
_ENTRY_OCTETS = 3
_AUTHOR_OCTETS = 10  # of time and operator code, with which each record begins

NO_OPERATOR = bytes(4)

Values = Mapping[int, bytes]
"""Parameters by identifier, octets as on the wire."""

PROGRAMMING = 0x03300000
DAY_TABLES, ZONES, REST_DAYS, HOLIDAYS = 0x03300500, 0x03300600, 0x03300700, 0x03300800
SETTLEMENTS, PRICES, STEPS = 0x03300C00, 0x03300F00, 0x03301000
COMBINATIONS = {0x03300900: 0x04000601, 0x03300A00: 0x04000602, 0x03300B00: 0x04000603}
"""Kind of each combination word."""

REST_WORD = 0x04000801


def _item(values: Values, di: int, octets: int) -> bytes:
    """`octets` of an item: what is missing of it is 0, as places of a table that are not used; FF if never written."""
    return values.get(di, b"\xff" * octets)[:octets].ljust(octets, b"\0")


def _run(values: Values, first: int, count: int, octets: int = 4) -> bytes:
    return b"".join(_item(values, di, octets) for di in range(first, first + count))


def _day_tables(values: Values) -> bytes:
    return b"".join(_run(values, di, DAY_TABLES_MAX, SLOTS_MAX * _ENTRY_OCTETS) for di in (0x04010001, 0x04020001))


def _zones(values: Values) -> bytes:
    return b"".join(_item(values, di, ZONES_MAX * _ENTRY_OCTETS) for di in (0x04010000, 0x04020000))


def _holidays(values: Values) -> bytes:
    """As many as are counted or have been written."""
    counted = int(values[HOLIDAY_COUNT][::-1].hex())
    written = max((di & 0xFF for di in values if di >> 16 == 0x0403), default=0)
    return _run(values, 0x04030001, min(HOLIDAYS_MAX, max(counted, written)))


def _prices(values: Values) -> bytes:
    tariffs = max(1, int(values[TARIFF_COUNT].hex()))  # 0: a single one
    return _run(values, 0x04050101, tariffs) + _run(values, 0x04050201, tariffs)


def _steps(values: Values) -> bytes:
    """Limits and prices of set 1, then of set 2."""
    first = _run(values, 0x04060001, STEP_LIMITS) + _run(values, 0x04060101, STEP_PRICES)
    return first + _run(values, 0x04060201, STEP_LIMITS) + _run(values, 0x04060301, STEP_PRICES)


def _word(di: int) -> Callable[[Values], bytes]:
    return lambda values: _item(values, di, 1)


_BEFORE: dict[int, Callable[[Values], bytes]] = {
    DAY_TABLES: _day_tables,
    ZONES: _zones,
    REST_DAYS: _word(REST_TABLE),
    HOLIDAYS: _holidays,
    SETTLEMENTS: lambda values: b"".join(_item(values, di, 2) for di in SETTLEMENT_DAYS),
    PRICES: _prices,
    STEPS: _steps,
    **{kind: _word(di) for kind, di in COMBINATIONS.items()},
}
"""What the record of each kind says of the time before, after time and operator code."""

KINDS = (PROGRAMMING, *sorted(_BEFORE))
"""Identifiers of the counts."""

_KIND_OF = {
    **{di: kind for kind, di in COMBINATIONS.items()},
    **dict.fromkeys(SETTLEMENT_DAYS, SETTLEMENTS),
    **dict.fromkeys((REST_WORD, REST_TABLE), REST_DAYS),
}
_KIND_OF_GROUP = {0x0403: HOLIDAYS, 0x0405: PRICES, 0x0406: STEPS}


def kind_of(di: int) -> int:
    """The kind of record that a write of the parameter `di` makes."""
    if di >> 16 in (0x0401, 0x0402):
        return DAY_TABLES if di & 0xFF else ZONES
    return _KIND_OF_GROUP.get(di >> 16) or _KIND_OF.get(di, PROGRAMMING)


class Session(msgspec.Struct, frozen=True, array_like=True):
    """What one operator writes. `started_s`: seconds since 2000, local; `by_key`: the programming key was active."""

    started_s: int
    operator: bytes
    by_key: bool
    kinds: tuple[int, ...] = ()


class Ring(msgspec.Struct, frozen=True, array_like=True):
    """What is kept of a ring beside its records. `serial`: records ever added, which tells where the newest lies."""

    count: Annotated[int, msgspec.Meta(ge=0, le=COUNT_MAX)] = 0
    serial: Annotated[int, msgspec.Meta(ge=0)] = 0


class Head(msgspec.Struct, frozen=True, array_like=True):
    """What is kept beside the records. `password_change`: number of the newest one that is recorded."""

    session: Session | None = None
    rings: dict[int, Ring] = {}
    followed: Followed = Followed()
    password_change: Annotated[int, msgspec.Meta(ge=0)] = 0


class State(msgspec.Struct, frozen=True):
    """Head and records by kind, the newest first."""

    head: Head = Head()
    records: dict[int, tuple[bytes, ...]] = {}

    def counts(self) -> dict[int, bytes]:
        """Identifier to octets of all counts."""
        return {kind: count_octets(self.head.rings.get(kind, Ring()).count) for kind in KINDS}

    def items(self) -> dict[int, bytes]:
        """Identifier to octets of all counts and records."""
        items: dict[int, bytes] = {}
        for kind in KINDS:
            count = self.head.rings.get(kind, Ring()).count
            items.update(EventRing(count, self.records.get(kind, ())).items(kind))
        return items


Changes = Mapping[str, bytes | None]


def _record_key(kind: int, number: int) -> str:
    return f"{RECORD_KEY}{kind:08X} {number % RECORDS_MAX}"


def saved_state(saved: Mapping[str, bytes]) -> State:
    """What was saved; octets of another version are forgotten."""
    try:
        head = msgspec.msgpack.decode(saved.get(HEAD_KEY, b""), type=Head)
    except (ValueError, RecursionError):
        return State()
    records = {}
    for kind, ring in head.rings.items():
        keys = (_record_key(kind, ring.serial - 1 - at) for at in range(min(ring.serial, RECORDS_MAX)))
        found = tuple(saved.get(key, b"") for key in keys)
        records[kind] = found[: found.index(b"")] if b"" in found else found
    return State(head, records)


class Wrote(msgspec.Struct, frozen=True):
    """A write that is to be recorded.

    Attributes:
        operator: his code; empty where the command has none (15H, 17H, 18H): it belongs to the session that lasts,
            whoever writes in it, or is the meter's own (`NO_OPERATOR`).
        by_key: the programming key is active.
        values: the parameters before it.
    """

    di: int
    operator: bytes
    local: datetime
    by_key: bool
    values: Values


def recorded(state: State, wrote: Wrote) -> tuple[Changes, State]:
    """What has to be saved with a write, and the state after it."""
    head, kind = state.head, kind_of(wrote.di)
    session = _session(head.session, wrote)
    records = state.records.get(kind, ())
    ring = head.rings.get(kind, Ring())
    if kind not in session.kinds:
        author = time_octets(wrote.local) + session.operator
        body = wrote.di.to_bytes(4, "little").ljust(4 * LISTED_MAX, b"\xff")
        record = author + (body if kind == PROGRAMMING else _BEFORE[kind](wrote.values))
        grown = EventRing(ring.count, records).added(record)
        ring, records = Ring(grown.count, ring.serial + 1), grown.records
        session = msgspec.structs.replace(session, kinds=(*session.kinds, kind))
    elif kind == PROGRAMMING and records and (longer := _listed(records[0], wrote.di)) is not None:
        records = (longer, *records[1:])
    else:
        return {}, state
    after = msgspec.structs.replace(head, session=session, rings={**head.rings, kind: ring})
    changes = {HEAD_KEY: msgspec.msgpack.encode(after), _record_key(kind, ring.serial - 1): records[0]}
    return changes, State(after, {**state.records, kind: records})


def _session(session: Session | None, wrote: Wrote) -> Session:
    """The session that `wrote` belongs to."""
    now_s = int((wrote.local - _EPOCH).total_seconds())
    if (
        session is not None
        and wrote.operator in (session.operator, b"")
        and 0 <= now_s - session.started_s < SESSION.total_seconds()
        and (wrote.by_key or not session.by_key)
    ):
        return session
    return Session(now_s, wrote.operator or NO_OPERATOR, wrote.by_key)


def _listed(record: bytes, di: int) -> bytes | None:
    """`record` with one identifier more; None: it is there already, or there is no room."""
    octets = di.to_bytes(4, "little")
    listed = [record[at : at + 4] for at in range(_AUTHOR_OCTETS, len(record), 4)]
    if octets in listed or _UNUSED not in listed:
        return None
    at = _AUTHOR_OCTETS + 4 * listed.index(_UNUSED)
    return record[:at] + octets + record[at + 4 :]


def key_released(state: State) -> tuple[Changes, State]:
    """The programming key is no longer active: a session that was opened with it is over."""
    head = state.head
    if head.session is None or not head.session.by_key:
        return {}, state
    after = msgspec.structs.replace(head, session=None)
    return {HEAD_KEY: msgspec.msgpack.encode(after)}, State(after, state.records)


def passwords_changed(state: State, told: Sequence[PasswordChange], by_key: bool) -> tuple[Changes, State]:
    """What has to be saved to record the password changes (18H) of `told` that are new, and the state after it."""
    newest, before = max((change.number for change in told), default=0), state.head.password_change
    if newest == before:
        return {}, state
    changes: dict[str, bytes | None] = {}
    for change in told:
        if change.number > before:
            wrote = Wrote(PASSWORD_DI + change.level, b"", change.local, by_key, {})
            more, state = recorded(state, wrote)
            changes |= more
    after = msgspec.structs.replace(state.head, password_change=newest)
    return {**changes, HEAD_KEY: msgspec.msgpack.encode(after)}, State(after, state.records)


def following(state: State, clears: Clears) -> tuple[Changes, State]:
    """What has to be saved so that `clears` are followed, and the state after it; nothing when they were before."""
    head, now = state.head, followed(clears)
    if now == head.followed:
        return {}, state
    gone = emptied(clears, head.followed, KINDS)
    rings = {kind: ring for kind, ring in head.rings.items() if kind not in gone}
    session = head.session
    if session is not None:
        session = msgspec.structs.replace(session, kinds=tuple(kind for kind in session.kinds if kind not in gone))
    after = msgspec.structs.replace(head, session=session, rings=rings, followed=now)
    changes: dict[str, bytes | None] = {HEAD_KEY: msgspec.msgpack.encode(after)}
    for kind in gone:
        serial = head.rings.get(kind, Ring()).serial
        changes |= {_record_key(kind, serial - 1 - at): None for at in range(len(state.records.get(kind, ())))}
    return changes, State(after, {kind: own for kind, own in state.records.items() if kind not in gone})
