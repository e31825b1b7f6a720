"""The command line: `wattwheel COMMAND`. One file a command; a command's own code is loaded when it is called.

Exit codes: 0 done, 1 the answer is no, 2 bad input or set-up, 130 interrupted. Documents go to stdout, messages for
people to stderr, each one sentence. Only a bug of ours shows a traceback.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

import click

from wattwheel import __version__
from wattwheel.cli.standard import drop, fill_standard_descriptors
from wattwheel.model.errors import NotAnswered, ProtocolError, Refused, WattwheelError

EXIT_DONE, EXIT_NO, EXIT_BAD_INPUT, EXIT_INTERRUPTED = 0, 1, 2, 130

COMMANDS = {
    "run": "boot a meter and run it until Ctrl-C",
    "simulate": "play days and years of a meter's life in seconds",
    "read": "read data items of any DL/T 645 meter",
    "measure": "meter a recording",
    "frame": "look into DL/T 645 frames",
    "items": "list the register table",
    "status": "ask a running meter how it is",
    "ps": "show the partitions of a running meter",
    "bus": "show the channels of a running meter and what passes",
    "press": "press a button of a running meter",
    "contact": "tell a running meter what a contact or input says",
    "sensor": "let a battery or the thermometer show something",
    "lcd": "show the display of a running meter, and its buttons",
    "fee": "pay into a running meter's wallet, or out of it",
    "partition": "stop or start a partition of a running meter",
    "module": "print and check the module configuration of a meter",
    "bench": "measure speed and footprint beside the peers",
    "drill": "exercise a meter: kills, noise, restarts",
}
"""What each command does, so that `--help` need not load them all."""


class _LazyGroup(click.Group):
    """Loads `wattwheel.cli.NAME` when NAME is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"wattwheel.cli.{cmd_name}"), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, message="wattwheel %(version)s")
def wattwheel() -> None:
    """A smart meter on any Linux machine: metering core, isolated partitions, DL/T 645, a live page."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    fill_standard_descriptors()
    try:
        code = wattwheel.main(arguments, prog_name="wattwheel", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        return _tell(error.format_message(), EXIT_BAD_INPUT)
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "wattwheel"
        return _tell(f"{command}: {_one_line(error.format_message())}; see {command} --help", EXIT_BAD_INPUT)
    except (click.Abort, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    except (NotAnswered, Refused, ProtocolError) as error:
        return _say(str(error), EXIT_NO)
    except WattwheelError as error:
        return _say(str(error), EXIT_BAD_INPUT)
    except BrokenPipeError:  # the reader of our output has gone, as `head` does; nothing is left to say
        drop(sys.stdout)
        return EXIT_NO
    except OSError as error:  # such as a full disk behind our output
        drop(sys.stdout)
        return _say(f"{error.filename or 'output'}: {error.strerror}", EXIT_BAD_INPUT)
    return code if isinstance(code, int) else EXIT_DONE


def _say(sentence: str, code: int) -> int:
    return _tell(f"wattwheel: {sentence}", code)


def _tell(text: str, code: int) -> int:
    try:
        click.echo(text, err=True)
    except OSError:  # nobody hears it, but the exit code stands
        drop(sys.stderr)
    return code


def _one_line(text: str) -> str:
    return " ".join(text.split()).rstrip(".")
