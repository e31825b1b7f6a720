"""The register table: every data item of DL/T 645-2007 and -1997, one row each, one name each.

The rows lie in `data/*.csv`; ranges of identifiers are rules (`ranges.py`), so a row such as "tariff 1" also stands
for tariffs 2 to 63, its settlement periods and its blocks. Everything that needs to know an item derives from here:
codec, bus routes, access, JSON keys, page, manual.

The same thing has the same name in both editions; a 2007 item names its 1997 identifier in `di_1997`. Names are unique
within an edition.
"""

from __future__ import annotations

import csv
import itertools
import os.path
from collections.abc import Iterator
from functools import cache, lru_cache

import msgspec

from wattwheel.model import ranges, sets_1997
from wattwheel.model.errors import UnknownItem
from wattwheel.model.item import EDITIONS, Field, Item, Row, row_from_cells

__all__ = [
    "ITEMS_1997",
    "ITEMS_2007",
    "Field",
    "Item",
    "fields",
    "find",
    "item_1997",
    "item_2007",
    "item_named",
    "item_of",
    "items_1997",
    "items_2007",
    "listing",
    "range_text",
]

DATA = os.path.join(os.path.dirname(__file__), "data")
"""Folder of the tables."""

CONCRETE_ITEMS_CACHED_MAX = 4096
"""Derived items kept per edition; base rows are always there."""

HINT_CHARACTERS_MAX = 64
"""Longest text for which near names are looked up."""

_FEW_HINTS = 3


class Table:
    """One edition's rows and the ways to find an item among them."""

    def __init__(self, edition: str) -> None:
        self.edition = edition
        with open(os.path.join(DATA, f"dlt645-{edition}.csv"), encoding="utf-8", newline="") as file:
            lines = csv.reader(file)
            columns = next(lines)
            self.rows = tuple(row_from_cells(edition, dict(zip(columns, line, strict=True))) for line in lines)
        self.by_di = {row.item.di: row for row in self.rows}
        self.by_name = {row.item.name: row for row in self.rows}
        self._all_ones = (1 << 4 * EDITIONS[edition]) - 1
        self._ranged: dict[int, dict[int, Row]] = {}
        for row in self.rows:
            if row.ranges:
                kept = self._all_ones & ~row.places()
                self._ranged.setdefault(kept, {})[row.item.di & kept] = row

    def item(self, di: int) -> Item | None:
        """The item of that identifier, None where there is none."""
        row = self.by_di.get(di)
        if row is not None:
            return row.item
        for kept, rows in self._ranged.items():
            row = rows.get(di & kept)
            if row is not None and (item := row.derive(di)) is not None:
                return item
        return sets_1997.build(di, self.by_di) if self.edition == "1997" else None

    def named(self, name: str) -> Item | None:
        """The item of that name, None where there is none."""
        for stem, numbers in ranges.candidates(name):
            row = self.by_name.get(stem)
            if row is None:
                continue
            di = row.item.di
            for each in row.ranges:
                number = numbers.get(each.kind, numbers.get("") if each.kind not in ("settlement", "month") else None)
                if number is not None:
                    di = each.replaced(di, each.mask if number < 0 else number & each.mask)
            item = self.item(di)
            if item is not None and item.name == name:
                return item
        if self.edition == "1997" and (di_of_set := sets_1997.identifiers().get(name)) is not None:
            return self.item(di_of_set)
        return None

    def identifiers(self) -> Iterator[int]:
        """Every identifier of the edition, row after row, once each."""
        for row in self.rows:
            yield row.item.di
            yield from (di for di in row.identifiers() if di not in self.by_di)
        if self.edition == "1997":
            yield from sets_1997.identifiers().values()


@cache
def _table(edition: str) -> Table:
    return Table(edition)


def __getattr__(name: str) -> tuple[Item, ...]:
    """`ITEMS_2007` and `ITEMS_1997`: the rows of the tables, read when first asked for."""
    if name in ("ITEMS_2007", "ITEMS_1997"):
        return tuple(row.item for row in _table(name.removeprefix("ITEMS_")).rows)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


ITEMS_2007: tuple[Item, ...]
ITEMS_1997: tuple[Item, ...]


@lru_cache(maxsize=CONCRETE_ITEMS_CACHED_MAX)
def item_2007(di: int) -> Item:
    """The 2007 item of the identifier `di`. Raises UnknownItem."""
    item = _table("2007").item(di)
    if item is None:
        raise UnknownItem(f"{di:08X}", "DL/T 645-2007 has no such identifier")
    base = _table("2007").by_di[item.base_di].item
    if item is not base and base.di_1997 is not None:
        same = _table("1997").named(item.name)
        return msgspec.structs.replace(item, di_1997=same.di if same else None)
    return item


