"""Stand-ins that the tests of both ends of the core link share: clock, line, memory, source and books."""

from __future__ import annotations

import heapq
import random
import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count

import numpy as np

from wattwheel.hil.sampling import SampleBlock, SampleFormat
from wattwheel.metrology.ring import PAGE_OCTETS, RING_OCTETS
from wattwheel.model.core_records import WAVEFORM_POINTS, CoreIdentity, HalfCycleEvent, PhaseWave, Waveform
from wattwheel.model.errors import ItemValueError, StorageError
from wattwheel.model.records import REGISTER_COUNT, ElementReading, Momentary

SECOND_NS = 1_000_000_000
IDENTITY = CoreIdentity("0.1.0", "ab" * 32, 1, 1_000_000)


class WorldClock:
    """Virtual time: moves only when it is told to."""

    def __init__(self) -> None:
        self._now = 5 * SECOND_NS
        self._serial = count()
        self._timers: list[tuple[int, int, Callable[[], None]]] = []

    def now_ns(self) -> int:
        return self._now

    def calendar(self) -> datetime:
        return datetime(2026, 11, 20, tzinfo=UTC) + timedelta(microseconds=self._now // 1000)

    def call_at(self, due_ns: int, action: Callable[[], None]) -> None:
        heapq.heappush(self._timers, (due_ns, next(self._serial), action))

    def advance(self, seconds: float) -> None:
        end = self._now + round(seconds * SECOND_NS)
        while self._timers and self._timers[0][0] <= end:
            due, _, action = heapq.heappop(self._timers)
            self._now = max(self._now, due)
            action()
        self._now = end


class Fate:
    """What a rough line does to each write; probabilities of `chance`."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.is_rough = True

    def strike(self, octets: bytes) -> tuple[bytes, int]:
        """The octets that come out, and after how many ns."""
        if not self.is_rough:
            return octets, 1000
        chance = self.chance
        struck = bytearray(octets)
        for _ in range(chance.choice((0, 0, 1, 2))):
            start = chance.randrange(len(struck) + 1)
            end = min(len(struck), start + chance.choice((1, 1, 2, 30, 400)))
            blow = chance.randrange(5)
            if blow == 0:
                del struck[start:end]
            elif blow == 1:
                struck[start:start] = struck[start:end]
            elif blow == 2:
                struck[start:start] = chance.randbytes(end - start)
            elif blow == 3 and start < end:
                struck[start] ^= 1 << chance.randrange(8)
            elif blow == 4 and start + 1 < end:
                struck[start], struck[end - 1] = struck[end - 1], struck[start]
        return bytes(struck), chance.choice((1000, 1000, 10_000_000, 700_000_000, 2_500_000_000))


class LineEnd:
    """One end of a full-duplex line: an OctetChannel."""

    def __init__(self, clock: WorldClock, fate: Fate) -> None:
        self.name = "line"
        self.dropped = 0
        self.is_closed = False
        self.far: LineEnd = self
        self.sent = bytearray()
        self._clock, self._fate = clock, fate
        self._held = bytearray()
        self._free_ns = 0
        self._action: Callable[[], None] = lambda: None

    def read(self) -> bytes:
        octets = bytes(self._held)
        self._held.clear()
        return octets

    def write(self, octets: bytes) -> None:
        self.sent += octets
        struck, delay = self._fate.strike(octets)
        self._free_ns = max(self._free_ns, self._clock.now_ns() + delay)  # a line keeps the order
        self._clock.call_at(self._free_ns, lambda: self.far.take(struck))

    def take(self, octets: bytes) -> None:
        self._held += octets
        self._action()

    def on_arrival(self, action: Callable[[], None]) -> None:
        self._action = action

    def close(self) -> None:
        self.is_closed = True


def line(clock: WorldClock, fate: Fate | None = None) -> tuple[LineEnd, LineEnd]:
    """Both ends of a line, quiet unless `fate` is rough."""
    quiet = Fate(random.Random(0))
    quiet.is_rough = False
    near, far = LineEnd(clock, fate or quiet), LineEnd(clock, fate or quiet)
    near.far, far.far = far, near
    return near, far


class KillError(Exception):
    """The process died in the middle of a write."""


class Cells:
    """A memory: what a dead process leaves (`written`) and what a cut of the supply leaves (`after_cut`)."""

    def __init__(self, size: int = RING_OCTETS) -> None:
        self.size = size
        self.written = bytearray(size)
        self.synced = bytes(size)
        self.dirty_pages: set[int] = set()
        self.synced_pages: list[int] = []
        self.kill_at_write = 0
        self.failing: set[str] = set()
        self.writes = 0

    def read(self, offset: int, length: int) -> bytes:
        if "read" in self.failing or offset + length > len(self.written):
            raise StorageError("read", "input/output error")
        return bytes(self.written[offset : offset + length])

    def write(self, offset: int, octets: bytes) -> None:
        if "write" in self.failing:
            raise StorageError("write", "no space left on device")
        self.writes += 1
        if self.writes == self.kill_at_write:
            half = len(octets) // 2
            self.written[offset : offset + half] = octets[:half]
            raise KillError
        self.written[offset : offset + len(octets)] = octets
        self.dirty_pages.add(offset // PAGE_OCTETS)

    def sync(self) -> None:
        if "sync" in self.failing:
            raise StorageError("sync", "input/output error")
        self.synced = bytes(self.written)
        self.synced_pages.append(len(self.dirty_pages))
        self.dirty_pages.clear()

    def after_cut(self, chance: random.Random, whole_pages: bool = False) -> Cells:
        """The memory after a cut: octets not synced are old, new, or torn; a torn page may be wrecked entirely."""
        survivor = Cells(self.size)
        survivor.written = bytearray(self.synced)
        for page in sorted(self.dirty_pages):
            start, end = page * PAGE_OCTETS, (page + 1) * PAGE_OCTETS
            if whole_pages:
                survivor.written[start:end] = chance.randbytes(PAGE_OCTETS)
            else:
                tear = chance.randrange(start, end + 1)
                survivor.written[start:tear] = self.written[start:tear]
        return survivor


class SteadySource:
    """1000 samples a second of a sine, from when it was made; `skip` loses some."""

    format = SampleFormat(1000.0, (0.01,), (0.001,))

    def __init__(self, now_ns: int) -> None:
        self._started_ns = now_ns
        self._first = 0
        self.is_finished = False
        self.fault: Exception | None = None

    def skip(self, samples: int) -> None:
        self._first += samples

    def read(self, now_ns: int) -> list[SampleBlock]:
        if self.fault is not None:
            raise self.fault
        due = (now_ns - self._started_ns) // 1_000_000
        blocks = []
        while self._first < due:
            size = min(1000, due - self._first)
            angle = 2 * np.pi * 50.0 * np.arange(self._first, self._first + size) / 1000.0
            voltage = np.rint(31_000 * np.sin(angle)).astype(np.int16).reshape(-1, 1)
            current = np.rint(5_000 * np.sin(angle - 0.5)).astype(np.int16).reshape(-1, 1)
            blocks.append(SampleBlock(self._first, voltage, current, None))
            self._first += size
        return blocks

    def close(self) -> None:
        self.is_finished = True


class CountingBooks:
    """Books whose registers grow by (place + 1) microjoule a sample: exact, and every register tells its place."""

    def __init__(self) -> None:
        self.samples = self.seen = 0
        self.samples_before_momentary = 1000

    def feed(self, block: SampleBlock) -> None:
        self.samples += len(block.voltage)
        self.seen += len(block.voltage)

    def registers(self) -> tuple[int, ...]:
        return tuple(self.samples * (place + 1) for place in range(REGISTER_COUNT))

    def pulses(self) -> tuple[int, int]:
        return self.samples // 10, self.samples // 20

    def momentary(self) -> Momentary | None:
        if self.seen < self.samples_before_momentary:
            return None
        element = ElementReading(voltage_millivolt=219_200)
        return Momentary((ElementReading(), element, ElementReading(), ElementReading()), 50_000)

    def finish(self) -> None:
        self.samples += 7

    def waveform(self) -> Waveform | None:
        wave = PhaseWave(10_000, 1_000_000, tuple(range(WAVEFORM_POINTS)), tuple(range(WAVEFORM_POINTS)))
        return Waveform(50_000, (wave,)) if self.seen else None

    def no_load(self) -> int:
        return 0b0010

    def events(self, since: int) -> list[HalfCycleEvent]:
        return [HalfCycleEvent(number, 0, 1, 10 * number, 3, 88_000) for number in range(since + 1, 4)]

    def to_state(self) -> bytes:
        return struct.pack("<Q", self.samples) + bytes(600)

    def from_state(self, state: bytes) -> None:
        if len(state) != 608:
            raise ItemValueError("state of the books", len(state), "608 octets")
        self.samples = struct.unpack_from("<Q", state)[0]
