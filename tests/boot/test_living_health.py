"""The health monitor over real processes: hangs are found, the operator's word counts, a failing supply ends all."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
import warnings

import msgspec
import pytest

from wattwheel.apex import partition as apex_partition
from wattwheel.boot.body import run_body
from wattwheel.boot.kernel_process import SHUTDOWN_STATUS
from wattwheel.drivers.linux.clock import LinuxClock
from wattwheel.drivers.linux.loop import EpollLoop
from wattwheel.drivers.linux.process import LinuxProcessHost
from wattwheel.kernel import module as kernel_module
from wattwheel.kernel.config import ModuleConfig, PartitionConfig
from wattwheel.kernel.module import Module
from wattwheel.testing.living import LivingMeter

PATIENCE_S = 30.0
HEARTBEAT_NS, LOOK_NS = 40_000_000, 60_000_000
"""A hundredth of the real ones; looks are counted, so what is tested is the same."""


class LivingModule:
    """Two partitions as real processes: `odd` with the entry under test, `calm` beside it."""

    def __init__(self, entry, path):
        with (
            warnings.catch_warnings(),
            open(2, "w", encoding="utf-8", closefd=False) as plain,
            contextlib.redirect_stderr(plain),
        ):
            warnings.simplefilter("ignore", DeprecationWarning)
            self.host = LinuxProcessHost(run_body)
        self.loop = EpollLoop()
        self.host.attach(self.loop)
        self.host.grant_device("folder", [], None, str(path.parent))
        config = ModuleConfig(
            "living",
            (
                PartitionConfig("odd", f"tests.boot.hang_entries:{entry}", msgspec.json.encode(str(path)), ("folder",)),
                PartitionConfig("calm", "tests.boot.hang_entries:calm"),
            ),
        )
        self.log = []
        self.normal = []
        self.inboxes = []
        self._make, self.host.queuing_destination = self.host.queuing_destination, self._remember
        self.module = Module(config, LinuxClock(self.loop), self.host, self.log.append)
        self.module.start(lambda: self.normal.append(1))

    def _remember(self, channel):
        self.inboxes.append(self._make(channel))
        return self.inboxes[-1]

    def close(self):
        for inbox in self.inboxes:
            inbox.close()
        self.host.close()
        self.loop.close()

    def until(self, condition):
        end = time.perf_counter() + PATIENCE_S
        while not condition():
            assert time.perf_counter() < end, (self.log, self.module.modes())
            self.loop.step(0.05)

    def health(self):
        return [(entry["partition"], entry["error"], entry["action"]) for entry in self.module.health.newest(20)]


@pytest.fixture
def living(monkeypatch, tmp_path):
    monkeypatch.setattr(apex_partition, "HEARTBEAT_NS", HEARTBEAT_NS)
    monkeypatch.setattr(kernel_module, "LOOK_NS", LOOK_NS)
    made = []

    def make(entry):
        made.append(LivingModule(entry, tmp_path / "lived"))
        return made[-1]

    yield make
    for each in made:
        each.close()


def is_back(living, births=2):
    odd = living.module.partitions["odd"]
    return odd.births == births and odd.mode.name == "NORMAL"


def test_an_endless_task_is_found_and_the_partition_started_again(living):
    module = living("endless")
    module.until(lambda: is_back(module))
    assert module.health() == [("odd", "HANG", "COLD_START")]
    assert module.module.partitions["calm"].births == 1


def test_a_partition_that_was_stopped_from_outside_is_found_and_started_again(living):
    module = living("calm")
    module.until(lambda: bool(module.normal))
    os.kill(module.module.partitions["odd"].body.pid, signal.SIGSTOP)
    module.until(lambda: is_back(module))
    assert module.health() == [("odd", "HANG", "COLD_START")]
    assert module.module.partitions["calm"].births == 1


@pytest.fixture(scope="module")
def meter():
    with LivingMeter() as living:
        yield living
        living.stop()


def wattwheel(*arguments):
    command = [sys.executable, "-m", "wattwheel", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30)


def status_when(meter, is_so):
    end = time.perf_counter() + PATIENCE_S
    while not is_so(status := meter.status()):
        assert time.perf_counter() < end, status
        if select.select([meter.process.stdout], [], [], 0.05)[0]:
            meter.drain()
    return status


def test_a_partition_idles_and_starts_as_the_operator_says(meter):
    state = ("--state", str(meter.state))
    assert set(meter.status()["modes"].values()) == {"NORMAL"}
    done = wattwheel("partition", "display", "idle", *state)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    status = status_when(meter, lambda status: status["pids"]["partitions"]["display"] is None)
    assert status["modes"]["display"] == "IDLE"
    assert wattwheel("partition", "display", "cold_start", *state).returncode == 0
    status = status_when(meter, lambda status: status["modes"]["display"] == "NORMAL")
    assert status["restarts"]["display"] == 0
    assert status["windows"] == {}
    wrong = wattwheel("partition", "fridge", "IDLE", *state)
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert "fridge" in wrong.stderr


def test_a_kill_is_a_decision_in_the_status(meter):
    pid = meter.status()["pids"]["partitions"]["energy"]
    os.kill(pid, signal.SIGKILL)
    status = status_when(meter, lambda status: status["pids"]["partitions"]["energy"] not in (pid, None))
    entry = status["health"][-1]
    assert (entry["partition"], entry["error"], entry["code"]) == ("energy", "CRASH", "APPLICATION_ERROR")
    assert (entry["level"], entry["action"], entry["times"]) == ("PARTITION", "COLD_START", 1)
    assert entry["detail"] == "ended with status -9"


def test_a_failing_supply_ends_the_meter_in_order(meter):
    """Runs last: the meter is gone then."""
    meter.process.send_signal(signal.SIGPWR)
    assert meter.process.wait(20) == SHUTDOWN_STATUS
    meter.stop()
    assert "the supply fails; the module ends (POWER_FAIL, MODULE level)" in meter.output
    assert "Traceback" not in meter.output
    assert "starting it again" not in meter.output
