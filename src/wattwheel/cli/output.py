"""What commands print: one JSON document, or columns for people."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence

import click
import msgspec

from wattwheel.model import catalogue
from wattwheel.model.errors import ItemValueError, UnknownItem
from wattwheel.model.records import ValueRow
from wattwheel.protocols.dlt645 import items as codec

CELL_COLUMNS_MAX = 60
ABSENT = "-"


def print_json(document: object) -> None:
    """Print `document` (plain values or msgspec structs) as one JSON document."""
    click.echo(msgspec.json.format(msgspec.json.encode(document), indent=2))


def print_json_line(document: object) -> None:
    """Print `document` as one JSON document on a line of its own: for what has no end."""
    click.echo(msgspec.json.encode(document))


def print_columns(rows: Iterable[Sequence[object]], head: Sequence[str] = ()) -> None:
    """Print `rows` with aligned columns, columns of numbers to the right; None shows as a dash."""
    table = [list(head)] if head else []
    table += [[_cell(value) for value in row] for row in rows]
    if not table:
        return
    columns = list(zip(*table, strict=True))
    widths = [max(_width(cell) for cell in column) for column in columns]
    right = [place > 0 and all(map(_is_number, column[bool(head) :])) for place, column in enumerate(columns)]
    for row in table:
        cells = map(_padded, row, widths, right)
        click.echo("  ".join(cells).rstrip())


def print_value_rows(rows: Iterable[ValueRow], indent: str = "") -> None:
    """Print value rows, the rows of a block indented beneath it."""
    print_columns(_value_cells(rows, indent))


def document_rows(rows: Iterable[Mapping[str, object] | ValueRow]) -> list[ValueRow]:
    """Value rows out of a document that may hold them as plain values."""
    return [row if isinstance(row, ValueRow) else msgspec.convert(row, ValueRow) for row in rows]


def digits(row: ValueRow) -> object:
    """The value with the decimals of its picture: 0.00 kWh, not 0."""
    if not isinstance(row.value, float):
        return "" if isinstance(row.value, list) else row.value
    try:
        return f"{row.value:.{codec.decimals(catalogue.find(row.di))}f}"
    except (UnknownItem, ItemValueError):  # a field of a record: no one picture holds for it
        return row.value


def _value_cells(rows: Iterable[ValueRow], indent: str) -> Iterable[Sequence[object]]:
    for row in rows:
        primary = (
            "" if row.value_primary is msgspec.UNSET else f"primary {_cell(row.value_primary)} {row.unit}".rstrip()
        )
        quality = "" if row.quality == "valid" else row.quality
        yield f"{indent}{row.di}", row.name, digits(row), row.unit, primary, quality
        if isinstance(row.value, list):
            yield from _value_cells(row.value, f"{indent}  ")


def _cell(value: object) -> str:
    if value is None:
        return ABSENT
    text = f"{value:.10g}" if isinstance(value, float) else str(value)
    return text if len(text) <= CELL_COLUMNS_MAX else text[: CELL_COLUMNS_MAX - 3] + "..."


def _width(text: str) -> int:
    """Columns on the screen: Chinese characters take two."""
    return len(text) + sum(unicodedata.east_asian_width(character) in "WF" for character in text)


def _is_number(cell: str) -> bool:
    return cell in ("", ABSENT) or cell.removeprefix("-").replace(".", "", 1).isdigit()


def _padded(cell: str, width: int, to_the_right: bool) -> str:
    fill = " " * (width - _width(cell))
    return fill + cell if to_the_right else cell + fill
