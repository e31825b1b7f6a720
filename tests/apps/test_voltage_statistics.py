"""Voltage qualification by months: worked examples, month ends that were missed, clocks that were set, three wires."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.apps.event_bench import RATINGS, Bench, Flow, number

from wattwheel.apps.functions import EPOCH
from wattwheel.apps.parameters import Settings, default_items
from wattwheel.apps.voltage_statistics import VoltageStatistics
from wattwheel.model.catalogue import item_2007
from wattwheel.model.event_thresholds import thresholds_of
from wattwheel.model.ratings import Ratings
from wattwheel.model.register_image import RegisterImage

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "domain.json").read_text())["voltage_qualification"]
LIMITS = thresholds_of(default_items(Settings(ratings=RATINGS)))
MONTH_END = datetime(2026, 6, 30, 23, 58, tzinfo=UTC)
HIGH = Flow(volts=(240.0, 220.0, 220.0))


def seconds(at: datetime) -> int:
    return int((at - EPOCH).total_seconds())


def counted(octets: bytes) -> list[int]:
    """Monitored, rate, over-limit rate, over, under, highest voltage."""
    return [number(octets[at : at + 3]) for at in range(0, 15, 3)] + [number(octets[15:17])]


@pytest.mark.parametrize("case", VECTORS, ids=lambda case: case["samples"])
def test_the_worked_examples_of_one_phase_and_of_the_meter(case):
    own, second = VoltageStatistics(RATINGS), seconds(MONTH_END) - 86_400
    limits = LIMITS._replace(
        voltage_upper=case["upper"],
        voltage_lower=case["lower"],
        check_upper=case["check_upper"],
        check_lower=case["check_lower"],
    )
    for run in case["samples"].split(", "):
        times, _, volts = run.partition("x")
        for _ in range(int(times)):
            image = RegisterImage(second, (), (), at_ns=second * 10**9)
            own.minute(image, (2200, round(float(volts) * 10), None), limits)
            second += 60
    expected = [case[name] for name in ("monitored_min", "pass_rate_0_01pct", "over_rate_0_01pct")]
    expected += [case["over_upper_min"], case["under_lower_min"]]
    assert counted(own.look(0x03100200))[:5] == expected
    minutes = (second - seconds(MONTH_END) + 86_400) // 60
    over, under = expected[3:]
    rate = ((over + under) * 100_000 // minutes + 5) // 10
    assert counted(own.look(0x03100000))[:5] == [minutes, 10_000 - rate, rate, over, under]
    assert counted(own.look(0x03100100))[:5] == [minutes, 10_000, 0, 0, 0]
    assert own.look(0x03100300) == bytes(27)  # nothing was monitored: no division


def test_a_record_has_extremes_with_their_minutes_and_the_length_of_the_table():
    bench = Bench(60)
    bench.run(120)
    bench.run(60, Flow(volts=(240.0, 200.0, 270.0)))
    bench.run(61)
    octets = bench.read(0x03100000)
    assert len(octets) == 27 == int(item_2007(0x03100000).octets)
    assert counted(octets) == [5, 8000, 2000, 1, 0, 2400]  # 270 V is out of what counts
    assert octets[17:21] == bytes.fromhex("06101202")[::-1]
    assert octets[21:] == bytes.fromhex("2000")[::-1] + bytes.fromhex("06101202")[::-1]
    assert counted(bench.read(0x03100200)) == [5, 8000, 2000, 0, 1, 2200]
    assert counted(bench.read(0x03100300)) == [4, 10_000, 0, 0, 0, 2200]


@pytest.mark.parametrize(
    "written",
    [{"x04000E03": "2046"}, {"x04000E04": "2354"}, {"x04000E03": "2641"}, {"x04090C02": "2046"}],
    ids=str,
)
def test_limits_out_of_order_count_nothing(written):
    bench = Bench(60, **written)
    bench.run(600, HIGH)
    assert bench.read(0x03100000) == bench.read(0x03100100) == bytes(27)


def test_pushes_once_a_second_count_each_minute_once_also_over_kills():
    benches = [Bench(cadence_s) for cadence_s in (1, 60)]
    for bench in benches:
        for _ in range(4):
            bench.run(150, HIGH)
            bench.run(150)
            if bench.cadence_s == 1:
                bench.run(7)
                bench.kill()
                bench.run(53)
            else:
                bench.run(60)
    assert benches[0].read(0x03100000) == benches[1].read(0x03100000)
    assert counted(benches[0].read(0x03100000))[0] == 24


def test_a_month_that_ends_becomes_the_newest_of_twelve():
    bench = Bench(60)
    bench.second = seconds(MONTH_END)
    bench.run(120, HIGH)
    assert bench.read(0x03100001) is None
    bench.run(60)
    assert counted(bench.read(0x03100001))[:4] == [2, 0, 10_000, 2]
    assert counted(bench.read(0x03100000))[:4] == [1, 10_000, 0, 0]
    bench.kill()
    assert counted(bench.read(0x03100101))[:4] == [2, 0, 10_000, 2]
    for months in range(14):
        bench.second = seconds(datetime(2026 + (8 + months) // 12, (8 + months) % 12 + 1, 1, tzinfo=UTC)) - 60
        bench.at_ns = bench.second * 10**9
        bench.run(60)
    assert counted(bench.read(0x0310000C))[0] == 1
    assert bench.read(0x0310000D) is None


def test_a_power_off_over_month_ends_is_caught_up_at_power_up():
    bench = Bench(60)
    bench.second = seconds(MONTH_END)
    bench.run(120, HIGH)
    bench.save()
    bench.kill()
    bench.second = seconds(datetime(2026, 9, 15, tzinfo=UTC))
    bench.run(60)
    assert counted(bench.read(0x03100003))[0] == 2  # June
    assert bench.read(0x03100001) == bench.read(0x03100002) == bytes(27)
    assert counted(bench.read(0x03100000))[0] == 1
    assert bench.read(0x03100004) is None


@pytest.mark.parametrize("days", [40, -40])
def test_a_clock_that_is_set_into_another_month_keeps_what_was_counted(days):
    bench = Bench(60)
    bench.run(300, HIGH)
    bench.second += days * 86_400
    bench.clock_changes += 1
    bench.run(300)
    assert bench.read(0x03100001) is None
    assert counted(bench.read(0x03100000))[0] == 10


def test_a_correction_by_seconds_over_the_month_end_is_a_month_end():
    bench = Bench(60)
    bench.second = seconds(MONTH_END)
    bench.run(60, HIGH)
    bench.second += 90
    bench.clock_changes += 1
    bench.push(HIGH)
    assert counted(bench.read(0x03100001))[0] == 1
    assert counted(bench.read(0x03100000))[0] == 1


def test_the_middle_phase_of_three_wires_counts_as_qualified():
    bench = Bench(60, Ratings("3p3w", 220_000, 5_000_000, 60_000_000))
    bench.run(300, Flow(volts=(240.0, 0.0, 200.0)))
    assert counted(bench.read(0x03100200)) == [5, 10_000, 0, 0, 0, 0]
    assert counted(bench.read(0x03100100))[:5] == [5, 0, 10_000, 5, 0]
    assert counted(bench.read(0x03100000))[:5] == [5, 0, 10_000, 5, 0]
    assert counted(bench.read(0x03100300))[:5] == [5, 0, 10_000, 0, 5]


def test_a_minute_without_valid_readings_is_not_monitored():
    bench = Bench(60)
    bench.run(60)
    bench.push(HIGH, "stale")
    assert counted(bench.read(0x03100000))[0] == 1
