"""Settlement periods of the energy registers: each once, with the registers of its time, whatever dies."""

from __future__ import annotations

import random
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import chain

import msgspec
import pytest
from tests.apps.test_energy_tariffs import CENTI, FOUR_TARIFFS, LEVEL_4, POWER_W, ledger, numbers, readings, write

from wattwheel.apex.partition import Counters
from wattwheel.apps.energy import Energy
from wattwheel.apps.energy_books import Ledger, books_of, cleared, settled_items
from wattwheel.apps.energy_history import History
from wattwheel.model.errors import NotAnswered
from wattwheel.model.records import Readings
from wattwheel.model.settled_books import Entry
from wattwheel.sdk import SaveResult
from wattwheel.testing.world import KERNEL, NO_FAULTS, ROUGH_LINK, Faults, World, simulated_settings

FIRST_DAY, SECOND_DAY = 0x04000B01, 0x04000B02
MIDNIGHT = datetime(2026, 7, 1, tzinfo=UTC)
MIDNIGHT_MINUTE = (MIDNIGHT - datetime(2000, 1, 1, tzinfo=UTC)) // timedelta(minutes=1)


def pushed(seconds: float, *registers: int, times_set: int = 0) -> Readings:
    """A push `seconds` after midnight by a clock that had been set so often."""
    reading = readings(MIDNIGHT + timedelta(seconds=seconds), *registers)
    return msgspec.structs.replace(reading, clock_changes=times_set)


def saved(own: Ledger) -> tuple[bytes, dict[str, bytes]]:
    return msgspec.msgpack.encode(own.books), {
        f"settled {number}": msgspec.msgpack.encode(copy) for number, copy in own.history.copies.items()
    }


def taken_up(state: tuple[bytes, dict[str, bytes]], written: dict[int, str]) -> Ledger:
    again = ledger(written, books_of(state[0]))
    again.history = History(state[1])
    again.books.settled = again.history.known(again.books.settled)
    return again


def test_each_hour_of_a_day_can_end_a_period():
    for hour in range(24):
        own = ledger({FIRST_DAY: f"01{hour:02d}"})
        for minute in range(-1, hour * 60 + 2):
            own.take(pushed(60 * minute, minute))
        assert settled_items(own)[0x00010001] == 0
        assert own.history.copies[1] == [[hour * 60] + [0] * 7]
        assert own.books.settled.entries == (Entry(MIDNIGHT_MINUTE + 60 * hour, 1, 1),)


def test_the_registers_are_those_of_the_push_at_the_turn_of_the_period():
    own = ledger(FOUR_TARIFFS)
    own.take(pushed(-2, 3 * CENTI))
    own.take(pushed(-1, 5 * CENTI))
    assert own.take(pushed(0, 7 * CENTI))
    own.take(pushed(1, 8 * CENTI))
    items = settled_items(own)
    assert items[0x00010001] == items[0x00010401] == 7
    assert items[0x0001FF01] == (7, 0, 0, 0, 7)
    assert 0x00010002 not in items
    assert sorted(own.history.unsaved) == ["phases 1", "settled 1"]
    assert items[0x00150001] == items[0x00290001] == 0


def test_what_was_missed_without_supply_is_made_up_once_with_the_energy_found_then():
    written = {SECOND_DAY: "1506"}
    own = ledger(written)
    own.take(pushed(-60, 3))
    again = taken_up(saved(own), written)
    assert again.take(pushed(40 * 86400, 9))
    assert [entry.number for entry in again.books.settled.entries] == [1, 2, 1]
    assert list(again.history.copies.values()) == [[[9] + [0] * 7]]
    third = taken_up(saved(again), written)
    third.take(pushed(40 * 86400 + 1, 10))
    assert third.books.settled.entries == again.books.settled.entries


def test_after_twelve_the_oldest_copy_goes():
    own = ledger({})
    for month in range(15):
        own.take(pushed(month * 31 * 86400, month))
    entries = own.books.settled.entries
    assert len(entries) == 12
    assert set(own.history.copies) == {entry.copy for entry in entries}
    assert own.history.unsaved["settled 1"] is None
    assert taken_up(saved(own), {}).books.settled.entries == entries


