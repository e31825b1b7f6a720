"""The core link: messages between metering core and management core over a full-duplex UART.

Theory of operation. A message (kind, number, body) is cut into parts that fit the data field of a DL/T 645 frame.
Each part carries the link version, the message's kind and number, its place, and a CRC-32, because the frame's own
checksum is a sum of one octet and a wrong total must not pass. Parts may be lost, doubled or late: a message exists
when all of its parts have come, and its number tells a repetition from news. Totals are running totals, so a lost
push costs nothing.

One push a second is up to three messages with one number, the push sequence: totals (with the list of the others that
belong to the push), momentary values, status. Requests run in both directions, answered under the request's own
number.

Data field of a frame, least significant octet first: version, kind, part, parts (1 octet each), number (8), piece of
the body (0..PIECE_OCTETS_MAX), CRC-32 of all before it (4). The pieces joined end with a CRC-32 of the whole body, so
that parts of two messages under one number (a core that lost its sequence) never mix. Bodies are the structs of
`corelink_bodies`.
"""

from __future__ import annotations

import struct
import zlib
from collections import deque
from collections.abc import Iterable
from enum import IntEnum
from typing import NamedTuple

from wattwheel.protocols.dlt645.frame import DATA_OCTETS_MAX, HALF_FRAME_TIMEOUT_NS, Frame, FrameReader, encode

LINK_VERSION = 1
LINK_ADDRESS = "000000000001"
"""Address field of every frame of the link, both directions: there are only two ends."""
CONTROL_FROM_MANAGEMENT = 0x1E
CONTROL_FROM_CORE = 0x9E
"""Control codes: a function number that DL/T 645 leaves free, D7 set from the core."""

_HEAD = struct.Struct("<BBBBQ")
_CRC = struct.Struct("<I")
PIECE_OCTETS_MAX = DATA_OCTETS_MAX - _HEAD.size - _CRC.size
PARTS_MAX = 16
BODY_OCTETS_MAX = PARTS_MAX * PIECE_OCTETS_MAX - _CRC.size
NUMBER_MAX = 2**64 - 1
OPEN_MESSAGES_MAX = 8
"""Messages of which some parts have come; the oldest gives way."""
REMEMBERED_MESSAGES = 16
"""Whole messages whose repetitions are recognised."""


class Kind(IntEnum):
    """Kinds of messages. An answer is its request plus ANSWER."""

    TOTALS = 0x01
    MOMENTARY = 0x02
    STATUS = 0x03
    IDENTIFY = 0x10  # management -> core, empty
    WAVEFORM = 0x11  # management -> core, empty
    PUSH_NOW = 0x12  # management -> core, empty; the push follows the answer
    SET_NOMINAL = 0x13  # management -> core
    HALF_CYCLES = 0x14  # management -> core
    SET_RELAY = 0x15  # management -> core
    HOLD_RELAY = 0x16  # management -> core
    SET_PULSES = 0x17  # management -> core
    GIVE_SIGNAL = 0x18  # management -> core
    PLUG_RECORDS = 0x19  # management -> core, empty
    MOVE_PLUG = 0x1A  # management -> core; its answer is that of PLUG_RECORDS
    CALENDAR = 0x20  # core -> management, empty
    METER_ADDRESS = 0x21  # core -> management, empty


ANSWER = 0x80
KINDS = frozenset(int(kind) for kind in Kind)


class Side(IntEnum):
    """An end of the link, by the control code of what it sends."""

    MANAGEMENT = CONTROL_FROM_MANAGEMENT
    CORE = CONTROL_FROM_CORE


class Message(NamedTuple):
    """A whole message. `kind` is a plain int because the far end may know kinds that we do not."""

    kind: int
    number: int
    body: bytes


