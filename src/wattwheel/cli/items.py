"""`wattwheel items`: the register table."""

from __future__ import annotations

import click


@click.command(short_help="List the register table.")
@click.option("--unanswered", is_flag=True, help="Only the items that this version of the meter does not answer.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def items(unanswered: bool, as_json: bool) -> int:
    """List the data items of DL/T 645-2007 with their names, pictures and units."""
    from wattwheel.boot.items import item_rows
    from wattwheel.cli.output import print_columns, print_json

    rows = item_rows(unanswered_only=unanswered)
    if as_json:
        print_json(rows)
    else:
        head = ("di", "1997", "name", "picture", "unit", "access", "owner")
        print_columns(
            (
                (row["di"], row["di_1997"], row["name"], row["picture"], row["unit"], _access(row), row["owner"])
                for row in rows
            ),
            head,
        )
    return 0


def _access(row: dict[str, object]) -> str:
    return ("r" if row["read"] else "-") + ("w" if row["write"] else "-")
