"""What the recording of events remembers from one push to the next, and over a restart. Pure."""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import msgspec

from wattwheel.apps.event_conditions import Situation
from wattwheel.apps.event_records import Snapshot
from wattwheel.apps.voltage_statistics import RunningMonth
from wattwheel.model.records import Momentary
from wattwheel.model.register_image import RegisterImage

CLOCK_STEP_S = 2
"""A calendar that moves by more than that against the intervals does not count the seconds."""

SECOND_LIMIT = 1 << 33
"""What no calendar reaches, in seconds, and no current, in microampere."""

CHARGE_LIMIT = 1 << 60
"""What no meter counts in its life, in microampere-seconds."""

_T = TypeVar("_T")


class Watch(msgspec.Struct, array_like=True):
    """What a restart has to find beside the events.

    Attributes:
        second: local second of the last push.
        sequence: its number.
        meter_clears: how often the meter had been cleared.
        counted: what had been counted then.
        currents: magnitudes in microampere of the phases.
        differing: by slot, for how many seconds its condition had said otherwise; empty where none had.
        down_s: seconds since the loss of the supply, where the power is down.
        voltage: the running month of the voltage statistics.
        without_supply_s: how long the meter has been without, all told.
    """

    second: int
    sequence: int
    meter_clears: int
    counted: Snapshot
    currents: tuple[int, int, int]
    differing: list[int]
    down_s: int | None
    voltage: RunningMonth
    without_supply_s: int = 0


class Seen(NamedTuple):
    """The push before.

    Attributes:
        image: the registers after it.
        situation: what it told.
        currents: magnitudes in microampere of the phases.
        counted: what had been counted.
        held: after a restart, the slots whose condition held, for what it told is forgotten.
    """

    image: RegisterImage
    situation: Situation
    currents: tuple[int, int, int]
    counted: Snapshot
    held: int | None = None


def decoded(saved: bytes | None, kind: type[_T]) -> _T | None:
    """What was saved as `kind`; None for what is none."""
    try:
        return msgspec.msgpack.decode(saved or b"", type=kind)
    except (ValueError, RecursionError):
        return None


def watch_of(saved: bytes | None) -> Watch | None:
    """The watch that was saved; None for what is none."""
    watch = decoded(saved, Watch)
    if watch is None:
        return None
    counted = watch.counted = watch.counted.widened()
    seconds = (watch.second, counted.second, counted.watched_s, watch.without_supply_s, *watch.currents)
    is_sound = all(0 <= number < SECOND_LIMIT for number in seconds)
    return watch if is_sound and all(0 <= charge < CHARGE_LIMIT for charge in counted.charge) else None


def currents_of(momentary: Momentary) -> tuple[int, int, int]:
    """Magnitudes in microampere of the phases; 0 for one that is not there."""
    _, a, b, c = momentary.elements
    return abs(a.current_microampere or 0), abs(b.current_microampere or 0), abs(c.current_microampere or 0)


def charge_after(before: tuple[int, int, int], currents: tuple[int, int, int], seconds: int) -> tuple[int, int, int]:
    """Microampere-seconds after `seconds` with `currents`."""
    (a, b, c), (in_a, in_b, in_c) = before, currents
    return a + in_a * seconds, b + in_b * seconds, c + in_c * seconds


def seconds_between(before: RegisterImage, now: RegisterImage) -> int:
    """Seconds from one push to the next: of the calendar, so that none is lost; of the intervals when it was set."""
    by_calendar = now.second - before.second
    if before.at_ns and now.at_ns != before.at_ns:
        by_interval = (now.at_ns - before.at_ns) / 1e9
        if abs(by_calendar - by_interval) > CLOCK_STEP_S:
            return max(0, round(by_interval))
    return by_calendar


def counted_between(before: Seen, now: Snapshot, seconds: int, look: int) -> Snapshot:
    """What was counted at second `look` of the `seconds` between two pushes: the powers were constant, as far as known.

    Second 0 is that of the push before; it may also be an earlier one.
    """
    if look >= seconds:
        return now
    then, at = before.counted, max(0, look)
    return Snapshot(
        now.second - seconds + look,
        max(0, then.watched_s + look),
        tuple(old + (new - old) * at // seconds for old, new in zip(then.elements, now.elements, strict=True)),
        charge_after(then.charge, before.currents, at),
    )
