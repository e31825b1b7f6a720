"""The metering service at the other end of a quiet, a rough and a cut link."""

from __future__ import annotations

import random
from collections.abc import Callable

import msgspec
import pytest
from tests.metrology.world import (
    IDENTITY,
    SECOND_NS,
    Cells,
    CountingBooks,
    Fate,
    LineEnd,
    SteadySource,
    WorldClock,
    line,
)

from wattwheel.apex import messages as bus_messages
from wattwheel.apex.messages import Control
from wattwheel.apex.partition import StartContext
from wattwheel.hil.process import BodySpec, QueuingPortSpec, SamplingPortSpec
from wattwheel.metrology.device import MeteringCore
from wattwheel.model.core_records import (
    CORE_REPORT_DI,
    HALF_CYCLES_DI,
    WAVEFORM_DI,
    CoreFault,
    CoreReport,
    CoreStatus,
    HalfCycleEvent,
    Waveform,
)
from wattwheel.model.event_ring import count_octets
from wattwheel.model.harmonics import contents
from wattwheel.model.records import REGISTER_COUNT, Quality, Readings
from wattwheel.protocols.corelink import ANSWER, Kind, LinkReader, Message, Side, pack
from wattwheel.protocols.corelink_bodies import (
    WITH_STATUS,
    Result,
    Totals,
    decode_address,
    decode_calendar,
    encode_status,
    encode_totals,
)
from wattwheel.services.metering import CORE_LINK, ERR_NO_DATA, ERR_OTHER, READINGS_PORT, start
from wattwheel.services.metering_link import (
    ASKS_MAX,
    CLOCK_PATIENCE_NS,
    LATE_IN_A_ROW_MAX,
    LOOK_NS,
    MISSED_MAX,
    OVERDUE_MAX,
    ClockState,
    MeteringLink,
)


class Service:
    """A MeteringLink on one end of a line, looked at as the partition does; `readings` is what it published."""

    def __init__(self, clock: WorldClock, end: LineEnd) -> None:
        self.clock, self.end = clock, end
        self.readings: list[Readings] = []
        self.is_dead = False
        self.link = MeteringLink(clock, end.write, self.readings.append, lambda: "202611200001")
        end.on_arrival(self.drain)
        self.look()

    def drain(self) -> None:
        if not self.is_dead:
            self.link.arrived(self.end.read())

    def look(self) -> None:
        if not self.is_dead:
            self.link.look()
            self.clock.call_at(self.clock.now_ns() + LOOK_NS, self.look)

    @property
    def newest(self) -> Readings:
        return self.readings[-1]

    def count(self, name: str) -> int:
        return self.link.counters().get(name, 0)


class Both:
    """Core and service on one line; either side can die and come back."""

    def __init__(self, fate: Fate | None = None) -> None:
        self.clock = WorldClock()
        self.near, self.far = line(self.clock, fate)
        self.cells = Cells()
        self.core = self.books = None
        self.start_core()
        self.service = Service(self.clock, self.far)

    def start_core(self) -> None:
        if self.core is not None:
            self.core._is_stopped = True  # dead: nothing more is written or told
            self.near.on_arrival(lambda: None)
        self.books = CountingBooks()
        self.core = MeteringCore(self.clock, self.cells, self.near, self.books, IDENTITY)
        self.core.start()
        self.core.measure(SteadySource(self.clock.now_ns()), self.books)

    def start_service(self) -> None:
        self.service.is_dead = True
        self.service = Service(self.clock, self.far)


def test_every_push_is_published_whole_with_what_the_core_holds() -> None:
    both = Both()
    both.clock.advance(0.05)
    for _ in range(30):
        both.clock.advance(1)
        newest = both.service.newest
        assert newest.totals.microjoule == both.books.registers()
        assert newest.pulses == both.books.pulses()
        assert newest.quality is Quality.VALID
    assert newest.momentary == both.books.momentary()
    assert newest.calendar_s == pytest.approx((26 * 365 + 7 + 323) * 86400 + newest.at_ns / 1e9, abs=0.01)
    assert len(both.service.readings) == both.service.count("pushes") == 32  # one was asked for
    assert both.service.count("pushes_lost") == both.service.count("pushes_missed") == 0


def test_the_first_readings_are_there_at_once_after_a_restart_of_either_side() -> None:
    both = Both()
    both.clock.advance(7.5)
    both.start_core()
    both.clock.advance(0.01)
    assert both.service.newest.totals.microjoule == both.books.registers()
    assert both.service.count("core_restarts") == 1
    both.clock.advance(0.5)
    both.start_service()
    both.clock.advance(0.3)
    assert both.service.newest.quality is Quality.VALID


