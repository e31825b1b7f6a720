"""Who lives in a meter's session, and what it holds: processes, zombies, descriptors, memory. From /proc."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

_PROC = Path("/proc")
_STATE_AT, _PARENT_AT, _SESSION_AT = 0, 1, 3  # fields of /proc/PID/stat behind the name


class Resident(NamedTuple):
    """One process of a session."""

    pid: int
    name: str
    state: str
    parent: int


def residents(session: int) -> list[Resident]:
    """The processes of the session `session`, zombies (state Z) included, by pid."""
    found = []
    for folder in _PROC.iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            text = (folder / "stat").read_text()
        except OSError:  # it has just ended
            continue
        head, _, rest = text.rpartition(")")
        fields = rest.split()
        if int(fields[_SESSION_AT]) == session:
            name = head.partition("(")[2]
            found.append(Resident(int(folder.name), name, fields[_STATE_AT], int(fields[_PARENT_AT])))
    return sorted(found)


def descriptors(pid: int) -> int | None:
    """Number of open descriptors of `pid`, None when it has gone."""
    try:
        return sum(1 for _ in (_PROC / str(pid) / "fd").iterdir())
    except OSError:
        return None


def proportional_kib(pid: int) -> int | None:
    """Proportional set size of `pid` in KiB, None when it has gone."""
    try:
        lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), None)
