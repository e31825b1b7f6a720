"""`wattwheel bus`: the channels of a running meter, and what passes through them."""

from __future__ import annotations

import click

HEAD = ("channel", "from", "to", "depth", "waiting", "highest", "stalls", "messages", "a second")


@click.command(short_help="Show the channels of a running meter.")
@click.option("--state", metavar="DIR", help="State folder of the meter; without it the default one.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option(
    "--tap", metavar="CHANNEL", help="Print what passes through a channel or PARTITION.PORT until interrupted."
)
@click.option("--watch", is_flag=True, help="Go on, a table a second, until interrupted.")
def bus(state: str | None, as_json: bool, tap: str | None, watch: bool) -> int:
    """Show every channel of the meter on a state folder: how full it is and was, how often its source found it full.

    Takes a second, for the rates. Exit code 1 when no meter runs there. --tap needs `tap = true` under [module] in the
    meter's settings; it takes nothing away, blanks secrets, and with --json prints one JSON object a line.
    """
    if tap is not None:
        return _print_tap(state, tap, as_json)
    from wattwheel.boot.observing import ask_channels
    from wattwheel.cli.output import print_columns, print_json

    while True:
        rows = ask_channels(state)
        if as_json:
            print_json({"channels": rows})
        else:
            if watch:
                click.clear()
            print_columns(
                (
                    (
                        row["channel"],
                        row["source"],
                        ", ".join(row["destinations"]),
                        row["depth"],
                        row["waiting"],
                        row["waiting_highest"],
                        row["stalls"],
                        row["messages"],
                        row["messages_per_s"],
                    )
                    for row in rows
                ),
                HEAD,
            )
        if not watch:
            return 0


def _print_tap(state: str | None, name: str, as_json: bool) -> int:
    from wattwheel.boot.observing import tapped
    from wattwheel.cli.output import print_json_line

    for row in tapped(state, name):
        if as_json:
            print_json_line(row)
        else:
            click.echo(" ".join(str(value) for key, value in row.items() if value != "" or key == "octets"))
    return 0
