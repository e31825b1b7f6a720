"""`wattwheel lcd`: the display of a running meter in the terminal."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import click

EXTRA = "tui"


@click.command(short_help="Show the display of a running meter, and its buttons.")
@click.option("--state", metavar="DIR", help="State folder of the meter; without it the default one.")
@click.option("--once", is_flag=True, help="Print what it shows now, and end.")
@click.option("--json", "as_json", is_flag=True, help="With --once: print one JSON document.")
def lcd(state: str | None, once: bool, as_json: bool) -> int:
    """Show the display of the meter on a state folder as it is, live, with its buttons below it.

    Keys: up and down arrow, b for both, p for the programming button, h for how long the next press lasts, q ends. The
    panel needs the extra "tui"; --once does not.
    """
    from wattwheel.boot.control import ask_display
    from wattwheel.cli.lcd_glass import plain
    from wattwheel.cli.output import print_json

    if as_json and not once:
        raise click.UsageError("--json goes with --once")
    shown = ask_display(state)
    if as_json:
        print_json(shown)
    elif once:
        click.echo(f"{plain(shown)}\n{shown.title}")
    else:
        _run_panel(state)
    return 0


def _run_panel(state: str | None) -> None:
    from wattwheel.model.errors import BadInput

    if find_spec("textual") is None:
        raise BadInput(
            f"the panel needs Textual, which is not installed; install it with: uv sync --extra {EXTRA} (or into .venv "
            "with: pip install textual), or print the display with: wattwheel lcd --once"
        )
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise BadInput("the panel needs a terminal; print the display with: wattwheel lcd --once")
    from wattwheel.boot.control import ask_display, press_button
    from wattwheel.cli.lcd_panel import Panel

    Panel(lambda: ask_display(state), lambda button, held_s: press_button(state, button, held_s)).run()
