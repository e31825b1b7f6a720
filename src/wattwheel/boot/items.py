"""The register table as `wattwheel items` lists it, and which of it this meter answers."""

from __future__ import annotations

from wattwheel.model import catalogue

ANSWERING_OWNERS = frozenset({"energy"})
"""Owners in the table that the built-in module has a partition for."""


def item_rows(*, unanswered_only: bool = False) -> list[dict[str, object]]:
    """Rows of the register table; `unanswered_only`: those whose owner is no part of the built-in module yet."""
    rows = catalogue.listing()
    return [row for row in rows if not is_answered(row)] if unanswered_only else rows


def is_answered(row: dict[str, object]) -> bool:
    """True when the meter answers a read of the row's identifier (edition 2007)."""
    return row["di"] is not None and row["owner"] in ANSWERING_OWNERS
