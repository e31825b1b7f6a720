"""The durable record: its octets, and how a name space is put together again from what a damaged medium still shows.

Every medium of the management side keeps records of this form, each in two slots and in two files. A transaction gives
all its records one generation number and adds a *mark*: a record with the empty key that says how many records the name
space then had and which generation each was. So the state after a transaction can be recognised again, and a name space
is never returned as a mixture of two transactions while one whole state can be found (money without its energy would be
such a mixture).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import NamedTuple

NAME_OCTETS_MAX = 255
"""Longest name space and longest key, in octets of UTF-8."""

FORMAT = 1
MARK_KEY = ""
"""Key of the mark; no client record may have it."""

_HEADER = struct.Struct("<IBBBBQI")  # CRC-32 of all that follows, format, flags, name lengths, generation, length
_MARK = struct.Struct("<IQ")  # number of records, sum of their fingerprints
_DELETED = 1
_DIGEST_MASK = (1 << 64) - 1


class Record(NamedTuple):
    """One version of one record. `payload` None: deleted by the transaction `generation`."""

    name_space: str
    key: str
    generation: int
    payload: bytes | None


class Mark(NamedTuple):
    """What a name space looked like after the transaction `generation`: number of records and their digest."""

    generation: int
    records: int
    digest: int

    def as_record(self, name_space: str) -> Record:
        """The record that carries this mark."""
        return Record(name_space, MARK_KEY, self.generation, _MARK.pack(self.records, self.digest))


class Settled(NamedTuple):
    """A name space as it is to be used.

    Attributes:
        records: the newest version of each live record, by key.
        generation: the transaction after which it stood so.
        is_whole: True when it is exactly the state after that transaction; False when no whole state could be found
            and each record is the newest good one by itself.
    """

    records: dict[str, Record]
    generation: int
    is_whole: bool


def encode(record: Record) -> bytes:
    """The octets of `record`: header with checksum, name space, key, payload."""
    space, key = record.name_space.encode(), record.key.encode()
    assert max(len(space), len(key)) <= NAME_OCTETS_MAX, "the owner of the medium checks names"
    payload = b"" if record.payload is None else record.payload
    flags = _DELETED if record.payload is None else 0
    head = _HEADER.pack(0, FORMAT, flags, len(space), len(key), record.generation, len(payload))
    body = b"".join((head[4:], space, key, payload))
    return zlib.crc32(body).to_bytes(4, "little") + body


def decode(octets: bytes) -> Record | None:
    """The record in `octets`, None when the checksum or any length is wrong. Never raises."""
    if len(octets) < _HEADER.size:
        return None
    crc, form, flags, space_length, key_length, generation, length = _HEADER.unpack_from(octets)
    start = _HEADER.size + space_length + key_length
    if form != FORMAT or len(octets) != start + length or zlib.crc32(memoryview(octets)[4:]) != crc:
        return None
    try:
        space = octets[_HEADER.size : _HEADER.size + space_length].decode()
        key = octets[_HEADER.size + space_length : start].decode()
    except UnicodeDecodeError:
        return None
    return Record(space, key, generation, None if flags & _DELETED else octets[start:])


def fingerprint(key: str, generation: int) -> int:
    """64 bits that stand for "`key` was last changed by `generation`"; they add up to a mark's digest."""
    return int.from_bytes(blake2b(key.encode() + generation.to_bytes(8, "little"), digest_size=8).digest(), "little")


def mark_of(generations: Mapping[str, int], generation: int) -> Mark:
    """The mark of a name space whose live keys were last changed by `generations`."""
    digest = sum(fingerprint(key, at) for key, at in generations.items()) & _DIGEST_MASK
    return Mark(generation, len(generations), digest)


def moved_mark(mark: Mark, generation: int, removed: Iterable[tuple[str, int]], added: Iterable[str]) -> Mark:
    """`mark` after the transaction `generation`.

    `removed`: the live (key, generation) pairs it changed or deleted; `added`: the keys that live in their new version.
    """
    count, digest = mark.records, mark.digest
    for key, before in removed:
        count, digest = count - 1, digest - fingerprint(key, before)
    for key in added:
        count, digest = count + 1, digest + fingerprint(key, generation)
    return Mark(generation, count, digest & _DIGEST_MASK)


def as_of(pool: Iterable[Record], generation: int) -> dict[str, Record]:
    """Newest version of each record of `pool` up to `generation`; deleted ones and marks left out."""
    newest: dict[str, Record] = {}
    for record in pool:
        if record.generation > generation or record.key == MARK_KEY:
            continue
        known = newest.get(record.key)
        if known is None or known.generation < record.generation:
            newest[record.key] = record
    return {key: record for key, record in newest.items() if record.payload is not None}


def marks(pool: Iterable[Record]) -> list[Mark]:
    """The marks in `pool`, newest first."""
    found = {
        Mark(record.generation, *_MARK.unpack(record.payload))
        for record in pool
        if record.key == MARK_KEY and record.payload is not None and len(record.payload) == _MARK.size
    }
    return sorted(found, reverse=True)


def settle(first: list[Record], second: list[Record]) -> Settled:
    """Put one name space together from the good versions that two files show.

    The newest state that a mark confirms wins, from the first file alone, the second alone or both together. Without
    any confirmed state the newest good version of each record is taken and `is_whole` is False.
    """
    pool = first + second
    for mark in marks(pool):
        for source in (first, second, pool):
            state = as_of(source, mark.generation)
            if mark_of({key: record.generation for key, record in state.items()}, mark.generation) == mark:
                return Settled(state, mark.generation, True)
    newest = max((record.generation for record in pool), default=0)
    return Settled(as_of(pool, newest), newest, not pool)
