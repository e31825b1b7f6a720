"""One data item of the register table, and one row of it: an item with the ranges of others that it stands for."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

import msgspec

from wattwheel.model import ranges
from wattwheel.model.ranges import Members, Range

EDITIONS = {"2007": 8, "1997": 4}
"""Editions of the protocol and the hex digits of their identifiers."""


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One data item: what it is called, how it looks on the wire, who may do what with it.

    Attributes:
        di: data identifier as a number, DI3 the most significant octet (2007), DI1 (1997).
        edition: "2007" or "1997".
        name: its one name, snake_case.
        title: the English words of the table.
        name_zh: the Chinese name of the standard, "" where the table has none.
        picture: how the standard prints it: X or N a digit, a point where the point is implied.
        octets: width on the wire, None where it varies.
        unit: of the number, or of the members joined by a comma; "" for none.
        signed: True when the top bit of the most significant octet is the sign.
        read: may be read.
        write: may be written.
        category: the standard's group.
        profile: where it comes from: base text, ext1..ext3 (State Grid filings), own (of no standard), std or
            common extension (1997).
        confidence: A (several sources agree) or B (one source), "" of own ones and in 1997.
        owner: the APP or service that owns it in the standard meter.
        kind: "" for what the picture says, else bits, digits (BCD text), hex (identifier), screen (identifier and
            perhaps, in a fifth octet, a part of it) or wire (octets as sent).
        layout: name of the record layout in `data/fields.csv`, "" for none.
        members: the items of a block, None for no block.
        parts: identifiers of the items that a block with separators is made of.
        base_di: identifier of the row from which this item was derived; equals `di` for a row itself.
        di_1997: 1997 identifier of the same thing, None where there is none (and in 1997 items).
    """

    di: int
    edition: str
    name: str
    title: str
    name_zh: str
    picture: str
    octets: int | None
    unit: str
    signed: bool
    read: bool
    write: bool
    category: str
    profile: str
    confidence: str
    owner: str
    kind: str
    layout: str
    members: Members | None
    parts: tuple[int, ...]
    base_di: int
    di_1997: int | None = None

    @property
    def di_text(self) -> str:
        """The identifier in hex digits: eight in 2007, four in 1997."""
        return f"{self.di:0{EDITIONS[self.edition]}X}"


class Field(msgspec.Struct, frozen=True):
    """One field of a record.

    Attributes:
        label: appended to the record's name; "" for the record's main value.
        unit: of the number; "*" for that of the item.
        signed: True when the top bit is the sign even though the record as a whole has none.
        kind: as in `Item.kind`.
    """

    label: str
    unit: str
    signed: bool
    kind: str


class Row(msgspec.Struct, frozen=True):
    """A row of the table: the item that stands there and the ranges that it stands for."""

    item: Item
    ranges: tuple[Range, ...]

    def places(self) -> int:
        """All ones where a range lies."""
        mask = 0
        for each in self.ranges:
            mask |= each.mask << each.shift
        return mask

    def derive(self, di: int) -> Item | None:
        """The item `di` of this row's ranges, None where it does not exist. At most one range of a row has a block."""
        if not all(each.holds(di) for each in self.ranges):
            return None
        item, block = self.item, None
        for each in self.ranges:
            if each.block and each.number(di) == each.mask:
                block = each
            else:
                item = _numbered(item, each, di)
        return _block(item, block, di) if block else item

    def identifiers(self) -> Iterator[int]:
        """Every identifier for which `derive` gives an item."""
        for numbers in itertools.product(*(each.numbers() for each in self.ranges)):
            di = self.item.di
            for each, number in zip(self.ranges, numbers, strict=True):
                di = each.replaced(di, number)
            yield di


def row_from_cells(edition: str, cells: Mapping[str, str]) -> Row:
    """The row that a line of the table describes; `cells` by column name."""
    members, parts = ranges.parse_members(cells["members"])
    item = Item(
        di=int(cells["di"], 16),
        edition=edition,
        name=cells["name"],
        title=cells["title"],
        name_zh=cells["name_zh"],
        picture=cells["picture"],
        octets=int(cells["octets"]) if cells["octets"].isdigit() else None,
        unit=cells["unit"],
        signed=cells["signed"] == "1",
        read=cells["read"] == "1",
        write=cells["write"] == "1",
        category=cells["category"],
        profile=cells["profile"],
        confidence=cells["confidence"],
        owner=cells["owner"],
        kind=cells["kind"],
        layout=cells["layout"],
        members=members,
        parts=parts,
        base_di=int(cells["di"], 16),
        di_1997=int(cells["di_1997"], 16) if cells["di_1997"] else None,
    )
    return Row(item, ranges.parse(cells["range"]))


def _numbered(item: Item, each: Range, di: int) -> Item:
    """`item` with the number that `di` has in the range `each`."""
    number, stands_at = each.number(di), each.number(item.di)
    if number == stands_at:
        return item
    moved = (number - stands_at) << each.shift
    return msgspec.structs.replace(
        item,
        di=item.di + moved,
        name=ranges.numbered_name(item.name, each.kind, number),
        title=ranges.numbered_title(item.title, each.kind, number),
        name_zh=ranges.numbered_name_zh(item.name_zh, each.kind, number),
        unit="min" if each.kind == "count" else item.unit,
        members=item.members and Members(item.members.first + moved, item.members.step, item.members.most),
        parts=tuple(part + moved for part in item.parts),
        di_1997=None,
    )


def _block(item: Item, each: Range, di: int) -> Item:
    """The block over the range `each` of `item`."""
    times = "s" if each.kind == "settlement" else "k"
    inner = f"({item.picture})" if "+" in item.picture else item.picture
    first = each.replaced(item.di, each.first)
    return msgspec.structs.replace(
        item,
        di=each.replaced(item.di, each.mask),
        name=ranges.block_name(item.name, each.kind),
        title=f"{item.title}: block over {each.kind} {each.first}..{each.last}",
        picture=f"{times}*{inner}",
        octets=None,
        members=Members(first, 1 << each.shift, each.last - each.first + 1),
        di_1997=None,
    )
