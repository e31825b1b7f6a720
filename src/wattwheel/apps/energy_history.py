"""The copies of the energy registers at the ends of settlement periods, part of the APP `energy`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

import msgspec

from wattwheel.model.records import REGISTER_COUNT, REGISTERS, widened
from wattwheel.model.settled_books import Settled, passed_over, settle
from wattwheel.model.tariff import TARIFFS_MAX

COPY_KEY, PHASES_KEY = "settled ", "phases "
MINUTES_AN_HOUR = 60


class History:
    """The copies that the entries of `Settled` name, and what of them is not saved yet.

    Attributes:
        copies: by number, the registers of each tariff.
        phases: by number, the registers of all elements; none for copies of a version that did not keep them.
        unsaved: changes of the name space that go into the next transaction with the books.
    """

    def __init__(self, saved: Mapping[str, bytes] | None = None) -> None:
        found = {key: _copy_of(octets) for key, octets in (saved or {}).items() if key.startswith(COPY_KEY)}
        self.copies = {int(key.removeprefix(COPY_KEY)): copy for key, copy in found.items() if copy is not None}
        self.phases = _phases_of(saved or {})
        self.unsaved: dict[str, bytes | None] = {}
        self._looked: tuple[int, Mapping[int, bytes]] | None = None

    @staticmethod
    def keys(number: int) -> tuple[str, str]:
        """Keys of the name space under which copy `number` and its phases are saved."""
        return f"{COPY_KEY}{number}", f"{PHASES_KEY}{number}"

    def known(self, settled: Settled) -> Settled:
        """`settled` without entries whose copy is not there."""
        kept = tuple(entry for entry in settled.entries if entry.copy in self.copies)
        return msgspec.structs.replace(settled, entries=kept)

    def take(
        self,
        settled: Settled,
        parameters: Mapping[int, bytes],
        minute: int,
        shares: Sequence[Sequence[int]],
        elements: Sequence[int],
    ) -> Settled:
        """What is kept at `minute`; for what has fallen due, the registers are copied.

        Looked for once an hour, which is when instants are, and when the parameters have changed.
        """
        hour = minute // MINUTES_AN_HOUR
        if self._looked is not None and self._looked[0] == hour and self._looked[1] is parameters:
            return settled
        self._looked = (hour, parameters)
        after = settle(settled, parameters, minute)
        if after.entries != settled.entries:
            number = after.copies
            self.copies[number], self.phases[number] = [list(share) for share in shares], list(elements)
            octets = map(msgspec.msgpack.encode, (self.copies[number], self.phases[number]))
            self.unsaved.update(zip(self.keys(number), octets, strict=True))
            for gone in self.copies.keys() - {entry.copy for entry in after.entries}:
                del self.copies[gone]
                self.phases.pop(gone, None)
                self.unsaved.update(dict.fromkeys(self.keys(gone)))
        return after

    def set_clock(self, settled: Settled, minute: int) -> Settled:
        """What is kept when the clock was set to `minute`."""
        self._looked = None
        return passed_over(settled, minute)

    def emptied(self) -> History:
        """The history after a meter clear: no copies, and nothing is looked for again."""
        history = History()
        history._looked = self._looked
        return history

    def changes(self) -> dict[str, bytes | None]:
        """What the next transaction has to hold beside the books."""
        changes, self.unsaved = self.unsaved, {}
        return changes


def _phases_of(saved: Mapping[str, bytes]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for key, octets in saved.items():
        with suppress(ValueError, RecursionError):
            if key.startswith(PHASES_KEY):
                phases = widened(msgspec.msgpack.decode(octets, type=list[int]))
                if len(phases) == REGISTER_COUNT:
                    found[int(key.removeprefix(PHASES_KEY))] = list(phases)
    return found


def _copy_of(octets: bytes) -> list[list[int]] | None:
    try:
        copy = msgspec.msgpack.decode(octets, type=list[list[int]])
    except (ValueError, RecursionError):
        return None
    copy = [list(widened(share)) for share in copy]
    return copy if 1 <= len(copy) <= TARIFFS_MAX and all(len(share) == len(REGISTERS) for share in copy) else None
