"""What every partition shares: loaded once, before the first fork, so that nobody loads or keeps it for himself."""

from __future__ import annotations

import gc
import importlib

from wattwheel.drivers.linux.own_process import forget_threads
from wattwheel.model.catalogue import item_2007

PRELOADED = (
    "wattwheel.services.bus",
    "wattwheel.services.communication",
    "wattwheel.services.metering",
    "wattwheel.services.platform_management",
    "wattwheel.services.security",
    "wattwheel.services.store",
    "wattwheel.apps.energy",
    "wattwheel.apps.parameters",
    "wattwheel.apps.display",
    "wattwheel.drivers.linux.sqlite_records",
)
ANY_DI = 0x0001_0000


def preload() -> None:
    """Import the partitions' code, read the register table, and leave all of it alone from now on.

    A collection of garbage writes to every object that it looks at, and what a process has written to is its own.
    """
    for name in PRELOADED:
        importlib.import_module(name)
    item_2007(ANY_DI)
    forget_threads()
    gc.collect()
    gc.freeze()
