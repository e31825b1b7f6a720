"""A metering core in a simulated world: the device itself with its ring and its link, over a scripted load.

Energy comes from a closed form instead of samples: a minute costs what its pushes cost. The device, its register ring,
its messages and its restarts are the real ones.
"""

from __future__ import annotations

import random
import struct
from bisect import bisect_right
from collections.abc import Sequence
from math import atan2, degrees, isqrt, radians, sin, sqrt
from typing import Any, NamedTuple, cast

from wattwheel.drivers.sim.clock import SimClock
from wattwheel.drivers.sim.loop import Killed, SimLoop
from wattwheel.drivers.sim.octets import SimChannel, SimWire
from wattwheel.drivers.sim.plug import SimPlug, board_clock
from wattwheel.drivers.sim.relay import SimRelay
from wattwheel.drivers.sim.storage import SimDisk, SimMemory
from wattwheel.hil.pulses import PulseSink
from wattwheel.hil.sampling import SampleBlock, SampleFormat
from wattwheel.metrology.device import DEFAULT_TIMING, CoreTiming, MeteringCore
from wattwheel.metrology.energy import FINE_BITS
from wattwheel.metrology.outputs import CoreOutputs
from wattwheel.metrology.plug import PlugWatch
from wattwheel.metrology.pulse_output import PulseCounters, PulseOutput
from wattwheel.metrology.ring import RING_OCTETS
from wattwheel.model.core_records import WAVEFORM_POINTS, CoreIdentity, HalfCycleEvent, PhaseWave, Waveform
from wattwheel.model.errors import StorageError
from wattwheel.model.records import QUADRANTS, REGISTER_COUNT, REGISTERS, ElementReading, Momentary, directed

MILLISECOND_NS = 1_000_000
RESTART_NS = 100_000_000
"""From the death of a core to its next start, as the board does it."""

VOLTAGE_MILLIVOLT, FREQUENCY_MILLIHERTZ = 220_000, 50_000
PHASES = 3
POINT_MAX = 32_767
IMP_PER_KWH = 6400
MAXIMUM_POWER_W = 39_600.0  # 60 A in each phase

_STATE = struct.Struct(f"<{REGISTER_COUNT}Q")


class _Span(NamedTuple):
    from_ms: int
    before_microjoule: tuple[int, ...]
    milliwatt: tuple[int, ...]  # rate of each register, one microjoule a millisecond
    momentary: Momentary


def quadrant_register(active: int, reactive: int) -> str:
    """Register that reactive energy of this direction goes to: I for P >= 0 and Q >= 0, then counterclockwise."""
    if active >= 0:
        return "reactive_q1" if reactive >= 0 else "reactive_q4"
    return "reactive_q2" if reactive >= 0 else "reactive_q3"


TURN = 120_000
"""From a phase to the next, millidegrees."""


class Shown(NamedTuple):
    """What a core measures beside the powers.

    Attributes:
        millivolt: of the phases.
        microampere: of the phases; None: as the powers need.
        is_reversed: the voltages turn a-c-b.
        neutral_microampere: as a core measures it that has a channel for it; None: it has none.
    """

    millivolt: Sequence[int] = (VOLTAGE_MILLIVOLT,) * PHASES
    microampere: Sequence[int] | None = None
    is_reversed: bool = False
    neutral_microampere: int | None = 0


NOMINAL = Shown()


