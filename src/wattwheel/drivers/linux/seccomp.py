"""The system calls that a partition's process may not make, as a filter program for the kernel.

A partition lives on what it was born with: descriptors, memory, time. So everything is refused that makes another
process, reaches one, opens a wire, changes a file it was not given, takes privileges or touches the machine. Calls
younger than this table are refused as unknown. What needs an argument to be told apart is looked at.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

_libc = ctypes.CDLL(None, use_errno=True)

_ALLOW, _KILL_PROCESS, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16
_SET_SECCOMP, _MODE_FILTER = 22, 2
_INSTRUCTION = struct.Struct("<HBBI")
_AF_UNIX = 1
PATTERNS_MAX = 8
"""Different filters kept ready; there are six."""

_YOUNGEST = 463
"""The first number that this table does not know: setxattrat and all that came after it."""


class Architecture(NamedTuple):
    """How the kernel names a machine. `column`: of `FORBIDDEN`; `foreign`: lowest number of a second set of calls."""

    audit: int
    column: int
    foreign: int | None


ARCHITECTURES: Mapping[str, Architecture] = {
    "x86_64": Architecture(0xC000003E, 0, 0x40000000),
    "aarch64": Architecture(0xC00000B7, 1, None),
}

FORBIDDEN: Mapping[str, tuple[int | None, int | None]] = {
    # name: number on x86_64, on aarch64
    # other processes: making them, reaching them
    "clone": (56, 220),
    "fork": (57, None),
    "vfork": (58, None),
    "execve": (59, 221),
    "execveat": (322, 281),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "kcmp": (312, 272),
    "setsid": (112, 157),
    "setpgid": (109, 154),
    "setpriority": (141, 140),
    "ioprio_set": (251, 30),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    "sched_setattr": (314, 274),
    "sched_setaffinity": (203, 122),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    "unshare": (272, 97),
    "setns": (308, 268),
    "personality": (135, 92),
    # wires
    "socket": (41, 198),
    "connect": (42, 203),
    "bind": (49, 200),
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
    "msgget": (68, 186),
    "semget": (64, 190),
    "shmget": (29, 194),
    "shmat": (30, 196),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_setup": (206, 0),
    # memory that no limit counts
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "userfaultfd": (323, 282),
    "remap_file_pages": (216, 234),
    # files: what Landlock does not look at
    "chmod": (90, None),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "lchown": (94, None),
    "fchownat": (260, 54),
    "utime": (132, None),
    "utimes": (235, None),
    "futimesat": (261, None),
    "utimensat": (280, 88),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "mknod": (133, None),
    "mknodat": (259, 33),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "fanotify_init": (300, 262),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    # the machine
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "move_mount": (429, 429),
    "open_tree": (428, 428),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "acct": (163, 89),
    "syslog": (103, 116),
    "vhangup": (153, 58),
    "iopl": (172, None),
    "ioperm": (173, None),
    "modify_ldt": (154, None),
    "lookup_dcookie": (212, 18),
}
"""Refused with EPERM whatever the arguments."""

UNKNOWN: Mapping[str, tuple[int, int]] = {"clone3": (435, 435)}
"""Refused as if this kernel did not have it: the C library then takes the older call, which is refused above."""


class _Look(NamedTuple):
    """A call that depends on an argument: `refused` values (or all but `allowed`) of argument number `argument`.

    `goes_on`: what is allowed here is looked at again by the next one of the same call.
    """

    numbers: tuple[int, int]
    argument: int
    refused: tuple[int, ...] = ()
    allowed: tuple[int, ...] = ()
    goes_on: bool = False


_OWN_PID = 0x7E57_A1D0
"""Stands for the process's own number until it is known: no such process, value or address."""

_SOCKET_FLAGS = (0, 0x80000, 0x800, 0x80800)
_STREAMS = tuple(1 | flags for flags in _SOCKET_FLAGS)
_PAIRS = (*_STREAMS, *(5 | flags for flags in _SOCKET_FLAGS))
"""SOCK_STREAM and SOCK_SEQPACKET: an end of a pair of datagram sockets could send to every named socket there is."""

_LOOKS: Mapping[str, _Look] = {
    "kill": _Look((62, 129), 0, allowed=(_OWN_PID,)),
    "tgkill": _Look((234, 131), 0, allowed=(_OWN_PID,)),
    "prlimit64": _Look((302, 261), 0, allowed=(0, _OWN_PID)),
    "socketpair kind": _Look((53, 199), 1, allowed=_PAIRS, goes_on=True),
    "socketpair": _Look((53, 199), 0, allowed=(_AF_UNIX,)),
    # who gets the signals of a descriptor: F_SETSIG, F_SETOWN, F_SETOWN_EX; FIOSETOWN, SIOCSPGRP
    "fcntl": _Look((72, 25), 1, refused=(10, 8, 15)),
    # typing into a terminal: TIOCSTI, TIOCLINUX
    "ioctl": _Look((16, 29), 1, refused=(0x8901, 0x8902, 0x5412, 0x541C)),
    # outliving the parent, being looked at: PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_PTRACER
    "prctl": _Look((157, 167), 0, refused=(1, 4, 0x59616D61)),
}


