"""The manual page of the data items, written from the register table.

python -m wattwheel.model.manual > docs/reference/data-items.md
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from itertools import groupby

from wattwheel.model import catalogue
from wattwheel.model.item import Item

_HEAD = """\
# Data items

Generated from the register table by `python -m wattwheel.model.manual`; do not edit.

Each row is one data item with its one name, used alike on the command line, in JSON, on the page and in an APP. *Range*
says for which other identifiers the row stands: numbers count in the octet where the row's identifier has its own, a
block asks for all of them at once. Names follow: `import_active_energy_tariff_1` gives `import_active_energy_tariff_2`,
`import_active_energy_settlement_1` is the value at the end of the last settlement period,
`import_active_energy_settlement_block` all of them. Access: R may be read, W may be written.

The identifiers 0Dxxxxxx are this project's own, no standard's: the registers 00xxxxxx with four decimals, cut from the
same integer; the other six digits are those of the same register.

In a picture X and N are digits and the point is implied; `k`, `p`, `m`, `n` count tariffs, year zones, day periods and
entries; a sign in front of the picture means that the top bit is the sign.
"""


def page() -> str:
    """The whole page."""
    parts = [_HEAD]
    for edition, items in (("2007", catalogue.ITEMS_2007), ("1997", catalogue.ITEMS_1997)):
        parts.append(f"\n## DL/T 645-{edition}\n\n{len(items)} rows.\n")
        for category, members in groupby(sorted(items, key=lambda item: item.category), lambda item: item.category):
            parts.append(f"\n### {category.capitalize()} ({edition})\n\n")
            parts.extend(f"{line}\n" for line in _table(edition, members))
    parts.append("\n## Sets of DL/T 645-1997\n\nBlocks one after another, each closed by AAH.\n\n")
    parts.append("| identifier | name | blocks |\n|---|---|---|\n")
    for item in catalogue.items_1997():
        if item.parts:
            blocks = ", ".join(f"{part:04X}" for part in item.parts)
            parts.append(f"| `{item.di_text}` | `{item.name}` | {blocks} |\n")
    return "".join(parts)


def _table(edition: str, items: Iterable[Item]) -> Iterator[str]:
    old = edition == "2007"
    yield f"| identifier |{' 1997 |' * old} name | meaning | picture | unit | octets | access | owner | range |"
    yield "|---" * (10 if old else 9) + "|"
    for item in items:
        di_1997 = f" `{item.di_1997:04X}` |" if item.di_1997 is not None else " |"
        access = "R" * item.read + "W" * item.write
        picture = f"`{'±' if item.signed else ''}{item.picture}`"
        meaning = f"{item.title}{f' {item.name_zh}' if item.name_zh else ''}"
        octets = "" if item.octets is None else str(item.octets)
        yield (
            f"| `{item.di_text}` |{di_1997 * old} `{item.name}` | {meaning} | {picture} | {item.unit} |"
            f" {octets} | {access} | {item.owner} | {catalogue.range_text(item)} |"
        )


if __name__ == "__main__":
    sys.stdout.write(page())
