"""The display: eight digits that walk through the meter's values, by themselves or by the buttons."""

from __future__ import annotations

import msgspec

from wattwheel.model.catalogue import item_2007
from wattwheel.sdk import App, Meter

app = App("display", version="0.1.0")
start = app.start

DISPLAY_PORT, PANEL_PORT = "display", "panel"
DIGITS = 8
SHOW_S, HOLD_S, LAMP_TEST_S = 5, 60, 3

SCREENS = (
    0x00010000, 0x00020000, 0x00050000, 0x00080000,
    0x02010100, 0x02010200, 0x02010300, 0x02020100, 0x02020200, 0x02020300,
    0x02030000, 0x02040000, 0x02060000, 0x02800002, 0x04000101, 0x04000102,
)  # fmt: skip
"""Identifiers in the order in which they are shown."""

LIVE_SYMBOLS = ("ua", "ub", "uc", "ia", "ib", "ic")
_SYMBOL_ITEMS = (0x02010100, 0x02010200, 0x02010300, 0x02020100, 0x02020200, 0x02020300)


class Face(msgspec.Struct):
    """What the display shows, as it is published (JSON)."""

    digits: str
    di: str = ""
    index: str = ""
    unit: str = ""
    symbols: list[str] = []
    lit: bool = False
    title: str = ""


class Cycle:
    """Which screen is on. Pure: seconds come in, an index comes out."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.at = 0
        self.second = 0
        self.held_until = 0
        self.lamp_test_until = 0

    def tick(self) -> None:
        """One second has passed."""
        self.second += 1
        if self.second >= self.held_until and self.second % SHOW_S == 0:
            self.at = (self.at + 1) % self.length

    def press(self, button: str, is_long: bool) -> None:
        """up and down step (held long: to the first and last screen), both together light every segment."""
        self.held_until = self.second + HOLD_S
        if button == "both":
            self.lamp_test_until = self.second + LAMP_TEST_S
        elif button == "up":
            self.at = 0 if is_long else (self.at + 1) % self.length
        elif button == "down":
            self.at = self.length - 1 if is_long else (self.at - 1) % self.length

    @property
    def is_lit(self) -> bool:
        """The back light burns while somebody uses the buttons."""
        return self.second < self.held_until

    @property
    def is_lamp_test(self) -> bool:
        """Every segment is on."""
        return self.second < self.lamp_test_until


def digits_of(text: str) -> str:
    """`text` on eight places, right-aligned; a point takes no place of its own; what does not fit shows as dashes."""
    places = len(text.replace(".", "").replace(":", ""))
    return "-" * DIGITS if places > DIGITS else " " * (DIGITS - places) + text


def clock_text(di: int, text: str) -> str:
    """Dates and times as the glass shows them: `26.11.20`, `12:34:56`."""
    if di == 0x04000101:
        return ".".join((text[0:2], text[2:4], text[4:6]))
    return ":".join((text[0:2], text[2:4], text[4:6])) if di == 0x04000102 else text


@app.on_start
def begin(meter: Meter) -> None:
    """Take the ports."""
    meter.memory = _Panel(meter)


@app.on_press
def press(meter: Meter, button: str, is_long: bool) -> None:
    """Follow a button."""
    if meter.memory is not None:
        meter.memory.cycle.press(button, is_long)
        meter.memory.draw()


@app.every(seconds=1)
def tick(meter: Meter) -> None:
    """Walk on and draw."""
    meter.memory.cycle.tick()
    meter.memory.draw()


class _Panel:
    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self.cycle = Cycle(len(SCREENS))
        self._publish = meter.publish(DISPLAY_PORT)
        self._panel = meter.sampled(PANEL_PORT)
        self._last = b""

    def draw(self) -> None:
        """Ask the owner of the screen's item; what comes back is drawn."""
        if self.cycle.is_lamp_test:
            self._show(Face("8.8.8.8.8.8.8.8.", title="Every segment"))
            return
        di = SCREENS[self.cycle.at]
        self._meter.ask_text(di, lambda text: self._drawn(di, text))

    def _drawn(self, di: int, text: str | None) -> None:
        item = item_2007(di)
        shown = "-" * DIGITS if text is None else digits_of(clock_text(di, text))
        title = f"{item.title}: {text} {item.unit}".strip() if text is not None else f"{item.title}: no value"
        self._show(Face(shown, f"{di:08X}", f"{self.cycle.at + 1:02d}", item.unit, title=title))

    def _show(self, face: Face) -> None:
        panel = self._panel()
        face.symbols = ["tariff_1"]
        if panel is not None and msgspec.json.decode(panel, type=dict[str, bool]).get("programming_key"):
            face.symbols.append("program")
        face.lit = self.cycle.is_lit
        drawn = msgspec.json.encode(face)
        if drawn != self._last:
            self._last = drawn
            self._publish(drawn)
