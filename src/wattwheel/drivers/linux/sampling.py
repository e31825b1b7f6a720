"""Raw samples from a FIFO or a socket.

Layout: frames of little-endian integers, `va ia vb ib vc ic`, then `in` where there is a neutral; nothing between the
frames. A writer starts with a whole frame; what it leaves unfinished is thrown away. While nobody writes, samples are
lost: the numbering goes on with the clock, so the gap shows in `SampleBlock.first`.
"""

from __future__ import annotations

import errno
import os
import socket
import stat

import numpy as np

from wattwheel.hil.sampling import SampleBlock, SampleFormat
from wattwheel.model.errors import ConfigError
from wattwheel.model.inputs import StreamInput, stream_address

OCTETS_PER_READ_MAX = 1 << 20
"""Octets taken from the kernel in one read; what is more waits there, and the writer with it."""

CHUNK_OCTETS = 1 << 16

RETRY_NS = 1_000_000_000
"""Pause between two tries to open the source."""


class StreamSource:
    """A `hil.sampling.SampleSource` fed from outside. Never waits.

    Attributes:
        format: what the counts mean.
        lost_samples: samples that gaps in the numbering stand for.
    """

    def __init__(self, settings: StreamInput) -> None:
        kind, self._address, self._port = stream_address(settings.source)
        if kind == "fifo" and os.path.exists(self._address) and not _is_stream(self._address):
            allowed = 'a FIFO (mkfifo), or kind = "recording" for a file'
            raise ConfigError("[input] source", settings.source, allowed)
        self._kind = kind
        self._phases, self._neutral = settings.phases, settings.neutral
        self._type = np.dtype("<i2" if settings.sample == "int16" else "<i4")
        self._columns = 2 * settings.phases + int(settings.neutral)
        self.format = SampleFormat(
            settings.rate_hz,
            (settings.voltage_v_per_count,) * settings.phases,
            (settings.current_a_per_count,) * settings.phases,
            settings.current_a_per_count if settings.neutral else None,
            settings.bits or (16 if settings.sample == "int16" else 24),
        )
        self._fd: int | None = None
        self._socket: socket.socket | None = None
        self._buffer = bytearray()
        self._next = 0
        self._retry_ns: int | None = None
        self._heard_ns: int | None = None
        self._interrupted = False
        self._open = True
        self.lost_samples = 0

    def read(self, now_ns: int) -> list[SampleBlock]:
        """The whole frames that have arrived; empty while nothing is connected."""
        if self._open and self._fd is None and (self._retry_ns is None or now_ns >= self._retry_ns):
            self._connect(now_ns)
        before, self._interrupted = self._interrupted, False
        self._pull(now_ns)
        frame = self._columns * self._type.itemsize
        count = len(self._buffer) // frame
        if not count:
            self._interrupted = self._interrupted or before
            return []
        if before:
            self._skip(now_ns, count)
        self._heard_ns = now_ns
        return self._blocks(count, frame)

    @property
    def is_finished(self) -> bool:
        """True after `close`; a silent writer may come back."""
        return not self._open

    def close(self) -> None:
        """Give the FIFO or socket back."""
        self._open = False
        self._drop(0)

    def _blocks(self, count: int, frame: int) -> list[SampleBlock]:
        samples = np.frombuffer(bytes(self._buffer[: count * frame]), dtype=self._type).reshape(count, self._columns)
        del self._buffer[: count * frame]
        blocks, most = [], max(1, int(self.format.rate_hz))
        for begin in range(0, count, most):
            part = samples[begin : begin + most]
            paired = part[:, : 2 * self._phases]
            neutral = part[:, -1] if self._neutral else None
            voltage, current = np.ascontiguousarray(paired[:, 0::2]), np.ascontiguousarray(paired[:, 1::2])
            blocks.append(SampleBlock(self._next, voltage, current, neutral))
            self._next += len(part)
        return blocks

    def _skip(self, now_ns: int, count: int) -> None:
        """Leave a gap in the numbering for the time without a writer."""
        if self._heard_ns is not None:
            gap = max(0, int((now_ns - self._heard_ns) * self.format.rate_hz / 1e9) - count)
            self._next += gap
            self.lost_samples += gap

    def _connect(self, now_ns: int) -> None:
        self._retry_ns = now_ns + RETRY_NS
        try:
            if self._kind == "fifo":
                self._fd = os.open(self._address, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            else:
                self._call()
        except OSError:
            self._drop(now_ns)

    def _call(self) -> None:
        """Begin to connect; whether somebody answered shows at the first read."""
        family = socket.AF_UNIX if self._kind == "unix" else socket.AF_INET6 if ":" in self._address else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        self._fd = self._socket.fileno()
        address = self._address if self._kind == "unix" else (self._address, self._port)
        error = self._socket.connect_ex(address)
        if error not in (0, errno.EINPROGRESS):
            raise OSError(error, os.strerror(error))

    def _pull(self, now_ns: int) -> None:
        """Take what is there into the buffer."""
        taken = 0
        while self._fd is not None and taken < OCTETS_PER_READ_MAX:
            try:
                octets = os.read(self._fd, CHUNK_OCTETS)
            except OSError as error:
                if error.errno != errno.EAGAIN:
                    self._end(now_ns)
                break
            if not octets:
                self._end(now_ns)
                break
            self._buffer += octets
            taken += len(octets)

    def _end(self, now_ns: int) -> None:
        """The writer has gone: a FIFO waits for the next one, a socket is called again."""
        frame = self._columns * self._type.itemsize
        del self._buffer[len(self._buffer) // frame * frame :]
        self._interrupted = self._heard_ns is not None or len(self._buffer) > 0
        if self._kind != "fifo":
            self._drop(now_ns)

    def _drop(self, now_ns: int) -> None:
        if self._socket is not None:
            self._socket.close()
        elif self._fd is not None:
            os.close(self._fd)
        self._socket = self._fd = None
        self._retry_ns = now_ns + RETRY_NS


def _is_stream(path: str) -> bool:
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return True
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)
