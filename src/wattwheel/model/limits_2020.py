"""What may be written in the 2020 profile: fewer tariffs and holidays than DL/T 645-2007 has places for. Pure.

The holidays of that profile have a weekday of their own, which the four octets of a holiday here cannot say.
"""

from __future__ import annotations

from wattwheel.model.further_freezes import INTERVAL_MINUTES_MAX, INTERVALS
from wattwheel.model.prices import TARIFF_PRICES, number
from wattwheel.model.profile import HOLIDAYS_MAX_2020, TARIFFS_MAX_2020
from wattwheel.model.tariff import HOLIDAYS_MAX, TARIFFS_MAX
from wattwheel.model.tariff_parameters import ENTRY_OCTETS, HOLIDAY_COUNT, HOLIDAYS, TARIFF_COUNT
from wattwheel.model.tariff_tables import ERROR_OTHER, ERROR_TARIFFS, is_table

_INTERVALS = frozenset(INTERVALS.values())
_HOLIDAYS_BEYOND = range(HOLIDAYS + HOLIDAYS_MAX_2020 + 1, HOLIDAYS + HOLIDAYS_MAX + 1)
_PRICES_BEYOND = frozenset(
    first + tariff for first in TARIFF_PRICES for tariff in range(TARIFFS_MAX_2020 + 1, TARIFFS_MAX + 1)
)


def error_2020(di: int, octets: bytes) -> int:
    """ERR octet for writing `octets`, which the 2007 profile lets be written, to `di`; 0: they are within limits."""
    if di == TARIFF_COUNT:
        return ERROR_TARIFFS if number(octets) > TARIFFS_MAX_2020 else 0
    if di == HOLIDAY_COUNT:
        return ERROR_OTHER if number(octets) > HOLIDAYS_MAX_2020 else 0
    if di in _INTERVALS and number(octets) > INTERVAL_MINUTES_MAX:
        return ERROR_OTHER
    if di in _HOLIDAYS_BEYOND:
        return ERROR_OTHER
    if di in _PRICES_BEYOND:
        return ERROR_TARIFFS
    if is_table(di) and di & 0xFF:
        tariffs = (number(octets[at : at + 1]) for at in range(0, len(octets), ENTRY_OCTETS))
        return ERROR_TARIFFS if any(tariff > TARIFFS_MAX_2020 for tariff in tariffs) else 0
    return 0
