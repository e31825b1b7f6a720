"""Display, buttons, and test outputs."""

from __future__ import annotations

from enum import StrEnum


class Button(StrEnum):
    """The meter's buttons. BOTH: up and down together."""

    PROGRAM = "program"
    UP = "up"
    DOWN = "down"
    BOTH = "both"
