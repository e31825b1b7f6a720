"""Energy by tariff: every microjoule in exactly one of them, the right one, whatever dies or is changed."""

from __future__ import annotations

import random
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattwheel.apex.messages import Control
from wattwheel.apps import energy
from wattwheel.apps.energy_books import Books, Ledger, RunningTariff, books_of
from wattwheel.apps.parameters import Settings, default_items
from wattwheel.boot.settings import TariffSettings
from wattwheel.model.energy_items import MICROJOULE_PER_CENTIWATTHOUR, energy_items
from wattwheel.model.errors import NotAnswered
from wattwheel.model.records import REGISTER_COUNT, REGISTERS, EnergyTotals, Quality, Readings
from wattwheel.model.tariff_parameters import DAY_TABLES_SWITCH, TARIFF_COUNT, RunningSets
from wattwheel.sdk.asking import LISTED_MAX
from wattwheel.testing.world import KERNEL, NO_FAULTS, ROUGH_LINK, Faults, World, simulated_settings

CENTI = MICROJOULE_PER_CENTIWATTHOUR
POWER_W = 36e6
LEVEL_4 = "440044"
SUPPLY = "supply"
DAY_TABLE, SECOND_DAY_TABLE = 0x04010001, 0x04020001
SLOTS, TARIFFS = 0x04000203, TARIFF_COUNT
MORNING = datetime(2026, 6, 1, 7, 59, 30, tzinfo=UTC)
FOUR_TARIFFS = {TARIFFS: "04", SLOTS: "04", DAY_TABLE: "080104" + "080003" + "060002" + "000001"}


def wire(digits: str) -> bytes:
    return bytes.fromhex(digits)[::-1]


def message(written: dict[int, str]) -> bytes:
    return msgspec.msgpack.encode(default_items() | {di: wire(digits) for di, digits in written.items()})


def readings(at: datetime, *registers: int) -> Readings:
    calendar_s = (at - datetime(2000, 1, 1, tzinfo=UTC)).total_seconds()
    totals = EnergyTotals(1, (*registers, *(0,) * (REGISTER_COUNT - len(registers))))
    return Readings(0, calendar_s, Quality.VALID, totals)


def ledger(written: dict[int, str], books: Books | None = None, utc_offset_minutes: int = 0) -> Ledger:
    made = Ledger(books)
    made.running = RunningTariff(utc_offset_minutes)
    made.parameters = lambda: message(written)
    return made


# -- which tariff


def test_a_push_goes_whole_to_the_tariff_in_force_at_the_push_before():
    own = ledger(FOUR_TARIFFS)
    assert own.take(readings(MORNING, 10))
    assert not own.take(readings(MORNING + timedelta(seconds=29), 20))
    assert own.take(readings(MORNING + timedelta(seconds=30), 25))  # the push at 08:00 is of what flowed before
    assert [share[0] for share in own.books.shares] == [0, 25]
    assert own.take(readings(MORNING + timedelta(seconds=90), 100))
    assert [share[0] for share in own.books.shares] == [0, 25, 75]
    assert own.image.tariff == 4


def test_the_meter_has_its_own_standard_time():
    own = ledger(FOUR_TARIFFS, utc_offset_minutes=8 * 60)
    own.take(readings(datetime(2026, 5, 31, 23, 59, tzinfo=UTC), 7))
    own.take(readings(datetime(2026, 6, 1, tzinfo=UTC), 9))
    own.take(readings(datetime(2026, 6, 1, tzinfo=UTC), 12))
    assert [share[0] for share in own.books.shares] == [0, 9, 3]


def test_a_change_of_parameters_and_of_the_clock_counts_from_the_push_on_that_finds_it():
    own = ledger(FOUR_TARIFFS)
    own.take(readings(MORNING, 10))
    own.parameters = lambda: message(FOUR_TARIFFS | {DAY_TABLE: "000004"})
    own.take(readings(MORNING + timedelta(seconds=1), 11))
    own.parameters = lambda: message(FOUR_TARIFFS)
    own.take(readings(MORNING - timedelta(hours=4), 13))
    own.take(readings(MORNING - timedelta(hours=4), 20))
    assert [share[0] for share in own.books.shares] == [7, 11, 0, 2]


def test_the_day_tables_switch_over_at_their_minute_and_stay():
    written = {**FOUR_TARIFFS, SECOND_DAY_TABLE: "000004", DAY_TABLES_SWITCH: "2606010800"}
    own = ledger(written)
    for seconds, total in ((0, 10), (30, 30), (-60, 60)):
        own.take(readings(MORNING + timedelta(seconds=seconds), total))
    assert [share[0] for share in own.books.shares] == [0, 30, 0, 30]
    again = ledger(written, books_of(msgspec.msgpack.encode(own.books)))
    assert not again.take(readings(MORNING + timedelta(days=1), 100))
    assert again.books.sets == RunningSets(day_tables=1, day_tables_switched=wire("2606010800"))
    assert again.books.shares[3][0] == 70


