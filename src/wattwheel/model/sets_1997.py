"""Sets of DL/T 645-1997: one identifier for many blocks, each closed by AAH.

Energy (9xxx), maximum demand (Axxx) and its time (Bxxx) share one scheme: DI1L is `ppkk` (period, kind), DI0H the
direction or quadrant, DI0L = F the block. All ones in period, kind or direction mean all of them: 90FF is every active
energy block of the running month, 9FFF every energy block of all three months. A direction of all ones with DI0L = 0
means the same as with F.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import msgspec

from wattwheel.model.item import Item, Row

SEPARATED = "set of blocks, AA after each"
"""Picture of a set."""

_NOUNS = {0x9: "energy", 0xA: "maximum_demand", 0xB: "maximum_demand_time"}
_ALL = 3
_PERIOD_ENDINGS = ("", "_settlement_1", "_settlement_2", "_all_periods")
_KINDS = {0: "active_", 1: "reactive_", _ALL: ""}
_DIRECTIONS = {
    # DI0H: name, kinds that have it
    0x1: ("import_", (0, 1)),
    0x2: ("export_", (0, 1)),
    0x3: ("q1_", (1,)),
    0x4: ("q4_", (1,)),
    0x5: ("q2_", (1,)),
    0x6: ("q3_", (1,)),
}
_EVERY = 0xF


def members(di: int) -> tuple[int, ...]:
    """Identifiers of the blocks of which the set `di` is made, in wire order; empty when `di` is no set."""
    noun, period, kind = di >> 12, di >> 10 & 3, di >> 8 & 3
    direction, low = di >> 4 & 0xF, di & 0xF
    if noun not in _NOUNS or kind not in _KINDS or not (low == 0xF or (low == 0 and direction == _EVERY)):
        return ()
    if noun == 0xB and kind == _ALL:
        return ()  # B3xx and its kin are counts and times of phase failures
    if _ALL not in (period, kind) and direction != _EVERY:
        return ()
    kinds = (0, 1) if kind == _ALL else (kind,)
    directions = tuple(_DIRECTIONS) if direction == _EVERY else (direction,)
    if direction != _EVERY and not all(one in _DIRECTIONS.get(direction, ("", ()))[1] for one in kinds):
        return ()
    return tuple(
        noun << 12 | p << 10 | k << 8 | d << 4 | 0xF
        for p in (range(_ALL) if period == _ALL else (period,))
        for k in kinds
        for d in directions
        if k in _DIRECTIONS[d][1]
    )


def name(di: int) -> str:
    """The name of the set `di`."""
    direction = di >> 4 & 0xF
    kind = _KINDS[di >> 8 & 3]
    way = "" if direction == _EVERY else _DIRECTIONS[direction][0]
    words = kind + way if way.startswith("q") else way + kind
    return f"{words}{_NOUNS[di >> 12]}_set{_PERIOD_ENDINGS[di >> 10 & 3]}"


@cache
def identifiers() -> dict[str, int]:
    """Every set's name and identifier (the one that ends in F)."""
    possible = (noun << 12 | low for noun in _NOUNS for low in range(0x00F, 0x1000, 0x10))
    return {name(di): di for di in possible if members(di)}


def build(di: int, rows: Mapping[int, Row]) -> Item | None:
    """The item of the set `di`, made from the rows of its blocks; None when `di` is no set."""
    parts = members(di)
    if not parts:
        return None
    first = rows[parts[0]].item
    named = name(di)
    return msgspec.structs.replace(
        first,
        di=di,
        name=named,
        title=named.replace("_", " "),
        name_zh="",
        picture=SEPARATED,
        octets=None,
        unit=",".join(dict.fromkeys(rows[part].item.unit for part in parts)),
        members=None,
        parts=parts,
        base_di=first.di,
    )
