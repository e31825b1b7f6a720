"""The reference of the drill `year`, against worked examples."""

import pytest

from wattwheel.testing.drills.year_account import Account, Slot, Tables, Zone, booked, looked, table_at, tariff_at
from wattwheel.testing.drills.year_demand import Demand, Maximum, demand_of
from wattwheel.testing.drills.year_diary import Diary, LoadRecords, Ring
from wattwheel.testing.drills.year_load import NO_ENERGY, CoreReference, Energy, Load
from wattwheel.testing.drills.year_money import Prices, Wallet, charged, paid_in, turned
from wattwheel.testing.drills.year_reference import Plan, YearReference

TABLE = (Slot(60, 2), Slot(120, 1))
OTHER = (Slot(0, 3),)
ZONES = (Zone(3, 1, 1), Zone(11, 15, 2))
TABLES = Tables((ZONES, ZONES), ((TABLE, OTHER), (OTHER, OTHER)), (), (1470,))
PRICES = Prices(
    ((5000, 8000, 1, 1), (1, 1, 1, 1)), ((3, 5), (9,)), ((100, 200, 400), (0, 7)), (50,), (60,), ((100, 200), (300,))
)
QUANTUM = 36_000_000_000


def test_the_tariff_of_a_minute_wraps_round_midnight():
    assert [tariff_at(TABLE, minute) for minute in (0, 59, 60, 119, 120, 1439)] == [1, 1, 2, 2, 1, 1]


def test_the_table_of_a_day_wraps_round_the_year():
    assert [table_at(ZONES, *day) for day in ((1, 1), (2, 29), (3, 1), (11, 14), (11, 15), (12, 31))] == [
        2,
        2,
        1,
        1,
        2,
        2,
    ]


def test_the_core_forgets_what_came_after_its_last_sync():
    core = CoreReference(Load([1000, -2000], 0))
    core.switched_on(0)
    assert core.total(90_000) == (60_000_000, 60_000_000)
    core.cut(50_500)
    core.switched_on(110_000)
    assert core.total(110_000) == (40_000_000, 0)
    assert (core.lost, core.unmetered) == ((10_500_000, 0), (9_500_000, 100_000_000))


def test_energy_belongs_to_the_tariff_so_far_and_never_falls():
    account = looked(booked(Account(), Energy(QUANTUM, 5), PRICES), 60, TABLES)
    assert (account.tariff, account.shares[0], account.wallet.amount) == (
        3,
        (QUANTUM, 5),
        -5100,
    )  # January: the second table
    account = booked(account._replace(tariff=2), Energy(3 * QUANTUM, 4), PRICES)
    assert account.shares[:2] == ((QUANTUM, 5), (2 * QUANTUM, 0))
    assert (account.booked, account.wallet.amount) == ((3 * QUANTUM, 5), -5100 - 2 * 8100)


def test_a_quantum_has_the_step_that_was_in_force_before_it():
    wallet = charged(Wallet(1_000_000), (4, 3, 0, 0), PRICES)
    assert wallet.amount == 1_000_000 - 4 * 5000 - 3 * 8000 - 3 * 100 - 2 * 200 - 2 * 400
    assert (wallet.used, charged(wallet, (4, 3, 0, 0), PRICES)) == (7, wallet)
    assert charged(Wallet(0), (1, 0, 0, 0), PRICES._replace(ratio=50)).amount == -50 * 5100


def test_what_a_wallet_shows():
    wallet = paid_in(Wallet(-30_001), 20_000)
    assert (wallet.amount, wallet.shown, wallet.purchases, wallet.purchased) == (-10_001, (0, 1), 1, 20_000)
    assert Wallet(19_999).shown == (1, 0)


@pytest.mark.parametrize(
    ("minute", "was_set", "found"),
    [
        (49, False, (0, 0, 7, -1)),
        (50, False, (1, 0, 7, -1)),
        (60, False, (1, 1, 0, 60)),
        (120, True, (1, 1, 0, 120)),
    ],
)
def test_prices_switch_over_once_and_steps_end(minute, was_set, found):
    wallet = turned(Wallet(used=7, looked=40), minute, was_set, PRICES)
    assert (wallet.prices, wallet.steps, wallet.used, wallet.ended) == found
    assert turned(wallet, minute, False, PRICES) == wallet


def test_a_step_period_ends_once_and_not_by_a_clock_that_was_set():
    prices = PRICES._replace(price_switches=(), step_switches=())
    ended = turned(Wallet(used=7, looked=99), 101, False, prices)
    assert (ended.used, ended.ended) == (0, 100)
    again = turned(turned(ended._replace(used=5), 90, True, prices), 101, False, prices)
    assert (again.used, again.ended) == (5, 100)
    assert turned(Wallet(used=7, looked=99), 101, True, prices).used == 7


def test_records_later_than_the_clock_are_void_and_a_minute_is_recorded_once():
    records = LoadRecords(15)
    for at_ms, minute in enumerate((15, 30, 45, 46, 29, 30, 45)):
        records.turn(minute, lambda at_ms=at_ms: at_ms, at_ms)
    assert {minute: entry.values for minute, entry in records.entries.items()} == {15: [0], 30: [5], 45: [6]}
    assert records.voided == 2


