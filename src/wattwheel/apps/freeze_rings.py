"""The rings of frozen entries, one a kind, each entry under a key of its own: part of the function `freezing`.

An entry that is added takes the key of the oldest one, so a freeze costs one record, and a cut leaves the ring with the
old entry or with the new one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

import msgspec

from wattwheel.model.bcd import MINUTES_MAX, minute_octets
from wattwheel.model.freeze_content import BLOCK, DEPTHS, TIME, FreezeKind, freeze_block

KEY = "freezing "
SEQUENCES_MAX = 1 << 62
"""No ring has ever had more entries."""

ENTRY_OCTETS_MAX = 4096
"""More than an entry of 63 tariffs with every item has."""


class Frozen(msgspec.Struct, frozen=True, array_like=True):
    """One entry.

    Attributes:
        sequence: counts the entries of a ring, 1 is the first.
        minute: the nominal time, in minutes of the meter's local standard time since 2000.
        items: octets as on the wire, by DI1.
    """

    sequence: int
    minute: int
    items: dict[int, bytes]

    def shown(self, kind: FreezeKind, item: int) -> bytes | None:
        """What a read of `item` gives; None: it is not in this entry."""
        time = minute_octets(self.minute)
        if item == BLOCK:
            return freeze_block(kind, time, self.items)
        return time if item == TIME else self.items.get(item)


_Kind = TypeVar("_Kind", bound=int)
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Frozen).decode


class FreezeRing:
    """The newest entries of one kind. They are kept encoded, because they are seldom read.

    Attributes:
        newest: sequence number of the newest entry, 0: there was none yet.
    """

    def __init__(self, kind: FreezeKind, depth: int | None = None, prefix: str = "") -> None:
        """`depth`, `prefix`: how many entries, and what their keys begin with, where it is not the ring of `kind`."""
        self.kind, self.depth = kind, DEPTHS[kind] if depth is None else depth
        self._prefix = prefix or f"{KEY}{kind:d} "
        self.newest = 0
        self._slots: dict[int, tuple[int, int, bytes]] = {}  # sequence, minute, octets

    def take_up(self, slot: int, octets: bytes) -> None:
        """Take an entry that was saved; what is none is passed over."""
        try:
            entry = _decode(octets)
        except (ValueError, RecursionError):
            return
        is_ours = 0 < entry.sequence <= SEQUENCES_MAX and entry.sequence % self.depth == slot
        if is_ours and 0 <= entry.minute <= MINUTES_MAX and len(octets) <= ENTRY_OCTETS_MAX:
            self._slots[slot] = (entry.sequence, entry.minute, octets)
            self.newest = max(self.newest, entry.sequence)

    @property
    def newest_minute(self) -> int | None:
        """Nominal time of the newest entry; None: there is none."""
        sequence, minute, _octets = self._slots.get(self.newest % self.depth, (0, 0, b""))
        return minute if sequence == self.newest and self.newest else None

    def next_entry(self, minute: int, items: dict[int, bytes], replaces: bool = False) -> tuple[str, bytes]:
        """Key and octets of the entry that `add` would make the newest; `replaces`: in place of the one that is it."""
        sequence = self.newest + (not replaces)
        return self._key(sequence % self.depth), _encode(Frozen(sequence, minute, items))

    def add(self, minute: int, octets: bytes, replaces: bool = False) -> None:
        """Make what `next_entry` gave the newest entry; the oldest one falls out, or the one that it `replaces`."""
        self.newest += not replaces
        self._slots[self.newest % self.depth] = (self.newest, minute, octets)

    def has(self, minute: int) -> bool:
        """Whether an entry has that nominal time."""
        return any(kept == minute for _sequence, kept, _octets in self._entries())

    def entry(self, back: int) -> Frozen | None:
        """The entry `back` times ago, 1 is the newest."""
        octets = self._octets(back)
        return None if octets is None else _decode(octets)

    @property
    def backs(self) -> Iterator[int]:
        """For which numbers `entry` gives one."""
        return (back for back in range(1, self.depth + 1) if self._octets(back) is not None)

    @property
    def keys(self) -> list[str]:
        """Keys of all entries."""
        return [self._key(slot) for slot in self._slots]

    def empty(self) -> None:
        """Forget all entries; those to come are counted on."""
        self._slots.clear()

    def _octets(self, back: int) -> bytes | None:
        sequence = self.newest + 1 - back
        found = self._slots.get(sequence % self.depth) if back <= self.depth else None
        return found[2] if found is not None and found[0] == sequence else None

    def _entries(self) -> Iterator[tuple[int, int, bytes]]:
        return (each for each in self._slots.values() if each[0] > self.newest - self.depth)

    def _key(self, slot: int) -> str:
        return f"{self._prefix}{slot}"


def rings_of(saved: Mapping[str, bytes] | None = None) -> dict[FreezeKind, FreezeRing]:
    """The ring of each kind, with what was saved of it."""
    rings = {kind: FreezeRing(kind) for kind in FreezeKind}
    taken_up(rings, saved or {}, KEY)
    return rings


def taken_up(rings: Mapping[_Kind, FreezeRing], saved: Mapping[str, bytes], begin: str) -> None:
    """Let `rings` take what was saved under keys of `begin`, number of the ring, and number of the slot."""
    by_number = {int(kind): ring for kind, ring in rings.items()}
    for key, octets in saved.items():
        kind, _, slot = key.removeprefix(begin).partition(" ")
        if key.startswith(begin) and kind.isdecimal() and slot.isdecimal() and int(kind) in by_number:
            by_number[int(kind)].take_up(int(slot), octets)
