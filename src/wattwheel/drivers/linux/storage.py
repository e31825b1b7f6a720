"""Non-volatile octets in a file: the metering core's register memory on Linux.

Ordinary files, `pread`/`pwrite` and `fdatasync`. The file is made under another name, filled, forced to the medium and
only then renamed, so that a half-made one is never met; after that its size never changes, and `fdatasync` has no
metadata to write. Who opens it holds a lock until `close` or death.
"""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import suppress
from pathlib import Path

from wattwheel.model.errors import DoorUnavailable, StorageError

STORE_LOCK = "store.lock"
"""In the folder of the management side's records; whoever writes there holds it."""

REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ELOOP)
"""Errors of opening that a person has to mend; every other one is the medium's."""


def sync_folder(folder: Path) -> None:
    """Force names made or changed in `folder` to the medium. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Make `folder` (owner only) and force its name to the medium. Raises DoorUnavailable, StorageError."""
    try:
        if not folder.is_dir():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            sync_folder(folder.parent)
    except OSError as fault:
        raise opening_error(folder, fault) from None


def opening_error(path: Path, fault: OSError) -> DoorUnavailable | StorageError:
    """The error of ours that `fault` is when it happens in opening `path`."""
    why = os.strerror(fault.errno) if fault.errno else str(fault)
    if fault.errno in REFUSED:
        return DoorUnavailable(str(path), why)
    return StorageError("open", f"{path}: {why}")


def hold(path: Path) -> int:
    """Open `path` for reading and writing (made if missing) and lock it for this process until it is closed.

    Raises DoorUnavailable when somebody else holds it or it cannot be opened, StorageError when the medium fails.
    """
    descriptor = -1
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as fault:
        if descriptor >= 0:
            os.close(descriptor)
        if isinstance(fault, BlockingIOError):
            raise DoorUnavailable(str(path), "in use by another running meter") from None
        raise opening_error(path, fault) from None
    return descriptor


class FileMemory:
    """`hil.storage.Memory` in a preallocated file.

    Attributes:
        size: octets.
        was_truncated: the file was shorter than it must be; the missing end reads as zeros.

    Raises DoorUnavailable when another process holds it or the folder cannot be written, StorageError when the medium
    fails. After a failed `sync` everything since the last good one has to be written again: Linux reports such a loss
    once and then forgets it.
    """

    def __init__(self, path: Path, size: int) -> None:
        assert size > 0
        self.size = size
        self.was_truncated = False
        self._path = path
        make_folder(path.parent)
        self._lock = hold(path.with_name(path.name + ".lock"))
        try:
            self._file = self._open()
        except OSError as fault:
            os.close(self._lock)
            raise opening_error(path, fault) from None

    def _open(self) -> int:
        """Descriptor of the file, which has its full size then. Raises OSError."""
        if not self._path.exists():
            fresh = self._path.with_name(self._path.name + ".new")
            fresh.unlink(missing_ok=True)
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                self._fill(descriptor, 0)
            finally:
                os.close(descriptor)
            fresh.rename(self._path)
            sync_folder(self._path.parent)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        try:
            length = os.fstat(descriptor).st_size
            if length < self.size:
                self.was_truncated = True
                self._fill(descriptor, length)
            _cache_by_the_page(descriptor)
        except OSError:
            os.close(descriptor)
            raise
        return descriptor

    def _fill(self, descriptor: int, start: int) -> None:
        """Write zeros from `start` to the end and force them out, so that no later write can lack space."""
        os.posix_fallocate(descriptor, 0, self.size)
        _write_all(descriptor, bytes(self.size - start), start)
        os.fsync(descriptor)

    def read(self, offset: int, length: int) -> bytes:
        """See `Memory.read`."""
        self._check("read", offset, length)
        try:
            octets = os.pread(self._file, length, offset)
        except OSError as fault:
            raise self._error("read", fault) from None
        if len(octets) != length:
            raise StorageError("read", f"{self._path}: {len(octets)} octets at {offset}, {length} were asked for")
        return octets

    def write(self, offset: int, octets: bytes) -> None:
        """See `Memory.write`."""
        self._check("write", offset, len(octets))
        try:
            _write_all(self._file, octets, offset)
        except OSError as fault:
            raise self._error("write", fault) from None

    def sync(self) -> None:
        """See `Memory.sync`."""
        try:
            os.fdatasync(self._file)
        except OSError as fault:
            raise self._error("sync", fault) from None

    def close(self) -> None:
        """Give file and lock back. Harmless when repeated."""
        for descriptor in (self._file, self._lock):
            if descriptor >= 0:
                os.close(descriptor)
        self._file = self._lock = -1

    def _check(self, operation: str, offset: int, length: int) -> None:
        if offset < 0 or length < 0 or offset + length > self.size:
            raise StorageError(operation, f"{self._path}: octets {offset} to {offset + length}; there are {self.size}")

    def _error(self, operation: str, fault: OSError) -> StorageError:
        return StorageError(operation, f"{self._path}: {fault.strerror or fault}")


class FrozenMemory:
    """`hil.storage.Memory` of what can still be read of a file that `FileMemory` cannot open any more.

    Nothing can be written to it. Where nothing can be read either, every read fails. Raises DoorUnavailable when
    another process holds the file.
    """

    was_truncated = False

    def __init__(self, path: Path, size: int) -> None:
        self.size = size
        self._path = path
        self._lock = self._hold(path.with_name(path.name + ".lock"))
        self._octets = b""
        with suppress(OSError), path.open("rb") as file:
            self._octets = file.read(size)

    def _hold(self, path: Path) -> int:
        """The lock file, held, or -1 where it is not to be had."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return -1
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise DoorUnavailable(str(path), "in use by another running meter") from None
        except OSError:  # a medium that cannot lock: nothing is written to it anyhow
            pass
        return descriptor

    def read(self, offset: int, length: int) -> bytes:
        """See `Memory.read`."""
        octets = self._octets[offset : offset + length]
        if offset < 0 or len(octets) != length:
            raise StorageError("read", f"{self._path}: {len(octets)} octets at {offset}, {length} were asked for")
        return octets

    def write(self, offset: int, octets: bytes) -> None:
        """See `Memory.write`. Raises StorageError."""
        raise StorageError("write", f"{self._path}: cannot be written")

    def sync(self) -> None:
        """See `Memory.sync`. Raises StorageError."""
        raise StorageError("sync", f"{self._path}: cannot be written")

    def close(self) -> None:
        """Give the lock back. Harmless when repeated."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def _cache_by_the_page(descriptor: int) -> None:
    """Let the kernel keep the file in single pages. Raises OSError.

    A write makes a whole piece of the cache dirty, and what was filled or read in one go is one piece, of up to the
    whole file: a slot of 1 KiB would then cost 32 KiB of the medium.
    """
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)


def _write_all(descriptor: int, octets: bytes, offset: int) -> None:
    """`pwrite` until everything is written. Raises OSError."""
    rest = memoryview(octets)
    while rest:
        done = os.pwrite(descriptor, rest, offset)
        rest, offset = rest[done:], offset + done
