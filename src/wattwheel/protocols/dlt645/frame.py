"""DL/T 645 frames: octets in, values out, no clock and no channel. The same for the editions of 1997 and 2007.

    FEH ...  68H  A0..A5  68H  C  L  data (each octet + 33H)  CS  16H

There is no escaping: 68H, 16H and FEH may stand anywhere inside. So a start is only a suspicion until length, end and
sum agree, and a reader that was wrong gives up one octet, never the rest of what it holds.

`decode` takes exactly one frame, `FrameReader` cuts a stream however the channel chops it up, `encode` makes octets of
a frame, and a `Station` does so for one address whose octets it holds ready.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

import msgspec

from wattwheel.model.errors import BadInput, LocalProtocolError, RemoteProtocolError

START: Final = 0x68
"""First and eighth octet of a frame."""
END: Final = 0x16
"""Last octet of a frame."""
WAKE_UP: Final = 0xFE
"""Preamble octet that wakes a receiver; not part of the sum."""
OFFSET: Final = 0x33
"""Added to each octet of the data field on the line, modulo 256."""
OVERHEAD_OCTETS: Final = 12
"""Octets of a frame with an empty data field, preamble not counted."""
FRAME_OCTETS_MAX: Final = OVERHEAD_OCTETS + 255
"""Octets of the longest frame that the length octet can announce; also the bound of a reader's buffer."""
DATA_OCTETS_MAX: Final = 200
"""Data octets of the longest frame that may be sent (reads); longer ones are accepted, up to 255."""
WRITE_DATA_OCTETS_MAX: Final = 50
"""Data octets of the longest write of the base text; extensions exceed it, so it is noted, not enforced."""
PREAMBLE_OCTETS_MAX: Final = 4
"""Most preamble octets that may be sent; any number is accepted."""
HALF_FRAME_TIMEOUT_NS: Final = 500_000_000
"""Silence after which the owner of a serial line's clock calls `FrameReader.expire`."""

ADDRESS_BROADCAST: Final = "999999999999"
"""Everybody, nobody answers."""
ADDRESS_ANY: Final = "AAAAAAAAAAAA"
"""Whoever is alone on the line."""

