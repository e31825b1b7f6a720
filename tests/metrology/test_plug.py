"""Plug events in the metering core: each once and none left out, over deaths and cuts at any point, with their time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattwheel.drivers.sim.plug import CHANGES_MAX, SimPlug
from wattwheel.metrology.plug import PlugWatch
from wattwheel.metrology.pulses import PULSES_STATE_OCTETS
from wattwheel.metrology.ring import STATE_OCTETS_MAX
from wattwheel.metrology.saved_state import SavedState
from wattwheel.model.contacts import NO_SERIAL
from wattwheel.model.errors import ItemValueError
from wattwheel.model.plug_records import PlugEvent, PlugRecord, PlugRecords

FIRST, SECOND = "0123456789abcdef", "fedcba9876543210"
STEPS = st.one_of(st.sampled_from(("removed", "inserted")), st.sampled_from((FIRST, SECOND, "00" * 8)))


def expected(steps):
    """Old and new number and kind of the events of `steps`, the oldest first."""
    is_out, serial, found = False, b"", []
    for step in steps:
        old = serial or NO_SERIAL
        if step == "removed":
            found += [] if is_out else [(old, NO_SERIAL, PlugEvent.REMOVED)]
            is_out = True
        elif step == "inserted":
            found += [(old, old, PlugEvent.INSERTED)] if is_out else []
            is_out = False
        else:
            new = bytes.fromhex(step)
            found += [(old, new, PlugEvent.EXCHANGED)] if serial not in (b"", new) else []
            serial = new
    return found


def events(watch):
    return [(each.old, each.new, each.kind) for each in watch.records.records][::-1]


def look(watch, now_ms=5000, epoch=77):
    return watch.look(lambda at_ms: now_ms if at_ms is None else at_ms, epoch)


@given(st.lists(STEPS, max_size=30), st.booleans())
def test_each_change_makes_one_record_and_nothing_else_does(steps, looks_often):
    plug = SimPlug()
    watch = PlugWatch(plug)
    for step in steps:
        assert plug.move(step)
        if looks_often:
            look(watch)
            assert not look(watch)
    look(watch)
    assert events(watch) == expected(steps)[-10:]
    assert watch.records.count == len(expected(steps))


@given(
    st.lists(st.one_of(STEPS, st.sampled_from(("look", "dies before", "dies between", "cut"))), max_size=40),
)
def test_each_once_over_deaths_and_cuts(steps):
    """It dies before its medium has it, or before the board knows that it has."""
    plug, kept = SimPlug(), b""
    watch = PlugWatch(plug)
    for step in steps:
        if step == "look":
            if look(watch):
                kept = watch.to_state()
                watch.kept()
        elif step in ("dies before", "dies between", "cut"):
            if step != "cut":
                look(watch)
            if step == "dies between":
                kept = watch.to_state()
            watch = PlugWatch(plug)
            watch.take_up(kept)
        else:
            plug.move(step)
    look(watch)
    moves = [step for step in steps if step in ("removed", "inserted") or len(step) == 16]
    assert events(watch) == expected(moves)[-10:]
    assert watch.records.count == len(expected(moves))
    watch.kept()
    assert plug.changes(0) == []


def test_times_are_those_of_the_board_where_it_has_a_clock():
    board = [1000]
    plug = SimPlug(None, lambda: board[0])
    watch = PlugWatch(plug)
    for board[0], step in ((3000, FIRST), (5000, "removed"), (None, "inserted"), (9000, SECOND)):
        plug.move(step)
    look(watch, now_ms=20_000)
    assert [record.second for record in watch.records.records] == [9, 20, 5]
    assert watch.records.epoch == 77
    assert watch.records.count == 3
    board[0] = 2**50
    plug.move("removed")
    look(watch, epoch=78)
    assert (watch.records.records[0].second, watch.records.epoch) == (2**32 - 1, 77)


def test_what_the_board_has_forgotten_shows_in_how_it_is():
    plug = SimPlug()
    plug.move(FIRST)
    watch = PlugWatch(plug)
    look(watch)
    for _ in range(CHANGES_MAX):
        plug.move("removed")
        plug.move("inserted")
    plug.move(SECOND)
    plug.move("removed")
    plug.forget(plug.number - 1)
    look(watch)
    assert events(watch) == [
        (bytes.fromhex(FIRST), NO_SERIAL, PlugEvent.REMOVED),
        (bytes.fromhex(FIRST), bytes.fromhex(SECOND), PlugEvent.EXCHANGED),
    ]
    other = SimPlug()  # a board that knows nothing of it
    watch.plug = other
    look(watch)
    assert [kind for *_, kind in events(watch)][2:] == [PlugEvent.INSERTED]
    other.move("removed")
    look(watch)
    assert [kind for *_, kind in events(watch)][3:] == [PlugEvent.REMOVED]
    while other.number < 100:
        other.move("inserted" if other.level().is_removed else "removed")
        look(watch)
    third, before = SimPlug(), watch.records.count
    for step in ("removed", "inserted", "removed", "inserted", "removed"):
        third.move(step)
    watch.plug = third
    look(watch)
    assert watch.records.count == before + 5  # it was in, as the core knew it: each of these was a change


def test_a_core_without_a_plug_keeps_nothing_and_one_that_comes_back_sees_what_it_missed():
    watch = PlugWatch()
    assert not look(watch)
    assert watch.to_state() == b""
    assert watch.board_ms() is None
    watch.kept()
    plug = SimPlug()
    assert not look(PlugWatch(plug))
    plug.move("removed")
    plug.forget(plug.number)
    watch = PlugWatch(plug)
    assert look(watch)
    assert events(watch) == [(NO_SERIAL, NO_SERIAL, PlugEvent.REMOVED)]


def test_the_state_fits_the_slot_with_everything_beside_it():
    plug = SimPlug()
    watch = PlugWatch(plug)
    for step in (FIRST, *("removed", "inserted") * 20):
        plug.move(step)
        look(watch)
    assert len(watch.records.records) == 10
    octets = SavedState(
        255, 2**32 - 1, 2**64 - 1, bytes(512), bytes(2 * PULSES_STATE_OCTETS + 48), 3, watch.to_state(), b"c" * 17
    )
    assert len(octets.to_octets()) <= STATE_OCTETS_MAX
    assert SavedState.from_octets(octets.to_octets()) == octets


@given(st.binary(max_size=80))
def test_octets_that_are_no_state_change_nothing(octets):
    watch = PlugWatch()
    try:
        watch.take_up(octets)
    except ItemValueError:
        assert watch.to_state() == b""
    else:
        assert watch.to_state() in (octets, b"") or octets[8] > 1 or octets[9] > 1 or not octets[9]


RECORDS = st.builds(
    PlugRecord,
    st.integers(0, 2**32 - 1),
    st.binary(min_size=8, max_size=8),
    st.binary(min_size=8, max_size=8),
    st.sampled_from(PlugEvent),
)


@given(st.lists(RECORDS, max_size=14))
def test_records_are_told_as_they_are(records):
    told = PlugRecords()
    for record in records:
        told = told.added(record, 5)
    assert PlugRecords.from_octets(told.to_octets()) == told
    assert told.records == tuple(records[::-1][:10])
    assert (told.epoch, told.count) == ((5, len(records)) if records else (0, 0))


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        bytes(11),
        bytes(8) + b"\1\0\0\0",
        b"\1" + bytes(11),
        b"\1" + bytes(7) + b"\1\0\0\0" + bytes(20),
        b"\1" + bytes(7) + b"\1\0\0\0" + bytes(20) + b"\4",
        b"\1" + bytes(7) + b"\2\0\0\0" + bytes(20) + b"\1",
        b"\1" + bytes(7) + b"\x0b\0\0\0" + (bytes(20) + b"\1") * 11,
    ],
)
def test_octets_that_are_no_records_are_refused(octets):
    with pytest.raises(ItemValueError):
        PlugRecords.from_octets(octets)
