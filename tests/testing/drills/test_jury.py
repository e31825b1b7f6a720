"""The jury of the drill `fuzz`: values are what the API said before or after, to the last digit."""

import pytest

from wattwheel.testing.drills.jury import Jury, blocks_of, known

ENERGY, VOLTAGE, VOLTAGES, TIME = 0x00010000, 0x02010100, 0x0201FF00, 0x04000102
BEFORE = {ENERGY: 0.01, VOLTAGE: 220.0, 0x02010200: 221.0, 0x02010300: None, TIME: "23:59:58"}
AFTER = BEFORE | {ENERGY: 0.03, TIME: "00:00:01"}


def objections(di, octets):
    jury = Jury(BEFORE)
    jury.hear(di, octets)
    return jury.judge(AFTER)


@pytest.mark.parametrize(
    ("di", "octets"),
    [
        (ENERGY, b"\x01\x00\x00\x00"),
        (ENERGY, b"\x02\x00\x00\x00"),
        (ENERGY, b"\x03\x00\x00\x00"),
        (VOLTAGE, b"\x00\x22"),
        (VOLTAGE, b"\x01\x22"),
        (VOLTAGES, b"\x00\x22\x10\x22\xff\xff"),
        (TIME, b"\x59\x59\x23"),
        (TIME, b"\x00\x00\x00"),
    ],
)
def test_values_that_may_be(di, octets):
    assert objections(di, octets) == []


@pytest.mark.parametrize(
    ("di", "octets"),
    [
        (ENERGY, b"\x00\x00\x00\x00"),
        (ENERGY, b"\x04\x00\x00\x00"),
        (ENERGY, b"\x01\x00\x00"),
        (ENERGY, b"\xff\xff\xff\xff"),
        (VOLTAGE, b"\x02\x22"),
        (VOLTAGE, b"\x98\x21"),
        (VOLTAGES, b"\x00\x22\x10\x22\x10\x22"),
        (VOLTAGES, b"\x10\x22\x00\x22\xff\xff"),
        (TIME, b"\x00\x00\x12"),
        (0x12345678, b"\x00"),
    ],
)
def test_values_that_may_not(di, octets):
    assert len(objections(di, octets)) >= 1


def test_what_was_judged_is_forgotten_and_after_becomes_before():
    jury = Jury(BEFORE)
    jury.hear(ENERGY, b"\x00\x00\x00\x00")
    assert jury.judge(AFTER)
    assert jury.judge(AFTER) == []
    jury.hear(ENERGY, b"\x01\x00\x00\x00")
    assert jury.judge(AFTER)
    assert jury.values == 2


def test_tables_and_blocks():
    assert known([{"di": "02010100", "value": 220.0, "unit": "V"}]) == {VOLTAGE: 220.0}
    assert VOLTAGES in set(blocks_of(BEFORE))
    assert all(block & 0xFF00 == 0xFF00 or block & 0xFF == 0xFF for block in blocks_of(BEFORE))


DEMAND = 0x01010000
DEMAND_AT_NOON = bytes.fromhex("000003") + bytes.fromhex("2611201200")[::-1]


@pytest.mark.parametrize(
    ("kilowatt", "when", "count"),
    [(3.0, "2611201200", 0), (3.0001, "2611201200", 1), (3.0, "2611201201", 1), (2.0, "2511201200", 2)],
)
def test_each_field_of_a_record_is_compared(kilowatt, when, count):
    table = {DEMAND: [{"di": "01010000", "value": kilowatt}, {"di": "01010000", "value": when}]}
    jury = Jury(table)
    jury.hear(DEMAND, DEMAND_AT_NOON)
    assert len(jury.judge(table)) == count
