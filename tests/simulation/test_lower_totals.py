"""A metering core that comes back with lower totals, under all functions: nothing falls, nothing dies, and it is told.

Its memory is put back to what it was some minutes before, as a medium would do that has lost its newest writes.
"""

from __future__ import annotations

import re

import pytest
from tests.apps.test_fee_control_world import LEVEL_4, fee_settings, pay

from wattwheel.testing.world import METERING_CORE, World

POWER_W = 36_000
IMPORT, TARIFF_1, PHASE_A, CHIP = 0x00010000, 0x00010100, 0x00150000, 0xB0490000
REMAINING, MAXIMUM, LOAD_RECORD = 0x00900200, 0x01010000, 0x06000002
WATCHED = (IMPORT, TARIFF_1, PHASE_A, 0x00030000, 0x00000000)
KWH_A_MINUTE = POWER_W / 1000 / 60


@pytest.fixture
def world():
    world = World(12, settings=fee_settings("local"))
    world.set_power(POWER_W, reactive_var=(3000, 3000, 3000))
    world.await_ready()
    world.advance(3)
    for di, digits in ((0x04050101, "00010000"), (0x04000103, "15"), (0x04000A02, "0001")):
        assert world.write(di, bytes.fromhex(digits)[::-1], 4, LEVEL_4) == (0x94, b"")
    assert pay(world, "open-wallet 1000") == 0
    return world


def set_back(world: World, minutes: int) -> None:
    """Let the core die, and come back with the memory that it had `minutes` ago."""
    memory = bytes(world.meter.disk.memories["ring"])
    world.advance(60 * minutes)
    world.kill(METERING_CORE)
    world.meter.disk.memories["ring"][:] = memory


def money(world: World) -> int:
    return int(world.ask(REMAINING).check()[::-1].hex())


def chip_faults(world: World) -> int:
    return int(world.ask(CHIP).check()[2::-1].hex())


def test_nothing_falls_and_what_flows_later_is_counted_once_it_has_passed(world):
    world.advance(300)
    set_back(world, minutes=4)
    floors = {di: world.read(di) for di in WATCHED}
    balance, maximum = money(world), world.ask(MAXIMUM).check()[:3][::-1].hex()
    for _ in range(3):
        for _ in range(12):
            world.advance(5)
            now = {di: world.read(di) for di in WATCHED}
            assert all(now[di] >= floors[di] for di in WATCHED)
            assert money(world) <= balance
            floors, balance = now, money(world)
    assert world.ask(MAXIMUM).check()[:3][::-1].hex() >= maximum
    assert chip_faults(world) == 1  # it stands behind for more than a minute: an event, not only a counter
    assert world.counters()["metering"]["totals_fell"] > 0
    stood, before = floors[IMPORT], money(world)
    world.advance(4 * 60)
    gained = (world.read(IMPORT) - stood) / 100
    assert 2 * KWH_A_MINUTE < gained < 3.2 * KWH_A_MINUTE  # a minute was missing still, what came after it is counted
    assert (before - money(world)) / 100 == pytest.approx(gained, abs=0.02)  # a yuan a kWh
    assert world.meter.crashes == []
    told = [line for line in world.meter.log if re.search("core.*below what it has told", str(line))]
    assert len(told) == 1, world.meter.log[-9:]


@pytest.mark.parametrize("victim", ["energy", "metering", "kernel"])
def test_not_even_when_the_service_that_remembers_dies_too(world, victim):
    """The link forgets what it had heard; the books of `energy` do not."""
    world.advance(120)
    set_back(world, minutes=3)
    world.advance(20)
    floors = {di: world.read(di) for di in WATCHED}
    world.kill(victim)
    for _ in range(30):
        world.advance(8)
        now = {di: world.read(di) for di in WATCHED}
        assert all(now[di] >= floors[di] for di in WATCHED)
        floors = now
    assert world.meter.crashes == []


def test_the_functions_go_on_with_their_own(world):
    """Load records, freezes and minutes come while the core stands behind; none of them falls."""
    world.advance(120)
    set_back(world, minutes=5)
    world.advance(200)
    records = world.ask(LOAD_RECORD, parameters=b"").check()
    assert records
    assert world.request(0x16, b"\x99" * 4) == (0x96, b"")
    world.advance(2)
    assert world.ask(0x05010101).check()[:4][::-1].hex() <= f"{world.read(IMPORT):08d}"
    assert world.meter.crashes == []
