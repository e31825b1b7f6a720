"""The metering core as a device: pushes, requests, kills, cuts, failing memory and sources."""

from __future__ import annotations

import random
from itertools import count, pairwise

import pytest
from tests.metrology.world import (
    IDENTITY,
    Cells,
    CountingBooks,
    KillError,
    LineEnd,
    SteadySource,
    WorldClock,
    line,
)

from wattwheel.metrology.device import SYNC_NS, CoreTiming, MeteringCore
from wattwheel.metrology.ring import SLOT_OCTETS
from wattwheel.model.core_records import CoreFault
from wattwheel.model.errors import RecordingError
from wattwheel.protocols.corelink import ANSWER, Kind, LinkReader, Message, Side, pack
from wattwheel.protocols.corelink_bodies import (
    CalendarTime,
    Nominal,
    Result,
    Totals,
    decode_events,
    decode_identity,
    decode_momentary,
    decode_status,
    decode_totals,
    decode_waveform,
    encode_address,
    encode_calendar,
    encode_nominal,
    encode_since,
)


class Bench:
    """One core on a quiet line, and what it said."""

    def __init__(self, cells: Cells | None = None, clock: WorldClock | None = None, **more: object) -> None:
        self.clock = clock or WorldClock()
        self.cells = cells or Cells()
        self.source = SteadySource(self.clock.now_ns())
        self.books = CountingBooks()
        self.end, self.far = line(self.clock)
        self.reader = LinkReader(Side.CORE)
        self.number = 0
        self.core = MeteringCore(self.clock, self.cells, self.end, self.books, IDENTITY, **more)  # type: ignore[arg-type]

    def start(self) -> None:
        self.core.start()
        self.core.measure(self.source, self.books)

    def heard(self) -> list[Message]:
        self.clock.advance(0.000_01)
        return self.reader.feed(self.far.read())

    def totals(self) -> list[tuple[int, Totals]]:
        return [(m.number, decode_totals(m.body)) for m in self.heard() if m.kind == Kind.TOTALS]

    def ask(self, kind: int, body: bytes = b"") -> tuple[Result, bytes] | None:
        self.number += 1
        self.far.write(pack(Side.MANAGEMENT, Message(kind, self.number, body)))
        self.clock.advance(0.000_01)
        for message in self.heard():
            if message.kind == kind | ANSWER and message.number == self.number:
                return Result(message.body[0]), message.body[1:]
        return None


def test_restored_totals_leave_before_any_sample_is_read() -> None:
    first = Bench()
    first.start()
    first.clock.advance(5)
    again = Bench(first.cells)
    again.source.fault = AssertionError("read")  # type: ignore[assignment]
    again.start()
    messages = again.heard()
    assert [message.kind for message in messages] == [Kind.TOTALS, Kind.STATUS]
    totals = decode_totals(messages[0].body)
    assert totals.microjoule == first.books.registers()
    assert totals.starts == 2
    assert decode_status(messages[1].body).faults == 0


def test_a_push_leaves_each_second_whatever_the_speed_of_the_input() -> None:
    bench = Bench()
    bench.source.read = lambda now_ns: SteadySource.read(bench.source, 20 * now_ns)  # type: ignore[method-assign]
    bench.start()
    times = []
    for _ in range(100):
        bench.clock.advance(0.1)
        times += [bench.clock.now_ns()] * len(bench.totals())
    assert len(times) == 12  # one at the start, one with the first momentary values, ten
    assert all(0.99e9 < later - earlier < 1.01e9 for earlier, later in pairwise(times[2:]))


def test_one_push_is_totals_momentary_values_and_status_under_one_number() -> None:
    bench = Bench()
    bench.start()
    bench.clock.advance(0.9)
    bench.heard()
    bench.clock.advance(0.2)
    messages = [m for m in bench.heard() if m.kind < Kind.IDENTIFY]
    assert [m.kind for m in messages] == [Kind.TOTALS, Kind.MOMENTARY, Kind.STATUS]
    assert len({m.number for m in messages}) == 1
    assert decode_momentary(messages[1].body) == bench.books.momentary()
    status = decode_status(messages[2].body)
    assert (status.uptime_ms, status.no_load, status.starts) == (1000, 0b0010, 1)


