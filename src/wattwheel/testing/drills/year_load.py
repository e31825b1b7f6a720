"""What flows in a year, and what of it the metering core keeps: plain arithmetic on the load and the cuts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

MINUTE_MS, SECOND_MS, SYNC_MS = 60_000, 1000, 20_000


class Energy(NamedTuple):
    """Microjoule, or units of 0.01 kWh, of both directions."""

    imported: int
    exported: int


NO_ENERGY = Energy(0, 0)


def between(before: Energy, now: Energy) -> Energy:
    """What came between two stands."""
    return Energy(now.imported - before.imported, now.exported - before.exported)


def both(first: Energy, second: Energy) -> Energy:
    """The sum."""
    return Energy(first.imported + second.imported, first.exported + second.exported)


class Load:
    """`powers`: active power of each minute in milliwatt, played again and again from `start_ms` on."""

    def __init__(self, powers: Sequence[int], start_ms: int) -> None:
        self._powers, self._start_ms = powers, start_ms
        self._imported = [0, *accumulate(max(0, power) * MINUTE_MS for power in powers)]
        self._exported = [0, *accumulate(max(0, -power) * MINUTE_MS for power in powers)]

    def until(self, at_ms: int) -> Energy:
        """What has flowed from the beginning until `at_ms`."""
        minute, rest = divmod(at_ms - self._start_ms, MINUTE_MS)
        passes, row = divmod(minute, len(self._powers))
        power = self._powers[row]
        return Energy(
            passes * self._imported[-1] + self._imported[row] + max(0, power) * rest,
            passes * self._exported[-1] + self._exported[row] + max(0, -power) * rest,
        )


class CoreReference:
    """The metering core: it counts while the supply is there, and by a cut forgets what came after its last sync.

    Attributes:
        lost: what was metered and forgotten.
        unmetered: what flowed while the supply was off.
    """

    def __init__(self, load: Load) -> None:
        self._load = load
        self._kept = NO_ENERGY
        self._on_ms = self._off_ms = 0
        self.lost = self.unmetered = NO_ENERGY

    def switched_on(self, at_ms: int) -> None:
        """The supply came."""
        if self._off_ms:
            gone = between(self._load.until(self._off_ms), self._load.until(at_ms))
            self.unmetered = both(self.unmetered, gone)
        self._on_ms = at_ms

    def total(self, at_ms: int) -> Energy:
        """Its registers at `at_ms`, while the supply is there."""
        return both(self._kept, between(self._load.until(self._on_ms), self._load.until(at_ms)))

    def cut(self, at_ms: int) -> None:
        """The supply was cut."""
        synced_ms = self._on_ms + (at_ms - self._on_ms) // SYNC_MS * SYNC_MS
        kept, had = self.total(synced_ms), self.total(at_ms)
        self.lost = both(self.lost, between(kept, had))
        self._kept, self._off_ms = kept, at_ms
