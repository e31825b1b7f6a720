"""The display: eight digits that walk through the meter's values, by themselves or by the buttons."""

from __future__ import annotations

import msgspec

from wattwheel.model.catalogue import item_2007
from wattwheel.model.display import LCD_DIGITS, LCD_SYMBOLS, Lcd
from wattwheel.model.records import Quality, Readings
from wattwheel.sdk import App, Meter
from wattwheel.sdk.meter import HELD_DI

app = App("display", version="0.1.0")
start = app.start

DISPLAY_PORT, PANEL_PORT = "display", "panel"
SHOW_S, HOLD_S, LAMP_TEST_S = 5, 60, 3

SCREENS = (
    0x00010000, 0x00020000, 0x00050000, 0x00080000,
    0x02010100, 0x02010200, 0x02010300, 0x02020100, 0x02020200, 0x02020300,
    0x02030000, 0x02040000, 0x02060000, 0x02800002, 0x04000101, 0x04000102,
)  # fmt: skip
"""Identifiers in the order in which they are shown."""


class DisplaySettings(msgspec.Struct, frozen=True):
    """From where on a phase shows: an interrupted voltage in millivolt, the starting current in microampere."""

    interrupted_millivolt: int = 0
    starting_microampere: int = 0


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
    return "-" * LCD_DIGITS if places > LCD_DIGITS else " " * (LCD_DIGITS - places) + text


def clock_text(di: int, text: str) -> str:
    """Dates and times as the glass shows them: `26.11.20`, `12:34:56`."""
    if di == 0x04000101:
        return ".".join((text[0:2], text[2:4], text[4:6]))
    return ":".join((text[0:2], text[2:4], text[4:6])) if di == 0x04000102 else text


def live_symbols(readings: Readings | None, settings: DisplaySettings) -> list[str]:
    """Which voltages and currents are there, which currents run backwards, the quadrant, a reversed phase sequence.

    Nothing without valid readings: a symbol that is on must be true now.
    """
    if readings is None or readings.quality is not Quality.VALID or readings.momentary is None:
        return []
    total, *phases = readings.momentary.elements
    found = []
    for letter, phase in zip("abc", phases, strict=True):
        if (phase.voltage_millivolt or 0) > settings.interrupted_millivolt:
            found.append(f"u{letter}")
        if (phase.current_microampere or 0) >= max(1, settings.starting_microampere):
            found.append(f"i{letter}")
            if (phase.active_power_milliwatt or 0) < 0:
                found.append(f"i{letter}_reverse")
    if total.active_power_milliwatt or total.reactive_power_millivar:
        found.append(f"quadrant_{_quadrant(total.active_power_milliwatt or 0, total.reactive_power_millivar or 0)}")
    return [*found, "phase_sequence"] if readings.momentary.sequence_reversed else found


def _quadrant(active: int, reactive: int) -> int:
    if reactive >= 0:
        return 1 if active >= 0 else 2
    return 3 if active < 0 else 4


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
        if is_long:  # it may close the relay
            meter.pass_press(HELD_DI, button, is_long)


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
        self._readings = meter.readings()
        self._settings = meter.settings(DisplaySettings)
        self._last = b""

    def draw(self) -> None:
        """Ask the owner of the screen's item; what comes back is drawn."""
        if self.cycle.is_lamp_test:
            self._show(Lcd(digits="8." * LCD_DIGITS, symbols=LCD_SYMBOLS, title="Every segment", lit=True))
            return
        di = SCREENS[self.cycle.at]
        self._meter.ask_text(di, lambda text: self._drawn(di, text))

    def _drawn(self, di: int, text: str | None) -> None:
        item = item_2007(di)
        shown = "-" * LCD_DIGITS if text is None else digits_of(clock_text(di, text))
        title = f"{item.title}: {text} {item.unit}".strip() if text is not None else f"{item.title}: no value"
        self._show(
            Lcd(
                digits=shown,
                di=f"{di:08X}",
                index=f"{self.cycle.at + 1:02d}",
                unit=item.unit,
                symbols=tuple(self._symbols()),
                lit=self.cycle.is_lit,
                title=title,
            )
        )

    def _symbols(self) -> list[str]:
        panel = self._panel()
        found = ["tariff_1", *live_symbols(self._readings(), self._settings)]
        if panel is not None and msgspec.json.decode(panel, type=dict[str, bool]).get("programming_key"):
            found.append("program")
        return found

    def _show(self, face: Lcd) -> None:
        drawn = msgspec.json.encode(face)
        if drawn != self._last:
            self._last = drawn
            self._publish(drawn)
