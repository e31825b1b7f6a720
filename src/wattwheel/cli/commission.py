"""`wattwheel commission`: the end of factory mode."""

from __future__ import annotations

import click


@click.command(short_help="End a running meter's factory mode for good.")
@click.option("--state", metavar="DIR", help="State folder of the meter; without it the default one.")
def commission(state: str | None) -> int:
    """End the factory mode of the meter on a state folder. It cannot be had again; a meter that is not in it stays so.

    In factory mode wrong passwords do not count, and a meter clear with an open cover leaves no record. A new meter is
    in it for `[meter] factory_days`, by default never.
    """
    from wattwheel.boot.control import commission as end_factory_mode

    was_in_it = end_factory_mode(state)
    click.echo("factory mode is over, for good" if was_in_it else "the meter was not in factory mode; it stays so")
    return 0
