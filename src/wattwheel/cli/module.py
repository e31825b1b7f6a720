"""`wattwheel module`: the partitions, ports and channels of a meter as XML."""

from __future__ import annotations

import sys

import click


@click.command(short_help="Print and check the module configuration of a meter.")
@click.argument("settings_file", metavar="[METER.toml]", required=False)
@click.option("--schema", metavar="DIR", help="Write the XML schema's two files into DIR, and print no module.")
def module(settings_file: str | None, schema: str | None) -> int:
    """Print the module that `run` would boot with METER.toml (none: the defaults): partitions, ports, channels, in XML.

    With `[module] file` in METER.toml it is that file, checked. Exit code 2 and a line for each fault when it has any.
    """
    if schema is not None:
        from wattwheel.boot.module_file import write_schema

        for path in write_schema(schema):
            click.echo(path)
        return 0
    from wattwheel.boot.module_file import module_document
    from wattwheel.boot.settings import load

    sys.stdout.write(module_document(load(settings_file)).decode())
    return 0
