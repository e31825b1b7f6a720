"""The metering core of the time machine: what a load of one row a minute leaves in the registers at any instant.

Closed form instead of samples and pushes: the registers at an instant are those at the beginning of its row plus its
power times the rest, exact in microjoule at each millisecond. Like the real core it forces its registers to the medium
every `sync_ns`, and comes back from a cut of the supply with those of the last time.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import accumulate
from operator import add
from typing import NamedTuple

from wattwheel.boot.minute_pulses import MinutePulses
from wattwheel.boot.sim_core import FREQUENCY_MILLIHERTZ, quadrant_register
from wattwheel.drivers.sim.load_file import LoadRow
from wattwheel.metrology.device import SYNC_NS
from wattwheel.model.records import REGISTER_COUNT, REGISTERS, ElementReading, Momentary, directed

ROW_MS = 60_000
MILLISECOND_NS = 1_000_000
NOTHING = (0,) * len(REGISTERS)
PHASES = 3
SWITCHED_MAX = 64
"""Positions of the relay that are remembered: a cut asks for what flowed some seconds ago."""
NANOWATT_PER_MILLIWATT = 1_000_000


class _Column(NamedTuple):
    """One register of the total.

    Attributes:
        place: in `REGISTERS`.
        rates: by row, in milliwatt.
        before: by row, what the rows before it give, in microjoule; at the end what all of them give.
    """

    place: int
    rates: Sequence[int]
    before: Sequence[int]


class MinuteLoad:
    """What flows, from `origin_ms` on: `rows` one after the other, again and again with `repeats`, else then nothing.

    `phases` 1: all of it on phase a; 3: a third on each.
    """

    def __init__(self, rows: Sequence[LoadRow], origin_ms: int, repeats: bool, phases: int = 1) -> None:
        assert rows
        assert phases in (1, PHASES)
        self._origin_ms, self._repeats, self._phases = origin_ms, repeats, phases
        silent = LoadRow(0, 0, rows[-1].voltage_millivolt, 0)
        self._rows = rows if repeats else [*rows, silent]
        rates = [_rates(row) for row in self._rows]
        self._flowing = [
            _Column(place, each, array("q", accumulate((rate * ROW_MS for rate in each), initial=0)))
            for place, each in enumerate(zip(*rates, strict=True))
            if any(each)
        ]
        self._momentary: dict[LoadRow, Momentary] = {}

    def flowed(self, at_ms: int) -> tuple[int, ...]:
        """The registers of the total in microjoule of what has flowed from the origin until `at_ms`."""
        row, passes, rest_ms = self._place(at_ms)
        found = list(NOTHING)
        for place, rates, before in self._flowing:
            found[place] = before[row] + rates[row] * rest_ms + passes * before[-1]
        return tuple(found)

    def next_change_ms(self, at_ms: int) -> int:
        """When the first row after `at_ms` begins."""
        return self._origin_ms + ((at_ms - self._origin_ms) // ROW_MS + 1) * ROW_MS

    def _place(self, at_ms: int) -> tuple[int, int, int]:
        """Row, how often all rows were played before it, and the milliseconds of the row that are over."""
        minute, rest_ms = divmod(max(0, at_ms - self._origin_ms), ROW_MS)
        if self._repeats:
            passes, row = divmod(minute, len(self._rows))
            return row, passes, rest_ms
        last = len(self._rows) - 1
        return min(minute, last), 0, rest_ms

    def momentary(self, at_ms: int) -> Momentary:
        """What flows at `at_ms`."""
        return self._momentary_of(self._rows[self._place(at_ms)[0]])

    def without_load(self, at_ms: int) -> Momentary:
        """What a meter measures at `at_ms` that is cut off from it: the voltage."""
        row = self._rows[self._place(at_ms)[0]]
        return self._momentary_of(LoadRow(0, 0, row.voltage_millivolt, 0))

    def _momentary_of(self, row: LoadRow) -> Momentary:
        found = self._momentary.get(row)
        if found is None:
            if len(self._momentary) > ROW_MS:
                self._momentary.clear()
            found = self._momentary[row] = _momentary_of(row, self._phases)
        return found

    def elements(self, total: tuple[int, ...]) -> tuple[int, ...]:
        """The registers of all elements that belong to those of the total."""
        if self._phases == 1:
            return total + total + NOTHING + NOTHING
        a, b, c = (tuple((register + place) // PHASES for register in total) for place in range(PHASES))
        return total + a + b + c


def _rates(row: LoadRow) -> tuple[int, ...]:
    rates = dict.fromkeys(REGISTERS, 0)
    direction = "import" if row.active_milliwatt >= 0 else "export"
    rates[f"{direction}_active"] = abs(row.active_milliwatt)
    rates[f"{direction}_apparent"] = abs(row.voltage_millivolt * row.current_microampere) // NANOWATT_PER_MILLIWATT
    rates[quadrant_register(row.active_milliwatt, row.reactive_millivar)] += abs(row.reactive_millivar)
    return tuple(rates.values())


def _momentary_of(row: LoadRow, phases: int) -> Momentary:
    p, q = row.active_milliwatt // phases, row.reactive_millivar // phases
    current = abs(row.current_microampere) // phases
    apparent = row.voltage_millivolt * current // 1_000_000
    factor = max(-1_000_000, min(1_000_000, p * 1_000_000 // apparent)) if apparent else 1_000_000
    phase = ElementReading(row.voltage_millivolt, directed(current, p), p, q, apparent, factor)
    total = ElementReading(None, None, row.active_milliwatt, row.reactive_millivar, apparent * phases, factor)
    others = phase if phases == PHASES else ElementReading()
    return Momentary((total, phase, others, others), FREQUENCY_MILLIHERTZ)


class _Switched(NamedTuple):
    at_ms: int
    passed: tuple[int, ...]
    offered: tuple[int, ...]


class MinuteCore:
    """Registers over a `MinuteLoad`, with the life of a real metering core: switched on, off, and cut.

    Attributes:
        starts, sequence: as the core tells them.
        lost_microjoule: the registers of the total of what flowed and was forgotten by cuts.
        faults: those that its memory keeps.
        pulses: that follow from the registers; None: nobody has said under which constants.
        plug: octets of its plug records.
        is_open: the relay in front of the load is open: nothing flows. It keeps its position without supply.
    """

    def __init__(self, load: MinuteLoad, elements: Sequence[int] = (), sync_ns: int = SYNC_NS) -> None:
        """`elements`: all registers that were in the memory."""
        self.load = load
        self.starts = self.sequence = self.faults = 0
        self.pulses: MinutePulses | None = None
        self.plug = b""
        self.lost_microjoule = NOTHING
        self.is_open = False
        self._switched: list[_Switched] = []
        self._base = tuple(elements) or (0,) * REGISTER_COUNT
        self._booked = NOTHING  # of the load, until it was switched off last
        self._since_ms: int | None = None
        self._began = NOTHING
        self._sync_ms = sync_ns // MILLISECOND_NS

    def switch_on(self, at_ms: int) -> None:
        """The supply comes back."""
        assert self._since_ms is None
        self.starts += 1
        self._since_ms, self._began = at_ms, self.flowed(at_ms)

    def switch(self, at_ms: int, is_open: bool) -> None:
        """Open the relay or close it, at or after the last time."""
        if is_open is not self.is_open:
            passed = self.flowed(at_ms)
            self._switched = [*self._switched[-SWITCHED_MAX:], _Switched(at_ms, passed, self.load.flowed(at_ms))]
            self.is_open = is_open

    def flowed(self, at_ms: int) -> tuple[int, ...]:
        """The registers of the total in microjoule of what has flowed through the relay until `at_ms`."""
        is_open = self.is_open
        for switched in reversed(self._switched):
            if switched.at_ms <= at_ms:
                if is_open:
                    return switched.passed
                now = self.load.flowed(at_ms)
                return tuple(
                    [own + new - old for own, new, old in zip(switched.passed, now, switched.offered, strict=True)]
                )
            is_open = not is_open
        return self.load.flowed(at_ms)

    def momentary(self, at_ms: int) -> Momentary:
        """What flows through the relay at `at_ms`."""
        return self.load.without_load(at_ms) if self.is_open else self.load.momentary(at_ms)

    def booked(self, at_ms: int) -> tuple[int, ...]:
        """The registers of the total of what was metered of the load until `at_ms`."""
        if self._since_ms is None:
            return self._booked
        now = self.flowed(at_ms)
        return tuple([own + new - old for own, new, old in zip(self._booked, now, self._began, strict=True)])

    def registers(self, at_ms: int) -> tuple[int, ...]:
        """The registers of all elements at `at_ms`."""
        return tuple(map(add, self._base, self.load.elements(self.booked(at_ms))))

    def switch_off(self, at_ms: int) -> None:
        """An orderly end: everything is kept."""
        self._booked, self._since_ms = self.booked(at_ms), None

    def cut(self, at_ms: int) -> None:
        """The supply is cut: the registers of the last sync stand, what flowed after it is lost."""
        assert self._since_ms is not None
        synced_ms = at_ms - (at_ms - self._since_ms) % self._sync_ms
        kept, flowed = self.booked(synced_ms), self.booked(at_ms)
        lost = (now - before for now, before in zip(flowed, kept, strict=True))
        self.lost_microjoule = tuple(map(add, self.lost_microjoule, lost))
        self._booked, self._since_ms = kept, None
        if self.pulses is not None:
            self.pulses.cut(synced_ms)
