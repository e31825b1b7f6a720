"""What a year leaves in a meter's rings: load records, freezes and settlement periods, each once, with its registers.

Plain rules on turns of a minute. An entry that was made so shortly before a cut of the supply that it need not have
been on the medium is *unsure*: it may be missing, or have been made anew when the supply was back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta

from wattwheel.testing.drills.year_account import DAY_MINUTES, EPOCH, Registers

HOUR_MINUTES = 60
UNSAVED_MS = 90_000
"""What is not made durable at once is on the medium after so long: a minute, and the push that ends it."""
AT_ONCE_MS = 5000
LATE_MINUTES, STEP_BACK_MINUTES = 5, 1
MISSED_DAYS_MAX = 7
SETTLED_MAX = 12
ONE_MINUTE = timedelta(minutes=1)


class Entry:
    """One entry: the registers that it may have, when it was made, and whether it must be there."""

    __slots__ = ("is_sure", "made_ms", "values")

    def __init__(self, registers: Registers, made_ms: int) -> None:
        self.values, self.made_ms, self.is_sure = [registers], made_ms, True


class Ring:
    """Entries by their nominal minute. `unsaved_ms`: how long one may not be on the medium."""

    def __init__(self, unsaved_ms: int) -> None:
        self.entries: dict[int, Entry] = {}
        self._unsaved_ms = unsaved_ms

    def add(self, minute: int, registers: Registers, at_ms: int) -> None:
        """One more, unless it is there already."""
        known = self.entries.get(minute)
        if known is None:
            self.entries[minute] = Entry(registers, at_ms)
        elif not known.is_sure:
            known.values.append(registers)
            known.is_sure = True

    def cut(self, at_ms: int) -> None:
        """The supply was cut."""
        for entry in reversed(self.entries.values()):
            if entry.made_ms <= at_ms - self._unsaved_ms:
                break
            entry.is_sure = False

    def made_anew(self, registers: Registers, at_ms: int) -> None:
        """What is unsure is made up for."""
        for minute in [minute for minute, entry in self.entries.items() if not entry.is_sure]:
            self.add(minute, registers, at_ms)


class LoadRecords(Ring):
    """One record each `interval` minutes; when the clock goes back, what is later than it is void.

    Attributes:
        interval: see above.
        voided: how many records were.
    """

    def __init__(self, interval: int) -> None:
        super().__init__(UNSAVED_MS)
        self.interval = interval
        self._minute: int | None = None
        self.voided = 0

    def pass_turn(self, minute: int) -> None:
        """A turn of a minute at which nothing is due."""
        self._minute = minute

    def turn(self, minute: int, registers: Callable[[], Registers], at_ms: int, is_seen: bool = True) -> None:
        """A turn of a minute; not `is_seen`: there was no supply yet when it came, and nothing is recorded of it."""
        if self._minute is None or minute < self._minute:
            self._void_after(minute)
        self._minute = minute
        if is_seen and not minute % self.interval:
            self.add(minute, registers(), at_ms)

    def clock_set(self, minute: int) -> None:
        """The first push after the clock was set: one that goes back further than a minute voids what is later."""
        if self._minute is not None and minute < self._minute - STEP_BACK_MINUTES:
            self._void_after(minute)
            self._minute = minute

    def _void_after(self, minute: int) -> None:
        while self.entries and next(reversed(self.entries)) > minute:
            self.entries.popitem()
            self.voided += 1

    def cut(self, at_ms: int) -> None:
        """The supply was cut."""
        super().cut(at_ms)
        self._minute = None


class Diary:
    """All rings.

    Attributes:
        load, hourly, daily, timed, settled: see there; `agreed`: by DI2 of the kind.
    """

    def __init__(self, interval: int, timed: tuple[int, int, int], settles: tuple[int, int]) -> None:
        """`timed`: day, hour and minute of each month; `settles`: day and hour of each month."""
        self.load = LoadRecords(interval)
        self.hourly, self.daily, self.timed, self.settled = (Ring(AT_ONCE_MS) for _ in range(4))
        self.agreed = {kind: Ring(AT_ONCE_MS) for kind in (0x02, 0x03, 0x05, 0x07)}
        self._timed, self._settles = timed, settles
        self._minute: int | None = None
        self._daily_until: int | None = None
        self._looked: int | None = None
        self.passed_over = 0

    @property
    def rings(self) -> Iterable[Ring]:
        """All of them."""
        return (self.load, self.hourly, self.daily, self.timed, self.settled, *self.agreed.values())

    def cut(self, at_ms: int) -> None:
        """The supply was cut."""
        for ring in self.rings:
            ring.cut(at_ms)
        self._minute = None

    def is_due(self, minute: int) -> bool:
        """Whether a turn to `minute`, one after the last turn, leaves anything."""
        return not minute % 15 or self._is_timed(minute) or self._minute != minute - 1

    def pass_turn(self, minute: int) -> None:
        """A turn of a minute at which nothing is due."""
        self._minute = minute
        self.load.pass_turn(minute)

    def look(self, minute: int, was_set: bool, registers: Callable[[], Registers], at_ms: int) -> bool:
        """A push that may settle. True: it does. The first one does not, nor the first after the clock `was_set`."""
        before, self._looked = self._looked, minute
        if before is None:
            return False
        if was_set:
            self.passed_over += sum(1 for _ in self._settlements(before, minute))
            return False
        due = [at for at in self._settlements(before, minute) if at not in self.settled.entries]
        for at in due[-SETTLED_MAX:]:
            self.settled.add(at, registers(), at_ms)
        return bool(due)

    def _settlements(self, after: int, until: int) -> Iterable[int]:
        day, hour = self._settles
        first = after + 1
        for at in range(-(-first // HOUR_MINUTES) * HOUR_MINUTES, until + 1, HOUR_MINUTES):
            time = EPOCH + at * ONE_MINUTE
            if (time.day, time.hour) == (day, hour):
                yield at

    def _is_timed(self, minute: int) -> bool:
        if minute % HOUR_MINUTES != self._timed[2]:
            return False
        time = EPOCH + minute * ONE_MINUTE
        return (time.day, time.hour, time.minute) == self._timed

    def turn(self, minute: int, registers: Callable[[], Registers], at_ms: int, is_seen: bool = True) -> None:
        """A turn of a minute; the first one after the supply came makes up for what was missed.

        Not `is_seen`: there was no supply yet when the minute came. What is made each few minutes, each hour, or at a
        time of the month, is not made up for.
        """
        before, self._minute = self._minute, minute
        self.load.turn(minute, registers, at_ms, is_seen)
        if before is None:
            for ring in (self.daily, self.settled, *self.agreed.values()):
                ring.made_anew(registers(), at_ms)
        is_running = before is not None and 0 < minute - before <= LATE_MINUTES
        since = before if before is not None and is_running else minute - is_seen
        for at in range(since + 1, minute + 1):
            if not at % HOUR_MINUTES:
                self.hourly.add(at, registers(), at_ms)
            if self._is_timed(at):
                self.timed.add(at, registers(), at_ms)
        self._freeze_days(minute, registers, at_ms)

    def _freeze_days(self, minute: int, registers: Callable[[], Registers], at_ms: int) -> None:
        until = minute - 1 if self._daily_until is None else min(self._daily_until, minute)
        newest = minute // DAY_MINUTES * DAY_MINUTES
        missed = [newest - day * DAY_MINUTES for day in range(MISSED_DAYS_MAX)]
        for at in sorted(at for at in missed if at > until):
            self.daily.add(at, registers(), at_ms)
            until = at
        self._daily_until = until
