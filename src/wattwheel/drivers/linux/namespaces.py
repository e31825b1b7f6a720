"""Namespaces of a partition's own: an empty network, no System V or POSIX queues of others, no rights of this user's.

They are made by the process itself, without root, where the kernel lets an ordinary user make a user namespace. Numbers
of user and group stay what they were.
"""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress

_libc = ctypes.CDLL(None, use_errno=True)

_GET_DUMPABLE, _SET_DUMPABLE = 3, 4
_USER, _IPC, _NETWORK = 0x10000000, 0x08000000, 0x40000000


def enter(with_network: bool) -> None:
    """Move this process into new user and IPC namespaces, and, unless it goes on `with_network`, an empty network.

    Raises OSError where the kernel does not allow it.
    """
    user, group = os.geteuid(), os.getegid()
    if _libc.unshare(_USER | _IPC | (0 if with_network else _NETWORK)):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    was_dumpable = _libc.prctl(_GET_DUMPABLE, 0, 0, 0, 0)
    _libc.prctl(_SET_DUMPABLE, 1, 0, 0, 0)  # or its own /proc would be root's
    with suppress(FileNotFoundError):  # kernels that know no such rule need none
        _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{user} {user} 1")
    _write("/proc/self/gid_map", f"{group} {group} 1")
    _libc.prctl(_SET_DUMPABLE, int(was_dumpable == 1), 0, 0, 0)


def _write(path: str, text: str) -> None:
    file = os.open(path, os.O_WRONLY)
    try:
        os.write(file, text.encode())
    finally:
        os.close(file)


def are_allowed() -> bool:
    """Whether a process of this user may do so: tried in one that ends at once."""
    try:
        pid = os.fork()
    except OSError:
        return False
    if pid == 0:
        try:
            enter(with_network=False)
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitpid(pid, 0)[1] == 0
