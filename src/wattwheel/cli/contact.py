"""`wattwheel contact`: what watches the meter from outside its circuit, and the contact of its relay."""

from __future__ import annotations

import click

from wattwheel.model.contacts import Contact, allowed, is_state

RELAY, RELAY_STATES = "relay", ("stuck", "free")


@click.command(short_help="Tell a running meter what a contact or input says.")
@click.argument("name", metavar="NAME", type=click.Choice([*(str(name) for name in Contact), RELAY]))
@click.argument("position", metavar="STATE")
@click.option("--state", metavar="DIR", help="State folder of the meter; without it the default one.")
def contact(name: str, position: str, state: str | None) -> int:
    """Let a contact or an input of the meter be in STATE. What lasts for as long as its event's delay is recorded.

    \b
    meter-cover       open | closed      1 s   03300D01
    terminal-cover    open | closed      1 s   03300E01
    auxiliary-supply  lost | present     60 s  03060001
    magnetic-field    present | absent   5 s   03350001
    internal-supply   abnormal | normal  60 s  03370001
    metering-chip     faulty | sound     60 s  B0490001
    module-plug       removed | inserted       B0520001, also while no meter runs
    security-element  serial number, 16 hex digits; another one than before is recorded in B0520001
    relay             stuck | free       5 s   03360001; where it does not follow an order
    """
    from wattwheel.boot.control import hold_relay, set_contact

    if name == RELAY:
        if position not in RELAY_STATES:
            raise click.BadParameter(
                f"{position!r} of {name}; allowed: {' or '.join(RELAY_STATES)}", param_hint="STATE"
            )
        hold_relay(state, position == "stuck")
        return 0
    if not is_state(name, position):
        raise click.BadParameter(f"{position!r} of {name}; allowed: {allowed(name)}", param_hint="STATE")
    if not set_contact(state, name, position):
        click.echo(
            "no meter runs: its board has noted it, and the metering core records it at the next start", err=True
        )
    return 0
