"""The load switch: a latching relay in the meter, or a switch outside it, with a contact that says how it stands."""

from __future__ import annotations

from typing import Protocol


class LoadSwitch(Protocol):
    """What the metering core needs of a relay. It keeps its position without supply."""

    @property
    def is_open(self) -> bool:
        """How the main contact stands, as it is measured."""

    def drive(self, is_open: bool) -> None:
        """Give the drive pulse; one towards the position that it has already does no harm."""

    def hold(self, is_held: bool) -> bool:
        """Let a simulated relay stick where it stands, or set it free. False: this one is real."""
