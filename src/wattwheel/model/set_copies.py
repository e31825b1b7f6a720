"""Switch-over of the 2020 profile: the standby set is copied over the current one, and the instant is consumed. Pure.

Whoever books energy decides at which push an instant has come, and follows the standby set from there on; it asks for
the copy, and the owner of the parameters makes it in one transaction with the instant's end. Only then the current set
runs again, which holds the same octets by then.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from wattwheel.model.prices import (
    PRICES_SWITCH,
    STEP_LIMITS,
    STEP_PRICES,
    STEP_PRICES_MAX,
    STEP_SETTLEMENTS,
    STEP_SETTLEMENTS_MAX,
    STEPS_SWITCH,
    TARIFF_PRICES,
    PriceSets,
)
from wattwheel.model.tariff import DAY_TABLES_MAX, STEP_LIMITS_MAX, TARIFFS_MAX
from wattwheel.model.tariff_parameters import DAY_TABLES_SWITCH, INSTANT_OCTETS, SETS, ZONES_SWITCH, RunningSets

CONSUMED = bytes(INSTANT_OCTETS)
"""What an instant is after it was executed: none."""


def _run(firsts: tuple[int, int], count: int, begin: int = 1) -> tuple[tuple[int, int], ...]:
    """Current and standby item of `count` items that follow `firsts`."""
    return tuple((firsts[0] + at, firsts[1] + at) for at in range(begin, begin + count))


MEMBERS: dict[int, tuple[tuple[int, int], ...]] = {
    ZONES_SWITCH: _run(SETS, 1, begin=0),
    DAY_TABLES_SWITCH: _run(SETS, DAY_TABLES_MAX),
    PRICES_SWITCH: _run(TARIFF_PRICES, TARIFFS_MAX),
    STEPS_SWITCH: (
        *_run(STEP_LIMITS, STEP_LIMITS_MAX),
        *_run(STEP_PRICES, STEP_PRICES_MAX),
        *_run(STEP_SETTLEMENTS, STEP_SETTLEMENTS_MAX),
    ),
}
"""Of each pair, by the identifier of its instant: current and standby items."""

Asked = dict[int, bytes]
"""Instants as written, by their identifiers, whose standby sets are in force and have to be copied."""


def asked(sets: RunningSets, prices: PriceSets) -> Asked:
    """The copies that are outstanding where these sets are running."""
    found = {
        ZONES_SWITCH: sets.zones_switched if sets.zones else b"",
        DAY_TABLES_SWITCH: sets.day_tables_switched if sets.day_tables else b"",
        PRICES_SWITCH: prices.prices_switched if prices.prices else b"",
        STEPS_SWITCH: prices.steps_switched if prices.steps else b"",
    }
    return {switch: instant for switch, instant in found.items() if instant}


class Copy(NamedTuple):
    """What a copy changes.

    Attributes:
        items: identifier to octets; None: it was never written, as the standby item was not.
        copied: instants whose sets have been copied, those of before too.
    """

    items: Mapping[int, bytes | None]
    copied: Mapping[int, bytes]


def copy_of(values: Mapping[int, bytes], copied: Mapping[int, bytes], wanted: Asked) -> Copy | None:
    """The copies that are `wanted` and not among those `copied` already; None: there are none.

    An instant that was written meanwhile stays.
    """
    due = {switch: at for switch, at in wanted.items() if switch in MEMBERS and copied.get(switch) != at}
    if not due:
        return None
    items: dict[int, bytes | None] = {}
    for switch, at in due.items():
        items |= {current: values.get(standby) for current, standby in MEMBERS[switch]}
        if values.get(switch) == at:
            items[switch] = CONSUMED
    return Copy(items, {**copied, **due})


def copied_sets(saved: bytes | None) -> Mapping[int, bytes]:
    """The instants of sets that have been copied, out of what was saved; octets of another version are forgotten."""
    try:
        return msgspec.msgpack.decode(saved or b"", type=Asked)
    except (ValueError, RecursionError):
        return {}
