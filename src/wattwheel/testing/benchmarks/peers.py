"""Peers: other people's packages and programs, each in an environment of its own, never in the project's."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

INSTALL_TIMEOUT_S = 300


class PeerUnavailableError(Exception):
    """A peer that cannot be run here; the message says why."""


def peers_folder() -> Path:
    """Where peers' environments are kept: `wattwheel/peers` under the XDG cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "wattwheel" / "peers"


def peer_python(*requirements: str) -> Path:
    """Interpreter of an environment that holds exactly `requirements`. Raises PeerUnavailableError."""
    name = "_".join(requirement.replace("==", "-") for requirement in requirements)
    folder = peers_folder() / name
    python = folder / "bin" / "python"
    stamp = folder / "installed"
    if stamp.exists():
        return python
    try:
        shutil.rmtree(folder, ignore_errors=True)
        _run([sys.executable, "-m", "venv", str(folder)])
        _run([str(python), "-m", "pip", "install", "--quiet", *requirements])
    except (OSError, subprocess.SubprocessError) as fault:
        why = getattr(fault, "stderr", b"") or b""
        last = why.decode(errors="replace").strip().splitlines()[-1:] or [str(fault)]
        raise PeerUnavailableError(f"{' '.join(requirements)}: {last[0]}") from fault
    stamp.touch()
    return python


def peer_program(name: str) -> str:
    """Path of an installed program. Raises PeerUnavailableError."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise PeerUnavailableError(f"{name} is not installed")
    return found


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=INSTALL_TIMEOUT_S)
