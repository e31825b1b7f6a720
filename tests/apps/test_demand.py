"""The demand on the registers: which windows count, what restarts them, what a settlement and a clear leave."""

from __future__ import annotations

import json
import random
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.apps.demand_bench import KILOWATT_MINUTE, NONE, OPERATOR, START, Bench, maximum

from wattwheel.apps.demand import Demand
from wattwheel.model.catalogue import fields, item_2007
from wattwheel.model.demand import PERIOD, SLIP
from wattwheel.protocols.dlt645.items import decode
from wattwheel.sdk import Function, SaveResult

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "domain.json").read_text())
FORWARD, REVERSE, COMBINED_1, COMBINED_2 = 0x01010000, 0x01020000, 0x01030000, 0x01040000
QUADRANTS = (0x01050000, 0x01060000, 0x01070000, 0x01080000)
APPARENT, REVERSE_APPARENT = 0x01090000, 0x010A0000
TARIFFS = {0x04000204: "04", 0x04000203: "02"}
EVERY_S = (1, 5, 60)


def bench(written=None, at=START) -> Bench:
    made = Bench(written, at)
    made.push()
    return made


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


# -- settlement

JUNE = START.replace(day=30, hour=23, minute=50)
DAYS = {0x04000B01: "0100", 0x04000B02: "1506", 0x04000B03: "2006"}


@pytest.mark.parametrize("every_s", [1, 60])
def test_instant_1_takes_the_maxima_with_it(every_s):
    own = bench({PERIOD: "05", **TARIFFS}, JUNE)
    own.run(9, 10, 1, phases=((10, 0),), every_s=every_s)
    assert own.maximum(0x01010001) is None
    own.run(1, 20, 1, phases=((10, 0),), every_s=every_s)
    reached = (120_000, "2607010000")  # the window that ends with the period belongs to it
    assert own.maximum(0x01010001) == own.maximum(0x01010101) == reached
    assert own.block(0x0101FF01) == [reached, reached, NONE, NONE, NONE]
    assert own.maximum(0x01150001)[0] == 100_000
    assert own.maximum() == own.maximum(0x01150000) == own.maximum(0x01010100) == NONE
    assert own.now() == (0, 0, 0)
    own.run(4, 5, every_s=every_s)
    assert own.maximum() == NONE
    own.run(1, 5, every_s=every_s)
    assert own.maximum() == (50_000, "2607010005")
    assert own.block(0x010100FF) == [(50_000, "2607010005"), reached]
    assert own.block(0x010101FF) == [(50_000, "2607010005"), reached]
    assert own.block(0x011500FF)[1][0] == 100_000
    assert own.energy.look(0x0101FFFF) is None


def test_instants_2_and_3_take_nothing_and_have_nothing():
    own = bench({PERIOD: "05", **DAYS, **TARIFFS}, START.replace(day=15, hour=5, minute=50))
    own.run(10, 10)
    assert own.maximum()[0] == own.now()[0] == 100_000
    assert own.block(0x0101FF01) == ["ff"] * 5
    assert own.maximum(0x01150001) == own.maximum(0x01010101) == "ff"
    assert own.block(0x010100FF) == [(100_000, own.minute(5)), "ff"]
    own.run(1, 40)
    assert own.maximum()[0] == 160_000  # nothing restarted


def test_of_missed_periods_the_first_has_the_demand_and_later_ones_have_none():
    own = bench({PERIOD: "05", **DAYS}, START.replace(day=14))
    own.run(5, 10)
    reached = own.maximum()
    own.wait(3600 * 24 * 60)  # the 15th, the 20th, July, the 15th, the 20th, August
    own.start(is_power_up=True)
    own.push()
    assert own.maximum() == NONE
    assert own.block(0x010100FF) == [NONE, NONE, "ff", "ff", reached, "ff", "ff"]
    own.start(is_power_up=True)
    own.wait(3)
    own.push()
    assert own.block(0x010100FF) == [NONE, NONE, "ff", "ff", reached, "ff", "ff"]


def test_twelve_periods_are_kept_and_no_record_of_others():
    own = bench({PERIOD: "05"}, JUNE - timedelta(hours=1))
    for month in range(1, 16):
        own.run(5, month)
        own.at, own.mono_s = (own.at + timedelta(days=32)).replace(day=2), own.mono_s + 32 * 86400
        own.start(is_power_up=True)
        own.push()
    assert [value for value, _ in own.block(0x010100FF)] == [0, *(10_000 * month for month in range(15, 3, -1))]
    assert sum(key.startswith("demand period ") for key in own.medium.saved) == 12
    assert own.maximum(0x0101000D) is None


