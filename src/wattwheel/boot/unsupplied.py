"""What happens to a meter whose supply is off: nobody runs on its state folder, and its board notes it."""

from __future__ import annotations

import os
from pathlib import Path

from wattwheel.boot.core_settings import METERING_FOLDER, PLUG_NAME
from wattwheel.drivers.linux.clock import host_milliseconds
from wattwheel.drivers.linux.storage import hold
from wattwheel.drivers.sim.plug import SimPlug
from wattwheel.model.errors import DoorUnavailable, StorageError

METER_LOCK = "meter.lock"


def move_unsupplied(folder: Path, state: str) -> bool:
    """Let the plug of the management module be in `state` (`model.contacts`), as `hil.plug.ModulePlug.move` says.

    False: a meter runs on `folder`, or none ever has, or it is somebody else's. Raises DoorUnavailable when the board's
    memory cannot be written.
    """
    if not (folder / METERING_FOLDER).is_dir():
        return False
    try:
        lock = hold(folder / METER_LOCK)
    except (DoorUnavailable, StorageError):
        return False
    try:
        path = folder / METERING_FOLDER / PLUG_NAME
        plug = SimPlug(path, host_milliseconds)
        is_moved = plug.move(state)
        if not plug.is_kept:
            raise DoorUnavailable(str(path), "cannot be written: the board has noted nothing")
        return is_moved
    finally:
        os.close(lock)
