"""What a freeze holds: chosen items, energies, demands, variables, blocks."""

import pytest

from wattwheel.model.catalogue import item_2007
from wattwheel.model.energy_items import MICROJOULE_PER_CENTIWATTHOUR as CENTI
from wattwheel.model.energy_items import STANDARD_WORDS
from wattwheel.model.freeze_content import (
    DEPTHS,
    FreezeKind,
    chosen,
    freeze_block,
    frozen_demand,
    frozen_energies,
    frozen_variables,
    parts_of,
)
from wattwheel.model.records import ElementReading, Momentary
from wattwheel.protocols.dlt645.items import decode

ITEMS = [0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0A, 0x10]


@pytest.mark.parametrize("kind", FreezeKind, ids=lambda kind: kind.name)
def test_places_and_items_are_those_of_the_register_table(kind):
    block = item_2007(0x0500FF00 | kind << 16 | DEPTHS[kind])
    assert [di >> 8 & 0xFF for di in block.parts] == [0, *parts_of(kind)]
    assert chosen(kind, 0xFF) == ([0x01, 0x02] if kind is FreezeKind.HOURLY else ITEMS)
    assert chosen(kind, 0x00) == []


def test_energies_are_what_the_pictures_say():
    shares = [[number * tariff * CENTI for number in range(1, 9)] for tariff in (1, 2)]
    energies = frozen_energies(shares, STANDARD_WORDS, 3)
    for item, octets in energies.items():
        parts = decode(item_2007(0x05010001 | item << 8), octets).parts
        numbers = [part.number for part in parts]
        each = {0x01: 1, 0x02: 2, 0x03: 9, 0x04: 9, 0x05: 3, 0x06: 4, 0x07: 5, 0x08: 6}[item]
        assert numbers == [3 * each, each, 2 * each, 0]


def test_a_combined_energy_may_be_negative():
    words = STANDARD_WORDS._replace(reactive=(0x02, 0x14))  # minus quadrant I
    energies = frozen_energies([[0, 0, 7 * CENTI, 0, 0, 0, 0, 0]], words, 1)
    assert energies[0x03] == bytes.fromhex("0700008007000080")


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (bytes(range(24)), bytes(range(16))),
        (bytes(8), bytes(8) + b"\xff" * 8),
        (None, b"\xff" * 16),
        ((1, 2), b"\xff" * 16),
        (b"", b"\xff" * 16),
    ],
)
def test_a_demand_has_the_width_of_the_tariffs(block, expected):
    assert frozen_demand(block, 1) == expected


def test_variables_that_are_absent_or_too_large():
    whole = ElementReading(None, None, 79_999_900, -49)
    elements = (whole, ElementReading(), ElementReading(None, None, 80_000_000, -80_000_000), whole)
    octets = frozen_variables(Momentary(elements))
    assert octets.hex() == "999979" + "ffffff" * 2 + "999979" + "000000" + "ffffff" * 2 + "000000"
    assert frozen_variables(None) == b"\xff" * 24


def test_a_block_has_a_separator_behind_every_place():
    assert freeze_block(FreezeKind.HOURLY, b"time!", {0x01: b"one"}) == b"time!\xaaone\xaa\xaa"
    assert freeze_block(FreezeKind.DAILY, b"time!", {}) == b"time!" + b"\xaa" * 12
