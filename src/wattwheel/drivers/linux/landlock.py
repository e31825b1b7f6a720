"""Landlock: which files a process may still reach. Nothing is reachable that is not named here."""

from __future__ import annotations

import ctypes
import os
import stat
from collections.abc import Iterable

_libc = ctypes.CDLL(None, use_errno=True)

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_VERSION, _PATH_BENEATH = 1, 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _TRUNCATE, _IOCTL_DEVICE = 1, 2, 4, 8, 1 << 14, 1 << 15
_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1, 5: (1 << 16) - 1}
_RIGHTS_NEWEST = _RIGHTS[5]
_OF_A_FILE = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEVICE
_NETWORK_FROM, _NETWORK = 4, 3  # from ABI 4 on: binding and connecting TCP
_SCOPE_FROM, _SCOPE = 6, 3  # from ABI 6 on: abstract Unix sockets and signals

READ = _READ_FILE | _READ_DIR
WRITE = _RIGHTS_NEWEST & ~_EXECUTE & ~(1 << 6) & ~(1 << 9) & ~(1 << 10) & ~(1 << 11) & ~(1 << 12)
"""Everything but executing, and making devices, sockets, pipes and links."""


class _Attributes(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scope", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("rights", ctypes.c_uint64), ("parent", ctypes.c_int32))


def version() -> int:
    """The kernel's Landlock ABI; 0 where there is none."""
    found = _libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION)
    return max(0, int(found))


def restrict(readable: Iterable[str], writable: Iterable[str], has_network: bool = False) -> None:
    """Leave this process, for good, only what lies beneath these paths; those it cannot find are passed over.

    Also no TCP to bind or connect (unless it `has_network`), no abstract Unix socket and no signal to outside, as
    far as the kernel's ABI goes. Raises OSError.
    """
    abi = version()
    rights = _RIGHTS.get(abi, _RIGHTS_NEWEST)
    network = _NETWORK if abi >= _NETWORK_FROM and not has_network else 0
    attributes = _Attributes(rights, network, _SCOPE if abi >= _SCOPE_FROM else 0)
    size = 24 if abi >= _SCOPE_FROM else 16 if abi >= _NETWORK_FROM else 8
    ruleset = _call(_CREATE_RULESET, ctypes.byref(attributes), ctypes.c_size_t(size), 0)
    try:
        for paths, wanted in ((readable, READ), (writable, WRITE)):
            for path in paths:
                _allow(ruleset, path, wanted & rights)
        _call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return
    try:
        is_folder = stat.S_ISDIR(os.fstat(parent).st_mode)
        rule = _Beneath(rights if is_folder else rights & _OF_A_FILE, parent)
        _call(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(parent)


def _call(number: int, *arguments: object) -> int:
    found = _libc.syscall(number, *arguments)
    if found < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return int(found)
