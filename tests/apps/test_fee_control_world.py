"""Fee control in a whole simulated meter: real frames, buttons, kills and cuts of the supply."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime

import pytest

from wattwheel.apex.messages import Control
from wattwheel.boot.settings import Settings
from wattwheel.model.errors import NotAnswered
from wattwheel.testing.world import KERNEL, World, simulated_settings

LEVEL_2, LEVEL_4 = "220022", "440044"
OPERATOR = bytes.fromhex("78563412")
TRIP, PERMIT, CLOSE, AUTO_CLOSE = 0x1A, 0x1B, 0x1C, 0x1D
FAR = bytes.fromhex("000000301299")
AFTERNOON = datetime(2026, 6, 10, 15, 59, 30, tzinfo=UTC)
PRICE, PRICE_2 = 0x04050101, 0x04050201
REGISTER, REMAINING, OVERDRAWN = 0x00010000, 0x00900200, 0x00900201
POWER_W = 36e4
"""A quantum of 0.01 kWh in 0.1 s."""


def fee_settings(mode: str) -> Settings:
    """A meter with passwords, fee control, and a current that is not transformed."""
    passwords = {"password_level_2": LEVEL_2, "password_level_4": LEVEL_4}
    return simulated_settings(dlt645=passwords, fee_control={"mode": mode}, meter={"current_ratio": 1})


@pytest.fixture
def make_world():
    def make(mode: str = "local", seed: int = 7) -> World:
        world = World(seed, settings=fee_settings(mode), calendar=AFTERNOON)
        world.await_ready()
        return world

    return make


def write(world: World, items: dict[int, str]) -> None:
    for di, digits in items.items():
        assert world.write(di, bytes.fromhex(digits)[::-1], 4, LEVEL_4) == (0x94, b"")
    world.advance(2)


def order(world: World, code: int, units: int = 0, deadline: bytes = FAR) -> tuple[int, bytes] | None:
    authority = bytes((2,)) + bytes.fromhex(LEVEL_2)[::-1] + OPERATOR
    return world.request(0x1C, authority + bytes((code, units)) + deadline)


def pay(world: World, words: str) -> int | None:
    """The ERR octet of the operator's command, 0 when it was done; None: nobody answered."""
    replies: list[int | None] = []
    world.meter.ask(
        Control.FEE, 0, words.encode(), lambda reply: replies.append(None if reply is None else reply.error)
    )
    world.advance_until(lambda: bool(replies), 2.0)
    return replies[0] if replies else None


def relay(world: World) -> dict[str, object]:
    message = world.published("relay")
    assert message is not None
    return json.loads(message)


def test_a_prepaid_meter_from_its_wallet_to_the_relay_and_back(make_world):
    world = make_world()
    assert relay(world)["is_open"] is True  # nothing was paid yet
    write(world, {PRICE: "01000000", 0x04001001: "00000500", 0x04001002: "00000000"})
    assert pay(world, "open-wallet 10") == 0
    world.advance(3)  # the contact is looked at three times, and told with the next push
    assert relay(world) == {
        "mode": "local",
        "is_open": False,
        "is_pending": False,
        "waits_for_key": False,
        "is_alarming": False,
        "is_preserved": False,
        "is_measured_open": False,
        "is_misoperating": False,
    }
    assert world.read(REMAINING) == 1000
    world.set_power(POWER_W / 100)  # a quantum in 10 s, and less than 30 A
    world.advance(55)
    assert (world.read(REMAINING), relay(world)["is_alarming"]) == (500, True)
    assert world.read("current_price") == 1_000_000
    world.advance(55)
    assert (world.read(REMAINING), relay(world)["is_open"]) == (0, True)
    assert world.read(0x1D000001) == 2  # at the start, and now
    record = world.ask(0x1D00FF01).check()
    assert len(record) == 34
    assert record[6:10] == bytes(4)
    assert pay(world, "recharge 20 1") == 0
    assert world.read("purchase_amount_1") == 2000
    world.advance(2)
    assert relay(world)["waits_for_key"] is True
    assert world.press("up", 3.0)
    world.advance(3)
    assert relay(world)["is_open"] is False
    assert pay(world, "recharge 20 1") == 0x02


def test_a_remote_meter_obeys_frames(make_world):
    world = make_world("remote")
    assert world.ask(REMAINING).error == 2
    assert order(world, TRIP) == (0x9C, b"")
    assert relay(world)["is_open"] is True
    assert world.ask(0x1D00FF01).check()[6:10] == OPERATOR
    assert order(world, AUTO_CLOSE, 1) == (0xDC, b"\x01")
    assert order(world, CLOSE, deadline=bytes(6)) == (0xDC, b"\x01")
    assert order(world, CLOSE, deadline=bytes.fromhex("295915100626")) == (0xDC, b"\x01")
    assert relay(world)["is_open"] is True
    assert order(world, CLOSE, deadline=bytes.fromhex("000016100626")) == (0x9C, b"")
    assert relay(world)["is_open"] is False
    assert world.read(0x1E000001) == 1


