"""The simulated memory breaks in the ways it says, and in no other."""

import pytest

from wattwheel.drivers.sim.storage import PowerCut, SimDisk, SimMemory, Torn
from wattwheel.model.errors import DoorUnavailable, StorageError


def test_a_cut_leaves_old_new_or_torn():
    outcomes = set()
    for torn in Torn:
        for seed in range(30):
            disk = SimDisk(seed, cut_at_write=4, torn=torn)
            memory = SimMemory(disk, 64)
            memory.write(0, b"AAAA")
            memory.sync()
            memory.write(0, b"BBBB")
            with pytest.raises(PowerCut):
                memory.write(10, b"C")
            with pytest.raises(PowerCut):
                memory.read(0, 1)
            with pytest.raises(PowerCut):
                memory.sync()
            disk.power_up()
            outcomes.add((torn, SimMemory(disk, 64).read(0, 4)))
    assert {octets for torn, octets in outcomes if torn is Torn.OLD} == {b"AAAA"}
    assert {octets for torn, octets in outcomes if torn is Torn.NEW} == {b"BBBB"}
    assert {octets for torn, octets in outcomes if torn is Torn.TORN} == {b"AAAA", b"BAAA", b"BBAA", b"BBBA", b"BBBB"}


def test_what_was_synced_stays_after_every_cut():
    for cut in range(4, 9):
        disk = SimDisk(cut, cut_at_write=cut)
        memory = SimMemory(disk, 64)
        memory.write(0, b"one")
        memory.write(8, b"two")
        memory.sync()
        for _ in range(cut - 4):
            memory.write(30, b"x")
        with pytest.raises(PowerCut):
            memory.write(30, b"x")
        disk.power_up()
        assert SimMemory(disk, 64).read(0, 11) == b"one\0\0\0\0\0two"


def test_a_killed_process_loses_nothing():
    disk = SimDisk()
    memory = SimMemory(disk, 64)
    memory.write(0, b"written")
    memory.die()
    assert SimMemory(disk, 64).read(0, 7) == b"written"


def test_scripted_and_seeded_errors():
    disk = SimDisk(seed=1)
    disk.failing_writes = {2}
    memory = SimMemory(disk, 64)
    memory.write(0, b"a")
    with pytest.raises(StorageError):
        memory.write(0, b"b")
    assert memory.read(0, 1) == b"a"
    disk.io_error_chance = 0.5
    failures = 0
    for _ in range(100):
        try:
            memory.sync()
        except StorageError:
            failures += 1
    assert 30 < failures < 70


def test_one_holder():
    disk = SimDisk()
    memory = SimMemory(disk, 64)
    with pytest.raises(DoorUnavailable):
        SimMemory(disk, 64)
    memory.close()
    SimMemory(disk, 64)
