"""What the meter's functions have in common that live on the energy registers: modules of the partition `energy`.

They share the partition, its name space and its transactions, because what they keep must change together: a settlement
moves energies and demands, a freeze takes both, a charge belongs to its energy, a meter clear empties all of them or
none. Each is a class of its own in a file of its own, driven by two calls: `push` after each push of the metering core,
and `minute` at each turn of a minute of the meter's clock. Both change the function's state at once; `changes` tells
what of it has to be saved. A command changes nothing before it is on the medium: it is prepared, saved, applied,
answered, and no push is taken meanwhile. (Pushes carry totals, so one that is passed over costs nothing.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import ClassVar, NamedTuple

from wattwheel.model.energy_items import Words
from wattwheel.model.event_clears import EventClears
from wattwheel.model.ratings import Ratings
from wattwheel.model.records import Readings
from wattwheel.model.register_image import RegisterImage
from wattwheel.model.settled_books import Entry
from wattwheel.sdk import Function, Shown

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
ERROR_OTHER, ERROR_NO_DATA = 0x01, 0x02

STEP_BACK_MINUTES = 1
"""A clock that is set back so far has not left its time; what is further back it lives through once more."""

PUNCTUAL_S_MAX = 1
"""A minute whose turn was missed by no more than that was seen."""

SILENCE_S = 61
"""Silence of the metering core after which the functions are told: event delay of a metering chip fault, and one."""

Changes = Mapping[str, bytes | None]
_NOTHING_COUNTED: Mapping[str, int] = MappingProxyType({})


def _tell_nobody(bit: int, is_end: bool) -> None:
    """Where nobody reports."""


class Turn(NamedTuple):
    """What a push brought.

    Attributes:
        readings: the push.
        image: the registers after it.
        minute_before: the registers at the turn of the minute before; None: none since the start or the last clear.
        parameters: octets by identifier as on the wire; empty before they were heard.
        words: how registers are combined.
        settled: the settlement periods that are kept, the newest first.
        copies: their registers by number of the copy, those of each tariff.
        is_first: nothing was taken since the start: whatever lies between was not seen.
        look: what a read of an identifier gives that a function of this partition owns; those that come before in the
            order of `apps.energy.FUNCTIONS` have seen this turn already.
        is_power_up: it is the first one since the whole meter started, as after a loss of the supply, and not only
            this partition.
    """

    readings: Readings
    image: RegisterImage
    minute_before: RegisterImage | None
    parameters: Mapping[int, bytes]
    words: Words
    settled: tuple[Entry, ...]
    copies: Mapping[int, list[list[int]]]
    is_first: bool
    look: Callable[[int], Shown | None]
    is_power_up: bool = False

    @property
    def minute_missed(self) -> int:
        """The newest minute whose turn lies before this push, for one that is the first after a loss of the supply."""
        return (self.image.second - 1 - PUNCTUAL_S_MAX) // 60

    @property
    def local(self) -> datetime:
        """The meter's local standard time of the push, marked as UTC."""
        return EPOCH + timedelta(seconds=self.image.second)


class Prepared(NamedTuple):
    """A command that may be carried out.

    Attributes:
        changes: what has to be saved with it.
        apply: takes it over into the state, once it is on the medium.
        data: of the reply.
    """

    changes: Changes
    apply: Callable[[], None]
    data: bytes = b""


class MeterFunction:
    """A function of the meter. What it does not override it does not do.

    Attributes:
        name: under which the partition's settings hold those of the function; "": it has none. Where they are told,
            they are the constructor's argument.
        port: sampling port that `published` is written to; "": none.
        needs_saving_now: the last call of `push` or `minute` has decided what must not be lost.
        needs_saving: it has changed what a restart of the partition has to find; the medium may get it later.
    """

    name: ClassVar[str] = ""
    port: ClassVar[str] = ""
    needs_saving_now = False
    needs_saving = False
    obeys: frozenset[Function] = frozenset()
    """Commands that this function carries out; each belongs to one of them."""
    on_report: Callable[[int, bool], None] = staticmethod(_tell_nobody)
    """Told of what `model.reporting.Report` names, with its bit, and whether it is the end of it."""
    event_clears: EventClears = ()
    """Of the function that carries out event clears: the last of them, for those who follow in other partitions."""

    @property
    def counted(self) -> Mapping[str, int]:
        """Counters of the partition that are this function's, by name."""
        return _NOTHING_COUNTED

    def rate(self, ratings: Ratings) -> None:
        """Take what the meter is made for. It comes before `begin`."""

    def meet(self, functions: Sequence[MeterFunction]) -> None:
        """Know all functions of the partition. It comes before `begin`."""

    def begin(self, saved: Mapping[str, bytes]) -> None:
        """Take up what was saved, all functions' keys together. Octets that are not its own format it forgets."""

    def push(self, turn: Turn) -> None:
        """Take a push."""

    def silence(self, turn: Turn) -> None:
        """The metering core has been silent for `SILENCE_S`: `turn` is that of its last push, with the time it is."""

    def minute(self, turn: Turn) -> None:
        """Take the turn of a minute; it comes before the `push` of the same `turn`."""

    def press(self, button: str, is_long: bool, turn: Turn) -> None:
        """Take a press of a button; it comes before the next `push`, `turn` being the one before."""

    def published(self) -> bytes:
        """The newest message for `port`: the same object as long as nothing has changed."""
        return b""

    def changes(self) -> Changes:
        """What has changed since the last call and has to be saved. Keys begin with the function's name."""
        return {}

    def look(self, di: int, data: bytes) -> Shown | None:
        """What a read of `di` gives; `data`: octets that followed the identifier. None: not mine, or no data."""
        return None

    def status_bits(self, number: int) -> int:
        """The bits of status word `number` (1 to 7, 0400050n) that this function sets; all functions' are put together.

        Bit 0 is the least significant.
        """
        return 0

    def listed(self) -> Iterable[int]:
        """Identifiers that `look` answers without data."""
        return ()

    def prepare(self, function: Function, data: bytes, operator: bytes, turn: Turn) -> Prepared | int:
        """Prepare a command of `obeys`; an ERR octet refuses it. `turn`: the last push."""
        return ERROR_OTHER

    def clear(self, turn: Turn, operator: bytes) -> Prepared | None:
        """The function's part of a meter clear (1AH); None: it has none. `operator`: empty for one without a record."""
        return None

    def clear_events(self, di: int, turn: Turn) -> Prepared | None:
        """Its part of an event clear (1BH): `di` is FFFFFFFF for all, else ends with FF; None: it has none."""
        return None


class GatheringFunction(MeterFunction):
    """A function that gathers in `_unsaved` what has to be saved, key to octets, None to delete."""

    def __init__(self) -> None:
        self._unsaved: dict[str, bytes | None] = {}

    def changes(self) -> Changes:
        """All that was gathered since the last call."""
        changes, self._unsaved, self.needs_saving_now = self._unsaved, {}, False
        return changes
