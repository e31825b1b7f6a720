"""Blocks whose members are parted by AAH: freeze blocks, 1997 sets and load records. Octets in, octets out.

AAH cannot occur inside a member: it is no pair of BCD digits, not even with a sign bit on top. So a block can be cut
without knowing how many tariffs its members have. What cannot be cut is no error: the caller shows it as invalid.
"""

from __future__ import annotations

SEPARATOR = 0xAA
"""Follows every member, an empty one too."""

LOAD_START = b"\xa0\xa0"
"""Opens each load record."""

LOAD_END = 0xE5
"""Closes each load record, behind its sum."""

LOAD_TIME_OCTETS = 5
"""mm hh DD MM YY, the instant of a load record."""

LOAD_CLASSES: tuple[tuple[int, ...], ...] = (
    (0x02010100, 0x02010200, 0x02010300, 0x02020100, 0x02020200, 0x02020300, 0x02800002),
    (0x02030000, 0x02030100, 0x02030200, 0x02030300, 0x02040000, 0x02040100, 0x02040200, 0x02040300),
    (0x02060000, 0x02060100, 0x02060200, 0x02060300),
    (0x00010000, 0x00020000, 0x00030000, 0x00040000),
    (0x00050000, 0x00060000, 0x00070000, 0x00080000),
    (0x02800004, 0x02800005),
)
"""Identifiers of the six classes' items, in wire order."""

LOAD_CLASS_OCTETS = (17, 24, 8, 16, 16, 6)
"""Octets of each class when it was recorded; none when it was not."""

_LOAD_OVERHEAD = len(LOAD_START) + 1 + 2  # start, count, sum, end


def split_separated(octets: bytes, members: int) -> list[bytes] | None:
    """The octets of each member without its separator; None unless there are exactly so many."""
    pieces = octets.split(bytes((SEPARATOR,)))
    return pieces[:-1] if len(pieces) == members + 1 and not pieces[-1] else None


def join_separated(members: list[bytes]) -> bytes:
    """The block of these members."""
    return b"".join(member + bytes((SEPARATOR,)) for member in members)


def split_load(octets: bytes) -> list[list[bytes]] | None:
    """Load records one after another, each as time and six classes (b"" when not recorded); None when damaged."""
    records = []
    while octets:
        if len(octets) < _LOAD_OVERHEAD or not octets.startswith(LOAD_START):
            return None
        count = octets[2]
        record, octets = octets[: count + _LOAD_OVERHEAD], octets[count + _LOAD_OVERHEAD :]
        pieces = _load_pieces(record[3:-2])
        if len(record) != count + _LOAD_OVERHEAD or record[-1] != LOAD_END or pieces is None:
            return None
        if record[-2] != sum(record[:-2]) & 0xFF:
            return None
        records.append(pieces)
    return records


def load_widths(octets: bytes) -> list[int]:
    """Octets of each of the load records that stand one after another in `octets`; [] when they are none."""
    widths, at = [], 0
    while at < len(octets):
        if not octets.startswith(LOAD_START, at) or at + _LOAD_OVERHEAD > len(octets):
            return []
        widths.append(octets[at + len(LOAD_START)] + _LOAD_OVERHEAD)
        at += widths[-1]
    return widths if at == len(octets) else []


def join_load(pieces: list[bytes]) -> bytes:
    """One load record from its time and six classes."""
    content = pieces[0] + join_separated(pieces[1:])
    record = LOAD_START + bytes((len(content),)) + content
    return record + bytes((sum(record) & 0xFF, LOAD_END))


def _load_pieces(content: bytes) -> list[bytes] | None:
    """Time and six classes of one load record's content."""
    classes = split_separated(content[LOAD_TIME_OCTETS:], len(LOAD_CLASSES))
    if classes is None:
        return None
    if any(len(piece) not in (0, size) for piece, size in zip(classes, LOAD_CLASS_OCTETS, strict=True)):
        return None
    return [content[:LOAD_TIME_OCTETS], *classes]
