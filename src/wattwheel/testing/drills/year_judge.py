"""The verdicts of the drill `year`: what was read of the meter against what the reference says."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from wattwheel.testing.drills.score import Score
from wattwheel.testing.drills.year_account import EPOCH, Registers
from wattwheel.testing.drills.year_diary import LoadRecords, Ring
from wattwheel.testing.drills.year_load import NO_ENERGY, Energy, between, both
from wattwheel.testing.drills.year_reading import Frozen


def clock(minute: int) -> str:
    """A minute of the calendar as people write it."""
    return f"{EPOCH + timedelta(minutes=minute):%Y-%m-%d %H:%M}"


class Seen:
    """Entries of one ring as they were read, again and again."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.entries: dict[int, Registers] = {}

    def take(self, entries: Iterable[Frozen], score: Score) -> None:
        """What stands in the ring now: no time twice, and what was read before has not changed."""
        now: set[int] = set()
        for entry in entries:
            score.check(entry.minute not in now, self._name, f"{clock(entry.minute)} stands in the ring twice")
            now.add(entry.minute)
            before = self.entries.setdefault(entry.minute, entry.registers)
            score.check(before == entry.registers, self._name, f"{clock(entry.minute)} has changed")

    def judge(self, ring: Ring, score: Score) -> None:
        """Each entry that is due is there once, with the registers of its instant."""
        missing = judged(self.entries, ring, score, self._name)
        score.add(what=self._name, found=len(self.entries), due=len(ring.entries), missing_after_cuts=missing)


def judged(seen: dict[int, Registers], ring: Ring, score: Score, name: str) -> int:
    """How many unsure entries are missing."""
    missing = 0
    for minute, entry in ring.entries.items():
        found = seen.get(minute)
        if found is None:
            missing += not entry.is_sure
            score.check(not entry.is_sure, name, f"{clock(minute)} is missing")
            continue
        values = [value if found.shares else value._replace(shares=()) for value in entry.values]
        score.check(found in values, name, f"{clock(minute)}: {found}; the reference says {values}")
    for minute in seen.keys() - ring.entries.keys():
        score.check(False, name, f"{clock(minute)} was never due")
    return missing


def increments(
    records: list[tuple[int, Energy]], ring: LoadRecords, total: Energy, cuts_ms: list[tuple[int, int]], score: Score
) -> None:
    """The total is the sum of all increments: of the intervals, over power-off, over a clock that was set, and the rest.

    `cuts_ms`: when the supply went and came.
    """
    name = "load records"
    times = [minute for minute, _ in records]
    score.check(times == sorted(set(times)), name, "two records of one minute, or out of order")
    missing = judged({minute: Registers(energy, ()) for minute, energy in records}, ring, score, name)
    parts = dict.fromkeys(("intervals", "over power-off", "over clock steps", "before and after"), NO_ENERGY)
    counts = dict.fromkeys(parts, 0)

    def book(part: str, before: Energy, now: Energy) -> None:
        gone = between(before, now)
        score.check(min(gone) >= 0, name, f"{part}: an increment of {gone}")
        parts[part], counts[part] = both(parts[part], gone), counts[part] + 1

    if not records:
        score.check(False, name, "there are none")
        return
    book("before and after", NO_ENERGY, records[0][1])
    at, offs = 0, [off for off, _ in cuts_ms]
    for (minute, before), (later, now) in zip(records, records[1:], strict=False):
        made = ring.entries.get(later)
        while at < len(offs) and made is not None and offs[at] < made.made_ms:
            at += 1
        entry = ring.entries.get(minute)
        is_cut = at > 0 and entry is not None and offs[at - 1] >= entry.made_ms
        is_whole = later - minute == ring.interval
        if made is not None and entry is not None and is_whole and not is_cut:
            is_whole = made.made_ms - entry.made_ms <= (ring.interval + 1) * 60_000
        book("over power-off" if is_cut else "intervals" if is_whole else "over clock steps", before, now)
    book("before and after", records[-1][1], total)
    sums = Energy(sum(part.imported for part in parts.values()), sum(part.exported for part in parts.values()))
    score.check(sums == total, name, f"increments come to {sums}; the registers say {total}")
    score.add(what=name, found=len(records), due=len(ring.entries), voided=ring.voided, missing_after_cuts=missing)
    for part, energy in parts.items():
        kwh = {f"{way}_kwh": f"{getattr(energy, way) / 100:.2f}" for way in Energy._fields}
        score.add(what=f"increments {part}", count=counts[part], **kwh)
