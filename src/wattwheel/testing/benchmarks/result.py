"""What a benchmark returns, and how a figure meets its target."""

from __future__ import annotations

from typing import Any

import msgspec


class Result(msgspec.Struct, kw_only=True):
    """One figure, as `wattwheel bench --json` prints it.

    Attributes:
        name: of the benchmark.
        value: ours, None when it could not be measured.
        unit: of value and peers.
        peers: figure of each peer by name, None where it could not be run (`notes` says why).
        ratio: ours over the best peer's, or None.
        target: what `ratio` (or `value`, where there is no peer) must reach.
        at_most: True where smaller is better.
        notes: what a reader must know to believe the figure.
    """

    name: str
    value: float | None
    unit: str
    peers: dict[str, float | None] = {}
    ratio: float | None = None
    target: float | None = None
    at_most: bool = False
    notes: list[str] = []

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None where there is nothing to compare."""
        has_peer = bool(self.peers)
        figure = self.ratio if has_peer else self.value
        if figure is None or self.target is None:
            return None
        return figure <= self.target if self.at_most else figure >= self.target

    def document(self) -> dict[str, Any]:
        """As JSON: the contract's keys first."""
        return {
            "name": self.name,
            "value": _short(self.value),
            "unit": self.unit,
            "peers": {name: _short(value) for name, value in self.peers.items()},
            "ratio": _short(self.ratio),
            "target": self.target,
            "met": self.met,
            "smaller_is_better": self.at_most,
            "notes": self.notes,
        }


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.5g}")


def median(values: list[float]) -> float:
    """The middle value."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