@given(st.integers(0, 10**6))
def test_a_kill_at_any_time_around_a_settlement_changes_nothing(seed):
    chance = random.Random(seed)
    own, steady = (bench({PERIOD: "05", SLIP: "05"}, JUNE + timedelta(minutes=3)) for _ in range(2))
    for minute in range(20):
        steady.run(1, minute % 7)
        for _ in range(10):
            own.flow(minute % 7, seconds=6)
            own.wait(6)
            if own.at.second == 0 or chance.random() < 0.5:
                own.push()
            if chance.random() < 0.1:
                own.start()
        assert own.block(0x010100FF) == steady.block(0x010100FF)
        assert own.now() == steady.now()


# -- clears


def test_a_demand_clear_empties_maxima_restarts_windows_and_keeps_a_record():
    own = bench({PERIOD: "05", **TARIFFS}, JUNE)
    own.run(11, 10, 3, phases=((10, 3), (0, 0), (-1, -1)))
    own.run(5, 10, 3, phases=((10, 3), (0, 0), (-1, -1)))
    before = own.maximum()
    own.flow(10, seconds=20)
    own.wait(20)
    own.push()
    assert own.clear() == b""
    for di in (FORWARD, 0x01010100, QUADRANTS[0], COMBINED_1, APPARENT, 0x01150000, 0x013E0000):
        assert own.maximum(di) == NONE
    assert own.now() == (0, 0, 0)
    assert own.maximum(0x01010001)[0] == 100_000  # history stays
    record = own.energy.look(0x03300201)
    item = item_2007(0x03300201)
    decoded = decode(item, record)
    assert len(record) == item.octets == 202
    assert decoded.is_valid
    assert len(decoded.parts) == len(fields(item.layout))
    assert record[5::-1].hex() == f"{own.at:%y%m%d%H%M%S}"
    assert record[6:10] == OPERATOR
    maxima = [maximum(record[at : at + 8]) for at in range(10, 202, 8)]
    assert maxima[:6] == [before, NONE, (30_000, before[1]), NONE, NONE, NONE]
    assert maxima[6:12] == [before, NONE, (30_000, before[1]), NONE, NONE, NONE]
    assert maxima[12:18] == [NONE] * 6
    assert maxima[18:] == [NONE, (10_000, before[1]), NONE, NONE, (10_000, before[1]), NONE]
    own.flow(10, seconds=40)
    own.wait(40)
    own.push()
    own.run(4, 10)
    assert own.maximum() == NONE
    own.run(1, 10)
    assert own.maximum() == (100_000, own.minute())


def test_the_ten_newest_clears_are_kept_and_counted():
    own = bench()
    assert own.energy.look(0x03300200) == bytes(3)
    assert own.energy.look(0x03300201) is None
    for _ in range(12):
        own.clear()
    assert own.energy.look(0x03300200) == b"\x12\x00\x00"
    assert own.energy.look(0x0330020A) is not None
    assert own.energy.look(0x0330020B) is None
    own.start()
    assert own.energy.look(0x03300200) == b"\x12\x00\x00"


def test_a_clear_that_the_medium_does_not_take_changes_nothing():
    own = bench({PERIOD: "05"})
    own.run(5, 10)
    own.medium.result = SaveResult.MEDIUM_FAILED
    assert own.clear() == own.command(Function.CLEAR_METER) == 1
    assert own.maximum()[0] == own.now()[0] == 100_000
    assert own.energy.look(0x03300200) == bytes(3)
    own.medium.result = SaveResult.SAVED
    own.run(1, 15)
    own.start()
    own.push()
    assert own.maximum() == (110_000, own.minute())


def test_a_clear_with_data_is_refused():
    own = bench()
    assert own.command(Function.CLEAR_DEMAND, b"\x00") == 1
    assert own.energy.look(0x03300200) == bytes(3)


@pytest.mark.parametrize("every_s", [1, 60])
def test_a_meter_clear_empties_everything_and_the_registers_go_on_from_nothing(every_s):
    own = bench({PERIOD: "05"}, JUNE)
    own.run(15, 10, phases=((10, 0),), every_s=every_s)
    own.clear()
    own.run(5, 10, phases=((10, 0),), every_s=every_s)
    assert own.command(Function.CLEAR_METER) == b""
    assert own.maximum() == own.maximum(0x01150000) == NONE
    assert own.maximum(0x01010001) is None
    assert own.energy.look(0x03300200) == bytes(3)
    assert not any(key.startswith("demand period ") for key in own.medium.saved)
    own.start()
    own.run(4, 7, phases=((7, 0),), every_s=every_s)
    assert own.maximum() == NONE
    assert own.maximum(0x01010001) is None
    own.run(1, 7, phases=((7, 0),), every_s=every_s)
    assert own.maximum() == own.maximum(0x01150000) == (70_000, own.minute())