@pytest.mark.parametrize("forward_s", [2, 100, 299, 301, 4000])
def test_setting_the_clock_forward_over_an_instant_does_not_settle(forward_s):
    own = ledger({})
    own.take(pushed(-1, 1, times_set=7))
    assert own.take(pushed(forward_s - 1, 2, times_set=8))
    assert not own.take(pushed(forward_s, 3, times_set=8))
    assert own.books.settled.entries == ()
    assert own.take(pushed(-1, 4, times_set=9))  # back, and over the instant by itself
    assert own.take(pushed(0, 5, times_set=9))
    assert own.books.settled.entries == (Entry(MIDNIGHT_MINUTE, 1, 1),)
    assert own.take(pushed(-5, 6, times_set=10))
    own.take(pushed(0, 7, times_set=10))
    assert own.books.settled.entries == (Entry(MIDNIGHT_MINUTE, 1, 1),)


def test_a_clock_that_was_set_while_nobody_looked_does_not_settle():
    own = ledger({})
    own.take(pushed(-100, 1, times_set=3))
    again = taken_up(saved(own), {})
    assert again.take(pushed(100, 2, times_set=4))
    assert again.books.settled.entries == ()
    third = taken_up(saved(own), {})
    assert third.take(pushed(100, 2, times_set=3))  # nobody set it: it was the supply that was away
    assert third.books.settled.entries == (Entry(MIDNIGHT_MINUTE, 1, 1),)


def test_a_meter_clear_does_not_forget_how_often_the_clock_was_set():
    own = ledger({})
    own.take(pushed(-100, 1, times_set=3))
    own.books = cleared(own.books, bytes(106))
    own.take(pushed(100, 2, times_set=4))
    assert own.books.settled.entries == ()


def test_books_of_a_version_that_did_not_count_clock_settings_make_up():
    own = ledger({})
    own.take(pushed(-100, 1, times_set=3))
    *before, _times_set, _origin = msgspec.msgpack.decode(saved(own)[0])
    again = ledger({}, books_of(msgspec.msgpack.encode(before)))
    again.take(pushed(100, 2, times_set=4))
    assert len(again.books.settled.entries) == 1


def test_an_entry_without_its_copy_is_dropped():
    own = ledger({})
    own.take(pushed(-1, 1))
    own.take(pushed(1, 2))
    books, copies = saved(own)
    for octets in (b"", b"\xc1", msgspec.msgpack.encode([]), msgspec.msgpack.encode([[1] * 5])):
        assert taken_up((books, dict.fromkeys(copies, octets)), {}).books.settled.entries == ()


def test_copies_without_apparent_energy_are_taken_up():
    copies, phases = [[1, 2, 3, 4, 5, 6], [7] * 6], list(range(24))
    history = History({"settled 3": msgspec.msgpack.encode(copies), "phases 3": msgspec.msgpack.encode(phases)})
    assert history.copies == {3: [[1, 2, 3, 4, 5, 6, 0, 0], [7] * 6 + [0, 0]]}
    assert history.phases == {3: list(chain(*([*phases[at : at + 6], 0, 0] for at in (0, 6, 12, 18))))}


class Paper:
    """A meter whose medium takes or refuses what it is told to."""

    def __init__(self, result: SaveResult) -> None:
        self.result, self.saved = result, {}
        self.counters = Counters(lambda: None)

    def save(self, changes, promised=False, on_saved=None):
        if self.result is SaveResult.SAVED:
            self.saved |= changes
        on_saved(self.result)

    def has_port(self, port):
        return False

    def show(self, values, quality):
        """Nobody reads."""

    def show_beside(self, values):
        """Nobody reads."""


def test_what_could_not_be_saved_goes_with_the_next_transaction():
    paper = Paper(SaveResult.MEDIUM_FAILED)
    own = Energy(paper, ledger({}))
    for seconds in (-1, 0):
        own.take(pushed(seconds, 7))
    assert not paper.saved
    paper.result = SaveResult.SAVED
    own.keep()
    assert {"books", "phases 1", "settled 1"} <= set(paper.saved)
    paper.saved = {}
    own.keep()
    assert "books" in paper.saved
    assert "settled 1" not in paper.saved


def test_what_could_not_be_saved_does_not_undo_what_was_saved_since():
    """A refusal that comes late, after a command has saved the same keys."""
    paper = Paper(SaveResult.SAVED)
    own, answers = Energy(paper, ledger({})), []
    paper.save = lambda changes, promised=False, on_saved=None: answers.append((changes, on_saved))
    for seconds in (-1, 0):
        own.take(pushed(seconds, 7))
    assert "settled 1" in answers[-1][0]
    late = answers[-1][1]
    own._unsaved.begin({"settled 1": None})
    late(SaveResult.MEDIUM_FAILED)
    own.keep()
    assert "settled 1" not in answers[-1][0]
    assert "phases 1" in answers[-1][0]


