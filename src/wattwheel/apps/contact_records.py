"""Records of what the contacts and inputs tell: which event each of them makes, and its octets. Pure."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from wattwheel.apps.event_records import second_octets
from wattwheel.apps.functions import Turn
from wattwheel.model.contacts import Contact
from wattwheel.model.energy_items import register_view
from wattwheel.model.event_ring import COUNT_MAX, EventRing, count_octets
from wattwheel.model.reporting import Report

TIME_OCTETS, ENERGY_OCTETS = 6, 4
SECONDS_MAX = 60 * COUNT_MAX
CHANGES_WAITING_MAX = 16
"""Changes of one contact that are kept until the next look; of more, the newest go in pairs."""

SECOND_NS = 1_000_000_000
CLOCK_STEP_S = 2
"""Seconds between times of the clock that may be so many more or fewer than have passed; else the clock was set."""

WHOLE_CLASS, WHOLE_FAMILY = 0xFF, 0xFFFF
ALL_EVENTS = 0xFFFFFFFF
COVER_ENERGIES, MAGNETIC_ENERGIES = 6, 2
"""Registers in a record, before and after: all of the total's, or the active ones."""

COVER_DELAY_S, MAGNETIC_DELAY_S, INPUT_DELAY_S = 1, 5, 60
CLOCK_DELAY_S = 5
CHIP_DI, CLOCK_DI = 0xB0490000, 0xB0480000
"""Ours, for DL/T 645-2007 has none: B0, then the number of the event in the table of events, two digits."""


class Watched(NamedTuple):
    """What is made of a contact.

    Attributes:
        count_di: of its count; the records follow it.
        delay_s: how long its state must last.
        energies: registers in its records, before and after.
        has_minutes: the count is followed by the accumulated minutes.
        report: bit of the active reporting status word; None: it has none.
    """

    count_di: int
    delay_s: int
    energies: int = 0
    has_minutes: bool = False
    report: Report | None = None

    def is_named(self, di: int) -> bool:
        """Whether an event clear of `di` means it."""
        is_family = self.count_di & 0xFFFF == 0
        named = (ALL_EVENTS, self.count_di | WHOLE_CLASS)
        return di in named or (is_family and di == self.count_di | WHOLE_FAMILY)


WATCHED: dict[str, Watched] = {
    Contact.METER_COVER: Watched(0x03300D00, COVER_DELAY_S, COVER_ENERGIES, report=Report.METER_COVER),
    Contact.TERMINAL_COVER: Watched(0x03300E00, COVER_DELAY_S, COVER_ENERGIES, report=Report.TERMINAL_COVER),
    Contact.AUXILIARY_SUPPLY: Watched(0x03060000, INPUT_DELAY_S, has_minutes=True, report=Report.AUXILIARY_SUPPLY),
    Contact.MAGNETIC_FIELD: Watched(0x03350000, MAGNETIC_DELAY_S, MAGNETIC_ENERGIES, report=Report.MAGNETIC_FIELD),
    Contact.INTERNAL_SUPPLY: Watched(0x03370000, INPUT_DELAY_S, report=Report.INTERNAL_SUPPLY),
    Contact.METERING_CHIP: Watched(CHIP_DI, INPUT_DELAY_S, has_minutes=True),
}


CLOCK = "clock"
CLOCK_FAULT: dict[str, Watched] = {CLOCK: Watched(CLOCK_DI, CLOCK_DELAY_S, has_minutes=True, report=Report.CLOCK_FAULT)}
"""In the 2020 profile alone; nobody can tell it, the readings do."""


