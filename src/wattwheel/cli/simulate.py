"""`wattwheel simulate`: a meter's life under virtual time."""

from __future__ import annotations

import click

DAYS_MAX = 36_600


@click.command(short_help="Play days and years of a meter's life in seconds.")
@click.argument("settings_file", metavar="[METER.toml]", required=False)
@click.option("--from", "begin", metavar="TIME", required=True, help="The meter's standard time at the beginning.")
@click.option("--days", metavar="N", type=click.IntRange(1, DAYS_MAX), required=True, help="How many days.")
@click.option(
    "--load", metavar="FILE|PROFILE", required=True, help="What flows: a file of minutes, or house, constant."
)
@click.option("--repeat", is_flag=True, help="Play the load again and again; without it nothing flows after its end.")
@click.option("--script", metavar="FILE", help="TOML list of what happens: frames, buttons, supply, clock, payments.")
@click.option("--state", metavar="DIR", help="State folder that is left, for `run` to go on from; without it none is.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def simulate(
    settings_file: str | None,
    begin: str,
    days: int,
    load: str,
    repeat: bool,
    script: str | None,
    state: str | None,
    as_json: bool,
) -> int:
    """Run a meter with the settings of METER.toml under virtual time: the same APPs, on a load instead of samples.

    Without METER.toml the meter has a single phase of 230 V, 5 (60) A. Exit code 1 when a step of the script did not go
    as it expects.
    """
    from wattwheel.boot.simulate import simulate as play
    from wattwheel.cli.output import print_json

    document = play(settings_file, begin, days, load, repeat, script, state, _say)
    if as_json:
        print_json(document)
    else:
        for step in document["steps"]:
            click.echo(f"{step['at']}  {step['action']}  {'as expected' if step['ok'] else 'NOT as expected'}")
        for register, microjoule in document["energy_microjoule"].items():
            click.echo(f"{register:15} {microjoule / 3.6e12:14.4f} {_unit(register)}")
        click.echo(f"{days} days in {document['seconds']:.1f} s")
    return 0 if document["ok"] else 1


def _unit(register: str) -> str:
    return "kvarh" if register.startswith("reactive") else "kVAh" if register.endswith("apparent") else "kWh"


def _say(text: str) -> None:
    click.echo(text, err=True)
