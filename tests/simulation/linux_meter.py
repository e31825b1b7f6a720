"""The story on real processes: run as a program with a state folder, it prints what was read as JSON."""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path

import msgspec
from tests.simulation.scenario import Read, tell

from wattwheel.apex.codes import OperatingMode
from wattwheel.boot.body import run_body
from wattwheel.boot.standard_module import standard_module
from wattwheel.drivers.linux.clock import LinuxClock
from wattwheel.drivers.linux.loop import EpollLoop
from wattwheel.drivers.linux.octets import TcpChannel, TtyChannel, listen_tcp, open_pseudo_terminal
from wattwheel.drivers.linux.process import LinuxProcessHost
from wattwheel.kernel.module import Module
from wattwheel.protocols.dlt645.master import Ask, ReadDialogue
from wattwheel.testing.world import simulated_settings

DOOR = "listener:tcp"
STEPS_MAX = 1000
STEP_S = 0.02


class LinuxMeter:
    """The standard module without a page on real processes; the test is its core and its head-end."""

    def __init__(self, folder: Path) -> None:
        self.host = LinuxProcessHost(run_body)
        self.loop = EpollLoop()
        self.host.attach(self.loop)
        listener = listen_tcp("127.0.0.1", 0, "door")
        self._address = listener.getsockname()
        master, slave, path = open_pseudo_terminal()
        self.host.grant_device(DOOR, [listener.fileno()])
        self.host.grant_device("core_link", [master])
        self.host.grant_device("store", [], str(folder), str(folder))
        self._listener, self._master = listener, master
        self._core = TtyChannel(self.loop, slave, path)
        self._core.on_arrival(lambda: self._core.read())
        self.settings = simulated_settings()
        self._channel: TcpChannel | None = None
        config = standard_module(self.settings, (), (DOOR,))
        self.module = Module(config, LinuxClock(self.loop), self.host, lambda text: print(text, file=sys.stderr))
        self.module.start()
        self._await_normal()

    def _await_normal(self) -> None:
        partitions = self.module.partitions.values()
        for _ in range(STEPS_MAX):
            if all(p.mode is OperatingMode.NORMAL and p.body is not None for p in partitions):
                return
            self.loop.step(STEP_S)
        raise AssertionError("not NORMAL in time")

    def push(self, octets: bytes) -> None:
        """See MeterUnderTest."""
        self._core.write(octets)
        self.loop.step(0)

    def kill(self, name: str) -> None:
        """See MeterUnderTest."""
        partition = self.module.partitions[name]
        restarts = partition.restarts
        assert partition.body is not None
        if name == "communication" and self._channel is not None:  # its connections die with it
            self._channel.close()
            self._channel = None
        os.kill(partition.body.pid, signal.SIGKILL)
        for _ in range(STEPS_MAX):
            if partition.restarts > restarts:
                break
            self.loop.step(STEP_S)
        self._await_normal()

    def read(self, di: int) -> Read:
        """See MeterUnderTest."""
        if self._channel is None:
            self._channel = TcpChannel(self.loop, socket.create_connection(self._address), "head-end")
            self._channel.on_arrival(lambda: None)
        dialogue = ReadDialogue([Ask(di)], self.settings.meter.address, tries=5)
        step = dialogue.start()
        while not step.is_done:
            self._channel.write(step.octets)
            octets = b""
            for _ in range(STEPS_MAX // 20):
                octets = self._channel.read()
                if octets:
                    break
                self.loop.step(STEP_S)
            step = dialogue.receive(octets) if octets else dialogue.time_out()
        return step.answers[0].error, step.answers[0].data.hex()

    def wait(self) -> None:
        """See MeterUnderTest."""
        self.loop.step(STEP_S)

    def close(self) -> None:
        """End everything."""
        self.host.close()


def main() -> None:
    """Tell the story."""
    meter = LinuxMeter(Path(sys.argv[1]))
    try:
        sys.stdout.write(msgspec.json.encode(tell(meter)).decode())
    finally:
        meter.close()


if __name__ == "__main__":
    main()
