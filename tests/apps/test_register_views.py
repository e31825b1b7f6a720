"""What is used in a settlement period: from its begin to its end, combined as the total is."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from tests.apps.test_energy_history import FIRST_DAY, MIDNIGHT_MINUTE, SECOND_DAY, pushed
from tests.apps.test_energy_tariffs import CENTI, ledger

from wattwheel.apps.register_views import is_view, view_item, views
from wattwheel.model.settled_books import Entry
from wattwheel.model.settlement import SETTLEMENTS_KEPT_MAX
from wattwheel.testing.world import World, simulated_settings

USAGE, COMBINATION = 0xB0F10000, 0x04000601
DAY_S = 86_400
LEVEL_2 = "220022"


def uses(own, periods=4):
    return [view_item(own, USAGE | back) for back in range(periods)]


def test_before_anything_was_metered_there_is_none():
    assert uses(ledger({})) == [None] * 4
    assert views(ledger({})) == ()


def test_each_period_has_what_flowed_in_it():
    own = ledger({FIRST_DAY: "0100", SECOND_DAY: "0200"})
    own.take(pushed(-3600, 5 * CENTI))
    assert uses(own) == [5, None, None, None]
    own.take(pushed(0, 12 * CENTI))
    assert uses(own) == [0, 12, None, None]
    own.take(pushed(3600, 20 * CENTI))
    own.take(pushed(DAY_S, 31 * CENTI))
    own.take(pushed(DAY_S + 60, 33 * CENTI))
    assert uses(own) == [2, 19, 12, None]
    assert set(views(own)) >= {USAGE, USAGE | 1, USAGE | 2}
    assert USAGE | 3 not in views(own)


@pytest.mark.parametrize(("word", "use"), [("05", 9), ("09", 5), ("06", -5), ("01", 7), ("00", 0)])
def test_forward_and_reverse_are_combined_by_the_word(word, use):
    own = ledger({FIRST_DAY: "0100", COMBINATION: word})
    own.take(pushed(-60, 90 * CENTI, 40 * CENTI))
    own.take(pushed(0, 100 * CENTI, 50 * CENTI))
    own.take(pushed(60, 107 * CENTI, 52 * CENTI))
    assert view_item(own, USAGE) == use


def test_of_a_full_ring_the_oldest_copy_is_a_begin_alone():
    own = ledger({})
    own.take(pushed(0, 0))
    books = own.books
    copies = range(SETTLEMENTS_KEPT_MAX)
    own.history.copies = {copy: [[copy * copy * CENTI, *[0] * 7]] for copy in copies}
    entries = tuple(Entry(MIDNIGHT_MINUTE + copy, 1, copy) for copy in reversed(copies))
    books.settled = type(books.settled)(entries=entries)
    newest = SETTLEMENTS_KEPT_MAX - 1
    ended = [copy * copy - (copy - 1) ** 2 for copy in range(newest, 0, -1)]
    assert uses(own, 13) == [-newest * newest, *ended, None]


@pytest.mark.parametrize("di", [0xB0F00000, 0xB0F10100, 0xB0F20000, 0x00010000, 0x01010000])
def test_other_items_are_not_made_here(di):
    assert not is_view(di)


def test_a_head_end_reads_it_and_a_meter_clear_empties_it():
    passwords = {"password_level_2": LEVEL_2, "programming_key": False}
    settings = simulated_settings(dlt645=passwords, meter={"current_ratio": 1})
    world = World(4, settings=settings, calendar=datetime(2026, 6, 30, 23, 58, tzinfo=UTC))
    world.set_power(36_000)  # 0.01 kWh a second
    world.await_ready()
    world.advance(20)
    before = world.read(USAGE)
    world.advance(10)
    assert world.read(USAGE) == pytest.approx(before + 10, abs=1)
    assert world.ask(USAGE | 1).error == 2
    assert world.request(0x1A, b"\x02" + bytes.fromhex(LEVEL_2)[::-1] + bytes(4)) == (0x9A, b"")
    assert world.read(USAGE) < before
    world.advance(10)
    assert world.read(USAGE) == pytest.approx(10, abs=3)
