"""One virtual port of a link: its sending or receiving end, and what it keeps so that it may be killed at any time."""

from __future__ import annotations

from typing import Any

import msgspec

from wattwheel.protocols import modulelink
from wattwheel.protocols.modulelink import (
    QueuingReceiver,
    QueuingSender,
    ReceiverJournal,
    ReceivingPort,
    SamplingSender,
    SenderJournal,
    SendingPort,
    Unacknowledged,
)
from wattwheel.services.virtual_ports import SENDS, PortData

MESSAGE_OCTETS_MAX = 30_000
"""Longest message of a virtual queuing port: the window of unacknowledged ones has to fit into a cell."""


class LinkPort:
    """What the link knows of one of its ports.

    Attributes:
        data: what the registry told of it.
        sender, receiver: of a queuing port, the one that it is.
        sampled: of a sampling port that receives, what came last and was not read.
        sampled_number: number of what came last, read or not.
        is_bound: the far end has its other end, of the same kind and size.
        messages: that went or came.
    """

    def __init__(self, data: PortData) -> None:
        self.data = data
        self.sends = data.direction == SENDS
        self.kind = modulelink.SAMPLING if data.is_sampling else modulelink.QUEUING
        self.sender: QueuingSender | None = None
        self.receiver: QueuingReceiver | None = None
        self.sampled: bytes | None = None
        self.sampled_number = 0
        self.is_bound = False
        self.messages = 0
        self._sampler = SamplingSender()
        self._is_given = False  # the first of the receiver's waiting messages was given to the local channel
        self._missing = 0

    def begin(self, epoch: int, newest: bytes | None) -> bool:
        """Begin with what a former life has kept. True: `newest` of the local channel was kept already."""
        data = self.data
        if data.kept is None:
            return False
        octets = data.kept.read()
        if not self.sends:
            kept = None if octets is None else msgspec.msgpack.decode(octets, type=ReceiverJournal)
            self.receiver = QueuingReceiver(kept, data.passed())
            return False
        journal = None if octets is None else msgspec.msgpack.decode(octets, type=SenderJournal)
        self.sender = QueuingSender(epoch, journal)
        # It died after it had kept the message and before it had let go of it in the local channel.
        return journal is not None and data.passed() < journal.taken and self.sender.newest() == newest is not None

    # -- sending

    def take(self, message: bytes, written_ns: int) -> None:
        """Keep a message to be sent."""
        if self.sender is None:
            self._sampler.write(message, written_ns)
        else:
            self.sender.take(message, written_ns)
            self._keep(self.sender, self.data.passed() + 1)

    def next_unsent(self) -> Unacknowledged | None:
        """What is to be sent next on this connection."""
        message = (self._sampler if self.sender is None else self.sender).next_unsent()
        self.messages += message is not None
        return message

    def acknowledged(self, number: int) -> int:
        """The far end has taken all up to `number`; how many octets that were. Raises RemoteProtocolError."""
        if self.sender is None:
            return self._sampler.acknowledge(number)
        before = self.sender.octets
        if self.sender.acknowledge(number):
            self._keep(self.sender, self.data.passed())
            self.data.tell()
        return before - self.sender.octets

    def go_on(self, far: ReceivingPort) -> None:
        """A new connection: send what the far end has not taken."""
        if self.sender is None:
            self._sampler.connected(far.last_number)
            return
        self.sender.connected(far.epoch, far.last_number)
        self._keep(self.sender, self.data.passed())
        self.data.tell()

    def _keep(self, sender: QueuingSender, taken: int) -> None:
        assert self.data.kept is not None
        self.data.kept.write(msgspec.msgpack.encode(sender.journal(taken)))

    # -- receiving

    def next(self) -> bytes | None:
        """The next message for the local channel; it is noted first that it goes there."""
        if self.receiver is None:
            message, self.sampled = self.sampled, None
            return message
        message = self.receiver.next()
        if message is not None:
            assert self.data.kept is not None
            self.data.kept.write(msgspec.msgpack.encode(self.receiver.intent(self.data.passed())))
            self._is_given = True
        return message

    def delivered(self) -> int | None:
        """The message that `next` gave is in the local channel: its number. None: it gave none."""
        if self.receiver is None or not self._is_given:
            return None
        self._is_given = False
        self.messages += 1
        return self.receiver.done()

    def resume(self, receiver: QueuingReceiver, far: SendingPort) -> int:
        """A new connection: go on behind what was taken. How many messages are missing for ever."""
        self.delivered()
        missing = receiver.connected(far.epoch, far.next_number)
        self._missing += missing
        return missing

    # -- what it says of itself

    def sending(self, epoch: int) -> SendingPort:
        """Its row in a HELLO."""
        data, sender = self.data, self.sender
        own, first = (epoch, 1) if sender is None else (sender.epoch, sender.first_number())
        return SendingPort(data.number, self.kind, data.max_message_size, own, first)

    def receiving(self) -> ReceivingPort:
        """Its row in a HELLO."""
        data, receiver = self.data, self.receiver
        epoch, last = (0, self.sampled_number) if receiver is None else (receiver.epoch, receiver.last_number)
        return ReceivingPort(data.number, self.kind, data.max_message_size, epoch, last)

    def figures(self) -> dict[str, Any]:
        """What can be seen of it."""
        end = self.sender if self.sender is not None else self.receiver
        return {"waiting": len(end) if end is not None else 0, "messages": self.messages, "missing": self._missing}
