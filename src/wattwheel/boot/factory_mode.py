"""What the security service tells of factory mode, for the status document. Heavier modules are not needed for that."""

from __future__ import annotations

import msgspec

from wattwheel.apex.partition import StartContext

PANEL_PORT = "panel"


class _Panel(msgspec.Struct, frozen=True):
    factory: bool | None = None


class FactoryMode:
    """Reads the port `panel`, where the module has it for this reader."""

    def __init__(self, context: StartContext) -> None:
        self._panel = context.sampling_destination(PANEL_PORT) if context.has_port(PANEL_PORT) else None

    def is_on(self) -> bool | None:
        """Whether the meter is in factory mode; None: nobody has said so yet."""
        octets = self._panel.read()[0] if self._panel is not None else None
        return None if octets is None else msgspec.json.decode(octets, type=_Panel).factory
