"""Settlement periods that are kept: each instant once."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattwheel.model.settled_books import NOTHING_SETTLED, SETTLEMENT_DAYS, Entry, Settled, passed_over, settle

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "domain.json").read_text())["settlement_catch_up"]


def at(text: str) -> int:
    return (datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=UTC) - EPOCH) // timedelta(minutes=1)


def days(*digits: str) -> dict[int, bytes]:
    return {di: bytes.fromhex(text)[::-1] for di, text in zip(SETTLEMENT_DAYS, digits, strict=False)}


FIRST = days("0100", "9999", "9999")
JULY = at("2026-07-01 00:00")


@pytest.mark.parametrize("case", VECTORS, ids=lambda case: case["power_on"])
def test_what_was_missed_is_made_up_in_one_copy(case):
    parameters = days(*(f"{day:02}{hour:02}" for day, hour in case["days_DDhh"]))
    kept = settle(settle(NOTHING_SETTLED, parameters, at(case["power_off"])), parameters, at(case["power_on"]))
    assert kept.entries == tuple(Entry(at(time), number, 1) for time, number in reversed(case["stored"]))
    assert settle(kept, parameters, at(case["power_on"]) + 1).entries == kept.entries


def test_a_clock_that_goes_back_settles_nothing_twice_and_keeps_what_there_is():
    kept = Settled(JULY - 1, FIRST[SETTLEMENT_DAYS[0]])
    for minute in (JULY, JULY - 5, JULY, JULY + 5, JULY - 90_000, JULY + 5):
        kept = settle(kept, FIRST, minute)
    assert [entry.minute for entry in kept.entries].count(JULY) == 1
    assert len(kept.entries) == 3  # those of May and June, never settled before, when it came by again


def test_a_clock_that_is_set_forward_settles_nothing():
    kept = passed_over(Settled(JULY - 1, FIRST[SETTLEMENT_DAYS[0]]), JULY + 10)
    assert settle(kept, FIRST, JULY + 11).entries == ()


def test_another_first_day_settles_once_at_once():
    kept = settle(NOTHING_SETTLED, FIRST, JULY + 10)
    kept = settle(kept, days("1500"), JULY + 10)
    kept = settle(kept, days("1500"), JULY + 11)
    assert kept.entries == (Entry(JULY + 10, 1, 1),)
    assert settle(kept, days("1500", "1600"), JULY + 12).entries == kept.entries


@given(st.lists(st.integers(-100_000, 100_000), max_size=30), st.sampled_from(["0100", "2823", "9999", "FFFF"]))
def test_no_instant_is_there_twice_and_never_more_than_twelve(steps, second):
    kept, minute = NOTHING_SETTLED, JULY
    for step in steps:
        minute = max(0, minute + step)
        kept = settle(kept, days("0100", second), minute)
        minutes = [entry.minute for entry in kept.entries]
        assert len(set(minutes)) == len(minutes) <= 12
        assert all(1 <= entry.copy <= kept.copies for entry in kept.entries)
