"""The energy APP: its ledger, its views of the registers, its items, and what it keeps over restarts."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattwheel.apps.energy import (
    ACTIVE_COMBINATION,
    MICROJOULE_PER_CENTIWATTHOUR,
    REACTIVE_COMBINATIONS,
    REGISTER_MODULUS,
    SIGNED_MAX,
    Books,
    Ledger,
    books_of,
    combined,
    energy_items,
    momentary_items,
    register_view,
    rounded,
    signed_view,
)
from wattwheel.model.catalogue import item_2007
from wattwheel.model.errors import Refused
from wattwheel.model.records import ElementReading, EnergyTotals, Momentary
from wattwheel.protocols.dlt645.items import decode, encode_int, encode_ints
from wattwheel.testing.world import World

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "domain.json").read_text())
CENTI = MICROJOULE_PER_CENTIWATTHOUR


def totals(*first_six: int, sequence: int = 1) -> EnergyTotals:
    return EnergyTotals(sequence, (*first_six, *(0,) * (24 - len(first_six))))


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


@given(st.lists(st.lists(st.integers(0, 10**12), min_size=6, max_size=6), min_size=61, max_size=61), DELIVERY)
def test_whatever_is_lost_doubled_reordered_or_replayed_exactly_the_newest_total_is_booked(steps, deliveries):
    running, pushes = [0] * 6, []
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
            assert ledger.books.tariff_1 == list(pushes[highest].microjoule[:6])
    ledger.book(pushes[60])
    assert ledger.books.tariff_1 == ledger.books.seen == running


def test_a_total_that_fell_is_counted_and_books_nothing_until_it_has_passed_what_was_seen():
    ledger = Ledger()
    for register in (100, 90, 95, 100, 130):
        ledger.book(totals(register, 7))
    assert ledger.books.tariff_1[:2] == [130, 7]
    assert ledger.fell == 2


def test_tariffs_keep_their_shares():
    ledger = Ledger(Books([100, 0, 0, 0, 0, 0], [40, 0, 0, 0, 0, 0]))
    ledger.book(totals(150))
    assert ledger.books.tariff_1[0] == 90


def test_no_phase_ever_falls():
    ledger = Ledger()
    for low in (0, 50, 20, 0):
        ledger.book(EnergyTotals(1, tuple(range(low, low + 24))))
    assert ledger.books.highest == list(range(50, 74))
    assert books_of(msgspec.msgpack.encode(ledger.books)) == ledger.books


def test_books_of_the_version_before_are_taken_up():
    ledger = Ledger(books_of(msgspec.msgpack.encode([[9] * 6, [4] * 6])))
    ledger.book(totals(10, 9, 9, 9, 9, 9))
    assert ledger.books.tariff_1 == [5, 4, 4, 4, 4, 4]
    assert ledger.books.highest[:6] == [10, 9, 9, 9, 9, 9]


@given(st.binary(max_size=99))
def test_any_octets_are_books_or_none(octets):
    assert books_of(octets) is None


@pytest.mark.parametrize("other", [[], [[1], [1]], [[1] * 6, [1] * 5], [[1] * 6] * 2 + [[1] * 23], {"a": 1}, ["", ""]])
def test_books_of_another_form_are_none(other):
    assert books_of(msgspec.msgpack.encode(other)) is None
    assert books_of(None) is None


# -- registers as they are shown


@pytest.mark.parametrize("vector", VECTORS["energy_encoding"], ids=lambda vector: vector["kwh"])
def test_encoding(vector):
    units = int(Decimal(vector["kwh"]) * 100)
    item = item_2007(0x00000000 if units < 0 or units <= SIGNED_MAX else 0x00010000)
    assert encode_int(item, units).hex().upper() == vector["bytes_le"]


@pytest.mark.parametrize("vector", VECTORS["energy_rollover"], ids=lambda vector: vector["add"])
def test_roll_over(vector):
    before, after = microjoule(vector["before"]), microjoule(vector["before"]) + microjoule(vector["add"])
    assert register_view(before) == int(Decimal(vector["before"]) * 100)
    assert register_view(after) == int(Decimal(vector["after"]) * 100)


@given(st.integers(0, 2**63 - 1), st.integers(0, 10**15))
def test_a_register_never_shows_a_ninth_digit_and_differences_survive_the_roll_over(before, more):
    shown, later = register_view(before), register_view(before + more)
    assert 0 <= shown < REGISTER_MODULUS
    assert (later - shown) % REGISTER_MODULUS == ((before + more) // CENTI - before // CENTI) % REGISTER_MODULUS


def combined_kwh(word: int, *kwh: str) -> int:
    return signed_view(combined(word, [microjoule(text) for text in kwh]))


@pytest.mark.parametrize("vector", VECTORS["active_combination"], ids=lambda vector: f"{vector['word']:02X}")
def test_active_combination(vector):
    units = combined_kwh(vector["word"], vector["forward"], vector["reverse"])
    assert units == int(Decimal(vector["combined"]) * 100)


@pytest.mark.parametrize("vector", VECTORS["reactive_combination"], ids=lambda vector: f"{vector['word']:02X}")
def test_reactive_combination(vector):
    units = combined_kwh(vector["word"], *(vector[f"q{number}"] for number in range(1, 5)))
    assert units == int(Decimal(vector["combined"]) * 100)


def test_where_a_word_both_adds_and_subtracts_adding_wins():
    assert combined(0x03, [5, 7]) == 5
    assert combined(0xFF, [1, 10, 100, 1000]) == 1111


@given(st.integers(-(2**65), 2**65))
def test_a_combined_register_fits_its_signed_picture_and_is_cut_towards_zero(value):
    shown = signed_view(value)
    assert abs(shown) <= SIGNED_MAX
    assert shown == -signed_view(-value)
    assert decode(item_2007(0), encode_int(item_2007(0), shown)).number == shown


# -- items


def phase(number: int) -> tuple[int, ...]:
    return tuple((100 * number + register**2) * CENTI for register in range(1, 7))


def test_energy_items_of_the_whole_meter_and_of_each_phase():
    own = [11 * CENTI, 2 * CENTI, 30 * CENTI, 40 * CENTI, 50 * CENTI, 80 * CENTI]
    values = energy_items([own], EnergyTotals(1, (*own, *phase(1), *phase(2), *phase(3))))
    shown = {0x00: 13, 0x01: 11, 0x02: 2, 0x03: 110, 0x04: 90, 0x05: 30, 0x06: 40, 0x07: 50, 0x08: 80}
    for di2, units in shown.items():
        assert values[di2 << 16] == values[di2 << 16 | 0x0100] == units
        assert values[di2 << 16 | 0xFF00] == (units, units)
    for number, base in ((1, 0x15), (2, 0x29), (3, 0x3D)):
        p, n, q1, q2, q3, q4 = (100 * number + register**2 for register in range(1, 7))
        expected = (p, n, q1 + q4, q2 + q3, q1, q2, q3, q4)
        assert tuple(values[base + offset << 16] for offset in range(8)) == expected
    assert len(values) == 3 * len(shown) + 3 * 8


@given(st.lists(st.integers(0, 2**63 - 1), min_size=24, max_size=24))
def test_every_energy_item_fits_its_picture(registers):
    for di, value in energy_items([registers[:6]], EnergyTotals(1, tuple(registers))).items():
        item = item_2007(di)
        octets = encode_int(item, value) if isinstance(value, int) else encode_ints(item, value)
        decoded = decode(item, octets)
        if isinstance(value, int):
            assert decoded.number == value
        else:
            assert tuple(part.number for part in decoded.parts) == value


def test_the_default_combinations_are_those_of_the_standard_meter():
    assert ACTIVE_COMBINATION == 0x05
    assert REACTIVE_COMBINATIONS == (0x41, 0x14)


PHASE_A = ElementReading(219_960, 4_999_500, -1_234_560, 250_049, 1_259_600, -980_100, 359_960, 120_000, 1234, 5678)
TOTAL = ElementReading(None, None, -3_000_050, 99, 3_000_149, -999_500)


def test_momentary_items_in_the_units_of_their_last_digits():
    absent = ElementReading()
    values = momentary_items(Momentary((TOTAL, PHASE_A, absent, absent), 50_004, 12_500))
    assert values[0x02010100] == 2200  # 220.0 V
    assert values[0x02020100] == 5000  # 5.000 A, halves away from zero
    assert values[0x02030100] == -12346
    assert values[0x02030000] == -30001
    assert values[0x02040000] == 1
    assert values[0x02060000] == -1000
    assert values[0x02070100] == 0  # 359.96 degrees are a full turn
    assert values[0x0201FF00] == (2200, None, None)
    assert values[0x0203FF00] == (-30001, -12346, None, None)
    assert values[0x02800002] == 5000
    assert values[0x02800001] == 13
    assert not {0x02010000, 0x02020000, 0x02070000, 0x02010200, 0x02030300} & set(values)


def test_without_any_phase_there_is_nothing():
    assert momentary_items(Momentary((ElementReading(),) * 4)) == {}


@given(st.integers(-(2**70), 2**70), st.sampled_from((10, 100, 1000)))
def test_rounding_is_to_the_nearest_and_the_same_on_both_sides_of_zero(value, divisor):
    assert abs(rounded(value, divisor) * divisor - value) * 2 <= divisor
    assert rounded(-value, divisor) == -rounded(value, divisor)


# -- the APP in a meter


@pytest.fixture
def world():
    world = World(3)
    world.set_power(36e6, reactive_var=(-7.2e6, 3.6e6, 0))
    world.await_ready()
    world.advance(10)
    return world


def test_every_item_it_lists_is_answered_and_others_are_not(world):
    for di, error in ((0x00010000, None), (0x0001FF00, None), (0x00010200, 2), (0x00010001, 2), (0x00090000, 2)):
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
