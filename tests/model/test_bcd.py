"""BCD on the wire: numbers, signs, times, and what they cannot hold."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattwheel.model.bcd import EPOCH, MINUTES_MAX, minute_octets, minute_of, number, signed, unsigned


@pytest.mark.parametrize(
    ("value", "octets", "expected"),
    [
        (0, 3, "000000"),
        (123456, 3, "563412"),
        (-1, 3, "010080"),
        (-799999, 3, "9999f9"),
        (799999, 3, "999979"),
        (800000, 3, "ffffff"),
        (-800000, 3, "ffffff"),
        (None, 2, "ffff"),
    ],
)
def test_signed_numbers(value, octets, expected):
    assert signed(value, octets).hex() == expected


@pytest.mark.parametrize(
    ("value", "expected"), [(0, "0000"), (9999, "9999"), (10000, "ffff"), (-1, "ffff"), (None, "ffff"), (2201, "0122")]
)
def test_unsigned_numbers(value, expected):
    assert unsigned(value, 2).hex() == expected


@given(st.integers(0, 99_999_999))
def test_numbers_there_and_back(value):
    assert number(unsigned(value, 4)) == value


@pytest.mark.parametrize("octets", [b"", b"\xaa", b"\x00\x0f"])
def test_what_is_no_number(octets):
    assert number(octets) is None


@given(st.integers(0, MINUTES_MAX))
def test_minutes_there_and_back(minute):
    time = EPOCH + timedelta(minutes=minute)
    octets = minute_octets(minute)
    assert octets.hex() == f"{time:%M%H%d%m%y}"
    assert minute_of(octets) == minute


@pytest.mark.parametrize("digits", ["0000010026", "5924010126", "6000010126", "0000300226", "00000113aa", "00000101"])
def test_what_is_no_minute(digits):
    assert minute_of(bytes.fromhex(digits)) is None


def test_the_last_minute():
    assert EPOCH + timedelta(minutes=MINUTES_MAX) == datetime(2099, 12, 31, 23, 59, tzinfo=UTC)
