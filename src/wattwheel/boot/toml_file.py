"""Reading a TOML file of settings: what is none is told in a sentence, with its line."""

from __future__ import annotations

import tomllib
from pathlib import Path

from wattwheel.model.errors import BadInput, ConfigError

FILE_OCTETS_MAX = 1 << 20


def text_of(path: Path) -> str:
    """The text of a settings file, with a line end behind its last line. Raises BadInput or ConfigError."""
    try:
        with path.open("rb") as file:
            octets = file.read(FILE_OCTETS_MAX + 1)
    except OSError as error:
        raise BadInput(f"{path}: cannot read the settings: {error.strerror}; give a TOML file or none") from None
    if len(octets) > FILE_OCTETS_MAX:
        raise BadInput(f"{path}: longer than {FILE_OCTETS_MAX} octets; that is no settings file")
    try:
        return octets.decode("utf-8-sig").replace("\r\n", "\n") + "\n"
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"line {line}", octets[error.start : error.start + 1], "UTF-8 text", str(path)) from None


def table_of(text: str, file: str) -> dict[str, object]:
    """The table that `text` of `file` says. Raises ConfigError with the line for what is no TOML."""
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ConfigError("whole file", "hundreds of nested brackets", "a flat TOML file", file) from None
    except tomllib.TOMLDecodeError as error:
        why, _, place = str(error).partition(" (at ")
        where = place.rstrip(")") or "whole file"
        line = where.removeprefix("line ").partition(",")[0]
        lines = text.splitlines()
        found = (
            lines[int(line) - 1].strip()[:80] if line.isdigit() and int(line) <= len(lines) else "the end of the file"
        )
        raise ConfigError(where, found, f'TOML such as key = "value" ({why[:1].lower()}{why[1:]})', file) from None
    except ValueError:  # the interpreter's own bound on the digits of an integer
        raise ConfigError("whole file", "a number with thousands of digits", "numbers of a meter", file) from None
