"""Control groups: bounds of memory, processes and processor that the kernel keeps for a partition as a whole.

Only a group that was delegated to the meter is used (systemd: `Delegate=yes` in the unit), and only of the unified
hierarchy. The meter's own processes then move into a group beneath it, as the rules of that hierarchy want, and each
partition gets one beside that.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

HIERARCHY = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")
NEEDED = ("memory", "pids")
USED = (*NEEDED, "cpu")
PROCESSES_MAX = 8
"""Processes and threads of a partition; it can make none, so the number only has to be small."""
SLACK_OCTETS = 64 * 1024 * 1024
"""What a group is charged with beyond a partition's own memory: shared pages that it touches first, the kernel's."""

_METER, _PARTITION = "meter", "partition-"


def is_delegated(folder: Path) -> bool:
    """Whether systemd has marked the group in `folder` as given away."""
    for name in ("user.delegate", "trusted.delegate"):
        try:
            if os.getxattr(folder, name).strip() == b"1":
                return True
        except OSError:
            continue
    return False


def delegated_group(
    hierarchy: Path = HIERARCHY, own: Path = OWN, is_ours: Callable[[Path], bool] = is_delegated
) -> Path | None:
    """Folder of the group that this process may divide among partitions; None: there is none. Changes nothing."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return None
    path = next((line.removeprefix("0::") for line in lines if line.startswith("0::")), None)
    if path is None or not (hierarchy / "cgroup.controllers").exists():
        return None
    folder = hierarchy / path.strip().lstrip("/")
    while folder.name == _METER or folder.name.startswith(_PARTITION):  # we have moved there ourselves
        folder = folder.parent
    try:
        controllers = (folder / "cgroup.controllers").read_text().split()
    except OSError:
        return None
    is_usable = all(name in controllers for name in NEEDED) and os.access(folder / "cgroup.procs", os.W_OK)
    return folder if is_usable and is_ours(folder) else None


class ControlGroups:
    """The groups of a module's partitions beneath a delegated one."""

    def __init__(self, folder: Path) -> None:
        """Move the meter's own processes aside and hand the controllers down. Raises OSError."""
        self._folder = folder
        self._kills: dict[str, int] = {}
        meter = folder / _METER
        meter.mkdir(exist_ok=True)
        for pid in (folder / "cgroup.procs").read_text().split():
            with suppress(ProcessLookupError):  # it has ended meanwhile
                (meter / "cgroup.procs").write_text(pid)
        offered = (folder / "cgroup.controllers").read_text().split()
        (folder / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in USED if name in offered))

    def take(self, partition: str, pid: int, memory_octets_max: int) -> None:
        """Put the new process of `partition` under its bounds. Raises OSError."""
        group = self._group(partition)
        group.mkdir(exist_ok=True)
        (group / "memory.max").write_text(str(memory_octets_max + SLACK_OCTETS))
        (group / "pids.max").write_text(str(PROCESSES_MAX))
        (group / "cgroup.procs").write_text(str(pid))
        self._kills[partition] = self._memory_kills(partition)

    def was_killed_for_memory(self, partition: str) -> bool:
        """Whether the kernel has killed the partition's process because its group was full."""
        return self._memory_kills(partition) > self._kills.get(partition, 0)

    def _group(self, partition: str) -> Path:
        safe = quote(partition, safe=" ").replace(" ", "+")
        return self._folder / f"{_PARTITION}{safe}"

    def _memory_kills(self, partition: str) -> int:
        try:
            lines = (self._group(partition) / "memory.events").read_text().splitlines()
        except OSError:
            return 0
        return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
