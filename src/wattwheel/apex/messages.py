"""Messages on the virtual bus: a fixed head of 16 octets and the data; several may share one port message."""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import NamedTuple

from wattwheel.model.errors import RemoteProtocolError

HEAD = struct.Struct("<BBBBHHII")
"""Kind, control, error, quality, length of the data, origin, ticket, identifier: for the bus, which passes data on
without making messages of them."""

HEAD_OCTETS = HEAD.size
DATA_OCTETS_MAX = 3584
"""Of one message; the longest items, frozen blocks of 63 tariffs, have 3113."""

PORT_MESSAGE_OCTETS_MAX = 4096
PORT_DEPTH = 32


class Kind(IntEnum):
    """What a message asks of its reader."""

    REQUEST = 1  # to be answered by exactly one REPLY with the same ticket
    REPLY = 2
    NOTICE = 3  # one way


class Control(IntEnum):
    """Control codes on the bus: those of DL/T 645-2007, and our own from 40H on, which never come from a line."""

    BROADCAST_TIME = 0x08
    READ = 0x11
    WRITE = 0x14  # data: operator code, 4 octets, then the item's; answered when it is durable
    WRITE_ADDRESS = 0x15  # data as on the line; answered when it is durable, as the next one
    CHANGE_RATE = 0x17  # of the serial line; data as on the line
    FREEZE = 0x16  # data as on the line; from a broadcast, a NOTICE
    CHANGE_PASSWORD = 0x18  # data as on the line
    CLEAR_DEMAND = 0x19  # data of this and the next three: operator code, then what follows it on the line
    CLEAR_METER = 0x1A
    CLEAR_EVENTS = 0x1B
    RELAY = 0x1C
    OUTPUT = 0x1D  # data as on the line; from a broadcast, a NOTICE
    PRESS = 0x40  # a button of the meter; data: its name
    AUTHORIZE = 0x42  # may this be done? data: control code, level, password, operator code; DI: what is written
    CONTACT = 0x43  # a contact of the case; data: its name, a space, "open" or "closed"
    SENSOR = 0x44  # what a sensor of the board shows; data: its name, a space, a number
    FEE = 0x48  # the operator's own commands of fee control: words in ASCII
    COMMISSION = 0x4A  # factory mode ends, once and for all
    REPORTED = 0x49  # a head-end has read the active reporting status word; data: the word
    LIST = 0x41  # identifiers of DI's group DI3 that DI's owner answers now; data: the first wanted, if any
    # data of the reply: 4 octets each, low octet first


WITH_OPERATOR = frozenset({Control.CLEAR_DEMAND, Control.CLEAR_METER, Control.CLEAR_EVENTS, Control.RELAY})
"""Commands whose data begin with the operator code."""


class Message(NamedTuple):
    """One bus message.

    Attributes:
        kind: REQUEST, REPLY or NOTICE.
        control: control code without direction bits.
        di: data identifier.
        ticket: chosen by the asker, returned in the reply.
        error: ERR octet of a reply, 0 when good (DL/T 645-2007: bit 1 no requested data, ...).
        origin: number of the asking partition, set by the bus: it cannot be forged.
        data: item octets before the +33H step, without the identifier.
        quality: of a reply's data: 0 valid, 1 stale (the last good value of a source that has gone silent).
    """

    kind: int
    control: int
    di: int
    ticket: int = 0
    error: int = 0
    origin: int = 0
    data: bytes = b""
    quality: int = 0


class DamagedMessageError(RemoteProtocolError):
    """Octets that are not a sequence of bus messages."""


def pack(message: Message) -> bytes:
    """Octets of one message."""
    kind, control, di, ticket, error, origin, data, quality = message
    return HEAD.pack(kind, control, error, quality, len(data), origin, ticket, di) + data


def unpack(octets: bytes) -> list[Message]:
    """The messages in a port message. Raises DamagedMessageError."""
    messages: list[Message] = []
    at, end = 0, len(octets)
    unpack_from = HEAD.unpack_from
    while at < end:
        if end - at < HEAD_OCTETS:
            raise DamagedMessageError(f"{end - at} octets left over at {at}")
        kind, control, error, quality, length, origin, ticket, di = unpack_from(octets, at)
        at += HEAD_OCTETS
        if length > end - at:
            raise DamagedMessageError(f"message at {at - HEAD_OCTETS} claims {length} octets, {end - at} are there")
        messages.append(Message(kind, control, di, ticket, error, origin, octets[at : at + length], quality))
        at += length
    return messages
