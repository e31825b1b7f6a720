"""What the security service tells whoever listens: the message on the port `panel`."""

from __future__ import annotations

from datetime import datetime

import msgspec

PANEL_PORT = "panel"


class PasswordChange(msgspec.Struct, frozen=True, array_like=True):
    """A password was changed: the number of the change in the meter's life, when (local time), and of what level."""

    number: int
    local: datetime
    level: int


class PanelState(msgspec.Struct, frozen=True, omit_defaults=True):
    """What somebody at the meter's panel, or a wrong password, has brought about.

    Attributes:
        programming_key: the programming key is active.
        is_suspended: after too many attempts without success, nothing may be written until the date changes.
        is_in_factory: the meter has not been commissioned yet.
        password_changes: the newest changes of passwords.
    """

    programming_key: bool = False
    is_suspended: bool = False
    is_in_factory: bool = False
    password_changes: tuple[PasswordChange, ...] = ()

    def message(self) -> bytes:
        """As it goes over the port."""
        return msgspec.json.encode(self)


NOTHING_TOLD = PanelState()


def panel_state_of(message: bytes | None) -> PanelState:
    """What `message` tells; None: nothing has been told yet."""
    return NOTHING_TOLD if message is None else msgspec.json.decode(message, type=PanelState)
