"""Processes of a living meter: whether they are gone, waited for on their descriptors."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Iterable
from pathlib import Path

GONE_S = 10.0


class Watched:
    """A hold on processes that are alive now."""

    def __init__(self, pids: Iterable[int]) -> None:
        self._ends = {pid: os.pidfd_open(pid) for pid in pids}

    def left(self, patience_s: float = GONE_S) -> set[int]:
        """The processes that are still there after at most `patience_s`. Gives the holds back."""
        due = time.perf_counter() + patience_s
        left = dict(self._ends)
        while left and (wait_s := due - time.perf_counter()) > 0:
            ready = select.select(left.values(), [], [], wait_s)[0]
            left = {pid: end for pid, end in left.items() if end not in ready}
        for end in self._ends.values():
            os.close(end)
        self._ends = {}
        return set(left)


def using(folder: Path) -> list[str]:
    """Command lines of all processes that name `folder`, or hold something open below it."""
    found = []
    for process in Path("/proc").iterdir():
        if not process.name.isdigit() or int(process.name) == os.getpid():
            continue
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            held = {os.readlink(end) for end in (process / "fd").iterdir()}
        except OSError:
            continue
        if str(folder) in command or any(path.startswith(f"{folder}/") for path in held):
            found.append(command)
    return found


def sockets_below(folder: Path) -> list[str]:
    """Unix sockets that are bound somewhere below `folder`."""
    lines = Path("/proc/net/unix").read_text().splitlines()
    return [path for line in lines for path in line.split()[7:] if path.startswith(str(folder))] + [
        str(path) for path in folder.rglob("*") if path.is_socket()
    ]
