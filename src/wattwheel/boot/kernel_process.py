"""The management core's kernel process: zygote, module, operator's door, status."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from wattwheel import __version__
from wattwheel.apex.bus import TO_BUS, BusPort
from wattwheel.apex.codes import OperatingMode, ReturnCode, Validity
from wattwheel.apex.partition import VIRTUAL_PORTS_PORT, StartContext
from wattwheel.boot.body import run_body
from wattwheel.boot.condition import condition_of, faults_in
from wattwheel.boot.control_door import ControlDoor
from wattwheel.boot.deeds import deed_of, do
from wattwheel.boot.factory_mode import FactoryMode
from wattwheel.boot.observing import Observed, channel_table, partition_table
from wattwheel.boot.settings import Settings
from wattwheel.boot.tapping import Taps, with_tap
from wattwheel.boot.users import with_users
from wattwheel.boot.watchdog import READY, SIGN_NS, SIGN_OF_LIFE
from wattwheel.drivers.linux.cells import LinuxSamplingDestination, LinuxSamplingSource
from wattwheel.drivers.linux.clock import CalendarOrigin, LinuxClock
from wattwheel.drivers.linux.control_groups import ControlGroups, delegated_group
from wattwheel.drivers.linux.loop import EpollLoop
from wattwheel.drivers.linux.own_process import die_with_parent, name_process
from wattwheel.drivers.linux.ports import LinuxQueuingDestination
from wattwheel.drivers.linux.process import NETWORK_DEVICE, LinuxProcessHost
from wattwheel.drivers.linux.sandbox import Offer
from wattwheel.drivers.linux.windows import LinuxEdgeTimer, take_real_time_priority
from wattwheel.drivers.spread import spread
from wattwheel.hil.ports import QueuingSource
from wattwheel.hil.process import BodySpec
from wattwheel.kernel.config import KERNEL, ModuleConfig
from wattwheel.kernel.module import Module
from wattwheel.model.communication_parameters import ADDRESS, address_of
from wattwheel.model.core_records import lost_counter
from wattwheel.model.records import REGISTERS, Quality, Readings

STATUS_NS = 1_000_000_000
NO_SAMPLES_PATIENCE_NS = 3_000_000_000
STOP_PATIENCE_NS = 5_000_000_000
HEALTH_ENTRIES_SHOWN_MAX = 20
KERNEL_DESCRIPTORS_MAX = 65_536
SHUTDOWN_STATUS = 3  # exit status of a kernel whose health monitor has ended the module: the board ends as well
ALLOWED = (
    '{"ask": "status"}, {"ask": "ps"}, {"ask": "bus"}, {"ask": "display"}, {"tap": CHANNEL}, {"press": BUTTON}, '
    '{"contact": NAME, "position": STATE}, {"sensor": NAME, "value": NUMBER}, {"relay_sticks": BOOL}, '
    '{"clock_stops": BOOL}, {"fee": WORDS}, {"commission": true} or {"partition": NAME, "mode": MODE}'
)
STORE_FOLDER = "management"  # in the state folder


class Doors(NamedTuple):
    """What the board hands to the kernel process.

    Attributes:
        devices: name -> descriptors, granted to the partitions that name them.
        addresses: what `status` prints: dlt645, serial, web.
        module: the partitions, ports and channels to start.
        control: listening Unix socket of the operator's door.
        board: socket to the board; one JSON line out when ready.
    """

    devices: dict[str, list[int]]
    addresses: dict[str, str | None]
    module: ModuleConfig
    control: socket.socket
    board: socket.socket


class KernelPorts:
    """`apex.partition.PortMaker` of the pseudo partition: the ends that the kernel holds itself."""

    def __init__(self, host: LinuxProcessHost, config: ModuleConfig) -> None:
        self._host = host
        queuing, sampling = config.ports_of(KERNEL)
        self._channels = {port.name: port.channels for port in queuing} | {p.name: (p.channel,) for p in sampling}

    def queuing_source(self, port: str) -> QueuingSource:
        """Sending end."""
        return spread([self._host.queuing_source(link) for link in self._channels[port]])

    def queuing_destination(self, port: str) -> LinuxQueuingDestination:
        """Receiving end."""
        return self._host.queuing_destination(self._channels[port][0])

    def sampling_source(self, port: str) -> LinuxSamplingSource:
        """Writing end."""
        return self._host.sampling_source(self._channels[port][0])

    def sampling_destination(self, port: str) -> LinuxSamplingDestination:
        """Reading end."""
        return self._host.sampling_destination(self._channels[port][0])

    def device(self, name: str) -> object:
        """The kernel has no devices."""
        raise KeyError(name)


def bounded(document: dict[str, Any], octets_max: int) -> bytes:
    """The status document as JSON of at most `octets_max`: what partitions themselves have said is left out first."""
    octets = msgspec.json.encode(document)
    for key in ("counters", "health", "virtual_ports"):
        if len(octets) > octets_max:
            document = {**document, key: type(document[key])()}
            octets = msgspec.json.encode(document)
    return octets


class Operator:
    """The operator's door and the status document."""

    def __init__(
        self,
        context: StartContext,
        module: Module,
        settings: Settings,
        doors: Doors,
        core_pid: Callable[[], int],
        log: Callable[[str], None],
        offer: Offer,
        channels: Callable[[], list[dict[str, Any]]],
        taps: Taps,
    ) -> None:
        self._context, self._module, self._settings, self._doors = context, module, settings, doors
        self._log = log
        self._core_pid = core_pid
        self._offer = offer
        self._channels = channels
        self._taps = taps
        self._readings = context.sampling_destination("readings")
        has_table = context.has_port(VIRTUAL_PORTS_PORT)
        self._virtual_ports = context.sampling_destination(VIRTUAL_PORTS_PORT) if has_table else None
        self._condition = context.sampling_source("condition") if context.has_port("condition") else None
        self._told = b""
        self._shown: dict[str, int] = {}
        self._parameters = context.sampling_destination("parameters") if context.has_port("parameters") else None
        self._display = context.sampling_destination("display") if context.has_port("display") else None
        self._status = context.sampling_source("status") if context.has_port("status") else None
        self._observed = context.sampling_source("observed") if context.has_port("observed") else None
        self._factory_mode = FactoryMode(context)
        self._observer = Observed(module, channels, context.clock.now_ns)
        self._bus = BusPort(context) if context.has_port(TO_BUS) else None
        self._decoder = msgspec.msgpack.Decoder(Readings)
        self._is_normal = False
        self._normal_ns = 0
        self.is_ready = False
        bit = context.wheel.free_bit()
        context.wheel.task(bit, self._look)
        context.wheel.post(bit)  # a page that outlived the kernel before this one must not find an empty document
        context.wheel.post_every(STATUS_NS, bit)

    def normal(self) -> None:
        """Every partition has reached NORMAL."""
        self._is_normal = True
        self._normal_ns = self._context.clock.now_ns()
        self.check_ready()

    def check_ready(self) -> None:
        """Tell the board once that every door answers: partitions NORMAL, the core's totals and momentary values there.

        An input that gives no samples (a stream whose far end has not come yet) delays it by `NO_SAMPLES_PATIENCE_NS`.
        """
        readings = self.readings()
        if self.is_ready or not self._is_normal or readings is None:
            return
        is_patient = self._context.clock.now_ns() - self._normal_ns < NO_SAMPLES_PATIENCE_NS
        if readings.momentary is not None or not is_patient:
            if readings.momentary is None:
                self._log("the input has given no samples yet; energy is answered, momentary values are not")
            self.is_ready = True
            self._doors.board.send(READY)
            self._look()

    def readings(self) -> Readings | None:
        """What the metering service has published last."""
        message, validity, _age_ns = self._readings.read()
        if message is None:
            return None
        readings = self._decoder.decode(message)
        return readings if validity is Validity.VALID else msgspec.structs.replace(readings, quality=Quality.STALE)

    def _table(self) -> list[dict[str, Any]]:
        """The virtual ports, as the partition that has the network has shown them last."""
        octets = self._virtual_ports.read()[0] if self._virtual_ports is not None else None
        with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
            return msgspec.json.decode(octets or b"[]", type=list[dict[str, Any]])
        return []

    def _look(self) -> None:
        self.check_ready()
        self._tell_condition()
        if self._status is not None:
            self._status.write(bounded(self.document(), self._status.max_message_size))
        if self._observed is not None:
            self._observed.write(self._observer.document(self._observed.max_message_size))

    def _tell_condition(self) -> None:
        """Let the display know which faults stand and how many frames have come, when that has changed."""
        if self._condition is None:
            return
        told = condition_of(self._module.counters()).message()
        if told != self._told:
            self._told = told
            self._condition.write(told)

    def _address(self) -> str:
        """The meter's address as it was written last; empty before the APP `parameters` has told it."""
        octets = self._parameters.read()[0] if self._parameters is not None else None
        values = {} if octets is None else msgspec.msgpack.decode(octets, type=dict[int, bytes])
        return address_of(values.get(ADDRESS, b"")) or ""

    def document(self) -> dict[str, Any]:
        """The status document of the contract."""
        readings = self.readings()
        meter = self._settings.meter
        counters = self._module.counters()
        energy: dict[str, int | None] = dict.fromkeys(REGISTERS)
        if readings is not None:
            lost = counters.get("energy", {})
            for name, told in zip(REGISTERS, readings.totals.microjoule, strict=False):
                # A core that has lost its registers counts from zero; over the meter's life nothing falls.
                self._shown[name] = max(self._shown.get(name, 0), told + lost.get(lost_counter(name), 0))
            energy.update(self._shown)
        return {
            "ready": self.is_ready,
            "version": __version__,
            "address": self._address() or meter.address,
            **self._doors.addresses,
            "isolation": self._offer.level,
            "isolation_reasons": self._offer.reasons,
            "clock": self._context.clock.calendar().isoformat(timespec="seconds").replace("+00:00", "Z"),
            "factory_mode": self._factory_mode.is_on(),
            "link": "down" if readings is None else "up" if readings.quality == "valid" else "stale",
            "virtual_ports": self._table(),
            "transformer": {"current_ratio": meter.current_ratio, "voltage_ratio": meter.voltage_ratio},
            "pids": {
                "board": os.getppid(),
                "kernel": os.getpid(),
                "metering_core": self._core_pid(),
                "partitions": {
                    name: partition.body.pid if partition.body is not None else None
                    for name, partition in self._module.partitions.items()
                },
            },
            "restarts": {name: partition.restarts for name, partition in self._module.partitions.items()},
            "modes": self._module.modes(),
            "windows": self._module.windows(),
            "health": self._module.health.newest(HEALTH_ENTRIES_SHOWN_MAX),
            "energy_microjoule": energy,
            "pulses": None if readings is None else dict(zip(("active", "reactive"), readings.pulses, strict=True)),
            "relay_open": None if readings is None else readings.relay_open,
            "push_sequence": None if readings is None else readings.totals.sequence,
            "faults": faults_in(counters),
            "counters": counters,
        }

    def serve(self, request: dict[str, Any], reply: Callable[[dict[str, Any]], None]) -> None:
        """Answer one request of the operator's door."""
        if request.get("ask") == "status":
            reply(self.document())
        elif request.get("ask") == "ps":
            reply({"partitions": partition_table(self._module)})
        elif request.get("ask") == "display":
            shown = self._display.read()[0] if self._display is not None else None
            reply({"display": None if shown is None else msgspec.json.decode(shown)})
        elif request.get("ask") == "bus":
            reply({"channels": self._channels()})
        elif isinstance(request.get("tap"), str):
            reply(self._taps.serve(request))
        elif (deed := deed_of(request)) is not None:
            do(deed, self._bus, reply)
        elif isinstance(request.get("partition"), str):
            reply(self._set_mode(request["partition"], request.get("mode")))
        else:
            reply({"refused": f"request {request!r}; allowed: {ALLOWED}"[:500]})

    def _set_mode(self, partition: str, mode: object) -> dict[str, Any]:
        wanted = OperatingMode.__members__.get(str(mode))
        if partition not in self._module.partitions:
            allowed = ", ".join(self._module.partitions)
            return {"refused": f"partition {partition[:30]!r}: there is none of that name; allowed: {allowed}"}
        if wanted is None or wanted is OperatingMode.NORMAL:
            return {"refused": f"mode {str(mode)[:30]!r}; allowed: IDLE, COLD_START, WARM_START"}
        code = self._module.set_mode(partition, wanted)
        if code is ReturnCode.INVALID_MODE:
            return {"refused": f"partition {partition}: the module is stopping"}
        return {"partition": partition, "mode": wanted.name, "code": code.name}