class Load:
    """What flows through the meter: constant powers, changed at any instant. Exact in microjoule at each millisecond.

    It goes on whether a metering core lives or not: it is the truth that no register may exceed.
    """

    def __init__(self, clock: SimClock) -> None:
        self._clock = clock
        self._from_ms = [0]
        self._spans = [_span_of(0, (0,) * REGISTER_COUNT, (0,) * PHASES, (0,) * PHASES)]
        self._wanted: tuple[Sequence[int], Sequence[int], Shown] = ((0,) * PHASES, (0,) * PHASES, NOMINAL)
        self._is_cut_off = False

    def now_ms(self) -> int:
        """Milliseconds on the world's clock."""
        return self._clock.now_ns() // MILLISECOND_NS

    def set(
        self,
        active_milliwatt: Sequence[int],
        reactive_millivar: Sequence[int] = (0,) * PHASES,
        shown: Shown = NOMINAL,
    ) -> None:
        """Let these powers flow through the phases a, b, c from now on; negative active power is exported.

        `shown`: the other quantities; they do not change what flows. Behind an open relay it waits.
        """
        self._wanted = active_milliwatt, reactive_millivar, shown
        self._begin_span()

    def switch(self, is_cut_off: bool) -> None:
        """The relay has opened, so nothing flows, or has closed again; the voltages stay."""
        self._is_cut_off = is_cut_off
        self._begin_span()

    def _begin_span(self) -> None:
        active_milliwatt, reactive_millivar, shown = self._wanted
        if self._is_cut_off:
            active_milliwatt = reactive_millivar = (0,) * PHASES
            shown = shown._replace(microampere=None)
        now = self.now_ms()
        span = _span_of(now, self.registers(now), active_milliwatt, reactive_millivar, shown)
        if self._from_ms[-1] == now:
            self._spans[-1] = span
        else:
            self._from_ms.append(now)
            self._spans.append(span)

    def registers(self, at_ms: int | None = None) -> tuple[int, ...]:
        """The registers in microjoule that a meter shows at `at_ms` (now) if it has metered all the time."""
        at = self.now_ms() if at_ms is None else at_ms
        span = self._spans[bisect_right(self._from_ms, at) - 1]
        elapsed = at - span.from_ms
        return tuple(
            before + rate * elapsed for before, rate in zip(span.before_microjoule, span.milliwatt, strict=True)
        )

    def momentary(self) -> Momentary:
        """What flows now."""
        return self._spans[-1].momentary


def _shape(active: int, reactive: int) -> dict[str, int]:
    """Phase angle, and distortion of a load without harmonics."""
    angle = round(degrees(atan2(reactive, active)) * 1000) % 360_000
    return {"phase_angle_millidegree": angle, "thd_voltage_millipercent": 0, "thd_current_millipercent": 0}


def _wave(phase: int, element: ElementReading) -> PhaseWave:
    lag = radians(360 * phase / PHASES)
    behind = radians((element.phase_angle_millidegree or 0) / 1000)
    voltage, current = element.voltage_millivolt or 0, abs(element.current_microampere or 0)
    return PhaseWave(
        max(1, round(1000 * voltage * sqrt(2) / POINT_MAX)),
        max(1, round(1000 * current * sqrt(2) / POINT_MAX)),
        _sine(lag) if voltage else (0,) * WAVEFORM_POINTS,
        _sine(lag + behind) if current else (0,) * WAVEFORM_POINTS,
    )


def _sine(behind: float) -> tuple[int, ...]:
    steps = range(WAVEFORM_POINTS)
    return tuple(round(POINT_MAX * sin(radians(360 * step / WAVEFORM_POINTS) - behind)) for step in steps)


def _span_of(
    at_ms: int, before: tuple[int, ...], active: Sequence[int], reactive: Sequence[int], shown: Shown = NOMINAL
) -> _Span:
    assert len(active) == len(reactive) == PHASES
    rates: list[int] = []
    elements: list[ElementReading] = []
    of_phases = [isqrt(p * p + q * q) for p, q in zip(active, reactive, strict=True)]
    powers_of = ((sum(active), sum(reactive), sum(of_phases)), *zip(active, reactive, of_phases, strict=True))
    for number, (p, q, apparent) in enumerate(powers_of):
        own, direction = dict.fromkeys(REGISTERS, 0), "import" if p >= 0 else "export"
        own[f"{direction}_active"], own[f"{direction}_apparent"] = abs(p), apparent
        own[quadrant_register(p, q)] = abs(q)
        rates += own.values()
        powers = {
            **(_shape(p, q) if number else {}),
            "active_power_milliwatt": p,
            "reactive_power_millivar": q,
            "apparent_power_millivoltampere": apparent,
            "power_factor_millionth": p * 1_000_000 // apparent if apparent else 1_000_000,
        }
        if number:
            voltage = shown.millivolt[number - 1]
            current = apparent * 1_000_000 // voltage if voltage else 0
            if shown.microampere is not None:
                current = shown.microampere[number - 1]
            turn = (TURN if shown.is_reversed else -TURN) * (number - 1) % (PHASES * TURN)
            elements.append(ElementReading(voltage, directed(current, p), **powers, voltage_angle_millidegree=turn))
        else:
            elements.append(ElementReading(**powers))
    a, b, c = elements[1:]
    momentary = Momentary((elements[0], a, b, c), FREQUENCY_MILLIHERTZ, shown.neutral_microampere, shown.is_reversed)
    return _Span(at_ms, before, tuple(rates), momentary)


