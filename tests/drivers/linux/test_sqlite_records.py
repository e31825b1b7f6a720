"""The real medium: SIGKILL at random instants, cuts anywhere in the log, damage anywhere in the files, a full disk."""

import os
import random
import re
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from wattwheel.drivers.linux import sqlite_records
from wattwheel.drivers.linux.sqlite_records import PAGE_OCTETS, SqliteRecords, SqliteSlots
from wattwheel.drivers.slots import Row
from wattwheel.hil.storage import Change, Recovered
from wattwheel.model.errors import DoorUnavailable, StorageDamaged, StorageError

KILLS = int(os.environ.get("WATTWHEEL_KILLS", "20"))
WRITER = Path(__file__).with_name("store_writer.py")


@pytest.fixture
def quick_path(tmp_path):
    """A folder where forcing octets out costs nothing: for damage that is done by hand anyway."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)


def pair(number):
    return [Change("pair", "energy", b"%d" % number), Change("pair", "money", b"-%d" % number)]


def number_in(medium):
    """The number that both halves of the pair show."""
    found = medium.load("pair")
    assert found["money"] == b"-" + found["energy"], "energy without its money"
    return int(found["energy"])


def fill(folder, numbers, is_orderly=True):
    """A store with some records; when not orderly it is left as a killed process leaves it, log and all."""
    medium = SqliteRecords(folder)
    medium.commit([Change("ring", f"entry_{n}", bytes([n]) * 90) for n in range(40)])
    medium.refresh()
    for number in numbers:
        medium.commit(pair(number))
    if is_orderly:
        medium.close()
        return
    kept = folder.with_name(folder.name + "-as-killed")
    shutil.copytree(folder, kept)
    medium.close()
    shutil.rmtree(folder)
    kept.rename(folder)


def test_kill_at_random_instants(tmp_path):
    chance = random.Random(20)
    for _ in range(KILLS):
        writer = subprocess.Popen([sys.executable, WRITER, "store", tmp_path], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        acknowledged = 0
        for _ in range(chance.randrange(1, 40)):
            acknowledged = int(writer.stdout.readline())
        writer.kill()
        acknowledged = max([acknowledged, *map(int, writer.stdout.read().split(b"\n")[:-1])])
        writer.stdout.close()
        writer.wait()
        medium = SqliteRecords(tmp_path)
        assert medium.faults == 0
        assert number_in(medium) in (acknowledged, acknowledged + 1)
        assert set(medium.load("ring")) == {
            f"entry_{n % 20}" for n in range(number_in(medium) - 9, number_in(medium) + 1) if n > 0
        }
        medium.close()


def test_a_cut_at_every_place_of_the_log_leaves_a_whole_transaction(quick_path):
    """The log as a cut may have left it: ending at any place, octets behind it old (zeros)."""
    fill(quick_path / "a", [1, 2, 3], is_orderly=False)
    log = (quick_path / "a" / "store.db-wal").read_bytes()
    seen = []
    places = sorted({*range(0, len(log), 311), *range(32, len(log), PAGE_OCTETS + 24), len(log)})
    for place in places:
        shutil.copytree(quick_path / "a", quick_path / "b")
        (quick_path / "b" / "store-second.db").unlink()
        (quick_path / "b" / "store-second.db-wal").unlink()
        (quick_path / "b" / "store.db-wal").write_bytes(log[:place] + bytes(place % 3 * 100))
        medium = SqliteRecords(quick_path / "b")
        seen.append(number_in(medium) if medium.load("pair") else 0)
        assert len(medium.load("ring")) in (0, 40)
        medium.close()
        shutil.rmtree(quick_path / "b")
    assert seen == sorted(seen)
    assert set(seen) == {0, 1, 2, 3}, "every transaction boundary was met"


def test_a_flipped_bit_anywhere_in_either_file(quick_path):
    """At rest, second copy up to date: nothing may be missing, wherever it hits."""
    fill(quick_path / "a", [1, 2, 3])
    chance = random.Random(5)
    noticed = 0
    for name in ("store.db", "store-second.db"):
        size = (quick_path / "a" / name).stat().st_size
        for place in [*range(100), *range(40, 80), *(chance.randrange(size) for _ in range(100))]:
            shutil.copytree(quick_path / "a", quick_path / "b")
            with open(quick_path / "b" / name, "r+b") as file:
                octets = bytearray(file.read())
                octets[place] ^= 1 << chance.randrange(8)
                file.seek(0)
                file.write(octets)
            medium = SqliteRecords(quick_path / "b")
            assert number_in(medium) == 3, f"{name} octet {place}"
            assert len(medium.load("ring")) == 40, f"{name} octet {place}"
            noticed += medium.faults > 0
            medium.commit(pair(4))
            medium.close()
            shutil.rmtree(quick_path / "b")
    assert noticed > 100, "most octets are in use"


def test_flipped_bits_in_the_log_give_a_whole_state(quick_path):
    fill(quick_path / "a", [1, 2, 3], is_orderly=False)
    size = (quick_path / "a" / "store.db-wal").stat().st_size
    for place in range(0, size, 397):
        shutil.copytree(quick_path / "a", quick_path / "b")
        with open(quick_path / "b" / "store.db-wal", "r+b") as file:
            file.seek(place)
            octet = file.read(1)[0]
            file.seek(place)
            file.write(bytes([octet ^ 0x10]))
        medium = SqliteRecords(quick_path / "b")
        assert len(medium.load("ring")) == 40, "it is in the second copy"
        assert not medium.load("pair") or number_in(medium) in (1, 2, 3)
        medium.close()
        shutil.rmtree(quick_path / "b")


def truncate_half(path):
    os.truncate(path, path.stat().st_size // 2)


def truncate_odd(path):
    os.truncate(path, path.stat().st_size - 700)


def empty(path):
    os.truncate(path, 0)


def zero(path):
    path.write_bytes(bytes(path.stat().st_size))


def delete(path):
    path.unlink()


def scramble(path):
    path.write_bytes(random.Random(1).randbytes(path.stat().st_size))


def zero_a_page(path):
    with open(path, "r+b") as file:
        file.seek(3 * PAGE_OCTETS)
        file.write(bytes(PAGE_OCTETS))


def become_a_pipe(path):
    path.unlink()
    os.mkfifo(path)


DAMAGES = [truncate_half, truncate_odd, empty, zero, delete, scramble, zero_a_page, become_a_pipe]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["store.db", "store-second.db"])
@pytest.mark.parametrize("is_orderly", [True, False], ids=["orderly", "killed"])
def test_a_whole_file_spoiled(quick_path, damage, name, is_orderly):
    folder = quick_path / "a"
    fill(folder, [1, 2, 3], is_orderly)
    damage(folder / name)
    medium = SqliteRecords(folder)
    assert len(medium.load("ring")) == 40
    if is_orderly or name == "store-second.db":
        assert number_in(medium) == 3
    elif medium.load("pair"):  # never promised, never refreshed: it may be missing, and the owner is told
        assert number_in(medium) in (1, 2, 3)
    if name == "store.db" and is_orderly:
        assert medium.faults > 0
        assert medium.recovered["ring"] in (Recovered.REPAIRED, Recovered.OLDER)
    medium.commit(pair(4), both=True)
    medium.close()
    again = SqliteRecords(folder)
    assert (number_in(again), again.faults, len(again.load("ring"))) == (4, 0, 40)
    again.close()


def test_what_was_promised_survives_the_loss_of_the_first_file_at_once(tmp_path):
    medium = SqliteRecords(tmp_path / "a")
    medium.commit(pair(1))
    medium.commit(pair(2), both=True)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    medium.close()
    for left in (tmp_path / "b").glob("store.db*"):
        left.unlink()
    medium = SqliteRecords(tmp_path / "b")
    assert number_in(medium) == 2
    assert medium.recovered["pair"] is Recovered.OLDER
    medium.close()


def test_both_files_spoiled_is_told_as_a_loss(tmp_path):
    fill(tmp_path, [1])
    for name in ("store.db", "store-second.db"):
        scramble(tmp_path / name)
    medium = SqliteRecords(tmp_path)
    assert medium.load("pair") == {}
    assert medium.recovered["pair"] is Recovered.LOST
    medium.commit(pair(7))
    medium.close()
    assert (tmp_path / "store.db.damaged").exists(), "what was there is kept for a look"
    medium = SqliteRecords(tmp_path)
    assert (number_in(medium), medium.faults) == (7, 0)
    medium.close()


def test_damage_while_running_is_mended_without_loss(tmp_path):
    medium = SqliteRecords(tmp_path)
    for number in range(1, 4):
        medium.commit(pair(number))
    first = medium._first.file
    first._disconnect()
    zero(tmp_path / "store.db")
    medium.commit(pair(4))
    assert number_in(medium) == 4
    assert medium.faults > 0
    medium.close()
    medium = SqliteRecords(tmp_path)
    assert (number_in(medium), medium.faults) == (4, 0)
    medium.close()


@pytest.fixture
def short_files():
    """A bound on the size of every file this process writes, as a full disk would set one."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda octets: resource.setrlimit(resource.RLIMIT_FSIZE, (octets, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_no_space_left(tmp_path, short_files):
    medium = SqliteRecords(tmp_path)
    medium.commit(pair(1))
    short_files(40_000)
    large = [Change("ring", f"entry_{n}", bytes(4000)) for n in range(30)]
    for _ in range(3):
        with pytest.raises(StorageError):
            medium.commit([*pair(2), *large])
        assert number_in(medium) == 1
        assert medium.load("ring") == {}
    short_files(resource.RLIM_INFINITY)
    medium.commit([*pair(3), *large])
    assert number_in(medium) == 3
    medium.close()
    medium = SqliteRecords(tmp_path)
    assert (number_in(medium), len(medium.load("ring")), medium.faults) == (3, 30, 0)
    medium.close()


