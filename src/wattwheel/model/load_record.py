"""The load record: six classes, each with an interval of its own, in one frame (DL/T 645-2007 annex B, 04000901 ff.).

Pure: classes' octets and a time in, a record out, and back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

CLASS_OCTETS = (17, 24, 8, 16, 16, 6)
CLASSES = range(1, len(CLASS_OCTETS) + 1)
START = b"\xa0\xa0"
"""What a record begins with."""

_START, _CLASS_END, _END = START, b"\xaa", 0xE5
_TIME_OCTETS = 5
_FRAME_OCTETS = len(_START) + 1 + 2  # start, length, checksum, end
RECORD_OCTETS_MIN = _FRAME_OCTETS + _TIME_OCTETS + len(CLASS_OCTETS)
RECORD_OCTETS_MAX = RECORD_OCTETS_MIN + sum(CLASS_OCTETS)


def classes_due(mode: int, intervals_minutes: Sequence[int], start: datetime, now: datetime) -> list[int]:
    """Numbers of the classes to record at `now` (a whole minute), by mode word and intervals; 0 switches one off."""
    if now < start:
        return []
    minutes = int((now - start).total_seconds()) // 60
    return [
        number
        for number, interval in zip(CLASSES, intervals_minutes, strict=True)
        if mode >> (number - 1) & 1 and interval and not minutes % interval
    ]


def encode_record(time: datetime, classes: Mapping[int, bytes]) -> bytes:
    """The record of `time` with the classes' octets by number."""
    body = _bcd(time.minute, time.hour, time.day, time.month, time.year % 100)
    for number, octets in zip(CLASSES, CLASS_OCTETS, strict=True):
        data = classes.get(number, b"")
        assert len(data) in (0, octets), f"class {number} of {len(data)} octets; it has {octets}"
        body += data + _CLASS_END
    record = _START + bytes([len(body)]) + body
    return record + bytes([sum(record) & 0xFF, _END])


def is_intact(record: bytes) -> bool:
    """Whether `record` has the frame and the checksum of one."""
    return (
        RECORD_OCTETS_MIN <= len(record) <= RECORD_OCTETS_MAX
        and record[:2] == _START
        and record[2] == len(record) - _FRAME_OCTETS
        and record[-1] == _END
        and sum(record[:-2]) & 0xFF == record[-2]
    )


def decode_record(record: bytes) -> tuple[datetime, dict[int, bytes]]:
    """Time and classes of `record`. Raises ValueError for anything that `encode_record` does not make."""
    if not RECORD_OCTETS_MIN <= len(record) <= RECORD_OCTETS_MAX:
        raise ValueError(f"{len(record)} octets; a load record has {RECORD_OCTETS_MIN} to {RECORD_OCTETS_MAX}")
    if not is_intact(record):
        raise ValueError(f"{record.hex()}: frame or checksum")
    minute, hour, day, month, year = (int(f"{octet:02x}") for octet in record[3:8])
    time = datetime(2000 + year, month, day, hour, minute, tzinfo=UTC)
    body = record[8:-2]
    found = _split(body, 0)
    if found is None:
        raise ValueError(f"{body.hex()}: no six classes")
    return time, found


def record_octets(start: bytes) -> int:
    """How many octets the record has whose first three octets `start` begins with."""
    return start[2] + _FRAME_OCTETS


def time_of(record: bytes) -> bytes:
    """YYMMDDhhmm of `record`, as on the wire."""
    return record[3 : 3 + _TIME_OCTETS]


def _split(body: bytes, index: int) -> dict[int, bytes] | None:
    """The classes in `body` from number `index` + 1 on; None where it cannot be cut into them.

    A class that is absent leaves its end mark only. Its data may begin with that very octet: where both readings
    come out even, the one with the class absent is taken.
    """
    if index == len(CLASS_OCTETS):
        return {} if not body else None
    if body[:1] == _CLASS_END and (rest := _split(body[1:], index + 1)) is not None:
        return rest
    octets = CLASS_OCTETS[index]
    if body[octets : octets + 1] == _CLASS_END and (rest := _split(body[octets + 1 :], index + 1)) is not None:
        return {index + 1: body[:octets], **rest}
    return None


def _bcd(*numbers: int) -> bytes:
    return bytes(number // 10 << 4 | number % 10 for number in numbers)
