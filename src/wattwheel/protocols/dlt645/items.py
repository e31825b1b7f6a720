"""Data items: octets to values and back, by the picture of each item in the register table.

`decode` takes what stands behind the identifier in a reply (33H already taken off) and gives a `Decoded`: one value,
or parts for a block or record. No octets of a possible length make it raise; what is no value (FF: not available, a
nibble beyond 9, a torn block) is None with its octets kept. `encode` is the exact inverse. The meter itself counts in
units of the last digit: `encode_int` and `decode_int`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

import msgspec

from wattwheel.model import catalogue
from wattwheel.model.catalogue import Item
from wattwheel.model.errors import ItemValueError, UnknownItem
from wattwheel.model.records import Quality, ValueRow
from wattwheel.protocols.dlt645 import blocks, pictures
from wattwheel.protocols.dlt645.pictures import FieldCodec, NumberField, Picture, Plain

LOAD_RECORD = "load record block"
"""Picture of load records: see `blocks`."""

VENDOR_DEFINED = "vendor defined"
"""Picture of what only its maker knows: a text of the octets in hex, as they were sent."""

SCREEN = "screen"
"""Kind of an entry of a display list: four octets of identifier and, as later filings have it, one for a part of it."""

SCREEN_OCTETS = (4, 5)

_PLANS_CACHED_MAX = 512
_LOAD_TIME = pictures.TimeField("YYMMDDhhmm")


class Decoded(msgspec.Struct, frozen=True):
    """What octets mean: one value, or the parts of a block or record.

    Attributes:
        di: identifier in hex digits; that of the record for its fields.
        name: name of the item, with the label of the field behind it.
        unit: of the value.
        raw: the octets.
        value: int or float with exactly the digits of the picture; a text for times, texts, digits and bit words; None
            for none, and for blocks.
        number: the value in units of its last digit, None unless it is a number.
        decimals: digits behind the point.
        parts: of a block or record, None for a single value and for a block that could not be taken apart.
    """

    di: str
    name: str
    unit: str
    raw: bytes
    value: Plain = None
    number: int | None = None
    decimals: int = 0
    parts: tuple[Decoded, ...] | None = None

    @property
    def is_valid(self) -> bool:
        """False when there is no value and there are no parts."""
        return self.value is not None or self.parts is not None

    @property
    def text(self) -> str:
        """The value as the picture prints it, with all its decimals; "" for none."""
        if isinstance(self.value, float):
            return f"{self.value:.{self.decimals}f}"
        return "" if self.value is None else str(self.value)

    def plain(self) -> object:
        """The bare value, or a list of the parts' bare values: what `encode` takes."""
        return self.value if self.parts is None else [part.plain() for part in self.parts]

    def row(self, at: str | None = None, quality: Quality = Quality.VALID) -> ValueRow:
        """As a value row; `quality` is that of the source, INVALID replaces it where there is no value."""
        value = self.value if self.parts is None else [part.row(at, quality) for part in self.parts]
        own = quality if self.is_valid else Quality.INVALID
        return ValueRow(di=self.di, name=self.name, value=value, unit=self.unit, quality=own, at=at)


def decode(item: Item, octets: bytes) -> Decoded:
    """What `octets` mean as `item`. Raises ItemValueError when it cannot have so many octets, and nothing else."""
    if item.parts:
        return _decode_separated(item, octets)
    if item.picture == LOAD_RECORD:
        return _decode_load(item, octets)
    if item.picture == VENDOR_DEFINED:
        return Decoded(item.di_text, item.name, item.unit, octets, octets.hex().upper())
    if item.kind == SCREEN and len(octets) in SCREEN_OCTETS:
        return Decoded(item.di_text, item.name, item.unit, octets, (octets[3::-1] + octets[4:]).hex().upper())
    picture = _picture(item)
    if item.members is not None:
        size, most = _member_size(item, picture)
        count = picture.repeats(len(octets), most, item.name) or most
        members = (catalogue.item_of(item.edition, item.members.di(index)) for index in range(count))
        parts = (decode(member, octets[at * size : (at + 1) * size]) for at, member in enumerate(members))
        return Decoded(item.di_text, item.name, item.unit, octets, parts=tuple(parts))
    count = picture.repeats(len(octets), picture.repeats_max, item.name)
    if not picture.group and len(picture.head) == 1:
        return _decode_field(picture.head[0], item.di_text, item.name, item.unit, octets)
    return Decoded(
        item.di_text, item.name, item.unit, octets, parts=tuple(_decode_record(item, picture, octets, count))
    )