def test_orders_need_level_2_and_a_meter_with_a_relay(make_world):
    world = make_world("remote")
    wrong = bytes((4,)) + bytes.fromhex(LEVEL_4)[::-1] + OPERATOR
    assert world.request(0x1C, wrong + bytes((TRIP, 0)) + FAR) == (0xDC, b"\x04")
    assert relay(world)["is_open"] is False
    world = make_world("none")
    assert order(world, TRIP) == (0xDC, b"\x01")


@pytest.mark.parametrize("write_number", range(10))
def test_an_order_that_was_answered_survives_a_cut_at_any_write(make_world, write_number):
    world = make_world("remote")
    world.cut_power_at_write(write_number)
    reply = None
    with suppress(NotAnswered):
        reply = order(world, TRIP)
    world.advance(20)
    world.await_ready()
    world.advance(3)
    is_open = relay(world)["is_open"]
    assert is_open or reply != (0x9C, b"")
    assert world.read(0x1D000001) == int(is_open)


@pytest.mark.parametrize("seed", range(6))
def test_over_kills_and_cuts_money_is_exactly_what_the_register_says(make_world, seed):
    """The register moves in the money's transaction; so at every instant one is the other times the price."""
    world = make_world(seed=seed)
    write(world, {PRICE: "01000000", 0x04001402: "000000"})
    assert pay(world, "open-wallet 500000") == 0
    world.set_power(POWER_W)
    chance = world.chance
    for _ in range(25):
        world.advance(chance.uniform(0.1, 8))
        event = chance.choice(["energy", "store", KERNEL, "within", "cut", "none"])
        if event == "within":
            world.kill_within("energy", chance.randrange(1, 40))
        elif event == "cut":
            world.cut_power_at_write(chance.randrange(12))
        elif event != "none":
            world.kill(event)
    world.quiet()
    world.set_power(0)
    world.advance(30)
    world.await_ready()
    world.advance(5)
    assert world.read(REGISTER) > 200
    assert world.read(REMAINING) == 50_000_000 - 100 * world.read(REGISTER)
    assert not world.meter.crashes


def test_the_price_switches_over_and_the_energy_before_costs_the_old_one(make_world):
    world = make_world()
    write(world, {PRICE: "01000000", PRICE_2: "03000000", 0x04000108: "2606101600", 0x04001402: "000000"})
    assert pay(world, "open-wallet 10000") == 0
    world.set_power(POWER_W)
    world.advance(5)
    before = world.read(REGISTER)
    assert world.read(REMAINING) == 1_000_000 - 100 * before
    world.advance_until(lambda: world.clock.calendar().minute == 0, 60)
    world.advance(0.4)
    world.set_power(0)
    world.advance(3)
    register = world.read(REGISTER)
    assert before < register
    spent = 1_000_000 - world.read(REMAINING)
    assert spent >= 100 * register
    assert (spent - 100 * register) % 200 == 0
    assert (spent - 100 * register) // 200 <= 15  # of the last pushes, a second apart and late by a little
    assert world.read("current_price") == 3_000_000


def test_a_meter_clear_keeps_the_money_and_charges_nothing_again(make_world):
    world = make_world()
    write(world, {PRICE: "01000000", 0x04001402: "000000"})
    assert pay(world, "open-wallet 1000") == 0
    world.set_power(POWER_W)
    world.advance(10)
    world.set_power(0)
    world.advance(3)
    before = world.read(REMAINING)
    assert 0 < before < 100_000
    authority = bytes((2,)) + bytes.fromhex(LEVEL_2)[::-1] + OPERATOR
    assert world.request(0x1A, authority) == (0x9A, b"")
    world.advance(3)
    assert (world.read(REGISTER), world.read(REMAINING)) == (0, before)
    world.kill("energy")
    world.advance(3)
    world.set_power(POWER_W)
    world.advance(10)
    world.set_power(0)
    world.advance(3)
    assert before - world.read(REMAINING) == 100 * world.read(REGISTER) > 0


def test_switch_overs_of_prices_and_steps_are_frozen_once(make_world):
    world = make_world()
    write(world, {PRICE: "01000000", PRICE_2: "02000000", 0x04000108: "2606101601", 0x04000109: "2606101602"})
    assert world.ask(0x05050001).error == world.ask(0x05070001).error == 2
    world.advance(240)
    for kind, minute in ((0x05050000, "2606101601"), (0x05070000, "2606101602")):
        assert world.ask(kind + 1).check()[::-1].hex() == minute
        assert world.ask(kind + 0x0101).error is None
        assert world.ask(kind + 2).error == 2
    world.kill("energy")
    world.advance(70)
    assert world.ask(0x05050002).error == world.ask(0x05070002).error == 2
