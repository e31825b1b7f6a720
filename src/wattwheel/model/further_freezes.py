"""Freezes of the 2020 profile beyond the eight kinds of DL/T 645-2007 (B5xxxxxx): kinds, depths, parameters. Pure.

The identifiers are this platform's own: B5, the kind, the item as in 05xxxxxx, and how many entries back. A kind has
the number of its object in the later standard, without the leading 50; a scheme of minutes is 20 and its number.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import IntEnum

from wattwheel.model.bcd import EPOCH, number

FURTHER_DI3 = 0xB5
SCHEMES = range(0x21, 0x29)
"""Kinds of minute freezes, one a scheme."""

SCHEME_DEPTH = 60
INTERVAL_MINUTES_MAX = 1440


class FurtherKind(IntEnum):
    """DI2 of the kinds that are not schemes."""

    SETTLEMENT = 0x05
    MONTH = 0x06
    YEAR = 0x07
    STEP_SETTLEMENT = 0x11


DEPTHS: Mapping[int, int] = {
    FurtherKind.SETTLEMENT: 12,
    FurtherKind.MONTH: 24,
    FurtherKind.YEAR: 5,
    FurtherKind.STEP_SETTLEMENT: 4,
    **dict.fromkeys(SCHEMES, SCHEME_DEPTH),
}
"""How many entries of each kind are kept."""

OWN_PARAMETERS = 0x0400B5
"""The identifiers of the parameters, without DI0."""

INTERVALS = {kind: OWN_PARAMETERS << 8 | place for place, kind in enumerate(SCHEMES, 1)}
"""Minutes from one freeze of a scheme to the next; 0: none."""

_MINUTE_CONTENT = OWN_PARAMETERS << 8 | 0x10
CONTENT_WORDS: Mapping[int, int] = {
    **{kind: OWN_PARAMETERS << 8 | place for place, kind in enumerate(FurtherKind, 0x11)},
    **dict.fromkeys(SCHEMES, _MINUTE_CONTENT),
}

DEFAULTS_2020 = {
    **dict.fromkeys(INTERVALS.values(), "0000"),
    _MINUTE_CONTENT: "03",
    **{CONTENT_WORDS[kind]: "FF" for kind in FurtherKind},
}
"""Digits as the picture prints them."""

_MINUTE = timedelta(minutes=1)


def is_own_parameter(di: int) -> bool:
    """Whether `di` is a parameter of these freezes, which the 2007 profile does not have."""
    return di >> 8 == OWN_PARAMETERS


def month_begin(minute: int) -> int:
    """The first minute of the month of `minute`."""
    return _minute_of(_time(minute).replace(day=1, hour=0, minute=0))


def year_begin(minute: int) -> int:
    """The first minute of its year."""
    return _minute_of(_time(minute).replace(month=1, day=1, hour=0, minute=0))


def next_month(minute: int) -> int:
    """The first minute of the month after."""
    first = _time(minute).replace(day=1, hour=0, minute=0)
    return _minute_of((first + timedelta(days=31)).replace(day=1))


def intervals_of(parameters: Mapping[int, bytes]) -> dict[int, int]:
    """Minutes of each scheme that is in use."""
    found = {kind: number(parameters.get(di, b"")) or 0 for kind, di in INTERVALS.items()}
    return {kind: minutes for kind, minutes in found.items() if 0 < minutes <= INTERVAL_MINUTES_MAX}


def _time(minute: int) -> datetime:
    return EPOCH + minute * _MINUTE


def _minute_of(time: datetime) -> int:
    return (time - EPOCH) // _MINUTE
