"""`wattwheel run`: boot a meter."""

from __future__ import annotations

import sys

import click

from wattwheel.cli.standard import drop


@click.command(short_help="Boot a meter and run it until Ctrl-C.")
@click.argument("settings_file", metavar="[METER.toml]", required=False)
@click.option("--state", metavar="DIR", help="Folder that holds the meter's state.")
@click.option("--dlt645", metavar="HOST:PORT", help='TCP door of DL/T 645; port 0 takes a free one, "off" for none.')
@click.option("--serial", metavar="DEVICE|pty", help='Serial line of DL/T 645, "pty" or "off".')
@click.option("--web", metavar="HOST:PORT", help='Door of the page; port 0 takes a free one, "off" for none.')
@click.option("--speed", metavar="X", type=float, help="Scale the input and the calendar, not time-outs on the wire.")
@click.option("--print-settings", is_flag=True, help="Print a settings file with every default, and end.")
def run(
    settings_file: str | None,
    state: str | None,
    dlt645: str | None,
    serial: str | None,
    web: str | None,
    speed: float | None,
    print_settings: bool,
) -> int:
    """Boot a meter with the settings of METER.toml (none: the defaults) and run it until Ctrl-C or SIGTERM.

    Prints its address and doors, then the line `ready` as soon as every door answers.
    """
    from wattwheel.boot.settings import OFF, Override, load

    if print_settings:
        from wattwheel.boot.settings_pages import default_toml

        click.echo(default_toml(), nl=False)
        return 0
    overrides = [
        Override(section, key, value, said_as)
        for section, key, value, said_as in (
            ("state", "folder", state, "--state"),
            ("dlt645", "listen", dlt645, "--dlt645"),
            ("serial", "device", serial, "--serial"),
            ("web", "listen", None if web == OFF else web, "--web"),
            ("web", "enabled", False if web == OFF else None, "--web"),
            ("clock", "speed", speed, "--speed"),
        )
        if value is not None
    ]
    settings = load(settings_file, overrides)
    from wattwheel.boot.run import run as boot

    return boot(settings, _say)


def _say(text: str) -> None:
    try:
        click.echo(text)
    except OSError:  # nobody reads what we print, as behind `head`; a meter goes on all the same
        drop(sys.stdout)
