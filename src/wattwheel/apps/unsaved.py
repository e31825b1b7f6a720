"""What the medium did not take, and has to get with the next transaction; part of the partition `energy`."""

from __future__ import annotations

from wattwheel.apps.functions import Changes


class Unsaved:
    """Changes of refused saves, but for those that a later save has overtaken.

    Several saves may be under way, and be answered after later ones were begun. So each key remembers the number of
    the save that had it last, until that save is answered.
    """

    def __init__(self) -> None:
        self._changes: dict[str, bytes | None] = {}
        self._newest: dict[str, int] = {}
        self._number = 0

    def take(self) -> dict[str, bytes | None]:
        """What the next save has to hold; it is the caller's from here on."""
        changes, self._changes = self._changes, {}
        return changes

    def begin(self, changes: Changes) -> int:
        """A save with `changes` is under way; its number."""
        self._number += 1
        self._newest.update(dict.fromkeys(changes, self._number))
        return self._number

    def end(self, number: int, changes: Changes, lost: Changes) -> None:
        """The save `number` with `changes` was answered; what of it is `lost` goes with the next."""
        own = {key for key in changes if self._newest.get(key) == number}
        for key in own:
            del self._newest[key]
        self._changes.update((key, octets) for key, octets in lost.items() if key in own)