def pack(side: Side, message: Message) -> bytes:
    """The octets that carry `message` from `side`: one frame a part.

    Bodies hold 0..BODY_OCTETS_MAX octets, numbers 0..NUMBER_MAX.
    """
    assert len(message.body) <= BODY_OCTETS_MAX, f"body of {len(message.body)} octets; at most {BODY_OCTETS_MAX}"
    body = message.body + _CRC.pack(zlib.crc32(message.body))
    parts = -(-len(body) // PIECE_OCTETS_MAX)
    octets = bytearray()
    for part in range(parts):
        piece = body[part * PIECE_OCTETS_MAX : (part + 1) * PIECE_OCTETS_MAX]
        data = _HEAD.pack(LINK_VERSION, message.kind, part, parts, message.number) + piece
        octets += encode(Frame(LINK_ADDRESS, side, data + _CRC.pack(zlib.crc32(data))))
    return bytes(octets)


class LinkReader:
    """Turns the octets of the link into whole messages of the far end, however they arrive.

    Attributes (counters, none of them ever raises):
        frames: good parts.
        bad_parts: frames with a foreign address or control code, a wrong CRC or an impossible head.
        other_versions: parts of another link version.
        repeated: parts of messages that were whole before.
        incomplete: messages that gave way before they were whole, or whose parts did not belong together.
    """

    def __init__(self, far_side: Side) -> None:
        self._far_side = far_side
        self._reader = FrameReader()
        self._fed_ns = 0
        self._open: dict[tuple[int, int], dict[int, bytes]] = {}
        self._whole: deque[tuple[int, int]] = deque(maxlen=REMEMBERED_MESSAGES)
        self.frames = self.bad_parts = self.other_versions = self.repeated = self.incomplete = 0

    @property
    def rejected(self) -> int:
        """Frame starts that turned out not to be frames."""
        return self._reader.rejected

    def feed(self, octets: bytes, now_ns: int = 0) -> list[Message]:
        """Add `octets` in any portion, arrived at `now_ns`; the messages completed by them, in order."""
        self._fed_ns = now_ns
        return self._messages(self._reader.feed(octets))

    def expire(self, now_ns: int) -> list[Message]:
        """Give half a frame up when nothing has come for HALF_FRAME_TIMEOUT_NS; the messages found behind it."""
        if not self._reader.held or now_ns - self._fed_ns < HALF_FRAME_TIMEOUT_NS:
            return []
        return self._messages(self._reader.expire())

    def _messages(self, frames: Iterable[Frame]) -> list[Message]:
        return [message for message in map(self._take, frames) if message is not None]

    def _take(self, frame: Frame) -> Message | None:
        data = frame.data
        if (
            frame.control != self._far_side
            or frame.address != LINK_ADDRESS
            or not _HEAD.size + _CRC.size <= len(data) <= DATA_OCTETS_MAX
            or zlib.crc32(data[: -_CRC.size]) != _CRC.unpack_from(data, len(data) - _CRC.size)[0]
        ):
            self.bad_parts += 1
            return None
        version, kind, part, parts, number = _HEAD.unpack_from(data)
        if version != LINK_VERSION:
            self.other_versions += 1
            return None
        piece = data[_HEAD.size : -_CRC.size]
        is_cut_right = part == parts - 1 or len(piece) == PIECE_OCTETS_MAX
        if not (0 <= part < parts <= PARTS_MAX and is_cut_right):
            self.bad_parts += 1
            return None
        self.frames += 1
        return self._join((kind, number), part, parts, piece)

    def _join(self, key: tuple[int, int], part: int, parts: int, piece: bytes) -> Message | None:
        if key in self._whole:
            self.repeated += 1
            return None
        pieces = self._open.setdefault(key, {})
        pieces[part] = piece
        if len(pieces) < parts or any(place not in pieces for place in range(parts)):
            while len(self._open) > OPEN_MESSAGES_MAX:
                del self._open[next(iter(self._open))]
                self.incomplete += 1
            return None
        del self._open[key]
        joined = b"".join(pieces[place] for place in range(parts))
        body = joined[: -_CRC.size]
        if len(joined) < _CRC.size or _CRC.pack(zlib.crc32(body)) != joined[-_CRC.size :]:
            self.incomplete += 1
            return None
        self._whole.append(key)
        return Message(*key, body)
