"""What a year must have booked: plain arithmetic on the load, the instants of cuts and the tables, and nothing else.

Nothing of the APPs' code is used. A push comes at each whole second; what flows between two of them belongs to the
tariff that the meter's clock showed at the first. What flowed while the supply was off was not metered, and what flowed
after the metering core's last sync before a cut was metered and forgotten.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

DAY_MINUTES, MINUTE_MS, SECOND_MS, SYNC_MS = 1440, 60_000, 1000, 20_000
ROUNDING_US = 499
DOUBT_BEFORE_MS, DOUBT_AFTER_MS = 90_000, 10_000
"""So long before a cut and after the supply's return a change of tariff may come with the one or the other push."""


class Slot(NamedTuple):
    """From `minute` of the day on, `tariff`."""

    minute: int
    tariff: int


class Powered(NamedTuple):
    """A stretch in which the supply was there, and until when its energy was kept."""

    on_ms: int
    off_ms: int
    kept_ms: int


def tariff_at(table: Sequence[Slot], minute_of_day: int) -> int:
    """The tariff of the last slot that has begun; before the first one, that of the last: the day wraps."""
    begun = [slot.tariff for slot in table if slot.minute <= minute_of_day]
    return begun[-1] if begun else table[-1].tariff


class YearReference:
    """The reference of one year.

    Args:
        powers: active power of each minute of the load in milliwatt, played again and again from `start_ms` on.
        start_ms: beginning of the load and of the pushes on the machine's clock.
        tables: slots of the two sets, each in order.
        switches: minutes of the meter's calendar (since 2000) at which the other set is taken.
    """

    def __init__(
        self, powers: Sequence[int], start_ms: int, tables: Sequence[Sequence[Slot]], switches: Sequence[int]
    ) -> None:
        self._powers, self._start_ms, self._tables, self._switches = powers, start_ms, tables, switches
        self._sums = {sign: [0, *accumulate(max(0, sign * power) * MINUTE_MS for power in powers)] for sign in (1, -1)}
        self._powered: list[Powered] = []
        self._on_ms: int | None = None
        self._clocks: list[tuple[int, int]] = []

    # -- what happened

    def switched_on(self, at_ms: int) -> None:
        """The supply came."""
        self._on_ms = at_ms

    def ended(self, at_ms: int) -> None:
        """It went, and everything was kept."""
        assert self._on_ms is not None
        self._powered.append(Powered(self._on_ms, at_ms, at_ms))
        self._on_ms = None

    def cut(self, at_ms: int) -> None:
        """It was cut: what came after the last sync is forgotten."""
        assert self._on_ms is not None
        kept = self._on_ms + (at_ms - self._on_ms) // SYNC_MS * SYNC_MS
        self._powered.append(Powered(self._on_ms, at_ms, kept))
        self._on_ms = None

    def clock_was(self, at_ms: int, calendar_zero_us: int) -> None:
        """From the first push after `at_ms` on the calendar was zero at `calendar_zero_us` of the machine's clock."""
        self._clocks.append((at_ms, calendar_zero_us))

    # -- what it comes to

    def energy(self, sign: int, begin_ms: int, end_ms: int) -> int:
        """Microjoule imported (1) or exported (-1) between two instants."""
        return self._flowed(sign, end_ms) - self._flowed(sign, begin_ms)

    def _flowed(self, sign: int, at_ms: int) -> int:
        sums = self._sums[sign]
        minute, rest = divmod(at_ms - self._start_ms, MINUTE_MS)
        passes, row = divmod(minute, len(self._powers))
        return passes * sums[-1] + sums[row] + max(0, sign * self._powers[row]) * rest

    def total(self, sign: int) -> int:
        """Microjoule that the registers must show."""
        return sum(self.energy(sign, each.on_ms, each.kept_ms) for each in self._powered)

    def lost(self, sign: int) -> int:
        """Microjoule that were metered and forgotten."""
        return sum(self.energy(sign, each.kept_ms, each.off_ms) for each in self._powered)

    def changes(self) -> list[tuple[int, int]]:
        """Instants at which another tariff came into force, and which."""
        found: list[tuple[int, int]] = []
        running = {"set": 0, "done": 0}
        end_ms = max(each.off_ms for each in self._powered)
        for number, (at_ms, zero_us) in enumerate(self._clocks):
            until_ms = self._clocks[number + 1][0] if number + 1 < len(self._clocks) else end_ms
            for push_ms, minute in self._minutes(self._grid(at_ms + 1), until_ms, zero_us):
                while running["done"] < len(self._switches) and minute >= self._switches[running["done"]]:
                    running = {"set": 1 - running["set"], "done": running["done"] + 1}
                tariff = tariff_at(self._tables[running["set"]], minute % DAY_MINUTES)
                if not found or found[-1][1] != tariff:
                    found.append((push_ms, tariff))
        return found

    def _grid(self, at_ms: int) -> int:
        return self._start_ms - (self._start_ms - at_ms) // SECOND_MS * SECOND_MS

    def _minutes(self, first_ms: int, until_ms: int, zero_us: int) -> Iterator[tuple[int, int]]:
        """The first push of each minute of the meter's calendar, and the minute."""
        push_ms = first_ms
        while push_ms <= until_ms:
            minute = (push_ms * 1000 - zero_us + ROUNDING_US) // 60_000_000
            yield push_ms, minute
            turn_us = (minute + 1) * 60_000_000 + zero_us - ROUNDING_US
            push_ms = self._grid(-(-turn_us // 1000))

    def shares(self, sign: int) -> dict[int, int]:
        """Microjoule of each tariff."""
        changes = self.changes()
        instants = [at_ms for at_ms, _ in changes]
        found: dict[int, int] = {}
        for each in self._powered:
            begin = each.on_ms
            while begin < each.kept_ms:
                place = bisect_right(instants, begin)
                end = min(each.kept_ms, instants[place] if place < len(instants) else each.kept_ms)
                tariff = changes[max(0, place - 1)][1]
                found[tariff] = found.get(tariff, 0) + self.energy(sign, begin, end)
                begin = end
        return found

    def doubt(self, sign: int) -> int:
        """Microjoule that may stand with a neighbouring tariff: what flowed around a cut that met a change."""
        instants = [at_ms for at_ms, _ in self.changes()]
        found = 0
        for each, after in zip(self._powered, self._powered[1:], strict=False):
            begin, end = each.off_ms - DOUBT_BEFORE_MS, after.on_ms + DOUBT_AFTER_MS
            if any(begin <= at_ms <= end for at_ms in instants):
                found += self.energy(sign, begin, each.off_ms) + self.energy(sign, after.on_ms, end)
        return found
