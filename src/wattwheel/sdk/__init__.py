"""What an APP imports: `App`, the meter as seen from inside it, and values by their names."""

from wattwheel.apex.messages import Control as Function
from wattwheel.apex.store import SaveResult
from wattwheel.protocols.dlt645.items import Decoded
from wattwheel.sdk.app import App
from wattwheel.sdk.commands import Command
from wattwheel.sdk.meter import ANSWER_OCTETS_MAX, Meter, Shown

__all__ = ["ANSWER_OCTETS_MAX", "App", "Command", "Decoded", "Function", "Meter", "SaveResult", "Shown"]
