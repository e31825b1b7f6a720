"""Saved state that can be decoded and cannot be: it is forgotten, and never a crash."""

from __future__ import annotations

import msgspec
import pytest

from wattwheel.apps.charging_books import Money
from wattwheel.apps.contact_records import Told
from wattwheel.apps.energy_books import Books, books_of
from wattwheel.apps.programming_records import Head, Ring
from wattwheel.model.event_ring import COUNT_MAX, RECORDS_MAX, EventRing
from wattwheel.model.prices import PriceSets
from wattwheel.model.records import REGISTER_COUNT
from wattwheel.model.settled_books import MINUTES_MAX, Entry, Settled

BAD_RINGS = [[-1, []], [1, [], -1], [COUNT_MAX + 1, []], [1, [b""] * (RECORDS_MAX + 1)]]


@pytest.mark.parametrize("ring", BAD_RINGS)
@pytest.mark.parametrize("of", [lambda ring: (ring, EventRing), lambda ring: ([False, [False, 0], ring], Told)])
def test_no_ring_has_another_count_or_more_records(of, ring):
    octets, kind = of(ring)
    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(msgspec.msgpack.encode(octets), type=kind)


@pytest.mark.parametrize(
    "changed",
    [
        {"settled": Settled(10**15)},
        {"settled": Settled(-1)},
        {"settled": Settled(1, entries=(Entry(MINUTES_MAX + 1, 1, 1),))},
        {"settled": Settled(1, entries=(Entry(1, 1, 1),) * 13)},
        {"clears": EventRing(COUNT_MAX + 1)},
        {"origin": [1]},
        {"origin": [-1] * REGISTER_COUNT},
    ],
)
def test_books_that_cannot_be_are_none(changed):
    books = Books([1] * 8, [1] * 8)
    assert books_of(msgspec.msgpack.encode(books)) == books
    assert books_of(msgspec.msgpack.encode(msgspec.structs.replace(books, **changed))) is None


@pytest.mark.parametrize(
    "money", [Money(looked=10**15), Money(sets=PriceSets(2, 0)), Money(sets=PriceSets(0, -1)), Money(used=-1)]
)
def test_money_that_cannot_be_is_no_money(money):
    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(msgspec.msgpack.encode(money), type=Money)


@pytest.mark.parametrize("ring", [Ring(-1), Ring(COUNT_MAX + 1), Ring(1, -1)])
def test_programming_records_that_cannot_be_are_none(ring):
    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(msgspec.msgpack.encode(Head(rings={0x03300000: ring})), type=Head)
