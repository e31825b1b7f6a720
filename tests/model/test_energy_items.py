"""Energy registers as data items: views, combinations, blocks."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattwheel.model.catalogue import item_2007
from wattwheel.model.energy_items import (
    ACTIVE_COMBINATION,
    FOUR_DECIMALS,
    MICROJOULE_PER_CENTIWATTHOUR,
    PRECISE_DI3,
    REACTIVE_COMBINATIONS,
    STANDARD_WORDS,
    TWO_DECIMALS,
    combined,
    energy_items,
    phase_items,
    register_view,
    signed_view,
    tariff_items,
)
from wattwheel.model.records import EnergyTotals
from wattwheel.protocols.dlt645.items import decode, encode_int, encode_ints

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "domain.json").read_text())
CENTI = MICROJOULE_PER_CENTIWATTHOUR


def microjoule(kwh: str) -> int:
    return int(Decimal(kwh) * 100) * CENTI


# -- registers as they are shown


@pytest.mark.parametrize("vector", VECTORS["energy_encoding"], ids=lambda vector: vector["kwh"])
def test_encoding(vector):
    units = int(Decimal(vector["kwh"]) * 100)
    item = item_2007(0x00000000 if units < 0 or units <= TWO_DECIMALS.signed_max else 0x00010000)
    assert encode_int(item, units).hex().upper() == vector["bytes_le"]


@pytest.mark.parametrize("vector", VECTORS["energy_rollover"], ids=lambda vector: vector["add"])
def test_roll_over(vector):
    before, after = microjoule(vector["before"]), microjoule(vector["before"]) + microjoule(vector["add"])
    assert register_view(before) == int(Decimal(vector["before"]) * 100)
    assert register_view(after) == int(Decimal(vector["after"]) * 100)


@given(st.integers(0, 2**63 - 1), st.integers(0, 10**15))
def test_a_register_never_shows_a_ninth_digit_and_differences_survive_the_roll_over(before, more):
    shown, later = register_view(before), register_view(before + more)
    assert 0 <= shown < TWO_DECIMALS.modulus
    assert (later - shown) % TWO_DECIMALS.modulus == ((before + more) // CENTI - before // CENTI) % TWO_DECIMALS.modulus


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
    assert abs(shown) <= TWO_DECIMALS.signed_max
    assert shown == -signed_view(-value)
    assert decode(item_2007(0), encode_int(item_2007(0), shown)).number == shown


# -- items


def phase(number: int) -> tuple[int, ...]:
    return tuple((100 * number + register**2) * CENTI for register in range(1, 9))


def test_energy_items_of_the_whole_meter_and_of_each_phase():
    own = [11 * CENTI, 2 * CENTI, 30 * CENTI, 40 * CENTI, 50 * CENTI, 80 * CENTI, 12 * CENTI, 3 * CENTI]
    values = energy_items([own], EnergyTotals(1, (*own, *phase(1), *phase(2), *phase(3))))
    shown = {
        0x00: 13,
        0x01: 11,
        0x02: 2,
        0x03: 110,
        0x04: 90,
        0x05: 30,
        0x06: 40,
        0x07: 50,
        0x08: 80,
        0x09: 12,
        0x0A: 3,
    }
    for di2, units in shown.items():
        assert values[di2 << 16] == values[di2 << 16 | 0x0100] == units
        assert values[di2 << 16 | 0xFF00] == (units, units)
    for number, base in ((1, 0x15), (2, 0x29), (3, 0x3D)):
        p, n, q1, q2, q3, q4, s, t = (100 * number + register**2 for register in range(1, 9))
        expected = (p, n, q1 + q4, q2 + q3, q1, q2, q3, q4, s, t)
        assert tuple(values[base + offset << 16] for offset in range(10)) == expected
    assert len(values) == 3 * len(shown) + 3 * 10


@given(st.lists(st.integers(0, 2**63 - 1), min_size=32, max_size=32))
def test_every_energy_item_fits_its_picture(registers):
    for di, value in energy_items([registers[:8]], EnergyTotals(1, tuple(registers))).items():
        item = item_2007(di)
        octets = encode_int(item, value) if isinstance(value, int) else encode_ints(item, value)
        decoded = decode(item, octets)
        if isinstance(value, int):
            assert decoded.number == value
        else:
            assert tuple(part.number for part in decoded.parts) == value


@given(st.lists(st.integers(0, 2**63 - 1), min_size=32, max_size=32))
def test_both_views_are_cut_from_the_same_integer(registers):
    shares, totals = [registers[:8], registers[8:16]], EnergyTotals(1, tuple(registers))
    two = tariff_items(shares, STANDARD_WORDS, 2) | phase_items(totals, STANDARD_WORDS)
    four = tariff_items(shares, STANDARD_WORDS, 2, 0, FOUR_DECIMALS)
    four |= phase_items(totals, STANDARD_WORDS, 0, FOUR_DECIMALS)
    assert four.keys() == two.keys()
    for di, value in four.items():
        item = item_2007(PRECISE_DI3 << 24 | di)
        octets = encode_int(item, value) if isinstance(value, int) else encode_ints(item, value)
        decoded = decode(item, octets)
        precise, plain = ((value,), (two[di],)) if isinstance(value, int) else (value, two[di])
        assert tuple(part.number for part in decoded.parts or (decoded,)) == precise
        assert [abs(each) // 100 for each in precise] == [abs(each) for each in plain]


@pytest.mark.parametrize(
    ("microjoule", "two", "four"),
    [
        (0, 0, 0),
        (359_999_999, 0, 0),
        (360_000_000, 0, 1),
        (35_999_999_999, 0, 99),
        (36_000_000_000, 1, 100),
        (10**6 * 3_600_000_000_000 - 1, 99_999_999, 9_999_999_999),
        (10**6 * 3_600_000_000_000, 0, 0),
    ],
)
def test_a_register_with_two_and_with_four_decimals(microjoule, two, four):
    assert (register_view(microjoule), register_view(microjoule, FOUR_DECIMALS)) == (two, four)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_signed_register_with_four_decimals_ends_where_its_picture_does(sign):
    assert signed_view(sign * (800_000 * 3_600_000_000_000 - 1), FOUR_DECIMALS) == sign * 7_999_999_999
    assert signed_view(sign * 800_000 * 3_600_000_000_000, FOUR_DECIMALS) == 0


def test_the_default_combinations_are_those_of_the_standard_meter():
    assert ACTIVE_COMBINATION == 0x05
    assert REACTIVE_COMBINATIONS == (0x41, 0x14)
