"""Exercises of a meter: `wattwheel drill NAME`. Each one starts a meter, a real one or one in virtual
time, treats it badly and keeps the score.

A drill that finds anything says what; it never stops at the first failure. Everything that is left to chance comes from
the seed. Whatever is sent goes to loopback, and counts and times are bounded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from wattwheel.model.errors import BadInput

if TYPE_CHECKING:
    from wattwheel.testing.drills.score import Score

SEED = 1
"""Taken when none is given, so that two runs without one are the same exercise."""


def _kills(times: int, seed: int) -> Score:
    from wattwheel.testing.drills.kills import drill

    return drill(times, seed)


def _restarts(times: int, seed: int) -> Score:
    from wattwheel.testing.drills.kills import drill_restarts

    return drill_restarts(times, seed)


def _fuzz(times: int, seed: int) -> Score:
    from wattwheel.testing.drills.fuzz import drill

    return drill(times, seed)


def _hostile(times: int, seed: int) -> Score:
    from wattwheel.testing.drills.hostile import drill

    return drill(times, seed)


def _crowd(times: int, seed: int) -> Score:
    from wattwheel.testing.drills.crowd import drill

    return drill(times, seed)


def _link_cut(times: int, seed: int) -> Score:
    from wattwheel.testing.drills.link_cut import drill

    return drill(times, seed)


def _power_cut(times: int, seed: int) -> Score:
    from wattwheel.testing.drills.power_cut import drill

    return drill(times, seed)


def _year(times: int, seed: int) -> Score:
    from wattwheel.testing.drills.year import drill

    return drill(times, seed)


class Drill(NamedTuple):
    """A drill and how often it does what it does when nobody says."""

    run: Callable[[int, int], Score]
    times: int


DRILLS = {
    "kills": Drill(_kills, 200),
    "fuzz": Drill(_fuzz, 10_000_000),
    "hostile": Drill(_hostile, 1),
    "restarts": Drill(_restarts, 1000),
    "crowd": Drill(_crowd, 1000),
    "link-cut": Drill(_link_cut, 100),
    "power-cut": Drill(_power_cut, 3),
    "year": Drill(_year, 300),
}
"""By name. `times` counts kills of cores, octets on each type of channel, rounds of attempts, kills of partitions, and
requests of each of the crowd, cuts of the line, cuts of the supply at each write, cuts in the year."""


def run(name: str, times: int | None = None, seed: int | None = None) -> dict[str, Any]:
    """Hold the drill `name` and return the contract's document. Raises BadInput for a name that is none."""
    if name not in DRILLS:
        raise BadInput(f"drill {name}: no such drill; allowed: {', '.join(DRILLS)}")
    own = DRILLS[name]
    count, chance = own.times if times is None else times, SEED if seed is None else seed
    return own.run(count, chance).document(name, count, chance)