def test_the_first_momentary_values_do_not_wait_for_the_next_second() -> None:
    bench = Bench()
    bench.books.samples_before_momentary = 320
    bench.start()
    bench.clock.advance(0.36)
    assert [m.kind for m in bench.heard() if m.kind < Kind.IDENTIFY][-3:] == [Kind.TOTALS, Kind.MOMENTARY, Kind.STATUS]
    assert bench.core.status().uptime_ms == 360
    bench.clock.advance(0.6)
    assert bench.totals() == []
    bench.clock.advance(1.1)
    assert len(bench.totals()) == 2


def test_a_kill_at_every_write_forgets_nothing_that_was_told() -> None:
    for kill in count(1):
        cells = Cells()
        cells.kill_at_write = kill
        bench = Bench(cells)
        told: list[tuple[int, Totals]] = []
        try:
            bench.start()
            for _ in range(50):
                bench.clock.advance(1)
                told += bench.totals()
        except KillError:
            told += bench.totals()
            again = Bench(cells)
            again.start()
            [(sequence, totals)] = again.totals()
            if told:
                assert sequence > told[-1][0]
                assert totals.microjoule >= told[-1][1].microjoule
            assert totals.microjoule <= bench.books.registers()
        else:
            assert kill == 52  # one write at the start, one a second
            return


@pytest.mark.parametrize("seed", range(20))
def test_a_cut_of_the_supply_costs_at_most_what_came_since_the_last_sync(seed: int) -> None:
    chance = random.Random(seed)
    bench = Bench()
    bench.start()
    samples_at_start = 0
    for _ in range(8):
        seconds = chance.uniform(0.1, 90)
        bench.clock.advance(seconds)
        cells = bench.cells.after_cut(chance, whole_pages=chance.random() < 0.5)
        metered = bench.books.samples
        bench = Bench(cells)
        bench.start()
        restored = bench.books.samples
        exposure_s = SYNC_NS / 1e9 + 1.2  # the sync waits for a push, and the push for a tick
        assert metered - 1000 * exposure_s <= restored <= metered, f"seed {seed}"
        assert restored >= samples_at_start or restored >= metered - 1000 * exposure_s
        samples_at_start = restored


def test_the_ring_is_forced_every_twenty_seconds_and_at_an_orderly_stop() -> None:
    bench = Bench()
    bench.start()
    bench.clock.advance(100)
    assert len(bench.cells.synced_pages) == 5
    bench.clock.advance(3.5)
    bench.core.stop()
    assert bytes(bench.cells.written) == bench.cells.synced
    assert bench.books.samples == 103_500 + 7  # the open window too
    assert bench.totals()[-1][1].microjoule == bench.books.registers()
    after_cut = Bench(bench.cells.after_cut(random.Random(1)))
    assert after_cut.books.samples == 103_507
    bench.clock.advance(5)
    assert bench.totals() == []


def test_sequence_and_starts_go_on_over_restarts() -> None:
    cells, sequences = Cells(), []
    for starts in range(1, 5):
        bench = Bench(cells)
        bench.start()
        bench.clock.advance(3.1)
        told = bench.totals()
        assert {totals.starts for _, totals in told} == {starts}
        sequences += [number for number, _ in told]
    assert sequences == list(range(1, 17))


def test_a_failing_memory_stops_nothing_is_told_and_got_over() -> None:
    bench = Bench()
    bench.start()
    bench.cells.failing = {"write", "sync"}
    bench.clock.advance(30)
    messages = bench.heard()
    status = decode_status(next(m for m in reversed(messages) if m.kind == Kind.STATUS).body)
    assert status.faults == CoreFault.MEMORY_WRITE
    assert status.memory_faults > 30
    last = decode_totals(next(m for m in reversed(messages) if m.kind == Kind.TOTALS).body)
    assert last.microjoule == bench.books.registers()
    assert bench.books.samples == 30_000
    bench.cells.failing = set()
    bench.clock.advance(1)
    assert bench.core.status().faults == 0
    assert Bench(bench.cells).books.samples == bench.books.samples


