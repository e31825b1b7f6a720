"""What an entry of a freeze holds, from the turn that finds it due. The energies of one image are encoded once."""

from __future__ import annotations

from wattwheel.apps.functions import Turn
from wattwheel.model.freeze_content import (
    DEMAND_OF_ITEM,
    VARIABLES,
    FreezeKind,
    chosen,
    frozen_demand,
    frozen_energies,
    frozen_totals,
    frozen_variables,
)
from wattwheel.model.records import Quality
from wattwheel.model.register_image import RegisterImage


class FrozenItems:
    """Encodes entries."""

    def __init__(self) -> None:
        self._energies: tuple[RegisterImage, dict[int, bytes]] | None = None

    def of(self, kind: FreezeKind, word: int, turn: Turn) -> dict[int, bytes]:
        """The items of an entry like one of `kind` with the content word `word`, octets as on the wire."""
        image = turn.image
        items = chosen(kind, word)
        if kind is FreezeKind.HOURLY:
            return frozen_totals(image.totals, items)
        if self._energies is None or self._energies[0] is not image:
            self._energies = (image, frozen_energies(image.shares, turn.words, image.tariffs))
        energies = self._energies[1]
        found: dict[int, bytes] = {}
        for item in items:
            if item == VARIABLES:
                readings = turn.readings
                found[item] = frozen_variables(readings.momentary if readings.quality is Quality.VALID else None)
            elif item in DEMAND_OF_ITEM:
                found[item] = frozen_demand(turn.look(DEMAND_OF_ITEM[item]), image.tariffs)
            else:
                found[item] = energies[item]
        return found
