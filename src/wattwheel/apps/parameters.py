"""Parameters: the APP that owns the plain parameter items 04xxxxxx, keeps what is written, and tells the other APPs.

An item that was never written has the default of this table, or is answered with "no requested data". Whoever needs
parameters reads the sampling port `parameters`: a MessagePack map from identifier to octets as on the wire, whole, and
new after each write. A sampling port always holds the newest message, so neither side's restart loses a change.

Not here: the clock and the name plate (platform), passwords (security), rates (communication), and what the metering
core alone may change.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from wattwheel.model.catalogue import item_2007
from wattwheel.model.errors import UnknownItem
from wattwheel.model.event_thresholds import default_thresholds
from wattwheel.model.ratings import Ratings
from wattwheel.model.settled_books import SETTLEMENT_DAYS
from wattwheel.model.tariff import DAY_TABLES_MAX, HOLIDAYS_MAX, SLOTS_MAX, TARIFFS_MAX, ZONES_MAX
from wattwheel.model.tariff_parameters import (
    DAY_TABLE_COUNT,
    HOLIDAY_COUNT,
    REST_TABLE,
    SLOT_COUNT,
    TARIFF_COUNT,
    ZONE_COUNT,
)
from wattwheel.sdk import App, Meter
from wattwheel.sdk.writing import number_of, written_items

app = App("parameters", version="0.1.0")
start = app.start

PARAMETERS_PORT = "parameters"
ERROR_OTHER, ERROR_NO_DATA, ERROR_ZONES, ERROR_SLOTS, ERROR_TARIFFS = 0x01, 0x02, 0x10, 0x20, 0x40

PERIOD, SLIP = 0x04000103, 0x04000104
HARMONIC_ORDERS = 0x04000206
ADDRESS, METER_NUMBER = 0x04000401, 0x04000402
NO_SETTLEMENT = "9999"
OTHERS = frozenset({"clock", "communication", "metering", "security"})
"""Owners, in the register table, of parameters that are not plain."""

_TABLES = (0x0401, 0x0402)
"""DI3 and DI2 of the two sets of zone and day tables."""


class Numbers(NamedTuple):
    """What a number may be, and the ERR octet for others."""

    allowed: range | tuple[int, ...]
    error: int = ERROR_OTHER


NUMBERS = {
    PERIOD: Numbers((5, 10, 15, 30, 60)),
    SLIP: Numbers((1, 2, 3, 5)),
    ZONE_COUNT: Numbers(range(1, ZONES_MAX + 1), ERROR_ZONES),
    DAY_TABLE_COUNT: Numbers(range(1, DAY_TABLES_MAX + 1)),
    SLOT_COUNT: Numbers(range(1, SLOTS_MAX + 1), ERROR_SLOTS),
    TARIFF_COUNT: Numbers(range(1, TARIFFS_MAX + 1), ERROR_TARIFFS),
    HOLIDAY_COUNT: Numbers(range(HOLIDAYS_MAX + 1)),
    HARMONIC_ORDERS: Numbers(range(1, 22)),
    0x04000301: Numbers(range(1, 100)),
    0x04000302: Numbers(range(5, 21)),
    0x04000303: Numbers(range(5)),
    0x04000304: Numbers(range(5)),
    0x04000305: Numbers(range(1, 100)),
    REST_TABLE: Numbers(range(1, DAY_TABLES_MAX + 1)),
}

DEFAULTS = {
    PERIOD: "15",
    SLIP: "01",
    ZONE_COUNT: "01",
    DAY_TABLE_COUNT: "01",
    SLOT_COUNT: "01",
    TARIFF_COUNT: "01",
    HARMONIC_ORDERS: "21",
    HOLIDAY_COUNT: "0000",
    0x04000601: "05",
    0x04000602: "41",
    0x04000603: "14",
    SETTLEMENT_DAYS[0]: "0100",
    SETTLEMENT_DAYS[1]: NO_SETTLEMENT,
    SETTLEMENT_DAYS[2]: NO_SETTLEMENT,
}
"""Digits as the picture prints them, the highest first."""


class Settings(msgspec.Struct, frozen=True):
    """Settings of the partition.

    Attributes:
        name_plate: octets as on the wire, in hex digits, by identifier.
        ratings: what the meter is made for; default thresholds depend on it.
    """

    name_plate: dict[int, str] = {}
    ratings: Ratings = Ratings()


def default_items(settings: Settings = Settings()) -> dict[int, bytes]:  # noqa: B008 (frozen)
    """Identifier to octets of what a meter knows to which nothing has been written."""
    digits = DEFAULTS | default_thresholds(settings.ratings)
    plate = {di: bytes.fromhex(each) for di, each in settings.name_plate.items()}
    return {di: bytes.fromhex(each)[::-1] for di, each in digits.items()} | plate


def is_plain(di: int) -> bool:
    """Whether this APP owns the parameter `di`."""
    try:
        item = item_2007(di)
    except UnknownItem:
        return False
    return di >> 24 == 0x04 and item.owner not in OTHERS and di not in (ADDRESS, METER_NUMBER)


def refusal(values: Mapping[int, bytes], di: int, octets: bytes) -> int:
    """Pure: ERR octet for writing `octets`, which fit the item's picture, beside the present `values`; 0: it may be."""
    if not is_plain(di):
        return ERROR_NO_DATA
    numbers = NUMBERS.get(di)
    if numbers is not None and number_of(di, octets) not in numbers.allowed:
        return numbers.error
    if di in (PERIOD, SLIP):
        beside = {**values, di: octets}
        period, slip = (int(beside[each].hex()) for each in (PERIOD, SLIP))
        return ERROR_OTHER if period % slip else 0
    if di in SETTLEMENT_DAYS:
        return 0 if _is_settlement(octets[::-1].hex()) else ERROR_OTHER
    return 0 if di >> 16 not in _TABLES or _is_table(di, octets) else ERROR_OTHER


def _is_settlement(digits: str) -> bool:
    return digits == NO_SETTLEMENT or (1 <= int(digits[:2]) <= 28 and int(digits[2:]) < 24)


def _entries(octets: bytes) -> list[tuple[int, int, int]]:
    """Three numbers an entry, the last octet on the wire first."""
    digits = [int(f"{octet:02x}") for octet in octets]
    return [(digits[at + 2], digits[at + 1], digits[at]) for at in range(0, len(digits), 3)]


def _is_table(di: int, octets: bytes) -> bool:
    """Zones (month, day, day table) for DI0 = 0, otherwise slots of a day (hour, minute, tariff), in order of time."""
    entries = _entries(octets)
    moments = [entry[:2] for entry in entries]
    if len(entries) > (SLOTS_MAX if di & 0xFF else ZONES_MAX) or moments != sorted(moments):
        return False
    if di & 0xFF:
        return all(hour < 24 and minute < 60 and 1 <= tariff <= TARIFFS_MAX for hour, minute, tariff in entries)
    return all(1 <= month <= 12 and 1 <= day <= 31 and 1 <= table <= DAY_TABLES_MAX for month, day, table in entries)


@app.on_start
def begin(meter: Meter) -> None:
    """Take up what was written, show it, and let it be written."""
    values = meter.memory = default_items(meter.settings(Settings)) | written_items(meter.saved)
    publish = meter.publish(PARAMETERS_PORT)

    def tell() -> None:
        meter.show(values)
        publish(msgspec.msgpack.encode(values))

    def written(di: int, octets: bytes) -> None:
        values[di] = octets
        tell()

    tell()
    meter.accept_writes(lambda di, octets: refusal(values, di, octets), written)