class Told(msgspec.Struct, frozen=True, array_like=True):
    """One contact.

    Attributes:
        is_on: it says what is an event.
        delay: whether that counts as an event, and for how many seconds it has been otherwise.
        ring: the records.
        seconds: how long all events lasted that have ended.
        since: local second since 2000 at which the one that lasts began.
        changes: what was told since the last look, in order: the local second of it, and the state from then on.
        changed_at: the local second of the newest change; 0: none was ever told.
        changes_ns: the instants of `changes` in the meter's own time (`RegisterImage.at_ns`), by which delays are
            judged whatever the clock is set to; as many as there are changes, or they are not known.
        looked: local second and instant of the newest change that was looked at; 0: not known.
    """

    is_on: bool = False
    delay: tuple[bool, int] = (False, 0)
    ring: EventRing = EventRing()
    seconds: int = 0
    since: int = 0
    changes: tuple[tuple[int, bool], ...] = ()
    changed_at: int = 0
    changes_ns: tuple[int, ...] = ()
    looked: tuple[int, int] = (0, 0)

    @property
    def _is_timed(self) -> bool:
        return len(self.changes_ns) == len(self.changes)

    def changed(self, is_on: bool, second: int, at_ns: int | None = None) -> Told:
        """As it is once it was told to be in a state from the local second `second` on, the instant `at_ns`.

        Changes come in order of time: one that is told with an earlier time than the one before counts from that on.
        A clock that was set back in between does not make it earlier.
        """
        if is_on is self.is_on:
            return self
        known = self.changes_ns if self._is_timed else ()
        if self.changes:
            last = self.changes[-1][0]
            if at_ns is None or not known or (at_ns < known[-1] and second <= last):
                second = max(second, last)
                at_ns = None if at_ns is None or not known else known[-1]
            elif at_ns < known[-1]:  # the machine's clock began anew
                known = self._moved(at_ns - (second - last) * SECOND_NS)
        is_full = len(self.changes) >= CHANGES_WAITING_MAX  # then it is as it was before the newest of them
        changes = self.changes[:-1] if is_full else (*self.changes, (second, is_on))
        instants = () if at_ns is None else known[:-1] if is_full else (*known, at_ns)
        return msgspec.structs.replace(self, is_on=is_on, changes=changes, changed_at=second, changes_ns=instants)

    def _moved(self, newest_ns: int) -> tuple[int, ...]:
        """The instants of the changes, as far apart as they are, the newest at `newest_ns`."""
        return tuple(newest_ns - (self.changes_ns[-1] - at_ns) for at_ns in self.changes_ns)

    def powered_up(self, second: int, at_ns: int) -> Told:
        """With the instants of what waits told by the clock that runs since the power-up, its first push being then."""
        if not (self.changes and self._is_timed):
            return self
        newest_ns = at_ns - max(0, second - self.changes[-1][0]) * SECOND_NS
        return msgspec.structs.replace(self, changes_ns=self._moved(newest_ns))

    def resumed(self) -> Told:
        """After a restart: a change that was looked at, and whose delay is not over as far as is known, waits again."""
        is_on = not self.changes[0][1] if self.changes else self.is_on
        looked_at, looked_ns = self.looked
        if is_on is self.delay[0] or not (looked_at or (self.changed_at and not self.changes)):
            return self
        is_known = looked_at and looked_ns and self._is_timed
        changes = ((looked_at or self.changed_at, is_on), *self.changes)
        instants = (looked_ns, *self.changes_ns) if is_known else ()
        return msgspec.structs.replace(self, delay=(self.delay[0], 0), changes=changes, changes_ns=instants)

    def parted(self, second: int, at_ns: int, is_stale: bool, is_watched: bool) -> tuple[Told, int]:
        """As it was at a push of that time, and how many of the changes are later: they wait for another one.

        `is_stale`: the core is silent, and nobody can look but at an old push; of what `is_watched` all waits then.
        """
        if not (self.changes and self._is_timed):
            return self, 0
        told = zip(self.changes, self.changes_ns, strict=True)
        waits = [own_ns > at_ns and (own >= second or is_stale) for (own, _), own_ns in told]
        if is_stale and is_watched:
            waits[0] = True
        count = len(waits) - waits.index(True) if True in waits else 0
        if not count:
            return self, 0
        due = len(waits) - count
        is_on = not self.changes[due][1]
        return msgspec.structs.replace(
            self, is_on=is_on, changes=self.changes[:due], changes_ns=self.changes_ns[:due]
        ), count

    def _ages(self, second: int, at_ns: int | None) -> list[int]:
        """How many seconds ago the changes were: by the clock, or as they have passed where it was set since."""
        changes = self.changes or ((self.changed_at, self.is_on),)
        ages = [second - at for at, _ in changes]
        if self.changes and self._is_timed and at_ns is not None:
            passed = [round((at_ns - own_ns) / SECOND_NS) for own_ns in self.changes_ns]
            if any(abs(age - by_clock) > CLOCK_STEP_S for age, by_clock in zip(passed, ages, strict=True)):
                ages = passed
        return [max(1, age) for age in ages]

    def runs(
        self, second: int, seconds: int, is_watched: bool, at_ns: int | None = None
    ) -> list[tuple[bool, int, int]]:
        """The looks up to the local second `second` that find what was told: state, how many looks, how many after.

        `seconds`: how many looks are due; `is_watched`, without supply too: it is looked at from its first change on;
        `at_ns`: the instant. Where the clock was set since a change, the looks after it are counted so that they have
        the times of the clock as it was.
        """
        changes = self.changes or ((self.changed_at, self.is_on),)
        ages = self._ages(second, at_ns)
        span = max(seconds, ages[0]) if is_watched else seconds
        ends = [min(age, span) for age in (*ages, 0)]
        states = [not changes[0][1], *(state for _, state in changes)]
        begins = [span, *ends[:-1]]
        steps = [at + age - second for (at, _), age in zip(changes, ages, strict=True)] if self.changes else [0]
        ahead = [step if abs(step) > CLOCK_STEP_S else 0 for step in (steps[0], *steps)]
        each = zip(states, begins, ends, ahead, strict=True)
        return [(state, begin - end, end - step) for state, begin, end, step in each if begin > end]

    def flipped(self, watched: Watched, second: int, turn: Turn) -> Told:
        """As it is once an event has begun, or ended, with `second`."""
        is_begin = not self.delay[0]
        lasted = 0 if is_begin else max(0, second - self.since)
        return msgspec.structs.replace(
            self,
            delay=(is_begin, 0),
            ring=recorded(self.ring, watched, is_begin, second, turn),
            seconds=min(SECONDS_MAX, self.seconds + lasted),
            since=second if is_begin else 0,
        )

    def items(self, watched: Watched, second: int) -> dict[int, bytes]:
        """Identifier to octets of count and records at the local second `second`."""
        items = self.ring.items(watched.count_di)
        if watched.has_minutes:
            lasts = max(0, second - self.since) if self.delay[0] else 0
            items[watched.count_di] += count_octets(min(SECONDS_MAX, self.seconds + lasts) // 60)
        return items


def recorded(ring: EventRing, watched: Watched, is_begin: bool, second: int, turn: Turn) -> EventRing:
    """The ring with a record that begins, or with the newest one completed."""
    registers = turn.image.totals[: watched.energies]
    energies = b"".join(count_octets(register_view(register), ENERGY_OCTETS) for register in registers)
    time = second_octets(second)
    if is_begin:
        return ring.added(time + bytes(TIME_OCTETS) + energies + bytes(len(energies)))
    if not ring.records:  # cleared while it lasted
        return ring
    before = ring.records[0]
    return ring.replaced(before[:TIME_OCTETS] + time + before[2 * TIME_OCTETS :][: len(energies)] + energies)
