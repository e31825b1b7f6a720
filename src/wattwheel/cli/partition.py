"""`wattwheel partition`: the operator's word on a partition's mode."""

from __future__ import annotations

import click

MODES = ("IDLE", "COLD_START", "WARM_START")


@click.command(short_help="Stop or start a partition of a running meter.")
@click.argument("name", metavar="NAME")
@click.argument("mode", metavar="|".join(MODES), type=click.Choice(MODES, case_sensitive=False))
@click.option("--state", metavar="DIR", help="State folder of the meter; without it the default one.")
def partition(name: str, mode: str, state: str | None) -> int:
    """Set the mode of the partition NAME of the meter on a state folder.

    IDLE ends it, until it is started by hand; COLD_START and WARM_START start it, again if it runs. `status` shows the
    modes.
    """
    from wattwheel.boot.control import set_partition_mode

    set_partition_mode(state, name, mode)
    return 0
