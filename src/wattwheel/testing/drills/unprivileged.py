"""Becoming nobody: what a drill about an ordinary user does when it was started as root."""

from __future__ import annotations

import ctypes
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import wattwheel

NOBODY = 65534
_NEW_MOUNTS = 0x0002_0000
_BIND, _RECURSIVE, _PRIVATE = 4096, 16384, 1 << 18


def needed() -> list[Path]:
    """What a Python with this package has to reach."""
    return sorted({Path(sys.base_prefix), Path(sys.prefix), Path(wattwheel.__file__).parent})


def hidden_by(path: Path) -> Path | None:
    """The first folder on the way to `path` that others may not pass, None where the way is free."""
    for folder in reversed((path, *path.parents)):
        if not stat.S_IMODE(folder.stat().st_mode) & stat.S_IXOTH:
            return folder
    return None


def become_nobody(scratch: str) -> Callable[[], None]:
    """What a new process has to do, started as root, to go on as nobody: for `subprocess`, between fork and exec.

    Where the interpreter lies in a folder that others may not pass, the process gets a view of its own, in which just
    the interpreter and this package lie there. `scratch`: an empty folder for that, on which the view is built.
    """
    ways: dict[Path, list[Path]] = {}
    for path in needed():
        hidden = hidden_by(path)
        if hidden is not None:
            ways.setdefault(hidden, []).append(path)

    def become() -> None:
        if ways:
            _call("unshare", _NEW_MOUNTS)
            _call("mount", b"none", b"/", None, _RECURSIVE | _PRIVATE, None)
        for hidden, paths in ways.items():
            _uncover(hidden, paths, scratch)
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)

    return become


def _uncover(hidden: Path, paths: list[Path], scratch: str) -> None:
    """In the place of `hidden` an empty folder, in which only `paths` lie."""
    kept = []
    for number, path in enumerate(paths):
        place = f"{scratch}/{number}"
        os.makedirs(place, exist_ok=True)
        _call("mount", os.fsencode(path), place.encode(), None, _BIND | _RECURSIVE, None)
        kept.append(place)
    _call("mount", b"tmpfs", os.fsencode(hidden), b"tmpfs", 0, b"mode=0755,size=64k")
    for place, path in zip(kept, paths, strict=True):
        os.makedirs(path, mode=0o755, exist_ok=True)
        _call("mount", place.encode(), os.fsencode(path), None, _BIND | _RECURSIVE, None)


def _call(name: str, *arguments: object) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, name)(*arguments):
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")
