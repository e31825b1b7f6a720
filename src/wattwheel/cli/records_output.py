"""Load records for people: a line for each record, a column for each value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import click

from wattwheel.cli.output import digits, print_columns
from wattwheel.model import catalogue
from wattwheel.model.errors import UnknownItem
from wattwheel.model.records import ValueRow
from wattwheel.protocols.dlt645.items import LOAD_RECORD

TIME_DIGITS = 10


def split(rows: Iterable[ValueRow]) -> tuple[list[ValueRow], list[ValueRow]]:
    """Rows that are no load records, and those that are and could be taken apart."""
    plain: list[ValueRow] = []
    loads: list[ValueRow] = []
    for row in rows:
        (loads if _is_load(row) else plain).append(row)
    return plain, loads


def _is_load(row: ValueRow) -> bool:
    try:
        return isinstance(row.value, list) and catalogue.find(row.di).picture == LOAD_RECORD
    except UnknownItem:
        return False


def print_load_records(row: ValueRow) -> None:
    """The records in `row`: time, and the values that any of them has, named, with their units."""
    records = [dict(_cells(record)) for record in _rows(row)]
    click.echo(f"{row.di}  {row.name}  {len(records)} record{'' if len(records) == 1 else 's'}")
    columns = list(dict.fromkeys(column for record in records for column in record))
    if records:
        print_columns(([record.get(column) for column in columns] for record in records), columns)


def _rows(row: ValueRow) -> Sequence[ValueRow]:
    return row.value if isinstance(row.value, list) else ()


def _cells(record: ValueRow) -> Iterator[tuple[str, object]]:
    """Head and cell of each value of one record."""
    time, *classes = _rows(record)
    yield "time", _time(time.value)
    for own in classes:
        for value in _rows(own):
            yield f"{value.name}/{value.unit}" if value.unit else value.name, digits(value)


def _time(shown: object) -> object:
    """YYMMDDhhmm as people write it."""
    text = str(shown)
    if len(text) != TIME_DIGITS:
        return shown
    year, month, day, hour, minute = (text[at : at + 2] for at in range(0, TIME_DIGITS, 2))
    return f"20{year}-{month}-{day} {hour}:{minute}"
