"""What commands print: one JSON document, or columns for people."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence

import click
import msgspec

from wattwheel.model.records import ValueRow

CELL_COLUMNS_MAX = 60


def print_json(document: object) -> None:
    """Print `document` (plain values or msgspec structs) as one JSON document."""
    click.echo(msgspec.json.format(msgspec.json.encode(document), indent=2))


def print_columns(rows: Iterable[Sequence[object]], head: Sequence[str] = ()) -> None:
    """Print `rows` with aligned columns, numbers to the right; None shows as a dash."""
    table = [list(head)] if head else []
    table += [[_cell(value) for value in row] for row in rows]
    if not table:
        return
    widths = [max(_width(cell) for cell in column) for column in zip(*table, strict=True)]
    for row in table:
        click.echo("  ".join(_padded(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip())


def print_value_rows(rows: Iterable[ValueRow], indent: str = "") -> None:
    """Print value rows, the rows of a block indented beneath it."""
    print_columns(_value_cells(rows, indent))


def document_rows(rows: Iterable[Mapping[str, object] | ValueRow]) -> list[ValueRow]:
    """Value rows out of a document that may hold them as plain values."""
    return [row if isinstance(row, ValueRow) else msgspec.convert(row, ValueRow) for row in rows]


def _value_cells(rows: Iterable[ValueRow], indent: str) -> Iterable[Sequence[object]]:
    for row in rows:
        is_block = isinstance(row.value, list)
        primary = (
            "" if row.value_primary is msgspec.UNSET else f"primary {_cell(row.value_primary)} {row.unit}".rstrip()
        )
        quality = "" if row.quality == "valid" else row.quality
        yield f"{indent}{row.di}", row.name, "" if is_block else row.value, row.unit, primary, quality
        if isinstance(row.value, list):
            yield from _value_cells(row.value, f"{indent}  ")


def _cell(value: object) -> str:
    if value is None:
        return "-"
    text = f"{value:.10g}" if isinstance(value, float) else str(value)
    return text if len(text) <= CELL_COLUMNS_MAX else text[: CELL_COLUMNS_MAX - 3] + "..."


def _width(text: str) -> int:
    """Columns on the screen: Chinese characters take two."""
    return len(text) + sum(unicodedata.east_asian_width(character) in "WF" for character in text)


def _padded(cell: str, width: int) -> str:
    fill = " " * (width - _width(cell))
    is_number = cell.replace(".", "", 1).lstrip("-").isdigit() and len(cell) < 8
    return fill + cell if is_number else cell + fill
