"""The demand on the registers: which windows count, what restarts them, what a settlement and a clear leave."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from tests.apps.demand_bench import KILOWATT_MINUTE, NONE, START, bench

from wattwheel.model.catalogue import item_2007
from wattwheel.model.demand import PERIOD, SLIP
from wattwheel.protocols.dlt645.items import decode

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "domain.json").read_text())
FORWARD, REVERSE, COMBINED_1, COMBINED_2 = 0x01010000, 0x01020000, 0x01030000, 0x01040000
QUADRANTS = (0x01050000, 0x01060000, 0x01070000, 0x01080000)
APPARENT, REVERSE_APPARENT = 0x01090000, 0x010A0000
TARIFFS = {0x04000204: "04", 0x04000203: "02"}
EVERY_S = (1, 5, 60)


# -- windows


@pytest.mark.parametrize("every_s", EVERY_S)
@pytest.mark.parametrize("case", VECTORS["demand"], ids=lambda case: f"{case['period']}-{case['slip']}")
def test_the_worked_examples(case, every_s):
    midnight = START.replace(hour=0)
    own = bench({PERIOD: f"{case['period']:02}", SLIP: f"{case['slip']:02}"}, midnight)
    own.run(7, 0, every_s=every_s)
    own.run(15, 10, every_s=every_s)
    own.run(38, 0, every_s=every_s)
    value, time = own.maximum()
    assert value == round(Decimal(str(case["max_kw"])) * 10_000)
    assert time == f"{midnight + timedelta(minutes=case['first_reached_at_minute']):%y%m%d%H%M}"


@pytest.mark.parametrize("case", VECTORS["demand_rounding"], ids=lambda case: case["kw_6dec"])
def test_a_maximum_is_rounded_half_up(case):
    own = bench({PERIOD: "05"})
    own.registers[0] += int(Decimal(case["kw_6dec"]) * 5 * KILOWATT_MINUTE)
    own.run(5)
    assert own.maximum()[0] == int(Decimal(case["stored_4dec"]) * 10_000)


@pytest.mark.parametrize("every_s", EVERY_S)
def test_there_is_no_maximum_before_a_whole_period_and_the_demand_now_grows_towards_it(every_s):
    own = bench()
    own.run(14, 15, every_s=every_s)
    assert own.maximum() == NONE
    assert own.now() == (140_000, 0, 140_000)
    own.run(1, 15, every_s=every_s)
    assert own.maximum() == (150_000, own.minute())


@pytest.mark.parametrize(("second", "extra"), [(0, 0), (1, 0), (2, 1), (30, 1), (59, 1)])
@pytest.mark.parametrize("every_s", [1, 60])
def test_a_start_off_the_minute_takes_one_minute_more(second, extra, every_s):
    own = bench({PERIOD: "05"}, START + timedelta(seconds=second))
    if second > 1:
        own.flow(20, seconds=60 - second)
    own.wait(60 - second)
    own.push()
    own.run(4 + (second > 1) - 1, 6, every_s=every_s)
    assert own.maximum() == NONE
    own.run(1, 6, every_s=every_s)
    assert (own.at - START) // timedelta(minutes=1) == 5 + extra
    expected = 60_000 if extra else 4 * 60_000 // 5
    assert own.maximum() == (expected, own.minute())


def test_an_equal_demand_keeps_the_older_time_and_so_does_one_that_is_rounded_to_it():
    own = bench({PERIOD: "05"})
    own.run(5, 10)
    reached = own.maximum()
    own.run(5, 10)
    own.registers[0] += 10_000_000  # too little for the last digit
    own.run(1, 10)
    assert own.maximum() == reached
    own.registers[0] += 5 * 6_000_000  # 0.1 W for five minutes
    own.run(1, 10)
    assert own.maximum() == (100_001, own.minute())


def test_demand_is_found_at_each_slip_only():
    own = bench({PERIOD: "15", SLIP: "05"})
    own.run(15, 10)
    own.run(4, 20)
    assert own.now()[0] == own.maximum()[0] == 100_000
    own.run(1, 20)
    assert own.now()[0] == own.maximum()[0] == round((10 * 10 + 5 * 20) / 15 * 10_000)


def test_more_than_the_picture_holds_is_shown_as_the_highest():
    own = bench({PERIOD: "05"})
    own.run(5, 36_000, 500)
    assert own.maximum() == (999_999, own.minute())
    assert own.maximum(COMBINED_1) == (799_999, own.minute())
    assert own.now() == (799_999, 799_999, 799_999)


# -- quantities


@pytest.mark.parametrize(
    ("kilowatt", "kilovar", "active", "quadrant", "apparent", "combined"),
    [
        (4, 3, FORWARD, 0, APPARENT, (30_000, 0)),
        (-4, 3, REVERSE, 1, REVERSE_APPARENT, (0, 30_000)),
        (-4, -3, REVERSE, 2, REVERSE_APPARENT, (0, 30_000)),
        (4, -3, FORWARD, 3, APPARENT, (30_000, 0)),
    ],
)
def test_each_direction_and_quadrant_has_a_maximum_of_its_own(kilowatt, kilovar, active, quadrant, apparent, combined):
    own = bench({PERIOD: "05"})
    own.run(5, kilowatt, kilovar)
    at = own.minute()
    expected = {active: 40_000, QUADRANTS[quadrant]: 30_000, apparent: 50_000}
    expected |= dict(zip((COMBINED_1, COMBINED_2), combined, strict=True))
    for di in (FORWARD, REVERSE, COMBINED_1, COMBINED_2, *QUADRANTS, APPARENT, REVERSE_APPARENT):
        assert own.maximum(di) == ((expected[di], at) if expected.get(di) else NONE), f"{di:08X}"
    signs = (1 if kilowatt > 0 else -1, 1 if kilovar > 0 else -1)
    assert own.now() == (40_000 * signs[0], 30_000 * signs[1], 50_000 * signs[0])


def test_a_characteristic_word_may_subtract_a_quadrant():
    own = bench({PERIOD: "05", 0x04000602: "81", 0x04000603: "00"})  # I minus IV
    own.run(5, 1, 3)
    assert own.maximum(COMBINED_1) == (30_000, own.minute())
    own.run(5, 1, -4)
    assert own.maximum(COMBINED_1) == (-40_000, own.minute())
    assert own.maximum(COMBINED_2) == NONE
    item = item_2007(COMBINED_1)
    assert decode(item, own.energy.look(COMBINED_1)).parts[0].value == -4.0


def test_apparent_demand_of_the_total_is_the_sum_of_the_phases():
    own = bench({PERIOD: "05"})
    own.run(5, 8, 3, phases=((3, 4), (5, 0), (0, -1)))
    assert [own.maximum(0x01090000 + (base << 16))[0] for base in (0x14, 0x28, 0x3C)] == [50_000, 50_000, 10_000]
    assert own.maximum(APPARENT) == (110_000, own.minute())


def test_each_phase_has_maxima_and_restarts_with_its_own_direction():
    own = bench({PERIOD: "05"})
    own.run(4, 3, 0, phases=((3, 1), (2, 0), (-2, 0)))
    own.run(1, 3, 0, phases=((-3, 1), (2, 0), (-2, 0)))
    assert own.maximum(0x01150000) == own.maximum(0x01160000) == NONE
    assert own.maximum(0x01290000) == (20_000, own.minute())
    assert own.maximum(0x013E0000) == (20_000, own.minute())
    own.run(4, 3, 0, phases=((-3, 1), (0, 0), (0, 0)))
    assert own.maximum(0x01160000) == (30_000, own.minute())
    assert own.maximum(0x011A0000) == (10_000, own.minute())
    assert own.maximum(FORWARD)[0] == 30_000
    assert own.energy.look(0x01150100) is None


# -- restarts


@pytest.mark.parametrize("every_s", [1, 60])
def test_a_change_of_direction_restarts_active_and_reactive(every_s):
    own = bench({PERIOD: "05"})
    own.run(4, 10, 2, every_s=every_s)
    own.run(1, -10, 2, every_s=every_s)
    assert own.maximum(FORWARD) == own.maximum(REVERSE) == own.maximum(QUADRANTS[1]) == NONE
    assert own.now() == (-20_000, 4_000, round(-20_000 * (1 + 0.2**2) ** 0.5))
    own.run(4, -10, 2, every_s=every_s)
    assert own.maximum(REVERSE) == (100_000, own.minute())
    assert own.maximum(QUADRANTS[1]) == (20_000, own.minute())
    assert own.maximum(FORWARD) == NONE


def test_a_change_of_direction_within_a_minute_leaves_that_minute_out():
    own = bench({PERIOD: "05"})
    own.run(5, 10)
    own.flow(10, seconds=20)
    own.flow(-30, seconds=40)
    own.wait(60)
    own.push()
    own.run(4, -10)
    assert own.maximum(REVERSE) == NONE
    own.run(1, -10)
    assert own.maximum(REVERSE) == (100_000, own.minute())


def test_a_change_of_the_reactive_direction_restarts_reactive_only():
    own = bench({PERIOD: "05"})
    own.run(4, 10, 2)
    own.run(1, 10, -2)
    assert own.maximum(FORWARD) == (100_000, own.minute())
    assert own.maximum(QUADRANTS[0]) == own.maximum(QUADRANTS[3]) == NONE
    own.run(4, 10, -2)
    assert own.maximum(QUADRANTS[3]) == (20_000, own.minute())


def test_a_restart_shows_no_demand_until_the_next_slip():
    own = bench({PERIOD: "15", SLIP: "05"})
    own.run(15, 10, 2)
    own.run(1, 10, -2)
    assert own.now()[:2] == (100_000, 0)
    own.run(1, -10, -2)
    assert own.now() == (0, 0, 0)


def test_what_flows_back_within_a_minute_counts_as_the_mean_power_does():
    own = bench({PERIOD: "05"})
    for _ in range(5):
        own.flow(10, 0, 40)
        own.flow(-5, 0, 20)
        own.wait(60)
        own.push()
    assert own.maximum(FORWARD) == (50_000, own.minute())
    own.run(5, 0)
    assert own.maximum(REVERSE) == NONE


@pytest.mark.parametrize("every_s", [1, 60])
def test_a_minute_that_nobody_saw_restarts_all(every_s):
    own = bench({PERIOD: "05"})
    own.run(4, 10, every_s=every_s)
    own.flow(10, seconds=120)
    own.wait(120)
    own.push()
    assert own.maximum() == NONE
    assert own.now() == (0, 0, 0)
    own.run(4, 10, every_s=every_s)
    assert own.maximum() == NONE
    own.run(1, 10, every_s=every_s)
    assert own.maximum() == (100_000, own.minute())


@pytest.mark.parametrize(("late", "restarts"), [(5, False), (6, True), (40, True)])
def test_a_turn_seen_much_too_late_is_missed(late, restarts):
    own = bench({PERIOD: "05"})
    own.run(3, 10)
    own.flow(10, seconds=60 + late)
    own.wait(60 + late)
    own.push()
    own.flow(10, seconds=60 - late)
    own.wait(60 - late)
    own.push()
    assert own.maximum() == (NONE if restarts else (100_000, own.minute()))


@pytest.mark.parametrize("every_s", [1, 60])
@pytest.mark.parametrize("step_s", [0, 3600, -3600])
def test_a_set_clock_restarts_all(every_s, step_s):
    own = bench({PERIOD: "05"})
    own.run(4, 10, every_s=every_s)
    own.run_half(10, every_s)
    own.clock_changes += 1
    own.at += timedelta(seconds=step_s)
    own.run_half(10, every_s)
    assert own.maximum() == NONE
    own.run(4, 10, every_s=every_s)
    assert own.maximum() == NONE
    own.run(1, 10, every_s=every_s)
    assert own.maximum()[0] == 100_000


@pytest.mark.parametrize("step_s", [20, -20, 3600])
def test_a_clock_that_moved_unannounced_restarts_all(step_s):
    own = bench({PERIOD: "05"})
    own.run(4, 10)
    own.flow(10, seconds=60 - step_s)
    own.at += timedelta(seconds=step_s)
    own.wait(60 - step_s)
    own.push()
    assert own.maximum() == NONE
    own.run(4, 10)
    assert own.maximum() == NONE


def test_time_set_back_over_a_maximum_keeps_it():
    own = bench({PERIOD: "05"})
    own.run(5, 10)
    reached = own.maximum()
    own.clock_changes += 1
    own.at -= timedelta(days=40)
    own.push()
    own.run(9, 9)
    assert own.maximum() == reached
    own.run(5, 11)
    assert own.maximum() == (110_000, own.minute())


@pytest.mark.parametrize("every_s", [1, 60])
def test_another_period_restarts_all(every_s):
    own = bench()
    own.run(10, 10, every_s=every_s)
    own.run_half(10, every_s)
    own.write({PERIOD: "30"})
    own.run_half(10, every_s)
    own.run(29, 10, every_s=every_s)
    assert own.maximum() == NONE
    own.run(1, 10, every_s=every_s)
    assert own.maximum() == (100_000, own.minute())


def test_another_slip_restarts_and_any_other_parameter_does_not():
    own = bench({PERIOD: "05"})
    own.run(3, 10)
    own.write({0x04000602: "55"})
    own.run(2, 10)
    assert own.maximum()[0] == 100_000
    own.write({SLIP: "05"})
    own.run(1, 20)
    assert own.now() == (0, 0, 0)


def test_a_daily_freeze_or_midnight_does_not_restart():
    own = bench(at=START.replace(hour=23, minute=50))
    own.run(15, 10)
    assert own.maximum() == (100_000, own.minute())


# -- tariffs


@pytest.mark.parametrize("every_s", [1, 60])
def test_a_change_of_tariff_restarts_the_windows_of_the_tariffs_only(every_s):
    own = bench({**TARIFFS, 0x04010001: "080702" + "000001"})
    own.run(15, 10, every_s=every_s)  # tariff 2 from minute 7 on
    assert own.maximum() == (100_000, own.minute())
    assert own.maximum(0x01010100) == own.maximum(0x01010200) == NONE
    own.run(6, 10, every_s=every_s)
    assert own.maximum(0x01010200) == NONE
    own.run(1, 10, every_s=every_s)
    assert own.maximum(0x01010200) == (100_000, own.minute())
    assert own.block(0x0101FF00) == [(100_000, own.minute(7)), NONE, (100_000, own.minute()), NONE, NONE]


def test_the_window_that_ends_with_a_tariff_is_the_last_of_it():
    own = bench({**TARIFFS, PERIOD: "05", 0x04010001: "080502" + "000001"})
    own.run(5, 10)
    own.run(5, 20)
    assert own.maximum(0x01010100) == (100_000, own.minute(5))
    assert own.maximum(0x01010200) == (200_000, own.minute())


def test_a_tariff_that_changes_within_a_minute_leaves_that_minute_out():
    own = bench({**TARIFFS, PERIOD: "05", 0x04010001: "000001"})
    own.run(2, 10, every_s=1)
    own.flow(10, seconds=30)
    own.wait(30)
    own.write({0x04010001: "000003"})
    own.push()
    own.flow(10, seconds=30)
    own.wait(30)
    own.push()
    own.run(4, 10, every_s=1)
    assert own.maximum()[0] == 100_000
    assert own.maximum(0x01010300) == NONE
    own.run(1, 10, every_s=1)
    assert own.maximum(0x01010300) == (100_000, own.minute())


def test_tariffs_beyond_the_count_are_not_there_and_come_back_with_it():
    own = bench({**TARIFFS, PERIOD: "05", 0x04010001: "000003"})
    own.run(5, 10)
    own.write({0x04000204: "02"})
    own.push()
    assert own.maximum(0x01010300) is None
    assert len(own.block(0x0101FF00)) == 3
    own.write({0x04000204: "63"})
    own.push()
    assert own.maximum(0x01010300)[0] == 100_000
    assert len(own.block(0x0101FF00)) == 64
    assert own.maximum(0x01014000) is None
