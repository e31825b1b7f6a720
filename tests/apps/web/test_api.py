from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from tests.apps.web.fake_face import FakeFace

from wattwheel.apps.web import api
from wattwheel.apps.web.guard import SECURITY_HEADERS
from wattwheel.apps.web.site import app

HERE = "http://127.0.0.1:8645"


def ask(face: FakeFace, method: str, path: str, **more: Any) -> httpx.Response:
    async def run() -> httpx.Response:
        transport = httpx.ASGITransport(app=app(face, names=["meter.example"]), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=HERE) as client:
            return await client.request(method, path, **more)

    return asyncio.run(run())


def get(path: str, face: FakeFace | None = None, **more: Any) -> httpx.Response:
    return ask(face or FakeFace(), "GET", path, **more)


def press(content: Any = None, face: FakeFace | None = None, **headers: str) -> httpx.Response:
    body = b'{"button": "up"}' if content is None else content
    headers = {"content-type": "application/json", **{name.replace("_", "-"): text for name, text in headers.items()}}
    return ask(face or FakeFace(), "POST", "/api/press", content=body, headers=headers)


@pytest.mark.parametrize("asked", ["02010100", "voltage_a"])
def test_an_item_is_one_value_row_by_identifier_or_name(asked: str) -> None:
    row = get(f"/api/items/{asked}").json()
    assert row == {
        "di": "02010100",
        "name": "voltage_a",
        "value": pytest.approx(348.9, abs=1),
        "unit": "V",
        "quality": "valid",
        "at": "2026-11-20T12:00:00Z",
        "value_primary": row["value"],
    }


def test_a_directly_connected_meter_has_no_primary_values() -> None:
    assert "value_primary" not in get("/api/items/02010100", FakeFace(transformer=False)).json()


@pytest.mark.parametrize(("prefix", "first"), [("02", "02010100"), ("0280", "02800001"), ("00", "00000000")])
def test_a_prefix_lists_the_rows_below_it(prefix: str, first: str) -> None:
    rows = get(f"/api/items?prefix={prefix}").json()
    assert rows[0]["di"] == first
    assert all(row["di"].startswith(prefix) for row in rows)


def test_without_a_prefix_everything_is_listed() -> None:
    assert {row["di"][:2] for row in get("/api/items").json()} == {"00", "02"}


@pytest.mark.parametrize("prefix", ["XY", "020101000", "-1", "%00", "٣"])
def test_a_prefix_that_is_none_is_refused_with_what_is_allowed(prefix: str) -> None:
    answer = get("/api/items", params={"prefix": prefix})
    assert answer.status_code == 400
    assert "0 to 8 hex digits" in answer.json()["error"]


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/api/items/04000401", 404, "no requested data"),
        ("/api/items/04000101", 502, "password"),
        ("/api/items/DEADBEEF", 404, "no data item"),
        ("/api/items/nonsense", 404, "no data item"),
        ("/api/items/a%20b", 404, "8 hex digits or a name"),
        ("/api/items/" + "a" * 1000, 404, "8 hex digits or a name"),
        ("/api/nothing", 404, "/openapi.json"),
        ("/api/items/02010100/", 404, "/openapi.json"),
        ("/static/nothing.js", 404, "no such file"),
        ("/static/../site.py", 404, "nothing at"),
        ("/static/%2e%2e/site.py", 404, "no such file"),
        ("/static//etc/passwd", 404, "no such file"),
        ("/static/..%2f..%2fsite.py", 404, "no such file"),
        ("/api/press", 405, "GET is not possible"),
        ("/api/live?with=passwords", 400, "status,display,waveform,partitions,bus"),
    ],
)
def test_every_fault_is_one_sentence_with_its_status(path: str, status: int, words: str) -> None:
    answer = get(path)
    assert answer.status_code == status
    assert words in answer.json()["error"]
    assert answer.headers["content-type"] == "application/json"


def test_a_silent_meter_is_504_and_the_page_still_comes() -> None:
    face = FakeFace()
    face.silent = True
    for path in ("/api/items/02010100", "/api/items?prefix=02", "/api/waveform"):
        answer = get(path, face)
        assert answer.status_code == 504, path
        assert "no word from the energy APP" in answer.json()["error"]
    page = get("/", face)
    assert page.status_code == 200
    assert 'data-di="02010100" data-decimals="1" data-quality="invalid">–<' in page.text


