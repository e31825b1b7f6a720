"""What the kernel's message transport promises to both sides of the partition wall.

A queuing end is one end of a one-way bounded FIFO, a sampling end one end of a last-value cell. `apex.ports` builds the
ARINC 653 services on them; a driver supplies them (Linux sockets and sealed memory, or simulated ones).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol


class QueuingSource(Protocol):
    """The sending end of a queuing channel.

    Contract: messages arrive whole, in order, once each; never more than `depth` are under way; none is overwritten.
    """

    max_message_size: int
    depth: int

    def send_nowait(self, message: bytes) -> bool:
        """Queue `message` (1..max_message_size octets). False: full, nothing happened."""

    def has_room(self) -> bool:
        """Whether a message would be taken now. False: full, and `on_space` will tell."""

    def on_space(self, action: Callable[[], None]) -> None:
        """Call `action` when a full channel has room again."""

    def length(self) -> int:
        """Messages under way, as far as this end knows."""

    def count(self) -> int:
        """Messages that have gone into the channel since it was made, from this end and its predecessors."""


class QueuingDestination(Protocol):
    """The receiving end of a queuing channel.

    Contract: a message stays until `consume`; a receiver that dies between the two sees it again.
    """

    max_message_size: int
    depth: int

    def peek_nowait(self) -> bytes | None:
        """The oldest message, which stays; None when empty."""

    def consume(self) -> None:
        """Let go of the message that `peek_nowait` returned last."""

    def on_arrival(self, action: Callable[[], None] | None) -> None:
        """Call `action` when messages wait, again and again while they do. A call in vain is harmless.

        None: call nobody any more. Whoever leaves messages where they are must say so, or it is called for ever.
        """

    def length(self) -> int:
        """Messages that wait, as far as this end knows."""

    def count(self) -> int:
        """Messages that were let go of since the channel was made, by this end and its predecessors."""


class LossyDestination(QueuingDestination, Protocol):
    """A receiving end that may have lost messages: the far end of a wire. Local channels lose none."""

    def take_overflow(self) -> bool:
        """Whether messages were lost since this was asked last."""


class Sample(NamedTuple):
    """A sampling port's content: the message, and when it was written on the monotonic clock."""

    message: bytes
    written_ns: int


class SamplingSource(Protocol):
    """The writing end of a sampling channel. Only one exists."""

    max_message_size: int

    def write(self, message: bytes) -> None:
        """Replace the value. Never blocks; a reader sees the old value or the new one, never a mix."""


class SamplingDestination(Protocol):
    """A reading end of a sampling channel. Reading does not consume."""

    max_message_size: int

    def version(self) -> int:
        """A number that changes with every write; 0 before the first. Cheaper than `read`."""

    def read(self) -> Sample | None:
        """The newest whole value, None before the first write."""

    def on_arrival(self, action: Callable[[], None]) -> None:
        """Call `action` after a write. Several writes may share a call."""
