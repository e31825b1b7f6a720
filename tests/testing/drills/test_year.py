"""The drill `year`, cut short: the books balance, over the end of a February and over a settlement."""

from __future__ import annotations

import ast
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from wattwheel.testing.drills import year_reference
from wattwheel.testing.drills.year import lived
from wattwheel.testing.drills.year_plan import STEPS, Course, leap_year


def at(month, day, hour=0, minute=0):
    return datetime(2028, month, day, hour, minute, tzinfo=UTC)


QUIET = Course(at(2, 29), 4, (at(2, 29, 13), at(3, 2, 20)), 0, 0, 1)
ROUGH = Course(at(2, 27), 7, (at(2, 29, 13), at(3, 3, 0, 30)), 12, 2, 3, STEPS[:2])
REFERENCE = ("year_load", "year_money", "year_account", "year_diary", "year_demand", "year_reference")
PASSED_OVER = {
    "by minutes": Course(at(6, 30), 2, (at(6, 30, 13), at(7, 3)), 0, 0, 0, STEPS[3:4]),
    "by seconds": Course(at(7, 31), 2, (at(7, 31, 13), at(8, 3)), 0, 0, 0, STEPS[4:5]),
}


def told(document):
    return {row["what"]: row for row in document["details"] if "what" in row}


def test_a_leap_day_two_switch_overs_cuts_and_clock_steps():
    document = lived(ROUGH, 4).document("year", 12, 4)
    assert document["ok"], document["details"]
    rows = told(document)
    assert rows["lived"]["cuts"] >= 10
    assert rows["lived"]["cuts_in_writes"] > 2
    assert rows["settlement periods"]["found"] == 1
    assert rows["imported"]["lost_by_cuts"] > 0
    assert rows["load records"]["voided"] > 0
    assert rows["money"]["purchases"] == 3
    assert (rows["money"]["prices"], rows["money"]["steps"]) == (2, 2)
    assert {rows[f"{kind} freezes"]["found"] for kind in ("zone", "day table", "price", "step")} == {2}
    assert rows["increments over power-off"]["count"] > 5
    assert rows["increments over clock steps"]["count"] > 1


def test_without_cuts_all_of_it_lies_in_intervals():
    document = lived(QUIET, 2).document("year", 0, 2)
    assert document["ok"], document["details"]
    rows = told(document)
    assert rows["load records"]["found"] == rows["increments of intervals"]["count"] + 1 == 4 * 96 + 1
    assert rows["hourly freezes"]["found"] == 4 * 24 + 1
    assert rows["timed freezes"]["found"] == 1
    kwh = float(rows["increments of intervals"]["imported_kwh"])
    assert kwh == rows["imported"]["microjoule"] // 36_000_000_000 / 100 > 300


@pytest.mark.parametrize("course", PASSED_OVER)
def test_a_settlement_is_passed_over_by_a_clock_that_is_set(course):
    document = lived(PASSED_OVER[course], 3).document("year", 0, 3)
    assert document["ok"], document["details"]
    rows = told(document)
    assert (rows["settlement periods"]["found"], rows["lived"]["settlements_passed_over"]) == (0, 1)


def test_a_zone_with_summer_time_changes_no_book(monkeypatch):
    course = Course(at(3, 25), 2, (at(3, 25, 13), at(3, 28)), 2, 1, 1)
    documents = []
    for zone in ("UTC", "Europe/Berlin"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        documents.append(lived(course, 5).document("year", 2, 5))
    monkeypatch.delenv("TZ")
    time.tzset()
    assert documents[0] == documents[1]
    assert documents[0]["ok"]


def test_the_full_one_is_a_leap_year():
    course = leap_year(300)
    assert (course.begin, course.days, course.cuts) == (at(1, 1), 366, 300)
    assert course.clock_steps + len(course.steps) > 24


def test_the_reference_uses_nothing_of_the_meter():
    folder = Path(year_reference.__file__).parent
    for name in REFERENCE:
        tree = ast.parse((folder / f"{name}.py").read_text())
        imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        imported |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        own = {module for module in imported if module.startswith("wattwheel")}
        assert own <= {f"wattwheel.testing.drills.{each}" for each in REFERENCE}, name
