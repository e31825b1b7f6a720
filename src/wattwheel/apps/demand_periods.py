"""The maxima of the demand at the ends of settlement periods, part of the function `apps.demand`.

Which periods are kept is decided by the energy registers (`model.settled_books`); this follows them, in the same
transaction. An end by instant 1 has the maxima that were cleared with it; of several found together the first has them
and the others have none, because demand is cleared once. An end by instant 2 or 3 clears nothing and has FF.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import NamedTuple, Protocol, TypeVar

import msgspec

from wattwheel.model.demand_maxima import NO_MAXIMA, Maxima
from wattwheel.model.settled_books import Entry
from wattwheel.model.settlement import SETTLEMENTS_KEPT_MAX

FIRST_INSTANT = 1
PERIODS_KEY, PERIOD_KEY = "demand periods", "demand period "


class What(IntEnum):
    """What a period has of maxima."""

    CLEARED = 0
    """None: they had gone to an earlier period of the same moment."""
    TRANSFERRED = 1
    NOT_AVAILABLE = 2
    """Ended by instant 2 or 3, or before anything of demands was kept."""


class Ended(NamedTuple):
    """A settlement period that has ended, `minute` and `copy` as in `Entry`."""

    minute: int
    copy: int
    what: What

    @property
    def key(self) -> str:
        """Key of the name space under which its maxima are saved."""
        return f"{PERIOD_KEY}{self.minute} {self.copy}"


class Periods:
    """The periods that are kept, the newest first.

    Attributes:
        seen: the entries of the registers that were taken in last.
    """

    def __init__(self, ended: Sequence[Ended] | None = None, maxima: Mapping[str, Maxima] | None = None) -> None:
        """`ended`: None: nothing was ever kept. `maxima`: by key, of those that were transferred."""
        self._ended = None if ended is None else tuple(ended)
        self._maxima = dict(maxima or {})
        self._unsaved: dict[str, bytes | None] = {}
        self.seen: tuple[Entry, ...] | None = None

    def __len__(self) -> int:
        return len(self._ended or ())

    def maxima(self, period: int) -> Maxima | None:
        """Those of a period, the newest is 1; None: it has none, FF is shown."""
        ended = (self._ended or ())[period - 1]
        return NO_MAXIMA if ended.what is What.CLEARED else self._maxima.get(ended.key)

    def take(self, settled: tuple[Entry, ...], maxima: Maxima) -> bool:
        """Follow the entries of the registers. True: `maxima` belong to a period now, and are to be cleared."""
        if settled == self.seen:
            self.seen = settled
            return False
        self.seen = settled
        known = {(own.minute, own.copy): own for own in self._ended or ()}
        ended: list[Ended] = []
        transferred: Ended | None = None
        for entry in reversed(settled):  # in order of time
            own = known.get((entry.minute, entry.copy))
            if own is None:
                own = Ended(entry.minute, entry.copy, self._what(entry, transferred is not None))
                if own.what is What.TRANSFERRED:
                    transferred = own
                    self._maxima[own.key] = maxima
                    self._unsaved[own.key] = _encode(maxima)
            ended.append(own)
        for gone in self._maxima.keys() - {own.key for own in ended}:
            del self._maxima[gone]
            self._unsaved[gone] = None
        after = tuple(reversed(ended))
        if after != self._ended:
            self._ended = after
            self._unsaved[PERIODS_KEY] = _encode(after)
        return transferred is not None

    def _what(self, entry: Entry, is_cleared: bool) -> What:
        if self._ended is None or entry.number != FIRST_INSTANT:
            return What.NOT_AVAILABLE
        return What.CLEARED if is_cleared else What.TRANSFERRED

    def changes(self) -> dict[str, bytes | None]:
        """What the next transaction has to hold."""
        changes, self._unsaved = self._unsaved, {}
        return changes

    def cleared(self) -> dict[str, bytes | None]:
        """What a transaction has to hold that forgets them all."""
        return {PERIODS_KEY: _encode(()), **dict.fromkeys(self._maxima)}


_encode = msgspec.msgpack.Encoder().encode


def periods_of(saved: Mapping[str, bytes]) -> Periods:
    """The periods that were saved; what cannot be read is not available."""
    try:
        ended = msgspec.msgpack.decode(saved.get(PERIODS_KEY, b""), type=list[Ended])
    except (ValueError, RecursionError):
        ended = None
    maxima: dict[str, Maxima] = {}
    for own in ended or ():
        if own.what is What.TRANSFERRED and (found := taken_up(saved.get(own.key), Maxima)) is not None:
            maxima[own.key] = found
    return Periods(ended if ended is None else ended[:SETTLEMENTS_KEPT_MAX], maxima)


class _Checked(Protocol):
    def is_sound(self) -> bool: ...


_C = TypeVar("_C", bound=_Checked)


def taken_up(saved: bytes | None, kind: type[_C]) -> _C | None:
    """What was saved as `kind`, None where that cannot be read or gone on with."""
    try:
        found = msgspec.msgpack.decode(saved or b"", type=kind)
    except (ValueError, RecursionError):
        return None
    return found if found.is_sound() else None
