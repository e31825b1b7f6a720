"""`wattwheel press`: the meter's buttons."""

from __future__ import annotations

import math

import click

LONG_S = 3.0
BUTTONS = ("program", "up", "down", "both", "infrared")


@click.command(short_help="Press a button of a running meter.")
@click.argument("button", metavar="|".join(BUTTONS), type=click.Choice(BUTTONS))
@click.option("--long", "is_long", is_flag=True, help="Hold it for three seconds.")
@click.option("--seconds", metavar="S", type=click.FloatRange(0, 60), help="Hold it for so many seconds.")
@click.option("--stuck", is_flag=True, help="Hold it until it is pressed again.")
@click.option("--state", metavar="DIR", help="State folder of the meter; without it the default one.")
def press(button: str, is_long: bool, seconds: float | None, stuck: bool, state: str | None) -> int:
    """Press a button of the meter on a state folder: the programming button, up, down, or both of these.

    infrared is no button: light falls on the optical head, as from a handheld that is pointed at it. It turns the
    display's light on, and wakes a display without mains in the first seven days after the mains have gone.
    """
    from wattwheel.boot.control import press_button

    if seconds is not None and math.isnan(seconds):
        raise click.BadParameter(f"found {seconds}; allowed: 0 to 60", param_hint="--seconds")

    held_s = float("inf") if stuck else LONG_S if is_long else 0.0
    press_button(state, button, held_s if seconds is None else seconds)
    return 0
