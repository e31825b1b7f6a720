"""What may be written to the tables and times of the tariff plan, and that it means what it should."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattwheel.model.tariff import SLOTS_MAX, Reason, Slot, Zone, counted, resolve
from wattwheel.model.tariff_parameters import (
    DAY_TABLE_COUNT,
    HOLIDAY_COUNT,
    HOLIDAYS,
    SLOT_COUNT,
    TARIFF_COUNT,
    ZONE_COUNT,
    plan_of,
    switch_instants,
)
from wattwheel.model.tariff_tables import (
    beyond_places,
    is_table,
    is_time,
    table_error,
    time_error,
    without_fillers,
)

ZONES, DAY_1 = 0x04010000, 0x04010001
SECOND_ZONES, SECOND_DAY_8 = 0x04020000, 0x04020008
HOLIDAY = HOLIDAYS + 1
MAY = datetime(2026, 5, 5, 9, tzinfo=UTC)


def wire(*entries: str) -> bytes:
    """Entries as the picture prints them, the first one first on the wire."""
    return b"".join(bytes.fromhex(entry)[::-1] for entry in entries)


@pytest.mark.parametrize(
    ("di", "entries", "expected"),
    [
        (DAY_1, ("000001", "120002"), 0),
        (DAY_1, ("120002", "000001"), 0),  # sorted when it is looked at
        (DAY_1, ("000001", "120002", *("000000",) * 12), 0),
        (DAY_1, ("000001", *("120002",) * 13), 0),
        (DAY_1, ("000000",) * 14, 0),  # an empty table
        (DAY_1, ("000001", "090000", "120002"), 0),  # tariff 0 lets the one before go on
        (DAY_1, ("000001", "090063"), 0),
        (DAY_1, ("000001", "090064"), 0x40),
        (DAY_1, ("000001", "240001"), 0x01),
        (DAY_1, ("006001",), 0x01),
        (DAY_1, ("000001",) * 15, 0x20),
        (SECOND_DAY_8, ("000000",) * 15, 0x20),
        (ZONES, ("010101", "070102"), 0),
        (ZONES, ("070102", "010101"), 0),
        (ZONES, ("010101", *("000000",) * 13), 0),
        (ZONES, ("022901",), 0),  # there are leap years
        (ZONES, ("010100",), 0),  # no table: table 1
        (ZONES, ("023001",), 0x01),
        (ZONES, ("043101",), 0x01),
        (ZONES, ("130101",), 0x01),
        (ZONES, ("010001",), 0x01),
        (ZONES, ("000000", "010101"), 0x01),  # only at the end is it no place
        (ZONES, ("010109",), 0x01),
        (ZONES, ("010101",) * 15, 0x10),
        (SECOND_ZONES, ("010101",) * 15, 0x10),
    ],
)
def test_tables(di, entries, expected):
    octets = wire(*entries)
    assert is_table(di)
    assert table_error(di, octets) == expected
    assert beyond_places(di, octets) == (expected if expected in (0x10, 0x20) else 0)


@pytest.mark.parametrize(
    ("di", "digits", "expected"),
    [
        (0x04000106, "2602280000", 0),
        (0x04000107, "2602290000", 1),
        (0x04000108, "2613010000", 1),
        (0x04000109, "2601012400", 1),
        (0x04000109, "2601010060", 1),
        *((0x04000106 + at, digits * 5, 0) for at in range(4) for digits in ("00", "99", "FF")),
        (0x04060401, "022923", 0),
        (0x04060401, "990100", 0),
        (0x04060501, "FF0100", 0),
        (0x04060504, "999999", 0),
        (0x04060501, "FF0024", 1),
        (0x04060401, "023000", 1),
        (0x04060401, "010124", 1),
        (HOLIDAY, "26010101", 0),
        (HOLIDAY, "99022901", 0),
        (HOLIDAY, "26022901", 1),
        (HOLIDAY, "FFFF3101", 0),
        (HOLIDAY, "FFFF3201", 1),
        (HOLIDAY, "99130101", 1),
        (HOLIDAY, "99010001", 1),
        (HOLIDAYS + 254, "00000000", 0),
        (HOLIDAY, "260101AA", 1),
    ],
)
def test_times(di, digits, expected):
    octets = bytes.fromhex(digits)[::-1]
    assert is_time(di)
    assert time_error(di, octets) == expected


def test_fillers_are_for_times_of_the_plan_only():
    assert without_fillers(HOLIDAY, wire("FF120102")) == wire("99120102")
    assert without_fillers(DAY_1, wire("FFFFFF")) == wire("FFFFFF")
    assert not any(map(is_time, (HOLIDAYS, HOLIDAYS + 255, 0x04060405, 0x04000105, 0x0400010C)))


# -- what was written means something


def parameters(written: dict[int, bytes]) -> dict[int, bytes]:
    counts = {ZONE_COUNT: "14", DAY_TABLE_COUNT: "02", SLOT_COUNT: "14", TARIFF_COUNT: "04"}
    counted_items = {di: bytes.fromhex(digits) for di, digits in counts.items()}
    return counted_items | {HOLIDAY_COUNT: b"\x02\x00"} | written


@pytest.mark.parametrize(
    ("entries", "hour", "tariff"),
    [
        (("000002", "120003", *("000000",) * 12), 9, 2),  # the zeros at the end are not midnight
        (("120003", "000002"), 9, 2),
        (("060002", "120003", *("120003",) * 12), 3, 3),  # before the first slot: the last
        (("000002", "090000", "120003"), 9, 2),
        (("000002", "090005", "120003"), 11, 2),
        (("000005", "120003"), 9, 1),
        (("000000",) * 14, 9, 1),
    ],
)
def test_a_day_table_as_it_was_written(entries, hour, tariff):
    assert table_error(DAY_1, wire(*entries)) == 0
    plan = plan_of(parameters({DAY_1: wire(*entries)}))
    assert resolve(plan, MAY.replace(hour=hour)).tariff == tariff


def test_a_zone_table_as_it_was_written():
    entries = ("070101", "030102", *("000000",) * 12)
    assert table_error(ZONES, wire(*entries)) == 0
    plan = plan_of(parameters({ZONES: wire(*entries)}))
    assert [resolve(plan, MAY.replace(month=month)).day_table for month in (1, 2, 3, 6, 7, 12)] == [1, 1, 2, 2, 1, 1]


def test_every_year_may_be_ff():
    holiday = bytes.fromhex("FF050502")[::-1]
    assert time_error(HOLIDAY, holiday) == 0
    assert resolve(plan_of(parameters({HOLIDAY: holiday})), MAY)[1::2] == (2, Reason.HOLIDAY)
    assert switch_instants({0x04000106: b"\xff" * 5}, MAY) == []


_digits = st.integers(0, 99).map(lambda number: int(f"{number:02d}", 16))


@given(st.sampled_from((ZONES, DAY_1)), st.lists(st.tuples(_digits, _digits, _digits), max_size=SLOTS_MAX))
def test_what_may_be_written_has_every_counted_entry_right(di, entries):
    octets = b"".join(map(bytes, entries))
    if table_error(di, octets) == 0:
        kind, numbers = (Slot, (24, 60, 64)) if di & 0xFF else (Zone, (13, 32, 9))
        rows = [kind(*(int(f"{octet:02x}") for octet in reversed(entry))) for entry in entries]
        assert all(all(value < most for value, most in zip(row, numbers, strict=True)) for row in counted(rows))
