"""The tariff in force: the worked examples, every wrap, and that nothing changes between two changes."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattwheel.model.tariff import (
    SLOTS_MAX,
    ZONES_MAX,
    Holiday,
    Reason,
    Slot,
    TariffPlan,
    Zone,
    counted,
    next_change,
    resolve,
    step_number,
    weekday,
)

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "domain.json").read_text())
TABLES = tuple(
    tuple(Slot(*slot) for slot in VECTORS["tariff"]["day_tables_hhmm_tariff"][number]) for number in ("1", "2", "3")
)
ZONES = tuple(Zone(*zone) for zone in VECTORS["tariff"]["zones_MMDD_table"])


def _holiday(words: str, table: int) -> Holiday:
    """A holiday as the vectors say it: "every 1 January" or "2024-10-01 only"."""
    if words.startswith("every "):
        each_year = datetime.strptime(f"{words} 2024", "every %d %B %Y").replace(tzinfo=UTC)
        return Holiday(None, each_year.month, each_year.day, table)
    once = datetime.strptime(words, "%Y-%m-%d only").replace(tzinfo=UTC)
    return Holiday(once.year, once.month, once.day, table)


HOLIDAYS = tuple(_holiday(words, table) for words, table in VECTORS["tariff"]["holidays"].items())


def at(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=UTC)


@pytest.mark.parametrize("case", VECTORS["tariff"]["cases"], ids=lambda case: case["time"])
def test_the_worked_examples(case):
    plan = TariffPlan(ZONES, TABLES, HOLIDAYS, case["rest_word"], case["rest_table"])
    local = at(case["time"])
    found = resolve(plan, local)
    assert weekday(local) == case["weekday_0_sun"]
    assert (found.day_table, found.tariff, found.by) == (case["day_table"], case["tariff"], case["by"])


@pytest.mark.parametrize("case", VECTORS["calendar"], ids=lambda case: case["date"])
def test_the_day_of_the_week(case):
    assert weekday(at(f"{case['date']} 12:00")) == case["weekday_0_sun"]


@pytest.mark.parametrize("case", VECTORS["tariff_wrap"], ids=lambda case: case["date"])
def test_the_year_wraps(case):
    plan = TariffPlan(tuple(Zone(*zone) for zone in case["zones"]), TABLES)
    assert resolve(plan, at(f"{case['date']} 12:00")).day_table == case["table"]


def test_a_holiday_beats_a_rest_day_beats_a_zone():
    sunday = at("2024-09-01 12:00")
    plan = TariffPlan(ZONES, TABLES, (Holiday(2024, 9, 1, 1),), 0b0111110, 2)
    assert resolve(plan, sunday).by is Reason.HOLIDAY
    assert resolve(plan, sunday + timedelta(days=7))[1:] == (2, 8 * 60, Reason.REST_DAY)
    assert resolve(plan, sunday + timedelta(days=8))[1:] == (3, 0, Reason.ZONE)


def test_of_several_holidays_the_last_that_has_a_table_wins():
    day = at("2024-09-01 12:00")
    holidays = (Holiday(2024, 9, 1, 1), Holiday(None, None, 1, 2), Holiday(None, 9, 1, 9), Holiday(2025, 9, 1, 3))
    assert resolve(TariffPlan(ZONES, TABLES, holidays), day).day_table == 2


def test_29_february_is_a_day_like_others():
    plan = TariffPlan((Zone(2, 29, 2), Zone(3, 1, 1)), TABLES, (Holiday(None, 2, 29, 3),))
    assert resolve(plan, at("2024-02-29 00:00")).day_table == 3
    assert resolve(plan, at("2023-02-28 23:59")).day_table == 1


@pytest.mark.parametrize(
    ("slots", "hour", "tariff"),
    [
        (((0, 0, 2), (8, 0, 0), (12, 0, 3)), 9, 2),  # in the middle: the one before goes on
        (((0, 0, 2), (8, 0, 9), (12, 0, 3)), 9, 2),
        (((0, 0, 0), (8, 0, 9), (12, 0, 3)), 9, 1),  # none before: tariff 1
        (((6, 0, 9), (12, 0, 3)), 3, 3),  # the day wraps to the last slot
        (((12, 0, 3), (0, 0, 2)), 3, 2),  # in any order
        (((0, 0, 2), (8, 0, 3), (8, 0, 4), (0, 0, 0)), 9, 3),  # what repeats a start at the end does not count
        ((), 9, 1),
    ],
)
def test_slots_that_are_not_as_they_should_be(slots, hour, tariff):
    plan = TariffPlan((Zone(1, 1, 1),), (tuple(Slot(*slot) for slot in slots),))
    assert resolve(plan, at(f"2024-05-05 {hour:02}:00")).tariff == tariff


def test_nothing_written_is_tariff_1_of_table_1():
    assert resolve(TariffPlan(), at("2024-05-05 09:00")) == (1, 1, None, Reason.ZONE)
    assert resolve(TariffPlan(ZONES, TABLES, tariffs=0), at("2024-05-05 09:00")).tariff == 1
    assert resolve(TariffPlan((Zone(1, 1, 9),), TABLES), at("2024-05-05 09:00")).day_table == 1


def test_trailing_zeros_and_repeats_are_not_counted():
    zones = [Zone(7, 1, 3), Zone(3, 1, 2), Zone(3, 1, 2), Zone(0, 0, 0)]
    assert counted(zones) == [(3, 1, 2), (7, 1, 3)]


_zones = st.lists(st.builds(Zone, st.integers(1, 12), st.integers(1, 28), st.integers(0, 4)), max_size=ZONES_MAX)
_slots = st.lists(st.builds(Slot, st.integers(0, 23), st.integers(0, 59), st.integers(0, 5)), max_size=SLOTS_MAX)
_holidays = st.lists(
    st.builds(
        Holiday,
        st.one_of(st.none(), st.integers(2024, 2025)),
        st.one_of(st.none(), st.integers(1, 12)),
        st.integers(1, 31),
        st.integers(0, 4),
    ),
    max_size=6,
)
_plans = st.builds(
    TariffPlan,
    _zones.map(tuple),
    st.lists(_slots.map(tuple), max_size=3).map(tuple),
    _holidays.map(tuple),
    st.integers(0, 127),
    st.integers(0, 4),
    st.integers(0, 4),
)
_times = st.datetimes(datetime(2024, 1, 1), datetime(2025, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


@given(_plans, _times, st.integers(0, 86_399_999_999))
def test_nothing_changes_before_the_next_change(plan, local, microseconds):
    following = next_change(plan, local)
    assert local < following <= local + timedelta(days=1)
    between = local + timedelta(microseconds=microseconds)
    found = resolve(plan, local)
    assert found.tariff == 1 or 1 <= found.tariff <= plan.tariffs
    if between < following:
        assert resolve(plan, between) == found


@pytest.mark.parametrize(
    ("limits", "used", "step"),
    [
        ([18000, 40000], 0, 1),
        ([18000, 40000], 17999, 1),
        ([18000, 40000], 18000, 2),
        ([18000, 40000, 0, 0], 40000, 3),
        ([18000, 17000, 40000], 20000, 2),
        ([0, 18000], 0, 1),
        ([18000, 40000, 20000], 30000, 2),
        ([0, 0], 5, 0),
        ([], 5, 0),
    ],
)
def test_step_in_force(limits, used, step):
    assert step_number(limits, used) == step
