"""The score of a drill: failures in words, figures by kind, and the document of the contract."""

from __future__ import annotations

from typing import Any

FAILURES_TOLD_MAX = 50
"""Failures that stand in the document in words; all of them are counted."""


class Score:
    """What a drill has found.

    Attributes:
        failures: checks that did not hold.
        level: isolation level of the meter that was exercised, "" while unknown.
        figures: rows of the document's `details`, in the order they were added.
    """

    def __init__(self) -> None:
        self.failures = 0
        self.level = ""
        self.figures: list[dict[str, Any]] = []
        self._told: list[dict[str, Any]] = []

    def fail(self, check: str, what: str) -> None:
        """Note that `check` did not hold: `what` was found."""
        self.failures += 1
        if len(self._told) < FAILURES_TOLD_MAX:
            self._told.append({"failed": check, "found": what})

    def check(self, is_good: bool, check: str, what: str) -> bool:
        """Fail unless `is_good`, which is returned."""
        if not is_good:
            self.fail(check, what)
        return is_good

    def add(self, **figures: Any) -> None:
        """Add a row of figures."""
        self.figures.append(figures)

    def document(self, name: str, times: int, seed: int) -> dict[str, Any]:
        """The document of the contract; failures stand before the figures."""
        return {
            "name": name,
            "ok": self.failures == 0,
            "times": times,
            "failures": self.failures,
            "level": self.level,
            "seed": seed,
            "details": [*self._told, *self.figures],
        }
