"""The state folder of a simulated meter: the one that `wattwheel run` keeps, so that either can go on from it."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import msgspec

from wattwheel.boot.core_settings import METERING_FOLDER, PLUG_NAME
from wattwheel.boot.kernel_process import STORE_FOLDER
from wattwheel.boot.metering_core import MARKER_NAME, RELAY_NAME, RING_NAME
from wattwheel.boot.unsupplied import METER_LOCK
from wattwheel.drivers.linux.sqlite_records import SqliteRecords
from wattwheel.drivers.linux.storage import FileMemory, hold, make_folder
from wattwheel.drivers.sim.loop import SimLoop
from wattwheel.drivers.sim.plug import SimPlug
from wattwheel.drivers.sim.relay import SimRelay
from wattwheel.hil.storage import Change
from wattwheel.metrology.energy import Registers
from wattwheel.metrology.plug import PlugWatch
from wattwheel.metrology.pulse_output import PulseCounters
from wattwheel.metrology.ring import RING_OCTETS, RegisterRing
from wattwheel.metrology.saved_state import SavedState
from wattwheel.model.errors import BadInput, ItemValueError
from wattwheel.services.clock_keeping import DRIFT_KEY, LOST_KEY, OFFSET_KEY, SEEN_KEY

PLATFORM = "platform"
OF_ANOTHER_CALENDAR = (DRIFT_KEY, SEEN_KEY, LOST_KEY)
"""What is kept of the clock and says nothing any more when the calendar has become another one."""


class CoreMemory(NamedTuple):
    """What the metering core keeps: as it lies in its memory, and how its relay stands. Of a new one, nothing."""

    saved: SavedState = SavedState(0, 0, 0, b"")
    relay_open: bool = False

    def registers(self) -> Registers:
        """Those of `saved`. Raises ItemValueError for what are none."""
        return Registers.from_state(self.saved.ledger) if self.saved.ledger else Registers()

    def plug_watch(self, plug: SimPlug | None = None) -> PlugWatch:
        """What is known of `plug`. Raises ItemValueError for what is none."""
        watch = PlugWatch(plug)
        watch.take_up(self.saved.plug)
        return watch


class StateFolder:
    """A state folder, held until `close`; nothing in it is forced to the medium before that.

    Raises DoorUnavailable while a meter runs on it.
    """

    def __init__(self, folder: Path) -> None:
        make_folder(folder)
        self._folder = folder
        self._lock = hold(folder / METER_LOCK)
        self._memory = FileMemory(folder / METERING_FOLDER / RING_NAME, RING_OCTETS)
        self._ring = RegisterRing(self._memory)

    def open(self, loop: SimLoop) -> SqliteRecords:
        """The store's medium as a device."""
        records = SqliteRecords(self._folder / STORE_FOLDER, is_synced=False)
        loop.at_end(records.close)
        return records

    def core(self, phases: int) -> CoreMemory:
        """What was in the memory of the core, of so many elements; the meter's calendar is a new one from here on.

        Raises BadInput, and gives the folder back as it was, for registers that are no such core's.
        """
        try:
            memory = self._core(phases)
        except BadInput:
            self.close()
            raise
        if self._ring.state is not None:
            self._set_offset(None)  # the simulation's calendar is the meter's own from the first instant on
        return memory

    def _core(self, phases: int) -> CoreMemory:
        if self._ring.state is None:
            return CoreMemory()
        relay = self._relay()
        if relay.is_held:
            remedy = "set it free with the meter running: wattwheel contact relay free"
            raise BadInput(f"{self._folder}: its relay is stuck; {remedy}")
        is_open = relay.is_open
        try:
            memory = CoreMemory(SavedState.from_octets(self._ring.state), is_open)
            memory.registers(), memory.plug_watch()
            PulseCounters(1, 1).take_up(memory.saved.pulses)
        except ItemValueError as fault:
            raise BadInput(f"{self._folder}: {fault}; give a folder of this version, or an empty one") from None
        if (had := memory.saved.phases) not in (0, phases):  # 0: nobody wrote it down, so the settings say it
            found = f"found a meter of {had} element{'s' if had != 1 else ''}"
            raise BadInput(f"{self._folder}: {found}; allowed: a folder of the same wiring, or an empty one")
        return memory

    def _relay(self) -> SimRelay:
        return SimRelay(self._folder / METERING_FOLDER / RELAY_NAME)

    def plug(self) -> SimPlug:
        """The plug of the management module; its board says no times, for its clock is not the simulation's."""
        return SimPlug(self._folder / METERING_FOLDER / PLUG_NAME)

    def keep_core(self, memory: CoreMemory) -> None:
        """Write the metering core's memory, and leave its relay as it stands."""
        self._relay().drive(memory.relay_open)
        self._ring.write(memory.saved.to_octets())
        self._ring.sync()
        (self._folder / METERING_FOLDER / MARKER_NAME).touch(mode=0o600)

    def keep_clock(self, calendar: datetime, host: datetime) -> timedelta:
        """Let the meter go on at `calendar` where that lies ahead of `host`, this machine's clock; both UTC.

        Returns how far ahead; the store must be closed. Zero: this machine's clock is later, and will be followed.
        """
        ahead = calendar - host
        if ahead <= timedelta(0):
            return timedelta(0)
        self._set_offset(ahead)
        return ahead

    def _set_offset(self, offset: timedelta | None) -> None:
        records = SqliteRecords(self._folder / STORE_FOLDER, is_synced=False)
        try:
            kept = records.load(PLATFORM)
            told = dict.fromkeys(key for key in (OFFSET_KEY, *OF_ANOTHER_CALENDAR) if key in kept)
            if offset is not None:
                told[OFFSET_KEY] = msgspec.json.encode(offset.total_seconds())
            if told:
                records.commit([Change(PLATFORM, key, octets) for key, octets in told.items()], both=True)
        finally:
            records.close()

    def close(self) -> None:
        """Force what was written to the medium and give the folder back."""
        self._memory.close()
        store = self._folder / STORE_FOLDER
        for file in store.iterdir() if store.is_dir() else ():
            descriptor = os.open(file, os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)
        os.close(self._lock)
