"""A whole meter in a simulated world: the standard module on the simulated host, a metering core, wires and a disk."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

from wattwheel.boot.body import Entry
from wattwheel.boot.module_file import CORE_LINK, LINE, LISTENER, STORE, module_of
from wattwheel.boot.settings import Settings
from wattwheel.boot.sim_board import SimBoard
from wattwheel.boot.sim_core import Load, SimCore
from wattwheel.drivers.sim.clock import SimClock
from wattwheel.drivers.sim.loop import SimLoop
from wattwheel.drivers.sim.octets import QUIET, SimDoor, SimLine, SimWire, WireFaults
from wattwheel.drivers.sim.process import Device
from wattwheel.drivers.sim.pulses import SimPulses
from wattwheel.drivers.sim.storage import SimDisk, SimRecords
from wattwheel.kernel.config import ModuleConfig
from wattwheel.metrology.device import DEFAULT_TIMING, CoreTiming

DOOR = LISTENER


class SimStore:
    """The store's medium as a device: each body opens it anew; a death gives it free."""

    def __init__(self, disk: SimDisk) -> None:
        self._disk = disk

    def open(self, loop: SimLoop) -> SimRecords:
        """The medium of a new body."""
        records = SimRecords(self._disk)
        loop.at_end(records.die)
        return records


class SimMeter(SimBoard):
    """A meter that lives on `clock` alone.

    Attributes:
        disk: all its storage.
        load: what flows through it.
        core: the metering core.
        pulses: those that it has given, where the settings name a file; else None.
        core_link, line: wires, whose faults may be changed.
        door: where head-ends connect.
    """

    def __init__(
        self,
        clock: SimClock,
        chance: random.Random,
        settings: Settings,
        timing: CoreTiming = DEFAULT_TIMING,
        link_faults: WireFaults = QUIET,
        line_faults: WireFaults = QUIET,
        entries: Mapping[str, Entry] | None = None,
        adapt: Callable[[ModuleConfig], ModuleConfig] | None = None,
    ) -> None:
        """`entries` and `adapt` (which may add partitions and channels) let tests run APPs of their own."""
        self.settings = settings
        self.disk = SimDisk(chance.randrange(1 << 32))
        self.load = Load(clock)
        self.core_link = SimWire(clock, chance, link_faults, name=CORE_LINK)
        self.line = SimWire(clock, chance, line_faults, name=LINE)
        self.door = SimDoor(clock, chance, line_faults, DOOR)
        self.pulses = SimPulses() if settings.pulse_output.file else None
        has_relay = settings.fee_control.mode != "none"
        self.core = SimCore(clock, chance, self.disk, self.core_link, self.load, timing, has_relay, self.pulses)
        config = module_of(settings, (LINE,), (DOOR,))
        devices: dict[str, Device] = {
            DOOR: self.door,
            LINE: SimLine(self.line),
            CORE_LINK: SimLine(self.core_link),
            STORE: SimStore(self.disk),
        }
        super().__init__(clock, chance, adapt(config) if adapt is not None else config, devices, entries)
        self.power_up()

    def power_up(self) -> None:
        """Start both cores."""
        self.core.is_held_down = False
        self.core.start()
        super().power_up()

    def lose_power(self) -> None:
        """The supply is cut: everything ends at once, and the disk keeps what it has. `power_up` begins anew."""
        self.core.is_held_down = True
        self.core.lose_power()
        super().lose_power()
        self.disk.power_up()

    def stop(self, on_stopped: Callable[[], None]) -> None:
        """Orderly end of both cores."""
        self.core.is_held_down = True
        self.core.stop()
        super().stop(on_stopped)