def test_three_missed_pushes_make_the_readings_stale_and_the_next_one_valid() -> None:
    both = Both()
    both.clock.advance(5.05)
    published = len(both.service.readings)
    both.core._is_stopped = True
    both.clock.advance(MISSED_MAX + 0.3)
    assert len(both.service.readings) == published
    both.clock.advance(0.3)
    stale = both.service.newest
    assert len(both.service.readings) == published + 1
    assert stale.quality is Quality.STALE
    assert stale.totals == both.service.readings[-2].totals
    assert stale.at_ns == both.service.readings[-2].at_ns
    both.clock.advance(100)
    assert len(both.service.readings) == published + 1
    assert both.service.count("went_stale") == 1
    assert both.service.count("pushes_missed") in (103, 104)
    both.start_core()
    both.clock.advance(0.01)
    assert both.service.newest.quality is Quality.VALID


def test_no_readings_before_the_first_push() -> None:
    clock = WorldClock()
    service = Service(clock, line(clock)[1])
    clock.advance(60)
    assert service.readings == []
    assert service.link.report().quality is Quality.INVALID
    assert service.count("pushes_missed") > 50
    assert service.count("asks_unanswered") > 5


def test_nothing_is_published_before_the_meters_time_is_known_and_then_at_once() -> None:
    both = Both()
    clock = ClockState(is_known=False)
    both.service.link._clock_state = lambda: clock
    both.clock.advance(2.5)
    assert both.service.readings == []
    clock = ClockState(changes=4, is_lost=True)
    both.service.link.clock_heard()
    assert [(each.quality, each.clock_changes, each.is_clock_lost) for each in both.service.readings] == [
        (Quality.VALID, 4, True)
    ]
    both.service.link.clock_heard()
    assert len(both.service.readings) == 1
    both.clock.advance(1)
    assert len(both.service.readings) == 2


def test_a_time_that_nobody_tells_is_not_waited_for_any_longer_than_its_patience() -> None:
    both = Both()
    both.service.link._clock_state = lambda: ClockState(is_known=False)
    both.clock.advance(CLOCK_PATIENCE_NS / SECOND_NS + 1.1)
    assert both.service.newest.quality is Quality.VALID


def test_totals_of_a_core_that_comes_back_lower_are_held_until_it_passes_them() -> None:
    both = Both()
    both.clock.advance(30.5)
    held = both.service.newest.totals.microjoule
    both.cells = both.cells.after_cut(random.Random(4), whole_pages=True)  # ten seconds were not synced
    both.start_core()
    both.clock.advance(0.04)
    short = held[-1] - both.books.registers()[-1]
    assert short > 0
    assert both.service.newest.totals.microjoule == held
    assert both.service.link.report().behind_microjoule == short
    assert both.service.count("totals_fell") == 1
    seconds = 0
    while both.service.newest.totals.microjoule == held:
        both.clock.advance(1)
        seconds += 1
    assert 8 <= seconds <= 12
    assert both.service.newest.totals.microjoule == both.books.registers()
    assert both.service.link.report().behind_microjoule == 0


def test_a_register_that_stands_still_does_not_hold_the_others_back() -> None:
    clock = WorldClock()
    near, far = line(clock)
    service = Service(clock, far)
    for number, registers in enumerate(((1000, 50), (990, 40), (1010, 40)), 1):
        totals = Totals(0, number, (0, 0), registers + (0,) * (REGISTER_COUNT - 2))
        near.write(pack(Side.CORE, Message(Kind.TOTALS, number, encode_totals(totals))))
        clock.advance(0.1)
    assert [r.totals.microjoule[:2] for r in service.readings] == [(1000, 50), (1000, 50), (1010, 50)]


def test_a_core_that_says_it_has_lost_its_registers_is_believed() -> None:
    clock = WorldClock()
    near, far = line(clock)
    service = Service(clock, far)
    pushes = ((1000, 0), (990, CoreFault.MEMORY_DAMAGED), (5, CoreFault.REGISTERS_LOST), (7, CoreFault.REGISTERS_LOST))
    for number, (register, faults) in enumerate(pushes, 1):
        totals = Totals(WITH_STATUS, number, (0, 0), (register,) + (0,) * (REGISTER_COUNT - 1))
        status = CoreStatus(faults=int(faults))
        near.write(pack(Side.CORE, Message(Kind.TOTALS, number, encode_totals(totals))))
        near.write(pack(Side.CORE, Message(Kind.STATUS, number, encode_status(status))))
        clock.advance(0.1)
    assert [r.totals.microjoule[0] for r in service.readings] == [1000, 1000, 5, 7]
    assert service.link.report().behind_microjoule == 0
    assert service.count("registers_lost") == 1


