"""How a value stands on eight seven-segment places."""

from __future__ import annotations

from wattwheel.model.display import LCD_DIGITS

NO_VALUE = "-" * LCD_DIGITS
"""Nobody has a value, or it has more places than the glass."""

UNKNOWN = "_"
"""A place behind the point of which the register knows nothing: a low bar, never a 0 that was not measured."""

SEGMENTS = {
    " ": "", "-": "g", "_": "d", "0": "abcdef", "1": "bc", "2": "abdeg", "3": "abcdg", "4": "bcfg", "5": "acdfg",
    "6": "acdefg", "7": "abc", "8": "abcdefg", "9": "abcdfg", "A": "abcefg", "b": "cdefg", "C": "adef", "c": "deg",
    "d": "bcdeg", "E": "adefg", "F": "aefg", "G": "acdef", "H": "bcefg", "h": "cefg", "I": "ef", "i": "c", "J": "bcde",
    "L": "def", "n": "ceg", "o": "cdeg", "P": "abefg", "q": "abcfg", "r": "eg", "S": "acdfg", "t": "defg",
    "U": "bcdef", "u": "cde", "y": "bcdfg",
}  # fmt: skip
"""What seven segments can draw: a at the top, then clockwise to f, g in the middle."""

LETTERS = frozenset(SEGMENTS)
"""The characters of it."""

POINTS = ".:"
"""Marks that belong to the place before them."""


def places(text: str) -> int:
    """Places that `text` takes; a point or colon takes none of its own."""
    return len(text) - text.count(".") - text.count(":")


def cells(text: str, count: int = LCD_DIGITS) -> list[tuple[str, str]]:
    """The last `count` places of `text` with the mark behind each: `12.3` is ("1", ""), ("2", "."), ("3", "")."""
    found: list[tuple[str, str]] = []
    for character in text:
        if character in POINTS and found and not found[-1][1]:
            found[-1] = found[-1][0], character
        else:
            found.append((character, ""))
    return [(" ", "")] * (count - len(found)) + found[-count:]


def right_aligned(text: str) -> str:
    """`text` on eight places; what does not fit, or cannot be drawn, shows as dashes."""
    taken = places(text)
    if taken > LCD_DIGITS or not LETTERS.issuperset(text.replace(".", "").replace(":", "")):
        return NO_VALUE
    return " " * (LCD_DIGITS - taken) + text


def number_text(number: int, decimals: int, wanted: int) -> str:
    """`number` units of a register's last digit, which has `decimals`, with `wanted` digits behind the point.

    Digits are cut, never rounded up: a register must not show what has not flowed. Places beyond the register's own
    show `UNKNOWN`. Leading zeros are blank but for the one before the point. Where eight places do not suffice,
    digits behind the point go first; dashes when the whole ones do not fit.
    """
    whole, behind = divmod(abs(number), 10**decimals)
    fraction = f"{behind:0{decimals}d}" if decimals else ""
    sign = "-" if number < 0 else ""
    room = LCD_DIGITS - len(sign) - len(str(whole))
    if room < 0:
        return NO_VALUE
    fraction = fraction.ljust(wanted, UNKNOWN)[: min(wanted, room)]
    if not whole and not fraction.replace(UNKNOWN, "").strip("0"):
        sign = ""  # nothing that is left to be seen is below zero
    return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"


def date_text(digits: str) -> str:
    """Pairs of digits with points between them: `26.11.20`."""
    return ".".join(_pairs(digits))


def time_text(digits: str) -> str:
    """Pairs of digits with colons between them: `12:34:56`, `12:34`."""
    return ":".join(_pairs(digits))


def _pairs(digits: str) -> list[str]:
    return [digits[at : at + 2] for at in range(0, len(digits), 2)]


def error_text(code: int) -> str:
    """`Err-04`."""
    return f"Err-{code:02d}"


def version_text(version: str) -> str:
    """The software's version, as far as numbers go: `SoFt0.1.0`; dashes where it has too many places."""
    numbers = version.split("+")[0].split(".")[:3]
    return right_aligned("SoFt" + ".".join(number if number.isdecimal() else "-" for number in numbers))
