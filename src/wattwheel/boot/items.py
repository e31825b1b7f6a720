"""The register table as `wattwheel items` lists it, and which of it this meter answers."""

from __future__ import annotations

from functools import cache

import msgspec

from wattwheel.model import catalogue
from wattwheel.model.records import ELEMENTS, REGISTERS, ElementReading, EnergyTotals, Momentary


def item_rows(*, unanswered_only: bool = False) -> list[dict[str, object]]:
    """Rows of the register table; `unanswered_only`: those that the standard meter answers with an exception.

    A row that stands for a range counts as answered when the meter answers the row's own identifier.
    """
    rows = catalogue.listing()
    return [row for row in rows if not is_answered(row)] if unanswered_only else rows


def is_answered(row: dict[str, object]) -> bool:
    """True when the meter answers a read of the row's identifier; those of 1997 alone it never does."""
    return row["di"] is not None and int(str(row["di"]), 16) in answered_identifiers()


@cache
def answered_identifiers() -> frozenset[int]:
    """Identifiers that a three-phase meter in the built-in module answers: the APPs themselves are asked."""
    from wattwheel.apps.parameters import default_items
    from wattwheel.apps.recording import Recording
    from wattwheel.apps.status_words import STATUS_DIS
    from wattwheel.boot.identification import name_plate
    from wattwheel.boot.settings import Settings
    from wattwheel.model.energy_items import energy_items
    from wattwheel.model.harmonics import is_harmonic
    from wattwheel.model.momentary_items import momentary_items
    from wattwheel.services import platform_management as platform

    element = ElementReading(**{field.name: 0 for field in msgspec.structs.fields(ElementReading)})
    momentary = Momentary((element, element, element, element), frequency_millihertz=0, neutral_current_microampere=0)
    totals = EnergyTotals(0, (0,) * (len(ELEMENTS) * len(REGISTERS)))
    energy = energy_items([[0] * len(REGISTERS)], totals)
    own = (platform.DATE_DI, platform.TIME_DI, platform.DATE_TIME_DI, platform.ADDRESS_DI, platform.METER_NUMBER_DI)
    harmonics = {item.di for item in catalogue.items_2007() if is_harmonic(item.di)}
    lasting = (*default_items(), *name_plate(Settings()), *Recording().listed(), *STATUS_DIS)
    return frozenset({*energy, *momentary_items(momentary), *own, *lasting, *harmonics})
