"""The link between two modules: octets to frames and back, and what each end of a virtual port knows.

A frame is a length (4 octets, of all that follows), a port number (2), a kind (1), the time at its source (8, ns) and
a payload; numbers are big-endian. A connection begins with a HELLO from both sides. It tells the ports of each end, and
for each port that receives the *epoch* of the sender that it knows and the number of the last message it has taken.
So a new connection goes on where the old one was cut: what was taken is not sent again, what was not taken is.

Messages of a queuing port are numbered from 1 in an epoch. The sender keeps each until it is acknowledged, at most
`WINDOW_MESSAGES_MAX`. The receiver acknowledges what it has taken, cumulatively. Sampling messages are numbered by
the instant at which they were written: the next is sent when the last was acknowledged, and of what was written
meanwhile only the newest.

Nothing here does input or output. Both ends may be killed at any instant; what must survive that is in `journal`
documents which the owner keeps before it acts.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from wattwheel.model.errors import RemoteProtocolError

VERSION = 1
MESSAGE_OCTETS_MAX = 65_536
FRAME_OCTETS_MAX = MESSAGE_OCTETS_MAX + 64
HELLO_PORTS_MAX = 512
NUMBER_MAX = 2**63 - 1
"""Largest number of a message."""
WINDOW_MESSAGES_MAX = 32
WINDOW_OCTETS_MAX = 32_768
"""Octets of unacknowledged messages of one port; a single message may be longer."""

_HEAD = struct.Struct(">IHBQ")
_HEAD_REST = _HEAD.size - 4
_NUMBER = struct.Struct(">Q")

HELLO, QUEUING, ACKNOWLEDGE, SAMPLING, ALIVE = 1, 2, 3, 4, 5
NO_PORT = 0


class LinkFrame(NamedTuple):
    """One frame. `source_ns`: the sender's monotonic clock; it says nothing at the receiver, whose arrival counts."""

    port: int
    kind: int
    source_ns: int
    payload: bytes


def encode(port: int, kind: int, source_ns: int, payload: bytes = b"") -> bytes:
    """Octets of a frame."""
    return _HEAD.pack(_HEAD_REST + len(payload), port, kind, source_ns) + payload


def numbered(port: int, kind: int, source_ns: int, number: int, message: bytes = b"") -> bytes:
    """Octets of a frame whose payload is a number and a message."""
    return encode(port, kind, source_ns, _NUMBER.pack(number) + message)


def number_of(frame: LinkFrame) -> tuple[int, bytes]:
    """Number and message of a frame that has both. Raises RemoteProtocolError."""
    if len(frame.payload) < _NUMBER.size:
        raise RemoteProtocolError(f"link frame of kind {frame.kind} without a number")
    return _NUMBER.unpack_from(frame.payload)[0], frame.payload[_NUMBER.size :]


