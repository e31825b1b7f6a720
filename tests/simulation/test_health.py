"""Time and health of a whole meter in a simulated world: a failing medium, a failing supply, APPs in windows."""

from __future__ import annotations

import msgspec
import pytest

from wattwheel.kernel.config import ModuleConfig, ScheduleConfig, WindowConfig
from wattwheel.testing.world import World

MS = 1_000_000
COMMITS_S = 200.0


def entries(world, error):
    return [entry for entry in world.meter.module.health.newest(100) if entry["error"] == error]


def test_a_medium_that_fails_is_told_once_and_the_meter_goes_on():
    world = World(seed=3)
    world.await_ready()
    world.set_power(3000.0)
    world.meter.disk.is_full = True
    world.advance(COMMITS_S)
    (entry,) = entries(world, "STORAGE_FAILURE")
    assert (entry["partition"], entry["code"], entry["action"]) == ("store", "HARDWARE_FAULT", "IGNORE")
    assert entry["times"] == 1
    assert set(world.restarts().values()) == {0}
    world.meter.disk.is_full = False
    world.advance(COMMITS_S)
    world.meter.disk.is_full = True
    world.advance(COMMITS_S)
    assert entries(world, "STORAGE_FAILURE")[0]["times"] == 2


def test_a_failing_supply_ends_all_partitions_in_order():
    world = World(seed=4)
    world.await_ready()
    world.meter.module.raise_error("POWER_FAIL", "the supply fails")
    world.advance(3)
    assert world.meter.host.bodies == {}
    assert set(world.meter.module.modes().values()) == {"IDLE"}
    assert world.meter.log[-1].endswith("the module ends (POWER_FAIL, MODULE level)")


def in_windows(config: ModuleConfig) -> ModuleConfig:
    """Energy and display in windows of 100 ms, everything else at any time."""
    windows = (WindowConfig(1, "energy", 0, 60 * MS, True), WindowConfig(2, "display", 60 * MS, 30 * MS, True))
    return msgspec.structs.replace(config, schedule=ScheduleConfig(100 * MS, windows))


@pytest.mark.parametrize("seed", range(3))
def test_a_meter_with_windowed_apps_answers_and_loses_nothing(seed):
    world = World(seed=seed, adapt=in_windows)
    world.await_ready()
    world.set_power(6000.0)
    world.advance(600)
    world.set_power(0.0)
    world.advance(5)
    assert world.metered_microjoule() == world.true_microjoule()
    assert world.read(0x00010000) == world.true_microjoule() // 36_000_000_000
    world.kill("energy")
    world.advance(5)
    assert world.read(0x00010000) == world.true_microjoule() // 36_000_000_000
    used = world.meter.module.windows()
    for name in ("energy", "display"):
        assert used[name]["missed"] == used[name]["overruns"] == used[name]["lateness_ns_max"] == 0
    assert world.meter.crashes == []
    assert set(world.meter.module.partitions) - {"energy"} == {
        name for name, restarts in world.restarts().items() if restarts == 0
    }
