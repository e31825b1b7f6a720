"""Numbers and times as BCD octets on the wire, the low octet first (DL/T 645-2007 section 9). Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
MINUTES_MAX = (datetime(2099, 12, 31, 23, 59, tzinfo=UTC) - EPOCH) // timedelta(minutes=1)
"""The last minute since 2000 that a year of two digits can say."""

MINUTE_OCTETS = 5
NUMBER_OCTETS_MAX = 8

_SIGN = 0x80
_DIGITS = [f"%0{2 * octets}d" for octets in range(NUMBER_OCTETS_MAX + 1)]
_SIGNED_END = [8 * 100**octets // 10 for octets in range(NUMBER_OCTETS_MAX + 1)]
_fromhex = bytes.fromhex


def unsigned(value: int | None, octets: int) -> bytes:
    """`value` as BCD; FF octets, not available, for None and for what the octets cannot hold."""
    if value is None or not 0 <= value < 100**octets:
        return b"\xff" * octets
    return _fromhex(_DIGITS[octets] % value)[::-1]


def signed(value: int | None, octets: int) -> bytes:
    """`value` as BCD with the sign in the top bit; FF octets for None and for what the octets cannot hold."""
    if value is None or not -_SIGNED_END[octets] < value < _SIGNED_END[octets]:
        return b"\xff" * octets
    if value >= 0:
        return _fromhex(_DIGITS[octets] % value)[::-1]
    found = _fromhex(_DIGITS[octets] % -value)[::-1]
    return found[:-1] + bytes((found[-1] | _SIGN,))


def number(octets: bytes) -> int | None:
    """The unsigned number that `octets` are; None: they are no digits."""
    digits = octets[::-1].hex()
    return int(digits) if digits.isdecimal() else None


def minute_octets(minute: int) -> bytes:
    """YYMMDDhhmm of the minute `minute` since 2000, the minutes first."""
    return bytes.fromhex(f"{EPOCH + timedelta(minutes=minute):%y%m%d%H%M}")[::-1]


def minute_of(octets: bytes) -> int | None:
    """The minute since 2000 that YYMMDDhhmm on the wire is; None: it is none."""
    digits = octets[::-1].hex()
    if len(octets) != MINUTE_OCTETS or not digits.isdecimal():
        return None
    year, month, day, hour, minute = (int(digits[at : at + 2]) for at in range(0, len(digits), 2))
    try:
        return (datetime(2000 + year, month, day, hour, minute, tzinfo=UTC) - EPOCH) // timedelta(minutes=1)
    except ValueError:
        return None
