"""The metering core as a device: samples in, registers kept, core-link octets out.

Theory of operation. A tick reads the samples that are due and books them. Each second of the wall clock, whatever the
speed of the input, a push leaves: first its registers go into the ring, then over the link, so that no total was ever
told that a killed core could forget. The first push holds the restored totals alone and leaves before any sample is
read. A failing memory stops nothing: the fault is told, the registers live on here, and the next push tries again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from wattwheel.hil.clock import Clock
from wattwheel.hil.octets import OctetChannel
from wattwheel.hil.sampling import SampleBlock, SampleSource
from wattwheel.hil.storage import Memory
from wattwheel.metrology.core_calendar import CoreCalendar
from wattwheel.metrology.outputs import REQUESTS, CoreOutputs
from wattwheel.metrology.parts import Ledger, Meter
from wattwheel.metrology.plug import PlugWatch
from wattwheel.metrology.ring import RegisterRing, RingStart
from wattwheel.metrology.saved_state import SavedState
from wattwheel.metrology.switching import OVERTAKEN_MAX
from wattwheel.model.core_records import CoreFault, CoreIdentity, CoreStatus
from wattwheel.model.errors import ItemValueError, RemoteProtocolError, StorageError, WattwheelError
from wattwheel.protocols.corelink import ANSWER, Kind, LinkReader, Message, Side, pack
from wattwheel.protocols.corelink_bodies import (
    WITH_MOMENTARY,
    WITH_STATUS,
    Nominal,
    Result,
    Totals,
    decode_address,
    decode_calendar,
    decode_nominal,
    decode_since,
    encode_events,
    encode_identity,
    encode_momentary,
    encode_status,
    encode_totals,
    encode_waveform,
)
from wattwheel.protocols.corelink_outputs import decode_plug_move

TICK_NS = 200_000_000
FIRST_TICK_NS = 50_000_000
"""Ticks until the first momentary values have been told, so that a meter just switched on shows them soon."""
PUSH_NS = 1_000_000_000
SYNC_NS = 20_000_000_000
PUSH_GAP_MIN_NS = TICK_NS
"""Pushes asked for follow each other no faster than this: each writes a slot."""
ASK_AGAIN_NS = 5_000_000_000
CALENDAR_NS = 600_000_000_000
"""How often the core asks for the calendar once it has it."""

_LASTING = CoreFault.REGISTERS_LOST
"""Faults that a restart does not heal: they are kept with the registers."""


class CoreTiming(NamedTuple):
    """Intervals of the core on the monotonic clock."""

    tick_ns: int = TICK_NS
    push_ns: int = PUSH_NS
    sync_ns: int = SYNC_NS


DEFAULT_TIMING = CoreTiming()


class MeteringCore:
    """One metering core: `start` tells what was restored, `measure` begins to meter, `stop` ends in order.

    Between them it lives on the clock's calls and the link's arrivals. `on_nominal` takes new parameters and returns
    whether they are in force; without it they are refused. `faults` are those known before the start.
    """

    def __init__(
        self,
        clock: Clock,
        memory: Memory,
        link: OctetChannel,
        ledger: Ledger,
        identity: CoreIdentity,
        timing: CoreTiming = DEFAULT_TIMING,
        was_written: bool = False,
        faults: CoreFault = CoreFault(0),  # noqa: B008 - a frozen value
        on_nominal: Callable[[Nominal], bool] | None = None,
        outputs: CoreOutputs | None = None,
        plug: PlugWatch | None = None,
    ) -> None:
        """`was_written`: see `RegisterRing`; `outputs`, `plug`: None: it has none. StorageError: memory too small."""
        self._clock, self._link, self._ledger = clock, link, ledger
        self._identity, self._timing, self._on_nominal = identity, timing, on_nominal
        self._outputs = CoreOutputs() if outputs is None else outputs
        self._plug, self._newest_move = PlugWatch() if plug is None else plug, 0
        self._calendar = CoreCalendar(clock.now_ns())
        self._source: SampleSource | None = None
        self._meter: Meter | None = None
        self._faults = faults
        self._sequence = self._starts = 0
        self._lost_samples = self._unknown = 0
        self._next_sample: int | None = None
        self._ring = RegisterRing(memory, was_written)
        self._restore()
        now = clock.now_ns()
        self._started_ns = self._push_due_ns = self._calendar_due_ns = now
        self._sync_due_ns = now + timing.sync_ns
        self._pushed_ns = now - PUSH_GAP_MIN_NS
        self._is_push_wanted = self._is_stopped = self._has_told_momentary = False
        self._number = now  # so that a restarted core never repeats a number the service remembers
        self._reader = LinkReader(Side.MANAGEMENT)

    def _restore(self) -> None:
        """Registers, starts and push sequence of the newest readable slot; says so when there should be one."""
        if self._ring.damaged:
            self._faults |= CoreFault.MEMORY_DAMAGED
        if self._ring.state is not None:
            try:
                saved = SavedState.from_octets(self._ring.state)
                self._outputs.take_up(saved.pulses)
                self._ledger.from_state(saved.ledger)
                self._starts, self._sequence = saved.starts, saved.sequence
                self._faults |= CoreFault(saved.faults) & _LASTING
                self._plug.take_up(saved.plug)
                self._calendar.take_up(saved.calendar)
            except ItemValueError:
                self._faults |= CoreFault.REGISTERS_LOST
        elif self._ring.start is RingStart.LOST:
            self._faults |= CoreFault.REGISTERS_LOST
        self._starts += 1
        self._outputs.begin(self._clock.now_ns())

    # --- life

    def start(self) -> None:
        """Tell the restored totals at once, then push and answer; nothing is metered yet."""
        self._look_at_plug()
        self._push()
        self._link.on_arrival(self._arrived)
        self._call_tick()
        self._arrived()

    def measure(self, source: SampleSource, meter: Meter) -> None:
        """Meter the samples of `source` from now on."""
        self._source, self._meter = source, meter
        self._identity = msgspec.structs.replace(self._identity, rate_millihertz=round(source.format.rate_hz * 1000))

    def stop(self) -> None:
        """Orderly end: what is due is booked, told, written and forced to the medium."""
        if self._is_stopped:
            return
        self._is_stopped = True
        self._read_samples()
        if self._meter is not None:
            self._meter.finish()
        self._sync_due_ns = self._clock.now_ns()
        self._push()

    def _tick(self) -> None:
        if self._is_stopped:
            return
        now = self._clock.now_ns()
        self._read_samples()
        self._outputs.look(now)
        is_news = not self._has_told_momentary and self._meter is not None and self._meter.momentary() is not None
        if self._look_at_plug() or now >= self._push_due_ns or self._is_push_wanted or is_news:
            self._push()
        for message in self._reader.expire(now):
            self._take(message)
        if now >= self._calendar_due_ns:
            self._calendar_due_ns = now + ASK_AGAIN_NS
            self._ask(Kind.CALENDAR)
            self._ask(Kind.METER_ADDRESS)
        self._call_tick()

    def _look_at_plug(self) -> bool:
        """Record what has happened to the plug; whether a push has to force it to the medium before it is told."""
        now, board_ms = self._clock.now_ns(), self._plug.board_ms()
        is_news = self._plug.look(lambda at_ms: self._calendar.at(at_ms, board_ms, now), max(1, now))
        self._sync_due_ns = min(self._sync_due_ns, now) if is_news else self._sync_due_ns
        return is_news

    def _call_tick(self) -> None:
        tick = self._timing.tick_ns if self._has_told_momentary else FIRST_TICK_NS
        elapsed = self._clock.now_ns() - self._started_ns
        self._clock.call_at(self._started_ns + (elapsed // tick + 1) * tick, self._tick)

    def _read_samples(self) -> None:
        if self._source is None or self._meter is None:
            return
        try:
            blocks = self._source.read(self._clock.now_ns())
        except (WattwheelError, OSError):
            self._faults |= CoreFault.SOURCE_ERROR
            return
        self._faults &= ~CoreFault.SOURCE_ERROR
        if self._source.is_finished:
            self._faults |= CoreFault.SOURCE_FINISHED
        for block in blocks:
            self._note_lost(block)
            self._meter.feed(block)

    def _note_lost(self, block: SampleBlock) -> None:
        if self._next_sample is not None and block.first > self._next_sample:
            self._lost_samples += block.first - self._next_sample
            self._faults |= CoreFault.SAMPLES_LOST
        self._next_sample = block.first + len(block.voltage)

    # --- pushes

    def _push(self) -> None:
        """Write a slot, then tell totals, momentary values and status under one number."""
        now = self._clock.now_ns()
        self._sequence += 1
        is_synced = now >= self._sync_due_ns
        gives = self._outputs.mark(is_synced)
        if self._save(now):
            if gives:
                self._outputs.give()
            if is_synced:
                self._plug.kept()
        self._is_push_wanted = False
        self._pushed_ns = now
        push = self._timing.push_ns
        if now >= self._push_due_ns:
            self._push_due_ns += push * max(1, -(-(now + 1 - self._push_due_ns) // push))
        momentary = self._meter.momentary() if self._meter is not None else None
        contents = WITH_STATUS | (WITH_MOMENTARY if momentary is not None else 0)
        totals = Totals(contents, self._starts, self._ledger.pulses(), self._ledger.registers())
        octets = pack(Side.CORE, Message(Kind.TOTALS, self._sequence, encode_totals(totals)))
        if momentary is not None:
            self._has_told_momentary = True
            octets += pack(Side.CORE, Message(Kind.MOMENTARY, self._sequence, encode_momentary(momentary)))
        self._link.write(octets + pack(Side.CORE, Message(Kind.STATUS, self._sequence, encode_status(self.status()))))

    def _save(self, now: int) -> bool:
        """Write a slot, and force it to the medium when that is due. False: the memory failed."""
        ledger, pulses = self._ledger.to_state(), self._outputs.to_state()
        phases, plug = self._identity.phases, self._plug.to_state()
        calendar = self._calendar.to_state(self._plug.board_ms(), now)
        told = self._faults & _LASTING, self._starts, self._sequence
        state = SavedState(*told, ledger, pulses, phases, plug, calendar)
        try:
            self._ring.write(state.to_octets())
            self._faults &= ~CoreFault.MEMORY_WRITE
        except StorageError:
            self._faults |= CoreFault.MEMORY_WRITE
        if now >= self._sync_due_ns:
            self._sync()
        return not self._faults & CoreFault.MEMORY_WRITE

    def _sync(self) -> None:
        try:
            self._ring.sync()
        except StorageError:
            self._faults |= CoreFault.MEMORY_WRITE
            return  # still due: the next push tries again
        self._sync_due_ns = self._clock.now_ns() + self._timing.sync_ns

    def status(self) -> CoreStatus:
        """Faults and figures of this core now."""
        return CoreStatus(
            int(self._faults),
            self._meter.no_load() if self._meter is not None else 0,
            self._lost_samples,
            (self._clock.now_ns() - self._started_ns) // 1_000_000,
            self._starts,
            self._ring.faults,
            self._ring.damaged,
            self._unknown + self._reader.other_versions,
            *self._outputs.figures(),
            self._plug.records.epoch,
            self._plug.records.count,
        )

    @property
    def calendar_milliseconds(self) -> int | None:
        """The meter's calendar (UTC since 2000-01-01) as the management core told it, None before it did."""
        return self._calendar.told_ms(self._clock.now_ns())

    # --- requests in both directions

    def _arrived(self) -> None:
        while octets := self._link.read():
            for message in self._reader.feed(octets, self._clock.now_ns()):
                self._take(message)

    def _take(self, message: Message) -> None:
        kind = message.kind
        try:
            if kind in _ANSWERS:
                self._answer(message, *_ANSWERS[kind](self, message.body))
            elif kind in REQUESTS:
                self._read_samples()  # what has flowed up to now flowed as the outputs stood
                self._answer(message, self._outputs.answer(kind, message.body, self._clock.now_ns()), b"")
            elif kind in (Kind.CALENDAR | ANSWER, Kind.METER_ADDRESS | ANSWER):
                self._take_answer(message)
            else:
                self._unknown += 1
        except RemoteProtocolError:
            self._unknown += 1
            if kind in _ANSWERS or kind in REQUESTS:
                self._answer(message, Result.BAD_REQUEST, b"")

    def _answer(self, request: Message, result: Result, body: bytes) -> None:
        answer = Message(request.kind | ANSWER, request.number, bytes([result]) + body)
        self._link.write(pack(Side.CORE, answer))

    def _ask(self, kind: Kind) -> None:
        self._number += 1
        self._link.write(pack(Side.CORE, Message(kind, self._number, b"")))

    def _take_answer(self, message: Message) -> None:
        if message.body[:1] != bytes([Result.GOOD]):
            return
        now = self._clock.now_ns()
        if message.kind == Kind.CALENDAR | ANSWER:
            calendar = decode_calendar(message.body[1:])
            self._calendar.tell(calendar.milliseconds if calendar.is_valid else None, now)
        else:
            address = decode_address(message.body[1:])
            self._identity = msgspec.structs.replace(self._identity, meter_address=address)
        if self._calendar.told_ms(now) is not None and self._identity.meter_address:
            self._calendar_due_ns = now + CALENDAR_NS

    def _identify(self, body: bytes) -> tuple[Result, bytes]:
        return Result.GOOD, encode_identity(self._identity)

    def _waveform(self, body: bytes) -> tuple[Result, bytes]:
        waveform = self._meter.waveform() if self._meter is not None else None
        return (Result.NOT_AVAILABLE, b"") if waveform is None else (Result.GOOD, encode_waveform(waveform))

    def _push_now(self, body: bytes) -> tuple[Result, bytes]:
        if self._clock.now_ns() - self._pushed_ns >= PUSH_GAP_MIN_NS:
            self._push()
        else:
            self._is_push_wanted = True  # at the next tick
        return Result.GOOD, b""

    def _set_nominal(self, body: bytes) -> tuple[Result, bytes]:
        nominal = decode_nominal(body)
        is_taken = self._on_nominal is not None and self._on_nominal(nominal)
        return Result.GOOD if is_taken else Result.REFUSED, b""

    def _plug_records(self, body: bytes) -> tuple[Result, bytes]:
        return Result.GOOD, self._plug.records.to_octets()

    def _move_plug(self, body: bytes) -> tuple[Result, bytes]:
        number, state = decode_plug_move(body)
        if self._plug.plug is None:
            return Result.NOT_AVAILABLE, b""
        if not 0 < self._newest_move - number <= OVERTAKEN_MAX:
            self._newest_move = number
            if not self._plug.plug.move(state):
                return Result.REFUSED, b""
            if self._look_at_plug():
                self._push()
        return self._plug_records(b"")

    def _half_cycles(self, body: bytes) -> tuple[Result, bytes]:
        since = decode_since(body)
        return Result.GOOD, encode_events(self._meter.events(since) if self._meter is not None else [])


_ANSWERS: dict[int, Callable[[MeteringCore, bytes], tuple[Result, bytes]]] = {
    Kind.IDENTIFY: MeteringCore._identify,
    Kind.WAVEFORM: MeteringCore._waveform,
    Kind.PUSH_NOW: MeteringCore._push_now,
    Kind.SET_NOMINAL: MeteringCore._set_nominal,
    Kind.HALF_CYCLES: MeteringCore._half_cycles,
    Kind.PLUG_RECORDS: MeteringCore._plug_records,
    Kind.MOVE_PLUG: MeteringCore._move_plug,
}