def test_no_space_left_for_the_second_copy_does_not_hold_up_the_first(tmp_path):
    medium = SqliteRecords(tmp_path)
    medium.commit(pair(1))
    second = medium._second.file
    second._open().execute("PRAGMA max_page_count=3")
    medium.commit([*pair(2), Change("ring", "large", bytes(9000))], both=True)
    assert medium.faults == 1
    assert number_in(medium) == 2
    second._open().execute("PRAGMA max_page_count=1000000")
    medium.refresh()
    medium.close()
    scramble(tmp_path / "store.db")
    medium = SqliteRecords(tmp_path)
    assert number_in(medium) == 2
    medium.close()


def test_a_read_only_database_refuses(tmp_path):
    medium = SqliteRecords(tmp_path)
    medium.commit(pair(1))
    medium._first.file._open().execute("PRAGMA query_only=ON")
    with pytest.raises(StorageError, match="readonly"):
        medium.commit(pair(2))
    assert number_in(medium) == 1
    medium._first.file._open().execute("PRAGMA query_only=OFF")
    medium.commit(pair(2))
    medium.close()


def test_a_second_instance_is_refused(tmp_path):
    medium = SqliteRecords(tmp_path)
    with pytest.raises(DoorUnavailable, match="in use"):
        SqliteRecords(tmp_path)
    medium.commit(pair(1))
    medium.close()
    medium = SqliteRecords(tmp_path)
    assert number_in(medium) == 1
    medium.close()