def test_four_tariffs_unless_another_number_is_written_or_set():
    own = ledger({}, Books([70] * 8, [70] * 8, tariff=1))  # of a meter that had one
    own.take(readings(MORNING, *[100] * 8))
    assert own.image.tariffs == own.tariffs == 4
    assert own.books.shares == [[100] * 8]  # nobody has written a day table
    assert [default_items(Settings(tariffs=tariffs))[TARIFFS] for tariffs in (1, 12)] == [b"\x01", b"\x12"]
    assert default_items()[TARIFFS] == b"\x04"


def test_before_the_parameters_are_heard_the_tariff_goes_on():
    own = Ledger(Books([5] * 8, [5] * 8, tariff=3))
    assert not own.take(readings(MORNING, 9))
    assert [share[0] for share in own.books.shares] == [5, 0, 4]
    assert own.tariffs == 3


def test_what_was_not_booked_at_the_end_goes_to_the_tariff_of_then():
    own = ledger(FOUR_TARIFFS)
    own.take(readings(MORNING, 10))
    saved = msgspec.msgpack.encode(own.books)
    own.take(readings(MORNING + timedelta(seconds=20), 15))
    again = ledger(FOUR_TARIFFS, books_of(saved))
    assert again.take(readings(MORNING + timedelta(seconds=31), 18))
    assert [share[0] for share in again.books.shares] == [0, 18]
    again.take(readings(MORNING + timedelta(seconds=32), 19))
    assert [share[0] for share in again.books.shares] == [0, 18, 1]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(("push", "late", "save", "restart", "write", "unwritten")),
        st.lists(st.integers(0, 10**13), min_size=8, max_size=8),
        st.integers(-(10**5), 10**5),  # seconds that the clock moves
        st.integers(1, 63),
        st.integers(0, 23),
    ),
    max_size=40,
)


