"""Demand: the mean power of the last period and its maxima (01xxxxxx, 0280000x)."""

from __future__ import annotations

from wattwheel.apps.functions import MeterFunction


class Demand(MeterFunction):
    """See the module."""
