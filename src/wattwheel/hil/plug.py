"""The plug of the management module: a contact, and the security element behind it.

The board notes each change and keeps it, without supply as well, until the metering core has it on its medium.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol


class PlugChange(NamedTuple):
    """A change that the board has noted.

    Attributes:
        number: +1 each, over the board's life.
        is_removed: how the contact stands since then.
        serial: of the security element that was seen last, the first digits first; b"": none was.
        at_ms: on the board's own clock, milliseconds since 2000; None: it has none, or had lost the time.
    """

    number: int
    is_removed: bool
    serial: bytes
    at_ms: int | None


class ModulePlug(Protocol):
    """What the metering core needs of it."""

    @property
    def number(self) -> int:
        """Of the newest change, 0 before the first."""

    def changes(self, after: int) -> list[PlugChange]:
        """The changes with a higher number than `after`, the oldest first; those that were forgotten are missing."""

    def level(self) -> PlugChange:
        """How it is now."""

    def forget(self, number: int) -> None:
        """The changes up to `number` are on the core's medium."""

    def move(self, state: str) -> bool:
        """Let a simulated plug be so: see `model.contacts`. False: this one is real."""

    def now_ms(self) -> int | None:
        """The board's own clock, see `PlugChange`."""
