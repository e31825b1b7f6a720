"""A whole meter in a simulated world: the standard module on the simulated host, a metering core, wires and a disk."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

from wattwheel.apex.bus import BusPort
from wattwheel.apex.messages import Control, Message
from wattwheel.apex.partition import StartContext
from wattwheel.boot.body import Entry
from wattwheel.boot.module_file import CORE_LINK, LINE, LISTENER, STORE, module_of
from wattwheel.boot.settings import Settings
from wattwheel.boot.sim_body import body_runner
from wattwheel.boot.sim_core import Load, SimCore
from wattwheel.boot.users import with_users
from wattwheel.drivers.sim.clock import SimClock
from wattwheel.drivers.sim.loop import SimLoop
from wattwheel.drivers.sim.octets import QUIET, SimDoor, SimLine, SimWire, WireFaults
from wattwheel.drivers.sim.process import Crash, SimBody, SimPorts, SimProcessHost
from wattwheel.drivers.sim.storage import SimDisk, SimRecords
from wattwheel.drivers.sim.windows import SimEdgeTimer
from wattwheel.hil.process import BodySpec
from wattwheel.kernel.config import KERNEL, ModuleConfig
from wattwheel.kernel.module import Module
from wattwheel.metrology.device import DEFAULT_TIMING, CoreTiming
from wattwheel.sdk.buttons import PRESS_DI, press_data

DOOR = LISTENER
KERNEL_RESTART_NS = 100_000_000
LOG_LINES_MAX = 10_000


class SimStore:
    """The store's medium as a device: each body opens it anew; a death gives it free."""

    def __init__(self, disk: SimDisk) -> None:
        self._disk = disk

    def open(self, loop: SimLoop) -> SimRecords:
        """The medium of a new body."""
        records = SimRecords(self._disk)
        loop.at_end(records.die)
        return records


class SimMeter:
    """A meter that lives on `clock` alone.

    Attributes:
        disk: all its storage.
        load: what flows through it.
        core: the metering core.
        core_link, line: wires, whose faults may be changed.
        door: where head-ends connect.
        host: the process host of the running management core.
        module: its kernel.
        log: what the kernel has said.
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
        self.clock = clock
        self.settings = settings
        self.disk = SimDisk(chance.randrange(1 << 32))
        self.load = Load(clock)
        self.core_link = SimWire(clock, chance, link_faults, name=CORE_LINK)
        self.line = SimWire(clock, chance, line_faults, name=LINE)
        self.door = SimDoor(clock, chance, line_faults, DOOR)
        self.core = SimCore(clock, chance, self.disk, self.core_link, self.load, timing)
        self.log: list[str] = []
        self.kernel_starts = 0
        self._chance = chance
        self._run_body = body_runner(entries)
        config = module_of(settings, (LINE,), (DOOR,))
        self.config = with_users(adapt(config) if adapt is not None else config)
        self._crashes: list[Crash] = []
        self._is_kernel_up = self._has_power = False
        self.power_up()

    def power_up(self) -> None:
        """Start both cores."""
        self._has_power = True
        self.core.is_held_down = False
        self.core.start()
        self._start_kernel()

    def _start_kernel(self) -> None:
        if self._is_kernel_up or not self._has_power:
            return
        self._is_kernel_up = True
        self.kernel_starts += 1
        host = self.host = SimProcessHost(self.clock, self._run_body, self._chance)
        host.grant_device(DOOR, self.door)
        host.grant_device(LINE, SimLine(self.line))
        host.grant_device(CORE_LINK, SimLine(self.core_link))
        host.grant_device(STORE, SimStore(self.disk))
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
        """The supply is cut: everything ends at once, and the disk keeps what it has. `power_up` begins anew."""
        self._has_power, self.core.is_held_down = False, True
        self.core.lose_power()
        self._end_kernel()
        self.disk.power_up()

    def stop(self, on_stopped: Callable[[], None]) -> None:
        """Orderly end of both cores."""
        self.core.is_held_down = True
        self.core.stop()
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
