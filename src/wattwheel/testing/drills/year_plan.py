"""The plan of the drill `year`: which tables and prices the meter gets, when they change, what else happens."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from wattwheel.testing.drills.year_account import EPOCH, Slot, Tables, Zone
from wattwheel.testing.drills.year_money import Prices
from wattwheel.testing.drills.year_reference import Plan

OPENED = 100_000_000
"""Millionths with which the wallet is opened."""
RATIO = 2
"""Of the current transformers."""
TIMED = (29, 7, 30)
"""Day, hour and minute of the freeze of each month."""
SETTLES = (1, 0)
INTERVAL_MINUTES = 15
PRICES_AFTER, STEPS_AFTER, ZONES_AFTER = timedelta(hours=3, minutes=10), timedelta(hours=7), timedelta(hours=5)
"""So long after the day tables the other sets of prices, steps and zones are taken."""
WRITTEN_AFTER = timedelta(days=2)
"""So long after the first switch-overs the second ones are written."""

DAYS = (
    (
        (Slot(0, 1), Slot(6 * 60 + 17, 2), Slot(12 * 60, 3), Slot(20 * 60 + 15, 4)),
        (Slot(3 * 60, 2), Slot(9 * 60 + 30, 1), Slot(17 * 60, 4), Slot(23 * 60 + 5, 3)),
    ),
    (
        (Slot(1 * 60 + 1, 4), Slot(7 * 60 + 30, 1), Slot(18 * 60, 2), Slot(22 * 60 + 59, 3)),
        (Slot(0, 2), Slot(5 * 60 + 45, 3), Slot(13 * 60 + 15, 4), Slot(21 * 60, 1)),
    ),
)
ZONES = ((Zone(1, 1, 1), Zone(3, 1, 2), Zone(11, 1, 1)), (Zone(2, 15, 2), Zone(6, 15, 1), Zone(9, 15, 2)))
TARIFF_PRICES = ((5123, 8017, 3001, 12999), (4999, 9111, 2873, 13577))
STEP_LIMITS = ((20_000, 60_000, 140_000), (35_000, 90_000, 300_000))
STEP_PRICES = ((0, 501, 1003, 2999), (107, 613, 1409, 3701))
STEP_ENDS_IN_SET_2 = ((3, 5, 13), (10, 1, 0))
"""Month, day and hour; in the first set it is the default: each month's first."""


STEPS = (
    (datetime(2028, 2, 28, 23, 57, tzinfo=UTC), 600),  # over a midnight, into 29 February
    (datetime(2028, 3, 1, 0, 2, tzinfo=UTC), -240),  # back over a settlement, a little
    (datetime(2028, 5, 1, 0, 7, tzinfo=UTC), -720),  # the same, and more
    (datetime(2028, 6, 30, 23, 55, tzinfo=UTC), 660),  # over a settlement: it is passed over
    (datetime(2028, 7, 31, 23, 59, 10, tzinfo=UTC), 130),  # the same, a little
    (datetime(2028, 8, 15, 0, 30, tzinfo=UTC), -3600),  # back over a midnight
)


class Course(NamedTuple):
    """What is lived through.

    Attributes:
        switches: when the other set of day tables is taken, the others soon after.
        clock_steps: how many come at random instants; `steps`: those that come when the clock shows a time, and by how
            many seconds.
    """

    begin: datetime
    days: int
    switches: tuple[datetime, datetime]
    cuts: int
    clock_steps: int
    purchases: int = 4
    steps: tuple[tuple[datetime, int], ...] = ()


def leap_year(cuts: int) -> Course:
    """2028."""
    switches = (datetime(2028, 2, 29, 13, 0, tzinfo=UTC), datetime(2028, 9, 30, 0, 30, tzinfo=UTC))
    return Course(datetime(2028, 1, 1, tzinfo=UTC), 366, switches, cuts, 24, 24, STEPS)


def minute_at(time: datetime) -> int:
    """Minutes of the calendar since 2000."""
    return (time - EPOCH) // timedelta(minutes=1)


def plan_of(course: Course) -> Plan:
    """What the reference has to know."""
    days, zones, prices, steps = (
        tuple(minute_at(switch + after) for switch in course.switches)
        for after in (timedelta(0), ZONES_AFTER, PRICES_AFTER, STEPS_AFTER)
    )
    years = range(course.begin.year, course.begin.year + 2)
    monthly = [datetime(year, month, 1, tzinfo=UTC) for year in years for month in range(1, 13)]
    yearly = [datetime(year, *end, tzinfo=UTC) for year in years for end in STEP_ENDS_IN_SET_2]
    ends = (tuple(map(minute_at, monthly)), tuple(map(minute_at, yearly)))
    charging = Prices(TARIFF_PRICES, STEP_LIMITS, STEP_PRICES, prices, steps, ends, RATIO)
    return Plan(Tables(ZONES, DAYS, zones, days), charging, OPENED)


def switch_parameters(course: Course, which: int) -> dict[int, str]:
    """The instants of the first (0) or the second switch-over, as they are written."""
    rows = {0x04000106: ZONES_AFTER, 0x04000107: timedelta(0), 0x04000108: PRICES_AFTER, 0x04000109: STEPS_AFTER}
    return {di: f"{course.switches[which] + after:%y%m%d%H%M}" for di, after in rows.items()}


def parameters(course: Course) -> dict[int, str]:
    """All that is written before anything flows, digits highest first."""
    found = {0x04000201: "03", 0x04000202: "02", 0x04000203: "04", 0x04000204: "04", 0x04000207: "03"}
    found[0x04000901] = "08"
    for which in (0, 1):
        base, prices, steps = 0x04010000 + (which << 16), 0x04050100 + (which << 8), 0x04060000 + (which << 9)
        zones = [f"{zone.month:02d}{zone.day:02d}{zone.table:02d}" for zone in ZONES[which]]
        found[base] = "".join(reversed(zones))
        for number, table in enumerate(DAYS[which], 1):
            slots = [f"{slot.minute // 60:02d}{slot.minute % 60:02d}{slot.tariff:02d}" for slot in table]
            found[base + number] = "".join(reversed(slots))
        found |= {prices + number: f"{price:08d}" for number, price in enumerate(TARIFF_PRICES[which], 1)}
        found |= {steps + 0x100 + number: f"{price:08d}" for number, price in enumerate(STEP_PRICES[which], 1)}
        found |= {steps + number: f"{limit:08d}" for number, limit in enumerate(STEP_LIMITS[which], 1)}
    for number, (month, day, hour) in enumerate(STEP_ENDS_IN_SET_2, 1):
        found[0x04060500 + number] = f"{month:02d}{day:02d}{hour:02d}"
    return found | switch_parameters(course, 0)
