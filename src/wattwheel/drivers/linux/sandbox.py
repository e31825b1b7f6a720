"""The wall around a partition's process: what the machine offers, what it is called, and how it is put up.

Put up from inside, after the fork and before the partition's first line; nothing of it can be taken down again.
Levels: L0 nothing, L1 resource limits, L2 limits, Landlock and a system-call filter, L3 namespaces and control groups
besides. Namespaces are used wherever the machine allows them.
"""

from __future__ import annotations

import ctypes
import errno
import importlib.util
import os
import platform
import resource
import sys
import sysconfig
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import msgspec

from wattwheel.drivers.linux import control_groups, landlock, namespaces, seccomp
from wattwheel.drivers.linux.storage import make_folder

_libc = ctypes.CDLL(None, use_errno=True)

LEVELS = ("L0", "L1", "L2", "L3")
_CAPABILITY_VERSION = 0x20080522
_SET_NO_NEW_PRIVILEGES = 38
_DAC_OVERRIDE = 1 << 1
"""What root needs to keep writing to a folder that is another's."""

SHARED_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache")
_USED_UP = frozenset((errno.ENOSPC, errno.EUSERS))
"""A limit that comes and goes with what else runs: no reason to keep a partition from starting."""
NOT_STORED = ("/proc", "/sys", "/dev")
"""Folders whose files are windows into the system."""
ENTRIES_KNOWN_MAX = 64
FILE_OCTETS_MAX = 1 << 30
"""Largest file of a partition that has a folder; the others cannot make any."""


class Offer(msgspec.Struct, frozen=True):
    """What this machine lets an ordinary process do to itself.

    Attributes:
        landlock: ABI, 0 for none.
        seccomp: whether it takes system-call filters.
        namespaces: whether it may make user, network and IPC namespaces.
        control_groups: whether it was given a control group to divide.
    """

    landlock: int
    seccomp: bool
    namespaces: bool = False
    control_groups: bool = False

    @property
    def level(self) -> str:
        """Name of the isolation that this makes."""
        if not (self.landlock and self.seccomp):
            return "L1"
        return "L3" if self.namespaces and self.control_groups else "L2"

    @property
    def reasons(self) -> list[str]:
        """What the level rests on, and what is missing for more."""
        return [
            "resource limits, no new privileges",
            f"Landlock ABI {self.landlock}" if self.landlock else "no Landlock: the kernel does not offer it",
            "system-call filter" if self.seccomp else f"no system-call filter on this kernel or {platform.machine()}",
            "namespaces of user, network and IPC"
            if self.namespaces
            else "no namespaces: the kernel does not let this user make them",
            "control groups: memory, processes, processor"
            if self.control_groups
            else "no control groups: none was delegated to the meter (systemd: Delegate=yes)",
        ]


def probe() -> Offer:
    """Ask the kernel. Changes nothing."""
    has_group = control_groups.delegated_group() is not None
    return Offer(landlock.version(), seccomp.is_available(), namespaces.are_allowed(), has_group)


class Wall(msgspec.Struct, frozen=True):
    """How one partition is walled in.

    Attributes:
        offer: what to use.
        memory_octets_max: bound of private memory, and of what the address space may grow by.
        descriptors_max: bound of open descriptors.
        code: where the partition's own code lies, if not with ours.
        folders: what it may write to.
        has_wires: it was granted sockets or lines of the outside, which it may shut down.
        has_network: it was granted the network: it may make TCP sockets of its own.
        niceness: how far behind the others it stands for the processor.
    """

    offer: Offer
    memory_octets_max: int
    descriptors_max: int
    code: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    has_wires: bool = False
    has_network: bool = False
    niceness: int = 0


@lru_cache(maxsize=1)
def code_folders() -> tuple[str, ...]:
    """Where this interpreter, its packages and their shared libraries lie: what a late import has to read."""
    paths = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    paths |= {str(Path(__file__).parents[2]), *SHARED_LIBRARIES, *(path for path in sys.path if path.endswith(".zip"))}
    return tuple(sorted(path for path in paths if path))


