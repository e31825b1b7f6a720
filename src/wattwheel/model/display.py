"""What a meter's display can show."""

from __future__ import annotations

import msgspec

LCD_DIGITS = 8
"""Seven-segment places of the display's value line."""

LCD_SYMBOLS = (
    "ua", "ub", "uc", "ia", "ib", "ic", "ia_reverse", "ib_reverse", "ic_reverse", "phase_sequence",
    "quadrant_1", "quadrant_2", "quadrant_3", "quadrant_4", "tariff_1", "tariff_2", "tariff_3", "tariff_4",
    "program", "traffic", "alarm", "relay_open", "clock_battery", "reading_battery",
)  # fmt: skip
"""Names that `Lcd.symbols` may hold; a drawn display ignores others."""


class Lcd(msgspec.Struct, frozen=True, kw_only=True):
    """What the display shows at this moment.

    Attributes:
        digits: the value line, right-aligned; one place per character, `.` and `:` belong to the place before them.
            Digits, blank, minus and the letters that seven segments can draw ("Err-04", "AddrE").
        di: identifier of the item shown, 8 hex digits, or "" for a screen that shows none.
        index: the two-digit screen index beside the identifier, or "".
        unit: as printed on the glass: "kWh", "kW", "V", or "".
        symbols: the symbols that are on, of `LCD_SYMBOLS`.
        lit: True while the back light is on.
        title: what the screen shows in words, value and unit included, for those who cannot see it.
    """

    digits: str
    di: str = ""
    index: str = ""
    unit: str = ""
    symbols: tuple[str, ...] = ()
    lit: bool = False
    title: str = ""
