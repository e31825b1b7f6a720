"""What the tables and the times of the tariff plan may be when they are written, octets as on the wire.

Pure. What a written table means is in `model.tariff`: it is sorted there, trailing places that are zero or repeat a
start do not count, a tariff that is not there lets the one before go on, and a day table that is not there is table 1.
So all of these may be written. Refused is what is no date or no time of day, and what is beyond the standard's limits.
"""

from __future__ import annotations

from datetime import UTC, datetime

from wattwheel.model.prices import PRICES_SWITCH, STEP_SETTLEMENTS, STEP_SETTLEMENTS_MAX, STEPS_SWITCH
from wattwheel.model.tariff import DAY_TABLES_MAX, HOLIDAYS_MAX, SLOTS_MAX, TARIFFS_MAX, ZONES_MAX
from wattwheel.model.tariff_parameters import DAY_TABLES_SWITCH, ENTRY_OCTETS, HOLIDAYS, SETS, ZONES_SWITCH

ERROR_OTHER, ERROR_ZONES, ERROR_SLOTS, ERROR_TARIFFS = 0x01, 0x10, 0x20, 0x40
"""ERR octets: year zones, slots of a day and tariffs beyond their number have a bit each."""

LEAP_YEAR = 2000
_GROUPS = frozenset(first >> 16 for first in SETS)
_SWITCHES = frozenset({ZONES_SWITCH, DAY_TABLES_SWITCH, PRICES_SWITCH, STEPS_SWITCH})
_STEP_PERIODS = frozenset(first + at for first in STEP_SETTLEMENTS for at in range(1, STEP_SETTLEMENTS_MAX + 1))
_HOLIDAYS = range(HOLIDAYS + 1, HOLIDAYS + HOLIDAYS_MAX + 1)
_UNUSED = "99"


def is_table(di: int) -> bool:
    """Whether `di` is one of the two sets' tables of zones (DI0 = 0) or of the slots of a day."""
    return di >> 16 in _GROUPS


def beyond_places(di: int, octets: bytes) -> int:
    """ERR octet for a table with more entries than there are places; 0 for what is no table, or fits."""
    if not is_table(di):
        return 0
    places, error = (SLOTS_MAX, ERROR_SLOTS) if di & 0xFF else (ZONES_MAX, ERROR_ZONES)
    return error if len(octets) > places * ENTRY_OCTETS else 0


def is_time(di: int) -> bool:
    """Whether `di` says a date or instant of the plan: switch-overs, ends of step periods, holidays."""
    return di in _SWITCHES or di in _STEP_PERIODS or di in _HOLIDAYS


def without_fillers(di: int, octets: bytes) -> bytes:
    """`octets` with FF of a time of the plan as 99: both are written for "every" and for "unused"."""
    return octets.replace(b"\xff", b"\x99") if is_time(di) else octets


def table_error(di: int, octets: bytes) -> int:
    """ERR octet for writing `octets`, BCD of the right number of octets, to the table `di`; 0: they may be."""
    if (error := beyond_places(di, octets)) != 0:
        return error
    digits = [int(f"{octet:02x}") for octet in octets]
    entries = [(digits[at + 2], digits[at + 1], digits[at]) for at in range(0, len(digits), ENTRY_OCTETS)]
    while entries and not any(entries[-1]):
        entries.pop()
    if di & 0xFF:
        if not all(hour < 24 and minute < 60 for hour, minute, _tariff in entries):
            return ERROR_OTHER
        return ERROR_TARIFFS if any(tariff > TARIFFS_MAX for _hour, _minute, tariff in entries) else 0
    are_zones = all(_is_date(LEAP_YEAR, month, day) and table <= DAY_TABLES_MAX for month, day, table in entries)
    return 0 if are_zones else ERROR_OTHER


def time_error(di: int, octets: bytes) -> int:
    """ERR octet for writing `octets` to a date or instant of the plan; 0: it is one, or stands for "unused"."""
    digits = without_fillers(di, octets)[::-1].hex()
    if not digits.isdecimal():
        return ERROR_OTHER
    if set(digits) <= {"0"} or set(digits) <= {"9"}:
        return 0
    pairs = [int(digits[at : at + 2]) for at in range(0, len(digits), 2)]
    if di in _SWITCHES:
        year, month, day, hour, minute = pairs
        is_right = _is_date(2000 + year, month, day) and hour < 24 and minute < 60
    elif di in _STEP_PERIODS:
        month, day, hour = pairs
        is_right = _is_date(LEAP_YEAR, 1 if digits.startswith(_UNUSED) else month, day) and hour < 24
    else:
        year, month, day, _table = pairs
        every_year, every_month = (digits[at : at + 2] == _UNUSED for at in (0, 2))
        is_right = _is_date(LEAP_YEAR if every_year else 2000 + year, 1 if every_month else month, day)
    return 0 if is_right else ERROR_OTHER


def _is_date(year: int, month: int, day: int) -> bool:
    try:
        datetime(year, month, day, tzinfo=UTC)
    except ValueError:
        return False
    return True
