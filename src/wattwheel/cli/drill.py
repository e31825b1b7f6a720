"""`wattwheel drill`: exercises of a meter."""

from __future__ import annotations

import click


@click.command(short_help="Exercise a meter: kills, noise, restarts.")
@click.argument("name", metavar="NAME")
@click.option(
    "--times", metavar="N", type=click.IntRange(1, 100_000_000), help="How often; each drill has its own default."
)
@click.option("--seed", metavar="N", type=click.IntRange(0), help="Seed of everything that is left to chance.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def drill(name: str, times: int | None, seed: int | None, as_json: bool) -> int:
    """Run the drill NAME: kills, fuzz and whatever else this version has. Exit code 1 when the meter did not hold."""
    from wattwheel.cli.output import print_json
    from wattwheel.testing.drills import run

    document = run(name, times, seed)
    if as_json:
        print_json(document)
    else:
        verdict = "held" if document["ok"] else f"DID NOT HOLD, {document['failures']} failures"
        click.echo(f"drill {document['name']}, {document['times']} times, seed {document['seed']}: {verdict}")
        for detail in document["details"]:
            click.echo(f"  {detail}")
    return 0 if document["ok"] else 1