@given(STEPS)
def test_the_sum_of_the_tariffs_is_the_total_to_the_last_microjoule(steps):
    own, saved, running, now = ledger({}), None, [0] * len(REGISTERS), MORNING
    written: dict[int, str] = {}
    for what, more, seconds, tariff, hour in steps:
        now += timedelta(seconds=seconds)
        running = [before + each for before, each in zip(running, more, strict=True)]
        if what == "write":
            written = {TARIFFS: f"{63 - hour:02}", SLOTS: "02", DAY_TABLE: f"{hour:02}00{tariff:02}000001"}
        elif what == "save" and own.books:
            saved = msgspec.msgpack.encode(own.books)
        elif what == "restart":
            own = ledger(written, books_of(saved))
        parameters = None if what == "unwritten" else message(written)
        own.parameters = lambda parameters=parameters: parameters
        own.take(readings(now, *([each // 2 for each in running] if what == "late" else running)))
        assert [sum(column) for column in zip(*own.books.shares, strict=True)] == own.books.seen
        assert books_of(msgspec.msgpack.encode(own.books)) == own.books
    own.take(readings(now, *running))
    assert [sum(column) for column in zip(*own.books.shares, strict=True)] == running


SMALL = st.integers(-2, 70)


@given(st.lists(SMALL | st.lists(SMALL | st.lists(SMALL, min_size=6, max_size=6), max_size=6), max_size=3))
def test_saved_values_of_any_kind_are_books_that_can_go_on_or_none(saved):
    books = books_of(msgspec.msgpack.encode([[1] * 6, [1] * 6, [], *saved]))
    if books is not None:
        before = [sum(column) for column in zip(*books.shares, strict=True)]
        own = ledger(FOUR_TARIFFS, books)
        own.take(readings(MORNING, 2**40))
        after = [sum(column) for column in zip(*own.books.shares, strict=True)]
        assert [now - then for now, then in zip(after, before, strict=True)] == [2**40 - 1, 0, 0, 0, 0, 0, 0, 0]
        assert own.books.seen == [2**40, 1, 1, 1, 1, 1, 0, 0]
        assert books_of(msgspec.msgpack.encode(own.books)) == own.books


# -- the items


def test_the_items_of_each_tariff_and_the_block_of_all():
    shares = [[tariff * register * CENTI for register in range(1, 9)] for tariff in (1, 10, 100)]
    values = energy_items(shares, EnergyTotals(1, (0,) * REGISTER_COUNT), tariffs=2)
    assert values[0x0001FF00] == (111, 1, 10)  # the third is not shown and not lost
    assert [values[0x00010000 | tariff << 8] for tariff in range(3)] == [111, 1, 10]
    assert values[0x0000FF00] == (333, 3, 30)
    assert values[0x0003FF00] == (999, 9, 90)  # I + IV
    assert values[0x0008FF00] == (666, 6, 60)
    assert 0x00010300 not in values
    assert energy_items(shares, EnergyTotals(1, (0,) * REGISTER_COUNT), tariffs=5)[0x0002FF00] == (
        222,
        2,
        20,
        200,
        0,
        0,
    )


# -- the APP in a meter


class Watched(Ledger):
    """A ledger that compares its books after each push, and remembers what it was given."""

    given: list[tuple[float, int]]
    newest: Watched

    def take(self, readings: Readings) -> bool:
        Watched.newest = self
        Watched.given.append((readings.calendar_s, readings.totals.microjoule[0]))
        has_switched = super().take(readings)
        assert [sum(column) for column in zip(*self.books.shares, strict=True)] == self.books.seen
        return has_switched


@pytest.fixture
def make_world(monkeypatch):
    monkeypatch.setattr(energy, "Ledger", Watched)
    Watched.given = []

    def make(seed: int = 3, calendar: datetime = MORNING, faults: Faults = NO_FAULTS) -> World:
        settings = simulated_settings()
        own = msgspec.structs.replace(settings.dlt645, password_level_4=LEVEL_4)
        world = World(seed, faults, msgspec.structs.replace(settings, dlt645=own), calendar)
        world.set_power(POWER_W, reactive_var=(-7.2e6, 3.6e6, 0))
        world.await_ready()
        return world

    return make


def write(world: World, items: dict[int, str]) -> None:
    for di, digits in items.items():
        assert world.write(di, wire(digits), 4, LEVEL_4) == (0x94, b""), f"{di:08X}"


def numbers(octets: bytes) -> list[int]:
    return [int(octets[at : at + 4][::-1].hex()) for at in range(0, len(octets), 4)]


def check_books(world: World) -> None:
    """The last books hold everything that the core has metered; the block of all tariffs, and each alone, says so."""
    world.set_power(0)
    world.advance(3)
    books = Watched.newest.books
    columns, lost = [share[0] for share in books.shares], books.origin[0] if books.origin else 0
    assert sum(columns) == Watched.given[-1][1] + lost  # what the core itself had lost, by its own word, stays booked
    assert lost or sum(columns) == max(total for _at, total in Watched.given)
    assert sum(columns) <= world.true_microjoule()
    total, *tariffs = numbers(world.ask(0x0001FF00).check())
    assert total == world.read("import_active_energy") == sum(columns) // CENTI
    assert tariffs == [share // CENTI for share in (*columns, *[0] * 63)][: len(tariffs)]
    assert tariffs == [world.read(f"0001{tariff:02X}00") for tariff in range(1, len(tariffs) + 1)]
    assert [f"{crash.partition}: {crash.fault!r}" for crash in world.meter.crashes] == []


def test_a_new_meter_has_four_tariffs_and_its_energy_in_the_first(make_world):
    world = make_world()
    world.advance(20)
    total, *tariffs = numbers(world.ask(0x0001FF00).check())
    assert tariffs == [total, 0, 0, 0]
    assert total > 0
    check_books(world)


def test_the_settings_say_how_many_tariffs_a_new_meter_has():
    world = World(3, settings=msgspec.structs.replace(simulated_settings(), tariffs=TariffSettings(count=2)))
    world.await_ready()
    world.advance(3)
    assert world.read(TARIFFS) == 2
    assert len(numbers(world.ask(0x0001FF00).check())) == 1 + 2


def test_a_morning_of_a_padded_table_in_no_order(make_world):
    """Zeros at the end are no slot at midnight; 08:00 has no tariff of its own, so that of 06:00 goes on."""
    world = make_world()
    table = "000000" * 10 + "060002" + "000001" + "080000" + "080104"
    write(world, {TARIFFS: "04", SLOTS: "14", DAY_TABLE: table})
    assert world.ask(DAY_TABLE).check() == wire(table)
    world.advance(45)  # 08:00 is over
    tariff_2 = Watched.newest.books.shares[1][0]
    assert tariff_2 > 0
    world.advance(60)
    shares = [share[0] for share in Watched.newest.books.shares]
    assert shares[2] == 0 < shares[3]
    assert shares[1] > tariff_2


def test_a_morning_of_four_tariffs_against_plain_arithmetic(make_world):
    world = make_world()
    write(world, FOUR_TARIFFS)
    since = len(Watched.given)
    before = [share[0] for share in Watched.newest.books.shares]
    world.advance(140)
    expected = [*before, *[0] * (4 - len(before))]
    expected[0] += Watched.given[since][1] - Watched.given[since - 1][1]  # that push found the tables
    for (at, total), (_at, more) in zip(Watched.given[since:], Watched.given[since + 1 :], strict=False):
        second_of_day = at % 86400
        expected[1 if second_of_day < 8 * 3600 else 2 if second_of_day < 8 * 3600 + 60 else 3] += more - total
    assert [share[0] for share in Watched.newest.books.shares] == expected
    assert min(expected[1:]) >= 15 * 1000 * CENTI
    check_books(world)
    assert world.ask(0x00010500).error == 2


def test_63_tariffs_are_answered(make_world):
    world = make_world()
    write(world, {TARIFFS: "63", DAY_TABLE: "000063"})
    world.advance(5)
    total, *tariffs = numbers(world.ask(0x0001FF00).check())
    assert len(tariffs) == 63
    assert tariffs[62] > 0
    assert total - sum(tariffs) in (0, 1)
    assert world.read("import_active_energy_tariff_63") >= tariffs[62]
    assert listed(world, 0x00000000) == LISTED_MAX
    assert listed(world, 0x00080000) == 3 * (1 + 63 + 1) + 30
    assert world.meter.crashes == []


def listed(world: World, di: int) -> int:
    """How many identifiers the owner of `di` lists from there on."""
    answers: list[bytes] = []
    world.meter.ask(Control.LIST, di, b"", lambda reply: answers.append(reply.data))
    world.advance(1)
    return len(answers[0]) // 4


def test_a_change_of_tariff_is_durable_at_once(make_world):
    world = make_world()
    write(world, FOUR_TARIFFS)
    world.advance(32)
    before = [share[0] for share in Watched.newest.books.shares]
    assert before[2] > 0
    world.cut_power_at_write(0)
    world.advance(90)  # the cut comes with the next write, the store's own or ours
    assert world.power_cuts == 1
    world.await_ready()
    after = [share[0] for share in Watched.newest.books.shares]
    assert all(now >= then for now, then in zip(after, before, strict=False))
    check_books(world)


@pytest.mark.parametrize("writes", range(12))
def test_a_cut_at_any_write_leaves_books_that_balance_and_sets_switched_once(make_world, writes):
    world = make_world(writes)
    write(world, {**FOUR_TARIFFS, SECOND_DAY_TABLE: "000004"})
    world.cut_power_at_write(writes)
    with suppress(NotAnswered):
        world.write(DAY_TABLES_SWITCH, wire("2606010800"), 4, LEVEL_4)
    world.advance(70)
    world.meter.disk.cut_at_write = None
    world.await_ready()
    world.advance(3)
    write(world, {DAY_TABLES_SWITCH: "2606010800"})
    world.advance(3)
    assert Watched.newest.books.sets.day_tables == 1
    assert Watched.newest.books.tariff == 4
    check_books(world)


CHANGES = (
    FOUR_TARIFFS,
    {TARIFFS: "02"},
    {TARIFFS: "12", DAY_TABLE: "000012"},
    {DAY_TABLE: "080003" + "075902" + "000001"},
    {SECOND_DAY_TABLE: "000002"},
    {DAY_TABLES_SWITCH: "2606010759"},
    {DAY_TABLES_SWITCH: "2606010800"},
)


@pytest.mark.parametrize("seed", range(25))
def test_over_kills_cuts_clock_steps_and_changes_of_parameters_no_microjoule_is_lost_or_doubled(make_world, seed):
    world, chance = make_world(seed, faults=Faults(ROUGH_LINK)), random.Random(seed ^ 0xFACE)
    for _ in range(25):
        blow = chance.randrange(6)
        if blow == 0:
            world.kill(chance.choice(world.names))
        elif blow == 1:
            world.kill_within(chance.choice([name for name in world.names if name != KERNEL]), chance.randrange(60))
        elif blow == 2:
            world.cut_power_at_write(chance.randrange(4))
        elif blow == 3:
            world.clock.step_calendar(chance.uniform(-100, 100))
        else:
            for di, digits in chance.choice(CHANGES).items():
                try:
                    world.write(di, wire(digits), 4, LEVEL_4)
                except NotAnswered:
                    continue
        world.advance(chance.uniform(0.1, 4))
    world.quiet()
    world.meter.disk.cut_at_write = None
    world.advance(20)
    check_books(world)
