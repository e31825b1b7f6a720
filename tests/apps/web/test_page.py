"""The page in a real Chromium, against the real server over the fake meter."""

from __future__ import annotations

import asyncio
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import msgspec
import pytest
from tests.apps.web.fake_face import FakeFace
from tests.conftest import PROGRAMS

from wattwheel.apps.web import layout
from wattwheel.apps.web.live import Watcher
from wattwheel.apps.web.server import WebServer
from wattwheel.model.display import BLANK, EVERY_SEGMENT, LCD_SYMBOLS, Lcd
from wattwheel.model.records import Quality

pytestmark = pytest.mark.needs("chromium", "playwright")

CHROMIUM_FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
DIGIT_SEGMENTS = {
    "": " ", "abcdef": "0", "bc": "1", "abdeg": "2", "abcdg": "3", "bcfg": "4", "acdfg": "5", "acdefg": "6",
    "abc": "7", "abcdefg": "8", "abcdfg": "9", "g": "-",
}  # fmt: skip
READ_PLACES = """() => {
  const polygons = [...document.querySelectorAll('#lcd polygon')].slice(0, 56);
  return Array.from({length: 8}, (_, n) => polygons.slice(7 * n, 7 * n + 7)
    .map((p, s) => p.classList.contains('on') ? 'abcdefg'[s] : '').join(''));
}"""
READ_POINTS = """() => [...document.querySelectorAll('#lcd circle')].slice(0, 16)
  .map(c => c.classList.contains('on') ? 'x' : '-').join('')"""
PIXELS_OF = """([selector, ...names]) => {
  const canvas = document.querySelector(selector);
  const style = getComputedStyle(canvas);
  const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
  return names.map(name => {
    const [red, green, blue] = [1, 3, 5].map(n => parseInt(style.getPropertyValue(name).trim().slice(n, n + 2), 16));
    let count = 0;
    for (let n = 0; n < data.length; n += 4)
      if (data[n] === red && data[n + 1] === green && data[n + 2] === blue && data[n + 3] === 255) count += 1;
    return count;
  });
}"""
BOXES = """() => [...document.querySelectorAll('section, tr, #clock')]
  .map(e => JSON.stringify(e.getBoundingClientRect()))"""
CUT_CELLS = """() => [...document.querySelectorAll('td')]
  .filter(e => e.offsetWidth && e.scrollWidth > e.clientWidth + 1).length"""
FULL_REGISTERS = """() => {
  for (const e of document.querySelectorAll('.energy [data-di]')) e.textContent = '999999.99';
  for (const e of document.querySelectorAll('.energy [data-primary]')) e.textContent = '49999999.5';
}"""
READ_SMALL = """() => {
  const polygons = [...document.querySelectorAll('#lcd polygon')].slice(56);
  return Array.from({length: polygons.length / 7}, (_, n) => polygons.slice(7 * n, 7 * n + 7)
    .map((p, s) => p.classList.contains('on') ? 'abcdefg'[s] : '').join(''));
}"""
OVERLAPS = """() => {
  const glass = document.querySelector('#lcd').getBoundingClientRect();
  const whole = [...document.querySelectorAll('#lcd .s:not(polygon):not(circle)')].slice(1)
    .filter(e => e.textContent || e.tagName !== 'text')
    .map(e => [e.textContent || e.getAttribute('d') || e.tagName, e.getBoundingClientRect(), e]);
  const found = [];
  whole.forEach(([name, a], n) => {
    if (a.left < glass.left + 2 || a.right > glass.right - 2 || a.top < glass.top || a.bottom > glass.bottom)
      found.push(`${name} leaves the glass`);
    for (const [other, b] of whole.slice(n + 1)) {
      const inside = (x, y) => x.left <= y.left && x.right >= y.right && x.top <= y.top && x.bottom >= y.bottom;
      const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      const isText = e => /[A-Za-z0-9]/.test(e) && e.length < 14;
      if (wide > 1 && high > (isText(name) && isText(other) ? 4 : 1) && !inside(a, b) && !inside(b, a))
        found.push(`${name} / ${other}`);
    }
  });
  return found;
}"""
UNIT_BOX = """unit => {
  const text = document.querySelector('#lcd text.big');
  text.textContent = unit;
  const box = text.getBBox();
  return [box.x, box.x + box.width];
}"""
NO_OVERFLOW = "() => document.documentElement.scrollWidth <= innerWidth"