@pytest.mark.parametrize(("set_to", "kept"), [(44, [15, 30, 45]), (43, [15, 30]), (29, [15]), (14, [])])
def test_a_clock_that_is_set_back_voids_later_records_at_once(set_to, kept):
    records = LoadRecords(15)
    for minute in (15, 30, 45):
        records.turn(minute, lambda: "registers", 0)
    records.clock_set(set_to)
    assert list(records.entries) == kept
    assert records.voided == 3 - len(kept)


def test_a_minute_without_supply_leaves_nothing_but_what_is_made_up_for():
    diaries = [Diary(15, (2, 1, 0), (1, 0)) for _ in range(2)]
    for diary, is_seen in zip(diaries, (True, False), strict=True):
        diary.turn(1439, lambda: "before", 0)
        diary.cut(60_000)
        diary.turn(1440 + 60, lambda: "after", 80_000, is_seen)
    seen, unseen = ((diary.load, diary.hourly, diary.timed, diary.daily) for diary in diaries)
    assert [list(ring.entries) for ring in seen] == [[1500], [1500], [1500], [1440]]
    assert [list(ring.entries) for ring in unseen] == [[], [], [], [1440]]


def test_what_was_made_shortly_before_a_cut_may_be_missing_or_made_anew():
    ring = Ring(5000)
    ring.add(1, "old", 1000)
    ring.add(2, "lost", 9000)
    ring.cut(10_000)
    assert [entry.is_sure for entry in ring.entries.values()] == [True, False]
    ring.made_anew("new", 20_000)
    ring.add(1, "never", 20_000)
    assert [entry.values for entry in ring.entries.values()] == [["old"], ["lost", "new"]]
    assert ring.entries[2].is_sure


def test_a_settlement_is_made_once_and_passed_over_when_the_clock_is_set():
    diary = Diary(15, (29, 7, 30), (1, 0))  # the calendar begins on the first of January
    second = 31 * 1440
    steps = [(second - 1, False), (second, False), (second - 9, False), (second, False)]
    assert [diary.look(*step, lambda: "registers", 0) for step in [(5, False), *steps]] == [
        False,
        False,
        True,
        False,
        False,
    ]
    assert (list(diary.settled.entries), diary.passed_over) == ([second], 0)
    third = second + 29 * 1440
    assert not diary.look(third, True, lambda: "registers", 0)
    assert (list(diary.settled.entries), diary.passed_over) == ([second], 1)


def test_a_window_is_fifteen_whole_minutes_in_one_direction():
    assert [demand_of(energy) for energy in (0, 900_000, 44_550_000, 45_000_000)] == [0, 0, 1, 1]
    demand = Demand()
    demand.restart(30)  # the minute that is running is left out
    kilowatt = 60_000 * 1_000_000
    for minute in range(16):
        demand.turn(minute, Energy(kilowatt, 0), 0)
    demand.turn(16, Energy(0, 2 * kilowatt), 0)
    for minute in range(17, 31):
        demand.turn(minute, Energy(0, kilowatt), 0)
    demand.settle([99, 100], 0)
    assert demand.ended[99] == ({Maximum(10_000, 15)}, {Maximum(10_667, 30)})
    assert demand.ended[100] == ({Maximum()}, {Maximum()})


def test_a_maximum_that_came_shortly_before_a_cut_may_be_forgotten():
    demand = Demand()
    demand.restart(0)
    for minute in range(17):
        demand.turn(minute, Energy(60_000 * 1_000_000 * (1 + (minute == 16)), 0), minute * 60_000)
    demand.cut(17 * 60_000)
    demand.settle([99], 0)
    assert demand.ended[99][0] == {Maximum(10_000, 14), Maximum(10_667, 16)}


def plan():
    return Plan(TABLES, PRICES._replace(price_switches=(), step_switches=(), step_ends=((), ())), 0)


def test_a_day_of_energy_goes_to_the_tariff_of_the_clock():
    reference = YearReference(Load([1000], 0), 0, -80 * 1440 * 60_000_000, plan(), Diary(15, (29, 7, 30), (1, 0)))
    reference.until(24 * 3_600_000)
    hour = 3_600_000 * 1000
    assert [share.imported for share in reference.account.shares] == [0, 0, 24 * hour, 0]


@pytest.mark.parametrize(("microseconds", "tariff"), [(499, 3), (500, 3), (501, 2)])
def test_a_push_just_before_a_turn_tells_the_turn(microseconds, tariff):
    zero_us = -80 * 1440 * 60_000_000 - 60 * 60_000_000 + microseconds  # in spring, an hour and that short of 01:00
    tables = TABLES._replace(days=(((Slot(60, 3), Slot(120, 2)), OTHER), (OTHER, OTHER)), day_switches=())
    reference = YearReference(
        Load([1000], 0), 0, zero_us, plan()._replace(tables=tables), Diary(15, (29, 7, 30), (1, 0))
    )
    reference.until(0)
    assert reference.account.tariff == tariff


def test_a_return_that_cannot_be_is_told():
    reference = YearReference(Load([1000], 0), 0, 0, plan(), Diary(15, (29, 7, 30), (1, 0)))
    reference.cut(50_500)
    reference.core.switched_on(100_000)
    right = Energy(45_000_000, 0)
    rest = (NO_ENERGY,) * 3
    assert not reference.ready(105_000, Energy(44_999_999, 0), (Energy(44_999_999, 0), *rest), 0)
    other = YearReference(Load([1000], 0), 0, 0, plan(), Diary(15, (29, 7, 30), (1, 0)))
    other.cut(50_500)
    other.core.switched_on(100_000)
    assert other.ready(105_000, right, (right, *rest), 0)
