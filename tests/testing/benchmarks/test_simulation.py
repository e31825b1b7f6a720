"""The time of the time machine: what is made of a run, and a short run."""

from __future__ import annotations

import pytest

from wattwheel.testing.benchmarks.simulation import measure, result

DOCUMENT = {"ok": True, "days": 400, "pushes": 576_003, "seconds": 61.2}


@pytest.mark.parametrize(("cpu_s", "is_met"), [(119.9, True), (120.1, False)])
def test_400_days_have_a_target(cpu_s, is_met):
    found = result(DOCUMENT, cpu_s)
    assert (found.name, found.value, found.met) == ("simulate", cpu_s, is_met)
    assert found.unit == "s of one core for 400 days"


def test_a_run_that_failed_or_was_shorter_meets_nothing():
    assert result({**DOCUMENT, "ok": False}, 50).met is None
    assert result({**DOCUMENT, "days": 399}, 50).met is None


def test_the_cost_of_a_minute_is_told():
    assert "100 us a minute" in result(DOCUMENT, 57.6).notes[1]


def test_a_day_is_played():
    (found,) = measure(days=1)
    assert found.unit == "s of one core for 1 days"
    assert found.value is not None
    assert found.value > 0
    assert "pushes" in found.notes[1]
