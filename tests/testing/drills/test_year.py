"""The drill `year`, cut short to the end of a February: it balances, and it finds books that do not."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from wattwheel.apps.energy_books import Ledger
from wattwheel.boot.minute_core import MinuteCore
from wattwheel.testing.drills.year import Course, leap_year, lived
from wattwheel.testing.drills.year_reference import Slot, YearReference, tariff_at

SWITCHES = (datetime(2028, 2, 29, 13, 0, tzinfo=UTC), datetime(2028, 3, 3, 0, 30, tzinfo=UTC))
BEGIN = datetime(2028, 2, 27, tzinfo=UTC)
QUIET = Course(BEGIN, 6, SWITCHES, 0, 0)
ROUGH = Course(BEGIN, 8, SWITCHES, 12, 3)


def failed(document):
    return {row["failed"] for row in document["details"] if "failed" in row}


def test_a_leap_day_two_switch_overs_cuts_and_clock_steps():
    document = lived(ROUGH, 4).document("year", 12, 4)
    assert document["ok"], document["details"]
    *_, lived_row = document["details"]
    assert lived_row["cuts"] >= 10
    assert lived_row["cuts_in_writes"] > 2
    assert lived_row["settlements"] == 1
    assert document["details"][0]["lost_by_cuts"] > 0


def test_without_cuts_each_tariff_is_exact():
    document = lived(QUIET, 2).document("year", 0, 2)
    assert document["ok"], document["details"]
    assert [row["at_changes_of_tariff"] for row in document["details"][:2]] == [0, 0]


def test_the_full_one_is_a_leap_year():
    course = leap_year(300)
    assert (course.begin, course.days, course.cuts) == (datetime(2028, 1, 1, tzinfo=UTC), 366, 300)
    assert course.clock_steps > 12


@pytest.mark.parametrize("wrong", ["a push to the tariff that it finds", "a microjoule too much", "twice after a cut"])
def test_books_that_do_not_balance_are_found(monkeypatch, wrong):
    book, cut = Ledger.book, MinuteCore.cut

    def other(self, totals, tariff=1):
        if wrong.startswith("a push") and self.books is not None:
            self.books.tariff = tariff
        book(self, totals, tariff)
        if wrong.startswith("a micro") and self.bookings == 99:
            self.books.tariff_1[0] += 1

    def kept(self, at_ms):
        cut(self, at_ms)
        if wrong.startswith("twice"):
            self._booked = tuple(register + 1000 for register in self._booked)

    monkeypatch.setattr(Ledger, "book", other)
    monkeypatch.setattr(MinuteCore, "cut", kept)
    course = ROUGH if wrong.startswith("twice") else QUIET
    document = lived(course, 4).document("year", 0, 4)
    assert not document["ok"]
    assert failed(document) & {"total import", "import of tariff 1", "import of tariff 2", "sum of the tariffs"}


# -- the reference itself, against worked examples

TABLES = ((Slot(60, 2), Slot(120, 1)), (Slot(0, 3),))


def test_the_tariff_of_a_minute_wraps_round_midnight():
    assert [tariff_at(TABLES[0], minute) for minute in (0, 59, 60, 119, 120, 1439)] == [1, 1, 2, 2, 1, 1]


def test_energy_goes_to_the_tariff_of_the_clock():
    reference = YearReference([1000, -2000], 0, TABLES, [24 * 60 + 30])
    reference.switched_on(0)
    reference.clock_was(0, 0)
    reference.ended(26 * 3_600_000)
    hour = 30 * 60_000 * 1000
    assert reference.total(1) == 26 * hour
    assert reference.total(-1) == 26 * 2 * hour
    assert reference.shares(1) == {1: 23 * hour + hour // 2, 2: hour, 3: hour + hour // 2}
    assert reference.doubt(1) == 0


def test_a_clock_that_is_set_changes_the_tariff_with_the_first_push_after_it():
    reference = YearReference([1000], 0, TABLES, [])
    reference.switched_on(0)
    reference.clock_was(0, 0)
    reference.clock_was(600_000, -50 * 60_000_000)
    reference.ended(1_200_000)
    assert reference.shares(1) == {1: 601_000 * 1000, 2: 599_000 * 1000}


def test_a_cut_loses_what_came_after_the_last_sync():
    reference = YearReference([1000], 0, TABLES, [])
    reference.switched_on(0)
    reference.clock_was(0, 0)
    reference.cut(50_500)
    reference.switched_on(100_000)
    reference.ended(110_000)
    assert reference.total(1) == 50_000 * 1000
    assert reference.lost(1) == 10_500 * 1000
