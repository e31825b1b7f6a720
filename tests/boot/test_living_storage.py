"""A living meter whose state folder is hit: metering goes on, the fault is told, energy is never silently zero."""

import contextlib
import os
import select
import shutil
import signal
import time

import pytest
from tests.head_end import HeadEnd

from wattwheel.boot.condition import faults_in
from wattwheel.model.errors import NotAnswered
from wattwheel.testing.living import LivingMeter

ENERGY, VOLTAGE, STATUS_WORD_1 = 0x00010000, 0x02010100, 0x04000501
PATIENCE_S, PAUSE_S = 20.0, 0.05


def status_where(meter, is_so):
    due, status = time.perf_counter() + PATIENCE_S, None
    while time.perf_counter() < due:
        with contextlib.suppress(NotAnswered):
            status = meter.status()
            if is_so(status):
                return status
        select.select([], [], [], PAUSE_S)
    raise AssertionError(f"not so in time: {status}; {meter.output}")


@pytest.fixture
def meter(tmp_path):
    with LivingMeter("", "--speed", "1000", state=tmp_path / "state") as living:
        yield living
        assert living.stop() == 0, living.output


@pytest.fixture
def head_end(meter):
    end = HeadEnd(meter.door("dlt645"))
    yield end
    end.close()


def hit_the_core(meter):
    core = meter.status()["pids"]["metering_core"]
    os.kill(core, signal.SIGKILL)
    return lambda status: status["link"] == "up" and status["pids"]["metering_core"] != core


def test_all_is_well(meter):
    assert meter.status()["faults"] == []


@pytest.mark.parametrize(
    "damage",
    [lambda ring: ring.write_bytes(bytes(ring.stat().st_size)), lambda ring: ring.unlink()],
    ids=["zeroed", "missing"],
)
def test_lost_registers_are_told_and_what_was_answered_stays(meter, head_end, damage):
    energy = head_end.read_when_back(ENERGY, lambda value: value > 0.05)
    damage(meter.state / "metering" / "registers.ring")
    is_back = hit_the_core(meter)
    status = status_where(meter, lambda status: is_back(status) and "registers_lost" in status["faults"])
    assert head_end.read_when_back(ENERGY) >= energy
    assert status["energy_microjoule"]["import_active"] / 3.6e12 >= energy
    assert 345 < head_end.read_when_back(VOLTAGE) < 352


def test_a_deleted_state_folder_stops_nothing(meter, head_end):
    energy = head_end.read_when_back(ENERGY, lambda value: value > 0)
    shutil.rmtree(meter.state)
    assert head_end.read_when_back(ENERGY, lambda value: value > energy) > energy
    assert meter.stop() == 0
    assert "Traceback" not in meter.output


def test_a_deleted_state_folder_is_made_anew_by_a_store_that_starts_again(meter, head_end):
    head_end.read_when_back(ENERGY, lambda value: value > 0)
    store = status_where(meter, lambda status: status["ready"])["pids"]["partitions"]["store"]
    shutil.rmtree(meter.state / "management")
    os.kill(store, signal.SIGKILL)
    status_where(meter, lambda status: status["restarts"]["store"] and (meter.state / "management/store.db").exists())
    assert head_end.read_when_back(ENERGY) > 0
    assert meter.stop() == 0


def is_memory_fault(word: str) -> bool:
    return bool(int(word, 16) >> 13 & 1)


def test_a_store_that_finds_nothing_but_damage_is_a_memory_fault(meter, head_end):
    energy = head_end.read_when_back(ENERGY, lambda value: value > 0.05)
    assert not is_memory_fault(head_end.read_when_back(STATUS_WORD_1))
    store = status_where(meter, lambda status: status["ready"])["pids"]["partitions"]["store"]
    os.kill(store, signal.SIGSTOP)
    for file in (meter.state / "management").glob("store*.db*"):
        file.write_bytes(b"\xa5" * file.stat().st_size)
    os.kill(store, signal.SIGKILL)
    status_where(meter, lambda status: status["restarts"]["store"] and "store_damaged" in status["faults"])
    assert is_memory_fault(head_end.read_when_back(STATUS_WORD_1, is_memory_fault))
    assert head_end.read_when_back(ENERGY) >= energy


def test_names_of_faults():
    assert faults_in({}) == []
    counters = {"metering": {"core_faults": 0x05, "behind_microjoule": 7}, "store": {"store_failing": 1}}
    assert faults_in(counters) == ["memory_write", "registers_lost", "registers_behind", "store_write"]
    assert faults_in({"metering": {"core_faults": 0, "behind_microjoule": 0}, "store": {"store_failing": 0}}) == []


def replace_by_folder(ring):
    ring.unlink()
    ring.mkdir()


def test_a_core_that_finds_no_memory_when_it_is_restarted_meters_without(meter, head_end):
    energy = head_end.read_when_back(ENERGY, lambda value: value > 0.05)
    replace_by_folder(meter.state / "metering" / "registers.ring")
    is_back = hit_the_core(meter)
    wanted = {"memory_write", "registers_lost"}
    status_where(meter, lambda status: is_back(status) and wanted <= set(status["faults"]))
    assert head_end.read_when_back(ENERGY) >= energy
    assert 345 < head_end.read_when_back(VOLTAGE) < 352


def test_a_start_without_a_usable_memory_is_refused(tmp_path):
    ring = tmp_path / "metering" / "registers.ring"
    ring.mkdir(parents=True)
    living = LivingMeter("", state=tmp_path)
    with pytest.raises(NotAnswered, match="the meter ended with 2"):
        living.start()
    assert "registers.ring: Is a directory" in living.output
    assert "Traceback" not in living.output
    living.stop()


def test_a_store_that_cannot_be_opened_any_more_says_why_and_the_rest_goes_on(meter, head_end):
    lock = meter.state / "management" / "store.lock"
    energy = head_end.read_when_back(ENERGY, lambda value: value > 0)
    store = meter.status()["pids"]["partitions"]["store"]
    lock.rename(lock.with_name("aside"))
    lock.mkdir()
    os.kill(store, signal.SIGKILL)
    status_where(meter, lambda status: status["restarts"]["store"] >= 3)
    assert head_end.read_when_back(ENERGY, lambda value: value > energy) > energy
    meter.drain()
    assert "store: error" in meter.output
    assert "store.lock: Is a directory" in meter.output
    assert "Traceback" not in meter.output
    lock.rmdir()
    status_where(meter, lambda status: status["pids"]["partitions"]["store"])
