"""Factory mode, as far as the energy registers are concerned: a meter clear that leaves no record.

The security service says whether the meter is in it; once it has been commissioned it never is again. Besides, the
meter's cover has to be open.
"""

from __future__ import annotations

from collections.abc import Callable

from wattwheel.apps.contacts import Contacts
from wattwheel.apps.functions import MeterFunction
from wattwheel.model.panel_state import panel_state_of


def unrecorded_clears(panel: Callable[[], bytes | None], functions: list[MeterFunction]) -> Callable[[], bool]:
    """Tells, whenever it is called, whether a meter clear now leaves no record; `panel`: the security service."""
    contacts = [each for each in functions if isinstance(each, Contacts)]

    def is_unrecorded() -> bool:
        return panel_state_of(panel()).is_in_factory and any(each.is_cover_open for each in contacts)

    return is_unrecorded
