"""Event records: what was measured and when it was out of limits (03xxxxxx, 1xxxxxxx)."""

from __future__ import annotations

from wattwheel.apps.functions import MeterFunction


class Recording(MeterFunction):
    """See the module."""