def _raise_descriptor_limit() -> None:
    """The kernel holds both ends of every channel: as many descriptors as the machine allows it, within reason."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = KERNEL_DESCRIPTORS_MAX if hard == resource.RLIM_INFINITY else min(hard, KERNEL_DESCRIPTORS_MAX)
    if wanted > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _control_groups(log: Callable[[str], None]) -> ControlGroups | None:
    """The control groups for partitions, where the meter was given one to divide."""
    folder = delegated_group()
    if folder is None:
        return None
    try:
        return ControlGroups(folder)
    except OSError as fault:
        log(f"control groups: {folder} cannot be divided: {fault.strerror}; partitions go without")
        return None


def _give_signs(board: socket.socket, clock: LinuxClock) -> None:
    """Tell the board's watchdog, now and from now on, that this process's loop turns."""

    def give_sign() -> None:
        with contextlib.suppress(OSError):  # a board that takes none now has some left to read
            board.send(SIGN_OF_LIFE, socket.MSG_DONTWAIT)
        clock.call_at(clock.now_ns() + SIGN_NS, give_sign)

    give_sign()


def run_kernel(
    settings: Settings, folder: Path, doors: Doors, origin: CalendarOrigin, board_pid: int, log: Callable[[str], None]
) -> int:
    """The whole life of the kernel process, from just after the fork. Returns its exit status when it has stopped."""
    die_with_parent(board_pid)
    os.setpgid(0, 0)  # a signal to the terminal's group is for the board, which then stops everything in order
    name_process("kernel")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _raise_descriptor_limit()
    host = LinuxProcessHost(run_body, log, groups=_control_groups(log))
    loop = EpollLoop()
    host.attach(loop)
    clock = LinuxClock(loop, origin)
    for name, descriptors in doors.devices.items():
        host.grant_device(name, descriptors)
    store_folder = str(folder / STORE_FOLDER)
    host.grant_device("store", [], store_folder, store_folder)
    host.grant_device(NETWORK_DEVICE, [])
    if origin.speed != 1.0:
        host.common_arguments["calendar"] = tuple(origin)
    config = with_users(doors.module)
    if settings.module.tap:  # without it there is nothing in the module to listen with
        config = with_tap(config)
    status = {"exit": 0}

    def shut_down() -> None:
        status["exit"] = SHUTDOWN_STATUS
        loop.stop()

    timer = None
    if config.schedule.windows:  # whoever has no windows pays nothing for them
        timer = LinuxEdgeTimer(loop)
        if not take_real_time_priority():
            log("windows: no real-time priority on this machine; lateness grows with its load")
    module = Module(config, clock, host, log, timer, shut_down)
    queuing, sampling = config.ports_of(KERNEL)
    spec = BodySpec(KERNEL, "", b"{}", tuple(queuing), tuple(sampling))
    context = StartContext(spec, clock, KernelPorts(host, config))
    core = {"pid": 0}

    def channels() -> list[dict[str, Any]]:
        return channel_table(config, host.queue_figures(), host.cell_writes())

    taps = Taps(context, config, host.sampling_destination, log, settings.module.tap)
    operator = Operator(context, module, settings, doors, lambda: core["pid"], log, host.offer, channels, taps)
    ControlDoor(loop, clock, doors.control, operator.serve)

    def hear_board() -> None:
        octets = doors.board.recv(4096)
        if not octets:
            os._exit(1)
        for line in octets.splitlines():
            core["pid"] = int(msgspec.json.decode(line)["metering_core"])

    def stop() -> None:
        module.stop(loop.stop)
        clock.call_at(clock.now_ns() + STOP_PATIENCE_NS, loop.stop)

    loop.watch(doors.board.fileno(), hear_board)
    _give_signs(doors.board, clock)
    loop.on_signal(signal.SIGTERM, stop)
    loop.on_signal(signal.SIGPWR, lambda: module.raise_error("POWER_FAIL", "the supply fails"))
    module.start(operator.normal)
    loop.run(context.wheel.turn)
    host.close()
    return status["exit"]
