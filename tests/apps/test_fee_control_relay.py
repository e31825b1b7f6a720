"""A relay that switches a load, in a whole simulated meter: what is metered, guarded, and told when it sticks."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from tests.apps.test_fee_control_world import CLOSE, PERMIT, TRIP, fee_settings, order, relay, write

from wattwheel.apex.messages import Control
from wattwheel.model.private_items import RELAY_DI
from wattwheel.testing.world import METERING_CORE, World

RELAY_OPEN, ORDER_OPEN, LOOP_ERROR = 1 << 4, 1 << 6, 1 << 8
MISOPERATIONS, NEWEST = 0x03360000, 0x03360001
ERR_01 = "error 01"
MORNING = datetime(2026, 6, 10, 9, 0, 10, tzinfo=UTC)


@pytest.fixture
def make_world():
    def make(seed: int = 3, mode: str = "remote") -> World:
        world = World(seed, settings=fee_settings(mode), calendar=MORNING)
        world.await_ready()
        world.set_power(3000)
        world.advance(5)
        return world

    return make


def hold(world: World, is_held: bool) -> int | None:
    replies: list[int | None] = []
    data = bytes((is_held,))
    world.meter.ask(
        Control.CONTACT, RELAY_DI, data, lambda reply: replies.append(None if reply is None else reply.error)
    )
    world.advance_until(lambda: bool(replies), 3.0)
    return replies[0]


def word(world: World, number: int) -> int:
    return int.from_bytes(world.ask(0x04000500 + number).check(), "little")


def test_the_load_stops_and_comes_back_and_no_energy_is_lost_or_invented(make_world):
    world = make_world()
    assert order(world, TRIP) == (0x9C, b"")
    world.advance(2.5)
    at_trip = world.metered_microjoule()
    assert at_trip == world.true_microjoule()
    assert at_trip > 0
    assert world.read("current_a") == 0
    assert world.read("active_power") == 0
    assert world.read("voltage_a") == 2200
    world.advance(60)
    assert world.metered_microjoule() == world.true_microjoule() == at_trip
    assert order(world, CLOSE) == (0x9C, b"")
    world.advance(2)
    before_ms, before = world.clock.now_ns() // 1_000_000, world.true_microjoule()
    world.advance(100)
    world.advance(1 - world.clock.now_ns() % 200_000_000 / 1e9)
    passed_ms = world.clock.now_ns() // 1_000_000 - before_ms
    assert world.true_microjoule() - before == 3_000_000 * passed_ms
    assert world.metered_microjoule() == world.true_microjoule()
    assert world.read("current_a") > 4000
    assert word(world, 3) & (RELAY_OPEN | ORDER_OPEN) == 0
    assert word(world, 1) == 0


def test_what_is_measured_is_told_by_the_core_and_not_assumed(make_world):
    world = make_world()
    order(world, TRIP)
    world.advance(0.1)
    assert world.meter.core.relay.is_open
    assert word(world, 3) & (RELAY_OPEN | ORDER_OPEN) == ORDER_OPEN
    world.advance(3)
    assert word(world, 3) & (RELAY_OPEN | ORDER_OPEN) == RELAY_OPEN | ORDER_OPEN
    world.kill("energy")
    world.advance(3)
    assert relay(world)["is_measured_open"] is True


@pytest.mark.parametrize("name", ["energy", "metering", METERING_CORE, "kernel"])
def test_an_order_reaches_the_relay_over_deaths(make_world, name):
    world = make_world()
    world.kill_within(name, 3) if name != "kernel" else None
    order(world, TRIP)
    world.kill(name)
    world.advance(15)
    world.await_ready()
    world.advance(3)
    assert world.meter.core.relay.is_open is relay(world)["is_open"]
    order(world, TRIP)
    world.advance(5)
    assert world.meter.core.relay.is_open is True
    world.advance(30)
    world.advance(0.2 - world.clock.now_ns() % 200_000_000 / 1e9)
    assert world.read("current_a") == 0
    assert world.metered_microjoule() <= world.true_microjoule()


def test_a_latched_relay_stays_open_over_a_cut_of_the_supply(make_world):
    world = make_world()
    order(world, TRIP)
    world.advance(3)
    flowed = world.true_microjoule()
    world.cut_power_at_write(0)
    world.advance(30)
    world.await_ready()
    world.advance(5)
    assert world.power_cuts == 1
    assert world.meter.core.relay.is_open is True
    assert world.true_microjoule() == flowed


def test_after_a_cut_a_permit_to_close_waits_for_the_user(make_world):
    world = make_world()
    order(world, PERMIT)
    world.advance(5)
    assert world.meter.core.relay.is_open is False
    world.kill("energy")
    world.advance(10)
    assert world.meter.core.relay.is_open is False  # only the supply's return opens it
    world.cut_power_at_write(0)
    world.advance(30)
    world.await_ready()
    world.advance(5)
    assert world.power_cuts == 1
    assert world.meter.core.relay.is_open is True
    assert world.press("up", 3.0)
    world.advance(5)
    assert world.meter.core.relay.is_open is False


def test_a_large_current_postpones_the_trip_of_a_real_load(make_world):
    """FC-08: above 30 A a built-in relay does not open before the guard time is over."""
    world = make_world()
    write(world, {0x04001402: "030000", 0x04001403: "0002"})
    world.set_power(25_000)  # 37.9 A a phase
    world.advance(3)
    assert order(world, TRIP) == (0x9C, b"")
    world.advance(100)
    assert (world.meter.core.relay.is_open, relay(world)["is_pending"]) == (False, True)
    world.advance(25)
    assert world.meter.core.relay.is_open is True
    assert order(world, CLOSE) == (0x9C, b"")
    world.advance(3)
    assert order(world, TRIP) == (0x9C, b"")
    world.advance(20)
    assert world.meter.core.relay.is_open is False
    world.set_power(15_000)
    world.advance(3)
    assert world.meter.core.relay.is_open is True


def test_a_relay_that_sticks_is_an_event_a_status_bit_and_an_error_on_the_display(make_world):
    """FC-11: the load goes on, and the meter says so after 5 s."""
    world = make_world()
    assert hold(world, True) == 0
    before = world.true_microjoule()
    order(world, TRIP)
    world.advance(4)
    assert word(world, 1) & LOOP_ERROR == 0
    world.advance(3)
    assert word(world, 1) & LOOP_ERROR
    assert word(world, 3) & (RELAY_OPEN | ORDER_OPEN) == ORDER_OPEN
    assert world.read(MISOPERATIONS) == 1
    assert world.true_microjoule() - before > 3_000_000 * 6000
    world.advance(10)
    assert json.loads(world.published("display"))["title"].startswith(ERR_01)
    assert hold(world, False) == 0
    world.advance(20)
    assert world.meter.core.relay.is_open is False  # the next drive is up to 5 min away
    world.advance(290)
    assert world.meter.core.relay.is_open is True
    world.advance(8)
    assert word(world, 1) & LOOP_ERROR == 0
    record = world.ask(NEWEST).check()
    assert record[6:12] != bytes(6)
    assert world.read(MISOPERATIONS) == 1


def test_a_meter_without_a_relay_drives_none_and_measures_none(make_world):
    world = make_world(mode="none")
    assert hold(world, True) == 2
    assert world.meter.core.relay is None
    assert word(world, 3) == 0
    world.advance(10)
    assert world.read("current_a") > 0
