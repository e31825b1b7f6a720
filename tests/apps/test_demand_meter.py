"""The demand in a simulated meter, asked with real frames: maxima, settlement, the clears, whatever dies."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from tests.apps.demand_bench import NONE, OPERATOR, maximum
from tests.apps.test_energy_tariffs import LEVEL_4, TARIFFS, write
from tests.apps.test_meter_clear import LEVEL_2, clear_data

from wattwheel.model.demand import PERIOD, SLIP
from wattwheel.model.errors import NotAnswered
from wattwheel.testing.world import KERNEL, World, simulated_settings

FORWARD, APPARENT, CLEARS, RECORD = 0x01010000, 0x01090000, 0x03300200, 0x03300201
EVENING = datetime(2026, 6, 30, 23, 54, 50, tzinfo=UTC)
POWER_W = 30_000
CLEAR_DEMAND, CLEAR_METER, DONE = 0x19, 0x1A, (0x99, b"")


@pytest.fixture
def world():
    """A meter ten seconds before a minute, with a period of 5 minutes and 30 kW."""
    settings = simulated_settings()
    own = msgspec.structs.replace(settings.dlt645, password_level_2=LEVEL_2, password_level_4=LEVEL_4)
    world = World(5, settings=msgspec.structs.replace(settings, dlt645=own), calendar=EVENING)
    world.set_power(POWER_W, reactive_var=(0, 0, 0))
    world.await_ready()
    write(world, {PERIOD: "05", TARIFFS: "02"})
    return world


def advance_to(world: World, at: datetime) -> None:
    world.advance((at - world.clock.calendar()).total_seconds())


def read(world: World, di: int) -> tuple[int, str]:
    return maximum(world.ask(di).check())


def is_near(value: int, power_w: float = POWER_W) -> bool:
    return abs(value - 10 * power_w) <= 0.002 * 10 * power_w  # the load's sampling and the push a second


def test_the_maximum_of_a_period_that_ends_with_it_and_the_clear_of_the_next(world):
    midnight = EVENING.replace(hour=0, minute=0, second=0) + timedelta(days=1)
    advance_to(world, midnight - timedelta(seconds=2))
    assert read(world, FORWARD) == NONE
    assert 0 < world.read("active_demand") < 10 * POWER_W
    assert world.ask(0x01010001).error == 2
    advance_to(world, midnight + timedelta(seconds=2))
    value, time = read(world, 0x01010001)
    assert (is_near(value), time) == (True, "2607010000")
    assert read(world, FORWARD) == NONE
    block = world.ask(0x010100FF).check()
    assert (maximum(block[:8]), maximum(block[8:])) == (NONE, (value, time))
    advance_to(world, midnight + timedelta(minutes=5, seconds=3))
    value, time = read(world, FORWARD)
    assert (is_near(value), time) == (True, "2607010005")
    assert is_near(world.read("active_demand"))
    assert read(world, APPARENT)[0] == value
    assert is_near(read(world, 0x01150000)[0], POWER_W / 3)
    assert [maximum(octets) for octets in _eights(world.ask(0x0101FF00).check())] == [(value, time)] * 2 + [NONE]
    assert world.ask(0x01010300).error == 2
    assert world.ask(0x0101FFFF).error == 2
    assert world.request(CLEAR_DEMAND, clear_data(4, LEVEL_4)) == DONE
    assert read(world, FORWARD) == read(world, 0x01150000) == NONE
    assert world.read("active_demand") == 0
    assert read(world, 0x01010001)[1] == "2607010000"
    assert world.read(CLEARS) == 1
    record = world.ask(RECORD).check()
    assert (len(record), record[6:10], maximum(record[10:18])) == (202, OPERATOR, (value, time))
    assert world.request(CLEAR_METER, clear_data(2, LEVEL_2)) == (0x9A, b"")
    assert world.ask(0x01010001).error == 2
    assert world.read(CLEARS) == 0
    assert world.meter.crashes == []


def _eights(octets: bytes) -> list[bytes]:
    return [octets[at : at + 8] for at in range(0, len(octets), 8)]


def test_a_demand_clear_needs_its_password(world):
    assert world.request(CLEAR_DEMAND, clear_data(4, "000000")) == (0xD9, b"\x04")
    assert world.request(CLEAR_DEMAND, clear_data(6, LEVEL_4)) == (0xD9, b"\x04")
    assert world.read(CLEARS) == 0
    assert world.request(CLEAR_DEMAND, clear_data(2, LEVEL_2)) == DONE
    assert world.read(CLEARS) == 1


@pytest.mark.parametrize(("name", "survives"), [("energy", True), ("store", True), ("metering", True), (KERNEL, False)])
def test_the_windows_outlive_a_kill_of_a_partition(world, name, survives):
    world.advance(150)
    world.kill(name)
    world.advance(175)  # past midnight, which ends a period
    value, time = read(world, 0x01010001)
    assert read(world, FORWARD) == NONE
    if survives:
        assert (is_near(value), time) == (True, "2607010000")
    else:
        assert (value, time) == NONE


def test_a_loss_of_the_supply_restarts_and_keeps_the_maxima(world):
    write(world, {0x04000B01: "1000"})
    world.advance(345)
    reached = read(world, FORWARD)
    assert is_near(reached[0])
    world.advance(65)  # the store has committed
    world.set_power(2 * POWER_W)
    world.cut_power_at_write(0)
    world.advance(70)
    assert world.power_cuts == 1
    world.await_ready()
    assert 0 <= world.read("active_demand") < 10 * 2 * POWER_W / 3
    assert read(world, FORWARD)[0] >= reached[0]


@pytest.mark.parametrize("writes", range(8))
def test_cut_at_every_write_a_demand_clear_is_complete_or_not_begun(world, writes):
    write(world, {0x04000B01: "1000"})
    world.advance(345)
    reached = read(world, FORWARD)
    world.advance(70)
    world.cut_power_at_write(writes)
    try:
        reply = world.request(CLEAR_DEMAND, clear_data(4, LEVEL_4))
    except NotAnswered:
        reply = None
    world.advance(20)
    world.await_ready()
    is_clear = world.read(CLEARS) == 1
    assert is_clear or reply != DONE
    assert (read(world, FORWARD) == NONE) is is_clear
    assert is_clear or read(world, FORWARD)[0] >= reached[0]
    assert (world.ask(RECORD).error == 2) is not is_clear


def test_a_block_window_may_be_set_and_is_evaluated_at_its_end(world):
    write(world, {SLIP: "05"})
    world.advance(8 * 60)
    assert read(world, 0x01010001)[1] == "2607010000"
    assert read(world, FORWARD) == NONE
    before = world.read("active_demand")
    world.advance(60)
    assert world.read("active_demand") == before == 0  # cleared by the settlement
    world.advance(2 * 60)
    value, time = read(world, FORWARD)
    assert (is_near(value), time) == (True, "2607010005")