_PLUS = bytes((octet + OFFSET) & 0xFF for octet in range(256))
_MINUS = bytes((octet - OFFSET) & 0xFF for octet in range(256))
_TAIL = tuple(bytes((checksum, END)) for checksum in range(256))
_PREAMBLE = {count: bytes((WAKE_UP,)) * count for count in range(PREAMBLE_OCTETS_MAX + 1)}
_HEAD = struct.Struct("<B6sBBB").pack
_STATION_HEAD = struct.Struct("<8sBB").pack
_WAKE_UPS = bytes((WAKE_UP,))


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One frame, its checks passed.

    Attributes:
        address: 12 hex digits in natural order (A5 first): decimal digits, with AA for abbreviated addressing and all
            9 for broadcast. Capital letters.
        control: control code C, 0..255.
        data: data field after the 33H step, in the order of the line (lowest octet first).
        preamble: FEH octets heard directly before the frame. What is sent is up to the sender: see `encode`.
    """

    address: str
    control: int
    data: bytes = b""
    preamble: int = 0


def encode(frame: Frame, preamble: int = 0) -> bytes:
    """Octets of `frame` behind `preamble` FEH octets.

    Raises LocalProtocolError for an address that is not 12 hex digits, a control code or a preamble out of range, or
    more than DATA_OCTETS_MAX data octets.
    """
    data = frame.data
    size = len(data)
    try:
        address = bytes.fromhex(frame.address)[::-1]
        if size > DATA_OCTETS_MAX or len(address) != 6 or len(frame.address) != 12:
            raise ValueError
        body = _HEAD(START, address, START, frame.control, size) + data.translate(_PLUS)
        return _PREAMBLE[preamble] + body + _TAIL[sum(body) & 0xFF]
    except (ValueError, KeyError, struct.error):
        raise _forbidden(frame.address, frame.control, size, preamble) from None


def decode(octets: bytes) -> Frame:
    """The one frame that `octets` are, any number of FEH before it and nothing behind it.

    Raises RemoteProtocolError and nothing else for whatever other octets, with the first check that failed.
    """
    body = octets.lstrip(_WAKE_UPS)
    try:
        if (
            body[0] == START
            and body[7] == START
            and body[9] + OVERHEAD_OCTETS == len(body)
            and body[-1] == END
            and sum(body[:-2]) & 0xFF == body[-2]
        ):
            return Frame(body[6:0:-1].hex().upper(), body[8], body[10:-2].translate(_MINUS), len(octets) - len(body))
    except IndexError:
        pass
    raise RemoteProtocolError(_fault(body))


def address_from(text: str) -> str:
    """The address that a person wrote: 1..12 decimal digits padded with 0, or 12 digits with AA octets, in capitals.

    Raises BadInput for anything else.
    """
    address = text.strip().upper()
    if address.isascii() and address.isdecimal() and len(address) <= 12:
        return address.zfill(12)
    octets = [address[at : at + 2] for at in range(0, 12, 2)]
    if len(address) == 12 and all(octet == "AA" or (octet.isascii() and octet.isdecimal()) for octet in octets):
        return address
    raise BadInput(f"address {text!r}: allowed are 1 to 12 decimal digits, or 12 digits with AA for octets left open")


def octets_of_address(address: str) -> bytes:
    """The six octets A0..A5 of `address` (12 hex digits) in the order of the line."""
    return bytes.fromhex(address)[::-1]


def address_of_octets(octets: bytes) -> str:
    """The address text of six octets A0..A5 in the order of the line."""
    return octets[::-1].hex().upper()


class Station:
    """One end of the line: an address with its octets held ready, for whoever sends many frames under it.

    Attributes:
        address: 12 hex digits in natural order.
        octets: A0..A5 as on the line.
    """

    __slots__ = ("_head", "_sum", "address", "octets")

    def __init__(self, address: str) -> None:
        encode(Frame(address, 0))
        self.address = address.upper()
        self.octets = octets_of_address(address)
        self._head = bytes((START, *self.octets, START))
        self._sum = sum(self._head)

    def encode(self, control: int, data: bytes = b"", preamble: int = 0) -> bytes:
        """Octets of the frame with this address, `control` and `data`. Raises as the function `encode` does."""
        size = len(data)
        try:
            if size > DATA_OCTETS_MAX:
                raise ValueError
            coded = data.translate(_PLUS)
            tail = _TAIL[(self._sum + control + size + sum(coded)) & 0xFF]
            return _PREAMBLE[preamble] + _STATION_HEAD(self._head, control, size) + coded + tail
        except (ValueError, KeyError, struct.error):
            raise _forbidden(self.address, control, size, preamble) from None


class Sighting(NamedTuple):
    """What a reader that keeps a trace found at one 68H.

    Attributes:
        at: offset of the 68H in everything that was fed.
        octets: the frame, or as much of what the 68H announced as had arrived (one octet when it announced nothing).
        frame: the good frame, or None.
        reason: why it is none, "" for a good frame.
    """

    at: int
    octets: bytes
    frame: Frame | None
    reason: str


class FrameReader:
    """Cuts a stream of octets into frames. Never raises, holds at most FRAME_OCTETS_MAX - 1 octets.

    A 68H that turns out not to start a frame costs one octet, and the search goes on behind it, so nothing that is
    already held is lost. Each octet is looked at as a start at most once, plus once for each feed that it waits, and
    enters at most FRAME_OCTETS_MAX sums: the cost is linear in what was fed, whatever it is.

    Half a frame is kept until more octets come, or until the owner of the clock says that the line has been silent for
    too long (`expire`).

    Attributes:
        checksum, end, start, incomplete: 68H octets that did not start a frame because of a wrong sum, a wrong last
            octet, a missing second 68H, or because the rest had not come when the time was up.
        examined: starts looked at; summed: octets that entered sums. Both are 0 for frames that arrive whole and alone.
        trace: sightings since the reader was made, or None unless asked for. Unbounded: for bounded input only.
    """

    __slots__ = (
        "_buffer", "_is_idle", "_offset", "_wake_ups",
        "checksum", "end", "examined", "incomplete", "start", "summed", "trace",
    )  # fmt: skip

    def __init__(self, keep_trace: bool = False) -> None:
        self.checksum = self.end = self.start = self.incomplete = 0
        self.examined = self.summed = 0
        self.trace: list[Sighting] | None = [] if keep_trace else None
        self._buffer = b""  # empty, or begins with the 68H that is waited for
        self._wake_ups = 0  # FEH octets directly before the buffer
        self._offset = 0  # of the buffer in the stream; kept up only for the trace
        self._is_idle = not keep_trace

    @property
    def rejected(self) -> int:
        """All 68H octets that did not start a frame."""
        return self.checksum + self.end + self.start + self.incomplete

    @property
    def held(self) -> int:
        """Octets of half a frame that wait for the rest."""
        return len(self._buffer)

    def feed(self, octets: bytes) -> list[Frame]:
        """Add `octets` of any number; the frames completed by them, in their order."""
        if self._is_idle:
            # One request or reply alone is what a channel delivers nearly always: `decode` without the failure.
            body = octets.lstrip(_WAKE_UPS)
            size = len(body)
            if (
                size >= OVERHEAD_OCTETS
                and body[9] + OVERHEAD_OCTETS == size
                and body[0] == START
                and body[7] == START
                and body[-1] == END
                and sum(body[:-2]) & 0xFF == body[-2]
            ):
                return [Frame(body[6:0:-1].hex().upper(), body[8], body[10:-2].translate(_MINUS), len(octets) - size)]
        return self._scan(octets, is_expired=False)

    def expire(self) -> list[Frame]:
        """Give up waiting for the rest of half a frame; the frames found behind its false start. Afterwards empty."""
        return self._scan(b"", is_expired=True)

    def _scan(self, octets: bytes, is_expired: bool) -> list[Frame]:
        """Look at each 68H held or new, until one has to wait (or none at all when `is_expired`)."""
        buffer = self._buffer + octets
        found: list[Frame] = []
        at = floor = 0
        while (at := buffer.find(START, at)) >= 0:
            self.examined += 1
            size, reason = self._judge(buffer, at)
            if reason == "incomplete" and not is_expired:
                break
            if reason:
                self._reject(buffer, at, size, reason)
                at += 1
                continue
            frame = _frame(buffer[at : at + size], self._preamble(buffer, floor, at))
            if self.trace is not None:
                self.trace.append(Sighting(self._offset + at, buffer[at : at + size], frame, ""))
            found.append(frame)
            floor = at = at + size
        self._keep(buffer, floor, len(buffer) if at < 0 else at, is_expired)
        return found

    def _judge(self, buffer: bytes, at: int) -> tuple[int, str]:
        """Octets announced by the 68H at `at` (1 if it announces nothing) and why it is no frame, "" if it is."""
        held = len(buffer) - at
        if held > 7 and buffer[at + 7] != START:
            return 1, "start"
        if held < 10:
            return held, "incomplete"
        size = buffer[at + 9] + OVERHEAD_OCTETS
        if held < size:
            return size, "incomplete"
        if buffer[at + size - 1] != END:
            return size, "end"
        self.summed += size - 2
        if sum(buffer[at : at + size - 2]) & 0xFF != buffer[at + size - 2]:
            return size, "checksum"
        return size, ""

    def _reject(self, buffer: bytes, at: int, size: int, counter: str) -> None:
        """Count a false start, and note it in the trace."""
        setattr(self, counter, getattr(self, counter) + 1)
        if self.trace is not None:
            announced = buffer[at : at + size]
            reason = _fault(announced if size > 1 else buffer[at : at + 8])
            self.trace.append(Sighting(self._offset + at, announced, None, reason))

    def _preamble(self, buffer: bytes, floor: int, at: int) -> int:
        """FEH octets directly before `at`, not reaching back over `floor`, the end of the frame before."""
        count = at - floor - len(buffer[floor:at].rstrip(_WAKE_UPS))
        return count + self._wake_ups if count == at else count

    def _keep(self, buffer: bytes, floor: int, at: int, is_expired: bool) -> None:
        """Hold what follows `at`, and the number of FEH octets before it."""
        self._wake_ups = 0 if is_expired else self._preamble(buffer, floor, at)
        self._buffer = buffer[at:]
        self._offset += at
        self._is_idle = not self._buffer and not self._wake_ups and self.trace is None


def _frame(body: bytes, preamble: int) -> Frame:
    """The frame of octets that passed all checks."""
    return Frame(body[6:0:-1].hex().upper(), body[8], body[10:-2].translate(_MINUS), preamble)


def _fault(body: bytes) -> str:
    """The first check that `body` fails, for a person."""
    if not body or body[0] != START:
        return "no start: no 68H where a frame begins"
    if len(body) > 7 and body[7] != START:
        return f"start: {body[7]:02X} where the second 68 belongs"
    if len(body) < 10:
        return f"incomplete: {len(body)} octets, at least {OVERHEAD_OCTETS} needed"
    size = body[9] + OVERHEAD_OCTETS
    if len(body) < size:
        return f"incomplete: {len(body)} octets, {size} announced by the length octet {body[9]:02X}"
    if len(body) > size:
        return f"length: {len(body)} octets, {size} announced by the length octet {body[9]:02X}"
    if body[-1] != END:
        return f"end: {body[-1]:02X} where 16 belongs"
    return f"checksum: {body[-2]:02X}, computed {sum(body[:-2]) & 0xFF:02X}"


def _forbidden(address: str, control: int, size: int, preamble: int) -> LocalProtocolError:
    """Why a frame may not be sent."""
    return LocalProtocolError(
        f"frame to send: address {address!r} (12 hex digits), control {control!r} (0 to 255), {size} data octets "
        f"(at most {DATA_OCTETS_MAX}), preamble {preamble!r} (0 to {PREAMBLE_OCTETS_MAX})"
    )
