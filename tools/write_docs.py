"""Writes the generated parts of the manual: `make docs`. tests/docs fails while a page and the code differ.

A generated part stands between `<!-- generated: NAME -->` and `<!-- end -->`; the rest of the page is written by hand.
"""

from __future__ import annotations

import csv
import inspect
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import click
from tools.licences import dependency_table

from wattwheel.apex.services import FAMILIES
from wattwheel.boot.items import answered_identifiers, reason_of, reasons
from wattwheel.boot.settings_pages import settings_markdown
from wattwheel.cli.main import COMMANDS, wattwheel
from wattwheel.kernel import health
from wattwheel.kernel.config import HealthConfig
from wattwheel.kernel.module_xml import module_schema
from wattwheel.kernel.xml_schema import Element
from wattwheel.model import errors
from wattwheel.model.catalogue import ITEMS_2007

PROJECT = Path(__file__).parents[1]
DOCS = PROJECT / "docs"
_PART = re.compile(r"(<!-- generated: (?P<name>[a-z ]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command with its full name, groups left out."""
    context = click.Context(wattwheel, info_name="wattwheel")
    for name in COMMANDS:
        command = wattwheel.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            for inner in command.commands.values():
                yield f"{name} {inner.name}", inner
        else:
            yield name, command


def command_line() -> str:
    """A section for each command: how to call it, its options."""
    parts = []
    for name, command in commands():
        context = click.Context(command, info_name=f"wattwheel {name}")
        usage = " ".join([f"wattwheel {name}", *command.collect_usage_pieces(context)])
        text = " ".join((command.help or "").split())
        parts.append(f"\n## {name}\n\n    {usage}\n\n{text}\n")
        rows = [_option_row(option) for option in command.params if isinstance(option, click.Option)]
        if rows:
            parts.append("\n| option | default | what it does |\n|---|---|---|\n" + "\n".join(rows) + "\n")
    return "".join(parts)


def _option_row(option: click.Option) -> str:
    said = " ".join([option.opts[-1], option.metavar or ""]).strip().replace("|", "\\|")
    default = f"`{option.default}`" if option.show_default else ""
    return f"| `{said}` | {default} | {(option.help or '').replace('|', chr(92) + '|')} |"


def apex_services() -> str:
    """A table for each family of services: what each does, and what its return codes mean."""
    parts = []
    for title, family in FAMILIES.items():
        rows = [_service_row(name, own) for name, own in vars(family).items() if name.isupper()]
        parts.append(f"\n## {title}\n\n| service | what it does | codes |\n|---|---|---|\n" + "\n".join(rows) + "\n")
    return "".join(parts)


def _service_row(name: str, service: Callable[..., object]) -> str:
    text = inspect.getdoc(service) or ""
    said, _, codes = text.partition("Codes:")
    told: list[str] = []
    for line in codes.splitlines():
        if re.match(r" {4}[A-Z_]+: ", line):
            code, _, what = line.strip().partition(": ")
            told.append(f"`{code}` {what}")
        elif told and line.strip():
            told[-1] += f" {line.strip()}"
    arguments = ", ".join(list(inspect.signature(service).parameters)[1:])
    return f"| `{name}({arguments})` | {' '.join(said.split())} | {'<br>'.join(told)} |"


def error_classes() -> Iterator[type[errors.WattwheelError]]:
    """Every class of the error tree, base classes first."""
    waiting: list[type[errors.WattwheelError]] = [errors.WattwheelError]
    while waiting:
        kind = waiting.pop(0)
        yield kind
        waiting[:0] = [each for each in kind.__subclasses__() if each.__module__ == errors.__name__]


def error_table() -> str:
    """One row an error class."""
    rows = ["| error | is a | when |", "|---|---|---|"]
    for kind in error_classes():
        parents = ", ".join(f"`{parent.__name__}`" for parent in kind.__bases__)
        first = (kind.__doc__ or "").partition("\n\n")[0].replace("\n", " ")
        rows.append(f"| `{kind.__name__}` | {parents} | {re.sub(r' +', ' ', first)} |")
    return "\n".join(rows) + "\n"


def module_elements() -> str:
    """A section for each element of the module configuration, from the shipped schema."""
    parts: list[str] = []
    seen: list[Element] = []

    def describe(element: Element, within: str) -> None:
        if element in seen:  # the same in another place
            return
        seen.append(element)
        parts.append(f"\n### {element.name}{within}\n\n{element.text}\n")
        if element.places:
            parts.append(f"\nHolds {_held(element)}.\n")
        if element.attributes:
            rows = (
                f"| `{own.name}` | {'required' if own.is_required else f'`{own.default}`' if own.default else ''} "
                f"| {own.type.in_words()} | {own.text} |\n"
                for own in element.attributes.values()
            )
            parts.append("\n| attribute | default | allowed | what it is |\n|---|---|---|---|\n" + "".join(rows))
        for place in element.places:
            describe(place.element, f" of {element.name}")

    describe(module_schema(), "")
    return "".join(parts) + "\n"


def _held(element: Element) -> str:
    if element.is_choice:
        names = [f"`{place.element.name}`" for place in element.places]
        return f"{', '.join(names)} in any order" if element.choice_most is None else f"one of {', '.join(names)}"
    counts = {(1, 1): "", (0, 1): " (at most one)"}
    return ", ".join(
        f"`{place.element.name}`" + counts.get((place.least, place.most), f" ({place.least} to {place.most or 'many'})")
        for place in element.places
    ) + (", in this order" if len(element.places) > 1 else "")


KINDS = {
    "tutorials": "Tutorials take you by the hand",
    "how-to": "How-to pages solve one task",
    "reference": "Reference pages are complete and dry",
    "explanation": "Explanations say why",
    "decisions": "Decisions are numbered, and superseded rather than edited",
}
"""The folders of the manual."""


def pages() -> str:
    """The pages of each kind by their titles."""
    parts = []
    for folder, what in KINDS.items():
        parts.append(f"\n## {what}\n\n")
        for page in sorted((DOCS / folder).glob("*.md")):
            title = page.read_text().partition("\n")[0].removeprefix("# ")
            parts.append(f"- [{title}]({folder}/{page.name})\n")
    return "".join(parts) + "\n"


def health_table() -> str:
    """What is done about each error where the module's configuration says nothing else."""
    rows = ["| error | code | level | action in NORMAL | action while it starts |", "|---|---|---|---|---|"]
    for error, code in health.CODES.items():
        running, starting = (health.decide(HealthConfig(), "", state, error) for state in _HEALTH_STATES)
        level = running.level if running.level == starting.level else f"{running.level}; starting: {starting.level}"
        rows.append(f"| `{error}` | `{code}` | {level} | `{running.action}` | `{starting.action}` |")
    return "\n".join(rows) + "\n"


def unanswered_items() -> str:
    """One row a reason for refused items, with how many rows of the register table it covers in a new meter."""
    covered = Counter(reason_of(item.di) for item in ITEMS_2007 if item.di not in answered_identifiers())
    lines = ["| identifiers | rows | state | why |", "|---|---|---|---|"]
    lines += [f"| `{own.prefix}...` | {covered[own]} | {own.state} | {own.why} |" for own in reasons()]
    return "\n".join(lines) + "\n"


def requirements() -> str:
    """How many requirements are shown and open, then one row each."""
    with (PROJECT / "tests/data/requirements.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    shown = sum(not row["open"] for row in rows)
    partly = sum(bool(row["open"] and row["tests"]) for row in rows)
    lines = [
        f"{len(rows)} requirements: {shown} shown by tests, {partly} with tests and something open, "
        f"{len(rows) - shown - partly} without tests.",
        "",
        "| id | requirement | tests | open |",
        "|---|---|---|---|",
    ]
    for row in rows:
        tests = "<br>".join(f"`{test}`" for test in row["tests"].split())
        lines.append(f"| {row['id']} | {row['requirement']} | {tests} | {row['open']} |")
    return "\n".join(lines) + "\n"


_HEALTH_STATES = (health.PROCESS_EXECUTION, health.PARTITION_INIT)

PARTS: dict[str, Callable[[], str]] = {
    "pages": pages,
    "settings": settings_markdown,
    "command line": command_line,
    "errors": error_table,
    "apex services": apex_services,
    "dependencies": dependency_table,
    "health tables": health_table,
    "module elements": module_elements,
    "unanswered items": unanswered_items,
    "requirements": requirements,
}
"""What a page can have generated into it."""


def renewed(text: str) -> str:
    """`text` of a page with its generated parts made anew."""
    return _PART.sub(lambda part: f"{part[1]}{PARTS[part['name']]()}{part[3]}", text)


def main() -> int:
    """Rewrite every page that has generated parts."""
    for page in sorted(DOCS.rglob("*.md")):
        old = page.read_text()
        new = renewed(old)
        if new != old:
            page.write_text(new)
            print(f"written: {page.relative_to(PROJECT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
