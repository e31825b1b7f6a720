"""Load records: worked examples, every mask, every octet."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattwheel.model.load_record import (
    CLASS_OCTETS,
    CLASSES,
    RECORD_OCTETS_MAX,
    RECORD_OCTETS_MIN,
    classes_due,
    decode_record,
    encode_record,
)

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "domain.json").read_text())["load_record"]


@pytest.mark.parametrize("case", VECTORS["vectors"], ids=lambda case: str(case["mode"]))
def test_the_worked_examples(case):
    time = datetime.strptime(case["time"], "%Y-%m-%d %H:%M").replace(tzinfo=UTC)
    classes = {int(number): bytes.fromhex(octets) for number, octets in case["classes_hex"].items()}
    record = encode_record(time, classes)
    assert record.hex().upper() == case["record_hex"]
    assert (record[2], len(record)) == (case["length_field"], case["total_bytes"])
    assert decode_record(record) == (time, classes)
    assert sorted(classes) == [number for number in CLASSES if case["mode"] >> (number - 1) & 1]


def test_sizes():
    assert (RECORD_OCTETS_MIN, RECORD_OCTETS_MAX) == (16, 103)
    assert list(CLASS_OCTETS) == VECTORS["class_bytes"]


@pytest.mark.parametrize("case", VECTORS["capacity"], ids=lambda case: f"{case['mode']}, {case['interval_min']} min")
def test_a_day_of_records_needs_as_much_as_was_worked_out(case):
    start = datetime(2026, 3, 1, tzinfo=UTC)
    octets = 0
    for minute in range(1440):
        time = start + timedelta(minutes=minute)
        due = classes_due(case["mode"], [case["interval_min"]] * len(CLASS_OCTETS), start, time)
        if due:
            octets += len(encode_record(time, {number: bytes(CLASS_OCTETS[number - 1]) for number in due}))
    assert octets == case["bytes_per_day"]
    assert (40 * octets, 60 * octets) == (case["days40"], case["days60"])


_times = st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
_classes = st.fixed_dictionaries(
    {},
    optional={
        number: st.binary(min_size=size, max_size=size) for number, size in zip(CLASSES, CLASS_OCTETS, strict=True)
    },
)


@given(_times, _classes)
def test_there_and_back(time, classes):
    time = time.replace(second=0, microsecond=0)
    bcd = {number: bytes(octet % 0xA0 for octet in octets) for number, octets in classes.items()}  # AA is no BCD
    assert decode_record(encode_record(time, bcd)) == (time, bcd)


@given(_times, _classes, st.data())
def test_a_changed_octet_is_noticed(time, classes, data):
    record = bytearray(encode_record(time, classes))
    at = data.draw(st.integers(0, len(record) - 1))
    record[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ValueError):
        decode_record(bytes(record))


@given(st.binary(max_size=RECORD_OCTETS_MAX + 3))
def test_what_is_no_record(octets):
    with pytest.raises(ValueError):
        decode_record(octets)


def test_each_class_has_its_interval():
    start = datetime(2024, 3, 5, tzinfo=UTC)
    due = {
        minute: classes_due(0x3F, (1, 5, 15, 60, 0, 1), start, start + timedelta(minutes=minute))
        for minute in (-1, 0, 1, 5, 15, 60)
    }
    assert due == {-1: [], 0: [1, 2, 3, 4, 6], 1: [1, 6], 5: [1, 2, 6], 15: [1, 2, 3, 6], 60: [1, 2, 3, 4, 6]}
    assert classes_due(0x08, (1,) * 6, start, start) == [4]
