"""`wattwheel ps`: the partitions of a running meter."""

from __future__ import annotations

import click

HEAD = ("partition", "pid", "mode", "user", "restarts", "cpu s", "memory KiB", "windows", "late us", "last report")


@click.command(short_help="Show the partitions of a running meter.")
@click.option("--state", metavar="DIR", help="State folder of the meter; without it the default one.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def ps(state: str | None, as_json: bool) -> int:
    """Show the partitions of the meter on a state folder: modes, restarts, what they use. Exit code 1 when none runs.

    Memory is what a partition has to itself; windows are those it has had, and the latest start of one.
    """
    from wattwheel.boot.observing import ask_partitions
    from wattwheel.cli.output import print_columns, print_json

    rows = ask_partitions(state)
    if as_json:
        print_json({"partitions": rows})
        return 0
    print_columns(
        (
            (
                row["partition"],
                row["pid"],
                row["mode"],
                row["user"],
                row["restarts"],
                row["processor_s"],
                row["memory_kib"],
                (row["windows"] or {}).get("used"),
                _microseconds((row["windows"] or {}).get("lateness_ns_max")),
                row["last_report"] or None,
            )
            for row in rows
        ),
        HEAD,
    )
    return 0


def _microseconds(nanoseconds: int | None) -> int | None:
    return None if nanoseconds is None else round(nanoseconds / 1000)
