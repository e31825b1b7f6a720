"""The energy APP: its ledger, its views of the registers, its items, and what it keeps over restarts."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from itertools import chain
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.apps.demand_bench import Answered

from wattwheel.apex.partition import Counters
from wattwheel.apps.energy import Energy
from wattwheel.apps.energy_books import Books, Ledger, books_of, cleared
from wattwheel.model.energy_items import MICROJOULE_PER_CENTIWATTHOUR
from wattwheel.model.errors import Refused
from wattwheel.model.event_clears import Clears
from wattwheel.model.records import REGISTER_COUNT, REGISTERS, EnergyTotals, Quality, Readings
from wattwheel.sdk import Function, SaveResult
from wattwheel.testing.world import World

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "domain.json").read_text())
CENTI = MICROJOULE_PER_CENTIWATTHOUR


def totals(*first: int, sequence: int = 1) -> EnergyTotals:
    return EnergyTotals(sequence, (*first, *(0,) * (REGISTER_COUNT - len(first))))


def microjoule(kwh: str) -> int:
    return int(Decimal(kwh) * 100) * CENTI


# -- the ledger

DELIVERY = st.lists(
    st.one_of(
        st.tuples(st.just("push"), st.integers(0, 60)),  # number of the push that arrives, late or again included
        st.tuples(st.just("save"), st.none()),
        st.tuples(st.just("restart"), st.none()),  # of this APP: it comes back with what it saved last
    ),
    max_size=60,
)


@given(st.lists(st.lists(st.integers(0, 10**12), min_size=8, max_size=8), min_size=61, max_size=61), DELIVERY)
def test_whatever_is_lost_doubled_reordered_or_replayed_exactly_the_newest_total_is_booked(steps, deliveries):
    running, pushes = [0] * len(REGISTERS), []
    for number, step in enumerate(steps):
        running = [before + more for before, more in zip(running, step, strict=True)]
        pushes.append(totals(*running, sequence=number))
    ledger, saved = Ledger(), None
    highest, highest_saved = -1, -1
    for what, number in deliveries:
        if what == "push":
            ledger.book(pushes[number])
            highest = max(highest, number)
        elif what == "save" and ledger.books is not None:
            saved, highest_saved = msgspec.msgpack.encode(ledger.books), highest
        elif what == "restart":
            ledger = Ledger(msgspec.msgpack.decode(saved, type=Books) if saved else None)
            highest = highest_saved
        if highest >= 0:
            assert ledger.books.tariff_1 == list(pushes[highest].microjoule[: len(REGISTERS)])
    ledger.book(pushes[60])
    assert ledger.books.tariff_1 == ledger.books.seen == running


def test_a_total_that_fell_is_counted_and_books_nothing_until_it_has_passed_what_was_seen():
    ledger = Ledger()
    for register in (100, 90, 95, 100, 130):
        ledger.book(totals(register, 7))
    assert ledger.books.tariff_1[:2] == [130, 7]
    assert ledger.fell == 2


def test_tariffs_keep_their_shares():
    ledger = Ledger(Books([100] + [0] * 7, [40] + [0] * 7))
    ledger.book(totals(150))
    assert ledger.books.tariff_1[0] == 90


def test_no_phase_ever_falls():
    ledger = Ledger()
    for low in (0, 50, 20, 0):
        ledger.book(EnergyTotals(1, tuple(range(low, low + REGISTER_COUNT))))
    assert ledger.books.highest == list(range(50, 50 + REGISTER_COUNT))
    assert books_of(msgspec.msgpack.encode(ledger.books)) == ledger.books


def test_books_of_the_version_before_are_taken_up():
    ledger = Ledger(books_of(msgspec.msgpack.encode([[9] * 6, [4] * 6])))
    ledger.book(totals(10, 9, 9, 9, 9, 9))
    assert ledger.books.tariff_1 == [5, 4, 4, 4, 4, 4, 0, 0]
    assert ledger.books.highest[:6] == [10, 9, 9, 9, 9, 9]


def test_books_without_apparent_energy_are_taken_up_and_go_on():
    before = [list(range(element, element + 6)) for element in (100, 200, 300, 400)]
    cleared = [[each - 50 for each in element] for element in before]
    six, all_24, cleared_24 = [9] * 6, list(chain(*before)), list(chain(*cleared))
    octets = msgspec.msgpack.encode([six, [4] * 6, all_24, [[5] * 6], 2, [0, 0], [None, b"", 0, []], cleared_24])
    books = books_of(octets)
    assert (books.seen, books.shares) == ([9] * 6 + [0, 0], [[4] * 6 + [0, 0], [5] * 6 + [0, 0]])
    assert books.elements == ((50,) * 6 + (0, 0)) * 4
    ledger = Ledger(books)
    ledger.book(EnergyTotals(1, tuple(chain(*((*own, 7, 8) for own in ([9] * 6, *before[1:]))))))
    assert ledger.books.shares == [[4] * 6 + [0, 0], [5] * 6 + [7, 8]]
    assert ledger.books.elements == ((50,) * 6 + (7, 8)) * 4
    assert ledger.fell == 0


@given(st.binary(max_size=99))
def test_any_octets_are_books_or_none(octets):
    assert books_of(octets) is None


@pytest.mark.parametrize("other", [[], [[1], [1]], [[1] * 6, [1] * 5], [[1] * 6] * 2 + [[1] * 23], {"a": 1}, ["", ""]])
def test_books_of_another_form_are_none(other):
    assert books_of(msgspec.msgpack.encode(other)) is None
    assert books_of(None) is None


# -- the APP in a meter


@pytest.fixture
def world():
    world = World(3)
    world.set_power(36e6, reactive_var=(-7.2e6, 3.6e6, 0))
    world.await_ready()
    world.advance(10)
    return world


def test_apparent_energy_is_kept_by_direction_of_the_total_and_of_each_phase(world):
    world.set_power(-12e6, reactive_var=(9e6, 5e6, 0))
    world.advance(60)
    world.set_power(0)
    world.advance(2)
    apparent = {name: world.true_microjoule(name) // 36_000_000_000 for name in ("import_apparent", "export_apparent")}
    per_phase_va = (math.hypot(4e6, 9e6), math.hypot(4e6, 5e6), 4e6)
    assert world.true_microjoule("export_apparent") == pytest.approx(sum(per_phase_va) * 60e6, rel=1e-6)
    for name, units in apparent.items():
        assert world.read(f"{name}_energy") == units == world.read(f"{name}_energy_tariff_1")
        block = world.ask(0x0009FF00 if name == "import_apparent" else 0x000AFF00).check()
        assert [int(block[at : at + 4][::-1].hex()) for at in (0, 4)] == [units, units]
    for phase, power_va in zip("abc", per_phase_va, strict=True):
        assert world.read(f"export_apparent_energy_{phase}") == int(power_va * 60e6 / 36e9)
        assert world.read(f"import_apparent_energy_{phase}") > world.read(f"import_active_energy_{phase}") - 1


def test_every_item_it_lists_is_answered_and_others_are_not(world):
    for di, error in (
        (0x00010000, None),
        (0x0001FF00, None),
        (0x00010400, None),
        (0x00010500, 2),
        (0x00010001, 2),
        (0x00090000, None),
        (0x00800000, 2),
    ):
        assert world.ask(di).error == error
    for name in ("import_active_energy", "import_active_energy_tariff_1", "voltage_a", "frequency"):
        assert world.read(name) is not None
    with pytest.raises(Refused):
        world.read("import_active_energy_settlement_1")


def test_its_books_outlive_everything(world):
    world.advance(125)  # the store has grouped and committed
    before = world.read("import_active_energy")
    for name in ("energy", "store", "bus", "kernel"):
        world.kill(name)
        world.advance(3)
    after = world.read("import_active_energy")
    assert before < after
    world.advance(0.9)
    assert world.read("import_active_energy") >= after
    assert world.true_microjoule() // CENTI - world.read("import_active_energy") <= 1010
    assert world.meter.crashes == []


def test_a_silent_core_leaves_energy_and_no_momentary_values(world):
    world.meter.core.is_held_down = True
    world.kill("metering_core")
    world.advance(10)
    assert world.ask(0x02010100).error == 2
    assert world.read("import_active_energy") == world.metered_microjoule() // CENTI
    assert world.read("import_active_energy") < world.true_microjoule() // CENTI


# -- turns of a minute


@pytest.mark.parametrize(
    ("minutes", "turns"),
    [
        ([10, 10, 11, 12], [10, 11, 12]),
        ([10, 11, 10, 11, 12], [10, 11, 12]),  # set back by seconds over the end of a minute: once is enough
        ([10, 20], [10, 20]),  # set forward
        ([10, 5, 5, 6, 7], [10, 6, 7]),  # set back: nothing has been passed, then the time is lived through again
        ([10, 9, 8, 9], [10, 9]),
    ],
)
def test_a_minute_ends_when_the_clock_has_passed_its_end(minutes, turns):
    energy = Energy(FakeMeter(), Ledger())
    assert [minute for minute in minutes if energy._is_turn(minute)] == turns


class FakeMeter:
    """Where something is published."""

    def __init__(self):
        self.published = []

    def has_port(self, port):
        return False


# -- clears that other partitions follow


def test_the_last_event_clears_are_published_beside_the_meter_clears():
    meter, ledger = FakeMeter(), Ledger()
    energy = Energy(meter, ledger)
    energy.tell_clears()  # nobody follows
    energy.publish_clears = meter.published.append
    energy.tell_clears()
    assert meter.published == []  # what has happened is not known before the books are
    ledger.take(readings(totals(1, 2, 3, 4, 5, 6)))
    energy.functions[-1].event_clears = tuple((number, 0xFFFFFFFF) for number in range(1, 20))
    energy.tell_clears()
    (clears,) = (msgspec.msgpack.decode(octets, type=Clears) for octets in meter.published)
    assert clears == Clears(0, tuple((number, 0xFFFFFFFF) for number in range(4, 20)))


def readings(energy_totals):
    return Readings(0, 850_000_000.0, Quality.VALID, energy_totals)


# -- a core that has lost its registers


def test_what_comes_after_the_core_has_lost_its_registers_is_booked_and_nothing_falls():
    own = Ledger()
    own.book(totals(1000, 50))
    assert not own.book(totals(400, 60))  # nobody says that anything is lost: it may come late
    assert (own.books.seen[:2], own.fell) == ([1000, 60], 1)
    assert own.book(totals(30, 5), has_lost=True)
    assert own.books.tariff_1[:2] == [1000, 60]
    assert own.books.highest[:2] == [1000, 60]
    assert not own.book(totals(130, 25), has_lost=True)
    assert own.books.tariff_1[:2] == [1100, 80]
    assert own.books.highest[:2] == [1100, 80]
    assert (own.books.origin[:2], own.fell) == ([970, 55], 1)
    again = Ledger(books_of(msgspec.msgpack.encode(own.books)))
    assert not again.book(totals(140, 25), has_lost=True)
    assert again.books.tariff_1[:2] == [1110, 80]
    assert again.book(totals(1, 0), has_lost=True)  # once more
    again.book(totals(3, 7), has_lost=True)
    assert again.books.tariff_1[:2] == [1112, 87]
    emptied = cleared(again.books, bytes(106))
    own = Ledger(books_of(msgspec.msgpack.encode(emptied)))
    own.book(totals(8, 7), has_lost=True)
    assert own.books.tariff_1[:2] == [5, 0]


@given(st.lists(st.tuples(st.sampled_from(["flow", "lose", "kill"]), st.integers(0, 1000)), max_size=40))
def test_whatever_is_lost_what_is_booked_is_never_more_than_what_flowed_and_never_falls(steps):
    own, flowed, core, has_lost, unseen = Ledger(), 0, 0, False, 0
    for what, energy in steps:
        if what == "lose":
            core, has_lost, unseen = energy, True, unseen + energy
        elif what == "flow":
            core += energy
        else:
            own = Ledger(books_of(msgspec.msgpack.encode(own.books)) if own.books else None)
        before = own.books.tariff_1[0] if own.books else 0
        flowed += energy if what != "kill" else 0
        own.book(totals(core), has_lost=has_lost)
        assert before <= own.books.tariff_1[0] <= flowed
        assert own.books.highest[0] == own.books.tariff_1[0] == own.books.seen[0]
    assert own.books is None or own.books.tariff_1[0] >= flowed - unseen


class Slow:
    """A meter whose medium answers when it is told to."""

    def __init__(self) -> None:
        self.counters = Counters(lambda: None)
        self.waiting = []

    def save(self, changes, promised=False, on_saved=None):
        self.waiting.append(on_saved)

    def has_port(self, port):
        return False

    def show(self, values, quality):
        """Nobody reads."""

    def show_beside(self, values):
        """Nobody reads."""


def test_pushes_that_are_replaced_while_a_command_waits_for_the_medium_are_counted():
    meter, command = Slow(), Answered()
    own = Energy(meter, Ledger())
    own.take(Readings(1, 0.0, Quality.VALID, totals(1)))
    own.obey(Function.CLEAR_METER, command)
    counted = []
    for number in (2, 3, 4):
        own.take(Readings(number, 0.0, Quality.VALID, totals(number)))
        counted.append(meter.counters["pushes_passed_over"])
    assert counted == [0, 1, 2]
    meter.waiting.pop()(SaveResult.SAVED)
    assert command.replies == [b""]
    assert own.ledger.books.tariff_1[0] == 3
    own.take(Readings(5, 0.0, Quality.VALID, totals(5)))
    assert meter.counters["pushes_passed_over"] == 2


def test_a_meter_whose_core_has_lost_its_registers_goes_on_counting_and_says_so():
    world = World(3)
    world.set_power(36e6)
    world.await_ready()
    world.advance(90)
    before = world.read(0x00010000)
    world.meter.lose_power()
    world._doors.clear()
    ring = world.meter.disk.memories["ring"]
    ring[:] = bytes(len(ring))
    world.clock.advance(5)
    world.meter.power_up()
    world.await_ready()
    booked, core = world.read(0x00010000), world.metered_microjoule() // CENTI
    assert before - 60_000 <= booked  # of the last minute nobody has anything: the books are saved once in it
    assert core < booked
    assert world.ask(0x04000501).check() == (1 << 13).to_bytes(2, "little")
    world.advance(70)
    gained = world.metered_microjoule() // CENTI - core
    assert world.read(0x00010000) - booked == pytest.approx(gained, abs=1100)  # a second is 1000, reads come between
    assert gained > 60_000
    assert world.read(0x00150000) > booked // 4  # the phases too
    assert 1 in world.ask(0xB0490000).check()  # a metering chip fault has been counted
    assert any(world.ask(0xB0490001).check())
    told = world.counters()
    assert told["energy"]["registers_lost_import_active_microjoule"] > 0
    assert told["metering"]["behind_microjoule"] == 0
