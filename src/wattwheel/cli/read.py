"""`wattwheel read`: a head-end for one meter."""

from __future__ import annotations

import click


@click.command(short_help="Read data items of any DL/T 645 meter.")
@click.argument("items", metavar="ITEM...", nargs=-1, required=True)
@click.option("--records", metavar="N", type=int, help="How many load records (06xxxxxx); without it one.")
@click.option("--from", "since", metavar="TIME", help="First load record of 06xx0001, such as 2026-03-01T00:00.")
@click.option("--address", metavar="A", help="Up to 12 digits; without it the meter is asked for its address (13H).")
@click.option("--tcp", metavar="HOST:PORT", help="The meter's TCP door.")
@click.option("--serial", metavar="DEVICE", help="Serial line or pseudo-terminal that the meter hangs on.")
@click.option("--baud", metavar="N", type=int, default=2400, show_default=True, help="Rate of the serial line.")
@click.option("--parity", metavar="E|N", default="E", show_default=True, help="Parity of the serial line: E, N or O.")
@click.option("--timeout", metavar="SECONDS", type=float, default=1.0, show_default=True, help="Wait for each reply.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def read(
    items: tuple[str, ...],
    records: int | None,
    since: str | None,
    address: str | None,
    tcp: str | None,
    serial: str | None,
    baud: int,
    parity: str,
    timeout: float,
    as_json: bool,
) -> int:
    """Read ITEMs: identifiers of 8 (2007) or 4 (1997) hex digits, or names as `wattwheel items` lists them.

    Load records are read page after page, --records of them; --from is the meter's local standard time.

    Exit code 1 when the meter falls silent or refuses an item (what it has answered is printed).
    """
    if (tcp is None) == (serial is None):
        raise click.UsageError("say where the meter is: either --tcp HOST:PORT or --serial DEVICE")
    from wattwheel.boot.read import Door, read_items
    from wattwheel.boot.read_records import wanted_of
    from wattwheel.cli.output import print_json, print_value_rows
    from wattwheel.cli.records_output import print_load_records, split

    reading = read_items(items, Door(tcp, serial, baud, parity), address, timeout, wanted_of(records, since))
    if as_json:
        print_json(reading)
    else:
        plain, loads = split(reading.values)
        print_value_rows(plain)
        for load in loads:
            print_load_records(load)
        for row in reading.errors:
            click.echo(f"{row.di}: {row.error}", err=True)
    return 1 if reading.errors else 0
