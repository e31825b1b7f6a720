"""Fee control: prepaid and remote, step charging, relay logic."""

from __future__ import annotations

from wattwheel.apps.functions import MeterFunction


class FeeControl(MeterFunction):
    """See the module."""
