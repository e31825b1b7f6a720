"""Memory that several processes see, and bells between them, none of which a cheat can turn against the others."""

from __future__ import annotations

import contextlib
import fcntl
import os


def memory_of(name: str, octets: int) -> int:
    """Shared memory of a size that nobody can change: a reader of a page that was cut away would die."""
    descriptor = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(descriptor, octets)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    return descriptor


def read_only(descriptor: int) -> int:
    """Another descriptor of the same memory, to read only."""
    return os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY | os.O_CLOEXEC)


def ring(descriptor: int) -> None:
    """Write an eventfd; one that somebody has filled to the brim rings already."""
    with contextlib.suppress(BlockingIOError):
        os.eventfd_write(descriptor, 1)
