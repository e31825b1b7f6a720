"""The meter's calendar as the metering core knows it: as it was told last, also when nobody is there to tell it.

It goes on by the core's own clock; over a restart by the board's, where that has one, and else from where it stood.
"""

from __future__ import annotations

import struct

from wattwheel.model.errors import ItemValueError

MILLISECOND_NS = 1_000_000

_STATE = struct.Struct("<QQB")  # calendar, the board's clock at that time, whether the board has one


class CoreCalendar:
    """Milliseconds since 2000, UTC."""

    def __init__(self, started_ns: int) -> None:
        self._started_ns = started_ns
        self._told: tuple[int, int] | None = None
        self._kept: tuple[int, int | None] | None = None

    def tell(self, milliseconds: int | None, now_ns: int) -> None:
        """The management core says that it is `milliseconds`; None: it does not know."""
        self._told = None if milliseconds is None else (milliseconds, now_ns)

    def told_ms(self, now_ns: int) -> int | None:
        """What it is by what this core was told, None before that."""
        if self._told is None:
            return None
        told_ms, told_ns = self._told
        return told_ms + (now_ns - told_ns) // MILLISECOND_NS

    def at(self, board_ms: int | None, board_now_ms: int | None, now_ns: int) -> int:
        """What it was when the board's clock showed `board_ms`, as far as that is known; None: what it is now."""
        told = self.told_ms(now_ns)
        if told is not None:
            ago = 0 if board_ms is None or board_now_ms is None else board_now_ms - board_ms
            return max(0, told - max(0, ago))
        seen = board_now_ms if board_ms is None else board_ms
        if self._kept is None:
            return 0 if seen is None else seen
        kept_ms, kept_board_ms = self._kept
        if seen is None or kept_board_ms is None:
            return kept_ms + (now_ns - self._started_ns) // MILLISECOND_NS
        return max(kept_ms, kept_ms + seen - kept_board_ms)

    def to_state(self, board_now_ms: int | None, now_ns: int) -> bytes:
        """What has to be kept; nothing before it was ever known."""
        if self._told is None and self._kept is None:
            return b""
        return packed_calendar(self.at(None, board_now_ms, now_ns), board_now_ms)

    def take_up(self, octets: bytes) -> None:
        """Continue from `to_state`. Raises ItemValueError."""
        if not octets:
            return
        if len(octets) != _STATE.size:
            raise ItemValueError("state of the calendar", f"{len(octets)} octets", f"{_STATE.size}")
        milliseconds, board_ms, has_board = _STATE.unpack(octets)
        self._kept = milliseconds, board_ms if has_board else None


def packed_calendar(milliseconds: int, board_ms: int | None) -> bytes:
    """The state of a calendar that showed `milliseconds` when the board's clock showed `board_ms`."""
    return _STATE.pack(milliseconds, board_ms or 0, board_ms is not None)
