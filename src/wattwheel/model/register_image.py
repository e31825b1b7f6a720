"""The energy registers at one instant: what is frozen, settled, recorded and charged for.

Everything that is due at the same minute takes its values from the same image: that of the first push at or after the
minute's beginning, with all energy that the push told.
"""

from __future__ import annotations

import msgspec

from wattwheel.model.records import ELEMENTS, REGISTERS
from wattwheel.model.tariff_parameters import FIRST_SETS, RunningSets


class RegisterImage(msgspec.Struct, frozen=True, array_like=True):
    """The registers after one push, in microjoule.

    Attributes:
        second: of the meter's local standard time, since 2000.
        shares: the registers (`model.records.REGISTERS`) of each tariff, 1 first; their sum is the total.
        elements: those of the total and the phases, as the metering core has told them; those of the total are not
            the sum of the shares when the meter has been cleared.
        tariff: the one in force from here on; `tariffs`: how many the meter has.
        sets: which zone and day tables are running.
        clock_changes: how often the clock had been set or synchronised.
        meter_clears: how often the meter had been cleared.
        at_ns: the monotonic instant of the push, in the meter's own time: it runs as fast as the meter's calendar does,
            so that intervals of both can be compared.
    """

    second: int
    shares: tuple[tuple[int, ...], ...]
    elements: tuple[int, ...]
    tariff: int = 1
    tariffs: int = 1
    sets: RunningSets = FIRST_SETS
    clock_changes: int = 0
    meter_clears: int = 0
    at_ns: int = 0

    @property
    def minute(self) -> int:
        """Whole minutes of the meter's local standard time since 2000."""
        return self.second // 60

    @property
    def totals(self) -> list[int]:
        """The registers of all tariffs together."""
        return list(map(sum, zip(*self.shares, strict=True)))

    def phase(self, element: str) -> tuple[int, ...]:
        """The registers of the element `element` ("a", "b", "c")."""
        at = ELEMENTS.index(element) * len(REGISTERS)
        return self.elements[at : at + len(REGISTERS)]
