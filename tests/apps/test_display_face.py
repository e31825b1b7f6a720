"""What an item looks like on the glass."""

from __future__ import annotations

import pytest

from wattwheel.apps.display_face import Face, face_of
from wattwheel.model.catalogue import item_2007
from wattwheel.model.display_lists import Entry, parameters_of
from wattwheel.protocols.dlt645.items import decode

FACES = [
    (0x00010000, 0, "56341200", "  1234.56", "kWh", "1234.56 kWh"),
    (0x00000000, 0, "56341280", " -1234.56", "kWh", "-1234.56 kWh"),
    (0x02030000, 0, "563412", "  12.3456", "kW", "12.3456 kW"),
    (0x02010100, 0, "0122", "   220.1", "V", "220.1 V"),
    (0x02060000, 0, "9989", "  -0.999", "", "-0.999"),
    (0x04000101, 0, "05201126", "  26.11.20", "", "26.11.20"),
    (0x04000102, 0, "563412", "  12:34:56", "", "12:34:56"),
    (0x01010000, 0, "5634128059201126", "  12.3456", "kW", "12.3456 kW"),
    (0x01010000, 1, "5634122318201126", "  26.11.20", "", "26.11.20"),
    (0x01010000, 2, "5634122318201126", "    18:23", "", "18:23"),
    (0x01010000, 3, "5634122318201126", "--------", "", "no value"),
    (0x04000401, 0, "010020112620", "11200001", "", "11200001"),
    (0x04000401, 1, "010020112620", "    2026", "", "2026"),
    (0x04000501, 0, "AB0C", "    0CAb", "", "0CAb"),
    (0x03300001, 1, "563412201126" + "44332211" + "FFFFFFFF" * 10, "  12:34:56", "", "12:34:56"),
    (0x03010000, 1, "010000" + "050000" + "000000" * 4, "       5", "min", "5 min"),
    (0x00010000, 0, "FFFFFFFF", "--------", "kWh", "no value"),
    (0x04000409, 0, "006400", "    6400", "imp/kWh", "6400 imp/kWh"),
]


@pytest.mark.parametrize(("di", "part", "octets", "digits", "unit", "words"), FACES)
def test_faces(di, part, octets, digits, unit, words):
    item = item_2007(di)
    face = face_of(item, Entry(di, part), decode(item, bytes.fromhex(octets)), parameters_of({}))
    expected = digits.rjust(8 + digits.count(".") + digits.count(":"))
    assert face == Face(expected, unit, words)


@pytest.mark.parametrize(("di", "part", "unit"), [(0x00010000, 0, "kWh"), (0x01010000, 1, ""), (0x03010000, 0, "")])
def test_nobody_has_a_value(di, part, unit):
    assert face_of(item_2007(di), Entry(di, part), None, parameters_of({})) == Face("-" * 8, unit, "no value")


def test_decimals_of_energies_and_of_powers_are_set_apart():
    parameters = parameters_of({})._replace(energy_decimals=0, demand_decimals=1)
    energy, power, voltage = item_2007(0x00010000), item_2007(0x02030000), item_2007(0x02010100)
    assert face_of(energy, Entry(energy.di), decode(energy, bytes.fromhex("99341200")), parameters).digits == "    1234"
    assert face_of(power, Entry(power.di), decode(power, bytes.fromhex("563412")), parameters).digits == "     12.3"
    assert face_of(voltage, Entry(voltage.di), decode(voltage, b"\x01\x22"), parameters).digits == "    220.1"
    more = parameters._replace(energy_decimals=3)
    face = face_of(energy, Entry(energy.di), decode(energy, bytes.fromhex("99341200")), more)
    assert face == Face(" 1234.99_", "kWh", "1234.99 kWh")
