"""Which software this is: SHA-256 over names and contents of its files, so that each change gives another one."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import wattwheel

PACKAGE = Path(wattwheel.__file__).parent
SEALED = "metrology"


def checksum(folder: Path) -> str:
    """SHA-256 over names and contents of all code and data beneath `folder`, 64 hex digits."""
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            octets = file.read_bytes()
            digest.update(f"{file.relative_to(folder).as_posix()} {len(octets)}\n".encode() + octets)
    return digest.hexdigest()


def sealed_checksum() -> str:
    """The checksum of the metering core's sealed folder."""
    return checksum(PACKAGE / SEALED)


@cache
def software_checksum() -> str:
    """The checksum of everything: the sealed part, the management core and its tables."""
    return checksum(PACKAGE)