def encode(item: Item, value: object) -> bytes:
    """The octets of `value`, the exact inverse of `decode`.

    `value` is a number (int, float, Decimal or decimal text, with no more decimals than the picture), a text, None for
    "not available" (FF), a sequence of such for blocks and records, or a `Decoded`, whose unreadable parts keep their
    octets. Raises ItemValueError that says what is allowed.
    """
    if isinstance(value, Decoded):
        if not value.is_valid:
            decode(item, value.raw)
            return value.raw
        value = value.value if value.parts is None else value.parts
    if item.parts:
        return _encode_separated(item, value)
    if item.picture == LOAD_RECORD:
        return b"".join(_encode_load(item, record) for record in _sequence(item, value))
    if item.picture == VENDOR_DEFINED:
        return _encode_vendor(item, value)
    if item.kind == SCREEN and isinstance(value, str) and len(value) > 2 * SCREEN_OCTETS[0]:
        return _encode_screen(item, value)
    picture = _picture(item)
    if item.members is not None:
        return _encode_members(item, picture, value)
    if not picture.group and len(picture.head) == 1:
        return picture.head[0].encode(value, item.name)
    return _encode_record(item, picture, value)


def rows(item: Item, octets: bytes, at: str | None = None, quality: Quality = Quality.VALID) -> ValueRow:
    """What `octets` mean as a value row; a block's value is a list of rows. Raises ItemValueError as `decode` does."""
    return decode(item, octets).row(at, quality)


def encode_int(item: Item, number: int) -> bytes:
    """The octets of a number in units of the last digit, sign included. Raises ItemValueError beyond the picture."""
    return _single_number(item).encode_int(number, item.name)


def decode_int(item: Item, octets: bytes) -> int | None:
    """The number in units of the last digit, None where the octets are none. Raises ItemValueError for their length."""
    field = _single_number(item)
    if len(octets) != field.size:
        raise ItemValueError(item.name, f"{len(octets)} octets", f"{field.size} octets")
    return field.decode_int(octets)


def encode_ints(item: Item, numbers: Iterable[int | None]) -> bytes:
    """The octets of a block of single numbers, each in units of the last digit, None for "not available"."""
    field, where = _number(item), item.name
    absent = b"\xff" * field.size
    octets = b"".join(absent if number is None else field.encode_int(number, where) for number in numbers)
    picture = _picture(item)
    picture.repeats(len(octets), _most(item, picture), where)
    return octets


def element_widths(di: bytes, octets: bytes) -> list[int]:
    """Octets of each element of a 2007 answer (`di` as on the wire), so that none is cut in two; [] for one piece."""
    try:
        item = catalogue.item_2007(int.from_bytes(di, "little"))
        if item.picture == LOAD_RECORD:
            return blocks.load_widths(octets)  # what is in them takes long to find out, and does not matter
        parts = decode(item, octets).parts or ()
    except (UnknownItem, ItemValueError):
        return []
    return [len(part.raw) + bool(item.parts) for part in parts]  # behind a part of a freeze stands its separator


def decimals(item: Item) -> int:
    """Digits behind the point of a number or a block of numbers. Raises ItemValueError for anything else."""
    return _number(item).decimals


def limits(item: Item) -> tuple[int, int]:
    """Lowest and highest number of the picture, in units of the last digit. Raises ItemValueError for no number."""
    field = _number(item)
    return field.least, field.most


@lru_cache(maxsize=_PLANS_CACHED_MAX)
def _plan(picture: str, signed: bool, kind: str, layout: str) -> tuple[Picture, NumberField | None]:
    """A picture parsed, and the field that all its numbers share when it is made of nothing but equal numbers."""
    parsed = pictures.parse(picture, signed, kind, catalogue.fields(layout))
    fields = parsed.head + parsed.group
    alike = len({(type(field), field.size, field.signed) for field in fields}) == 1
    first = fields[0]
    return parsed, first if alike and isinstance(first, NumberField) else None


def _picture(item: Item) -> Picture:
    return _plan(item.picture, item.signed, item.kind, item.layout)[0]


def _number(item: Item) -> NumberField:
    if not (item.parts or item.picture in (LOAD_RECORD, VENDOR_DEFINED)):
        field = _plan(item.picture, item.signed, item.kind, item.layout)[1]
        if field is not None:
            return field
    raise ItemValueError(item.name, item.picture, "an item that is a number or a block of equal numbers")


