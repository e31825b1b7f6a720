"""A writer to be killed: commits to a real store (or memory) and says on stdout what was acknowledged."""

import sys
from pathlib import Path

from wattwheel.drivers.linux.sqlite_records import SqliteRecords
from wattwheel.drivers.linux.storage import FileMemory
from wattwheel.hil.storage import Change


def write_store(folder: Path) -> None:
    medium = SqliteRecords(folder)
    number = int(medium.load("pair").get("energy", b"0"))
    while True:
        number += 1
        changes = [Change("pair", "energy", b"%d" % number), Change("pair", "money", b"-%d" % number)]
        changes.append(Change("ring", f"entry_{number % 20}", bytes(100)))
        changes.append(Change("ring", f"entry_{(number + 10) % 20}", None))
        medium.commit(changes, both=number % 7 == 0)
        if number % 5 == 0:
            medium.refresh()
        print(number, flush=True)


def write_memory(path: Path) -> None:
    memory = FileMemory(path, 8192)
    number = int.from_bytes(memory.read(0, 8), "little")
    while True:
        number += 1
        memory.write(number % 2 * 4096, number.to_bytes(8, "little"))
        print(number, flush=True)


if __name__ == "__main__":
    {"store": write_store, "memory": write_memory}[sys.argv[1]](Path(sys.argv[2]))
