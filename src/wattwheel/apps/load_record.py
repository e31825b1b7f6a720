"""Load record: six classes, each at its interval (06xxxxxx)."""

from __future__ import annotations

from wattwheel.apps.functions import MeterFunction


class LoadRecord(MeterFunction):
    """See the module."""
