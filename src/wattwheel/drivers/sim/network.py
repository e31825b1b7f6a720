"""A simulated network between modules of one world: doors by address, connections that can be cut."""

from __future__ import annotations

import random

from wattwheel.drivers.sim.clock import SimClock
from wattwheel.drivers.sim.loop import SimLoop
from wattwheel.drivers.sim.octets import QUIET, SimChannel, SimDoor, SimListener, SimWire, WireFaults
from wattwheel.hil.octets import OctetChannel


class SimNetwork:
    """The network itself, and the device that is granted to the partitions that use it."""

    def __init__(self, clock: SimClock, chance: random.Random | None = None, faults: WireFaults = QUIET) -> None:
        self.faults = faults
        self._clock, self._chance = clock, chance
        self._doors: dict[str, SimDoor] = {}
        self._held: dict[str, SimLoop] = {}
        self._wires: list[SimWire] = []

    def open(self, loop: SimLoop) -> SimNetworkEnd:
        """The network as a new body sees it."""
        return SimNetworkEnd(self, loop)

    def door(self, address: str, loop: SimLoop) -> SimListener:
        """Open the door at `address` for the process of `loop`."""
        door = self._doors.setdefault(address, SimDoor(self._clock, self._chance, name=address))
        self._held[address] = loop
        return door.open(loop)

    def knock(self, address: str, loop: SimLoop) -> OctetChannel:
        """A connection to the door at `address`; closed at once when nobody holds it open."""
        door, holder = self._doors.get(address), self._held.get(address)
        if door is None or holder is None or holder.is_ended:
            wire = SimWire(self._clock, is_connection=True, name=address)
            wire.near.hang_up()
            return SimChannel(wire.near, loop, address)
        door.faults = self.faults
        wire = door.dial()
        self._wires.append(wire)
        channel = SimChannel(wire.near, loop, address)
        loop.at_end(channel.close)
        return channel

    def mute(self) -> None:
        """Let every connection swallow what is sent on it from now on: neither end notices by itself."""
        for wire in self._wires:
            wire.is_mute = True

    def cut(self) -> None:
        """Cut every connection: what is under way is lost, both ends notice."""
        for wire in self._wires:
            for side in (wire.near, wire.far):
                side.hang_up()
        self._wires.clear()


class SimNetworkEnd:
    """`hil.network.Network` of a simulated process."""

    def __init__(self, network: SimNetwork, loop: SimLoop) -> None:
        self._network, self._loop = network, loop

    def listen(self, address: str) -> SimListener:
        """Open a door."""
        return self._network.door(address, self._loop)

    def connect(self, address: str) -> OctetChannel:
        """Knock at a door."""
        return self._network.knock(address, self._loop)
