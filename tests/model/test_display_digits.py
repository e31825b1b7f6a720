"""DS-05 decimals, DS-06 negative values, and everything else that stands on eight places."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattwheel.model.display import LCD_DIGITS
from wattwheel.model.display_digits import (
    LETTERS,
    NO_VALUE,
    date_text,
    error_text,
    number_text,
    places,
    right_aligned,
    time_text,
    version_text,
)


@pytest.mark.parametrize(
    ("number", "decimals", "wanted", "text"),
    [
        # DS-05: energies are kept with two digits behind the point
        (123456, 2, 0, "1234"),
        (123456, 2, 1, "1234.5"),
        (123456, 2, 2, "1234.56"),
        (123456, 2, 3, "1234.56_"),
        (123456, 2, 4, "1234.56__"),
        (199, 2, 0, "1"),  # cut, not rounded
        (199, 2, 1, "1.9"),
        (99999999, 2, 2, "999999.99"),
        (99999999, 2, 4, "999999.99"),  # no ninth digit
        (12345678, 2, 3, "123456.78"),
        (1234567, 2, 4, "12345.67_"),
        (123456, 4, 4, "12.3456"),  # demands with four
        (123456, 4, 2, "12.34"),
        (123456, 4, 0, "12"),
        # leading zeros are blank but for the one before the point
        (0, 2, 2, "0.00"),
        (0, 2, 0, "0"),
        (5, 2, 2, "0.05"),
        (5, 0, 0, "5"),
        # DS-06
        (-5, 2, 2, "-0.05"),
        (-123456, 2, 2, "-1234.56"),
        (-99999999, 2, 2, "-999999.9"),  # the sign takes a place
        (-4, 2, 1, "0.0"),  # nothing that is left to be seen is below zero
        (-4, 2, 4, "-0.04__"),
        (-199, 2, 0, "-1"),
        (-99, 2, 0, "0"),
        (12345678, 0, 0, "12345678"),
        (123456789, 0, 0, NO_VALUE),
        (-12345678, 0, 0, NO_VALUE),
    ],
)
def test_numbers(number, decimals, wanted, text):
    assert number_text(number, decimals, wanted) == text


@given(st.integers(-(10**9), 10**9), st.integers(0, 4), st.integers(0, 4))
def test_a_number_on_the_glass_is_never_more_than_the_register(number, decimals, wanted):
    text = number_text(number, decimals, wanted)
    assert places(text) <= LCD_DIGITS
    if text == NO_VALUE:
        assert places(str(number)) - decimals > LCD_DIGITS - 1
        return
    whole, _, fraction = text.lstrip("-").partition(".")
    known = fraction.rstrip("_")
    assert whole == str(int(whole))
    assert int((whole + known).ljust(len(whole) + decimals, "0")) <= abs(number)
    if len(known) == decimals:
        assert int(whole + known) == abs(number)


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("0.00", "     0.00"),
        ("123456.78", "123456.78"),
        ("-12.34", "   -12.34"),
        ("1234567.89", NO_VALUE),
        ("", " " * 8),
        ("AbCdEF", "  AbCdEF"),
        ("12kW", NO_VALUE),
        ("12:34:56", "  12:34:56"),
    ],
)
def test_a_text_stands_on_the_right(text, digits):
    assert right_aligned(text) == digits


@given(st.text(sorted(LETTERS | {".", ":"}), max_size=12))
def test_never_more_nor_less_than_eight_places(text):
    assert places(right_aligned(text)) == LCD_DIGITS


def test_dates_times_errors_and_versions():
    assert date_text("261120") == "26.11.20"
    assert time_text("123456") == "12:34:56"
    assert time_text("1234") == "12:34"
    assert error_text(4) == "Err-04"
    assert version_text("0.1.0") == " SoFt0.1.0"
    assert version_text("10.20.30") == NO_VALUE
    assert version_text("1.2.dev3") == " SoFt1.2.-"
