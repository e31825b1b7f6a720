"""Factory mode, as far as the energy registers are concerned: a meter clear that leaves no record.

The security service says whether the meter is in it; once it has been commissioned it never is again. Besides, the
meter's cover has to be open.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from wattwheel.apps.contacts import Contacts
from wattwheel.apps.functions import MeterFunction
from wattwheel.sdk import Meter

PANEL_PORT = "panel"


class FactoryPanel(msgspec.Struct, frozen=True):
    """What of the port `panel` matters here."""

    factory: bool = False


def unrecorded_clears(meter: Meter, functions: list[MeterFunction]) -> Callable[[], bool]:
    """Tells, whenever it is called, whether a meter clear now leaves no record."""
    panel = meter.sampled(PANEL_PORT) if meter.has_port(PANEL_PORT) else lambda: None
    contacts = [each for each in functions if isinstance(each, Contacts)]

    def is_unrecorded() -> bool:
        told = panel()
        in_factory = told is not None and msgspec.json.decode(told, type=FactoryPanel).factory
        return in_factory and any(each.is_cover_open for each in contacts)

    return is_unrecorded
