"""Queuing and sampling channels in one process, with the contracts of `hil.ports`.

A channel belongs to the world and survives the death of whoever holds an end of it: a message that was looked at and
not let go of is seen again by the next holder. Each operation can be the last one of its process (`SimLoop.fuse`),
before or after it took effect.
"""

from __future__ import annotations

from collections import deque

from wattwheel.drivers.sim.clock import Action
from wattwheel.drivers.sim.loop import SimLoop, Watch
from wattwheel.hil.ports import Sample


class SimQueuingChannel:
    """The bounded FIFO itself."""

    def __init__(self, name: str, max_message_size: int, depth: int) -> None:
        self.name, self.max_message_size, self.depth = name, max_message_size, depth
        self.messages: deque[bytes] = deque()
        self.reader: Watch | None = None
        self.writer: Watch | None = None
        self.is_source_waiting = False
        self.has_room_again = False
        self.is_looked_at = False
        self.sent = self.length_max = 0

    def let_go(self) -> bytes:
        """Take the oldest message out."""
        self.is_looked_at = False
        message = self.messages.popleft()
        if self.is_source_waiting:
            self.is_source_waiting, self.has_room_again = False, True
            if self.writer is not None:
                self.writer.post()
        return message


class SimQueuingSource:
    """`hil.ports.QueuingSource` of a simulated process."""

    def __init__(self, channel: SimQueuingChannel, loop: SimLoop) -> None:
        self.max_message_size, self.depth = channel.max_message_size, channel.depth
        self._channel, self._loop = channel, loop
        channel.is_source_waiting = channel.has_room_again = False

    def send_nowait(self, message: bytes) -> bool:
        """Queue `message`. False: full, nothing happened."""
        assert 0 < len(message) <= self.max_message_size, f"{len(message)} octets"
        self._loop.operate()
        if not self.has_room():
            return False
        channel = self._channel
        messages = channel.messages
        messages.append(message)
        channel.sent += 1
        channel.length_max = max(channel.length_max, len(messages))
        if channel.reader is not None:
            channel.reader.post()
        self._loop.operate()
        return True

    def has_room(self) -> bool:
        """Whether a message would be taken now. False: full, and `on_space` will tell."""
        channel = self._channel
        channel.is_source_waiting = len(channel.messages) >= self.depth
        return not channel.is_source_waiting

    def on_space(self, action: Action) -> None:
        """Call `action` when a full channel has room again."""
        channel = self._channel

        def room() -> None:
            channel.has_room_again = False
            action()

        channel.writer = self._loop.watch(lambda: channel.has_room_again, room)

    def length(self) -> int:
        """Messages under way."""
        return len(self._channel.messages)

    def count(self) -> int:
        """Messages that have gone into the channel since it was made, from this end and its predecessors."""
        return self._channel.sent


class SimQueuingDestination:
    """`hil.ports.QueuingDestination` of a simulated process."""

    def __init__(self, channel: SimQueuingChannel, loop: SimLoop) -> None:
        self.max_message_size, self.depth = channel.max_message_size, channel.depth
        self._channel, self._loop = channel, loop

    def peek_nowait(self) -> bytes | None:
        """The oldest message, which stays; None when empty."""
        self._loop.operate()
        messages = self._channel.messages
        self._channel.is_looked_at = bool(messages)
        return messages[0] if messages else None

    def consume(self) -> None:
        """Let go of the message that `peek_nowait` returned last."""
        self._loop.operate()
        self._channel.let_go()
        self._loop.operate()

    def on_arrival(self, action: Action | None) -> None:
        """Call `action` while messages wait; None: nobody."""
        channel = self._channel
        if channel.reader is not None:
            channel.reader.is_ready = _never
        channel.reader = None if action is None else self._loop.watch(lambda: bool(channel.messages), action)

    def length(self) -> int:
        """Messages that wait."""
        return len(self._channel.messages)

    def count(self) -> int:
        """Messages that were let go of since the channel was made, by this end and its predecessors."""
        return self._channel.sent - len(self._channel.messages)


class SimSamplingChannel:
    """The last-value cell itself. `calls`: owners that want to be told, and whether there is news for them."""

    def __init__(self, name: str, max_message_size: int, destinations: tuple[str, ...]) -> None:
        self.name, self.max_message_size = name, max_message_size
        self.number = 0
        self.newest: Sample | None = None
        self.has_news = dict.fromkeys(destinations, False)
        self.readers: dict[str, Watch] = {}


class SimSamplingSource:
    """`hil.ports.SamplingSource` of a simulated process."""

    def __init__(self, channel: SimSamplingChannel, loop: SimLoop) -> None:
        self.max_message_size = channel.max_message_size
        self._channel, self._loop = channel, loop

    def write(self, message: bytes) -> None:
        """Replace the value."""
        assert 0 < len(message) <= self.max_message_size, "the port above checks sizes"
        self._loop.operate()
        channel = self._channel
        channel.number += 1
        channel.newest = Sample(message, self._loop.now_ns())
        for owner in channel.has_news:
            channel.has_news[owner] = True
            if owner in channel.readers:
                channel.readers[owner].post()
        self._loop.operate()


class SimSamplingDestination:
    """`hil.ports.SamplingDestination` of a simulated process of the partition `owner`."""

    def __init__(self, channel: SimSamplingChannel, loop: SimLoop, owner: str) -> None:
        self.max_message_size = channel.max_message_size
        self._channel, self._loop, self._owner = channel, loop, owner

    def version(self) -> int:
        """Number of the newest write, 0 before the first."""
        return self._channel.number

    def read(self) -> Sample | None:
        """The newest value, None before the first write."""
        self._loop.operate()
        return self._channel.newest

    def on_arrival(self, action: Action) -> None:
        """Call `action` after writes. The channel must have been made with this destination's name."""
        has_news, owner = self._channel.has_news, self._owner
        assert owner in has_news, "the channel was made without an arrival call for this destination"

        def news() -> None:
            has_news[owner] = False
            action()

        self._channel.readers[owner] = self._loop.watch(lambda: has_news[owner], news)


def _never() -> bool:
    """What a watch that was taken back looks at."""
    return False
