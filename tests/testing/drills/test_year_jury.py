"""The drill `year` finds books that do not balance: each of these APPs is wrong once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

import msgspec
import pytest

from wattwheel.apps.charging_books import ChargingBooks
from wattwheel.apps.energy_books import Ledger, RunningTariff
from wattwheel.apps.energy_history import History
from wattwheel.apps.freezing import Freezing
from wattwheel.apps.functions import Turn
from wattwheel.apps.load_pages import LoadPages
from wattwheel.apps.load_record import LoadRecord
from wattwheel.apps.relay_control import RelayControl
from wattwheel.boot.minute_core import MinuteCore
from wattwheel.model.demand_windows import DemandWindows
from wattwheel.model.freeze_content import FreezeKind
from wattwheel.model.records import REGISTERS
from wattwheel.testing.drills.year import lived
from wattwheel.testing.drills.year_plan import STEPS, Course

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
SWITCHES = (datetime(2028, 2, 29, 13, 0, tzinfo=UTC), datetime(2028, 3, 2, 20, 0, tzinfo=UTC))
QUIET = Course(datetime(2028, 2, 29, tzinfo=UTC), 2, SWITCHES, 0, 0, 1)
ROUGH = QUIET._replace(cuts=4)
OFTEN_OFF = QUIET._replace(cuts=8, purchases=0)
IN_AUGUST = (datetime(2028, 8, 14, 13, tzinfo=UTC), datetime(2028, 8, 17, tzinfo=UTC))
BACK = Course(datetime(2028, 8, 14, tzinfo=UTC), 2, IN_AUGUST, 0, 0, 0, STEPS[5:6])
SET = Course(datetime(2028, 7, 31, tzinfo=UTC), 2, IN_AUGUST, 0, 0, 0, STEPS[4:5])
EVENING = (datetime(2028, 2, 29, 21, 0, tzinfo=UTC) - EPOCH).days * 1440 + 21 * 60
MIDNIGHT, NOON = EVENING + 180, EVENING - 540


class Wrong(NamedTuple):
    """`method` of `owner` is replaced by what `make` makes of it; `finds`: one of these the drill has to say."""

    owner: type
    method: str
    make: object
    finds: set[str]
    course: Course = QUIET


def a_push_lost(book):
    def changed(self, totals, *rest):
        if self.bookings == 999:
            self.books.seen = list(totals.microjoule[: len(REGISTERS)])
        return book(self, totals, *rest)

    return changed


def a_microjoule_more(book):
    def changed(self, *arguments):
        is_anew = book(self, *arguments)
        if self.bookings == 999:
            self.books.tariff_1[0] += 1
        return is_anew

    return changed


def a_minute_in_another_tariff(find):
    def changed(self, calendar_s, tariff, sets):
        minute = self.minute(calendar_s)
        if minute == EVENING + 1:
            self._found = range(0)
        found, running = find(self, calendar_s, tariff, sets)
        if minute == EVENING:
            self._found = range(0)
        return (found % 4 + 1 if minute == EVENING else found), running

    return changed


def a_quantum_twice(charge):
    done = []

    def changed(self, image):
        charge(self, image)
        if not done and self.money.billed is not None and sum(self.money.billed) > 5000:
            done.append(True)
            self.money = msgspec.structs.replace(self.money, billed=(self.money.billed[0] - 1, *self.money.billed[1:]))

    return changed


def twice_after_a_restart(take_up):
    def changed(self, saved):
        take_up(self, saved)
        if self.money.billed and self.money.billed[0]:
            self.money = msgspec.structs.replace(self.money, billed=(self.money.billed[0] - 1, *self.money.billed[1:]))

    return changed


def prices_late(minute):
    def changed(self, turn):
        switch, self._switch = self._switch, None if self._switch == turn.image.minute else self._switch
        minute(self, turn)
        self._switch = switch if self._switch is None else self._switch

    return changed


def no_freeze(kind):
    def made(freeze):
        def changed(self, own, minute, turn):
            if own is not kind or (minute not in (EVENING, MIDNIGHT) and kind is not FreezeKind.PRICE_SETS):
                freeze(self, own, minute, turn)

        return changed

    return made


def a_freeze_late(freeze):
    def changed(self, kind, minute, turn):
        freeze(self, kind, minute + (kind is FreezeKind.DAILY and minute == MIDNIGHT), turn)

    return changed


def no_record(record):
    def changed(self, turn, now, since):
        if now != EVENING:
            record(self, turn, now, since)

    return changed


def a_record_of_nothing(record):
    def changed(self, turn, now, since):
        image = msgspec.structs.replace(turn.image, shares=(turn.image.shares[0],)) if now == EVENING else turn.image
        record(self, turn._replace(image=image), now, since)

    return changed


def too_much_demand(pass_minute):
    def changed(self, image):
        if image.minute == EVENING:
            self._sums = [2 * each for each in self._sums]
            self.kept.active[0] = 15
        return pass_minute(self, image)

    return changed


def nothing_settled(take):
    return lambda self, *arguments: arguments[0]


def nothing_void(void_after):
    return lambda self, minute: {}


def a_minute_without_supply_seen(missed):
    return property(lambda self: self.image.minute - 1)


def settled_though_set(set_clock):
    return lambda self, settled, minute: settled


def opened_at_noon(push):
    def changed(self, turn, signals):
        push(self, turn, signals)
        if turn.image.minute >= NOON:
            relay = msgspec.structs.replace(self.books.relay, is_open=True)
            self.books = self.books._replace(relay=relay)

    return changed


def more_kept_than_was_synced(cut):
    def changed(self, at_ms):
        cut(self, at_ms)
        self._booked = tuple(register + 1000 for register in self._booked)

    return changed


WRONG = {
    "a push is lost": Wrong(Ledger, "book", a_push_lost, {"sum of the tariffs"}),
    "a microjoule more": Wrong(Ledger, "book", a_microjoule_more, {"tariffs"}),
    "a minute in another tariff": Wrong(RunningTariff, "find", a_minute_in_another_tariff, {"tariffs"}),
    "a quantum is charged twice": Wrong(ChargingBooks, "_charge", a_quantum_twice, {"money"}),
    "charged twice after a cut": Wrong(
        ChargingBooks, "take_up", twice_after_a_restart, {"return of the supply"}, ROUGH
    ),
    "prices switch a minute late": Wrong(ChargingBooks, "minute", prices_late, {"money"}),
    "an hour is not frozen": Wrong(Freezing, "_freeze", no_freeze(FreezeKind.HOURLY), {"hourly freezes"}),
    "a day is not frozen": Wrong(Freezing, "_freeze", no_freeze(FreezeKind.DAILY), {"daily freezes"}),
    "a switch-over is not frozen": Wrong(Freezing, "_freeze", no_freeze(FreezeKind.PRICE_SETS), {"price freezes"}),
    "a day has another time": Wrong(Freezing, "_freeze", a_freeze_late, {"daily freezes"}),
    "a load record is missing": Wrong(LoadRecord, "_record", no_record, {"load records"}),
    "a load record of one tariff": Wrong(LoadRecord, "_record", a_record_of_nothing, {"load records"}),
    "too much demand": Wrong(DemandWindows, "pass_minute", too_much_demand, {"maximum demand"}),
    "no settlement": Wrong(History, "take", nothing_settled, {"settlement"}),
    "a clock that is set settles": Wrong(History, "set_clock", settled_though_set, {"settlement"}, SET),
    "what is later than the clock stays": Wrong(LoadPages, "void_after", nothing_void, {"load records"}, BACK),
    "a minute without supply is recorded": Wrong(
        Turn, "minute_missed", a_minute_without_supply_seen, {"load records", "hourly freezes"}, OFTEN_OFF
    ),
    "the relay opens": Wrong(RelayControl, "push", opened_at_noon, {"relay"}),
    "the core keeps too much": Wrong(MinuteCore, "cut", more_kept_than_was_synced, {"return of the supply"}, ROUGH),
}


@pytest.mark.parametrize("name", WRONG)
def test_books_that_do_not_balance_are_found(monkeypatch, name):
    wrong = WRONG[name]
    monkeypatch.setattr(wrong.owner, wrong.method, wrong.make(getattr(wrong.owner, wrong.method)))
    document = lived(wrong.course, 4).document("year", 0, 4)
    found = {row["failed"] for row in document["details"] if "failed" in row}
    assert not document["ok"]
    assert found & wrong.finds, found


@pytest.mark.parametrize("course", [QUIET, ROUGH, OFTEN_OFF, BACK, SET])
def test_right_books_are_right(course):
    document = lived(course, 4).document("year", 0, 4)
    assert document["ok"], document["details"]
