"""What stands in the data field, per edition, function and direction, as data: the frame viewer reads it from here.

Data fields are meant before the 33H step, in the order of the line. A layout is a row of fields; the widths of all but
one are fixed, and the open one takes what the others leave.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

OPEN: Final = -1
"""Width of the field that takes what the others leave."""


class Field(NamedTuple):
    """One field: its key in the viewer's document, octets, and how it is shown."""

    key: str
    octets: int
    show: Callable[[bytes], object]


def hex_as_sent(octets: bytes) -> str:
    """Hex digits in the order of the line."""
    return octets.hex().upper()


def hex_as_printed(octets: bytes) -> str:
    """Hex digits with the highest octet first, as identifiers and addresses are printed."""
    return octets[::-1].hex().upper()


def time_text(octets: bytes) -> str:
    """ss mm hh DD MM YY as "20YY-MM-DD hh:mm:ss", digit by digit: nothing says that there is such a date."""
    second, minute, hour, day, month, year = (f"{octet:02X}" for octet in octets)
    return f"20{year}-{month}-{day} {hour}:{minute}:{second}"


def freeze_text(octets: bytes) -> str:
    """mm hh DD MM as "MM-DD hh:mm"; 99 from the left stands for every month, day, hour."""
    minute, hour, day, month = (f"{octet:02X}" for octet in octets)
    return f"{month}-{day} {hour}:{minute}"


_DI = Field("di", 4, hex_as_printed)
_DI_1997 = Field("di", 2, hex_as_printed)
_SEQ = Field("seq", 1, lambda octets: octets[0])
_VALUE = Field("value_raw", OPEN, hex_as_sent)
_PA = Field("pa", 1, hex_as_sent)
_PASSWORD = Field("password", 3, hex_as_sent)
_PASSWORD_1997 = Field("password", 4, hex_as_sent)
_OPERATOR = Field("operator", 4, hex_as_sent)
_METER_ADDRESS = Field("meter_address", 6, hex_as_printed)
_RATE = Field("rate_word", 1, hex_as_sent)
_TIME = Field("time", 6, time_text)
_OUTPUT = Field("output", 1, hex_as_sent)
_REST = Field("rest", OPEN, hex_as_sent)

Layout = tuple[Field, ...]

LAYOUTS_2007: Final[dict[int, Layout]] = {
    0x03: (_DI, _OPERATOR, _REST),
    0x83: (_DI, _REST),
    0x08: (_TIME,),
    0x11: (_DI, Field("parameters", OPEN, hex_as_sent)),
    0x91: (_DI, _VALUE),
    0x12: (_DI, _SEQ),
    0x92: (_DI, _VALUE, _SEQ),
    0x93: (_METER_ADDRESS,),
    0x14: (_DI, _PA, _PASSWORD, _OPERATOR, _VALUE),
    0x15: (_METER_ADDRESS,),
    0x16: (Field("freeze", 4, freeze_text),),
    0x17: (_RATE,),
    0x97: (_RATE,),
    0x18: (_DI, _PA, _PASSWORD, Field("new_pa", 1, hex_as_sent), Field("new_password", 3, hex_as_sent)),
    0x98: (Field("new_pa", 1, hex_as_sent), Field("new_password", 3, hex_as_sent)),
    0x19: (_PA, _PASSWORD, _OPERATOR),
    0x1A: (_PA, _PASSWORD, _OPERATOR),
    0x1B: (_PA, _PASSWORD, _OPERATOR, _DI),
    0x1C: (
        _PA,
        _PASSWORD,
        _OPERATOR,
        Field("command", 1, hex_as_sent),
        Field("n2", 1, hex_as_sent),
        Field("deadline", 6, time_text),
        _REST,
    ),
    0x1D: (_OUTPUT,),
    0x9D: (_OUTPUT,),
}
"""Layouts of edition 2007 by control code without the follow-up bit; what is not listed has no fields."""

LAYOUTS_1997: Final[dict[int, Layout]] = {
    0x01: (_DI_1997,),
    0x81: (_DI_1997, _VALUE),
    0x02: (_DI_1997,),
    0x82: (_DI_1997, _VALUE),
    0x83: (_DI_1997, _VALUE),
    0x04: (_DI_1997, _PASSWORD_1997, _VALUE),
    0x08: (_TIME,),
    0x0A: (_METER_ADDRESS,),
    0x0C: (_RATE,),
    0x8C: (_RATE,),
    0x0F: (_PASSWORD_1997, Field("new_password", 4, hex_as_sent)),
    0x8F: (Field("new_password", 4, hex_as_sent),),
}
"""Layouts of edition 1997 by control code without the follow-up bit."""

LAYOUTS: Final = {"2007": LAYOUTS_2007, "1997": LAYOUTS_1997}
"""Both tables by the name of the edition."""


def lay_out(data: bytes, layout: Layout) -> tuple[dict[str, object], bytes, bytes]:
    """Cut `data` by `layout`.

    Returns the fields by key as they are shown, the octets of the value field, and what is left over. A field that the
    data are too short for is left out, and so is all that would follow it. An open field may be empty.
    """
    fields: dict[str, object] = {}
    value = b""
    at = 0
    for index, field in enumerate(layout):
        width = field.octets
        if width == OPEN:
            width = max(len(data) - at - sum(later.octets for later in layout[index + 1 :]), 0)
        if len(data) - at < width:
            break
        octets = data[at : at + width]
        if field is _VALUE:
            value = octets
        if octets:
            fields[field.key] = field.show(octets)
        at += width
    return fields, value, data[at:]