def test_a_sync_that_fails_alone_is_told_until_it_succeeds() -> None:
    bench = Bench()
    bench.start()
    bench.cells.failing = {"sync"}
    bench.clock.advance(25)
    assert bench.core.status().faults == CoreFault.MEMORY_WRITE
    bench.cells.failing = set()
    bench.clock.advance(1)
    assert bench.core.status().faults == 0


def test_lost_registers_are_told_for_the_rest_of_the_cores_life() -> None:
    bench = Bench()
    bench.start()
    bench.clock.advance(5)
    for slot in range(bench.cells.size // SLOT_OCTETS):
        bench.cells.written[slot * SLOT_OCTETS + 60] ^= 4
    lost = Bench(bench.cells)
    lost.start()
    assert lost.core.status().faults == CoreFault.REGISTERS_LOST | CoreFault.MEMORY_DAMAGED
    lost.clock.advance(300)
    later = Bench(lost.cells)
    assert later.core.status().faults & CoreFault.REGISTERS_LOST
    assert later.books.samples == 300_000


def test_a_blank_memory_that_should_hold_registers_is_a_loss() -> None:
    assert Bench(Cells(), was_written=True).core.status().faults == CoreFault.REGISTERS_LOST
    assert Bench(Cells(), was_written=False).core.status().faults == 0


def test_a_state_that_the_books_refuse_is_a_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    bench.start()
    monkeypatch.setattr(CountingBooks, "to_state", lambda books: b"another meter's")
    bench.clock.advance(2)
    assert Bench(bench.cells).core.status().faults == CoreFault.REGISTERS_LOST


def test_lost_samples_are_counted_and_told() -> None:
    bench = Bench()
    bench.start()
    bench.clock.advance(1)
    bench.source.skip(123)
    bench.clock.advance(2)
    status = bench.core.status()
    assert (status.lost_samples, status.faults) == (123, CoreFault.SAMPLES_LOST)


def test_a_source_that_fails_or_ends_is_told_and_the_pushes_go_on() -> None:
    bench = Bench()
    bench.start()
    bench.source.fault = RecordingError("house.cfg", "went away")
    bench.clock.advance(2)
    assert bench.core.status().faults == CoreFault.SOURCE_ERROR
    bench.source.fault = None
    bench.source.is_finished = True
    bench.clock.advance(1)
    assert bench.core.status().faults == CoreFault.SOURCE_FINISHED
    assert len(bench.totals()) == 5


def test_identity() -> None:
    bench = Bench()
    bench.start()
    result, body = bench.ask(Kind.IDENTIFY) or (None, b"")
    assert (result, decode_identity(body)) == (Result.GOOD, IDENTITY)


def test_waveform() -> None:
    bench = Bench()
    bench.start()
    assert bench.ask(Kind.WAVEFORM) == (Result.NOT_AVAILABLE, b"")
    bench.clock.advance(3.3)
    result, body = bench.ask(Kind.WAVEFORM) or (None, b"")
    assert (result, decode_waveform(body)) == (Result.GOOD, bench.books.waveform())


def test_a_push_on_request_follows_at_once_and_not_more_often_than_a_tick() -> None:
    bench = Bench()
    bench.start()
    bench.clock.advance(1.5)
    bench.heard()
    for _ in range(50):
        assert bench.ask(Kind.PUSH_NOW) == (Result.GOOD, b"")
    bench.clock.advance(0.2)
    writes = bench.cells.writes
    assert writes == 2 + 2  # the first of them at once, the others together at the next tick
    bench.clock.advance(0.5)
    assert bench.cells.writes == writes + 1


def test_parameters_are_refused_unless_allowed() -> None:
    nominal = Nominal(230_000, 50_000, 1000, 1200)
    bench = Bench()
    bench.start()
    assert bench.ask(Kind.SET_NOMINAL, encode_nominal(nominal)) == (Result.REFUSED, b"")
    taken: list[Nominal] = []
    bench = Bench(on_nominal=lambda asked: not taken.append(asked))  # type: ignore[func-returns-value]
    bench.start()
    assert bench.ask(Kind.SET_NOMINAL, encode_nominal(nominal)) == (Result.GOOD, b"")
    assert bench.ask(Kind.SET_NOMINAL, bytes(16)) == (Result.BAD_REQUEST, b"")
    assert taken == [nominal]


def test_half_cycle_events_since_a_number() -> None:
    bench = Bench()
    bench.start()
    result, body = bench.ask(Kind.HALF_CYCLES, encode_since(1)) or (None, b"")
    assert (result, decode_events(body)) == (Result.GOOD, bench.books.events(1))
    assert bench.ask(Kind.HALF_CYCLES, b"?") == (Result.BAD_REQUEST, b"")


def test_unknown_messages_are_ignored_and_counted() -> None:
    bench = Bench()
    bench.start()
    assert bench.ask(0x6F, b"from the future") is None
    assert bench.ask(Kind.TOTALS, b"") is None
    assert bench.core.status().unknown_messages == 2


def test_the_core_asks_for_calendar_and_address_until_it_is_told() -> None:
    bench = Bench()
    bench.start()
    bench.clock.advance(0.3)
    asked = [m for m in bench.heard() if m.kind in (Kind.CALENDAR, Kind.METER_ADDRESS)]
    assert [m.kind for m in asked] == [Kind.CALENDAR, Kind.METER_ADDRESS]
    assert bench.core.calendar_milliseconds is None
    bench.clock.advance(6)
    asked = [m for m in bench.heard() if m.kind in (Kind.CALENDAR, Kind.METER_ADDRESS)]
    good = bytes([Result.GOOD])
    told = (
        Message(Kind.CALENDAR | ANSWER, asked[0].number, good + encode_calendar(CalendarTime(1_000_000, True))),
        Message(Kind.METER_ADDRESS | ANSWER, asked[1].number, good + encode_address("202611200001")),
    )
    for message in told:
        bench.far.write(pack(Side.MANAGEMENT, message))
    bench.clock.advance(60)
    assert bench.core.calendar_milliseconds == pytest.approx(1_060_000, abs=2)
    assert not [m for m in bench.heard() if m.kind == Kind.CALENDAR]
    assert decode_identity((bench.ask(Kind.IDENTIFY) or (None, b""))[1]).meter_address == "202611200001"


def test_noise_on_the_link_disturbs_neither_pushes_nor_requests() -> None:
    bench = Bench()
    bench.start()
    chance = random.Random(3)
    for _ in range(200):
        bench.far.write(chance.randbytes(chance.randrange(1, 300)))
        bench.clock.advance(0.05)
    assert len(bench.totals()) == 11
    bench.clock.advance(1)
    assert bench.ask(Kind.IDENTIFY) is not None


def test_before_it_measures_it_answers_and_pushes_what_it_has() -> None:
    bench = Bench()
    bench.core.start()
    bench.clock.advance(5.1)
    assert len(bench.totals()) == 6
    assert bench.ask(Kind.WAVEFORM) == (Result.NOT_AVAILABLE, b"")
    assert bench.ask(Kind.HALF_CYCLES, encode_since(0)) == (Result.GOOD, b"")
    bench.core.measure(bench.source, bench.books)
    bench.clock.advance(1)
    assert bench.totals()[-1][1].microjoule[0] > 0


def test_a_late_tick_catches_up_without_piling_pushes_up() -> None:
    bench = Bench(timing=CoreTiming())
    bench.start()
    bench.heard()
    late, bench.clock._timers = bench.clock._timers, []
    bench.clock.advance(10.05)  # the process was stopped
    bench.clock._timers = late + bench.clock._timers
    bench.clock.advance(0.5)
    told = bench.totals()
    assert len(told) == 1
    assert told[0][1].microjoule[0] >= 10_050
    assert isinstance(bench.end, LineEnd)
