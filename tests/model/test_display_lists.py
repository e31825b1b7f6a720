"""What a display walks through, out of the parameters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattwheel.apps.parameters import default_items, refusal
from wattwheel.model.catalogue import item_2007
from wattwheel.model.display_lists import (
    AUTO_COUNT,
    AUTO_LIST,
    DEFAULT_AUTO_LIST,
    DEFAULT_KEY_LIST,
    DEMAND_DECIMALS,
    ENERGY_DECIMALS,
    ENTRIES_MAX,
    KEY_COUNT,
    KEY_LIST,
    PREPAID_AUTO_LIST,
    SCREEN_SECONDS,
    TEST_SECONDS,
    DisplayParameters,
    Entry,
    entry_of,
    is_entry,
    parameters_of,
    source_of,
)

UNTOUCHED = DisplayParameters(DEFAULT_AUTO_LIST, DEFAULT_KEY_LIST, 5, 5, 2, 4)


@pytest.mark.parametrize("entries", [DEFAULT_AUTO_LIST, PREPAID_AUTO_LIST, DEFAULT_KEY_LIST])
def test_every_default_screen_is_an_item_that_can_be_read(entries):
    assert len(entries) <= ENTRIES_MAX
    for entry in entries:
        assert item_2007(entry.di).read


def test_the_default_lists_are_those_of_the_field():
    assert [entry.di for entry in DEFAULT_AUTO_LIST] == [0x00000000, 0x00010000, 0x04000101, 0x04000102]
    assert DEFAULT_KEY_LIST[:3] == (Entry(0x04000101), Entry(0x04000102), Entry(0x00000000))
    forward = [Entry(0x00010000 + 0x100 * tariff) for tariff in range(5)]
    assert list(DEFAULT_KEY_LIST[3:8]) == forward
    assert list(DEFAULT_KEY_LIST[8:11]) == [Entry(0x01010000, part) for part in (0, 1, 2)]
    assert len(set(DEFAULT_KEY_LIST)) == len(DEFAULT_KEY_LIST)


def test_a_meter_to_which_nothing_was_written_has_the_defaults():
    assert parameters_of(default_items()) == UNTOUCHED == parameters_of({})
    for di, octets in default_items().items():
        assert refusal(default_items(), di, octets) == 0


def test_what_is_written_counts():
    written = {
        AUTO_COUNT: b"\x03",
        AUTO_LIST + 1: bytes.fromhex("00000100"),
        AUTO_LIST + 2: bytes.fromhex("0000010102"),
        AUTO_LIST + 3: bytes.fromhex("99999999"),  # names nothing: takes no screen
        AUTO_LIST + 4: bytes.fromhex("00000200"),  # beyond the count
        SCREEN_SECONDS: b"\x12",
        TEST_SECONDS: b"\x00",
        ENERGY_DECIMALS: b"\x00",
        DEMAND_DECIMALS: b"\x03",
        KEY_COUNT: b"\x01",
        KEY_LIST + 1: bytes.fromhex("01010004"),
    }
    expected = DisplayParameters(
        (Entry(0x00010000), Entry(0x01010000, 2)), (Entry(0x04000101),), screen_s=12, test_s=0,
        energy_decimals=0, demand_decimals=3,
    )  # fmt: skip
    assert parameters_of({**default_items(), **written}) == expected


def test_a_list_without_one_good_screen_is_the_default():
    assert parameters_of({AUTO_COUNT: b"\x01", AUTO_LIST + 1: b"\x99" * 4}).auto == DEFAULT_AUTO_LIST


@pytest.mark.parametrize("entry", [Entry(0x02010100), Entry(0x01010000, 1), Entry(0x01010000, 99)])
def test_an_entry_is_its_octets(entry):
    assert entry_of(entry.octets) == entry
    assert len(entry.octets) == (4 if entry.part == 0 else 5)


@pytest.mark.parametrize(
    ("di", "decimals", "source"),
    [
        (0x00010000, 2, 0x00010000),
        (0x00010000, 3, 0x0D010000),
        (0x00010203, 4, 0x0D010203),
        (0x0000FF00, 4, 0x0D00FF00),
        (0x003100FF, 4, 0x0D3100FF),
        (0x00900200, 4, 0x00900200),  # money
        (0x00800000, 4, 0x00800000),  # not kept
        (0x0D010000, 4, 0x0D010000),
        (0x05060101, 4, 0x05060101),  # frozen with two
        (0x02010100, 4, 0x02010100),
    ],
)
def test_energies_with_more_than_two_decimals_are_asked_for_with_four(di, decimals, source):
    assert source_of(di, parameters_of({ENERGY_DECIMALS: bytes((decimals,))})) == source


def test_an_entry_is_told_from_what_stands_beside_it():
    assert [is_entry(di) for di in (0x04040100, 0x04040101, 0x040401FE, 0x040401FF)] == [False, True, True, False]
    assert [is_entry(di) for di in (0x04040200, 0x04040201, 0x040402FE, 0x04040301)] == [False, True, True, False]


@given(st.dictionaries(st.integers(AUTO_COUNT, TEST_SECONDS) | st.integers(AUTO_LIST, KEY_LIST + 99), st.binary()))
def test_any_octets_give_a_display_that_shows_something(parameters):
    found = parameters_of(parameters)
    assert found.auto
    assert found.key
    assert found.screen_s >= 1
