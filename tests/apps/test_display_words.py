"""The display beside owners that answer the run status words, the prepaid amount and nothing: its APP over a desk."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from types import SimpleNamespace

import msgspec
import pytest

from wattwheel.apps import display
from wattwheel.apps.display import STATUS_WORDS_DI, DisplaySettings
from wattwheel.apps.parameters import default_items
from wattwheel.model.catalogue import item_2007
from wattwheel.model.display import Lcd
from wattwheel.model.display_lists import AUTO_LIST, Entry
from wattwheel.model.display_walk import STUCK_WAKE_UPS_MAX
from wattwheel.model.private_items import STEP_DI
from wattwheel.model.records import REGISTER_COUNT, EnergyTotals, Quality, Readings
from wattwheel.protocols.dlt645.items import decode
from wattwheel.sdk.buttons import HELD_DI, NEVER_LET_GO_S

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
    on_battery(desk, "0600")
    assert desk.advance(3)[-1].dark
    display.press(desk, "down", 0.0)
    assert desk.glass.di == "00000000"
    assert not desk.glass.dark
    assert desk.advance(20)[-1].dark  # one pass of four screens
    desk.tell(0, 0, 0, 0, 0, 0, 0)
    desk.advance(4)
    assert desk.glass.digits.startswith("8:")  # the supply is back


def on_battery(desk: Desk, centivolt: str) -> None:
    desk.tell(0, 0, 2 << 1, 0, 0, 0, 0)
    desk.answers[0x02800009] = bytes.fromhex(centivolt)[::-1]


@pytest.mark.parametrize(("centivolt", "wakes"), [("0480", True), ("0360", True), ("0359", False), ("0000", False)])
def test_a_low_reading_battery_wakes_it_and_a_flat_one_does_not(desk, centivolt, wakes):
    on_battery(desk, centivolt)
    desk.advance(3)
    display.press(desk, "down", 0.0)
    assert desk.glass.dark != wakes


def test_a_battery_that_runs_flat_ends_the_pass_and_without_one_nothing_wakes(desk):
    on_battery(desk, "0600")
    desk.advance(3)
    display.press(desk, "down", 0.0)
    assert not desk.advance(1)[-1].dark
    del desk.answers[0x02800009]
    assert desk.advance(6)[-1].dark
    display.press(desk, "up", 0.0)
    assert desk.glass.dark


def test_a_supply_that_nobody_tells_of_any_more_stays_what_it_was(desk):
    on_battery(desk, "0600")
    desk.advance(6)
    del desk.answers[STATUS_WORDS_DI]
    assert all(shown.dark for shown in desk.advance(120))


def wake_ups(desk: Desk, seconds: int) -> int:
    lit = [not shown.dark for shown in desk.advance(seconds)]
    return sum(after and not before for before, after in pairwise([False, *lit]))


def test_ds_08_a_stuck_key_wakes_no_more_until_it_is_let_go(desk):
    display.press(desk, "down", NEVER_LET_GO_S)
    on_battery(desk, "0600")
    assert wake_ups(desk, 600) == STUCK_WAKE_UPS_MAX
    display.press(desk, "up", 0.0)  # the other key still does
    assert not desk.glass.dark
    assert wake_ups(desk, 600) == 1
    display.press(desk, "down", 0.0)
    assert not desk.glass.dark
    desk.advance(60)
    display.press(desk, "down", NEVER_LET_GO_S)
    assert wake_ups(desk, 600) == 1 + STUCK_WAKE_UPS_MAX  # the press itself, and finding it down


@pytest.mark.parametrize(("bit", "error"), [(8, 1), (9, 2), (10, 3), (2, 4), (12, 5), (13, 6), (15, 8)])
def test_faults_of_word_1_are_errors(desk, bit, error):
    desk.tell(1 << bit, 0, 0, 0, 0, 0, 0)
    assert desk.advance(16)[-1].digits.strip() == f"Err-{error:02d}"


def test_a_prepaid_meter_shows_what_is_left_first(desk):
    desk.tell(0, 0, 2 << 8, 0, 0, 0, 0)
    desk.answers[0x00900200] = bytes.fromhex("34120000")
    shown = desk.advance(11)[-1]
    assert (shown.di, shown.digits.strip(), shown.unit) == ("00900200", "12.34", "yuan")
    written = default_items() | {AUTO_LIST + 1: Entry(0x02010100).octets}
    desk.cells["parameters"] = msgspec.msgpack.encode(written)
    assert desk.advance(2)[-1].di == "02010100"


def test_what_the_panel_tells_and_more_than_it_knows(desk):
    desk.cells["panel"] = b'{"programming_key": true, "is_suspended": true, "later": {"a": 1}}'
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


def test_a_key_that_is_held_is_passed_on_to_the_relay_or_to_the_terminal(desk):
    for held_s in (0.0, 3.0, 5.0):
        display.press(desk, "down", held_s)
    assert desk.passed == [(HELD_DI, "down", 3.0), (STEP_DI, "down", 5.0)]


def test_the_version_behind_the_test(desk):
    assert desk.advance(7)[-1].digits == " SoFt1.2.3"
