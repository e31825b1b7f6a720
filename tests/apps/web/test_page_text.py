"""The text of the page: every place filled, everything from the meter escaped, nothing shown that is not there."""

from __future__ import annotations

import asyncio
import re

import msgspec
import pytest
from tests.apps.web.fake_face import FakeFace

from wattwheel.apps.web import assets, layout
from wattwheel.apps.web.page import Page

PAGE = Page(assets.page_template())
CELL = re.compile(r'<span class="value" data-di="(\w{8})" data-decimals="(\d)" data-quality="(\w+)">([^<]*)</span>')


def rows(face: FakeFace):
    return asyncio.run(face.rows(""))


def cells(text: str) -> dict[str, tuple[str, str, str]]:
    return {di: (decimals, quality, value) for di, decimals, quality, value in CELL.findall(text)}


def test_every_identifier_of_the_layout_has_its_place_and_the_value_of_this_moment():
    face = FakeFace(transformer=False)
    found = cells(PAGE.text(rows(face), face.status()))
    assert sorted(found) == sorted(layout.all_dis())
    voltage = next(row.value for row in rows(face) if row.di == "02010100")
    assert found["02010100"] == ("1", "valid", f"{voltage:.1f}")
    assert found["00000000"] == ("2", "valid", "1234.56")


def test_without_values_every_place_is_there_and_empty_and_no_row_is_hidden():
    text = PAGE.text([], {})
    found = cells(text)
    assert sorted(found) == sorted(layout.all_dis())
    assert {(quality, value) for _, quality, value in found.values()} == {("invalid", layout.NOTHING)}
    assert "<tr hidden>" not in text
    assert '<dd id="address">–</dd>' in text


def test_what_the_meter_does_not_have_is_hidden_and_its_phases_are_named():
    face = FakeFace(phases="a")
    text = PAGE.text([row for row in rows(face) if row.di != "02800002"], face.status())
    assert 'data-absent="b c"' in text
    assert re.search(r'<p class="single" hidden><span class="symbol">f</span>', text)
    assert '<p class="single"><span class="symbol">f</span>' not in text


@pytest.mark.parametrize("key", ["address", "isolation", "link", "version"])
def test_whatever_the_meter_says_is_text(key):
    said = '<script>"$name"</script>'
    text = PAGE.text([], {key: said})
    assert said not in text
    assert "&lt;script&gt;&quot;$name&quot;&lt;/script&gt;" in text


def test_a_value_that_is_a_text_is_one_too():
    row = next(row for row in rows(FakeFace()) if row.di == "02010100")
    text = PAGE.text([msgspec.structs.replace(row, value="<b>", value_primary="<u>")], FakeFace().status())
    assert "<b>" not in text
    assert "<u>" not in text
    assert cells(text)["02010100"][2] == "&lt;b&gt;"


def test_behind_transformers_both_sides_are_there():
    face = FakeFace()
    text = PAGE.text(rows(face), face.status())
    assert 'current transformers 50:1. <span class="old">' in text
    assert re.search(r'data-primary="02020100" data-decimals="2">126\.10</span>', text)
    assert "kW, primary side" in text
    assert (
        PAGE.text(rows(face), {"transformer": {"current_ratio": 50, "voltage_ratio": 10}}).count(
            "voltage transformers 10:1"
        )
        == 1
    )
    assert "primary" not in PAGE.text(rows(face), {"transformer": None})
