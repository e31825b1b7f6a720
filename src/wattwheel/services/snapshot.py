"""What an owner has published of its items, for whoever may answer from it."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from wattwheel.apex.messages import DATA_OCTETS_MAX
from wattwheel.apex.ports import SamplingDestinationPort


class Snapshot:
    """An owner's published table of answers: identifier to item octets."""

    def __init__(self, port: SamplingDestinationPort, now_ns: Callable[[], int], age_ns_max: int) -> None:
        self._port = port
        self._now_ns = now_ns
        self._age_ns_max = age_ns_max
        self._version = 0
        self._written_ns = 0
        self._table: dict[int, bytes] = {}

    def octets(self, di: int) -> bytes | None:
        """What the owner has published for `di`, None when it has not, or not lately."""
        if self._port.version() != self._version:
            self._take()
        if self._now_ns() - self._written_ns > self._age_ns_max:
            return None
        return self._table.get(di)

    def _take(self) -> None:
        version = self._port.version()
        message, _validity, age_ns = self._port.read()
        if message is not None:
            self._version, self._written_ns = version, self._now_ns() - age_ns
            try:
                table = msgspec.msgpack.decode(message, type=dict[int, bytes])
            except msgspec.DecodeError:  # the owner's fault must not become ours: it is asked instead
                table = {}
            self._table = {di: octets for di, octets in table.items() if len(octets) <= DATA_OCTETS_MAX}
