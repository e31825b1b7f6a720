"""The octets of the classes of a load record: order, digits, what is absent."""

import pytest

from wattwheel.model.catalogue import item_2007
from wattwheel.model.energy_items import MICROJOULE_PER_CENTIWATTHOUR as CENTI
from wattwheel.model.energy_items import STANDARD_WORDS
from wattwheel.model.load_classes import demands, energies, factors, powers, quadrants, voltages
from wattwheel.model.load_record import CLASS_OCTETS
from wattwheel.model.records import ElementReading, Momentary
from wattwheel.protocols.dlt645 import blocks, items

MOMENTARY = Momentary(
    (
        ElementReading(None, None, -1_000_050, 2_000_049, None, -999_500),
        ElementReading(999_949, 799_999_400, 3_000_000, 4_000_000, None, 500_000),
        ElementReading(0, -1_000_000, -3_000_000, -4_000_000, None, -500_000),
        ElementReading(),
    ),
    60_005,
)
REGISTERS = [number * CENTI for number in (11, 22, 33, 44, 55, 66, 77, 88)]


def numbers(class_: int, octets: bytes) -> list[int | None]:
    assert len(octets) == CLASS_OCTETS[class_ - 1]
    found = []
    for member in map(item_2007, blocks.LOAD_CLASSES[class_ - 1]):
        found.append(items.decode(member, octets[: member.octets]).number)
        octets = octets[member.octets :]
    return found


def test_each_class():
    assert numbers(1, voltages(MOMENTARY)) == [9999, 0, None, 799_999, -1000, None, 6001]
    assert numbers(2, powers(MOMENTARY)) == [-10001, 30000, -30000, None, 20000, 40000, -40000, None]
    assert numbers(3, factors(MOMENTARY)) == [-1000, 500, -500, None]
    assert numbers(4, energies(REGISTERS, STANDARD_WORDS)) == [11, 22, 99, 99]
    assert numbers(5, quadrants(REGISTERS)) == [33, 44, 55, 66]
    assert numbers(6, demands(-5, bytes.fromhex("563412"))) == [-5, 123456]


@pytest.mark.parametrize(("class_", "made"), [(1, voltages), (2, powers), (3, factors)])
def test_without_momentary_values_nothing_is_available(class_, made):
    assert made(None) == b"\xff" * CLASS_OCTETS[class_ - 1]


def test_a_demand_that_nobody_knows():
    assert demands(None, (1,)) == b"\xff" * 6


def test_registers_roll_over_and_combined_ones_have_a_sign():
    words = STANDARD_WORDS._replace(reactive=(0x02, 0x01))
    octets = energies([100_000_007 * CENTI, 0, 5 * CENTI, 0, 0, 0], words)
    assert numbers(4, octets) == [7, 0, -5, 5]