def test_a_push_without_its_momentary_values_still_books_energy() -> None:
    clock = WorldClock()
    near, far = line(clock)
    service = Service(clock, far)
    near.write(pack(Side.CORE, Message(Kind.TOTALS, 1, encode_totals(Totals(3, 1, (0, 0), (7,) * REGISTER_COUNT)))))
    clock.advance(0.2)
    assert service.readings == []
    clock.advance(0.3)
    assert service.newest.totals.microjoule == (7,) * REGISTER_COUNT
    assert service.newest.momentary is None
    assert service.count("pushes_incomplete") == 1


def test_late_pushes_are_ignored_until_they_can_only_come_from_a_core_that_lost_its_count() -> None:
    clock = WorldClock()
    near, far = line(clock)
    service = Service(clock, far)

    def push(number: int, value: int) -> None:
        body = encode_totals(Totals(0, 1, (0, 0), (value,) * REGISTER_COUNT))
        near.write(pack(Side.CORE, Message(Kind.TOTALS, number, body)))
        clock.advance(0.1)

    push(1000, 500)
    for number in range(1, LATE_IN_A_ROW_MAX + 1):
        push(number, 600)
    assert service.newest.totals.microjoule[0] == 500
    assert service.count("pushes_late") == LATE_IN_A_ROW_MAX
    push(LATE_IN_A_ROW_MAX + 1, 600)
    assert service.newest.totals.microjoule[0] == 600


def test_the_cores_questions_are_answered() -> None:
    clock = WorldClock()
    near, far = line(clock)
    Service(clock, far)
    for number, kind in enumerate((Kind.CALENDAR, Kind.METER_ADDRESS, 0x2F), 1):
        near.write(pack(Side.CORE, Message(kind, number, b"")))
    clock.advance(0.01)
    answers = {m.kind: m.body for m in LinkReader(Side.MANAGEMENT).feed(near.read()) if m.kind & ANSWER}
    assert decode_calendar(answers.pop(Kind.CALENDAR | ANSWER)[1:]).milliseconds > 800_000_000_000
    assert decode_address(answers.pop(Kind.METER_ADDRESS | ANSWER)[1:]) == "202611200001"
    assert answers == {}


