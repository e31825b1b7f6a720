"""Energy pulses on their way out: from the registers to a sink, each once.

Theory of operation. The number of pulses follows from the registers (`metrology.pulses`). What has become due is given
only once the registers that it follows from are in the ring. A sink that remembers (a file) is asked after a start what
it has; where it cannot be asked (a line, a pipe), the ring holds the number up to which pulses may have been given,
written and synced before they are. So a core that dies never gives a pulse again, and in the first case loses none; in
the second it may lose those of the one batch that it died over. Pulses that were due and not given before a death have
lost their instants: they follow at once.
"""

from __future__ import annotations

import struct
from collections import deque
from typing import NamedTuple

from wattwheel.hil.pulses import Pulse, PulseSink
from wattwheel.metrology.pulses import PULSES_STATE_OCTETS, WIDTH_S, Pulses, TestOutput, flash_width_s
from wattwheel.model.errors import ItemValueError

KINDS = ("active", "reactive")
SECOND_NS = 1_000_000_000
WAITING_MAX = 100_000
"""Pulses that wait for the medium; the oldest give way."""
OWED_MAX = 20_000
"""Pulses that a start gives for those before it. More were not missed by a death: the sink is another one."""

_GIVEN = struct.Struct("<QQ")
_UNHEARD = struct.Struct("<QQQQ")


class Unheard(NamedTuple):
    """Numbers of pulses of a kind that are never given, above `after` up to `last`: no core has metered their energy.

    They are those of a simulation, which counts and gives nothing.
    """

    after: int = 0
    last: int = 0

    def closed_up(self, number: int) -> int:
        """How many up to `number` are to be given."""
        return number - max(0, min(number, self.last) - self.after)

    def opened(self, given: int) -> int:
        """The first number up to which so many are to be given."""
        return given if given <= self.after else given + self.last - self.after


class _Stretch(NamedTuple):
    start: int
    end: int


class PulseOutput:
    """What is due of each kind, and what was given.

    Attributes:
        given, dropped: pulses and signals since the start, and those that nobody took.
    """

    def __init__(self, sink: PulseSink, maximum_power_w: float) -> None:
        """`maximum_power_w`: of the whole meter; pulses are shorter where they come closer than two of them at it."""
        self._sink, self._maximum_w = sink, maximum_power_w
        self._waiting: deque[Pulse] = deque(maxlen=WAITING_MAX)
        self._ready = 0
        self._told = [0, 0]  # numbers up to which pulses are waiting or were given
        self.marks = (0, 0)
        self._signals: dict[str, int] = {}
        self._lamps: list[TestOutput] = []
        self.given = self.dropped = 0

    @property
    def remembers(self) -> bool:
        """Of the sink."""
        return self._sink.remembers

    def begin(
        self,
        counts: tuple[int, int],
        marks: tuple[int, int] | None,
        now_ns: int,
        unheard: tuple[Unheard, Unheard] = (Unheard(), Unheard()),
    ) -> None:
        """Start at `counts`; `marks`: what the core before it may have given, None: it gave none."""
        start = counts if marks is None else marks
        for place, (kind, never) in enumerate(zip(KINDS, unheard, strict=True)):
            known = self._sink.last(kind) if marks is not None else None
            begun, count = never.closed_up(start[place]), never.closed_up(counts[place])
            if known is not None and abs(count - never.closed_up(known)) <= OWED_MAX:
                begun = never.closed_up(known)
            self._told[place] = never.opened(begun) if count - begun <= OWED_MAX else counts[place]
        self.marks = self._told[0], self._told[1]
        for place, (count, never) in enumerate(zip(counts, unheard, strict=True)):
            for end in (min(count, never.after), count):
                self.take(place, [now_ns] * max(0, end - self._told[place]), end)
                if end == never.after:
                    self._told[place] = max(self._told[place], never.last)

    def shape(self, constants: tuple[int, int], width_ms: int) -> None:
        """Let pulses be so wide from now on, or as wide as there is room for at maximum load."""
        widths = [flash_width_s(constant, self._maximum_w, width_ms / 1000) for constant in constants]
        self._lamps = [TestOutput(SECOND_NS, width_s) for width_s in widths]

    def take(self, place: int, instants_ns: list[int], count: int) -> None:
        """Pulses have become due at `instants_ns`, the last of which has the number `count`."""
        new = count - self._told[place]
        if new <= 0:
            return
        self._told[place] = count
        number = count - len(instants_ns[-new:])
        for on, off in self._lamps[place].light(instants_ns[-new:]):
            number += 1
            self._waiting.append(Pulse(KINDS[place], on, off - on, number))

    def told(self, place: int) -> int:
        """Number of the last pulse of a kind that waits or was given."""
        return self._told[place]

    def mark(self) -> None:
        """What waits now is about to be given."""
        self._ready, self.marks = len(self._waiting), (self._told[0], self._told[1])

    def give(self) -> None:
        """Give what was marked: the marks are in the ring."""
        if self._ready:
            pulses = [self._waiting.popleft() for _ in range(min(self._ready, len(self._waiting)))]
            self._ready = 0
            self._give(pulses)

    def signal(self, kind: str, start_ns: int) -> None:
        """Give a pulse of the multi-function terminal."""
        number = self._signals[kind] = self._signals.get(kind, 0) + 1
        self._give([Pulse(kind, start_ns, round(WIDTH_S * SECOND_NS), number)])

    def _give(self, pulses: list[Pulse]) -> None:
        dropped = self._sink.give(pulses)
        self.given += len(pulses) - dropped
        self.dropped += dropped