def test_a_database_somebody_else_holds_is_refused_and_left_alone(tmp_path):
    fill(tmp_path, [1])
    other = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(DoorUnavailable, match="in use"):
        SqliteRecords(tmp_path)
    other.execute("ROLLBACK")
    other.close()
    medium = SqliteRecords(tmp_path)
    assert (number_in(medium), medium.faults) == (1, 0)
    medium.close()


def set_form(path, form):
    other = sqlite3.connect(path)
    other.execute(f"PRAGMA user_version={form}")
    other.close()


def test_a_newer_form_is_refused_and_left_alone(tmp_path):
    fill(tmp_path, [1])
    for name in ("store.db", "store-second.db"):
        set_form(tmp_path / name, 2)
    before = (tmp_path / "store.db").read_bytes()
    with pytest.raises(DoorUnavailable, match="newer"):
        SqliteRecords(tmp_path)
    assert (tmp_path / "store.db").read_bytes() == before
    (tmp_path / "store-second.db").unlink()
    with pytest.raises(DoorUnavailable, match="newer"):
        SqliteRecords(tmp_path)


def test_one_file_alone_with_a_strange_form_is_damaged_not_newer(tmp_path):
    fill(tmp_path, [1])
    set_form(tmp_path / "store.db", 9)
    medium = SqliteRecords(tmp_path)
    assert number_in(medium) == 1
    assert medium.faults > 0
    medium.close()


