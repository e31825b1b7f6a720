"""`wattwheel status`: ask a running meter how it is."""

from __future__ import annotations

from typing import Any

import click


@click.command(short_help="Ask a running meter how it is.")
@click.option("--state", metavar="DIR", help="State folder of the meter; without it the default one.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def status(state: str | None, as_json: bool) -> int:
    """Say what the meter on a state folder is doing. Exit code 1 when none runs there."""
    from wattwheel.boot.control import ask_status
    from wattwheel.cli.output import print_columns, print_json

    document = ask_status(state)
    if as_json:
        print_json(document)
    else:
        print_columns(_flat(document))
    return 0


def _flat(document: dict[str, Any], ahead: str = "") -> list[tuple[str, object]]:
    rows: list[tuple[str, object]] = []
    for key, value in document.items():
        if isinstance(value, dict):
            rows += _flat(value, f"{ahead}{key}.")
        else:
            rows.append((f"{ahead}{key}", value))
    return rows
