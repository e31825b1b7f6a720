"""The text of the page: the places of its template filled with the values of a moment.

Whatever comes from the meter is escaped here, and nowhere else. A template language would do it too, for 6 MB of memory
in a process that renders one page.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from string import Template
from typing import Any

import msgspec

from wattwheel.apps.web import layout
from wattwheel.apps.web.layout import NOTHING, Quantity
from wattwheel.model.records import ValueRow

TOTAL = "total"


class Page:
    """The page, made anew for each request.

    Args:
        template: with a place `$name` for each text that differs from meter to meter or from moment to moment.
    """

    def __init__(self, template: str) -> None:
        self._template = Template(template)
        self._places = {di: layout.decimals(di) for di in layout.all_dis()}

    def text(self, rows: Sequence[ValueRow], status: Mapping[str, Any]) -> str:
        """The page with the values of `rows`; no rows: every place is there, and empty."""
        cells = _Cells(self._places, rows, status.get("transformer"))
        return self._template.substitute(
            name=escape(str(status.get("address") or "")),
            version=escape(str(status.get("version") or "")),
            absent=" ".join(sorted(layout.absent_phases(rows))),
            **{key: escape(str(status.get(key) or NOTHING)) for key in ("address", "isolation", "link")},
            heads=_heads(),
            legend="".join(
                f'<span data-phase="{each}"><i class="swatch"></i>{each.upper()}</span>' for each in layout.PHASES
            ),
            singles="\n      ".join(map(cells.single, layout.SINGLES)),
            momentary="\n".join(map(cells.row, layout.MOMENTARY)),
            energy="\n".join(map(cells.row, layout.ENERGY)),
            sides=_sides(cells.transformer),
            primary=", primary side" if cells.transformer else "",
            secondary=", secondary side" if cells.transformer else "",
        )


class _Cells:
    """What stands in the rows of the tables."""

    def __init__(self, places: Mapping[str, int], rows: Iterable[ValueRow], transformer: Any) -> None:
        self._places = places
        self._rows = {row.di: row for row in rows}
        self.transformer: Mapping[str, Any] = transformer or {}

    def row(self, quantity: Quantity) -> str:
        """A row of a table, hidden where this meter has no such quantity."""
        columns = (f'<td data-phase="{column}">{self._cell(quantity, column)}</td>' for column in layout.COLUMNS)
        head = f'{_symbol(quantity)} <span class="title">{quantity.title}</span> {_unit(quantity)}'
        return f'<tr{self._hidden(quantity)}><th scope="row">{head}</th>{"".join(columns)}</tr>'

    def single(self, quantity: Quantity) -> str:
        """A value of the whole meter that stands alone."""
        title = f'<span class="hint">{quantity.title}</span>'
        value = f"{_symbol(quantity)} {title} {self._cell(quantity, TOTAL)} {_unit(quantity)}"
        return f'<p class="single"{self._hidden(quantity)}>{value}</p>'

    def _hidden(self, quantity: Quantity) -> str:
        is_answered = not self._rows or any(di in self._rows for di in quantity.dis.values())
        return "" if is_answered else " hidden"

    def _cell(self, quantity: Quantity, column: str) -> str:
        if (di := quantity.dis.get(column)) is None:
            return ""
        places, row = self._places[di], self._rows.get(di)
        value = escape(layout.printed(row.value if row else None, places))
        quality = row.quality.value if row else "invalid"
        cell = f'<span class="value" data-di="{di}" data-decimals="{places}" data-quality="{quality}">{value}</span>'
        if not (quantity.scaled_by and self.transformer):
            return cell
        primary = msgspec.UNSET if row is None else row.value_primary
        places = layout.primary_decimals(quantity, places, self.transformer)
        text = "" if primary is None or primary is msgspec.UNSET else escape(layout.printed(primary, places))
        return f'{cell} <span class="primary" data-primary="{di}" data-decimals="{places}">{text}</span>'


def _symbol(quantity: Quantity) -> str:
    return f'<span class="symbol">{quantity.symbol}</span>'


def _unit(quantity: Quantity) -> str:
    return f'<span class="unit">{quantity.unit}</span>'


def _heads() -> str:
    swatch = '<i class="swatch"></i><span class="hint">Phase </span>'
    phases = (f'<th scope="col" data-phase="{each}">{swatch}{each.upper()}</th>' for each in layout.PHASES)
    return f'<thead><tr><td></td>{"".join(phases)}<th scope="col" data-phase="{TOTAL}">Total</th></tr></thead>'


def _sides(transformer: Mapping[str, Any]) -> str:
    """Which of two values is which, where there are two."""
    if not transformer:
        return ""
    current, voltage = (escape(str(transformer.get(f"{side}_ratio", 1))) for side in ("current", "voltage"))
    ratios = f"current transformers {current}:1" + (f", voltage transformers {voltage}:1" if voltage != "1" else "")
    return f'Large: secondary side, as on the wire. Below it: <span class="primary-key">primary side</span>, {ratios}. '