def _single_number(item: Item) -> NumberField:
    field = _number(item)
    if field.size != item.octets:
        raise ItemValueError(item.name, item.picture, "an item that is a number")
    return field


def _most(item: Item, picture: Picture) -> int:
    """How often the repeated group may come; for a block without one, of how many members it is made."""
    if item.members is None:
        return picture.repeats_max
    return min(item.members.most, picture.repeats_max) if picture.group else item.members.most


def _member_size(item: Item, picture: Picture) -> tuple[int, int]:
    """Octets of one member of a block, and how many there can be (always as many without a repeated group)."""
    most = _most(item, picture)
    return picture.group_size or picture.head_size // most, most


def _decode_field(field: FieldCodec, di: str, name: str, unit: str, octets: bytes) -> Decoded:
    if isinstance(field, NumberField):
        number = field.decode_int(octets)
        value = None if number is None else field.scaled(number)
        return Decoded(di, name, unit, octets, value, number, field.decimals)
    return Decoded(di, name, unit, octets, field.decode(octets))


def _decode_fields(item: Item, name: str, fields: Sequence[FieldCodec], octets: bytes) -> list[Decoded]:
    """Fields one after another, named by the item's layout."""
    at, found = 0, []
    for field, own in zip(fields, catalogue.fields(item.layout), strict=False):
        unit = item.unit if own.unit == "*" else own.unit
        label = f"{name}_{own.label}" if own.label else name
        found.append(_decode_field(field, item.di_text, label, unit, octets[at : at + field.size]))
        at += field.size
    return found


def _decode_record(item: Item, picture: Picture, octets: bytes, count: int) -> list[Decoded]:
    """The fields that always come, then the entries of the repeated group."""
    found = _decode_fields(item, item.name, picture.head, octets)
    for index in range(count):
        at = picture.head_size + index * picture.group_size
        entry = octets[at : at + picture.group_size]
        name = f"{item.name}_{_entry_label(picture, index)}"
        if len(picture.group) == 1:
            found.append(_decode_field(picture.group[0], item.di_text, name, item.unit, entry))
        else:
            parts = _decode_fields(item, name, picture.group, entry)
            found.append(Decoded(item.di_text, name, item.unit, entry, parts=tuple(parts)))
    return found


def _entry_label(picture: Picture, index: int) -> str:
    if picture.counts_from_total:
        return f"tariff_{index}" if index else "total"
    return f"entry_{index + 1}"


def _decode_separated(item: Item, octets: bytes) -> Decoded:
    """A freeze block or 1997 set: members closed by AAH, empty ones without a value."""
    pieces = blocks.split_separated(octets, len(item.parts))
    if pieces is None:
        return Decoded(item.di_text, item.name, item.unit, octets)
    parts = tuple(
        _decode_or_keep(catalogue.item_of(item.edition, di), piece)
        for di, piece in zip(item.parts, pieces, strict=True)
    )
    return Decoded(item.di_text, item.name, item.unit, octets, parts=parts)


def _decode_or_keep(item: Item, octets: bytes) -> Decoded:
    try:
        return decode(item, octets)
    except ItemValueError:
        return Decoded(item.di_text, item.name, item.unit, octets)


def _decode_load(item: Item, octets: bytes) -> Decoded:
    """Load records one after another; no octets at all are no records."""
    records = blocks.split_load(octets)
    if records is None:
        return Decoded(item.di_text, item.name, item.unit, octets)
    parts = tuple(_decode_load_record(item, f"{item.name}_{at + 1}", record) for at, record in enumerate(records))
    return Decoded(item.di_text, item.name, item.unit, octets, parts=parts)


def _decode_load_record(item: Item, name: str, pieces: list[bytes]) -> Decoded:
    time = _decode_field(_LOAD_TIME, item.di_text, f"{name}_time", "", pieces[0])
    parts = [time]
    for number, (members, piece) in enumerate(zip(blocks.LOAD_CLASSES, pieces[1:], strict=True), start=1):
        at, found = 0, []
        for member in map(catalogue.item_2007, members if piece else ()):
            size = _picture(member).head_size
            found.append(decode(member, piece[at : at + size]))
            at += size
        parts.append(Decoded(item.di_text, f"{name}_class_{number}", "", piece, parts=tuple(found)))
    return Decoded(item.di_text, name, "", blocks.join_load(pieces), parts=tuple(parts))


