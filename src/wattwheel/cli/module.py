"""`wattwheel module`: the partitions, ports and channels of a meter as XML."""

from __future__ import annotations

import sys

import click


@click.command(short_help="Print and check the module configuration of a meter.")
@click.argument("settings_file", metavar="[METER.toml]", required=False)
@click.option(
    "--app", "apps", metavar="NAME=PACKAGE.MODULE:FUNCTION", multiple=True, help="Add a partition for an APP of yours."
)
@click.option(
    "--owns", metavar="NAME=PREFIX", multiple=True, help="Identifiers (hex) whose reads the added APP answers."
)
@click.option("--schema", metavar="DIR", help="Write the two files of the XML schema into DIR, and print no module.")
def module(settings_file: str | None, apps: tuple[str, ...], owns: tuple[str, ...], schema: str | None) -> int:
    """Print the module that `run` boots with METER.toml (none: the defaults) as XML: partitions, ports, channels.

    With `[module] file` in METER.toml it is that file, checked: exit code 2 and a line for each fault if it has any.
    """
    from wattwheel.boot.module_file import module_document, write_schema

    if schema is not None:
        for path in write_schema(schema):
            click.echo(path)
        return 0
    from wattwheel.boot.added_apps import AddedApp
    from wattwheel.boot.settings import load

    prefixes: dict[str, list[str]] = {}
    for name, prefix in (_pair(word, "--owns") for word in owns):
        prefixes.setdefault(name, []).append(_hex(prefix))
    added = [AddedApp(name, entry, tuple(prefixes.pop(name, ()))) for name, entry in (_pair(w, "--app") for w in apps)]
    if prefixes:
        raise click.UsageError(f"--owns {next(iter(prefixes))}: no --app of that name")
    sys.stdout.write(module_document(load(settings_file), added).decode())
    return 0


def _pair(word: str, option: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not name or not equals or not value:
        raise click.UsageError(f"{option} {word}: give NAME=VALUE")
    return name, value


def _hex(prefix: str) -> str:
    digits = prefix.upper()
    if len(digits) not in (2, 4, 6, 8) or not set(digits) <= set("0123456789ABCDEF"):
        raise click.UsageError(f"--owns {prefix}: give 2, 4, 6 or 8 hex digits")
    return digits