def test_an_event_clear_empties_the_records_of_demand_clears():
    own = bench({PERIOD: "05"})
    own.run(5, 10)
    own.clear()
    turn = own.energy._turn
    assert own.demand.clear_events(0x033000FF, turn) is None
    for di in (0xFFFFFFFF, 0x033002FF):
        prepared = own.demand.clear_events(di, turn)
        assert prepared.changes == {"demand clears": None}
        assert own.energy.look(0x03300200) != bytes(3)
        prepared.apply()
        assert own.energy.look(0x03300200) == bytes(3)
        own.clear()


# -- the medium


def test_the_windows_outlive_a_kill_and_not_a_loss_of_the_supply():
    for is_power_up in (False, True):
        own = bench({PERIOD: "05"})
        own.run(4, 10, every_s=5)
        own.flow(10, seconds=25)
        own.wait(25)
        own.start(is_power_up)
        own.push()
        own.flow(10, seconds=35)
        own.wait(35)
        own.push()
        assert own.maximum() == (NONE if is_power_up else (100_000, own.minute()))


def test_maxima_outlive_everything():
    own = bench({PERIOD: "05", **TARIFFS, 0x04010001: "000003"})
    own.run(5, 10, -3)
    before = {di: own.energy.look(di) for di in own.demand.listed() if di >> 24 == 1}
    own.start(is_power_up=True)
    own.push()
    assert {di: own.energy.look(di) for di in own.demand.listed() if di >> 24 == 1} == before


def test_periods_from_before_anything_of_demands_was_kept_have_none():
    own = bench({PERIOD: "05"}, JUNE)
    own.run(15, 10)
    for key in [key for key in own.medium.saved if key.startswith("demand ")]:
        del own.medium.saved[key]
    own.start()
    own.push()
    assert own.block(0x010100FF) == [NONE, "ff"]
    own.run(6, 10)
    own.start()
    own.push()
    assert own.block(0x010100FF) == [(100_000, own.minute(1)), "ff"]


def test_registers_that_begin_anew_beside_windows_that_do_not_make_no_maximum():
    own = bench({PERIOD: "05"})
    own.run(50, 900)
    own.command(Function.CLEAR_METER)
    own.run(3, 10)
    own.medium.saved["books"] = b""  # the core's totals are the best there is, the clear is forgotten
    own.start()
    own.run(7, 10)
    assert own.maximum() == (100_000, own.minute(1))


def test_only_what_has_changed_is_saved():
    own = bench({PERIOD: "05"})
    own.run(5, 10, every_s=60)
    own.medium.saved.clear()
    own.flow(1, seconds=5)
    own.wait(5)
    own.push()
    assert own.medium.saved == {}
    own.run(1, 1, every_s=60)
    assert set(own.medium.saved) == {"books", "demand windows"}


KEYS = ("demand windows", "demand maxima", "demand periods", "demand clears", "demand period 13931520 1")
ANY = st.recursive(
    st.none() | st.integers(-(2**63), 2**64 - 1) | st.booleans() | st.binary(max_size=9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=12),
    max_leaves=60,
)


@given(st.dictionaries(st.sampled_from(KEYS), st.binary(max_size=40) | ANY.map(msgspec.msgpack.encode)))
def test_octets_that_are_not_its_own_are_forgotten(saved):
    own = bench({PERIOD: "05"}, JUNE)
    own.run(12, 10)
    own.medium.saved |= saved
    own.start()
    own.run(12, 11)
    assert own.maximum()[0] == 110_000
    for di in own.demand.listed():
        assert own.energy.look(di) is not None


def test_windows_of_another_form_are_forgotten_whatever_is_wrong_with_them():
    own = bench({PERIOD: "05"})
    own.run(7, 10)
    good = msgspec.msgpack.decode(own.medium.saved["demand windows"])
    wrong = [
        (0, 7), (1, 2), (2, [0, [1], 1, 0, 0, 0]), (3, [[1] * 7]), (3, []),
        (4, [5] * 3), (5, []), (7, [True]), (9, [0]),
    ]  # fmt: skip
    for place, value in [*wrong, (2, [*good[2][:2], 10**9, *good[2][3:]])]:
        saved = {"demand windows": msgspec.msgpack.encode([*good[:place], value, *good[place + 1 :]])}
        fresh = Demand()
        fresh.begin(saved)
        assert fresh.look(0x02800004, b"") == 0, f"{place}: {value}"
    fresh = Demand()
    fresh.begin(own.medium.saved)
    assert fresh.look(0x02800004, b"") == 100_000
