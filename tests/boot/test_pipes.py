"""The five services of the middle layer, and their pipes to the bus: made by themselves, and again after a kill."""

from __future__ import annotations

import pytest

from wattwheel.boot.settings import Settings
from wattwheel.boot.standard_module import standard_module
from wattwheel.testing.world import World

BUS = "bus"
SERVICES = ("communication", "metering", "platform", "security")
ASKED = {"communication": 0x04000401, "metering": 0x020A0101, "platform": 0x0400010C, "security": 0x0400010C}
"""What a head-end reads to see that the service works: through it, of it, or, of security, past it."""

LEVEL_2 = "220022"


def test_the_middle_layer_has_the_bus_and_four_services():
    names = [partition.name for partition in standard_module(Settings(), [], []).partitions]
    for name in (BUS, *SERVICES):
        assert names.count(name) == 1


def test_each_service_has_one_pair_of_pipes_to_the_bus():
    world = World(1)
    world.await_ready()
    pipes = list(world.meter.host.queuing)
    for name in SERVICES:
        ours = sorted(pipe for pipe in pipes if ">" in pipe and {name, BUS} == set(pipe.split(">")))
        assert ours == sorted((f"{name}>{BUS}", f"{BUS}>{name}"))


@pytest.mark.parametrize("killed", [BUS, *SERVICES])
def test_after_a_kill_its_pipes_carry_again(killed):
    world = World(2)
    world.set_power(3000)
    world.await_ready()
    world.advance(3)
    before = {name: world.meter.host.queuing[f"{name}>{BUS}"].sent for name in SERVICES}
    world.kill(killed)
    world.advance(5)
    world.await_ready()
    for name in SERVICES if killed == BUS else (killed,):
        if name != "security":
            assert world.ask(ASKED[name]).error is None, name
        else:
            assert world.request(0x1A, b"\x02" + bytes.fromhex(LEVEL_2)[::-1] + bytes(4)) == (0xDA, b"\x04")
        assert world.meter.host.queuing[f"{name}>{BUS}"].sent > before[name], name
    assert world.meter.crashes == []
