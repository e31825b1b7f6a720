"""Control codes, functions and error bits of both editions, as data.

C: D7 direction (1 from the meter), D6 abnormal reply, D5 follow-up frames exist, D4..D0 function.
The bits of ERR differ between the editions.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import msgspec

RESPONSE: Final = 0x80
"""D7 of C: sent by the meter."""
ABNORMAL: Final = 0x40
"""D6 of C: an abnormal reply."""
FOLLOW_UP: Final = 0x20
"""D5 of C: follow-up frames exist."""
FUNCTION: Final = 0x1F
"""D4..D0 of C: the function."""

ERR_OTHER: Final = 0x01
"""ERR of 2007: anything without a bit of its own; in 1997, illegal data."""
ERR_NO_DATA: Final = 0x02
"""ERR of 2007: no requested data; in 1997, identifier error."""
ERR_PASSWORD: Final = 0x04
"""ERR of both: wrong password or not authorised."""
ERR_RATE: Final = 0x08
"""ERR of 2007: the rate cannot be changed."""
ERR_YEAR_ZONES: Final = 0x10
"""ERR of both: too many year zones."""
ERR_DAY_PERIODS: Final = 0x20
"""ERR of both: too many day periods."""
ERR_TARIFFS: Final = 0x40
"""ERR of both: too many tariffs."""

UNKNOWN_FUNCTION: Final = "reserved/vendor"
"""Name of a function that is in no table."""


class Function2007(IntEnum):
    """Function codes of DL/T 645-2007; 03H, 1CH and 1DH came with the State Grid filings."""

    AUTHENTICATE = 0x03
    BROADCAST_TIME = 0x08
    READ = 0x11
    READ_FOLLOW_UP = 0x12
    READ_ADDRESS = 0x13
    WRITE = 0x14
    WRITE_ADDRESS = 0x15
    FREEZE = 0x16
    CHANGE_RATE = 0x17
    CHANGE_PASSWORD = 0x18
    CLEAR_DEMAND = 0x19
    CLEAR_METER = 0x1A
    CLEAR_EVENTS = 0x1B
    RELAY = 0x1C
    OUTPUT = 0x1D


class Function1997(IntEnum):
    """Function codes of DL/T 645-1997."""

    READ = 0x01
    READ_FOLLOW_UP = 0x02
    READ_AGAIN = 0x03
    WRITE = 0x04
    BROADCAST_TIME = 0x08
    WRITE_ADDRESS = 0x0A
    CHANGE_RATE = 0x0C
    CHANGE_PASSWORD = 0x0F
    CLEAR_DEMAND = 0x10


class FunctionRow(msgspec.Struct, frozen=True):
    """One function of one edition.

    Attributes:
        code: control octet of the request.
        name: what it is called everywhere outside.
        normal, follow, abnormal: control octets of the replies, None where there is no such reply.
    """

    code: int
    name: str
    normal: int | None
    follow: int | None
    abnormal: int | None


def _row(code: IntEnum, name: str, replies: str) -> FunctionRow:
    """A row with the replies named by letters: n normal, f with follow-up, a abnormal."""
    return FunctionRow(
        int(code),
        name,
        code | RESPONSE if "n" in replies else None,
        code | RESPONSE | FOLLOW_UP if "f" in replies else None,
        code | RESPONSE | ABNORMAL if "a" in replies else None,
    )


FUNCTIONS_2007: Final[dict[int, FunctionRow]] = {
    row.code: row
    for row in (
        _row(Function2007.AUTHENTICATE, "security authentication", "na"),
        _row(Function2007.BROADCAST_TIME, "broadcast time", ""),
        _row(Function2007.READ, "read data", "nfa"),
        _row(Function2007.READ_FOLLOW_UP, "read follow-up", "nfa"),
        _row(Function2007.READ_ADDRESS, "read address", "n"),
        _row(Function2007.WRITE, "write data", "na"),
        _row(Function2007.WRITE_ADDRESS, "write address", "n"),
        _row(Function2007.FREEZE, "freeze", "na"),
        _row(Function2007.CHANGE_RATE, "change rate", "na"),
        _row(Function2007.CHANGE_PASSWORD, "change password", "na"),
        _row(Function2007.CLEAR_DEMAND, "clear maximum demand", "na"),
        _row(Function2007.CLEAR_METER, "clear meter", "na"),
        _row(Function2007.CLEAR_EVENTS, "clear events", "na"),
        _row(Function2007.RELAY, "relay/alarm/power-keep control", "na"),
        _row(Function2007.OUTPUT, "multi-function output", "na"),
    )
}
"""Functions of DL/T 645-2007 by code."""

FUNCTIONS_1997: Final[dict[int, FunctionRow]] = {
    row.code: row
    for row in (
        _row(Function1997.READ, "read data", "nfa"),
        _row(Function1997.READ_FOLLOW_UP, "read follow-up", "nfa"),
        _row(Function1997.READ_AGAIN, "re-read", "nfa"),
        _row(Function1997.WRITE, "write data", "na"),
        _row(Function1997.BROADCAST_TIME, "broadcast time", ""),
        _row(Function1997.WRITE_ADDRESS, "write address", "n"),
        _row(Function1997.CHANGE_RATE, "change rate", "n"),
        _row(Function1997.CHANGE_PASSWORD, "change password", "n"),
        _row(Function1997.CLEAR_DEMAND, "clear maximum demand", "n"),
    )
}
"""Functions of DL/T 645-1997 by code. A refused rate is the normal reply with Z = FFH, a refused password silence."""

FUNCTIONS: Final = {"2007": FUNCTIONS_2007, "1997": FUNCTIONS_1997}
"""Both tables by the name of the edition."""

ERROR_BITS: Final[dict[str, tuple[str, ...]]] = {
    "2007": (
        "other error",
        "no requested data",
        "wrong password or not authorised",
        "rate cannot be changed",
        "too many year zones",
        "too many day periods",
        "too many tariffs",
        "reserved error bit 7",
    ),
    "1997": (
        "illegal data",
        "identifier error",
        "wrong password",
        "reserved error bit 3",
        "too many year zones",
        "too many day periods",
        "too many tariffs",
        "reserved error bit 7",
    ),
}
"""What the bits of ERR say, bit 0 first, by edition."""

SECURITY_ERROR_BITS: Final = (
    "other error",
    "repeated recharge",
    "secure-element check failed",
    "identity authentication failed",
    "customer number mismatch",
    "recharge count wrong",
    "hoarding limit exceeded",
)
"""What the bits of the two-octet error word of C3H say, bit 0 first; higher bits are reserved."""


def error_reasons(error: int, edition: str = "2007") -> list[str]:
    """The reasons that the ERR octet `error` gives, lowest bit first; one that says so when no bit is set."""
    reasons = [text for bit, text in enumerate(ERROR_BITS[edition]) if error >> bit & 1]
    return reasons or ["abnormal reply without an error bit"]


def security_error_reasons(word: int) -> list[str]:
    """The reasons that the security error word of C3H gives, lowest bit first."""
    reasons = [text for bit, text in enumerate(SECURITY_ERROR_BITS) if word >> bit & 1]
    if word >> len(SECURITY_ERROR_BITS):
        reasons.append(f"reserved bits of the security error word {word:04X}")
    return reasons or ["abnormal reply without an error bit"]
