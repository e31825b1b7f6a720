"""The whole meter under virtual time: kills anywhere, rough wires, cuts of the supply; the same answers as on Linux.

A failing seed is replayed with `WATTWHEEL_TEST_SEED=number pytest tests/simulation`.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from tests.simulation.scenario import Read, tell

from wattwheel.apex.codes import OperatingMode
from wattwheel.drivers.sim.octets import SimChannel
from wattwheel.model.errors import NotAnswered, Refused, UnknownItem
from wattwheel.testing.world import KERNEL, LINE, METERING_CORE, ROUGH, TCP, World, simulated_settings

CENTI = 36_000_000_000
ENERGY = 0x00010000
POWER_W = 36e6  # 1000 units of the last digit a second: nothing is lost or doubled unseen
POWER_UNITS_A_S = 1000
SEEDS = (
    [int(os.environ["WATTWHEEL_TEST_SEED"])]
    if "WATTWHEEL_TEST_SEED" in os.environ
    else range(int(os.environ.get("WATTWHEEL_TEST_SEEDS", "300")))
)
QUIET_S = 8.0
SYNC_S = 20.0
REPO = Path(__file__).parents[2]


class Reader:
    """A head-end that reads energy now and then, and what must hold of each answer."""

    def __init__(self, world: World, chance: random.Random) -> None:
        self.world, self.chance = world, chance
        self.floor = self.answers = self.errors = self.silences = 0

    def try_to_read(self) -> None:
        """Silence and errors are allowed while something is dead or the line is rough."""
        try:
            self.read()
        except NotAnswered:
            self.silences += 1
        except Refused:
            self.errors += 1

    def read(self) -> None:
        units = int(self.world.ask(ENERGY, self.chance.choice((TCP, LINE))).check()[::-1].hex())
        self.answers += 1
        true = self.world.true_microjoule() // CENTI
        assert self.floor <= units, f"fell from {self.floor} to {units}"
        assert units <= true, f"{units} answered, {true} have flowed"
        self.floor = units


def hit(world: World, chance: random.Random) -> None:
    """Perhaps a death, between two tasks or in the middle of one."""
    blow = chance.random()
    if blow < 0.25:
        world.kill(chance.choice(world.names))
    elif blow < 0.5:
        world.kill_within(chance.choice([name for name in world.names if name != KERNEL]), chance.randrange(60))


def check_health(world: World) -> None:
    assert [f"{crash.partition}: {crash.fault!r}" for crash in world.meter.crashes] == []
    assert world.meter.core.faults == []
    assert all(partition.mode is OperatingMode.NORMAL for partition in world.meter.module.partitions.values())


@pytest.mark.parametrize("seed", SEEDS)
def test_energy_never_falls_never_exceeds_what_flowed_and_is_right_after_some_quiet(seed):
    world, chance = World(seed, ROUGH), random.Random(seed ^ 0xFACE)
    reader = Reader(world, chance)
    world.set_power(POWER_W)
    for _ in range(chance.randrange(12, 24)):
        world.advance(chance.choice((0.05, 0.3, 1, 2.5)))
        hit(world, chance)
        if chance.random() < 0.7:
            reader.try_to_read()
    world.quiet()
    world.advance(QUIET_S)
    reader.read()
    world.set_power(0)
    world.advance(3)
    reader.read()
    assert reader.floor == world.metered_microjoule() // CENTI, "the two cores do not agree"
    starts = world.meter.core.starts
    lost = world.true_microjoule() // CENTI - reader.floor
    assert lost <= starts * POWER_UNITS_A_S * 1.4 + 1, "more than what flowed between the last push and the next start"
    check_health(world)


@pytest.mark.parametrize("seed", range(60))
def test_a_cut_of_the_supply_costs_what_was_not_synced_and_never_counts_twice(seed):
    world, chance = World(seed), random.Random(seed)
    world.set_power(POWER_W)
    world.await_ready()
    for _ in range(2):
        world.advance(chance.uniform(1, 70))
        before = world.read(ENERGY)
        cuts = world.power_cuts
        world.cut_power_at_write(chance.randrange(4))
        assert world.advance_until(lambda cuts=cuts: world.power_cuts > cuts, 100)
        flowed_since = world.true_microjoule() // CENTI - before
        world.advance(5)
        after = world.read(ENERGY)
        assert before - after <= SYNC_S * POWER_UNITS_A_S + flowed_since
        assert after <= world.true_microjoule() // CENTI
        assert after >= world.metered_microjoule() // CENTI - 2 * POWER_UNITS_A_S
    check_health(world)


def test_a_world_is_the_same_again_and_another_seed_is_another_world():
    def story(seed: int) -> list[object]:
        world, chance = World(seed, ROUGH), random.Random(seed)
        world.set_power(POWER_W)
        told: list[object] = []
        for _ in range(15):
            world.advance(chance.uniform(0.1, 2))
            hit(world, chance)
            try:
                told.append((world.clock.now_ns(), world.ask(ENERGY)))
            except NotAnswered as silence:
                told.append((world.clock.now_ns(), str(silence)))
        return [*told, world.counters(), world.restarts(), world.meter.log]

    assert story(11) == story(11)
    assert story(11) != story(12)


def test_a_while_without_a_fault():
    world = World(1)
    world.set_power(5_000, reactive_var=(-300, -300, 600))
    world.await_ready()
    world.advance(1440)
    assert world.read("import_active_energy") == world.read("import_active_energy_tariff_1") == 200
    assert world.read("voltage_a", LINE) == 2200
    assert world.true_microjoule() // CENTI == 200
    assert world.restarts() == dict.fromkeys(world.restarts(), 0)
    assert world.counters()["metering"]["frames_rejected"] == 0
    assert world.counters()["energy"]["totals_fell"] == 0
    assert world.meter.log == []
    assert max(world.meter.host.queue_lengths().values()) == 0
    check_health(world)


def test_names_and_identifiers_that_do_not_exist():
    world = World(2)
    world.await_ready()
    with pytest.raises(UnknownItem):
        world.read("no such thing")
    with pytest.raises(Refused):
        world.read("import_active_energy_tariff_5")
    with pytest.raises(KeyError, match="nobody; there are bus"):
        world.kill("nobody")


def test_what_a_head_end_asks_leaves_no_connection_behind():
    settings = simulated_settings()
    own = msgspec.structs.replace(settings.dlt645, connections_max=2)
    world = World(5, settings=msgspec.structs.replace(settings, dlt645=own))
    world.await_ready()
    for _ in range(4):
        assert world.request(0x11, ENERGY.to_bytes(4, "little"))[0] == 0x91
        assert world.broadcast(0x08, bytes(6)) == b""
        assert world.request(0x11, ENERGY.to_bytes(4, "little"), LINE)[0] == 0x91
        assert world.ask(ENERGY, LINE).error is None
    counters = world.counters()["communication"]
    assert counters["connections"] == 8
    assert "connections_refused" not in counters


def test_both_cores_stop_in_order():
    world = World(3)
    world.set_power(POWER_W)
    world.await_ready()
    world.advance(7.7)
    stopped: list[int] = []
    world.meter.stop(lambda: stopped.append(1))
    world.advance(5)
    assert stopped == [1]
    assert world.meter.host.bodies == {}
    metered = world.metered_microjoule()
    world.meter.lose_power()
    world.meter.power_up()
    world.await_ready()
    assert world.meter.core.books.registers()[0] >= metered
    assert world.read(ENERGY) >= metered // CENTI
    assert METERING_CORE in world.names


class SimulatedMeter:
    """The story's meter on the simulated host; its own core is held down, the test speaks in its place."""

    def __init__(self) -> None:
        self.world = World(0)
        self.world.meter.core.is_held_down = True
        self.world.kill(METERING_CORE)
        self._core = SimChannel(self.world.meter.core_link.near)
        self.world.advance(0.5)
        self._core.read()

    def push(self, octets: bytes) -> None:
        self._core.write(octets)

    def kill(self, name: str) -> None:
        self.world.kill(name)
        partition = self.world.meter.module.partitions[name]
        self.world.advance(0.001)
        assert self.world.advance_until(lambda: partition.mode is OperatingMode.NORMAL, 5)

    def wait(self) -> None:
        self.world.advance(0.02)

    def read(self, di: int) -> Read:
        self._core.read()
        answer = self.world.ask(di, tries=5)
        return answer.error, answer.data.hex()


def test_the_same_story_on_both_hosts_has_the_same_answers(tmp_path):
    program = REPO / "tests" / "simulation" / "linux_meter.py"
    told = subprocess.run(
        [sys.executable, str(program), str(tmp_path)],
        env=os.environ | {"PYTHONPATH": str(REPO)},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert told.returncode == 0, told.stderr.decode()
    on_linux = msgspec.json.decode(told.stdout)
    simulated = msgspec.json.decode(msgspec.json.encode(tell(SimulatedMeter())))
    assert simulated == on_linux
    errors = [error for error, _ in simulated[0]]
    assert errors.count(None) >= 24
    assert set(errors) == {None, 2}


def test_readings_go_stale_with_the_service_that_publishes_them():
    """A metering service that stands still publishes nothing, not even that it is stale: readers see it by the age."""
    world = World(7)
    world.await_ready()
    world.advance(5)
    body = world.meter.host.bodies["metering"]
    before = world.read("voltage_a")
    assert before is not None
    body.pause()
    world.advance(6)
    assert world.ask(0x02010100).error == 0x02
    assert world.ask(ENERGY).error is None, "the last good totals stay"
    body.resume()
    world.advance(3)
    assert world.read("voltage_a") == before
