"""Maxima of the demand as octets, against the register table; what of saved ones can be gone on with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattwheel.model.catalogue import fields, item_2007, items_2007
from wattwheel.model.demand_maxima import QUANTITIES, Maxima, maximum_octets, quantities
from wattwheel.protocols.dlt645.items import decode

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
MINUTES = st.integers(1, 52_000_000)


@given(st.integers(-799_999, 799_999), MINUTES)
def test_octets_are_what_the_picture_says(value, minute):
    row = [value] * QUANTITIES + [minute] * QUANTITIES
    at = f"{EPOCH + timedelta(minutes=minute):%y%m%d%H%M}"
    for di, is_signed in ((0x01010000, False), (0x01030000, True)):
        if value >= 0 or is_signed:
            shown, time = decode(item_2007(di), maximum_octets(row, 0)).parts
            assert (shown.number, time.value) == (value, at)


def test_no_maximum_is_all_zeros():
    assert Maxima().octets(0x01, 0) == Maxima().octets(0x0A, 63) == Maxima().octets(0x46, 0) == bytes(8)


def test_the_quantities_are_those_of_the_register_table():
    table = {item.di for item in items_2007() if item.di >> 24 == 1}
    own = {0x01000000 | di2 << 16 for di2, _ in quantities()}
    assert own == {di & ~0xFF for di in table if not di >> 8 & 0xFF}
    with_tariffs = {0x01000000 | di2 << 16 for di2, has_tariffs in quantities() if has_tariffs}
    assert with_tariffs == {di & 0xFFFF0000 for di in table if di >> 8 & 0xFF}


@pytest.mark.parametrize("di2", [0x00, 0x0B, 0x14, 0x1F, 0x28, 0x33, 0x3C, 0x47, 0xFF])
def test_no_other_quantity_has_a_maximum(di2):
    assert Maxima().octets(di2, 0) is None


def test_a_phase_has_no_tariffs():
    assert Maxima().octets(0x15, 1) is None


def test_the_clear_record_has_them_in_the_order_of_its_layout():
    maxima = Maxima()
    rows = (maxima.rows[0], *maxima.phases)
    for number, row in enumerate(rows):
        row[:QUANTITIES] = [100 * number + place for place in range(QUANTITIES)]
    layout = [field.label for field in fields("demand_clear")][2::2]
    octets = maxima.cleared()
    assert len(octets) == 8 * len(layout)
    for at, label in enumerate(layout):
        phase = "_abc".index(label[-1]) if label[-2:] in ("_a", "_b", "_c") else 0
        name = label.split("_maximum")[0]
        place = ("import_active", "export_active", "", "", *(f"reactive_q{q}" for q in (1, 2, 3, 4))).index(name)
        assert int(octets[8 * at : 8 * at + 3][::-1].hex()) == 100 * phase + place


def test_rows_of_another_form_are_not_sound():
    row = [0] * 20
    assert Maxima([row], [row] * 3).is_sound()
    assert Maxima([row] * 64, [row] * 3).is_sound()
    for rows, phases in (([], [row] * 3), ([row] * 65, [row] * 3), ([row], [row] * 2), ([row[1:]], [row] * 3)):
        assert not Maxima(rows, phases).is_sound()
    assert not Maxima([[10**6, *row[1:]]], [row] * 3).is_sound()
    assert not Maxima([[*row[1:], 10**9]], [row] * 3).is_sound()