OF_THE_NETWORK = ("socket", "connect", "bind")
_INTERNET = (_Look((41, 198), 1, allowed=_STREAMS, goes_on=True), _Look((41, 198), 0, allowed=(2, 10)))
"""Sockets of a partition with the network: streams of the internet's two families, and nothing else."""


def is_available() -> bool:
    """Whether this kernel takes filters and this machine is in the table."""
    if platform.machine() not in ARCHITECTURES:
        return False
    refused = _libc.prctl(_SET_SECCOMP, _MODE_FILTER, None, 0, 0)  # no program: EFAULT where filters are known
    return bool(refused == -1 and ctypes.get_errno() == errno.EFAULT)


def program(machine: str, own_pid: int, also: tuple[str, ...] = (), has_network: bool = False) -> bytes:
    """The filter for `machine` (a key of `ARCHITECTURES`). `also`: further names, in `OPTIONAL`, to refuse.

    `has_network`: TCP sockets may be made, bound and connected.
    """
    return _pattern(machine, also, has_network).replace(_OWN_PID.to_bytes(4, "little"), own_pid.to_bytes(4, "little"))


@lru_cache(maxsize=PATTERNS_MAX)
def _pattern(machine: str, also: tuple[str, ...], has_network: bool) -> bytes:
    """The filter with `_OWN_PID` in it: made once, before bodies are forked."""
    own = ARCHITECTURES[machine]
    code = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_EQUAL, 1, 0, own.audit),
        (_RETURN, 0, 0, _KILL_PROCESS),
        (_LOAD, 0, 0, _NUMBER_AT),
    ]
    if own.foreign is not None:
        code += [(_AT_LEAST, 0, 1, own.foreign), (_RETURN, 0, 0, _KILL_PROCESS)]
    code += [(_AT_LEAST, 0, 1, _YOUNGEST), (_RETURN, 0, 0, _ERRNO | errno.ENOSYS)]
    for numbers in UNKNOWN.values():
        code += [(_EQUAL, 0, 1, numbers[own.column]), (_RETURN, 0, 0, _ERRNO | errno.ENOSYS)]
    forbidden = {**FORBIDDEN, **{name: OPTIONAL[name] for name in also}}
    for name in OF_THE_NETWORK if has_network else ():
        del forbidden[name]
    for name, numbers_or_none in forbidden.items():
        number = numbers_or_none[own.column]
        if number is not None:
            assert number < _YOUNGEST, name
            code += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ERRNO | errno.EPERM)]
    for look in (*_LOOKS.values(), *(_INTERNET if has_network else ())):
        code += _looked(look, own.column)
    code.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(_INSTRUCTION.pack(*instruction) for instruction in code)


OPTIONAL: Mapping[str, tuple[int | None, int | None]] = {
    # ending a wire for everybody who holds it; who owns a file
    "shutdown": (48, 210),
    "fchmod": (91, 52),
    "fchown": (93, 55),
    "truncate": (76, 45),
}
"""Refused where a partition has no wires and no folder of its own that need them."""


def _looked(look: _Look, column: int) -> list[tuple[int, int, int, int]]:
    """Instructions for a call that depends on an argument; every way through them but the first ends in a return."""
    if look.goes_on:
        return _looked_on(look, column)
    values = look.refused or look.allowed
    on_match, otherwise = (_ERRNO | errno.EPERM, _ALLOW) if look.refused else (_ALLOW, _ERRNO | errno.EPERM)
    body = [(_LOAD, 0, 0, _ARGUMENTS_AT + 8 * look.argument)]
    for value in values:
        body += [(_EQUAL, 0, 1, value), (_RETURN, 0, 0, on_match)]
    body.append((_RETURN, 0, 0, otherwise))
    return [(_EQUAL, 0, len(body), look.numbers[column]), *body]


def _looked_on(look: _Look, column: int) -> list[tuple[int, int, int, int]]:
    """The same for one whose allowed values lead on to what follows, with the call's number at hand again."""
    count = len(look.allowed)
    body = [(_LOAD, 0, 0, _ARGUMENTS_AT + 8 * look.argument)]
    body += [(_EQUAL, count - place, 0, value) for place, value in enumerate(look.allowed)]
    body += [(_RETURN, 0, 0, _ERRNO | errno.EPERM), (_LOAD, 0, 0, _NUMBER_AT)]
    return [(_EQUAL, 0, len(body), look.numbers[column]), *body]


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def install(octets: bytes) -> None:
    """Let the kernel apply the program in `octets` to this process, for good. Raises OSError.

    The process must have given up new privileges before.
    """
    held = ctypes.create_string_buffer(octets, len(octets))
    filter_program = _Program(len(octets) // _INSTRUCTION.size, ctypes.cast(held, ctypes.c_void_p))
    if _libc.prctl(_SET_SECCOMP, _MODE_FILTER, ctypes.byref(filter_program), 0, 0):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
