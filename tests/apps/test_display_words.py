"""The display beside owners that answer the run status words, the prepaid amount and nothing: its APP over a desk."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import msgspec
import pytest

from wattwheel.apps import display
from wattwheel.apps.display import STATUS_WORDS_DI, DisplaySettings
from wattwheel.apps.parameters import default_items
from wattwheel.model.catalogue import item_2007
from wattwheel.model.display import Lcd
from wattwheel.model.display_lists import AUTO_LIST, Entry
from wattwheel.model.records import REGISTER_COUNT, EnergyTotals, Quality, Readings
from wattwheel.protocols.dlt645.items import decode

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Desk:
    """Everything that the APP asks of its meter, in plain memory. `answers`: octets by identifier."""

    def __init__(self) -> None:
        self.second = 0
        self.answers: dict[int, bytes] = {}
        self.asked: list[tuple[int, int]] = []
        self.cells: dict[str, bytes] = {"parameters": msgspec.msgpack.encode(default_items())}
        self.clock = SimpleNamespace(now_ns=lambda: self.second * 1_000_000_000)
        self.counters = SimpleNamespace(add=lambda name: None)
        self.glass = Lcd(digits="")
        self.passed: list[tuple[int, str, float]] = []
        self.memory = None
        display.begin(self)

    def settings(self, kind):
        return DisplaySettings(version="1.2.3")

    def publish(self, port):
        assert port == "display"

        def write(message: bytes) -> None:
            self.glass = msgspec.json.decode(message, type=Lcd)

        return write

    def sampled(self, port):
        return lambda: self.cells.get(port)

    def readings(self):
        return lambda: Readings(0, 0.0, Quality.VALID, EnergyTotals(1, (0,) * REGISTER_COUNT))

    def has_port(self, port):
        return True

    def pass_press(self, di, button, held_s):
        self.passed.append((di, button, held_s))

    def now(self):
        return NOON + timedelta(seconds=self.second)

    def ask_value(self, di, action):
        self.asked.append((self.second, di))
        octets = self.answers.get(di)
        action(None if octets is None else decode(item_2007(di), octets))

    def advance(self, seconds: int) -> list[Lcd]:
        seen = []
        for _ in range(seconds):
            self.second += 1
            display.tick(self)
            seen.append(self.glass)
        return seen

    def tell(self, *words: int) -> None:
        self.answers[STATUS_WORDS_DI] = b"".join(word.to_bytes(2, "little") for word in words)


@pytest.fixture
def desk():
    return Desk()


def test_words_turn_symbols_on_within_seconds(desk):
    desk.tell(0, 0, 1 << 4 | 1, 0, 0, 0, 0)
    shown = desk.advance(16)[-1]
    assert {"relay_open", "time_set_2", "price_set_1"} <= set(shown.symbols)
    desk.tell(0, 0, 1 << 6, 0, 0, 0, 0)
    shown = desk.advance(6)[-1]
    assert "relay_open" in shown.blinking
    assert "time_set_1" in shown.symbols


def test_words_are_asked_for_each_5_s_and_after_a_refusal_each_minute(desk):
    desk.advance(130)
    assert [second for second, di in desk.asked if di == STATUS_WORDS_DI] == [1, 61, 121]
    desk.tell(0, 0, 0, 0, 0, 0, 0)
    desk.advance(71)
    assert [second for second, di in desk.asked if di == STATUS_WORDS_DI and second > 121] == [181, 186, 191, 196, 201]


def test_a_low_clock_battery_holds_the_display(desk):
    desk.tell(1 << 2, 0, 0, 0, 0, 0, 0)
    shown = desk.advance(16)[-1]
    assert (shown.digits, shown.title, shown.lit) == ("Err-04", "error 04: clock battery low", True)
    desk.tell(0, 0, 0, 0, 0, 0, 0)
    assert not desk.advance(6)[-1].digits.startswith("Err")


def test_alarms_come_before_the_list(desk):
    desk.tell(0, 0, 0, 1 << 5, 0, 0, 1 << 6)
    desk.answers |= {0x00000000: bytes(4), 0x00010000: bytes(4)}
    seen = list(dict.fromkeys((shown.digits.strip(), shown.di) for shown in desk.advance(36)[12:]))
    assert {("Err-51", ""), ("Err-55", "")} <= set(seen)
    assert seen.index(("Err-55", "")) == seen.index(("Err-51", "")) + 1
    assert seen[seen.index(("Err-55", "")) + 1][1] == "00000000"


def test_a_meter_that_lives_on_its_battery_is_dark_until_a_key(desk):
    desk.tell(0, 0, 2 << 1, 0, 0, 0, 0)
    assert desk.advance(3)[-1].dark
    display.press(desk, "down", 0.0)
    assert desk.glass.di == "00000000"
    assert not desk.glass.dark
    assert desk.advance(20)[-1].dark  # one pass of four screens
    desk.tell(0, 0, 0, 0, 0, 0, 0)
    desk.advance(4)
    assert desk.glass.digits.startswith("8:")  # the supply is back


def test_a_prepaid_meter_shows_what_is_left_first(desk):
    desk.tell(0, 0, 2 << 8, 0, 0, 0, 0)
    desk.answers[0x00900200] = bytes.fromhex("34120000")
    shown = desk.advance(11)[-1]
    assert (shown.di, shown.digits.strip(), shown.unit) == ("00900200", "12.34", "yuan")
    written = default_items() | {AUTO_LIST + 1: Entry(0x02010100).octets}
    desk.cells["parameters"] = msgspec.msgpack.encode(written)
    assert desk.advance(2)[-1].di == "02010100"


def test_what_the_panel_tells_and_more_than_it_knows(desk):
    desk.cells["panel"] = b'{"programming_key": true, "suspended": true, "later": {"a": 1}}'
    assert {"program", "suspended"} <= set(desk.advance(16)[-1].symbols)


def test_what_fee_control_tells_of_the_relay(desk):
    desk.cells["relay"] = b'{"mode": "remote", "is_open": true, "waits_for_key": true}'
    assert "relay_open" in desk.advance(16)[-1].symbols
    desk.cells["relay"] = b'{"mode": "remote", "is_pending": true, "is_alarming": true}'
    shown = desk.advance(1)[-1]
    assert shown.blinking == ("relay_open",)
    assert "alarm" in shown.symbols
    desk.tell(0, 0, 0, 0, 0, 0, 0)
    assert desk.advance(61)[-1].blinking == ("relay_open",)  # the words may be older
    desk.cells["relay"] = b'{"mode": "local", "is_misoperating": true}'
    assert desk.advance(1)[-1].digits == "Err-01"
    display.press(desk, "down", 0.0)
    desk.cells["relay"] = b'{"mode": "local"}'
    assert desk.advance(70)[-1].di in {"00900200", "00000000", "0280000B", "04000101", "04000102"}
    assert "00900200" in {shown.di for shown in desk.advance(30)}


def test_a_key_held_for_three_seconds_is_passed_on_to_the_relay(desk):
    for held_s in (0.0, 3.0, 5.0):
        display.press(desk, "down", held_s)
    assert desk.passed == [(0x0E200100, "down", 3.0)]


def test_the_version_behind_the_test(desk):
    assert desk.advance(7)[-1].digits == " SoFt1.2.3"
