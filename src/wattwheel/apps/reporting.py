"""Active reporting as far as words go: a status word (04001501) whose bits the events of the mode word (04001104) set.

A bit is cleared when a head-end has read it, or by a write of 04001503 (where that has 0 it is cleared), never by
itself. The meter does not speak first: on a line that belongs to a master, nothing is sent unasked.

The other functions tell their events by `MeterFunction.on_report`. Programming records lie in another partition, which
tells their counts among the parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from wattwheel.apps.fee_records import TRIPS_DI
from wattwheel.apps.functions import ERROR_OTHER, Changes, MeterFunction, Prepared, Turn
from wattwheel.model.reporting import MODE_DI, STATUS_DI, STATUS_OCTETS, Report, is_wanted
from wattwheel.sdk import Function

KEY = "reporting"
OPERATOR_OCTETS = 4
EVERYTHING = (1 << 8 * STATUS_OCTETS) - 1

COUNTED = {
    0x03300000: Report.PROGRAMMING,
    0x03300500: Report.DAY_TABLES,
    0x03300600: Report.ZONES,
    0x03300700: Report.REST_DAYS,
    0x03300800: Report.HOLIDAYS,
    0x03300900: Report.ACTIVE_COMBINATION,
    0x03300A00: Report.REACTIVE_COMBINATION_1,
    0x03300B00: Report.REACTIVE_COMBINATION_2,
    0x03300C00: Report.SETTLEMENT_DAYS,
    0x03300F00: Report.PRICES,
    0x03301000: Report.STEPS,
}
"""Count of programming records to the bit that a further one sets."""


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """What a restart has to find: the status word, and the counts that were heard of."""

    word: bytes = bytes(STATUS_OCTETS)
    counts: dict[int, bytes] = {}


class _Raised(NamedTuple):
    bit: int
    is_end: bool


class Reporting(MeterFunction):
    """See the module. It comes after all functions that report."""

    obeys = frozenset({Function.REPORTED, Function.WRITE})

    def __init__(self) -> None:
        self._word = 0
        self._counts: dict[int, bytes] = {}
        self._raised: list[_Raised] = []
        self._parameters: Mapping[int, bytes] | None = None
        self._mode = 0
        self._has_followed = False

    def begin(self, saved: Mapping[str, bytes]) -> None:
        """See `MeterFunction`."""
        self._has_followed = KEY in saved or not saved  # a meter that is new has nothing of before
        try:
            kept = msgspec.msgpack.decode(saved.get(KEY, b""), type=Kept)
        except (ValueError, RecursionError):
            return
        if len(kept.word) == STATUS_OCTETS:
            self._word, self._counts = int.from_bytes(kept.word, "little"), kept.counts

    def meet(self, functions: Sequence[MeterFunction]) -> None:
        """Hear from `functions` of their events."""
        for each in functions:
            each.on_report = self.tell

    def tell(self, bit: int, is_end: bool) -> None:
        """An event has begun, or ended: it is set with the next push."""
        self._raised.append(_Raised(bit, is_end))

    def push(self, turn: Turn) -> None:
        """Set the bits of what was told since the push before."""
        self.needs_saving_now = False
        if turn.parameters is not self._parameters and turn.parameters:
            self._hear(turn.parameters)
        if not self._raised or self._parameters is None:
            return
        raised, self._raised = self._raised, []
        has_relay = turn.look(TRIPS_DI) is not None
        word = self._word
        for bit, is_end in raised:
            if is_wanted(self._mode, bit, is_end, has_relay):
                word |= 1 << bit
        self.needs_saving_now = self.needs_saving_now or word != self._word
        self._word = word

    def _hear(self, parameters: Mapping[int, bytes]) -> None:
        self._parameters = parameters
        self._mode = int.from_bytes(parameters.get(MODE_DI, b""), "little")
        counts = {di: parameters[di] for di in COUNTED if di in parameters}
        has_followed, self._has_followed = self._has_followed, True
        if has_followed and counts == self._counts:
            return
        for di, count in counts.items() if has_followed else ():  # what was before this function came is no news
            if count[::-1] > self._counts.get(di, bytes(len(count)))[::-1]:
                self.tell(COUNTED[di], False)
        self._counts, self.needs_saving_now = counts, True

    def changes(self) -> Changes:
        """See `MeterFunction`."""
        if not self.needs_saving_now:
            return {}
        return {KEY: self._kept(self._word)}

    def _kept(self, word: int) -> bytes:
        return msgspec.msgpack.encode(Kept(word.to_bytes(STATUS_OCTETS, "little"), self._counts))

    # -- what is read, and what has been

    def look(self, di: int, data: bytes) -> bytes | None:
        """The status word."""
        return self._word.to_bytes(STATUS_OCTETS, "little") if di == STATUS_DI else None

    def listed(self) -> tuple[int, ...]:
        """See `MeterFunction`."""
        return (STATUS_DI,)

    def prepare(self, function: Function, data: bytes, operator: bytes, turn: Turn) -> Prepared | int:
        """A head-end has read the word `data`, or has written 04001503: only the bits that are 1 in it stay."""
        octets = data[OPERATOR_OCTETS:] if function is Function.WRITE else data
        if len(octets) != STATUS_OCTETS:
            return ERROR_OTHER
        told = int.from_bytes(octets, "little")
        return self._left(told if function is Function.WRITE else EVERYTHING & ~told)

    def clear(self, turn: Turn, operator: bytes) -> Prepared:
        """A meter clear forgets what is still to be reported, and is reported itself."""
        left = self._left(0)

        def apply() -> None:
            left.apply()
            self._raised = [_Raised(Report.METER_CLEAR, False)] if operator else []

        return Prepared(left.changes, apply)

    def _left(self, mask: int) -> Prepared:
        def apply() -> None:
            self._word &= mask

        return Prepared({KEY: self._kept(self._word & mask)}, apply)
