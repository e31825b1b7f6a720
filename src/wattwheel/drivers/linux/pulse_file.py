"""Pulses as lines of a file or a named pipe: one JSON object a pulse.

A file is bounded: what would make it longer than it may be goes into a new one, and the one before is kept beside it as
`NAME.1`. It is asked at the start what it has, so that no pulse is written twice. A pipe that nobody reads loses
pulses, and so does one whose reader stays behind by more than `WAITING_LINES_MAX`: the core never waits for a reader.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections import deque
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import msgspec

from wattwheel.hil.pulses import Pulse
from wattwheel.model.errors import DoorUnavailable

NANOSECONDS_A_MILLISECOND = 1_000_000
TAIL_OCTETS = 65_536
"""So much of the end of a file is looked at for the last pulse of each kind."""
PIPE_OCTETS = 1 << 20
"""Asked of the kernel for a pipe: what an unprivileged process may have."""
CHUNK_LINES = 16
"""Written at once: they are shorter than `select.PIPE_BUF`, so they go whole or not at all."""
WAITING_LINES_MAX = 10_000
"""Lines that wait for a reader who is there and behind."""


class PulseLine(msgspec.Struct, frozen=True):
    """One line. `start_ns`: see `hil.pulses.Pulse`; a width is a whole number of ms unless the pulse is cut short."""

    kind: str
    start_ns: int
    width_ms: float
    number: int


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(PulseLine).decode


class PulseFile:
    """`hil.pulses.PulseSink` on the file or named pipe `path`, opened for each batch: it may come and go."""

    def __init__(self, path: Path, octets_max: int, is_needed: bool = True) -> None:
        """Raises DoorUnavailable for what can be neither; with `is_needed` False it takes no pulses as long as it is
        so."""
        self._path, self._octets_max = path, octets_max
        try:
            self._is_pipe = self._looks_like_a_pipe()
        except DoorUnavailable:
            if is_needed:
                raise
            self._is_pipe = False
        self._last = {} if self._is_pipe else self._found()
        self._pipe: int | None = None
        self._waiting: deque[bytes] = deque()

    def _looks_like_a_pipe(self) -> bool:
        """Whether there is one, and not a file that can be written. Raises DoorUnavailable."""
        path = self._path
        if path.exists() and not (path.is_file() or path.is_fifo()):
            raise DoorUnavailable(str(path), "neither a file nor a named pipe")
        try:
            if path.is_fifo():
                return True
            os.close(self._open())
        except OSError as fault:
            raise DoorUnavailable(str(path), f"{fault.strerror}; give a file or a named pipe") from None
        return False

    @property
    def remembers(self) -> bool:
        """A file does, a pipe does not."""
        return not self._is_pipe

    def last(self, kind: str) -> int | None:
        """Number of the last pulse of `kind` in the file."""
        return self._last.get(kind)

    def _found(self) -> dict[str, int]:
        """The last number of each kind; lines that are torn or foreign are passed over."""
        found: dict[str, int] = {}
        for path in (self._beside, self._path):
            with contextlib.suppress(OSError), path.open("rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL_OCTETS))
                for line in file.read().split(b"\n"):
                    with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
                        pulse = _decode(line)
                        found[pulse.kind] = max(found.get(pulse.kind, 0), pulse.number)
        return found

    @property
    def _beside(self) -> Path:
        return self._path.with_name(self._path.name + ".1")

    def give(self, pulses: Sequence[Pulse]) -> int:
        """Write the lines of `pulses`; how many, of these or of those that waited, are lost."""
        lines = [_line(pulse) for pulse in pulses]
        if self._is_pipe:
            return self._to_pipe(lines)
        try:
            return 0 if self._to_file(b"".join(lines)) else len(pulses)
        except OSError:
            return len(pulses)

    def _to_pipe(self, lines: list[bytes]) -> int:
        """Whole lines alone, as far as there is room; the pipe stays open, so that its reader sees no end."""
        waiting = self._waiting
        waiting.extend(lines)
        try:
            if self._pipe is None:
                self._pipe = os.open(self._path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
                with contextlib.suppress(OSError):
                    fcntl.fcntl(self._pipe, fcntl.F_SETPIPE_SZ, PIPE_OCTETS)
            while waiting:
                chunk = b"".join(islice(waiting, CHUNK_LINES))
                os.write(self._pipe, chunk)
                for _ in range(min(CHUNK_LINES, len(waiting))):
                    waiting.popleft()
        except BlockingIOError:  # it is full
            pass
        except OSError:  # nobody reads
            self._shut_pipe()
            lost = len(waiting)
            waiting.clear()
            return lost
        lost = max(0, len(waiting) - WAITING_LINES_MAX)
        for _ in range(lost):
            waiting.popleft()
        return lost

    def _shut_pipe(self) -> None:
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None

    def _to_file(self, lines: bytes) -> bool:
        descriptor = self._open()
        try:
            size = os.fstat(descriptor).st_size
            if size and size + len(lines) > self._octets_max:
                os.close(descriptor)
                self._path.replace(self._beside)
                descriptor = self._open()
                size = 0
            if size and os.pread(descriptor, 1, size - 1) != b"\n":  # the end of a core that died over a line
                lines = b"\n" + lines
            return os.write(descriptor, lines) == len(lines)
        finally:
            os.close(descriptor)

    def _open(self) -> int:
        return os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _line(pulse: Pulse) -> bytes:
    width_ms = pulse.width_ns / NANOSECONDS_A_MILLISECOND
    shown = int(width_ms) if width_ms.is_integer() else width_ms
    return _encode(PulseLine(pulse.kind, pulse.start_ns, shown, pulse.number)) + b"\n"
