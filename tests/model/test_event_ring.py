"""A ring of records whose count stops, and what goes on counting."""

from __future__ import annotations

import msgspec
import pytest

from wattwheel.apps.energy_books import Books, Ledger, cleared
from wattwheel.apps.recording import Recording
from wattwheel.model.event_clears import ALL_EVENTS, Clears, Followed, emptied, followed
from wattwheel.model.event_ring import COUNT_MAX, EventRing
from wattwheel.model.records import REGISTER_COUNT, REGISTERS, EnergyTotals, Quality, Readings

FULL = EventRing(COUNT_MAX - 1, (b"\xff" * 4,) * 10)


def test_the_count_stops_and_the_generation_does_not():
    ring, generations = FULL, []
    for _ in range(4):
        ring = ring.added(b"x")
        generations.append(ring.generation)
    assert ring.count == COUNT_MAX
    assert generations == [COUNT_MAX, COUNT_MAX + 1, COUNT_MAX + 2, COUNT_MAX + 3]
    assert ring.replaced(b"y").generation == ring.generation
    assert ring.items(0x03300300)[0x03300300] == b"\x99" * 3
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(ring), type=EventRing) == ring


def test_a_ring_of_two_fields_is_taken_up():
    """As versions saved it that knew of no generation."""
    assert msgspec.msgpack.decode(msgspec.msgpack.encode((7, (b"x",))), type=EventRing) == EventRing(7, (b"x",))


@pytest.mark.parametrize("clears", range(1, 4))
def test_each_meter_clear_is_followed_however_many_there_were(clears):
    books, known = Books([0] * len(REGISTERS), [0] * len(REGISTERS), clears=FULL), Followed()
    for _ in range(clears):
        books = cleared(books, b"record")
        told = Clears(books.clears.generation)
        assert emptied(told, known, [0x03300400]) == [0x03300400]
        known = followed(told)
        assert emptied(told, known, [0x03300400]) == []


def test_the_image_tells_the_generation_by_which_functions_see_a_clear():
    ledger = Ledger(Books([0] * len(REGISTERS), [0] * len(REGISTERS), clears=EventRing(COUNT_MAX, (), 3)))
    ledger.take(Readings(0, 0.0, Quality.VALID, EnergyTotals(1, (0,) * REGISTER_COUNT)))
    assert ledger.image.meter_clears == COUNT_MAX + 3


def test_each_event_clear_is_followed_however_many_there_were():
    recording, known = Recording(), Followed()
    recording.begin({"recording clears": msgspec.msgpack.encode(FULL)})
    known = followed(Clears(0, recording.event_clears))
    for _ in range(3):
        recording._take_clears(recording.clears.added(ALL_EVENTS.to_bytes(4, "little")))
        told = Clears(0, recording.event_clears)
        assert emptied(told, known, [0x03300400]) == [0x03300400]
        known = followed(told)
        assert emptied(told, known, [0x03300400]) == []
