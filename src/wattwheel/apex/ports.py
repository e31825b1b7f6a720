"""Sampling and queuing ports as a partition sees them, over whatever ends the host supplies."""

from __future__ import annotations

from collections.abc import Callable

from wattwheel.apex.codes import Validity
from wattwheel.hil.clock import Clock
from wattwheel.hil.ports import QueuingDestination, QueuingSource, Sample, SamplingDestination, SamplingSource


class QueuingSourcePort:
    """The sending side of a queuing channel."""

    def __init__(self, name: str, end: QueuingSource) -> None:
        self.name = name
        self.max_message_size = end.max_message_size
        self.depth = end.depth
        self.send = end.send_nowait
        self.has_room = end.has_room
        self.on_space: Callable[[Callable[[], None]], None] = end.on_space
        self.length = end.length
        self.count = end.count


class QueuingDestinationPort:
    """The receiving side of a queuing channel: look, work, let go. A message is yours once `done` was called."""

    def __init__(self, name: str, end: QueuingDestination) -> None:
        self.name = name
        self.max_message_size = end.max_message_size
        self.depth = end.depth
        self.receive = end.peek_nowait
        self.done = end.consume
        self.on_message: Callable[[Callable[[], None] | None], None] = end.on_arrival
        self.length = end.length
        self.count = end.count
        self.take_overflow: Callable[[], bool] = getattr(end, "take_overflow", _nothing_lost)


class SamplingSourcePort:
    """The writing side of a sampling channel."""

    def __init__(self, name: str, end: SamplingSource) -> None:
        self.name = name
        self.max_message_size = end.max_message_size
        self._end = end

    def write(self, message: bytes) -> None:
        """Replace the value. `message`: 1..max_message_size octets."""
        assert 0 < len(message) <= self.max_message_size, f"{self.name}: {len(message)} octets"
        self._end.write(message)


class SamplingDestinationPort:
    """A reading side of a sampling channel. Reading does not consume; age decides validity."""

    def __init__(self, name: str, end: SamplingDestination, clock: Clock, refresh_ns: int) -> None:
        self.name = name
        self.max_message_size = end.max_message_size
        self.refresh_ns = refresh_ns
        self.version = end.version
        self.on_message: Callable[[Callable[[], None]], None] = end.on_arrival
        self._end = end
        self._clock = clock

    def read(self) -> tuple[bytes | None, Validity, int]:
        """Message (None before the first write), VALID if not older than the refresh period, and its age in ns."""
        sample = self._end.read()
        if sample is None:
            return None, Validity.INVALID, 0
        age_ns = self._clock.now_ns() - sample.written_ns
        return sample.message, Validity.VALID if age_ns <= self.refresh_ns else Validity.INVALID, age_ns

    def sample(self) -> Sample | None:
        """Message, and when it was written on the monotonic clock; None before the first write."""
        return self._end.read()


def _nothing_lost() -> bool:
    """Local channels lose nothing."""
    return False
