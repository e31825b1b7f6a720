from __future__ import annotations

import asyncio
import re

import httpx
import pytest
from tests.apps.web.fake_face import FakeFace

from wattwheel.apps.web import layout
from wattwheel.apps.web.assets import load
from wattwheel.apps.web.site import app
from wattwheel.model import catalogue
from wattwheel.model.records import Quality

CSS = load()["page.css"].octets.decode()
LIGHT, DARK = CSS.split("@media (prefers-color-scheme: dark)")[:2]


def page(face: FakeFace) -> str:
    async def run() -> str:
        transport = httpx.ASGITransport(app=app(face))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return (await client.get("/")).text

    return asyncio.run(run())


def test_every_place_shows_the_quantity_that_its_row_names() -> None:
    for quantity in (*layout.MOMENTARY, *layout.SINGLES, *layout.ENERGY):
        for column, di in quantity.dis.items():
            item = catalogue.item_2007(int(di, 16))
            assert item.unit.replace("deg", "°") == quantity.unit, di
            if column != "total":
                assert f"phase {column.upper()}" in item.title, di


def test_no_identifier_has_two_places() -> None:
    found = re.findall(r'data-di="([0-9A-F]{8})"', page(FakeFace()))
    assert sorted(found) == sorted(layout.all_dis())
    assert len(set(found)) == len(found)


def test_the_page_comes_with_the_values_of_its_moment() -> None:
    html = page(FakeFace())
    assert 'data-di="00010000" data-decimals="2" data-quality="valid">1234.56<' in html
    assert 'data-primary="00010000" data-decimals="1">61728.0<' in html
    assert "style=" not in html
    assert "202611200001" in html


def test_a_directly_connected_meter_has_no_place_for_primary_values() -> None:
    assert "data-primary" not in page(FakeFace(transformer=False))


def test_rows_that_the_meter_does_not_answer_are_hidden() -> None:
    rows = re.findall(r'<tr( hidden)?>\s*<th scope="row"><span class="symbol">(\S+)</span>', page(FakeFace()))
    assert ("", "U") in rows
    assert (" hidden", "R1") in rows


@pytest.mark.parametrize(("phases", "absent"), [("abc", ""), ("a", "b c"), ("ac", "b")])
def test_phases_that_the_meter_lacks_are_left_out(phases: str, absent: str) -> None:
    assert f'data-absent="{absent}"' in page(FakeFace(phases))


def test_no_value_at_all_says_nothing_about_the_phases() -> None:
    face = FakeFace()
    face.quality = Quality.INVALID
    html = page(face)
    assert 'data-absent=""' in html
    assert 'data-quality="invalid">–<' in html


@pytest.mark.parametrize(
    ("value", "places", "text"),
    [(220.1, 1, "220.1"), (0.81, 4, "0.8100"), (-0.0001, 4, "-0.0001"), (7, 2, "7.00"), (None, 1, "–"), ("x", 1, "x")],
)
def test_numbers_are_printed_with_the_digits_of_the_picture(value: object, places: int, text: str) -> None:
    assert layout.printed(value, places) == text


@pytest.mark.parametrize(
    ("transformer", "places"),
    [(None, 4), ({}, 4), ({"current_ratio": 1}, 4), ({"current_ratio": 50, "voltage_ratio": 1}, 3),
     ({"current_ratio": 100, "voltage_ratio": 100}, 0), ({"current_ratio": 2000, "voltage_ratio": 1000}, 0)],
)  # fmt: skip
def test_primary_values_lose_a_digit_for_each_decade_of_the_ratio(transformer: dict[str, int], places: int) -> None:
    power = layout.MOMENTARY[2]
    assert layout.primary_decimals(power, 4, transformer) == places


def luminance(color: str) -> float:
    parts = (int(color[n : n + 2], 16) / 255 for n in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", [LIGHT, DARK])
def test_text_has_the_contrast_of_wcag_aa_in_both_schemes(scheme: str) -> None:
    colors = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", scheme))
    pairs = [(ink, ground) for ground in ("card", "paper") for ink in ("ink", "muted", "accent", "good", "warn", "bad")]
    pairs += [(phase, "card") for phase in "abc"] + [("ink", "press"), ("card", "accent")]
    pairs += [("segment", "glass"), ("segment", "glass-lit")]
    for ink, ground in pairs:
        light, dark = sorted((luminance(colors[ink]), luminance(colors[ground])), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, ground)


def test_assets_name_no_foreign_host() -> None:
    for name, asset in load().items():
        hosts = set(re.findall(r"https?://([^/\"'\s)]+)", asset.octets.decode()))
        assert hosts <= {"www.w3.org", "github.com"}, name  # a name space and a comment in uPlot's head
