"""What the security service tells of factory mode, for the status document."""

from __future__ import annotations

from wattwheel.apex.partition import StartContext
from wattwheel.model.panel_state import PANEL_PORT, panel_state_of


class FactoryMode:
    """Reads the port `panel`, where the module has it for this reader."""

    def __init__(self, context: StartContext) -> None:
        self._panel = context.sampling_destination(PANEL_PORT) if context.has_port(PANEL_PORT) else None

    def is_on(self) -> bool | None:
        """Whether the meter is in factory mode; None: nobody has said so yet."""
        octets = self._panel.read()[0] if self._panel is not None else None
        return None if octets is None else panel_state_of(octets).is_in_factory
