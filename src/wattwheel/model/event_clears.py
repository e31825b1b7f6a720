"""How event rings outside the partition `energy` follow the clears that it decides (1AH and 1BH of DL/T 645-2007).

`energy` carries out both commands and publishes in a sampling port how many meter clears there have been and which
event clears came last. Whoever keeps rings elsewhere empties them and keeps, in the same transaction, what it has
followed: so it follows each clear once, also one that came while it was dead.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

ALL_EVENTS = 0xFFFFFFFF
"""Identifier of an event clear that clears every event."""

EVENT_CLEARS_MAX = 16
"""Event clears that are published; who has slept through more follows the newest ones."""

EventClears = tuple[tuple[int, int], ...]
"""Sequence number (1, 2, ...) and identifier (ALL_EVENTS, or one that ends with FF) of each, the newest last."""


class Clears(msgspec.Struct, frozen=True, array_like=True):
    """What is published.

    `meter_clears`: how many there have been, also beyond what a count shows; `events`: the last `EVENT_CLEARS_MAX`.
    """

    meter_clears: int = 0
    events: EventClears = ()


class Followed(msgspec.Struct, frozen=True, array_like=True):
    """What somebody has followed. `event_clear`: sequence number of the last event clear."""

    meter_clears: int = 0
    event_clear: int = 0


def followed(clears: Clears) -> Followed:
    """What is kept after `clears` have been followed."""
    return Followed(clears.meter_clears, max((sequence for sequence, _ in clears.events), default=0))


def emptied(clears: Clears, before: Followed, counts: Iterable[int]) -> list[int]:
    """Which of the rings, named by the identifiers of their counts, have to be emptied to follow `clears`.

    Numbers that have fallen come from an `energy` that lost its state: they empty nothing.
    """
    if clears.meter_clears > before.meter_clears:
        return list(counts)
    new = {di for sequence, di in clears.events if sequence > before.event_clear}
    return [count for count in counts if ALL_EVENTS in new or count | 0xFF in new]
