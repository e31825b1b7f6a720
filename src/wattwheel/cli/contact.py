"""`wattwheel contact`: the contacts of the meter's case, and that of its relay."""

from __future__ import annotations

import click

CONTACTS = ("meter-cover", "terminal-cover", "relay")
STATES = {"meter-cover": ("open", "closed"), "terminal-cover": ("open", "closed"), "relay": ("stuck", "free")}
WORDS = ("open", "closed", "stuck", "free")


@click.command(short_help="Open or close a contact of a running meter's case, or let its relay stick.")
@click.argument("name", metavar="|".join(CONTACTS), type=click.Choice(CONTACTS))
@click.argument("position", metavar="|".join(WORDS), type=click.Choice(WORDS))
@click.option("--state", metavar="DIR", help="State folder of the meter; without it the default one.")
def contact(name: str, position: str, state: str | None) -> int:
    """Let a contact of the meter's case be open or closed: that of the meter's cover, or of the terminals' cover.

    Open for a second, it makes an event record (03300D01, 03300E01). The simulated relay can be made to stick where it
    stands, and set free again: an order that it does not follow is an event after 5 s (03360001).
    """
    from wattwheel.boot.control import hold_relay, set_contact

    if position not in STATES[name]:
        raise click.BadParameter(f"{position!r}: {name} is {' or '.join(STATES[name])}", param_hint="position")
    if name == "relay":
        hold_relay(state, position == "stuck")
    else:
        set_contact(state, name, position == "open")
    return 0