@lru_cache(maxsize=CONCRETE_ITEMS_CACHED_MAX)
def item_1997(di: int) -> Item:
    """The 1997 item of the identifier `di`. Raises UnknownItem."""
    item = _table("1997").item(di)
    if item is None:
        raise UnknownItem(f"{di:04X}", "DL/T 645-1997 has no such identifier")
    return item


def item_of(edition: str, di: int) -> Item:
    """The item `di` of `edition` ("2007" or "1997"). Raises UnknownItem."""
    return item_2007(di) if edition == "2007" else item_1997(di)


def item_named(name: str) -> Item:
    """The 2007 item of that name, else the 1997 one. Raises UnknownItem with near names."""
    if len(name) <= HINT_CHARACTERS_MAX:
        if (item := _table("2007").named(name)) is not None:
            return item_2007(item.di)
        if (item := _table("1997").named(name)) is not None:
            return item
    raise UnknownItem(name[:HINT_CHARACTERS_MAX], _hint(name[:HINT_CHARACTERS_MAX]))


def find(text: str) -> Item:
    """The item a person asks for: eight hex digits (2007), four (1997), or a name. Raises UnknownItem with a hint."""
    asked = text.strip()
    name = asked.lower().replace("-", "_")
    if name and set(name) <= set("0123456789abcdef"):
        if len(name) == EDITIONS["2007"]:
            return item_2007(int(name, 16))
        if len(name) == EDITIONS["1997"]:
            return item_1997(int(name, 16))
    return item_named(name)


def items_2007() -> Iterator[Item]:
    """Every concrete 2007 item, ranges expanded; some twenty-four thousand."""
    return map(item_2007.__wrapped__, _table("2007").identifiers())


def items_1997() -> Iterator[Item]:
    """Every concrete 1997 item, ranges and sets expanded."""
    return map(item_1997.__wrapped__, _table("1997").identifiers())


def range_text(item: Item) -> str:
    """The rule by which `item`'s row stands for others, as its `range` column has it in words; "" for none."""
    row = _table(item.edition).by_di[item.base_di]
    return ", ".join(f"{each.kind} {each.first}..{each.last}{' and block' * each.block}" for each in row.ranges)


@cache
def fields(layout: str) -> tuple[Field, ...]:
    """The fields of a record layout in wire order; empty for ""."""
    with open(os.path.join(DATA, "fields.csv"), encoding="utf-8", newline="") as file:
        return tuple(
            Field(line["label"], line["unit"], line["signed"] == "1", line["kind"])
            for line in csv.DictReader(file)
            if line["layout"] == layout
        )


def listing(*, concrete: bool = False) -> list[dict[str, object]]:
    """The table as `wattwheel items --json` prints it: the rows of 2007, then those that only 1997 has.

    `concrete`: with all ranges expanded.
    """
    editions = (items_2007(), items_1997()) if concrete else (_rows("2007"), _rows("1997"))
    listed: list[dict[str, object]] = []
    known: set[int | None] = set()
    for item in itertools.chain(*editions):
        if item.edition == "2007":
            known.add(item.di_1997)
        elif item.di in known:
            continue
        is_2007 = item.edition == "2007"
        di_1997 = item.di_1997 if is_2007 else item.di
        listed.append(
            {
                "di": item.di_text if is_2007 else None,
                "di_1997": None if di_1997 is None else f"{di_1997:04X}",
                "name": item.name,
                "name_zh": item.name_zh,
                "picture": item.picture,
                "unit": item.unit,
                "signed": item.signed,
                "octets": item.octets,
                "read": item.read,
                "write": item.write,
                "category": item.category,
                "owner": item.owner,
                "title": item.title,
                "range": range_text(item) if item.di == item.base_di else "",
            }
        )
    return listed


def _rows(edition: str) -> Iterator[Item]:
    return (row.item for row in _table(edition).rows)


def _hint(name: str) -> str:
    import difflib  # only a mistake pays for it

    if name and set(name) <= set("0123456789abcdef"):
        return "an identifier has 8 hex digits (2007) or 4 (1997)"
    names = dict.fromkeys((*_table("2007").by_name, *_table("1997").by_name))
    near = difflib.get_close_matches(name, names, n=_FEW_HINTS)
    if near:
        return f"did you mean {', '.join(near)}?"
    return "an item is 8 hex digits (2007), 4 (1997) or a name of the register table"
