"""Freeze patterns and missed days: worked examples, wildcards, days that a month does not have."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattwheel.model.freeze import DAILY_FILLED_MAX, FreezePattern, daily_freezes_missed, freeze_pattern, next_freeze

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "domain.json").read_text())


def at(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=UTC)


def pattern_of(text: str) -> FreezePattern:
    return freeze_pattern(bytes.fromhex(text)[::-1])


@pytest.mark.parametrize("case", VECTORS["freeze_pattern_MMDDhhmm"], ids=lambda case: case["pattern"])
def test_the_next_match(case):
    pattern = pattern_of(case["pattern"])
    if case["next"].startswith("at once"):
        assert pattern.is_at_once
        assert next_freeze(pattern, at(case["now"])) is None
    else:
        assert next_freeze(pattern, at(case["now"])) == at(case["next"])


@pytest.mark.parametrize(
    ("pattern", "after", "expected"),
    [
        ("99310000", "2024-03-31 00:00", "2024-05-31 00:00"),
        ("02290000", "2024-03-01 00:00", "2028-02-29 00:00"),
        ("02290000", "2096-03-01 00:00", "2104-02-29 00:00"),
        ("12312359", "2024-12-31 23:58", "2024-12-31 23:59"),
        ("12312359", "2024-12-31 23:59", "2025-12-31 23:59"),
        ("99999934", "2024-12-31 23:34", "2025-01-01 00:34"),
    ],
)
def test_days_that_a_month_does_not_have(pattern, after, expected):
    assert next_freeze(pattern_of(pattern), at(after)) == at(expected)


@pytest.mark.parametrize(
    "octets",
    [
        "0399",
        "03990000",
        "03019900",
        "03010099",
        "13010000",
        "00010000",
        "02300000",
        "99012400",
        "99990060",
        "0301000a",
    ],
)
def test_what_is_no_pattern(octets):
    with pytest.raises(ValueError):
        pattern_of(octets)


@pytest.mark.parametrize("case", VECTORS["daily_freeze_catch_up"], ids=lambda case: case["power_on"])
def test_missed_days(case):
    found = daily_freezes_missed(0, 0, at(case["power_off"]), at(case["power_on"]))
    assert [time.strftime("%Y-%m-%d") for time in found] == case["stored"]
    assert len(found) == min(case["missed"], DAILY_FILLED_MAX)


_times = st.datetimes(datetime(2023, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
_patterns = st.one_of(
    st.builds(FreezePattern, st.none(), st.none(), st.none(), st.integers(0, 59)),
    st.builds(FreezePattern, st.none(), st.none(), st.integers(0, 23), st.integers(0, 59)),
    st.builds(FreezePattern, st.none(), st.integers(1, 31), st.integers(0, 23), st.integers(0, 59)),
    st.builds(FreezePattern, st.integers(1, 12), st.integers(1, 29), st.integers(0, 23), st.integers(0, 59)),
)


@given(_patterns, _times)
def test_the_next_match_matches_and_is_later(pattern, after):
    found = next_freeze(pattern, after)
    assert found is not None
    assert found > after
    for wanted, field in zip(pattern, (found.month, found.day, found.hour, found.minute), strict=True):
        assert wanted is None or wanted == field
    assert (found.second, found.microsecond) == (0, 0)


@given(_times, st.integers(0, 5000), st.integers(0, 5000))
def test_nothing_is_filled_twice(start, minutes_1, minutes_2):
    middle = start + timedelta(minutes=minutes_1)
    end = middle + timedelta(minutes=minutes_2)
    parts = daily_freezes_missed(0, 30, start, middle) + daily_freezes_missed(0, 30, middle, end)
    assert parts[-DAILY_FILLED_MAX:] == daily_freezes_missed(0, 30, start, end)
