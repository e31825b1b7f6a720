"""What an APP imports: `App`, the meter as seen from inside it, and values by their names."""

from wattwheel.apex.store import SaveResult
from wattwheel.sdk.app import App
from wattwheel.sdk.meter import Meter

__all__ = ["App", "Meter", "SaveResult"]
