"""Texts that a person writes for a sensor, and the values they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattwheel.model.board_sensors import SENSORS, value_of
from wattwheel.model.catalogue import item_2007

CLOCK, TEMPERATURE = SENSORS["clock-battery"], SENSORS["temperature"]


@pytest.mark.parametrize(
    ("text", "value"),
    [("2.61", 261), ("2.6", 260), ("3", 300), ("0", 0), ("20.00", 2000), ("2e0", 200), (" 1.5 ", 150), ("20.01", None)],
)
def test_volts(text, value):
    assert value_of(CLOCK, text) == value


@pytest.mark.parametrize("text", ["", "2.611", "-0.01", "volt", "nan", "inf", "-inf", "1e9999999", "9" * 4000])
def test_what_is_no_voltage(text):
    assert value_of(CLOCK, text) is None


@pytest.mark.parametrize(("text", "value"), [("-40.5", -405), ("23", 230), ("-100.1", None), ("150.1", None)])
def test_degrees(text, value):
    assert value_of(TEMPERATURE, text) == value


@given(st.text(max_size=20), st.sampled_from(sorted(SENSORS)))
def test_any_text_is_a_value_in_range_or_none(text, name):
    value = value_of(SENSORS[name], text)
    assert value is None or SENSORS[name].least <= value <= SENSORS[name].most


def test_they_are_items_of_those_digits():
    for sensor in SENSORS.values():
        assert len(item_2007(sensor.di).picture.partition(".")[2]) == sensor.decimals