def test_an_older_form_is_migrated(tmp_path, monkeypatch):
    fill(tmp_path, [1])
    monkeypatch.setattr(sqlite_records, "VERSION", 2)
    monkeypatch.setattr(sqlite_records, "MIGRATIONS", {1: "CREATE TABLE added (x)"})
    medium = SqliteRecords(tmp_path)
    assert (number_in(medium), medium.faults) == (1, 0)
    medium.close()
    other = sqlite3.connect(tmp_path / "store.db")
    assert other.execute("PRAGMA user_version").fetchone() == (2,)
    assert other.execute("SELECT count(*) FROM added").fetchone() == (0,)
    other.close()


@pytest.mark.parametrize("place", ["file/store", "missing/\0"])
def test_a_folder_that_cannot_be_had(tmp_path, place):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises((DoorUnavailable, ValueError)):
        SqliteRecords(tmp_path / place)


def test_the_settings_that_durability_rests_on(tmp_path):
    slots = SqliteSlots(tmp_path / "x.db")
    slots.apply([Row(0, 1, b"x")])
    ask = slots._open().execute
    for pragma, value in (
        ("journal_mode", "wal"),
        ("synchronous", 2),
        ("locking_mode", "exclusive"),
        ("page_size", PAGE_OCTETS),
        ("wal_autocheckpoint", 100),
        ("user_version", sqlite_records.VERSION),
    ):
        assert ask(f"PRAGMA {pragma}").fetchone() == (value,), pragma
    assert not (tmp_path / "x.db-shm").exists()
    assert all(path.stat().st_mode & 0o077 == 0 for path in tmp_path.iterdir())
    slots.close()


def test_an_interrupted_replacement_leaves_the_old_file_and_is_cleared_away(tmp_path, monkeypatch):
    slots = SqliteSlots(tmp_path / "x.db")
    slots.apply([Row(0, 1, b"old")])

    def fail(self, target):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", fail)
        with pytest.raises(StorageError):
            slots.replace([Row(0, 1, b"new")])
    assert slots.read(0, 1) == b"old"
    slots.replace([Row(1, 2, b"new")])
    assert slots.scan() == ([Row(1, 2, b"new")], None)
    slots.close()
    assert not (tmp_path / "x.db.new").exists()


def test_a_damaged_database_is_told_as_such(tmp_path):
    slots = SqliteSlots(tmp_path / "x.db")
    slots.apply([Row(0, n, bytes(500)) for n in range(1, 20)])
    slots.close()
    scramble(tmp_path / "x.db")
    rows, fault = slots.scan()
    assert rows == []
    assert isinstance(fault, StorageDamaged)
    with pytest.raises(StorageDamaged):
        slots.read(0, 1)


def test_a_grouped_commit_writes_little(tmp_path):
    """Octets handed to the kernel, second file included: the day's budget rests on it (decision 0002)."""

    def written():
        return int(re.search(r"wchar: (\d+)", Path("/proc/self/io").read_text())[1])

    medium = SqliteRecords(tmp_path)
    medium.commit([Change("recording", f"r{n}", bytes(100)) for n in range(200)], both=True)
    before = written()
    for number in range(300):
        changes = [Change("energy", f"k{n}", number.to_bytes(4, "little") * 24) for n in range(3)]
        medium.commit([*changes, Change("platform", "k", number.to_bytes(4, "little") * 10)])
        if number % 10 == 9:
            medium.refresh()
    assert (written() - before) / 300 < 2500
    medium.close()
