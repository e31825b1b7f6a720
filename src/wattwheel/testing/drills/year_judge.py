"""The verdicts of the drill `year`: what was read of the meter against what the reference says."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from datetime import timedelta

from wattwheel.testing.drills.score import Score
from wattwheel.testing.drills.year_account import EPOCH, Registers
from wattwheel.testing.drills.year_diary import LoadRecords, Ring
from wattwheel.testing.drills.year_load import MINUTE_MS, NO_ENERGY, Energy, between, both
from wattwheel.testing.drills.year_reading import Frozen

RECORDS = "load records"
INTERVALS, POWER_OFF, CLOCK_STEPS, ENDS = "of intervals", "over power-off", "over clock steps", "before and after"
PARTS = (INTERVALS, POWER_OFF, CLOCK_STEPS, ENDS)


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


class Increments:
    """Sums of increments of the energy between records, by what lay between them."""

    def __init__(self, score: Score) -> None:
        self._score = score
        self.sums = dict.fromkeys(PARTS, NO_ENERGY)
        self.counts = dict.fromkeys(PARTS, 0)

    def book(self, part: str, before: Energy, now: Energy) -> None:
        """One more."""
        gone = between(before, now)
        self._score.check(min(gone) >= 0, RECORDS, f"{part}: an increment of {gone}")
        self.sums[part] = both(self.sums[part], gone)
        self.counts[part] += 1


def balanced(
    records: Sequence[tuple[int, Energy]], ring: LoadRecords, total: Energy, cuts_ms: Sequence[int], score: Score
) -> None:
    """The total is the sum of all increments: of whole intervals, over power-off, over clock steps, and at both ends.

    `cuts_ms`: when the supply went.
    """
    times = [minute for minute, _ in records]
    score.check(bool(times) and times == sorted(set(times)), RECORDS, "none, two of one minute, or out of order")
    missing = judged({minute: Registers(energy, ()) for minute, energy in records}, ring, score, RECORDS)
    parts = Increments(score)
    last = (0, NO_ENERGY)
    for at, (minute, energy) in enumerate(records):
        parts.book(_part(last[0], minute, ring, cuts_ms) if at else ENDS, last[1], energy)
        last = minute, energy
    parts.book(ENDS, last[1], total)
    sums = Energy(*(sum(getattr(part, way) for part in parts.sums.values()) for way in Energy._fields))
    score.check(sums == total, RECORDS, f"increments come to {sums}; the registers say {total}")
    score.add(what=RECORDS, found=len(records), due=len(ring.entries), voided=ring.voided, missing_after_cuts=missing)
    for part in PARTS:
        kwh = {f"{way}_kwh": f"{getattr(parts.sums[part], way) / 100:.2f}" for way in Energy._fields}
        score.add(what=f"increments {part}", count=parts.counts[part], **kwh)


def _part(minute: int, later: int, ring: LoadRecords, cuts_ms: Sequence[int]) -> str:
    """What lay between two records that follow each other."""
    made = [entry.made_ms for each in (minute, later) if (entry := ring.entries.get(each)) is not None]
    if len(made) == 2 and bisect_left(cuts_ms, made[0]) < bisect_left(cuts_ms, made[1]):
        return POWER_OFF
    is_whole = later - minute == ring.interval and made[-1] - made[0] <= (ring.interval + 1) * MINUTE_MS
    return INTERVALS if is_whole else CLOCK_STEPS
