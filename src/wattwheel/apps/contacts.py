"""Contacts of the case: openings of the meter's and the terminals' cover (03300Dxx, 03300Exx).

What a contact says is on the medium before it is answered; a state that lasts for a second begins a record, and the end
of that state completes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from wattwheel.apps.functions import ERROR_OTHER, MeterFunction, Prepared, Turn
from wattwheel.model.energy_items import register_view
from wattwheel.model.event_delay import EventDelay, looked
from wattwheel.model.event_ring import EventRing, count_octets, time_octets
from wattwheel.model.records import REGISTERS_RECORDED
from wattwheel.sdk import Function

KEY = "contacts"
DELAY_S = 1
SECOND_NS = 1_000_000_000
TIME_OCTETS, ENERGY_OCTETS, ENERGIES = 6, 4, 6
OPEN, CLOSED = b"open", b"closed"
COUNT_DIS = {"meter-cover": 0x03300D00, "terminal-cover": 0x03300E00}
ALL_EVENTS = 0xFFFFFFFF


class Cover(msgspec.Struct, frozen=True, array_like=True):
    """One contact: what it says, since when that has been so, whether it is recorded as open, and the records."""

    is_open: bool = False
    delay: tuple[bool, int] = (False, 0)
    ring: EventRing = EventRing()


Covers = dict[str, Cover]
_NONE: Covers = {name: Cover() for name in COUNT_DIS}


class Contacts(MeterFunction):
    """See the module."""

    obeys = frozenset({Function.CONTACT})

    def __init__(self) -> None:
        self._covers = dict(_NONE)
        self._last_ns: int | None = None
        self._is_changed = False

    def begin(self, saved: Mapping[str, bytes]) -> None:
        """Take up states and records."""
        try:
            found = msgspec.msgpack.decode(saved.get(KEY, b""), type=Covers)
        except (ValueError, RecursionError):
            return
        self._covers = {name: found.get(name, Cover()) for name in COUNT_DIS}

    def push(self, turn: Turn) -> None:
        """Look at the contacts, as often as seconds have passed."""
        self.needs_saving_now = False
        now_ns = turn.image.at_ns
        last_ns = now_ns - SECOND_NS if self._last_ns is None else self._last_ns
        seconds = (now_ns - last_ns + SECOND_NS // 2) // SECOND_NS  # to the nearest: a push may come a little early
        if seconds < 1:
            return
        self._last_ns = last_ns + seconds * SECOND_NS
        for name, cover in self._covers.items():
            if cover.is_open != cover.delay[0] or cover.delay[1]:
                self._look(name, cover, turn, seconds)

    def _look(self, name: str, cover: Cover, turn: Turn, seconds: int) -> None:
        state = EventDelay(*cover.delay)
        flip = looked(state, cover.is_open, DELAY_S, seconds)
        ring = cover.ring if flip is None else recorded(cover.ring, state.is_active, turn)
        self._covers[name] = Cover(cover.is_open, (state.is_active, state.differing_s), ring)
        self._is_changed = True
        self.needs_saving_now = flip is not None

    def changes(self) -> Mapping[str, bytes]:
        """All of it, when any of it has changed."""
        if not self._is_changed:
            return {}
        self._is_changed = False
        return {KEY: msgspec.msgpack.encode(self._covers)}

    def look(self, di: int, data: bytes) -> bytes | None:
        """Counts and records."""
        if di >> 16 != 0x0330:
            return None
        return self._items().get(di)

    def listed(self) -> Iterable[int]:
        """Counts, and the records that are there."""
        return self._items()

    def _items(self) -> dict[int, bytes]:
        return {
            di: octets
            for name, cover in self._covers.items()
            for di, octets in cover.ring.items(COUNT_DIS[name]).items()
        }

    def prepare(self, function: Function, data: bytes, operator: bytes, turn: Turn) -> Prepared | int:
        """A contact has changed: `data` is its name, a space, and "open" or "closed"."""
        name, _, state = data.partition(b" ")
        cover = self._covers.get(name.decode("ascii", "replace"))
        if cover is None or state not in (OPEN, CLOSED):
            return ERROR_OTHER
        covers = {**self._covers, name.decode("ascii"): msgspec.structs.replace(cover, is_open=state == OPEN)}
        return self._prepared(covers)

    def clear(self, turn: Turn, operator: bytes) -> Prepared:
        """Records and counts are emptied; an opening that lasts begins no new record."""
        return self._cleared(COUNT_DIS)

    def clear_events(self, di: int, turn: Turn) -> Prepared | None:
        """All, or one class."""
        names = [name for name, count in COUNT_DIS.items() if di in (ALL_EVENTS, count | 0xFF)]
        return self._cleared(names) if names else None

    def _cleared(self, names: Iterable[str]) -> Prepared:
        emptied = {name: msgspec.structs.replace(self._covers[name], ring=EventRing()) for name in names}
        return self._prepared({**self._covers, **emptied})

    def _prepared(self, covers: Covers) -> Prepared:
        def apply() -> None:
            self._covers = covers

        return Prepared({KEY: msgspec.msgpack.encode(covers)}, apply)


def recorded(ring: EventRing, is_begin: bool, turn: Turn) -> EventRing:
    """The ring with a record that begins, or with the newest one completed (60 octets: times, energies)."""
    registers = turn.image.totals[:REGISTERS_RECORDED]
    energies = b"".join(count_octets(register_view(register), ENERGY_OCTETS) for register in registers)
    time = time_octets(turn.local)
    if is_begin:
        return ring.added(time + bytes(TIME_OCTETS) + energies + bytes(ENERGY_OCTETS * ENERGIES))
    if not ring.records:  # cleared while it was open
        return ring
    before = ring.records[0]
    return ring.replaced(before[:TIME_OCTETS] + time + before[2 * TIME_OCTETS :][: len(energies)] + energies)