class Meter:
    """The page's server over a fake meter, in a loop of its own in a thread of its own."""

    def __init__(self, face: FakeFace) -> None:
        self.face = face
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._web: WebServer | None = None
        self._crowd: list[Watcher] = []
        self.port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> None:
        async def work() -> None:
            self._web = WebServer(self.face)
            listener = socket.create_server(("127.0.0.1", self.port))
            self.port = listener.getsockname()[1]
            await self._web.start(listener)

        self._wait(asyncio.run_coroutine_threadsafe(work(), self._loop))

    def stop(self) -> None:
        assert self._web
        self._wait(asyncio.run_coroutine_threadsafe(self._web.stop(), self._loop))

    def do(self, action: Callable[[FakeFace], Any]) -> None:
        """Change the meter from within its own loop, then let a second pass."""

        async def work() -> None:
            action(self.face)
            self.face.tick()

        self._wait(asyncio.run_coroutine_threadsafe(work(), self._loop))

    def crowd(self) -> None:
        """Fill the page's hub with watchers, as far as it takes them."""

        async def work() -> None:
            assert self._web
            while self._web.site.state.hub.watchers:
                await asyncio.sleep(0)
            while watcher := self._web.site.state.hub.join(()):
                self._crowd.append(watcher)

        self._wait(asyncio.run_coroutine_threadsafe(work(), self._loop))

    def disperse(self) -> None:
        """The watchers of `crowd` leave again."""

        async def work() -> None:
            assert self._web
            for watcher in self._crowd:
                self._web.site.state.hub.leave(watcher)

        self._wait(asyncio.run_coroutine_threadsafe(work(), self._loop))

    def tick(self) -> None:
        self.do(lambda face: None)

    def close(self) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _wait(self, future: Future[None]) -> None:
        future.result(20)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    program = next(path for name in PROGRAMS["chromium"] if (path := shutil.which(name)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(CHROMIUM_FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def meter(request: pytest.FixtureRequest) -> Iterator[Meter]:
    meter = Meter(FakeFace(**getattr(request, "param", {})))
    yield meter
    meter.close()


@pytest.fixture
def open_page(chromium: Any, meter: Meter) -> Iterator[Callable[..., Any]]:
    """Opens the meter's page; afterwards nothing may have been complained of or fetched elsewhere."""
    contexts, complaints, fetched = [], [], []

    def open_one(width: int = 1280, height: int = 900, **options: Any) -> Any:
        context = chromium.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda sent: fetched.append(sent.url))
        page.goto(meter.url)
        page.wait_for_selector('[data-link="live"]')
        return page

    open_one.complaints = complaints  # type: ignore[attr-defined]
    yield open_one
    for context in contexts:
        context.close()
    assert complaints == []
    assert fetched
    assert all(url.startswith((meter.url, "about:")) for url in fetched)


def value(page: Any, di: str) -> Any:
    return page.locator(f'[data-di="{di}"]')


def expect(locator: Any) -> Any:
    from playwright.sync_api import expect as playwright_expect

    return playwright_expect(locator)


def test_numbers_change_without_a_reload_and_are_the_api_s(open_page: Any, meter: Meter) -> None:
    page = open_page()
    page.evaluate("() => { window.untouched = true }")
    for _ in range(3):
        before = value(page, "00010000").text_content()
        meter.tick()
        expect(value(page, "00010000")).not_to_have_text(before)
    rows = {row["di"]: row for row in page.request.get(meter.url + "api/items").json()}
    texts = page.eval_on_selector_all("[data-di]", "all => all.map(e => [e.dataset.di, e.textContent])")
    for di, text in texts:
        assert text == layout.printed(rows[di]["value"] if di in rows else None, layout.decimals(di)), di
    primary = page.locator('[data-primary="02030000"]').text_content()
    assert primary == f"{rows['02030000']['value_primary']:.3f}"
    assert page.evaluate("() => window.untouched")


def marks(digits: str) -> list[str]:
    """The point or colon behind each of the eight places."""
    found = [""] * 8
    for character in digits:
        if character in ".:":
            found[-1] = character
        else:
            found = [*found[1:], ""]
    return found


def test_the_display_shows_what_the_meter_s_display_says(open_page: Any, meter: Meter) -> None:
    page = open_page()
    for _ in range(7):
        meter.tick()
        lcd = meter.face.display()
        assert lcd
        expect(page.locator("#lcd")).to_have_attribute("data-digits", lcd.digits)
        places = "".join(DIGIT_SEGMENTS[on] for on in page.evaluate(READ_PLACES))
        assert places == lcd.digits.replace(".", "").replace(":", "").rjust(8)
        points = "".join(
            ("x" if mark in (".", ":") else "-") + ("x" if mark == ":" else "-") for mark in marks(lcd.digits)
        )
        assert page.evaluate(READ_POINTS) == points
        assert page.locator("#lcd").get_attribute("aria-label") == f"Display: {lcd.title}"
    assert page.locator("#lcd text.on", has_text="Ua").count() == 1
    assert page.locator("#lcd .on.blinking").count() == 0


def shown_on(page: Any, meter: Meter, lcd: Lcd | None) -> Any:
    """The glass of the page, with `lcd` on it."""
    meter.do(lambda face: setattr(face, "shown", lcd))
    words = lcd.title if lcd is not None else "blank"
    expect(page.locator("#lcd")).to_have_attribute("aria-label", f"Display: {words}")
    return page.locator("#lcd")


def test_each_symbol_is_an_element_of_its_own_and_off_unless_it_is_on(open_page: Any, meter: Meter) -> None:
    page = open_page()
    lines = "() => [...document.querySelectorAll('#lcd .on')].map(e => e.outerHTML.replace(' on', ''))"
    empty = Lcd(digits="", title="nothing")
    shown_on(page, meter, empty)
    always = set(page.evaluate(lines))
    drawn: dict[str, set[str]] = {}
    for name in LCD_SYMBOLS:
        shown_on(page, meter, msgspec.structs.replace(empty, symbols=(name,), title=name))
        drawn[name] = set(page.evaluate(lines)) - always
        assert drawn[name], name
    assert sum(map(len, drawn.values())) == len(set().union(*drawn.values())), "two symbols share an element"
    glass = shown_on(page, meter, EVERY_SEGMENT)
    assert glass.locator(".s:not(.on)").count() == 0
    shown_on(page, meter, BLANK)
    expect(page.locator("#lcd")).to_have_attribute("data-dark", "true")
    assert set(page.evaluate(lines)) == always


def test_what_blinks_and_the_numbers_beside_the_symbols(open_page: Any, meter: Meter) -> None:
    page = open_page()
    lcd = Lcd(digits="1", symbols=("ua", "ub", "tariff"), blinking=("ub",), tariff="12", lit=True, title="it blinks")
    glass = shown_on(page, meter, lcd)
    assert glass.locator(".on.blinking").all_text_contents() == ["Ub"]
    assert page.evaluate("() => getComputedStyle(document.querySelector('#lcd .blinking')).animationName") == "blink"
    expect(glass).to_have_attribute("data-lit", "true")
    small = page.evaluate(READ_SMALL)
    assert [DIGIT_SEGMENTS[on] for on in small] == [*" " * 10, *"12", *"  "]
    page.emulate_media(reduced_motion="reduce")
    assert page.evaluate("() => getComputedStyle(document.querySelector('#lcd .blinking')).animationName") == "none"


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_nothing_on_the_glass_overlaps_or_leaves_it(open_page: Any, meter: Meter, width: int) -> None:
    page = open_page(width, 800)
    shown_on(page, meter, EVERY_SEGMENT)
    assert page.evaluate(OVERLAPS) == []
    assert page.evaluate(NO_OVERFLOW)


def test_the_pictures_are_drawn(open_page: Any, meter: Meter) -> None:
    page = open_page()
    for _ in range(3):
        meter.tick()
    page.wait_for_selector('#phasor .voltage.b[visibility="visible"]')
    assert page.locator('#phasor g[visibility="visible"]').count() == 6
    assert "U B -120°" in page.locator("#phasor").get_attribute("aria-label")
    x, y = (float(page.locator("#phasor .voltage.b line").get_attribute(name)) for name in ("x2", "y2"))
    assert x < 0 < y  # 120 degrees behind: below, to the left
    assert min(page.evaluate(PIXELS_OF, ["#scope", "--a", "--b", "--c"])) > 500


def test_the_load_is_a_line_over_the_seconds(open_page: Any, meter: Meter) -> None:
    page = open_page()
    page.clock.install()
    for _ in range(4):
        before = value(page, "00010000").text_content()
        page.clock.run_for(3000)
        meter.tick()
        expect(value(page, "00010000")).not_to_have_text(before)
    assert page.evaluate(PIXELS_OF, ["#load canvas", "--accent"])[0] > 20


def test_the_load_goes_back_to_before_the_page_was_opened(open_page: Any, meter: Meter) -> None:
    page = open_page()
    meter.tick()
    page.wait_for_function(f"() => ({PIXELS_OF})(['#load canvas', '--accent'])[0] > 200")


def test_every_unit_of_the_display_stands_clear_of_its_frame_and_of_the_digits(open_page: Any, meter: Meter) -> None:
    page = open_page()
    meter.tick()
    expect(page.locator("#lcd text.big")).not_to_have_text("")
    for unit in ("kvarh", "kWh", "kVAh", "kvar", "Hz"):
        left, right = page.evaluate(UNIT_BOX, unit)
        assert left > 542, unit  # the last digit's point ends there
        assert right < 636, unit


def test_old_values_are_marked_and_recover(open_page: Any, meter: Meter) -> None:
    page = open_page()
    meter.do(lambda face: setattr(face, "quality", Quality.STALE))
    page.wait_for_selector('[data-link="stale"]')
    expect(value(page, "02010100")).to_have_attribute("data-quality", "stale")
    expect(page.locator("#link-text")).to_have_text("Stale: last good values")
    expect(page.locator("#announce")).to_have_text("Stale: last good values")
    expect(page.locator("#core-link")).to_have_text("silent")
    meter.do(lambda face: setattr(face, "quality", Quality.INVALID))
    expect(value(page, "02010100")).to_have_text("–")
    expect(page.locator('[data-primary="02010100"]')).to_have_text("")
    expect(page.locator("#link-text")).to_have_text("No values from the meter")
    meter.do(lambda face: setattr(face, "quality", Quality.VALID))
    page.wait_for_selector('[data-link="live"]')
    expect(value(page, "02010100")).to_have_attribute("data-quality", "valid")


def test_a_lost_server_is_shown_and_found_again_without_a_reload(open_page: Any, meter: Meter) -> None:
    page = open_page()
    page.evaluate("() => { window.untouched = true }")
    meter.stop()
    page.wait_for_selector('[data-link="lost"]')
    expect(page.locator("#link-text")).to_have_text("Not connected, trying again")
    meter.start()
    page.wait_for_selector('[data-link="live"]', timeout=20000)
    before = value(page, "00010000").text_content()
    meter.tick()
    expect(value(page, "00010000")).not_to_have_text(before)
    assert page.evaluate("() => window.untouched")
    refused = [line for line in open_page.complaints if "ERR_" in line]
    assert open_page.complaints == refused  # the browser's own notes about the lost connection
    open_page.complaints.clear()


def test_a_page_that_was_one_too_many_comes_in_later(open_page: Any, meter: Meter) -> None:
    page = open_page()
    page.goto("about:blank")
    meter.crowd()
    page.goto(meter.url)
    page.wait_for_selector('[data-link="lost"]')
    meter.disperse()
    page.wait_for_selector('[data-link="live"]', timeout=20000)
    assert all("503" in line for line in open_page.complaints)
    open_page.complaints.clear()


def test_everything_can_be_reached_and_pressed_by_keyboard(open_page: Any, meter: Meter) -> None:
    page = open_page()
    stops = []
    for _ in range(10):
        page.keyboard.press("Tab")
        stops.append(page.evaluate("() => document.activeElement.textContent.trim()"))
        outline = page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid", stops[-1]
    assert stops == [
        "Skip to the values", "Up", "Down", "Both", "Program", "values as JSON", "status", "partitions", "bus",
        "API description",
    ]  # fmt: skip
    page.locator('[data-button="down"]').focus()
    page.keyboard.press("Enter")
    expect(page.locator("#press-note")).to_have_text("Down pressed.")
    page.keyboard.press("Space")
    page.locator(".skip").focus()
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.activeElement.id === 'main'")
    page.wait_for_function("() => document.getElementById('press-note').textContent")
    assert meter.face.pressed[0] == ("down", 0)


def test_a_button_held_for_three_seconds_is_a_long_press(open_page: Any, meter: Meter) -> None:
    page = open_page()
    page.clock.install()
    page.locator('[data-button="up"]').hover()
    page.mouse.down()
    page.clock.run_for(3100)
    page.mouse.up()
    expect(page.locator("#press-note")).to_have_text("Up pressed for three seconds.")
    page.mouse.down()
    page.clock.run_for(5100)
    expect(page.locator("#press-note")).to_have_text("Up pressed for five seconds.")
    page.mouse.up()
    page.locator('[data-button="both"]').click()
    expect(page.locator("#press-note")).to_have_text("Both pressed.")
    assert meter.face.pressed == [("up", 3), ("up", 5), ("both", 0)]


@pytest.mark.parametrize("width", [320, 360, 640, 1000, 1280])
def test_no_width_scrolls_sideways_or_moves_while_values_come(open_page: Any, meter: Meter, width: int) -> None:
    page = open_page(width, 800)
    meter.tick()
    page.wait_for_selector('#phasor .voltage.b[visibility="visible"]')
    assert page.evaluate(NO_OVERFLOW)
    before = page.evaluate(BOXES)
    for _ in range(3):
        old = value(page, "00010000").text_content()
        meter.tick()
        expect(value(page, "00010000")).not_to_have_text(old)
    assert page.evaluate(BOXES) == before
    page.evaluate("() => document.querySelectorAll('td span').forEach(e => { e.textContent = `-${e.textContent}` })")
    assert page.evaluate(CUT_CELLS) == 0
    assert page.evaluate(NO_OVERFLOW)
    page.evaluate(FULL_REGISTERS)
    assert page.evaluate(CUT_CELLS) == 0
    assert page.evaluate(NO_OVERFLOW)


def test_light_and_dark_follow_the_viewer(open_page: Any) -> None:
    page = open_page(color_scheme="dark")
    ground = "() => getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    page.emulate_media(color_scheme="light")
    assert (dark, page.evaluate(ground)) == ("rgb(15, 19, 21)", "rgb(241, 242, 238)")


def test_who_wants_no_motion_gets_none(open_page: Any, meter: Meter) -> None:
    page = open_page(reduced_motion="reduce")
    state = "() => document.querySelector('.strip').getAnimations().map(a => a.playState).join()"
    assert page.evaluate(state) == "paused"
    page.emulate_media(reduced_motion="no-preference")
    meter.tick()
    page.wait_for_function("() => document.querySelector('.strip').getAnimations()[0].playState === 'running'")


@pytest.mark.parametrize("meter", [{"phases": "a", "transformer": False}], indirect=True)
def test_a_single_phase_meter_has_one_column(open_page: Any, meter: Meter) -> None:
    page = open_page(360, 800)
    meter.tick()
    expect(value(page, "02010100")).to_be_visible()
    expect(value(page, "02010200")).to_be_hidden()
    assert page.locator("[data-primary]").count() == 0
    assert page.evaluate(NO_OVERFLOW)


def test_two_windows_are_served_by_one_producer(open_page: Any, meter: Meter) -> None:
    first, second = open_page(), open_page()
    meter.tick()
    expect(value(second, "00010000")).to_have_text("1234.57")
    expect(value(first, "00010000")).to_have_text("1234.57")


@pytest.mark.parametrize(("width", "columns"), [(1280, 5), (360, 3)])
def test_partitions_and_channels_are_shown_and_follow(meter: Meter, open_page: Callable[..., Any], width, columns):
    page = open_page(width)
    meter.tick()
    first = page.locator("#partitions tbody tr").first
    expect(first.locator("th")).to_have_text("bus")
    expect(page.locator("#partitions tbody tr")).to_have_count(8)
    expect(page.locator("#bus tbody tr")).to_have_count(3)
    shown = page.locator("#bus tbody tr").first.locator("td:visible")
    expect(shown).to_have_count(columns)
    messages = page.locator("#bus tbody tr").first.locator("td").nth(3)
    before = messages.text_content()
    meter.tick()
    expect(messages).not_to_have_text(before)
    assert page.evaluate(NO_OVERFLOW)
    assert page.evaluate(CUT_CELLS) == 0


def test_names_of_partitions_are_text_and_never_markup(meter: Meter, open_page: Callable[..., Any]):
    page = open_page()
    rows = meter.face.partitions()
    rows[0] = {**rows[0], "partition": "<b>bold</b>", "memory_kib": None}
    meter.do(lambda face: setattr(face, "partitions", lambda: rows))
    expect(page.locator("#partitions tbody th").first).to_have_text("<b>bold</b>")
    expect(page.locator("#partitions tbody tr").first.locator("td").last).to_have_text("–")
    expect(page.locator("#partitions b")).to_have_count(0)