def _sequence(item: Item, value: object, length: int | None = None) -> Sequence[object]:
    """`value` as a sequence of so many parts; a `Decoded` as its parts. Raises ItemValueError."""
    if isinstance(value, Decoded) and value.parts is not None:
        value = value.parts
    if not isinstance(value, (list, tuple)) or (length is not None and len(value) != length):
        raise ItemValueError(item.name, value, "a sequence of values" if length is None else f"{length} values")
    return value


def _encode_field(field: FieldCodec, value: object, where: str) -> bytes:
    if isinstance(value, Decoded):
        if value.value is None and value.parts is None and len(value.raw) == field.size:
            return value.raw
        value = value.value
    return field.encode(value, where)


def _encode_members(item: Item, picture: Picture, value: object) -> bytes:
    _, most = _member_size(item, picture)
    values = _sequence(item, value, None if picture.group else most)
    if not 1 <= len(values) <= most or item.members is None:
        raise ItemValueError(item.name, f"{len(values)} values", f"1 to {most} values")
    members = (catalogue.item_of(item.edition, item.members.di(index)) for index in range(len(values)))
    return b"".join(encode(member, part) for member, part in zip(members, values, strict=True))


def _encode_record(item: Item, picture: Picture, value: object) -> bytes:
    where, heads = item.name, len(picture.head)
    if value is None and not picture.group:
        return b"\xff" * picture.head_size
    values = _sequence(item, value)
    count = len(values) - heads
    if not picture.repeats_min <= count <= picture.repeats_max:
        allowed = f"{heads + picture.repeats_min} to {heads + picture.repeats_max} values"
        raise ItemValueError(where, f"{len(values)} values", allowed)
    octets = [_encode_field(field, part, where) for field, part in zip(picture.head, values[:heads], strict=True)]
    for entry in values[heads:]:
        parts = (entry,) if len(picture.group) == 1 else _sequence(item, entry, len(picture.group))
        octets += [_encode_field(field, part, where) for field, part in zip(picture.group, parts, strict=True)]
    return b"".join(octets)


def _encode_separated(item: Item, value: object) -> bytes:
    values = _sequence(item, value, len(item.parts))
    pieces = []
    for di, part in zip(item.parts, values, strict=True):
        empty = part is None or (isinstance(part, Decoded) and not part.raw)
        member = catalogue.item_of(item.edition, di)
        pieces.append(b"" if empty else _encode_or_keep(encode, member, part))
    return blocks.join_separated(pieces)


def _encode_or_keep(encoder: Callable[[Item, object], bytes], item: Item, part: object) -> bytes:
    """The octets of one part; those of an unreadable `Decoded` as they came."""
    if isinstance(part, Decoded) and not part.is_valid:
        return part.raw
    return encoder(item, part)


def _encode_load(item: Item, record: object) -> bytes:
    time, *classes = _sequence(item, record, 1 + len(blocks.LOAD_CLASSES))
    pieces = [_encode_field(_LOAD_TIME, time, item.name)]
    for members, part in zip(blocks.LOAD_CLASSES, classes, strict=True):
        values = _sequence(item, [] if part is None else part)
        if len(values) not in (0, len(members)):
            raise ItemValueError(item.name, f"{len(values)} values", f"none or {len(members)} values in this class")
        pieces.append(b"".join(encode(catalogue.item_2007(di), one) for di, one in zip(members, values, strict=False)))
    return blocks.join_load(pieces)


def _encode_screen(item: Item, value: str) -> bytes:
    """Of a text of ten hex digits: the identifier, and the part of it."""
    try:
        octets = bytes.fromhex(value)
    except ValueError:
        octets = b""
    if len(octets) != SCREEN_OCTETS[1] or len(value) != 2 * len(octets):
        raise ItemValueError(item.name, value, "a text of 8 hex digits, or 10 with the part that is shown")
    return octets[3::-1] + octets[4:]


def _encode_vendor(item: Item, value: object) -> bytes:
    try:
        octets = bytes.fromhex(value) if isinstance(value, str) else None
    except ValueError:
        octets = None
    if octets is None or len(octets) > pictures.VENDOR_OCTETS_MAX:
        raise ItemValueError(item.name, value, f"a text of at most {pictures.VENDOR_OCTETS_MAX} octets in hex digits")
    return octets
