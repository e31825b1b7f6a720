"""The management core of a meter in a simulated world: a module on the simulated host, on whatever devices it is given.

What makes a whole meter of it, a metering core, wires and a medium, are its heirs: `sim_meter` and `time_machine`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

from wattwheel.apex.bus import BusPort
from wattwheel.apex.messages import Control, Message
from wattwheel.apex.partition import StartContext
from wattwheel.boot.body import Entry
from wattwheel.boot.sim_body import body_runner
from wattwheel.boot.users import with_users
from wattwheel.drivers.sim.clock import SimClock
from wattwheel.drivers.sim.process import Crash, Device, SimBody, SimPorts, SimProcessHost
from wattwheel.drivers.sim.windows import SimEdgeTimer
from wattwheel.hil.process import BodySpec
from wattwheel.kernel.config import KERNEL, ModuleConfig
from wattwheel.kernel.module import Module
from wattwheel.sdk.buttons import PRESS_DI, press_data

KERNEL_RESTART_NS = 100_000_000
LOG_LINES_MAX = 10_000


class SimBoard:
    """A management core that lives on `clock` alone. Made, it has no power.

    Attributes:
        host: the process host of the running management core.
        module: its kernel.
        is_normal: every partition has reached NORMAL since the kernel's last start.
        kernel_starts: how often the kernel was started.
        log: what the kernel has said.
    """

    host: SimProcessHost
    module: Module

    def __init__(
        self,
        clock: SimClock,
        chance: random.Random | None,
        config: ModuleConfig,
        devices: Mapping[str, Device],
        entries: Mapping[str, Entry] | None = None,
    ) -> None:
        """`devices`: what partitions may be granted, by name; `entries`: see `sim_body.body_runner`."""
        self.clock = clock
        self.config = with_users(config)
        self.log: list[str] = []
        self.kernel_starts = 0
        self.is_normal = False
        self._chance = chance
        self._devices = devices
        self._run_body = body_runner(entries)
        self._crashes: list[Crash] = []
        self._is_kernel_up = self._has_power = False

    def power_up(self) -> None:
        """Start the management core."""
        self._has_power = True
        self._start_kernel()

    def _start_kernel(self) -> None:
        if self._is_kernel_up or not self._has_power:
            return
        self._is_kernel_up = True
        self.kernel_starts += 1
        host = self.host = SimProcessHost(self.clock, self._run_body, self._chance)
        for name, device in self._devices.items():
            host.grant_device(name, device)
        self.is_normal = False
        self.module = Module(self.config, host.kernel_loop, host, self._say, SimEdgeTimer(host.kernel_loop))
        queuing, sampling = self.config.ports_of(KERNEL)
        spec = BodySpec(KERNEL, "", b"{}", tuple(queuing), tuple(sampling))
        context = StartContext(spec, host.kernel_loop, SimPorts(host, spec, host.kernel_loop))
        self.bus = BusPort(context)
        self._context = context
        host.kernel_loop.turn = context.wheel.turn
        self.module.start(self._normal)

    def _normal(self) -> None:
        self.is_normal = True

    def _say(self, text: str) -> None:
        if len(self.log) < LOG_LINES_MAX:
            self.log.append(f"{self.clock.now_ns() / 1e9:.6f} {text}")

    @property
    def crashes(self) -> list[Crash]:
        """Partitions that ended by their own fault since the beginning; there should be none."""
        return self._crashes + self.host.crashes

    def body(self, partition: str) -> SimBody | None:
        """The living body of `partition`. KeyError: there is no such partition."""
        if partition not in self.module.partitions:
            raise KeyError(f"{partition}; there are {', '.join(self.module.partitions)}")
        return self.host.bodies.get(partition)

    def kill_kernel(self) -> None:
        """The kernel dies, and every partition with it; the board starts it again a little later."""
        if self._is_kernel_up:
            self._end_kernel()
            self.clock.call_at(self.clock.now_ns() + KERNEL_RESTART_NS, self._start_kernel)

    def _end_kernel(self) -> None:
        self._is_kernel_up = False
        self._crashes += self.host.crashes
        self.host.crashes = []
        self.host.close()

    def lose_power(self) -> None:
        """The supply is cut: everything ends at once. `power_up` begins anew."""
        self._has_power = False
        self._end_kernel()

    def stop(self, on_stopped: Callable[[], None]) -> None:
        """Orderly end."""
        self.module.stop(on_stopped)

    def ask(self, control: int, di: int, data: bytes, on_reply: Callable[[Message | None], None]) -> None:
        """Ask on the bus as the kernel does for the operator."""

        def ask() -> None:
            if not self.bus.ask(control, di, data, on_reply):
                on_reply(None)

        self.host.kernel_loop.call_at(self.clock.now_ns(), ask)

    def press(self, button: str, held_s: float, on_reply: Callable[[Message | None], None]) -> None:
        """Press a button of the meter and hold it so long."""
        self.ask(Control.PRESS, PRESS_DI[button], press_data(button, held_s), on_reply)
