"""A partition's process from its birth to its end: ports and devices out of descriptors, the entry, the loop."""

from __future__ import annotations

import gc
import importlib
import os
import signal
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from wattwheel.apex.partition import StartContext
from wattwheel.drivers.linux.accepting import AcceptingChannel
from wattwheel.drivers.linux.cells import LinuxSamplingDestination, LinuxSamplingSource
from wattwheel.drivers.linux.clock import CalendarOrigin, LinuxClock
from wattwheel.drivers.linux.loop import EpollLoop
from wattwheel.drivers.linux.octets import TcpListener, TtyChannel
from wattwheel.drivers.linux.own_process import give_back_memory
from wattwheel.drivers.linux.ports import LinuxQueuingDestination, LinuxQueuingSource
from wattwheel.drivers.linux.zygote import Birth
from wattwheel.drivers.spread import spread
from wattwheel.hil.ports import QueuingSource
from wattwheel.model.errors import BadInput, DoorUnavailable, StorageError

Entry = Callable[[StartContext], None]
CALENDAR_DEVICE = "calendar"
GC_THRESHOLDS = (50_000, 20, 20)  # messages make no cycles: looking for them that often only costs time


class LinuxPorts:
    """`apex.partition.PortMaker` over the descriptors that a process was born with."""

    def __init__(self, birth: Birth, loop: EpollLoop) -> None:
        self._birth = birth
        self._loop = loop
        self._queuing = {port.name: port for port in birth.spec.queuing_ports}
        self._sampling = {port.name: port for port in birth.spec.sampling_ports}

    def _ends(self, port: str) -> list[int]:
        return self._birth.descriptors[f"port:{port}"]

    def queuing_source(self, port: str) -> QueuingSource:
        """Sending end of the port's channel."""
        spec, ends = self._queuing[port], self._ends(port)
        each = len(ends) // len(spec.channels)
        links = [ends[at : at + each] for at in range(0, len(ends), each)]
        return spread([LinuxQueuingSource(self._loop, link, spec.max_message_size, spec.depth) for link in links])

    def queuing_destination(self, port: str) -> LinuxQueuingDestination:
        """Receiving end of the port's channel."""
        spec = self._queuing[port]
        return LinuxQueuingDestination(self._loop, self._ends(port), spec.max_message_size, spec.depth)

    def sampling_source(self, port: str) -> LinuxSamplingSource:
        """Writing end of the port's channel."""
        return LinuxSamplingSource(self._ends(port), self._sampling[port].max_message_size)

    def sampling_destination(self, port: str) -> LinuxSamplingDestination:
        """Reading end of the port's channel."""
        return LinuxSamplingDestination(self._loop, self._ends(port), self._sampling[port].max_message_size)

    def device(self, name: str) -> object:
        """A device that was granted, made from its descriptors and its argument. KeyError: it was not granted."""
        descriptors = self._birth.descriptors[f"device:{name}"]
        kind, _, _ = name.partition(":")
        return _DEVICES[kind](self._loop, descriptors, self._birth.arguments.get(name), name)


def _listener(loop: EpollLoop, descriptors: list[int], argument: Any, name: str) -> object:
    return TcpListener(loop, descriptors[0], name)


def _line(loop: EpollLoop, descriptors: list[int], argument: Any, name: str) -> object:
    return TtyChannel(loop, descriptors[0], name)


def _core_link(loop: EpollLoop, descriptors: list[int], argument: Any, name: str) -> object:
    """A line, or the listening socket at which the metering core connects."""
    if stat.S_ISSOCK(os.fstat(descriptors[0]).st_mode):
        return AcceptingChannel(TcpListener(loop, descriptors[0], name))
    return TtyChannel(loop, descriptors[0], name)


def _records(loop: EpollLoop, descriptors: list[int], argument: Any, name: str) -> object:
    from wattwheel.drivers.linux.sqlite_records import SqliteRecords

    return SqliteRecords(Path(argument))


def _socket(loop: EpollLoop, descriptors: list[int], argument: Any, name: str) -> object:
    return descriptors[0]


def _network(loop: EpollLoop, descriptors: list[int], argument: Any, name: str) -> object:
    from wattwheel.drivers.linux.network import LinuxNetwork

    return LinuxNetwork(loop, name)


def _loop(loop: EpollLoop, descriptors: list[int], argument: Any, name: str) -> object:
    return loop


_DEVICES: dict[str, Callable[[EpollLoop, list[int], Any, str], object]] = {
    "listener": _listener,
    "line": _line,
    "tty": _line,
    "core_link": _core_link,
    "store": _records,
    "socket": _socket,
    "loop": _loop,
    "network": _network,
}


def entry_of(name: str) -> Entry:
    """The entry function `package.module:function`."""
    module, _, function = name.partition(":")
    return cast(Entry, getattr(importlib.import_module(module), function))


def run_body(birth: Birth) -> None:
    """Run the partition until it is asked to stop."""
    gc.set_threshold(*GC_THRESHOLDS)
    loop = EpollLoop()
    origin = birth.arguments.pop(CALENDAR_DEVICE, None)
    clock = LinuxClock(loop, CalendarOrigin(*origin) if origin else None)
    context = StartContext(birth.spec, clock, LinuxPorts(birth, loop))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    loop.on_signal(signal.SIGTERM, loop.stop)
    try:
        entry_of(birth.spec.entry)(context)
    except (BadInput, DoorUnavailable, StorageError) as fault:  # no bug, so no traceback: a sentence for the log
        context.report("error", str(fault))
        raise SystemExit(1) from None
    give_back_memory()
    context.report("normal")
    if context.main is None:
        loop.run(context.wheel.turn)
    else:
        from wattwheel.boot.asyncio_body import run_beside  # what only few bodies need costs the others nothing

        run_beside(loop, context.wheel.turn, context.main)
    context.stop()