class LoadSource:
    """`hil.sampling.SampleSource` of a load: a sample a millisecond, of which only the number counts."""

    format = SampleFormat(1000.0, (1.0,) * PHASES, (1.0,) * PHASES)

    def __init__(self, load: Load) -> None:
        self._load = load
        self._next = load.now_ms()
        self.is_finished = False

    def read(self, now_ns: int) -> list[SampleBlock]:
        """All milliseconds that are over, at most a second of them a block."""
        blocks = []
        end = now_ns // MILLISECOND_NS
        while self._next < end:
            size = min(1000, end - self._next)
            stand_in = cast(Any, range(size))  # the device asks for its length only
            blocks.append(SampleBlock(self._next, stand_in, stand_in, None))
            self._next += size
        return blocks

    def close(self) -> None:
        """Give the source back."""
        self.is_finished = True


class LoadBooks:
    """Ledger and signal chain in one (`metrology.device.Ledger` and `.Meter`): books what the load says."""

    def __init__(self, load: Load, sink: PulseSink | None = None) -> None:
        """`sink`: where pulses go; None: they are only counted."""
        self._load = load
        self._registers = (0,) * REGISTER_COUNT
        output = None if sink is None else PulseOutput(sink, MAXIMUM_POWER_W)
        self.counters = PulseCounters(IMP_PER_KWH, IMP_PER_KWH, output)
        self.counters.start_samples(0, MILLISECOND_NS)
        self._has_fed = False

    def feed(self, block: SampleBlock) -> None:
        """Book the energy of the block's milliseconds."""
        before, after = self._load.registers(block.first), self._load.registers(block.first + len(block.voltage))
        self._registers = tuple(own + b - a for own, a, b in zip(self._registers, before, after, strict=True))
        self.counters.book(self._fine(), block.first, block.first + len(block.voltage))
        self._has_fed = True

    def _fine(self) -> tuple[int, int]:
        """What the test outputs count, in 2**-32 microjoule."""
        return sum(self._registers[:2]) << FINE_BITS, sum(self._registers[QUADRANTS]) << FINE_BITS

    def finish(self) -> None:
        """Nothing is open."""

    def registers(self) -> tuple[int, ...]:
        """The registers in microjoule."""
        return self._registers

    def pulses(self) -> tuple[int, int]:
        """Active and reactive test pulses since the first start."""
        return self.counters.counts

    def momentary(self) -> Momentary | None:
        """What flows now, None before the first sample."""
        return self._load.momentary() if self._has_fed else None

    def waveform(self) -> Waveform | None:
        """One cycle of what flows: pure sines."""
        momentary = self._load.momentary()
        waves = [_wave(number, element) for number, element in enumerate(momentary.elements[1:])]
        return Waveform(momentary.frequency_millihertz or FREQUENCY_MILLIHERTZ, tuple(waves))

    def no_load(self) -> int:
        """One bit an element without power."""
        elements = self._load.momentary().elements
        return sum(1 << number for number, element in enumerate(elements) if not element.active_power_milliwatt)

    def events(self, since: int) -> list[HalfCycleEvent]:
        """There are none."""
        return []

    def to_state(self) -> bytes:
        """The registers."""
        return _STATE.pack(*self._registers)

    def from_state(self, state: bytes) -> None:
        """Continue from `to_state`. Raises StorageError."""
        if len(state) != _STATE.size:
            raise StorageError("restore registers", f"state of {len(state)} octets; expected {_STATE.size}")
        self._registers = _STATE.unpack(state)
        self.counters.count_up(self._fine())


