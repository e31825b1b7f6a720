"""Default thresholds of events: worked examples of three meters, and what is decoded of them."""

import json
from pathlib import Path

import pytest

from wattwheel.apps.parameters import Settings, default_items
from wattwheel.model.catalogue import item_2007
from wattwheel.model.event_thresholds import DELAYS, default_thresholds, thresholds_of
from wattwheel.model.ratings import Ratings, share

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "domain.json").read_text())["event_defaults"]


def ratings_of(case):
    amperes = (round(float(case[name]) * 1_000_000) for name in ("ib_a", "imax_a"))
    wiring = {1: "1p2w", 3: "3p4w"}[case["phases"]]
    return Ratings(wiring, round(float(case["un_v"]) * 1000), *amperes)


def digits(text, decimals):
    return round(float(text) * 10**decimals)


@pytest.mark.parametrize("case", VECTORS, ids=lambda case: f"{case['un_v']} V {case['phases']}")
def test_the_worked_examples(case):
    found = {di: int(text) for di, text in default_thresholds(ratings_of(case)).items()}
    voltages = {
        0x04090101: case["voltage_loss"]["u_below_v"],
        0x04090102: case["voltage_loss"]["u_recover_above_v"],
        0x04090201: case["under_v"],
        0x04090301: case["over_v"],
        0x04090401: case["phase_break"]["u_below_v"],
        0x04090701: case["current_loss"]["u_above_v"],
        0x04090901: case["current_break"]["u_above_v"],
        0x04000E03: case["qualified_upper_v"],
        0x04000E04: case["qualified_lower_v"],
        0x04090C01: case["check_upper_v"],
        0x04090C02: case["check_lower_v"],
        0x04090801: case["over_current_a"],
    }
    fine = {
        0x04090103: case["voltage_loss"]["i_above_a"],
        0x04090402: case["phase_break"]["i_below_a"],
        0x04090702: case["current_loss"]["i_below_a"],
        0x04090703: case["current_loss"]["i_recover_above_a"],
        0x04090902: case["current_break"]["i_below_a"],
        0x04090A01: case["power_reverse_kw"],
        0x04090B01: case["overload_kw"],
        0x04090D01: case["demand_over_kw"],
        0x04090D02: case["demand_over_kw"],
    }
    rates = {
        0x04090501: case["voltage_imbalance_pct"],
        0x04090601: case["current_imbalance_pct"],
        0x04090F01: case["severe_current_imbalance_pct"],
    }
    expected = {di: digits(text, 1) for di, text in voltages.items()}
    expected |= {di: digits(text, 4) for di, text in fine.items()} | {di: digits(text, 2) for di, text in rates.items()}
    expected |= {0x04090E01: digits(case["power_factor_low"], 3), **dict.fromkeys(DELAYS.values(), case["delay_s"])}
    assert found == expected
    assert ratings_of(case).critical_millivolt == digits(case["critical_v"], 3)


@pytest.mark.parametrize("case", VECTORS, ids=lambda case: f"{case['un_v']} V {case['phases']}")
def test_defaults_fit_their_pictures_and_are_decoded_in_the_units_of_readings(case):
    parameters = default_items(Settings(ratings=ratings_of(case)))
    for di in default_thresholds(ratings_of(case)):
        assert len(parameters[di]) == int(item_2007(di).octets)
    found = thresholds_of(parameters)
    assert found.loss_voltage == digits(case["voltage_loss"]["u_below_v"], 3)
    assert found.loss_current == digits(case["voltage_loss"]["i_above_a"], 6)
    assert found.over_current == digits(case["over_current_a"], 6)
    assert found.current_loss_recovery == digits(case["current_loss"]["i_recover_above_a"], 6)
    assert found.reversal == digits(case["power_reverse_kw"], 6)
    assert found.overload == digits(case["overload_kw"], 6)
    assert found.demand_reactive == digits(case["demand_over_kw"], 4)
    assert found.power_factor == digits(case["power_factor_low"], 6)
    assert (found.severe_imbalance, found.check_upper) == (9000, digits(case["check_upper_v"], 1))
    assert set(found.delays_s.values()) == {60}


def test_what_the_picture_cannot_hold_is_its_largest_number():
    found = default_thresholds(Ratings("3p4w", 400_000, 100_000_000, 200_000_000))
    assert (found[0x04090801], found[0x04090D01], found[0x04090B01]) == ("2400", "999999", "960000")
    assert default_thresholds(Ratings("3p4w", 400_000, 100_000_000, 2_000_000_000))[0x04090801] == "9999"
    assert default_thresholds(Ratings("3p3w", 100_000, 5_000_000, 6_000_000))[0x04090D01] == "012470"  # 1.2 x 1.732


def test_what_is_missing_or_no_number_is_off():
    found = thresholds_of({0x04090201: b"\xff\xff", 0x04090301: b"\x64\x26"})
    assert (found.loss_voltage, found.under_voltage, found.over_voltage) == (0, 0, 266_400)
    assert set(found.delays_s.values()) == {0}


def test_shares_are_rounded_halves_up():
    assert [share(value, 500, 1) for value in (1, 2, 3)] == [1, 1, 2]
