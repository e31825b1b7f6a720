"""`wattwheel measure`: meter a recording."""

from __future__ import annotations

from typing import Any

import click


@click.command(short_help="Meter a recording.")
@click.argument("file", metavar="FILE")
@click.option(
    "--map", "channel_map", metavar="va=NAME,ia=NAME,...", help="Which channel is which, where the names do not say it."
)
@click.option("--rate", metavar="HZ", type=float, help="Sample rate of a file without one.")
@click.option("--periodic", is_flag=True, help="Take the whole record as one repeating period.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def measure(file: str, channel_map: str | None, rate: float | None, periodic: bool, as_json: bool) -> int:
    """Meter FILE: COMTRADE (.cfg beside .dat), CSV or WAV.

    Voltage, current, power, power factor, frequency, distortion and energy over whole cycles of the recording.
    """
    from wattwheel.boot.measure import measure as measure_file
    from wattwheel.cli.output import print_json

    document = measure_file(file, channel_map, rate, periodic)
    if as_json:
        print_json(document)
    else:
        _print_for_people(document)
    return 0


def _print_for_people(document: dict[str, Any]) -> None:
    """One row a quantity, one column a phase; what is absent everywhere is left out."""
    from wattwheel.cli.output import print_columns

    places = {**document["phases"], "total": document["total"]}
    click.echo(document["file"])
    for name in ("cycles", "frequency_hz"):
        if document[name] is not None:
            click.echo(f"{name} {document[name]:.6g}")
    quantities = list(dict.fromkeys(name for place in places.values() for name in place))
    rows = []
    for quantity in quantities:
        values = [place.get(quantity) for place in places.values()]
        if any(isinstance(value, int | float) for value in values):
            rows.append([quantity, *(f"{value:.6g}" if value is not None else None for value in values)])
    print_columns(rows, ("", *places))
