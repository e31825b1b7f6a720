"""`wattwheel items`: the register table."""

from __future__ import annotations

import click


@click.command(short_help="List the register table.")
@click.option("--unanswered", is_flag=True, help="Only the items that a new meter of this version refuses, and why.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def items(unanswered: bool, as_json: bool) -> int:
    """List the data items of DL/T 645-2007 with their names, pictures and units."""
    from wattwheel.boot.items import item_rows
    from wattwheel.cli.output import print_columns, print_json

    rows = item_rows(unanswered_only=unanswered)
    if as_json:
        print_json(rows)
    else:
        more = ("why",) if unanswered else ()
        head = ("di", "1997", "name", "picture", "unit", "access", "owner", *more)
        columns = ("di", "di_1997", "name", "picture", "unit", "access", "owner", *more)
        print_columns((tuple({**row, "access": _access(row)}[name] for name in columns) for row in rows), head)
    return 0


def _access(row: dict[str, object]) -> str:
    return ("r" if row["read"] else "-") + ("w" if row["write"] else "-")