class SimCore:
    """The metering core as a process of the world: it can be killed at any instant, and the board starts it again.

    Attributes:
        books: registers of the living core, or those that the last one died with.
        is_held_down: while True a dead core is not started again.
        starts: how often it was started.
        relay: in front of the load; it keeps its position whatever happens to the core. None: there is none.
        sink: where its pulses go; it outlives the core. None: nowhere.
        plug: of the management module, whose board has a clock.
        faults: what it raised and must not have.
    """

    def __init__(
        self,
        clock: SimClock,
        chance: random.Random,
        disk: SimDisk,
        wire: SimWire,
        load: Load,
        timing: CoreTiming = DEFAULT_TIMING,
        has_relay: bool = False,
        sink: PulseSink | None = None,
    ) -> None:
        self._clock, self._chance, self._disk = clock, chance, disk
        self.relay = SimRelay(on_moved=load.switch) if has_relay else None
        self._wire, self._load, self._timing, self.sink = wire, load, timing, sink
        self.plug = SimPlug(None, board_clock(clock))
        self.books = LoadBooks(load)
        self.is_held_down = False
        self.starts = 0
        self._loop: SimLoop | None = None
        self._memory: SimMemory | None = None
        self._core: MeteringCore | None = None
        self.faults: list[BaseException] = []

    @property
    def is_alive(self) -> bool:
        """True from a start until the next death."""
        return self._loop is not None

    def start(self) -> None:
        """Start the core, as the board does. Nothing when it lives or is held down."""
        if self._loop is not None or self.is_held_down:
            return
        self.starts += 1
        loop = SimLoop(self._clock, self._chance)
        loop.on_crash = self._crashed
        self._loop = loop
        loop.call_at(self._clock.now_ns(), self._begin)

    def _begin(self) -> None:
        assert self._loop is not None
        self._memory = SimMemory(self._disk, RING_OCTETS, "ring")
        books = LoadBooks(self._load, self.sink)
        link = SimChannel(self._wire.near, self._loop, "core")
        identity = CoreIdentity("0.1.0", "", PHASES, 1_000_000)
        core = MeteringCore(
            *(self._loop, self._memory, link, books, identity, self._timing),
            was_written=self.starts > 1,
            outputs=CoreOutputs(self.relay, books.counters),
            plug=PlugWatch(self.plug),
        )
        self.books = books
        core.start()
        core.measure(LoadSource(self._load), books)
        self._core = core

    def _crashed(self, fault: BaseException) -> None:
        if not isinstance(fault, Killed):
            self.faults.append(fault)
        self.kill()

    def kill(self) -> None:
        """It dies; what it has written stays. The board starts it again a little later."""
        if self._loop is None:
            return
        self._let_go()
        self._clock.call_at(self._clock.now_ns() + RESTART_NS, self.start)

    def _let_go(self) -> None:
        assert self._loop is not None
        self._loop.end()
        self._loop = self._core = None
        self._wire.near.on_news = None
        if self._memory is not None:
            self._memory.die()
            self._memory = None

    def kill_within(self, operations: int | None) -> None:
        """It dies at the link operation that comes after `operations` others; None: it does not."""
        if self._loop is not None:
            self._loop.fuse = operations

    def stop(self) -> None:
        """Orderly end: everything is booked, told and forced to the medium. It is not started again by itself."""
        if self._core is not None:
            self._core.stop()
        if self._loop is not None:
            self._let_go()

    def lose_power(self) -> None:
        """The supply has been cut: nothing is given back, what was not synced is as the disk left it."""
        if self._loop is not None:
            self._loop.end()
        self._loop = self._core = self._memory = None
        self._wire.near.on_news = None
