"""The tariff plan as the parameter items say it, and the two sets' switch-over."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattwheel.model.tariff import Holiday, Slot, TariffPlan, Zone, resolve
from wattwheel.model.tariff_parameters import (
    DAY_TABLES_SWITCH,
    ZONES_SWITCH,
    RunningSets,
    plan_of,
    switched,
    tariffs_of,
)

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def wire(**digits: str) -> dict[int, bytes]:
    """Identifier (after a `d`) and digits as the picture prints them: entries are written the first one last."""
    return {int(name[1:], 16): bytes.fromhex(text)[::-1] for name, text in digits.items()}


WRITTEN = wire(
    d04000201="02",
    d04000202="02",
    d04000203="03",
    d04000204="04",
    d04000205="0003",
    d04000801="3E",
    d04000802="02",
    d04010000="100102" + "030101",
    d04010001="220004" + "080002" + "000001",
    d04010002="220003" * 2 + "000002",
    d04020000="010102" * 14,
    d04020001="000003",
    d04030001="99120102",
    d04030002="26FF1501",
    d04030003="26063002",
)


def test_what_was_written():
    assert plan_of(WRITTEN) == TariffPlan(
        zones=(Zone(3, 1, 1), Zone(10, 1, 2)),
        day_tables=(
            (Slot(0, 0, 1), Slot(8, 0, 2), Slot(22, 0, 4)),
            (Slot(0, 0, 2), Slot(22, 0, 3), Slot(22, 0, 3)),
        ),
        holidays=(Holiday(None, 12, 1, 2), Holiday(2026, None, 15, 1), Holiday(2026, 6, 30, 2)),
        rest_word=0x3E,
        rest_table=2,
        tariffs=4,
    )


def test_the_two_pairs_of_sets_are_apart():
    first = plan_of(WRITTEN)
    assert plan_of(WRITTEN, RunningSets(zones=1)).day_tables == first.day_tables
    assert plan_of(WRITTEN, RunningSets(zones=1)).zones == (Zone(1, 1, 2),) * 2
    assert plan_of(WRITTEN, RunningSets(day_tables=1)).zones == first.zones
    assert plan_of(WRITTEN, RunningSets(day_tables=1)).day_tables == ((Slot(0, 0, 3),), ())


def test_what_the_counts_do_not_reach_is_not_there():
    fewer = WRITTEN | wire(d04000201="01", d04000202="01", d04000203="01", d04000205="0001")
    plan = plan_of(fewer)
    assert (plan.zones, plan.day_tables) == ((Zone(3, 1, 1),), ((Slot(0, 0, 1),),))
    assert plan.holidays == (Holiday(None, 12, 1, 2),)


def test_nothing_written_is_tariff_1():
    assert resolve(plan_of({}), NOON).tariff == 1
    assert tariffs_of({}) == 1


def test_no_tariffs_are_a_single_one():
    assert tariffs_of(WRITTEN | wire(d04000204="00")) == 1
    assert resolve(plan_of(WRITTEN | wire(d04000204="00")), NOON).tariff == 1


def test_each_pair_switches_once_at_its_minute():
    parameters = wire(d04000106="2606011200", d04000107="2606011201")
    sets = switched(RunningSets(), parameters, NOON - timedelta(microseconds=1))
    assert sets == RunningSets()
    sets = switched(sets, parameters, NOON)
    assert (sets.zones, sets.day_tables) == (1, 0)
    for minutes in (1, 2, -60, 0, 1):  # the clock may go back and come again
        sets = switched(sets, parameters, NOON + timedelta(minutes=minutes))
        assert (sets.zones, sets.day_tables) == (1, 1)
    sets = switched(sets, parameters | wire(d04000106="2606011300"), NOON + timedelta(days=9))  # missed, then made up
    assert (sets.zones, sets.day_tables) == (0, 1)


@pytest.mark.parametrize("digits", ["0000000000", "9999999999", "FFFFFFFFFF", "2602291200", "260601", ""])
def test_what_is_no_time_switches_nothing(digits):
    parameters = {di: bytes.fromhex(digits)[::-1] for di in (ZONES_SWITCH, DAY_TABLES_SWITCH)}
    assert switched(RunningSets(), parameters, datetime(2099, 12, 31, tzinfo=UTC)) == RunningSets()


@given(st.dictionaries(st.sampled_from([*WRITTEN, ZONES_SWITCH, DAY_TABLES_SWITCH]), st.binary(max_size=60)))
def test_any_octets_give_a_tariff_that_the_meter_has(parameters):
    sets = switched(RunningSets(), parameters, NOON)
    assert 1 <= resolve(plan_of(parameters, sets), NOON).tariff <= tariffs_of(parameters) <= 63
