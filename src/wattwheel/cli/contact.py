"""`wattwheel contact`: what watches the meter from outside its circuit, and the contact of its relay."""

from __future__ import annotations

import click

from wattwheel.model.contacts import Contact, allowed, is_state

RELAY, RELAY_STATES = "relay", ("stuck", "free")
CLOCK, CLOCK_STATES = "clock", ("stopped", "running")


@click.command(short_help="Tell a running meter what a contact or input says.")
@click.argument("name", metavar="NAME", type=click.Choice([*(str(name) for name in Contact), RELAY, CLOCK]))
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
    clock             stopped | running  5 s   bit 15 of 04000501: the clock that the meter's time comes from
    """
    from wattwheel.boot.control import hold_clock, hold_relay, set_contact

    for other, states, hold in ((RELAY, RELAY_STATES, hold_relay), (CLOCK, CLOCK_STATES, hold_clock)):
        if name == other:
            if position not in states:
                raise click.BadParameter(f"{position!r} of {name}; allowed: {' or '.join(states)}", param_hint="STATE")
            hold(state, position == states[0])
            return 0
    if not is_state(name, position):
        raise click.BadParameter(f"{position!r} of {name}; allowed: {allowed(name)}", param_hint="STATE")
    if not set_contact(state, name, position):
        click.echo(
            "no meter runs: its board has noted it, and the metering core records it at the next start", err=True
        )
    return 0
