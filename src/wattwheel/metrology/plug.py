"""The core's part in plug events of the management module: it sees them, and keeps their records.

Two detectors make an event: the plug's contact, and the serial number of the security element behind it, which is
compared with the one that is remembered. The first number ever seen is remembered and makes no event. What the board
has noted is taken in order, by number, so that a core that dies before or after its medium has a record never leaves
one out or makes it twice; what the board may have forgotten shows in how the plug is now.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from wattwheel.hil.plug import ModulePlug, PlugChange
from wattwheel.model.contacts import NO_SERIAL, SERIAL_OCTETS
from wattwheel.model.errors import ItemValueError
from wattwheel.model.plug_records import SECOND_MAX, PlugEvent, PlugRecord, PlugRecords

_HEAD = struct.Struct(f"<QBB{SERIAL_OCTETS}s")  # number taken, whether it is out, has a serial; the records follow


class PlugWatch:
    """What is known of one plug.

    Attributes:
        records: of its events.
    """

    def __init__(self, plug: ModulePlug | None = None) -> None:
        """None: there is no plug."""
        self.plug = plug
        self.records = PlugRecords()
        self._taken, self._is_removed, self._serial = 0, False, b""
        self._is_first_look = True

    def look(self, calendar_ms: Callable[[int | None], int], epoch: int) -> bool:
        """See what has changed; whether anything has to be kept.

        `calendar_ms`: the meter's calendar at an instant of the board's clock, None: now; `epoch`: of the records,
        should one be the first.
        """
        plug = self.plug
        if plug is None or (plug.number == self._taken and not self._is_first_look):
            return False
        self._is_first_look = False
        before = self._taken, self._is_removed, self._serial, self.records
        if plug.number < self._taken:  # another board
            self._taken = 0
        for change in (*plug.changes(self._taken), plug.level()):
            second = min(SECOND_MAX, calendar_ms(change.at_ms) // 1000)
            self._see(change, second, epoch)
            self._taken = change.number
        return before != (self._taken, self._is_removed, self._serial, self.records)

    def _see(self, change: PlugChange, second: int, epoch: int) -> None:
        if change.is_removed and not self._is_removed:
            self._is_removed = True
            self._record(NO_SERIAL, second, PlugEvent.REMOVED, epoch)
        if change.serial and change.serial != self._serial:
            if self._serial:
                self._record(change.serial, second, PlugEvent.EXCHANGED, epoch)
            self._serial = change.serial
        if self._is_removed and not change.is_removed:
            self._is_removed = False
            self._record(self._serial or NO_SERIAL, second, PlugEvent.INSERTED, epoch)

    def _record(self, new: bytes, second: int, kind: PlugEvent, epoch: int) -> None:
        self.records = self.records.added(PlugRecord(second, self._serial or NO_SERIAL, new, kind), epoch)

    def kept(self) -> None:
        """All of it is on the medium: the board need not know it any longer."""
        if self.plug is not None:
            self.plug.forget(self._taken)

    def board_ms(self) -> int | None:
        """The board's own clock."""
        return None if self.plug is None else self.plug.now_ms()

    def to_state(self) -> bytes:
        """What has to be kept; nothing before anything was seen."""
        if not (self._taken or self.records.count or self._is_removed or self._serial):
            return b""
        serial = self._serial or bytes(SERIAL_OCTETS)
        return _HEAD.pack(self._taken, self._is_removed, bool(self._serial), serial) + self.records.to_octets()

    def take_up(self, octets: bytes) -> None:
        """Continue from `to_state`. Raises ItemValueError, and changes nothing then."""
        if not octets:
            return
        if len(octets) < _HEAD.size:
            raise ItemValueError("state of the plug", f"{len(octets)} octets", f"at least {_HEAD.size}")
        taken, is_removed, has_serial, serial = _HEAD.unpack_from(octets)
        self.records = PlugRecords.from_octets(octets[_HEAD.size :])
        self._taken, self._is_removed, self._serial = taken, bool(is_removed), serial if has_serial else b""
