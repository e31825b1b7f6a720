"""On which line a key of a TOML file stands. The parser of the standard library does not tell.

The text must be valid TOML already; this reader only keeps count. Keys inside an inline table or an array have no line
of their own and get that of the statement they belong to.
"""

from __future__ import annotations

import re

KeyPath = tuple[str | int, ...]

_KEY = re.compile(r"""[ \t]*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([A-Za-z0-9_-]+))[ \t]*(\.?)""")
_TOKEN = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}'  # the multi-line forms first, or they would read as an empty string
    r"|'''.*?'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'"
    r"|#[^\n]*"
    r"|[\[\]{}\n]",
    re.DOTALL,
)


class TomlLines:
    """Line numbers, counted from 1, by key path."""

    def __init__(self, text: str) -> None:
        self._lines: dict[KeyPath, int] = {}
        self._array_lengths: dict[KeyPath, int] = {}
        self._read(text)

    def line_of(self, path: KeyPath) -> int | None:
        """The line of `path`, or of its nearest ancestor that has one."""
        for end in range(len(path), 0, -1):
            if line := self._lines.get(path[:end]):
                return line
        return None

    def _read(self, text: str) -> None:
        position, line, table = 0, 1, ()  # type: tuple[int, int, KeyPath]
        while position < len(text):
            end = _statement_end(text, position)
            statement = text[position:end]
            body = statement.lstrip(" \t")
            if body.startswith("["):
                table = self._open_table(body, line)
            elif body and body[0] not in "#\r\n":
                self._note((*table, *_dotted(body)), line)
            line += statement.count("\n")
            position = end

    def _open_table(self, body: str, line: int) -> KeyPath:
        path: KeyPath = self._with_indices(_dotted(body.lstrip("[")))
        if body.startswith("[["):
            path = path if not path or not isinstance(path[-1], int) else path[:-1]
            count = self._array_lengths.get(path, 0)
            self._array_lengths[path] = count + 1
            path = (*path, count)
        self._note(path, line)
        return path

    def _with_indices(self, keys: KeyPath) -> KeyPath:
        """`keys` with the index of the newest element behind each name of an array of tables."""
        path: KeyPath = ()
        for key in keys:
            path = (*path, key)
            if count := self._array_lengths.get(path):
                path = (*path, count - 1)
        return path

    def _note(self, path: KeyPath, line: int) -> None:
        for end in range(1, len(path) + 1):
            self._lines.setdefault(path[:end], line)


def _dotted(text: str) -> KeyPath:
    keys: list[str | int] = []
    position = 0
    while match := _KEY.match(text, position):
        keys.append(next(part for part in match.group(1, 2, 3) if part is not None))
        position = match.end()
        if not match.group(4):
            break
    return tuple(keys)


def _statement_end(text: str, start: int) -> int:
    """Where the statement that begins at `start` ends: behind the first line end outside strings and brackets."""
    depth = 0
    for token in _TOKEN.finditer(text, start):
        mark = token.group()
        if mark in "[{":
            depth += 1
        elif mark in "]}":
            depth -= 1
        elif mark == "\n" and depth <= 0:
            return token.end()
    return len(text)