@lru_cache(maxsize=ENTRIES_KNOWN_MAX)
def code_of(entry: str) -> tuple[str, ...]:
    """Where the top-level package or module of an entry `package.module:function` lies; nothing of it is run."""
    try:
        found = importlib.util.find_spec(entry.partition(":")[0].partition(".")[0])
    except (ImportError, ValueError):  # the body itself will say so
        return ()
    if found is None:
        return ()
    return tuple(found.submodule_search_locations or ([found.origin] if found.has_location and found.origin else []))


def plain_files(paths: Iterable[str]) -> tuple[str, ...]:
    """Those of `paths` that are files with contents of their own, links followed.

    A grant of a folder would be one of all that lies beneath, and the system's own folders tell of other processes.
    """
    found = (Path(os.path.realpath(path)) for path in paths if path)
    return tuple(str(path) for path in found if path.is_file() and not any(map(path.is_relative_to, NOT_STORED)))


def prepare() -> None:
    """Have ready, before bodies are forked, what all of them need: it is then shared and costs none of them time."""
    code_folders()
    for has_wires in (False, True) if seccomp.is_available() else ():
        for has_folder in (False, True):
            seccomp.program(platform.machine(), os.getpid(), _also(has_wires, has_folder))
    landlock.version()
    _permitted()


def put_up(wall: Wall) -> str:
    """Wall this process in. What is missing of what the level does not need, as a sentence; "": nothing.

    Raises OSError where the machine does not keep what it offered.
    """
    missing = ""
    _limit(wall)
    _call_prctl(_SET_NO_NEW_PRIVILEGES)
    if wall.niceness:
        os.nice(wall.niceness)
    for folder in wall.folders:
        with suppress(OSError):  # one that was deleted meanwhile: it could be neither made nor granted later
            make_folder(Path(folder))
    if wall.offer.namespaces and not wall.folders:  # who writes to a folder may need this user's rights to it
        try:
            namespaces.enter(wall.has_network)
        except OSError as fault:
            if fault.errno not in _USED_UP or wall.offer.level == LEVELS[3]:
                raise
            missing = "no namespaces: this user's are used up (sysctl user.max_user_namespaces and its kin)"
    if wall.offer.landlock:
        landlock.restrict((*code_folders(), *wall.code), wall.folders, wall.has_network)
    _drop_capabilities(_DAC_OVERRIDE if wall.folders else 0)
    if wall.offer.seccomp:
        also = _also(wall.has_wires or wall.has_network, bool(wall.folders))
        seccomp.install(seccomp.program(platform.machine(), os.getpid(), also, wall.has_network))
    return missing


def _also(has_wires: bool, has_folder: bool) -> tuple[str, ...]:
    """What is refused besides, of `seccomp.OPTIONAL`."""
    return (*(() if has_wires else ("shutdown",)), *(() if has_folder else ("fchmod", "fchown", "truncate")))


def _limit(wall: Wall) -> None:
    statm = os.open("/proc/self/statm", os.O_RDONLY)
    size_now = int(os.read(statm, 100).split()[0]) * resource.getpagesize()
    os.close(statm)
    for limit, bound in (
        (resource.RLIMIT_DATA, wall.memory_octets_max),
        (resource.RLIMIT_AS, size_now + wall.memory_octets_max),  # shared anonymous memory is no "data"
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, FILE_OCTETS_MAX if wall.folders else 0),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_NOFILE, wall.descriptors_max),
    ):
        hard = resource.getrlimit(limit)[1]
        bound = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
        resource.setrlimit(limit, (bound, bound))


def _call_prctl(option: int) -> None:
    if _libc.prctl(option, 1, 0, 0, 0):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


class _CapabilityHead(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _CapabilityData(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def _permitted() -> int:
    """The lower half of this process's permitted capabilities."""
    data = (_CapabilityData * 2)()
    if _libc.capget(ctypes.byref(_CapabilityHead(_CAPABILITY_VERSION, 0)), data):
        raise OSError(ctypes.get_errno(), "capget")
    return int(data[0].permitted)


def _drop_capabilities(kept: int) -> None:
    """Give up what root has beyond others, but `kept`, where it is there to be kept."""
    left = kept & _permitted()
    data = (_CapabilityData * 2)(_CapabilityData(left, left, 0), _CapabilityData(0, 0, 0))
    if _libc.capset(ctypes.byref(_CapabilityHead(_CAPABILITY_VERSION, 0)), data):
        raise OSError(ctypes.get_errno(), "capset")
