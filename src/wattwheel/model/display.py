"""What a meter's display can show."""

from __future__ import annotations

import msgspec

LCD_DIGITS = 8
"""Seven-segment places of the display's value line."""

LCD_SYMBOLS = (
    *("ua", "ub", "uc", "ia", "ib", "ic", "ia_reverse", "ib_reverse", "ic_reverse", "phase_sequence"),
    *("quadrant_1", "quadrant_2", "quadrant_3", "quadrant_4", "tariff", "step"),
    *("time_set_1", "time_set_2", "price_set_1", "price_set_2"),
    *("signal_1", "signal_2", "signal_3", "signal_4", "traffic", "telephone", "channel_1", "channel_2"),
    *("program", "suspended", "test_key", "alarm", "card_reading", "success", "fail"),
    *("purchase_needed", "overdraft", "hoarding", "relay_open", "clock_battery", "reading_battery"),
)
"""Names that `Lcd.symbols` may hold; a drawn display ignores others."""

LCD_UNITS = ("kWh", "kvarh", "kVAh", "kW", "kvar", "kVA", "V", "A", "Hz", "yuan", "min", "s")
"""Units that are printed on the glass; others are shown as they are, where there is room."""


class Lcd(msgspec.Struct, frozen=True, kw_only=True):
    """What the display shows at this moment.

    Attributes:
        digits: the value line, right-aligned; one place per character, `.` and `:` belong to the place before them.
            Digits, blank, minus and the letters that seven segments can draw ("Err-04", "AddrE").
        di: identifier of the item shown, 8 hex digits, or "" for a screen that shows none.
        index: the two-digit screen index beside the identifier, or "".
        unit: as printed on the glass: "kWh", "kW", "V", or "".
        symbols: the symbols that are on, of `LCD_SYMBOLS`.
        blinking: those of `symbols` that blink, once a second.
        tariff: the number beside the symbol `tariff`, or "".
        step: the number beside the symbol `step`, or "".
        lit: True while the back light is on.
        dark: True while the whole display is off: no supply, and nobody has woken it.
        title: what the screen shows in words, value and unit included, for those who cannot see it.
    """

    digits: str
    di: str = ""
    index: str = ""
    unit: str = ""
    symbols: tuple[str, ...] = ()
    blinking: tuple[str, ...] = ()
    tariff: str = ""
    step: str = ""
    lit: bool = False
    dark: bool = False
    title: str = ""


EVERY_SEGMENT = Lcd(
    digits="8:" * LCD_DIGITS, di="8" * 8, index="88", symbols=LCD_SYMBOLS, tariff="88", step="88", lit=True,
    title="every segment",
)  # fmt: skip
"""The full-screen test."""

BLANK = Lcd(digits="", dark=True, title="off")
"""The display without supply."""