class FrameReader:
    """Frames out of a stream. An octet that cannot be is the end of it: nobody knows where the next frame begins."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, octets: bytes) -> Iterator[LinkFrame]:
        """The frames that `octets` complete. Raises RemoteProtocolError."""
        held = self._held
        held += octets
        at = 0
        try:
            while len(held) - at >= _HEAD.size:
                length, port, kind, source_ns = _HEAD.unpack_from(held, at)
                if not _HEAD_REST <= length <= FRAME_OCTETS_MAX:
                    raise RemoteProtocolError(f"link frame of {length} octets; {_HEAD_REST} to {FRAME_OCTETS_MAX}")
                if not HELLO <= kind <= ALIVE:
                    raise RemoteProtocolError(f"link frame of kind {kind}")
                end = at + 4 + length
                if len(held) < end:
                    break
                payload = bytes(held[at + _HEAD.size : end])
                at = end
                yield LinkFrame(port, kind, source_ns, payload)
        finally:
            del held[:at]


class SendingPort(msgspec.Struct, frozen=True, array_like=True):
    """A port that the sender of a HELLO sends from: its kind and size, its epoch, and what it will send next."""

    port: int
    kind: int
    max_message_size: int
    epoch: int
    next_number: int


class ReceivingPort(msgspec.Struct, frozen=True, array_like=True):
    """A port that the sender of a HELLO receives at: kind, size, the epoch that it knows and the last number taken."""

    port: int
    kind: int
    max_message_size: int
    epoch: int
    last_number: int


class Hello(msgspec.Struct, frozen=True, array_like=True):
    """What both sides say first."""

    version: int
    module: str
    sending: list[SendingPort]
    receiving: list[ReceivingPort]


def encode_hello(hello: Hello, source_ns: int) -> bytes:
    """Octets of a HELLO."""
    return encode(NO_PORT, HELLO, source_ns, msgspec.msgpack.encode(hello))


def decode_hello(frame: LinkFrame) -> Hello:
    """What a HELLO says. Raises RemoteProtocolError."""
    if frame.kind != HELLO:
        raise RemoteProtocolError("a frame before HELLO")
    try:
        hello = msgspec.msgpack.decode(frame.payload, type=Hello)
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise RemoteProtocolError(f"unreadable HELLO: {fault}") from None
    if hello.version != VERSION:
        raise RemoteProtocolError(f"link version {hello.version}; this one speaks {VERSION}")
    if len(hello.sending) + len(hello.receiving) > HELLO_PORTS_MAX:
        raise RemoteProtocolError("a HELLO of too many ports")
    for own in hello.sending:
        if not 1 <= own.next_number <= NUMBER_MAX:
            raise RemoteProtocolError(f"a HELLO whose next message is {own.next_number}; 1 to {NUMBER_MAX}")
    return hello


class Unacknowledged(msgspec.Struct, frozen=True, array_like=True):
    """A message that was numbered and not yet acknowledged."""

    number: int
    source_ns: int
    message: bytes


class SenderJournal(msgspec.Struct, frozen=True, array_like=True):
    """What must survive the sender.

    Attributes:
        epoch: drawn once for the life of the module's channel.
        next_number: of the next message.
        window: messages not yet acknowledged.
        taken: messages that the local channel has given out when the newest of the window is taken from it.
    """

    epoch: int
    next_number: int
    window: list[Unacknowledged]
    taken: int


class QueuingSender:
    """The sending end of a virtual queuing port."""

    def __init__(self, epoch: int, journal: SenderJournal | None = None) -> None:
        journal = journal or SenderJournal(epoch, 1, [], 0)
        self.epoch, self.next_number = journal.epoch, journal.next_number
        self._window: deque[Unacknowledged] = deque(journal.window)
        self.octets = sum(len(each.message) for each in self._window)
        self._unsent = 0  # place in the window from which on nothing was sent on this connection

    def __len__(self) -> int:
        return len(self._window)

    def newest(self) -> bytes | None:
        """The message that was taken last, if it is not acknowledged."""
        return self._window[-1].message if self._window else None

    def has_room(self) -> bool:
        """Whether the window takes one more message."""
        return len(self._window) < WINDOW_MESSAGES_MAX and self.octets < WINDOW_OCTETS_MAX

    def take(self, message: bytes, source_ns: int) -> None:
        """Number `message` and keep it."""
        self._window.append(Unacknowledged(self.next_number, source_ns, message))
        self.next_number += 1
        self.octets += len(message)

    def next_unsent(self) -> Unacknowledged | None:
        """What is to be sent next, each once on a connection."""
        if self._unsent >= len(self._window):
            return None
        self._unsent += 1
        return self._window[self._unsent - 1]

    def acknowledge(self, number: int) -> bool:
        """Let go of all messages up to `number`. False: nothing new. Raises RemoteProtocolError: never sent."""
        if number >= self.next_number:
            raise RemoteProtocolError(f"message {number} acknowledged, the last one is {self.next_number - 1}")
        gone = 0
        while self._window and self._window[0].number <= number:
            self.octets -= len(self._window.popleft().message)
            gone += 1
        self._unsent = max(0, self._unsent - gone)
        return gone > 0

    def connected(self, epoch: int, last_number: int) -> None:
        """A new connection, whose far end has taken all up to `last_number` of `epoch`."""
        self._unsent = 0
        if epoch == self.epoch:
            self.acknowledge(min(last_number, self.next_number - 1))

    def first_number(self) -> int:
        """Number of the next message that the far end will see."""
        return self._window[0].number if self._window else self.next_number

    def journal(self, taken: int) -> SenderJournal:
        """What must survive."""
        return SenderJournal(self.epoch, self.next_number, list(self._window), taken)


class ReceiverJournal(msgspec.Struct, frozen=True, array_like=True):
    """What must survive the receiver, written before the message goes into the local channel.

    Attributes:
        epoch: of the sender.
        last_number: of the message that is about to go into the local channel.
        sent: messages that had gone into the local channel before it.
    """

    epoch: int
    last_number: int
    sent: int


class QueuingReceiver:
    """The receiving end of a virtual queuing port. `sent`: messages that have gone into the local channel so far."""

    def __init__(self, journal: ReceiverJournal | None = None, sent: int = 0) -> None:
        self.epoch = self.last_number = 0
        if journal is not None:
            self.epoch, self.last_number = journal.epoch, journal.last_number
            if sent == journal.sent and self.last_number:  # it died before the message was in the channel
                self.last_number -= 1
        self.heard_number = self.last_number
        self._waiting: deque[tuple[int, bytes]] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def connected(self, epoch: int, next_number: int) -> int:
        """A new connection, whose far end will send from `next_number` on. How many messages are missing for ever.

        An unknown epoch is a sender that has begun anew: nothing of it is missing.
        """
        self._waiting.clear()
        missing = 0 if epoch != self.epoch else max(0, next_number - 1 - self.last_number)
        if epoch != self.epoch or missing:
            self.epoch, self.last_number = epoch, next_number - 1
        self.heard_number = self.last_number
        return missing

    def hear(self, number: int, message: bytes) -> None:
        """A message has come. Raises RemoteProtocolError: not the next one, or more than was allowed to come."""
        if number <= self.heard_number:
            return
        if number != self.heard_number + 1:
            raise RemoteProtocolError(f"message {number} after {self.heard_number}")
        if len(self._waiting) > WINDOW_MESSAGES_MAX:
            raise RemoteProtocolError(f"more than {WINDOW_MESSAGES_MAX} messages unacknowledged")
        self.heard_number = number
        self._waiting.append((number, message))

    def next(self) -> bytes | None:
        """The message that is to go into the local channel now."""
        return self._waiting[0][1] if self._waiting else None

    def intent(self, sent: int) -> ReceiverJournal:
        """What must be written before that."""
        return ReceiverJournal(self.epoch, self._waiting[0][0], sent)

    def done(self) -> int:
        """The message is in the local channel; its number, to be acknowledged."""
        self.last_number = self._waiting.popleft()[0]
        return self.last_number


class SamplingSender:
    """The sending end of a virtual sampling port: the newest message, one at a time under way.

    A message's number is the instant at which it was written, so that a far end which has it already says so, whoever
    died meanwhile, and one that has forgotten it gets it again.
    """

    def __init__(self) -> None:
        self._newest: Unacknowledged | None = None
        self._is_new = False  # the newest was not sent on this connection
        self._under_way: Unacknowledged | None = None

    def write(self, message: bytes, written_ns: int) -> None:
        """Replace what was not sent yet."""
        self._newest, self._is_new = Unacknowledged(written_ns, written_ns, message), True

    def next_unsent(self) -> Unacknowledged | None:
        """What is to be sent next."""
        if self._newest is None or not self._is_new or self._under_way is not None:
            return None
        self._is_new, self._under_way = False, self._newest
        return self._newest

    def acknowledge(self, number: int) -> int:
        """The far end has it; how many octets are no longer under way."""
        under_way = self._under_way
        if under_way is None or number != under_way.number:
            return 0
        self._under_way = None
        return len(under_way.message)

    def connected(self, last_number: int) -> None:
        """A new connection, whose far end has message `last_number`: the newest goes again unless it is that."""
        self._under_way = None
        self._is_new = self._newest is not None and self._newest.number != last_number
