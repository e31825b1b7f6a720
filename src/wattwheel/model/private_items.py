"""Private data identifiers of the bus that several sides know."""

from __future__ import annotations

from wattwheel.model.contacts import PLUG_CONTACTS

STEP_DI = 0x0E200101
"""The display tells the partition `platform` of a button that was held for 5 s: the terminal's next signal."""

TERMINAL_DI = 0x0E310000
"""The partition `platform` tells `metering` to give a pulse of the multi-function terminal: one octet, which."""

RELAY_DI = 0x0E400000
"""The operator lets a simulated relay stick where it stands (01), or sets it free (00)."""

CLOCK_DI = 0x0E410000
"""The operator lets the clock that the meter's time comes from stand still (01), or run (00)."""

FOLLOWERS = (0x0E510000, 0x0E520000)
"""Who keeps event records outside the partition `energy`: `parameters` and `platform`. Asked with the control code of
an event clear, they answer once they have followed the clears that `energy` has published."""

MODULE_PLUG_DI = 0x0E400001
"""The operator moves the simulated plug of the management module: data as those of CONTACT."""


def contact_di(name: str) -> int:
    """The identifier under which the bus is told what the contact `name` says: it finds who looks at that."""
    return MODULE_PLUG_DI if name in PLUG_CONTACTS else 0
