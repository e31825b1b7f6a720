"""Plug events through the whole device: told when they are on the medium, once, whatever happens to core and medium."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.metrology.world import IDENTITY, Cells, CountingBooks, KillError, WorldClock, line

from wattwheel.drivers.sim.plug import SimPlug, board_clock
from wattwheel.metrology.device import MeteringCore
from wattwheel.metrology.plug import PlugWatch
from wattwheel.model.plug_records import PlugEvent, PlugRecords
from wattwheel.protocols.corelink import ANSWER, Kind, LinkReader, Message, Side, pack
from wattwheel.protocols.corelink_bodies import CalendarTime, Result, decode_status, encode_calendar
from wattwheel.protocols.corelink_outputs import encode_plug_move

MOVES = ("removed", "inserted")
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


class Bench:
    """A core with its plug and memory, and whoever listens to it."""

    def __init__(self, has_plug: bool = True) -> None:
        self.clock = WorldClock()
        self.near, self.far = line(self.clock)
        self.cells, self.reader, self.heard = Cells(), LinkReader(Side.CORE), []
        self.plug = SimPlug(None, board_clock(self.clock)) if has_plug else None
        self.core: MeteringCore | None = None
        self.start()

    def start(self) -> None:
        try:
            self.core = MeteringCore(
                self.clock,
                self.cells,
                self.near,
                CountingBooks(),
                IDENTITY,
                plug=PlugWatch(self.plug),
                was_written=True,
            )
            self.core.start()
        except KillError:
            self.die()

    def die(self) -> None:
        if self.core is not None:
            self.core._is_stopped = True
        self.near.on_arrival(lambda: None)
        self.near.read()

    def restart(self) -> None:
        self.die()
        self.start()

    def run(self, seconds: float = 0.01) -> None:
        try:
            self.clock.advance(seconds)
        except KillError:
            self.restart()

    def ask(self, kind: int, number: int = 1, body: bytes = b"") -> tuple[Result, bytes]:
        self.listen()
        self.far.write(pack(Side.MANAGEMENT, Message(kind, number, body)))
        self.run()
        [answer] = [each for each in self.listen() if each.kind == kind | ANSWER]
        return Result(answer.body[0]), answer.body[1:]

    def move(self, number: int, state: str) -> tuple[Result, bytes]:
        return self.ask(Kind.MOVE_PLUG, number, encode_plug_move(number, state))

    def listen(self) -> list[Message]:
        found = self.reader.feed(self.far.read())
        self.heard += found
        return found

    def counts(self) -> list[int]:
        """Of the statuses that have come since."""
        self.clock.advance(0.001)
        return [decode_status(each.body).plug_count for each in self.listen() if each.kind == Kind.STATUS]

    def records(self) -> PlugRecords:
        return PlugRecords.from_octets(self.ask(Kind.PLUG_RECORDS, 10**6 + self.clock.now_ns())[1])


def test_the_first_push_after_a_start_tells_of_what_happened_before_it():
    bench = Bench()
    assert bench.counts() == [0]
    bench.die()
    bench.plug.move("removed")
    bench.clock.advance(5)
    bench.start()
    assert bench.counts() == [1]
    assert bench.plug.changes(0) == []


def test_a_tick_sees_it_and_a_push_tells_it_at_once():
    bench = Bench()
    bench.clock.advance(10.3)
    bench.listen()
    bench.plug.move("removed")
    bench.clock.advance(0.2)
    assert bench.counts() == [1]
    assert len(bench.cells.dirty_pages) == 0  # and it is on the medium


def test_a_move_is_answered_with_the_records_when_they_are_on_the_medium():
    bench = Bench()
    result, body = bench.move(5, "removed")
    assert result is Result.GOOD
    assert [each.kind for each in PlugRecords.from_octets(body).records] == [PlugEvent.REMOVED]
    again = Bench.__new__(Bench)
    again.__dict__.update(bench.__dict__)
    again.cells = bench.cells.after_cut(random.Random(1), whole_pages=True)
    bench.plug.forget(bench.plug.number)
    again.restart()
    assert again.records().to_octets() == body


def test_a_move_that_was_overtaken_moves_nothing_and_a_sender_that_began_anew_does():
    bench = Bench()
    for number, state, count in ((5, "removed", 1), (7, "inserted", 2), (6, "removed", 2)):
        assert PlugRecords.from_octets(bench.move(number, state)[1]).count == count
    assert PlugRecords.from_octets(bench.move(8 + (1 << 40), "removed")[1]).count == 3
    assert PlugRecords.from_octets(bench.move(8, "inserted")[1]).count == 4


def test_a_core_without_a_plug_and_one_whose_plug_is_real():
    assert Bench(has_plug=False).move(5, "removed") == (Result.NOT_AVAILABLE, b"")
    bench = Bench()
    bench.plug.move = lambda state: False
    assert bench.move(5, "removed") == (Result.REFUSED, b"")
    assert bench.ask(Kind.MOVE_PLUG, 9, b"x") == (Result.BAD_REQUEST, b"")
    assert bench.ask(Kind.PLUG_RECORDS, 10) == (Result.GOOD, PlugRecords().to_octets())


def test_the_time_is_that_of_the_meter_while_it_is_known_and_goes_on_by_the_boards_clock():
    bench = Bench()
    meter = timedelta(hours=5)

    def told() -> timedelta:
        return timedelta(seconds=bench.records().records[0].second) + EPOCH - bench.clock.calendar()

    def tell_calendar() -> None:
        [asked] = [each.number for each in bench.listen() if each.kind == Kind.CALENDAR][-1:]
        milliseconds = (bench.clock.calendar() + meter - EPOCH) // timedelta(milliseconds=1)
        answer = bytes((Result.GOOD,)) + encode_calendar(CalendarTime(milliseconds, True))
        bench.far.write(pack(Side.MANAGEMENT, Message(Kind.CALENDAR | ANSWER, asked, answer)))
        bench.clock.advance(0.01)

    bench.clock.advance(6)
    bench.plug.move("removed")
    bench.clock.advance(1)
    assert abs(told()) < timedelta(seconds=3)  # never told: the board's
    bench.clock.advance(6)
    tell_calendar()
    bench.clock.advance(7000)
    bench.plug.move("inserted")
    bench.clock.advance(1)
    assert abs(told() - meter) < timedelta(seconds=3)
    bench.die()
    bench.clock.advance(500)
    bench.plug.move("removed")
    bench.clock.advance(500)
    bench.start()
    assert abs(told() - meter + timedelta(seconds=500)) < timedelta(seconds=3)


@given(st.data())
def test_each_once_over_deaths_in_writes_cuts_and_a_medium_that_fails(data):
    bench, chance = Bench(), random.Random(data.draw(st.integers(0, 2**32)))
    moved = 0
    for _ in range(data.draw(st.integers(1, 12))):
        step = data.draw(st.sampled_from(("move", "move", "die", "die in a write", "cut", "fail", "heal", "wait")))
        if step == "move":
            bench.plug.move(MOVES[moved % 2])
            moved += 1
        elif step == "die":
            bench.restart()
        elif step == "die in a write":
            bench.cells.kill_at_write = bench.cells.writes + data.draw(st.integers(1, 3))
        elif step == "cut":
            bench.die()
            bench.cells = bench.cells.after_cut(chance)
            bench.restart()
        elif step == "fail":
            bench.cells.failing = set(data.draw(st.sampled_from((("write",), ("sync",), ("write", "sync")))))
        elif step == "heal":
            bench.cells.failing = set()
        bench.run(data.draw(st.sampled_from((0.0, 0.1, 0.3, 1.5, 30.0))))
        if bench.core._is_stopped:
            bench.restart()
    bench.cells.failing, bench.cells.kill_at_write = set(), 0
    bench.run(25)
    bench.run(5)
    found = bench.records()
    assert found.count == moved
    kinds = [PlugEvent.REMOVED, PlugEvent.INSERTED] * 6
    assert [each.kind for each in found.records][::-1] == kinds[:moved][-10:]
    times = [each.second for each in found.records]
    assert times == sorted(times, reverse=True)
    assert bench.plug.changes(0) == []


@pytest.mark.parametrize("failing", ["write", "sync"])
def test_the_board_keeps_what_the_medium_does_not_have(failing):
    bench = Bench()
    bench.clock.advance(3)
    bench.cells.failing = {failing}
    bench.plug.move("removed")
    bench.clock.advance(3)
    assert len(bench.plug.changes(0)) == 1
    bench.cells.failing = set()
    bench.clock.advance(25)  # until the next sync
    assert bench.plug.changes(0) == []
    assert bench.records().count == 1


def test_the_board_keeps_what_was_written_and_a_cut_may_still_take():
    bench = Bench()
    bench.clock.advance(3)
    bench.cells.failing = {"write"}
    for state in ("removed", "inserted"):
        bench.plug.move(state)
    bench.clock.advance(0.5)
    bench.cells.failing = set()
    bench.clock.advance(3)  # written again, and not forced yet
    bench.cells = bench.cells.after_cut(random.Random(1), whole_pages=True)
    bench.restart()
    assert bench.records().count == 2
