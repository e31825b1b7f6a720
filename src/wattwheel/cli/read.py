"""`wattwheel read`: a head-end for one meter."""

from __future__ import annotations

import click


@click.command(short_help="Read data items of any DL/T 645 meter.")
@click.argument("items", metavar="ITEM...", nargs=-1, required=True)
@click.option("--address", metavar="A", help="Up to 12 digits; without it the meter is asked for its address (13H).")
@click.option("--tcp", metavar="HOST:PORT", help="The meter's TCP door.")
@click.option("--serial", metavar="DEVICE", help="Serial line or pseudo-terminal that the meter hangs on.")
@click.option("--baud", metavar="N", type=int, default=2400, show_default=True, help="Rate of the serial line.")
@click.option("--parity", metavar="E|N", default="E", show_default=True, help="Parity of the serial line: E, N or O.")
@click.option("--timeout", metavar="SECONDS", type=float, default=1.0, show_default=True, help="Wait for each reply.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def read(
    items: tuple[str, ...],
    address: str | None,
    tcp: str | None,
    serial: str | None,
    baud: int,
    parity: str,
    timeout: float,
    as_json: bool,
) -> int:
    """Read ITEMs: identifiers of 8 (2007) or 4 (1997) hex digits, or names as `wattwheel items` lists them.

    Exit code 1 when the meter falls silent or refuses an item (what it has answered is printed).
    """
    if (tcp is None) == (serial is None):
        raise click.UsageError("say where the meter is: either --tcp HOST:PORT or --serial DEVICE")
    from wattwheel.boot.read import Door, read_items
    from wattwheel.cli.output import print_json, print_value_rows

    reading = read_items(items, Door(tcp, serial, baud, parity), address, timeout)
    if as_json:
        print_json(reading)
    else:
        print_value_rows(reading.values)
        for row in reading.errors:
            click.echo(f"{row.di}: {row.error}", err=True)
    return 1 if reading.errors else 0
