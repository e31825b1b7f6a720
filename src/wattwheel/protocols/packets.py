"""A connection over a line that has none: packets with a check, so that octets lost or damaged end it instead of lying.

A packet is `C0H`, then body and checksum with C0H and DBH escaped as in RFC 1055 (SLIP), then `C0H`. The body begins
with three numbers of 4 octets, big-endian: of the sender's connection, of the receiver's connection as the sender knows
it, and of the packet in its connection, from 0 on. The checksum is the CRC-32 of the body. A packet that is missing
ends the connection; packet 0 of another connection says that the far end has begun anew.
"""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

END, ESCAPE = 0xC0, 0xDB
DATA_OCTETS_MAX = 1024
PACKET_OCTETS_MAX = 2 * (DATA_OCTETS_MAX + 16) + 2

_HEAD = struct.Struct(">III")
_SUM = struct.Struct(">I")
_END, _ESCAPE = bytes((END,)), bytes((ESCAPE,))
_ESCAPED_END, _ESCAPED_ESCAPE = b"\xdb\xdc", b"\xdb\xdd"


class Packet(NamedTuple):
    """One packet. `far`: the receiver's connection as its sender knows it; 0: it knows none."""

    connection: int
    far: int
    number: int
    data: bytes


def encode(connection: int, far: int, number: int, data: bytes) -> bytes:
    """Octets of a packet with at most `DATA_OCTETS_MAX` of data."""
    assert len(data) <= DATA_OCTETS_MAX, f"{len(data)} octets"
    body = _HEAD.pack(connection & 0xFFFFFFFF, far & 0xFFFFFFFF, number & 0xFFFFFFFF) + data
    body += _SUM.pack(zlib.crc32(body))
    return _END + body.replace(_ESCAPE, _ESCAPED_ESCAPE).replace(_END, _ESCAPED_END) + _END


def decode(octets: bytes) -> Packet | None:
    """The packet between two END octets. None: damaged."""
    body = octets.replace(_ESCAPED_END, _END).replace(_ESCAPED_ESCAPE, _ESCAPE)
    if len(body) < _HEAD.size + _SUM.size:
        return None
    body, check = body[: -_SUM.size], body[-_SUM.size :]
    if _SUM.pack(zlib.crc32(body)) != check:
        return None
    connection, far, number = _HEAD.unpack_from(body)
    return Packet(connection, far, number, body[_HEAD.size :])


class PacketReader:
    """Packets out of a stream of octets; what is none is skipped and counted in `damaged`."""

    def __init__(self) -> None:
        self._held = bytearray()
        self.damaged = 0

    def feed(self, octets: bytes) -> list[Packet]:
        """The packets that `octets` complete."""
        *pieces, rest = bytes(self._held + octets).split(_END)
        if len(rest) > PACKET_OCTETS_MAX:
            rest = b""
            self.damaged += 1
        self._held = bytearray(rest)
        packets = []
        for piece in pieces:
            if not piece:
                continue
            packet = decode(piece)
            if packet is None:
                self.damaged += 1
            else:
                packets.append(packet)
        return packets
