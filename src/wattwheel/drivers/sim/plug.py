"""A simulated plug of the management module: what the board notes of it outlives both cores."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import msgspec

from wattwheel.hil.clock import Clock
from wattwheel.hil.plug import PlugChange
from wattwheel.model.contacts import SERIAL_OCTETS, STATES, Contact, serial_of

CHANGES_MAX = 64
"""Changes that nobody has fetched; of more the oldest give way."""

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
REMOVED, INSERTED = STATES[Contact.MODULE_PLUG]


def board_clock(clock: Clock) -> Callable[[], int | None]:
    """A clock of the board that goes with the calendar of `clock`; before 2000 it has lost the time."""

    def now_ms() -> int | None:
        milliseconds = (clock.calendar() - _EPOCH) // timedelta(milliseconds=1)
        return milliseconds if milliseconds >= 0 else None

    return now_ms


_Number = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
_Serial = Annotated[str, msgspec.Meta(pattern=f"^([0-9a-f]{{{2 * SERIAL_OCTETS}}})?$")]


class _Kept(msgspec.Struct, frozen=True):
    number: _Number = 0
    is_removed: bool = False
    serial: _Serial = ""
    changes: tuple[tuple[_Number, bool, _Serial, _Number | None], ...] = ()


class SimPlug:
    """A plug that is kept in the file `path` where one is given. A new one is in, and has no security element.

    Attributes:
        is_kept: the newest change is in the file.
    """

    def __init__(self, path: Path | None = None, board_ms: Callable[[], int | None] = lambda: None) -> None:
        """`board_ms`: the board's own clock, which goes on without supply; None: it has none."""
        self._path, self.now_ms, self.is_kept = path, board_ms, True
        self._kept = _Kept()
        if path is not None:
            try:
                self._kept = msgspec.json.decode(path.read_bytes(), type=_Kept)
            except (OSError, msgspec.DecodeError):  # a plug of a board that knows nothing, as a new one
                self._kept = _Kept()

    @property
    def number(self) -> int:
        """See `hil.plug.ModulePlug`."""
        return self._kept.number

    def changes(self, after: int) -> list[PlugChange]:
        """See `hil.plug.ModulePlug`."""
        found = (
            PlugChange(at, is_removed, bytes.fromhex(serial), ms) for at, is_removed, serial, ms in self._kept.changes
        )
        return [change for change in found if change.number > after]

    def level(self) -> PlugChange:
        """See `hil.plug.ModulePlug`."""
        kept = self._kept
        return PlugChange(kept.number, kept.is_removed, bytes.fromhex(kept.serial), None)

    def forget(self, number: int) -> None:
        """See `hil.plug.ModulePlug`."""
        left = tuple(change for change in self._kept.changes if change[0] > number)
        if left != self._kept.changes:
            self._keep(msgspec.structs.replace(self._kept, changes=left))

    def move(self, state: str) -> bool:
        """Be `removed` or `inserted`, or have the security element of that serial number; nothing where it is so."""
        kept = self._kept
        serial = serial_of(state)
        is_removed = kept.is_removed if serial is not None else state == REMOVED
        digits = kept.serial if serial is None else serial.hex()
        if (is_removed, digits) != (kept.is_removed, kept.serial):
            number = kept.number + 1
            changes = (*kept.changes, (number, is_removed, digits, self.now_ms()))[-CHANGES_MAX:]
            self._keep(_Kept(number, is_removed, digits, changes))
        return True

    def _keep(self, kept: _Kept) -> None:
        """A board whose memory cannot be written knows it until it loses its supply."""
        self._kept = kept
        if self._path is None:
            return
        beside = self._path.with_name(self._path.name + ".new")
        try:
            with beside.open("wb") as file:
                file.write(msgspec.json.encode(kept))
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._path)
        except OSError:
            self.is_kept = False
        else:
            self.is_kept = True