# -- in a meter


def meter(seed: int = 3, faults: Faults = NO_FAULTS) -> World:
    settings = simulated_settings()
    own = msgspec.structs.replace(settings.dlt645, password_level_4=LEVEL_4)
    settings = msgspec.structs.replace(settings, dlt645=own)
    world = World(seed, faults, settings, MIDNIGHT - timedelta(seconds=30))
    world.set_power(POWER_W)
    world.await_ready()
    return world


def test_a_period_is_read_by_tariff_and_as_a_block():
    world = meter()
    write(world, {**FOUR_TARIFFS, SECOND_DAY: "0100"})
    assert world.ask(0x00010001).error == 2
    world.advance(40)
    total, *tariffs = numbers(world.ask(0x0001FF01).check())
    assert len(tariffs) == 4
    assert 0 <= total - sum(tariffs) <= 4
    assert tariffs[3] > 20_000
    assert 28_000 <= total <= 30_000
    assert world.read("import_active_energy_settlement_1") == total
    assert world.read("00010401") == tariffs[3]
    assert world.read(0x00000001) == total
    assert world.ask(0x00010002).error == 2
    world.advance(60)
    write(world, {FIRST_DAY: "0200"})
    world.advance(3)
    assert world.read("00010002") == total < world.read("00010001")
    assert world.meter.crashes == []


@pytest.mark.parametrize("writes", range(10))
def test_a_cut_at_any_write_settles_once(writes):
    world = meter(writes)
    world.advance(25)
    world.cut_power_at_write(writes)
    world.advance(70)
    world.meter.disk.cut_at_write = None
    world.await_ready()
    world.advance(3)
    first = world.ask(0x00010001).check()
    assert world.ask(0x00010002).error == 2
    for name in ("energy", KERNEL):
        world.kill(name)
        world.advance(5)
    assert world.ask(0x00010001).check() == first
    assert world.ask(0x00010002).error == 2


@pytest.mark.parametrize("seed", range(20))
def test_over_kills_cuts_and_clock_steps_each_instant_is_settled_once(seed):
    world, chance = meter(seed, Faults(ROUGH_LINK)), random.Random(seed ^ 0xFACE)
    for _ in range(20):
        blow = chance.randrange(4)
        if blow == 0:
            world.kill(chance.choice(world.names))
        elif blow == 1:
            world.kill_within(chance.choice([name for name in world.names if name != KERNEL]), chance.randrange(60))
        elif blow == 2:
            world.cut_power_at_write(chance.randrange(4))
        else:
            world.clock.step_calendar(chance.uniform(-60, 60))
        world.advance(chance.uniform(0.1, 5))
        with suppress(NotAnswered):
            assert world.ask(0x00010002).error != 0
    world.quiet()
    world.meter.disk.cut_at_write = None
    world.clock.step_calendar((MIDNIGHT + timedelta(seconds=100) - world.clock.calendar()).total_seconds())
    world.advance(20)
    once = world.read("import_active_energy_settlement_1")
    assert 0 <= once <= world.true_microjoule() // CENTI
    assert world.ask(0x00010002).error == 2
    assert [f"{crash.partition}: {crash.fault!r}" for crash in world.meter.crashes] == []


def test_one_register_is_read_over_all_periods():
    world = meter()
    assert numbers(world.ask(0x000100FF).check()) == [world.read("import_active_energy")]
    world.advance(40)
    world.set_power(0)
    world.advance(3)
    assert numbers(world.ask(0x000100FF).check()) == [world.read(0x00010000), world.read(0x00010001)]
    assert numbers(world.ask(0x001500FF).check()) == [world.read(0x00150000), world.read(0x00150001)]
    assert numbers(world.ask(0x000101FF).check()) == [world.read(0x00010100), world.read(0x00010101)]
    for di in (0x000100FF, 0x00000101, 0x0001FF01, 0x003100FF, 0x00090101, 0x00150000):
        plain, precise = (world.ask(group << 24 | di).check() for group in (0x00, 0x0D))
        assert len(precise) * 4 == len(plain) * 5
        parts = [int(precise[at : at + 5][::-1].hex()) // 100 for at in range(0, len(precise), 5)]
        assert parts == numbers(plain)
    assert world.ask(0x0D01FFFF).error == world.ask(0x0D800000).error == world.ask(0x0D010002).error == 2
    assert world.ask(0x0001FFFF).error == world.ask(0x000140FF).error == world.ask(0x008000FF).error == 2