def test_an_answer_that_comes_late_is_told_from_one_that_nobody_asked_for() -> None:
    clock = WorldClock()
    near, far = line(clock)
    service = Service(clock, far)

    def asked(seconds: float) -> list[Message]:
        clock.advance(seconds)
        return [each for each in LinkReader(Side.MANAGEMENT).feed(near.read()) if each.kind == Kind.WAVEFORM]

    def answer(kind: int, number: int) -> tuple[int, int]:
        near.write(pack(Side.CORE, Message(kind | ANSWER, number, bytes((Result.NOT_AVAILABLE,)))))
        clock.advance(0.01)
        return service.count("answers_late"), service.count("answers_unexpected")

    answers: list[Result | None] = []
    for _ in range(2):
        assert service.link.ask(Kind.WAVEFORM, b"", lambda result, body: answers.append(result))
    (first,) = {each.number for each in asked(0.01)[:1]}
    assert answer(Kind.WAVEFORM, first) == (0, 0)
    assert answers == [Result.NOT_AVAILABLE]
    numbers = [each.number for each in asked(2)]  # the other one's second try
    assert answers == [Result.NOT_AVAILABLE, None]
    assert answer(Kind.HALF_CYCLES, first + 1) == (0, 1)  # its number, and another question
    assert [answer(Kind.WAVEFORM, number) for number in (*numbers, first + 1)] == [(1, 1), (2, 1)]
    assert answer(Kind.WAVEFORM, numbers[0] + 1000) == (2, 2)
    assert answers == [Result.NOT_AVAILABLE, None]
    for _ in range(3 * OVERDUE_MAX // ASKS_MAX):
        for _ in range(ASKS_MAX):
            service.link.ask(Kind.WAVEFORM, b"", lambda result, body: None)
        clock.advance(1)
    assert len(service.link._overdue) == OVERDUE_MAX


def test_requests_are_bounded_and_given_up() -> None:
    clock = WorldClock()
    _, far = line(clock)
    service = Service(clock, far)
    clock.advance(2)
    silent: list[Result | None] = []
    asked = [service.link.ask(Kind.WAVEFORM, b"", lambda result, body: silent.append(result)) for _ in range(20)]
    assert asked.count(True) in (ASKS_MAX, ASKS_MAX - 1)
    clock.advance(1)
    assert silent == [None] * asked.count(True)


def test_no_octets_of_a_core_raise() -> None:
    clock = WorldClock()
    service = Service(clock, line(clock)[1])
    chance = random.Random(8)
    for number in range(4200):
        kind = chance.choice([*Kind, *(kind | ANSWER for kind in Kind), chance.randrange(256)])
        body = chance.randbytes(chance.choice((0, 1, 7, 9, 41, 63, 213, 270, chance.randrange(400))))
        service.link.arrived(pack(Side.CORE, Message(kind, chance.choice((number, 0, 2**64 - 1)), body)))
    assert service.count("bodies_refused") > 100
    assert service.count("messages_unknown") > 100


def check_readings(readings: list[Readings], floor: tuple[int, ...], truth: tuple[int, ...]) -> tuple[int, ...]:
    """The last of `readings`, none of which fell below the one before or stands above the core."""
    for published in readings:
        registers = published.totals.microjoule
        assert all(new >= old for new, old in zip(registers, floor, strict=True)), "fell"
        assert all(new <= true for new, true in zip(registers, truth, strict=True)), "above the core"
        floor = registers
    return floor


def run_rough_world(chance: random.Random) -> Both:
    """Minutes of lost, doubled, late and garbled octets and of restarts; then the line is quiet for some seconds."""
    fate = Fate(chance)
    both = Both(fate)
    floor = (0,) * REGISTER_COUNT
    for _ in range(chance.randrange(30, 90)):
        both.clock.advance(chance.uniform(0.05, 3))
        floor = check_readings(both.service.readings, floor, both.books.registers())
        both.service.readings.clear()
        blow = chance.random()
        if blow < 0.1:
            both.start_core()
        elif blow < 0.2:
            both.start_service()
        fate.is_rough = chance.random() < 0.8
    fate.is_rough = False
    both.clock.advance(8)
    both.core.stop()
    both.clock.advance(0.1)
    check_readings(both.service.readings, floor, both.books.registers())
    return both


@pytest.mark.parametrize("seed", range(200))
def test_a_rough_line_and_restarts_neither_lose_nor_double_energy(seed: int) -> None:
    both = run_rough_world(random.Random(seed))
    newest, report = both.service.newest, both.service.link.report()
    assert newest.quality is Quality.VALID
    assert newest.totals.microjoule == both.books.registers()
    assert newest.pulses == both.books.pulses()
    assert report.behind_microjoule == 0
    assert report.identity is not None
    assert report.identity.checksum == IDENTITY.checksum


# --- the partition


class Ports:
    """A PortMaker and its kernel: ends that the test holds."""

    def __init__(self, devices: dict[str, object]) -> None:
        self.devices = devices
        self.written: list[bytes] = []
        self.replies: list[bytes] = []
        self.requests: list[bytes] = []
        self.wake: Callable[[], None] = lambda: None
        self.max_message_size, self.depth = 4096, 32

    def sampling_source(self, port: str) -> Ports:
        assert port == READINGS_PORT
        return self

    def queuing_source(self, port: str) -> Ports:
        return self

    def queuing_destination(self, port: str) -> Ports:
        return self

    def sampling_destination(self, port: str) -> Ports:
        raise AssertionError(port)

    def device(self, name: str) -> object:
        return self.devices[name]

    def write(self, message: bytes) -> None:
        self.written.append(message)

    def send_nowait(self, message: bytes) -> bool:
        self.replies.append(message)
        return True

    def has_room(self) -> bool:
        return True

    def count(self) -> int:
        return 0

    def length(self) -> int:
        return len(self.requests)

    def on_space(self, action: Callable[[], None]) -> None: ...

    def peek_nowait(self) -> bytes | None:
        return self.requests[0] if self.requests else None

    def consume(self) -> None:
        self.requests.pop(0)

    def on_arrival(self, action: Callable[[], None]) -> None:
        self.wake = action


class Partition:
    """The entry function with stand-ins around it, and a real core behind the link."""

    def __init__(self) -> None:
        self.clock = WorldClock()
        near, far = line(self.clock)
        self.ports = Ports({CORE_LINK: far})
        spec = BodySpec(
            "metering",
            "wattwheel.services.metering:start",
            b'{"meter_address": "202611200001"}',
            (
                QueuingPortSpec("to_bus", "SOURCE", ("a",), 4096, 32),
                QueuingPortSpec("from_bus", "DESTINATION", ("b",), 4096, 32),
            ),
            (SamplingPortSpec(READINGS_PORT, "SOURCE", "c", 4096, SECOND_NS),),
        )
        self.context = StartContext(spec, self.clock, self.ports)  # type: ignore[arg-type]
        start(self.context)
        self.books = CountingBooks()
        self.core = MeteringCore(self.clock, Cells(), near, self.books, IDENTITY)

    def start_core(self) -> None:
        self.core.start()
        self.core.measure(SteadySource(self.clock.now_ns()), self.books)

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.01)):
            self.clock.advance(0.01)
            self.context.wheel.turn()

    def ask(self, di: int, control: int = Control.READ) -> tuple[int, bytes]:
        request = bus_messages.Message(bus_messages.Kind.REQUEST, control, di, 9)
        self.ports.requests.append(bus_messages.pack(request))
        self.ports.wake()
        self.ports.replies.clear()
        self.run(1.2)
        [reply] = [m for octets in self.ports.replies for m in bus_messages.unpack(octets)]
        assert (reply.kind, reply.ticket, reply.di) == (bus_messages.Kind.REPLY, 9, di)
        return reply.error, reply.data


