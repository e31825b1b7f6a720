"""One of the two modules of the drill `link-cut`: the module of an XML file, without a meter, as a program.

It prints a line of JSON now and then: what its partitions count, their processes, its virtual ports. An octet on
standard input lets its sender stop; the end of standard input ends it.
"""

from __future__ import annotations

import os
import sys

import msgspec

from wattwheel.apex.partition import VIRTUAL_PORTS_PORT
from wattwheel.boot.body import run_body
from wattwheel.boot.module_file import FILE, LINK_BAUD, TTY, ttys_of
from wattwheel.drivers.linux.clock import LinuxClock
from wattwheel.drivers.linux.loop import EpollLoop
from wattwheel.drivers.linux.octets import open_serial
from wattwheel.drivers.linux.process import NETWORK_DEVICE, LinuxProcessHost
from wattwheel.hil.octets import LineSettings
from wattwheel.kernel.config import KERNEL, ModuleConfig
from wattwheel.kernel.module import Module
from wattwheel.kernel.module_xml import Offer, read_module
from wattwheel.testing.drills.link_partitions import STOP

SAY_NS = 50_000_000
INPUT, OUTPUT = 0, 1


class _Program:
    def __init__(self, config: ModuleConfig) -> None:
        self._host = LinuxProcessHost(run_body)
        self._loop = EpollLoop()
        self._host.attach(self._loop)
        self._host.grant_device(NETWORK_DEVICE, [])
        for device in ttys_of(config):
            self._host.grant_device(device, [open_serial(device.removeprefix(TTY), LineSettings(LINK_BAUD, "N"))])
        self._clock = LinuxClock(self._loop)
        self._module = Module(config, self._clock, self._host, lambda text: print(text, file=sys.stderr))
        ports = {port.name: port.channel for port in config.ports_of(KERNEL)[1]}
        self._stop = self._host.sampling_source(ports[STOP])
        self._table = self._host.sampling_destination(ports[VIRTUAL_PORTS_PORT])
        self._loop.watch(INPUT, self._hear)
        self._module.start()
        self._say()

    def run(self) -> None:
        """Until the end of standard input."""
        self._loop.run(lambda: None)
        self._host.close()

    def _hear(self) -> None:
        if not os.read(INPUT, 1):
            self._loop.unwatch(INPUT)
            self._module.stop(self._loop.stop)
        else:
            self._stop.write(b"stop")

    def _say(self) -> None:
        table = self._table.read()
        bodies = {name: own.body.pid for name, own in self._module.partitions.items() if own.body is not None}
        document = {
            "counters": self._module.counters(),
            "pids": bodies,
            "restarts": {name: own.restarts for name, own in self._module.partitions.items()},
            "virtual_ports": msgspec.json.decode(table.message) if table is not None else [],
        }
        os.write(OUTPUT, msgspec.json.encode(document) + b"\n")
        self._clock.call_at(self._clock.now_ns() + SAY_NS, self._say)


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as file:
        offer = Offer((), {}, (NETWORK_DEVICE,), (TTY, FILE))
        _Program(read_module(file.read(), sys.argv[1], offer)).run()
