"""The meter's name plate, and which software it runs, as data items."""

from __future__ import annotations

import wattwheel
from wattwheel.boot.checksums import software_checksum
from wattwheel.boot.settings import Settings
from wattwheel.model.catalogue import item_2007
from wattwheel.model.errors import ItemValueError
from wattwheel.protocols.dlt645 import items

SHOWN_DIGITS = 12
"""Of a checksum, where there is no room for all of it."""

RATED_VOLTAGE, RATED_CURRENT, MAXIMUM_CURRENT = 0x04000404, 0x04000405, 0x04000406
METER_MODEL, PROTOCOL_VERSION, SOFTWARE_VERSION = 0x0400040B, 0x0400040D, 0x04800001
ACTIVE_CONSTANT, REACTIVE_CONSTANT = 0x04000409, 0x0400040A
CURRENT_RATIO, VOLTAGE_RATIO = 0x04000306, 0x04000307


def name_plate(settings: Settings) -> dict[int, bytes]:
    """Identifier to octets of what settings and software say of this meter; what they do not say is not there."""
    meter = settings.meter
    texts = {
        RATED_VOLTAGE: f"{meter.nominal_voltage_v:g}V",
        RATED_CURRENT: f"{meter.nominal_current_a:g}A",
        MAXIMUM_CURRENT: f"{meter.maximum_current_a:g}A",
        METER_MODEL: "wattwheel",
        PROTOCOL_VERSION: "DL/T645-2007",
        SOFTWARE_VERSION: f"wattwheel {wattwheel.__version__} {software_checksum()[:SHOWN_DIGITS]}",
        ACTIVE_CONSTANT: str(meter.active_constant_imp_per_kwh),
        REACTIVE_CONSTANT: str(meter.reactive_constant_imp_per_kvarh),
        CURRENT_RATIO: f"{meter.current_ratio:.15g}",
        VOLTAGE_RATIO: f"{meter.voltage_ratio:.15g}",
    }
    plate: dict[int, bytes] = {}
    for di, text in texts.items():
        try:
            plate[di] = items.encode(item_2007(di), text)
        except ItemValueError:  # a ratio that is no whole number, a constant of seven digits: the picture has no room
            continue
    return plate
