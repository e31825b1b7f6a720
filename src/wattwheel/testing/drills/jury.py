"""The jury of the drill `fuzz`: is every value that went over a channel what the page's API says, to the last digit?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from wattwheel.model.catalogue import item_2007
from wattwheel.model.errors import ItemValueError, UnknownItem
from wattwheel.protocols.dlt645.items import Decoded, decode

MOMENTARY_DI3 = 0x02
MOMENTARY_UNITS = 1
"""How far a momentary value may lie outside of what the API showed before and after, in units of the last digit."""

Known = Mapping[int, Any]
"""The API's values by identifier: number, text, or None."""


def known(rows: list[dict[str, Any]]) -> dict[int, Any]:
    """The API's list of value rows as a table."""
    return {int(row["di"], 16): row["value"] for row in rows}


def blocks_of(identifiers: Known) -> Iterator[int]:
    """Identifiers of the blocks of the register table that contain any of `identifiers`."""
    seen = set()
    for di in identifiers:
        for block in (di | 0xFF00, di | 0x00FF, di | 0xFFFF):
            if block in seen:
                continue
            seen.add(block)
            try:
                if item_2007(block).members is not None:
                    yield block
            except UnknownItem:
                continue


class Jury:
    """Gathers the values of a while and compares them with what the API said before and after it."""

    def __init__(self, before: Known) -> None:
        self._before = before
        self._seen: dict[int, set[bytes]] = defaultdict(set)
        self.values = 0

    def hear(self, di: int, octets: bytes) -> None:
        """Note a value by its item octets."""
        self.values += 1
        self._seen[di].add(octets)

    def judge(self, after: Known) -> list[str]:
        """Objections to what was heard since the last time; `after` becomes the next `before`."""
        found = [
            objection
            for di, variants in self._seen.items()
            for octets in variants
            for objection in self._objections(di, octets, after)
        ]
        self._before = after
        self._seen.clear()
        return found

    def _objections(self, di: int, octets: bytes, after: Known) -> Iterator[str]:
        try:
            decoded = decode(item_2007(di), octets)
        except (UnknownItem, ItemValueError) as fault:
            yield f"{di:08X}: {octets.hex()} cannot be: {fault}"
            return
        for part, low, high in self._compared(decoded, self._before.get(di), after.get(di), after):
            if not self._is_between(part, low, high):
                api = f"{low!r} before, {high!r} after"
                yield f"{di:08X}: {part.di} is {part.text or None}, by the API {api}"

    def _compared(
        self, decoded: Decoded, before: Any, after: Any, all_after: Known
    ) -> Iterator[tuple[Decoded, Any, Any]]:
        """The single values in `decoded`, each with what the API said of it before and after.

        Members of a block have rows of their own; fields of a record are rows in the value of theirs.
        """
        if decoded.parts is None:
            yield decoded, before, after
            return
        for place, part in enumerate(decoded.parts):
            own = int(part.di, 16)
            if part.di == decoded.di:
                low, high = (_field(value, place) for value in (before, after))
            else:
                low, high = self._before.get(own), all_after.get(own)
            yield from self._compared(part, low, high, all_after)

    def _is_between(self, part: Decoded, before: Any, after: Any) -> bool:
        if part.value is None or before is None or after is None:
            return part.value is None and (before is None or after is None)
        mine, low, high = _units(part, part.value), _units(part, before), _units(part, after)
        if low > high and part.number is None:
            return mine >= low or mine <= high  # a clock that has passed midnight
        spread = MOMENTARY_UNITS if int(part.di, 16) >> 24 == MOMENTARY_DI3 else 0
        return min(low, high) - spread <= mine <= max(low, high) + spread


def _field(value: Any, place: int) -> Any:
    """Value of the field at `place` of a record as the API shows it; None where there is none."""
    return value[place]["value"] if isinstance(value, list) and place < len(value) else None


def _units(part: Decoded, value: Any) -> int:
    """A number in units of its last digit; the digits of a text as one number."""
    if part.number is not None:
        return round(float(value) * 10.0**part.decimals)
    digits = "".join(c for c in str(value) if c.isdecimal())
    return int(digits or "0")
