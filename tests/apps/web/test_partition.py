"""What the page asks the bus for."""

from __future__ import annotations

import asyncio

import pytest

from wattwheel.apps.web.partition import BusFace
from wattwheel.model.catalogue import item_2007
from wattwheel.model.records import Quality, ValueRow
from wattwheel.model.transformer import Ratios

ANSWERED = (0x00010000, 0x0001FF00, 0x00090000, 0x02010100, 0x0D010000, 0x0D01FF00)
LISTED = ("00", "02", "0D")


class OwnMeter:
    """A meter whose owners answer `ANSWERED`, and say which groups they were asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def sampled(self, port):
        return lambda: None

    def has_port(self, port):
        return False

    def watch_readings(self, action):
        """None come."""

    async def identifiers(self, prefixes):
        self.asked = list(prefixes)
        return [di for di in ANSWERED if f"{di:08X}"[:2] in self.asked]

    async def read(self, item):
        return ValueRow(di=item.di_text, name=item.name, value=1, unit=item.unit, quality=Quality.VALID)


@pytest.mark.parametrize(
    ("prefix", "groups", "found"),
    [
        ("", ["00", "02"], ["00010000", "00090000", "02010100"]),
        ("00", ["00"], ["00010000", "00090000"]),
        ("0D", ["0D"], ["0D010000"]),
        ("0D02", ["0D"], []),
        ("02", ["02"], ["02010100"]),
    ],
)
def test_registers_with_four_decimals_are_there_for_who_asks_for_them(prefix, groups, found):
    meter = OwnMeter()
    face = BusFace(meter, Ratios(), LISTED)
    assert [row.di for row in asyncio.run(face.rows(prefix))] == found
    assert meter.asked == groups
    assert asyncio.run(face.row("precise_import_active_energy")).di == "0D010000" == item_2007(0x0D010000).di_text
