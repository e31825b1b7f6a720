"""Display, buttons, contacts of the case, and test outputs."""

from __future__ import annotations

from enum import StrEnum


class Button(StrEnum):
    """The meter's buttons. BOTH: up and down together."""

    PROGRAM = "program"
    UP = "up"
    DOWN = "down"
    BOTH = "both"


class Contact(StrEnum):
    """Contacts that watch the case."""

    METER_COVER = "meter-cover"
    TERMINAL_COVER = "terminal-cover"
