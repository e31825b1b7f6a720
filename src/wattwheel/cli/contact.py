"""`wattwheel contact`: the contacts of the meter's case."""

from __future__ import annotations

import click

CONTACTS, STATES = ("meter-cover", "terminal-cover"), ("open", "closed")


@click.command(short_help="Open or close a contact of a running meter's case.")
@click.argument("name", metavar="|".join(CONTACTS), type=click.Choice(CONTACTS))
@click.argument("position", metavar="|".join(STATES), type=click.Choice(STATES))
@click.option("--state", metavar="DIR", help="State folder of the meter; without it the default one.")
def contact(name: str, position: str, state: str | None) -> int:
    """Let a contact of the meter's case be open or closed: that of the meter's cover, or of the terminals' cover.

    Open for a second, it makes an event record (03300D01, 03300E01).
    """
    from wattwheel.boot.control import set_contact

    set_contact(state, name, position == "open")
    return 0