class PulseCounters:
    """Active and reactive pulses of a core, and their output where it has one."""

    def __init__(self, active_imp_per_kwh: int, reactive_imp_per_kvarh: int, output: PulseOutput | None = None) -> None:
        """Raises ConfigError for an impossible meter constant."""
        self._pulses = Pulses(active_imp_per_kwh), Pulses(reactive_imp_per_kvarh)
        self._width_ms = round(WIDTH_S * 1000)
        self._marks: tuple[int, int] | None = None
        self._unheard = Unheard(), Unheard()
        self._timing = (0, 0.0)
        self.output = output

    @property
    def counts(self) -> tuple[int, int]:
        """Pulses of each kind since the registers stood at zero."""
        return self._pulses[0].count, self._pulses[1].count

    @property
    def constants(self) -> tuple[int, int]:
        """Pulses a kWh, and a kvarh."""
        return self._pulses[0].constant, self._pulses[1].constant

    def count_up(self, fine: tuple[int, int]) -> None:
        """Count to the registers `fine`, however far they have gone, and give nothing."""
        for pulses, energy in zip(self._pulses, fine, strict=True):
            pulses.count_up(energy)

    def begin(self, now_ns: int) -> None:
        """The registers that were restored have been counted: what comes from now on is new."""
        if self.output is not None:
            self.output.shape(self.constants, self._width_ms)
            self.output.begin(self.counts, self._marks, now_ns, self._unheard)

    def start_samples(self, origin_ns: int, ns_per_tick: float) -> None:
        """The tick 0 of the windows that are booked from now on lies at `origin_ns`."""
        self._timing = origin_ns, ns_per_tick

    def book(self, fine: tuple[int, int], start: int, end: int) -> None:
        """Count to the registers `fine` behind a window from tick `start` to `end`."""
        if self.output is None:
            self.count_up(fine)
            return
        origin_ns, scale = self._timing
        stretch = _Stretch(origin_ns + round(start * scale), origin_ns + round(end * scale))
        for place, (pulses, energy) in enumerate(zip(self._pulses, fine, strict=True)):
            if instants := pulses.book(energy, stretch):
                self.output.take(place, instants, pulses.count)

    def set(self, constants: tuple[int, int], width_ms: int, now_ns: int) -> None:
        """Other constants and another width, at once: no energy is lost. Raises ConfigError."""
        self._width_ms = width_ms
        for pulses, constant in zip(self._pulses, constants, strict=True):
            pulses.set_constant(constant)
        if self.output is not None:
            self.output.shape(self.constants, width_ms)
            for place, count in enumerate(self.counts):
                self.output.take(place, [now_ns] * max(0, count - self.output.told(place)), count)

    def to_state(self) -> bytes:
        """What has to be kept; nothing as long as no pulse is given and no constant was set."""
        if self.output is None and not any(each.was_changed for each in self._pulses):
            return b""
        return self._state(None if self.output is None else self.output.marks)

    def to_state_unheard(self, since: tuple[int, int]) -> bytes:
        """`to_state` of a core that had counted to `since` when it began to count for nobody, and no output has had."""
        if self._marks is None:
            return self.to_state()
        before = self._unheard
        self._unheard = (
            Unheard(before[0].after if before[0].last == since[0] else since[0], self.counts[0]),
            Unheard(before[1].after if before[1].last == since[1] else since[1], self.counts[1]),
        )
        return self._state(self._marks)

    def _state(self, marks: tuple[int, int] | None) -> bytes:
        states = b"".join(each.to_state() for each in self._pulses)
        if marks is None:
            return states
        return states + _GIVEN.pack(*marks) + _UNHEARD.pack(*self._unheard[0], *self._unheard[1])

    def take_up(self, octets: bytes) -> None:
        """Continue from `to_state`, before the registers are counted. Raises ItemValueError."""
        self._marks, self._unheard = None, (Unheard(), Unheard())
        if not octets:
            return
        both, given = 2 * PULSES_STATE_OCTETS, 2 * PULSES_STATE_OCTETS + _GIVEN.size
        if len(octets) not in (both, given, given + _UNHEARD.size):
            found = f"{len(octets)} octets"
            raise ItemValueError("state of the pulses", found, f"{both}, {given} or {given + _UNHEARD.size}")
        for place, pulses in enumerate(self._pulses):
            pulses.take_up(octets[place * PULSES_STATE_OCTETS : (place + 1) * PULSES_STATE_OCTETS])
        if len(octets) > both:
            self._marks = _GIVEN.unpack_from(octets, both)
        if len(octets) > given:
            numbers = _UNHEARD.unpack_from(octets, given)
            self._unheard = Unheard(*numbers[:2]), Unheard(*numbers[2:])
