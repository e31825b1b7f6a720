"""What a process says of itself to the kernel: its name, and whom it will not outlive."""

from __future__ import annotations

import ctypes
import os
import signal
import threading

_LIBRARY = ctypes.CDLL(None)
_prctl = _LIBRARY.prctl

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15


def call_prctl(option: int, argument: int | bytes) -> None:
    """prctl(2) of the C library; a refusal is ignored, since each use only narrows what a process may do."""
    _prctl(option, argument, 0, 0, 0)


def die_with_parent(parent_pid: int) -> None:
    """Ask the kernel to kill this process with its parent; end at once if that parent has gone already."""
    call_prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        os._exit(0)


def give_back_memory() -> None:
    """Give the memory that a start has used and freed back to the machine, where the C library can (malloc_trim)."""
    trim = getattr(_LIBRARY, "malloc_trim", None)
    if trim is not None:
        trim(0)


def forget_threads() -> None:
    """Let the forks to come do nothing for the locks of other threads, of which a meter's processes have none.

    What `threading` does in each child of a fork, whether it uses threads or not, makes 0.45 MB its own.
    """
    after_fork = getattr(threading, "_after_fork", None)
    if after_fork is not None:
        after_fork.__code__ = _do_nothing.__code__


def _do_nothing() -> None:
    """Nothing."""


def name_process(name: str) -> None:
    """Show `name` in the process list."""
    call_prctl(_PR_SET_NAME, f"ww-{name}"[:15].encode())
