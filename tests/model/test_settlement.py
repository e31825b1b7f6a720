"""Settlement instants: worked examples, duplicates, and nothing twice however time is cut."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattwheel.model.settlement import SETTLEMENTS_KEPT_MAX, Instant, due, in_use, next_due

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "domain.json").read_text())["settlement_catch_up"]


def at(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=UTC)


@pytest.mark.parametrize("case", VECTORS, ids=lambda case: case["power_on"])
def test_what_was_missed(case):
    instants = [Instant(*instant) for instant in case["days_DDhh"]]
    found = due(instants, at(case["power_off"]), at(case["power_on"]))
    assert [[time.strftime("%Y-%m-%d %H:%M"), number] for time, number in found] == case["stored"]
    assert len(found) == case["count_stored"]


def test_duplicates_and_what_is_no_instant_do_not_count():
    assert in_use([Instant(1, 0), Instant(1, 0), Instant(1, 0)]) == {1: (1, 0)}
    assert in_use([Instant(1, 0), Instant(15, 6), Instant(15, 6)]) == {1: (1, 0), 2: (15, 6)}
    assert in_use([None, Instant(29, 0), Instant(28, 24)]) == {}
    assert due([], at("2024-01-01 00:00"), at("2024-12-31 00:00")) == []
    assert next_due([None], at("2024-01-01 00:00")) is None


def test_the_bounds():
    first = [Instant(1, 0)]
    assert due(first, at("2024-01-31 23:59"), at("2024-02-01 00:00")) == [(at("2024-02-01 00:00"), 1)]
    assert due(first, at("2024-02-01 00:00"), at("2024-02-29 23:59")) == []
    assert next_due(first, at("2024-12-01 00:00")) == (at("2025-01-01 00:00"), 1)


_instants = st.lists(st.builds(Instant, st.integers(1, 28), st.integers(0, 23)), min_size=1, max_size=3)
_times = st.datetimes(datetime(2023, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


@given(_instants, _times, st.integers(0, 1500), st.integers(0, 1500))
def test_cut_anywhere_it_is_the_same(instants, start, hours_1, hours_2):
    middle = start + timedelta(hours=hours_1)
    end = middle + timedelta(hours=hours_2)
    whole = due(instants, start, end)
    assert whole == (due(instants, start, middle) + due(instants, middle, end))[-SETTLEMENTS_KEPT_MAX:]
    following = next_due(instants, start)
    assert following is not None
    assert following.time > start
    assert following.time <= start + timedelta(days=59)
    if whole and len(whole) < SETTLEMENTS_KEPT_MAX:
        assert whole[0] == following
