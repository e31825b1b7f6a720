"""`wattwheel sensor`: what the board of a simulated meter measures of itself."""

from __future__ import annotations

import click

from wattwheel.model.board_sensors import SENSORS, allowed, value_of


@click.command(
    short_help="Let a battery or the thermometer of a running meter show something.",
    context_settings={"ignore_unknown_options": True},
)
@click.argument("name", metavar="|".join(SENSORS), type=click.Choice(list(SENSORS)))
@click.argument("value", metavar="VALUE")
@click.option("--state", metavar="DIR", help="State folder of the meter; without it the default one.")
def sensor(name: str, value: str, state: str | None) -> int:
    """Let a battery of the meter have VALUE volts, or its thermometer show VALUE degrees Celsius.

    It holds over restarts, until [board] in the settings says otherwise.
    """
    from wattwheel.boot.control import set_sensor

    if value_of(SENSORS[name], value) is None:
        raise click.BadParameter(f"{value!r} of {name}; allowed: {allowed(name)}", param_hint="VALUE")
    set_sensor(state, name, float(value))
    return 0
