"""An event's begin and end: a condition that must differ for longer than a delay.

Pure. One state per event and phase; seconds are looked at one by one, or many alike at once.
"""

from __future__ import annotations

import msgspec


class EventDelay(msgspec.Struct, array_like=True):
    """Whether an event is active, and for how many seconds in a row its condition has said otherwise."""

    is_active: bool = False
    differing_s: int = 0


def looked(state: EventDelay, condition: bool, delay_s: int, seconds: int = 1) -> int | None:
    """Take `seconds` looks in a row that all found `condition`; the number of the look that flipped the state.

    None: it did not flip. The flip comes with look `delay_s` + 1 in a row that differs; a delay of 0 is immediate.
    Changes `state`.
    """
    assert seconds > 0
    assert delay_s >= 0
    if condition == state.is_active:
        state.differing_s = 0
        return None
    flips_at = max(1, delay_s + 1 - state.differing_s)
    if seconds < flips_at:
        state.differing_s += seconds
        return None
    state.is_active, state.differing_s = condition, 0
    return flips_at


def looks_until_flip(state: EventDelay, condition: bool, delay_s: int) -> int | None:
    """How many more looks that find `condition` will flip the state; None if it is what the state says already."""
    return None if condition == state.is_active else max(1, delay_s + 1 - state.differing_s)


def imbalance_rate(values: tuple[int, ...]) -> int:
    """(max - min) / max of the magnitudes, in 0.01 %, 0 where all are 0."""
    magnitudes = [abs(value) for value in values]
    highest = max(magnitudes)
    return (highest - min(magnitudes)) * 10_000 // highest if highest else 0
