"""The multi-function terminal: which signal it gives (1DH).

What is here is the selection. The meter has no such terminal yet, so nothing is given out: a driver for one would ask
for the selection and give the pulses.
"""

from __future__ import annotations

from enum import IntEnum

SIGNAL_DI = 0x0E300000
"""Private identifier under which the selection is read: one octet."""


class Signal(IntEnum):
    """What the terminal can give, by the octet of 1DH."""

    SECOND = 0x00
    DEMAND_PERIOD = 0x01
    SLOT_CHANGE = 0x02


class SignalOutput:
    """The selection. It is not kept: whenever the meter starts it is the second pulse."""

    def __init__(self) -> None:
        self.selected = Signal.SECOND

    def select(self, data: bytes) -> bool:
        """Take the octet of 1DH. False: there is no such signal, and the former one goes on."""
        if len(data) != 1 or data[0] not in set(Signal):
            return False
        self.selected = Signal(data[0])
        return True
