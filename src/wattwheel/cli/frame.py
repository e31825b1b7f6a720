"""`wattwheel frame decode`: a frame viewer."""

from __future__ import annotations

import sys
from typing import Any

import click

STANDARD_INPUT = "-"
STANDARD_INPUT_CHARACTERS_MAX = 1_000_000


@click.group(short_help="Look into DL/T 645 frames.")
def frame() -> None:
    """Look into DL/T 645 frames of the editions of 2007 and 1997."""


@frame.command()
@click.argument("octets", metavar="HEX", nargs=-1, required=True)
@click.option("--edition", metavar="2007|1997", help="Take this edition instead of the one that the control code says.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def decode(octets: tuple[str, ...], edition: str | None, as_json: bool) -> int:
    """Say what the octets HEX mean; blanks, colons and 0x between them do not matter. `-` reads standard input.

    Exit code 1 when there is no frame in them.
    """
    from wattwheel.cli.output import print_json
    from wattwheel.protocols.dlt645 import viewer

    text = " ".join(octets)
    if text == STANDARD_INPUT:
        text = sys.stdin.buffer.read(STANDARD_INPUT_CHARACTERS_MAX).decode("ascii", "replace")
    document: dict[str, Any] = viewer.document(text, edition)
    if as_json:
        print_json(document)
    else:
        _print_for_people(document)
    if not document["frames"]:
        click.echo(f"wattwheel: no frame: {document['reason']}", err=True)
    return 0 if document["frames"] else 1


def _print_for_people(document: dict[str, Any]) -> None:
    from wattwheel.cli.output import document_rows, print_value_rows

    for found in document["frames"]:
        click.echo(found["octets"])
        kind = f"{found['direction']}, {found['function']}"
        click.echo(f"  DL/T 645-{found['protocol']}, address {found['address']}: {kind}")
        if found["di"]:
            seq = "" if found["seq"] is None else f", part {found['seq']}"
            click.echo(f"  item {found['di']} {found['item'] or '(not in the table)'}{seq}")
        for reason in found["errors"]:
            click.echo(f"  refused: {reason}")
        if found["data"] and not found["values"]:
            click.echo(f"  data {found['data']}")
        for note in found["notes"]:
            click.echo(f"  note: {note}")
        if found["follow"]:
            click.echo("  more follows")
        print_value_rows(document_rows(found["values"]), indent="  ")
    for noise in document["noise"]:
        click.echo(f"octet {noise['at']}: {noise['octets']}: {noise['reason']}", err=True)
