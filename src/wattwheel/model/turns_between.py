"""The turns of a minute between two pushes that are far apart, as when the meter's time runs faster than the host's.

Pure. What flowed between two pushes is taken to have flowed evenly: nothing else is known of it.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from wattwheel.model.register_image import RegisterImage

SECONDS_A_MINUTE = 60

SELDOM_MS_MIN = 5000
"""Pushes that are further apart than this leave out the turn of a minute, or are late for it."""

PUSHES_MISSED_MAX = 3
"""A pause that is longer by so many pushes is a pause: nobody knows what was."""


def are_seldom(push_milliseconds: int) -> bool:
    """Whether pushes so far apart in the meter's own time have to be spread over the minutes between them."""
    return push_milliseconds > SELDOM_MS_MIN


def pause_s_max(push_milliseconds: int) -> int:
    """How many seconds two pushes may be apart with nothing being amiss."""
    return PUSHES_MISSED_MAX * push_milliseconds // 1000


def turns_between(before: RegisterImage, now: RegisterImage) -> Iterator[RegisterImage]:
    """An image for each turn of a minute after the push `before` up to the push `now`, the oldest first.

    Of the registers only `elements` are those of the turn; the tariff of `now` counts from the last turn on.
    """
    seconds = now.second - before.second
    gone = [after - then for after, then in zip(now.elements, before.elements, strict=True)]
    for minute in range(before.minute + 1, now.minute + 1):
        passed = SECONDS_A_MINUTE * minute - before.second
        yield msgspec.structs.replace(
            now,
            second=SECONDS_A_MINUTE * minute,
            elements=tuple(
                then + flowed * passed // seconds for then, flowed in zip(before.elements, gone, strict=True)
            ),
            tariff=now.tariff if minute == now.minute else before.tariff,
            at_ns=before.at_ns + (now.at_ns - before.at_ns) * passed // seconds,
        )
