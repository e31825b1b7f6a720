"""`wattwheel bench`: figures beside the peers."""

from __future__ import annotations

from typing import Any

import click


@click.command(short_help="Measure speed and footprint beside the peers.")
@click.argument("names", metavar="[NAME...]", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def bench(names: tuple[str, ...], as_json: bool) -> int:
    """Run the benchmarks NAME (none: all of them) and print each figure beside its peers and its target."""
    from wattwheel.cli.output import print_json
    from wattwheel.testing.benchmarks import run

    document = run(names)
    if as_json:
        print_json(document)
    else:
        _print_for_people(document)
    return 0


def _print_for_people(document: dict[str, Any]) -> None:
    from wattwheel.cli.output import print_columns

    click.echo(", ".join(f"{key} {value}" for key, value in document["machine"].items()))
    head = ("name", "value", "unit", "peers", "ratio", "target", "met")
    rows = []
    for row in document["results"]:
        peers = ", ".join(f"{name}: {value:.6g}" for name, value in (row["peers"] or {}).items())
        met = {True: "yes", False: "NO", None: "-"}[row["met"]]
        rows.append((row["name"], row["value"], row["unit"], peers, row["ratio"], row["target"], met))
    print_columns(rows, head)
