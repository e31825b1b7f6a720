"""Long replies in several frames: the meter's memory between 11H and 12H, and the head-end's putting together.

The meter cuts a reply at item boundaries, sends the first part in B1H and keeps the rest, one per channel. 12H asks for
part SEQ = 1, 2, ...; a head-end that lost a reply asks for the same SEQ again and gets the same frame. Edition 1997 has
no SEQ, so a lost reply there means to read from the beginning.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from wattwheel.model.errors import LocalProtocolError, RemoteProtocolError
from wattwheel.protocols.dlt645.frame import DATA_OCTETS_MAX, Frame
from wattwheel.protocols.dlt645.functions import (
    ABNORMAL,
    ERR_NO_DATA,
    ERR_OTHER,
    FOLLOW_UP,
    RESPONSE,
    Function2007,
)

DI_OCTETS: Final = {"2007": 4, "1997": 2}
"""Octets of a data identifier by edition."""
SEQ_MAX: Final = 255
"""Highest number of a follow-up frame, so a reply has at most SEQ_MAX + 1 parts."""
REPLY_DATA_OCTETS_MIN: Final = 16
"""Smallest data field that a meter may be told to keep to."""
FOLLOW_UP_TIMEOUT_NS: Final = 60_000_000_000
"""How long the rest of a long reply is kept after the last frame that belonged to it."""


class Reply(NamedTuple):
    """What a meter answers: control code and data field (before the 33H step)."""

    control: int
    data: bytes


def split(data: bytes, widths: Sequence[int], data_octets_max: int = DATA_OCTETS_MAX) -> list[bytes]:
    """Cut item octets (without the DI) into the parts of one reply, at least one.

    Args:
        data: everything the reply has to say.
        widths: octets of each element of `data` in order. None is cut in two, unless it does not fit a frame alone.
            Octets that `widths` does not cover count as one more element.
        data_octets_max: bound of the data field, DI and SEQ included.

    Raises LocalProtocolError for more than SEQ_MAX + 1 parts or an impossible bound.
    """
    if not REPLY_DATA_OCTETS_MIN <= data_octets_max <= DATA_OCTETS_MAX:
        raise LocalProtocolError(
            f"data field of {data_octets_max}: {REPLY_DATA_OCTETS_MIN} to {DATA_OCTETS_MAX} octets"
        )
    room = data_octets_max - DI_OCTETS["2007"]
    if len(data) <= room:
        return [data]
    parts: list[bytes] = []
    begin = end = 0
    for width in (*widths, len(data)):
        stop = min(end + width, len(data))
        if stop - begin > room and end > begin:
            parts.append(data[begin:end])
            begin, room = end, data_octets_max - DI_OCTETS["2007"] - 1
        while stop - begin > room:
            parts.append(data[begin : begin + room])
            begin, room = begin + room, data_octets_max - DI_OCTETS["2007"] - 1
        end = stop
    if end > begin:
        parts.append(data[begin:end])
    if len(parts) > SEQ_MAX + 1:
        raise LocalProtocolError(f"reply of {len(data)} octets: {len(parts)} frames, at most {SEQ_MAX + 1}")
    return parts


class FollowUp:
    """What one channel of the meter remembers of the last long reply (edition 2007).

    Time comes in as nanoseconds of the monotonic clock. Options: `data_octets_max` is the meter's `max_reply_data`,
    `timeout_ns` its `follow_timeout_s`.
    """

    __slots__ = ("_data_octets_max", "_di", "_parts", "_seq", "_timeout_ns", "_touched_ns")

    def __init__(self, data_octets_max: int = DATA_OCTETS_MAX, timeout_ns: int = FOLLOW_UP_TIMEOUT_NS) -> None:
        split(b"", (), data_octets_max)
        self._data_octets_max, self._timeout_ns = data_octets_max, timeout_ns
        self._di = b""
        self._parts: list[bytes] = []
        self._seq = 0
        self._touched_ns = 0

    @property
    def is_pending(self) -> bool:
        """True while parts of a reply are held."""
        return bool(self._parts)

    def discard(self) -> None:
        """Forget what is held; every new 11H does so."""
        self._parts = []

    def answer(self, di: bytes, data: bytes, widths: Sequence[int], now_ns: int) -> Reply:
        """The reply to 11H for `di` (four octets as on the line) with the item octets `data`; see `split`.

        Whatever was held before is forgotten. For an 11H that is refused call `discard`.
        """
        if self._parts:
            self._parts = []
        if len(data) <= self._data_octets_max - DI_OCTETS["2007"]:
            return Reply(Function2007.READ | RESPONSE, di + data)
        self._parts = split(data, widths, self._data_octets_max)
        self._di, self._seq, self._touched_ns = di, 0, now_ns
        return Reply(Function2007.READ | RESPONSE | FOLLOW_UP, di + self._parts[0])

    def follow(self, di: bytes, seq: int, now_ns: int) -> Reply:
        """The reply to 12H: part `seq`, or the abnormal reply.

        ERR 02: nothing is held (any more), it belongs to another identifier, or the last part has been sent already.
        ERR 01: `seq` is neither the last one nor the next.
        """
        if self._parts and now_ns - self._touched_ns > self._timeout_ns:
            self.discard()
        if not self._parts or di != self._di:
            return _abnormal(ERR_NO_DATA)
        if seq not in (self._seq, self._seq + 1) or seq == 0:
            return _abnormal(ERR_OTHER)
        if seq == len(self._parts):
            return _abnormal(ERR_NO_DATA)
        self._seq, self._touched_ns = seq, now_ns
        more = FOLLOW_UP if seq + 1 < len(self._parts) else 0
        return Reply(Function2007.READ_FOLLOW_UP | RESPONSE | more, di + self._parts[seq] + bytes((seq,)))


def _abnormal(error: int) -> Reply:
    return Reply(Function2007.READ_FOLLOW_UP | RESPONSE | ABNORMAL, bytes((error,)))


class Reassembly:
    """Puts the frames of one long reply together at the head-end.

    Bounded: at most SEQ_MAX follow-up frames are taken.

    Attributes:
        data: item octets so far, without identifiers and SEQ.
        is_complete: True once a frame said that nothing follows.
        seq: number of the follow-up frame that is expected next, 1 after the first frame.
    """

    __slots__ = ("_di", "_edition", "data", "is_complete", "seq")

    def __init__(self, di: bytes, edition: str = "2007") -> None:
        self._di, self._edition = di, edition
        self.data = b""
        self.is_complete = False
        self.seq = 0

    def accept(self, frame: Frame) -> bool:
        """Take the normal reply `frame` if it is the one expected; False for a repeated or foreign one.

        Raises RemoteProtocolError when the reply does not end within SEQ_MAX follow-up frames.
        """
        width = DI_OCTETS[self._edition]
        body = frame.data[width:]
        if self.is_complete or frame.data[:width] != self._di:
            return False
        if self.seq and self._edition == "2007":
            if not body or body[-1] != self.seq:
                return False
            body = body[:-1]
        if frame.control & FOLLOW_UP and self.seq >= SEQ_MAX:
            raise RemoteProtocolError(f"reply for {self._di[::-1].hex().upper()}: more than {SEQ_MAX} follow-up frames")
        self.data += body
        self.seq += 1
        self.is_complete = not frame.control & FOLLOW_UP
        return True
