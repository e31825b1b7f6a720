"""Freezing: copies of the registers at set times (05xxxxxx)."""

from __future__ import annotations

from wattwheel.apps.functions import MeterFunction


class Freezing(MeterFunction):
    """See the module."""
