"""Octets in a preallocated file: kept over SIGKILL, one holder, every failure a StorageError."""

import os
import random
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from wattwheel.drivers.linux import storage
from wattwheel.drivers.linux.storage import FileMemory, FrozenMemory
from wattwheel.model.errors import DoorUnavailable, StorageError

WRITER = Path(__file__).with_name("store_writer.py")


def test_kill_at_random_instants(tmp_path):
    chance = random.Random(3)
    for _ in range(5):
        writer = subprocess.Popen([sys.executable, WRITER, "memory", tmp_path / "ring"], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        for _ in range(chance.randrange(1, 500)):
            acknowledged = int(writer.stdout.readline())
        writer.kill()
        acknowledged = max([acknowledged, *map(int, writer.stdout.read().split(b"\n")[:-1])])
        writer.stdout.close()
        writer.wait()
        memory = FileMemory(tmp_path / "ring", 8192)
        newest = max(int.from_bytes(memory.read(at, 8), "little") for at in (0, 4096))
        assert newest in (acknowledged, acknowledged + 1)
        memory.close()


def test_a_second_holder_is_refused(tmp_path):
    memory = FileMemory(tmp_path / "ring", 100)
    with pytest.raises(DoorUnavailable, match="in use"):
        FileMemory(tmp_path / "ring", 100)
    memory.close()
    FileMemory(tmp_path / "ring", 100).close()


def test_the_file_is_allocated_for_good(tmp_path):
    FileMemory(tmp_path / "ring", 100_000).close()
    found = os.stat(tmp_path / "ring")
    assert found.st_size == 100_000
    assert found.st_blocks * 512 >= 100_000
    assert found.st_mode & 0o077 == 0


def test_a_truncated_file_gets_its_size_back_and_says_so(tmp_path):
    memory = FileMemory(tmp_path / "ring", 1000)
    assert not memory.was_truncated
    memory.write(0, b"\x11" * 1000)
    memory.close()
    os.truncate(tmp_path / "ring", 300)
    memory = FileMemory(tmp_path / "ring", 1000)
    assert memory.was_truncated
    assert memory.read(0, 1000) == b"\x11" * 300 + bytes(700)
    memory.close()


def test_a_half_made_file_is_never_met(tmp_path, monkeypatch):
    (tmp_path / "ring.new").write_bytes(b"half")

    def fail(descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(StorageError, match="space"):
            FileMemory(tmp_path / "ring", 1000)
    assert not (tmp_path / "ring").exists()
    FileMemory(tmp_path / "ring", 1000).close()


def test_no_space_for_a_new_file(tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, before[1]))
    try:
        with pytest.raises(StorageError):
            FileMemory(tmp_path / "ring", 1000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    FileMemory(tmp_path / "ring", 1000).close()


@pytest.mark.parametrize("place", ["file/ring", "folder"])
def test_a_place_that_cannot_be_had(tmp_path, place):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    with pytest.raises(DoorUnavailable):
        FileMemory(tmp_path / place, 100)


@pytest.mark.parametrize(("call", "use"), [("pread", "read"), ("pwrite", "write"), ("fdatasync", "sync")])
def test_an_io_error_is_a_storage_error(tmp_path, monkeypatch, call, use):
    memory = FileMemory(tmp_path / "ring", 100)

    def fail(*arguments):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(storage.os, call, fail)
        with pytest.raises(StorageError, match="Input/output") as caught:
            {"read": lambda: memory.read(0, 1), "write": lambda: memory.write(0, b"x"), "sync": memory.sync}[use]()
        assert caught.value.operation == use
    memory.write(0, b"y")
    memory.sync()
    assert memory.read(0, 1) == b"y"
    memory.close()
    memory.close()


def test_a_file_cut_while_open_is_noticed(tmp_path):
    memory = FileMemory(tmp_path / "ring", 100)
    os.truncate(tmp_path / "ring", 10)
    with pytest.raises(StorageError, match="asked for"):
        memory.read(5, 20)
    memory.close()


def test_short_writes_are_finished(tmp_path, monkeypatch):
    memory = FileMemory(tmp_path / "ring", 100)
    whole = os.pwrite
    with monkeypatch.context() as patch:
        patch.setattr(storage.os, "pwrite", lambda descriptor, octets, at: whole(descriptor, octets[:3], at))
        memory.write(10, b"0123456789")
    assert memory.read(10, 10) == b"0123456789"
    memory.close()


def test_a_frozen_memory_gives_what_is_there_and_takes_nothing(tmp_path):
    path = tmp_path / "ring"
    memory = FileMemory(path, 64)
    memory.write(0, b"kept")
    with pytest.raises(DoorUnavailable, match="in use by another running meter"):
        FrozenMemory(path, 64)
    memory.close()
    frozen = FrozenMemory(path, 64)
    assert frozen.read(0, 4) == b"kept"
    for action in (
        lambda: frozen.write(0, b"new"),
        frozen.sync,
        lambda: frozen.read(60, 5),
        lambda: frozen.read(-1, 1),
    ):
        with pytest.raises(StorageError):
            action()
    assert path.read_bytes()[:4] == b"kept"
    with pytest.raises(DoorUnavailable):
        FileMemory(path, 64)
    frozen.close()
    frozen.close()
    FileMemory(path, 64).close()


def test_a_frozen_memory_of_nothing_fails_to_read(tmp_path):
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "none", tmp_path / "folder", tmp_path / "no" / "where"):
        frozen = FrozenMemory(path, 64)
        with pytest.raises(StorageError, match="0 octets at 0, 4 were asked for"):
            frozen.read(0, 4)
        frozen.close()


def octets_given_to_the_medium() -> int:
    """What this process has made the medium write, counted by the page."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes:"))


def test_a_slot_costs_its_page_and_not_the_file(tmp_path):
    size = 256 * 1024
    memory = FileMemory(tmp_path / "registers.ring", size)
    memory.read(0, size)  # as at a start: all slots are looked at
    memory.sync()
    before = octets_given_to_the_medium()
    memory.write(5 * 4096 + 1024, bytes(range(256)) * 4)
    memory.sync()
    assert octets_given_to_the_medium() - before <= 4 * 4096  # the page, and what the file system adds
    memory.close()