def test_the_partition_publishes_readings() -> None:
    partition = Partition()
    partition.start_core()
    partition.run(3.1)
    readings = [msgspec.msgpack.decode(written, type=Readings) for written in partition.ports.written]
    assert len(readings) == 4 + 1  # the service asked for one when it started
    assert readings[-1].totals.microjoule == partition.books.registers()
    assert partition.context.counters["pushes"] == 5


def test_the_partition_answers_the_private_identifiers() -> None:
    partition = Partition()
    partition.start_core()
    partition.run(3)
    error, data = partition.ask(WAVEFORM_DI)
    assert error == 0
    assert msgspec.msgpack.decode(data, type=Waveform).frequency_millihertz == 50_000
    error, data = partition.ask(HALF_CYCLES_DI)
    assert (error, msgspec.msgpack.decode(data, type=list[HalfCycleEvent])) == (0, partition.books.events(0))
    error, data = partition.ask(CORE_REPORT_DI)
    report = msgspec.msgpack.decode(data, type=CoreReport)
    assert (error, report.quality, report.behind_microjoule) == (0, Quality.VALID, 0)
    assert report.identity is not None
    assert report.identity.checksum == IDENTITY.checksum


def test_what_cannot_be_had_gets_an_error_in_time() -> None:
    partition = Partition()
    assert partition.ask(WAVEFORM_DI) == (ERR_OTHER, b"")  # the core is silent
    partition.start_core()
    assert partition.ask(0x0E0000FF) == (ERR_NO_DATA, b"")
    assert partition.ask(WAVEFORM_DI, control=0x14) == (ERR_NO_DATA, b"")


def test_a_waveform_of_three_phases_fits_a_bus_message() -> None:
    wave = [-(2**15) + 1] * 64
    phase = (2**32 - 1, 2**32 - 1, wave, wave)
    assert len(msgspec.msgpack.encode((70_000, (phase,) * 3))) < bus_messages.DATA_OCTETS_MAX


def test_harmonics_are_those_of_the_cycle_that_the_core_has_now() -> None:
    partition = Partition()
    assert partition.ask(0x020A0103) == (ERR_OTHER, b"")  # the core is silent
    partition.start_core()
    partition.run(3)
    waveform = msgspec.msgpack.decode(partition.ask(WAVEFORM_DI)[1], type=Waveform)
    for group, points in ((0x020A, waveform.phases[0].voltage), (0x020B, waveform.phases[0].current)):
        expected = contents(points)
        assert expected is not None
        assert partition.ask(group << 16 | 0x01FF) == (0, b"".join(count_octets(each, 2) for each in expected))
        assert partition.ask(group << 16 | 0x0102) == (0, count_octets(expected[1], 2))
    assert partition.ask(0x020A0116) == (ERR_NO_DATA, b"")
    assert partition.ask(0x020A0901) == (ERR_NO_DATA, b"")
