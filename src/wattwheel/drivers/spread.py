"""One source for several queuing channels: each message to every destination, none ahead of its depth.

A message goes into all channels or into none, so the slowest destination decides: while its channel is full the source
is full, and nobody loses anything. A source that dies while it sends may have reached some destinations and not others;
it was not told that its message was taken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from wattwheel.hil.ports import QueuingSource


def spread(sources: Sequence[QueuingSource]) -> QueuingSource:
    """The one source itself, or a source for all of them."""
    return sources[0] if len(sources) == 1 else SpreadSource(sources)


class SpreadSource:
    """`hil.ports.QueuingSource` over the sources of several channels."""

    def __init__(self, sources: Sequence[QueuingSource]) -> None:
        self.max_message_size = min(source.max_message_size for source in sources)
        self.depth = min(source.depth for source in sources)
        self._sources = sources
        self._message = b""
        self._rest: list[QueuingSource] = []  # whom the last message has not reached: there was less room than counted

    def send_nowait(self, message: bytes) -> bool:
        """Queue `message` for every destination. False: full, nothing happened."""
        if not self.has_room():
            return False
        self._message = message
        self._rest = [source for source in self._sources if not source.send_nowait(message)]
        return True

    def has_room(self) -> bool:
        """Whether every channel would take a message now."""
        self._rest = [source for source in self._rest if not source.send_nowait(self._message)]
        return not self._rest and all(source.has_room() for source in self._sources)

    def on_space(self, action: Callable[[], None]) -> None:
        """Call `action` when a channel that was full has room again."""
        for source in self._sources:
            source.on_space(action)

    def count(self) -> int:
        """Messages that have gone to the first destination."""
        return self._sources[0].count()

    def length(self) -> int:
        """Messages under way to the slowest destination."""
        return max(source.length() for source in self._sources)
