"""Sampling channels between processes: a cell of shared memory with the last value.

Theory of operation. A sampling channel is a memfd with two slots. The writer fills the older slot and then publishes
its number. A reader checks the slot's checksum, so that neither a torn write nor memory ordering can pass for a value.

Pages are sealed as those of queuing channels are (`drivers.linux.ports`), and words that the other side reads while
they change are accessed in the same way.
"""

from __future__ import annotations

import mmap
import os
import struct
import time
import zlib
from collections.abc import Callable

from wattwheel.drivers.linux.loop import EpollLoop
from wattwheel.drivers.linux.shared_memory import memory_of, read_only, ring
from wattwheel.hil.ports import Sample

READ_TRIES_MAX = 16  # looks at a cell that is being written all the time before the last good value is given again

_SAMPLE_HEADER = struct.Struct("<QQII")  # number, written_ns, length, checksum
_VERSION_OCTETS = 8


class SamplingChannel:
    """Descriptors of one sampling channel: the cell, and an eventfd for each destination that wants arrival calls."""

    def __init__(self, name: str, max_message_size: int, destinations: tuple[str, ...]) -> None:
        self.name, self.max_message_size = name, max_message_size
        self.cell = memory_of(name, _VERSION_OCTETS + 2 * (_SAMPLE_HEADER.size + max_message_size))
        self._cell_read_only = read_only(self.cell)
        self.arrivals = {owner: os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC) for owner in destinations}

    def writes(self) -> int:
        """How often it has been written."""
        with mmap.mmap(self.cell, 0, prot=mmap.PROT_READ) as mapped:
            return int(struct.unpack_from("<Q", mapped)[0])

    def source_descriptors(self) -> list[int]:
        """What the one writer needs."""
        return [self.cell, *self.arrivals.values()]

    def destination_descriptors(self, owner: str) -> list[int]:
        """What a reader needs."""
        return [self._cell_read_only, *([self.arrivals[owner]] if owner in self.arrivals else [])]

    def close(self) -> None:
        """Give the descriptors back."""
        os.close(self.cell)
        os.close(self._cell_read_only)
        for descriptor in self.arrivals.values():
            os.close(descriptor)


class LinuxSamplingSource:
    """`hil.ports.SamplingSource` over the descriptors of a channel."""

    def __init__(self, descriptors: list[int], max_message_size: int) -> None:
        self.max_message_size = max_message_size
        self._map = mmap.mmap(descriptors[0], 0)
        self._number = memoryview(self._map)[:_VERSION_OCTETS].cast("Q")
        self._arrivals = descriptors[1:]
        self._slot_octets = _SAMPLE_HEADER.size + max_message_size

    def write(self, message: bytes) -> None:
        """Replace the value."""
        assert 0 < len(message) <= self.max_message_size, "the port above checks sizes"
        cell = self._map
        number = self._number[0] + 1
        at = _VERSION_OCTETS + (number & 1) * self._slot_octets
        written_ns = time.monotonic_ns()
        checksum = zlib.crc32(message, zlib.crc32(struct.pack("<QQ", number, written_ns)))
        cell[at + _SAMPLE_HEADER.size : at + _SAMPLE_HEADER.size + len(message)] = message
        _SAMPLE_HEADER.pack_into(cell, at, number, written_ns, len(message), checksum)
        self._number[0] = number
        for descriptor in self._arrivals:
            ring(descriptor)


class LinuxSamplingDestination:
    """`hil.ports.SamplingDestination` over the descriptors of a channel."""

    def __init__(self, loop: EpollLoop, descriptors: list[int], max_message_size: int) -> None:
        self.max_message_size = max_message_size
        self._loop = loop
        self._map = mmap.mmap(descriptors[0], 0, prot=mmap.PROT_READ)
        self._number = memoryview(self._map)[:_VERSION_OCTETS].cast("Q")
        self._arrival = descriptors[1] if len(descriptors) > 1 else None
        self._slot_octets = _SAMPLE_HEADER.size + max_message_size
        self._newest: Sample | None = None

    def version(self) -> int:
        """Number of the newest write, 0 before the first."""
        return self._number[0]

    def read(self) -> Sample | None:
        """The newest whole value, None before the first write."""
        for _ in range(READ_TRIES_MAX):
            number = self._number[0]
            if number == 0:
                return None
            sample = self._slot(number) or self._slot(number - 1)  # the other slot serves while this one is rewritten
            if sample is not None:
                # A slot may already hold a write that is not numbered yet; after it, its predecessor is no news.
                if self._newest is None or sample.written_ns >= self._newest.written_ns:
                    self._newest = sample
                break
        return self._newest

    def _slot(self, number: int) -> Sample | None:
        at = _VERSION_OCTETS + (number & 1) * self._slot_octets
        stored, written_ns, length, checksum = _SAMPLE_HEADER.unpack_from(self._map, at)
        if stored == 0 or length > self.max_message_size:
            return None
        message = self._map[at + _SAMPLE_HEADER.size : at + _SAMPLE_HEADER.size + length]
        if zlib.crc32(message, zlib.crc32(struct.pack("<QQ", stored, written_ns))) != checksum:
            return None
        return Sample(message, written_ns)

    def on_arrival(self, action: Callable[[], None]) -> None:
        """Call `action` after writes. The channel must have been made with this destination's name."""
        assert self._arrival is not None, "the channel was made without an arrival call for this destination"
        descriptor = self._arrival

        def taken() -> None:
            try:
                os.eventfd_read(descriptor)
            except BlockingIOError:
                return
            action()

        self._loop.watch(descriptor, taken)