def test_a_bug_in_the_face_is_500_with_a_sentence_and_the_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    face = FakeFace()
    monkeypatch.setattr(face, "status", lambda: 1 / 0)
    answer = get("/api/status", face)
    assert answer.status_code == 500
    assert "error" in answer.json()
    assert all(answer.headers[name] == text for name, text in SECURITY_HEADERS.items())


@pytest.mark.parametrize("path", ["/", "/static/page.js", "/api/status", "/api/nothing", "/openapi.json"])
def test_every_answer_carries_the_security_headers(path: str) -> None:
    answer = get(path)
    assert all(answer.headers[name] == text for name, text in SECURITY_HEADERS.items())
    assert "unsafe" not in answer.headers["content-security-policy"]


@pytest.mark.parametrize("path", ["/", "/api/items", "/api/items/02010100", "/api/status", "/static/page.css"])
def test_head_tells_the_same_without_the_body(path: str) -> None:
    head, whole = ask(FakeFace(), "HEAD", path), get(path)
    assert head.status_code == 200
    assert head.headers["content-length"] == whole.headers["content-length"]


def test_head_of_the_live_stream_ends() -> None:
    answer = ask(FakeFace(), "HEAD", "/api/live")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.content == b""


def test_an_asset_is_not_sent_twice() -> None:
    first = get("/static/page.css")
    again = get("/static/page.css", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("host", ["localhost:8645", "127.0.0.1", "[::1]:8645", "192.0.2.7:80", "Meter.Example:8645"])
def test_own_names_and_addresses_are_served(host: str) -> None:
    assert get("/api/status", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8645", "127.0.0.1.evil.example", "", "localhost.evil:1"]
)
def test_a_foreign_name_is_refused(host: str) -> None:
    answer = get("/api/status", headers={"host": host})
    assert answer.status_code == 421
    assert "error" in answer.json()


def test_a_button_reaches_the_meter_and_the_display_comes_back() -> None:
    face = FakeFace()
    answer = press(b'{"button": "down", "long": true}', face)
    assert answer.status_code == 200
    assert face.pressed == [("down", 3)]
    assert answer.json()["pressed"] == "down"
    assert answer.json()["display"]["di"] == "02010100"


@pytest.mark.parametrize(
    ("body", "held_s"),
    [(b'{"button": "up"}', 0), (b'{"button": "up", "seconds": 5.5}', 5.5), (b'{"button": "up", "long": false}', 0)],
)
def test_a_button_is_held_for_as_long_as_it_says(body: bytes, held_s: float) -> None:
    face = FakeFace()
    assert press(body, face).status_code == 200
    assert face.pressed == [("up", held_s)]


@pytest.mark.parametrize(
    "headers",
    [{"origin": HERE}, {"sec_fetch_site": "same-origin"}, {"sec_fetch_site": "none"}, {"origin": HERE.upper()}],
)
def test_our_own_page_may_press(headers: dict[str, str]) -> None:
    assert press(None, None, **headers).status_code == 200


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (403, {"origin": "http://evil.example"}),
        (403, {"origin": "null"}),
        (403, {"origin": "http://127.0.0.1:9999"}),
        (403, {"sec_fetch_site": "cross-site"}),
        (403, {"sec_fetch_site": "same-site"}),
        (415, {"content_type": "text/plain"}),
        (415, {"content_type": "application/x-www-form-urlencoded"}),
        (415, {"content_type": ""}),
    ],
)
def test_a_foreign_page_may_not_press(status: int, headers: dict[str, str]) -> None:
    face = FakeFace()
    assert press(None, face, **headers).status_code == status
    assert face.pressed == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b"[]", 400),
        (b'{"button": "self-destruct"}', 400),
        (b'{"button": "up", "more": 1}', 400),
        (b'{"button": 7}', 400),
        (b"[" * 900, 400),
        (b" " * (api.MAX_BODY_OCTETS + 1), 413),
    ],
)
def test_a_press_that_is_none_is_refused(body: bytes, status: int) -> None:
    face = FakeFace()
    answer = press(body, face)
    assert answer.status_code == status
    assert "error" in answer.json()
    assert face.pressed == []


def test_status_display_load_and_waveform_are_what_the_face_says() -> None:
    assert get("/api/status").json()["address"] == "202611200001"
    assert get("/api/display").json()["digits"] == "1234.56"
    load = get("/api/load").json()
    assert (len(load), load[0]) == (59, {"age_s": 59.0, "kilowatt": 99.0})
    trace = get("/api/waveform").json()["phases"]["b"]
    assert len(trace["voltage_v"]) == len(trace["current_a"]) == 64
