"""Virtual ports: ports of a module whose channel goes on outside, through a driver.

A channel to a virtual port ends, like any other, at a port of a partition: the one that was granted the outside. There
this registry joins the port to a driver of six functions: `attach` is called first and gives the number by which the
port is meant in the other five, `create`, `read`, `write`, `status` and `available`. A driver that fails costs the
partition that it lives in, and nothing of the kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from wattwheel.apex.partition import StartContext
from wattwheel.apex.ports import (
    QueuingDestinationPort,
    QueuingSourcePort,
    SamplingDestinationPort,
    SamplingSourcePort,
)
from wattwheel.model.errors import ConfigError

KEEP, KEPT = "keep", "kept"
"""Last words of the names of the two ports of a cell in which a driver keeps what must survive it."""
MESSAGES_A_TURN_MAX = 64
SENDS, RECEIVES = "SOURCE", "DESTINATION"
"""What a virtual port is to the module: messages go out through a SOURCE's port and come in to a DESTINATION's."""


class Kept:
    """A cell that outlives the partition: what a driver keeps there, its successor finds."""

    def __init__(self, context: StartContext, name: str) -> None:
        self._write = context.sampling_source(f"{name}.{KEEP}").write
        self._read = context.sampling_destination(f"{name}.{KEPT}").read

    def read(self) -> bytes | None:
        """What was kept last; None: nothing ever."""
        return self._read()[0]

    def write(self, octets: bytes) -> None:
        """Keep `octets` instead of what there was."""
        self._write(octets)


class PortData(NamedTuple):
    """What `attach` is told of a port.

    Attributes:
        name: of the port in this partition, DEVICE.NUMBER.
        number: of the port on the device (the paper's PsudoID).
        is_sampling: kind.
        direction: SENDS or RECEIVES.
        max_message_size, depth: of its channel; depth is 1 for sampling.
        passed: messages that have gone through the local channel's end so far, over all lives of this partition.
        kept: where the driver keeps what must survive; None for sampling ports.
        tell: to be called when `available` or `read` may say something else than before.
    """

    name: str
    number: int
    is_sampling: bool
    direction: str
    max_message_size: int
    depth: int
    passed: Callable[[], int]
    kept: Kept | None
    tell: Callable[[], None]


class VirtualDriver(Protocol):
    """The six functions of a driver."""

    def attach(self, port: PortData) -> int:
        """Take the port; the number by which it is meant from now on."""

    def create(self, port_id: int, newest: bytes | None) -> bool:
        """Begin. `newest`: the oldest message that waits in the local channel of a port that sends.

        True: the driver has that message already, from a former life; it is to be taken out.
        """

    def available(self, port_id: int) -> bool:
        """Whether `write` would take a message."""

    def write(self, port_id: int, message: bytes, written_ns: int) -> None:
        """Take a message to be sent, written at `written_ns` on the monotonic clock. Only when `available`."""

    def read(self, port_id: int) -> bytes | None:
        """The next message that has come, None when there is none. The one before it is then in the local channel."""

    def status(self, port_id: int) -> Mapping[str, Any]:
        """What can be seen of it: at least `is_bound`."""


class _Joined:
    """A local port joined to its driver."""

    def __init__(self, device: str, driver: VirtualDriver) -> None:
        self.device, self.driver = device, driver
        self.port_id = 0
        self.data: PortData
        self.pump: Callable[[], None]


class VirtualPorts:
    """The drivers, and the ports that were joined to them."""

    def __init__(self, context: StartContext) -> None:
        self._context = context
        self._drivers: dict[str, VirtualDriver] = {}
        self._joined: list[_Joined] = []
        self._bit = context.wheel.free_bit()
        self._ready: dict[int, Callable[[], None]] = {}
        self._post = context.wheel.poster(self._bit)
        context.wheel.task(self._bit, self._turn)

    def add(self, device: str, driver: VirtualDriver) -> None:
        """Register `driver` for ports named DEVICE.NUMBER (the paper's portVirtualDrvAdd)."""
        assert device not in self._drivers, f"device {device} has a driver"
        self._drivers[device] = driver

    def join_all(self) -> None:
        """Join every port of the partition that is named after a device. Raises ConfigError: a number that is none."""
        context = self._context
        for name, spec in context.queuing_ports().items():
            if (place := self._place(name)) is not None:
                local = "DESTINATION" if spec.direction == "DESTINATION" else "SOURCE"
                self._join_queuing(name, *place, local, spec.max_message_size, spec.depth)
        for name, own in context.sampling_ports().items():
            if (place := self._place(name)) is not None:
                self._join_sampling(name, *place, own.direction, own.max_message_size)
        self._post()

    def _place(self, name: str) -> tuple[str, int] | None:
        device, _, number = name.rpartition(".")
        if device not in self._drivers:
            return None
        if not number.isdecimal() or not 1 <= int(number) <= 0xFFFF:
            raise ConfigError(f"virtual port {name}", number, "DEVICE.NUMBER with a number of 1 to 65535")
        return device, int(number)

    def _join_queuing(self, name: str, device: str, number: int, local: str, size: int, depth: int) -> None:
        context = self._context
        joined = _Joined(device, self._drivers[device])
        tell = self._teller(joined)
        if local == "DESTINATION":
            port = context.queuing_destination(name)
            joined.pump = lambda: self._push(joined, port, tell)
            port.on_message(tell)
            passed, direction = port.count, SENDS
            oldest = port.receive()
        else:
            source = context.queuing_source(name)
            joined.pump = lambda: self._pull(joined, source, tell)
            source.on_space(tell)
            passed, direction, oldest = source.count, RECEIVES, None
        joined.data = PortData(name, number, False, direction, size, depth, passed, Kept(context, name), tell)
        joined.port_id = joined.driver.attach(joined.data)
        if joined.driver.create(joined.port_id, oldest) and direction == SENDS:
            port.done()
        self._joined.append(joined)
        tell()

    def _join_sampling(self, name: str, device: str, number: int, local: str, size: int) -> None:
        context = self._context
        joined = _Joined(device, self._drivers[device])
        tell = self._teller(joined)
        direction = SENDS if local == "DESTINATION" else RECEIVES
        if direction == SENDS:
            reader = context.sampling_destination(name)
            seen = [0]
            joined.pump = lambda: _copy(joined, reader, seen)
            reader.on_message(tell)
        else:
            writer = context.sampling_source(name)
            joined.pump = lambda: _write_all(joined, writer)
        joined.data = PortData(name, number, True, direction, size, 1, _nothing_passed, None, tell)
        joined.port_id = joined.driver.attach(joined.data)
        joined.driver.create(joined.port_id, None)
        self._joined.append(joined)
        tell()

    def _teller(self, joined: _Joined) -> Callable[[], None]:
        key = id(joined)

        def tell() -> None:
            self._ready[key] = joined.pump
            self._post()

        return tell

    def _turn(self) -> None:
        ready, self._ready = self._ready, {}
        for pump in ready.values():
            pump()

    def _push(self, joined: _Joined, port: QueuingDestinationPort, tell: Callable[[], None]) -> None:
        """Local channel to driver, while it takes messages; then the channel is not listened to."""
        driver, port_id = joined.driver, joined.port_id
        for _ in range(MESSAGES_A_TURN_MAX):
            if not driver.available(port_id):
                port.on_message(None)
                return
            message = port.receive()
            if message is None:
                port.on_message(tell)
                return
            driver.write(port_id, message, self._context.clock.now_ns())
            port.done()
        tell()

    def _pull(self, joined: _Joined, source: QueuingSourcePort, tell: Callable[[], None]) -> None:
        """Driver to local channel, while that has room; `on_space` calls again."""
        for _ in range(MESSAGES_A_TURN_MAX):
            if not source.has_room():
                return
            message = joined.driver.read(joined.port_id)
            if message is None:
                return
            source.send(message)
        tell()

    def table(self) -> list[dict[str, Any]]:
        """The paper's tables, a row for each port."""
        return [_row(joined) for joined in self._joined]


def _copy(joined: _Joined, reader: SamplingDestinationPort, seen: list[int]) -> None:
    version = reader.version()
    sample = reader.sample()
    if sample is not None and version != seen[0]:
        seen[0] = version
        joined.driver.write(joined.port_id, *sample)


def _write_all(joined: _Joined, writer: SamplingSourcePort) -> None:
    while (message := joined.driver.read(joined.port_id)) is not None:
        writer.write(message)


def _nothing_passed() -> int:
    """Nobody counts the messages of a sampling port."""
    return 0


def _row(joined: _Joined) -> dict[str, Any]:
    data, status = joined.data, dict(joined.driver.status(joined.port_id))
    is_bound = bool(status.pop("is_bound", False))
    row: dict[str, Any] = {
        "PortID": joined.port_id,
        "MsgName": data.name,
        "MsgMaxSize": data.max_message_size,
        "MsgMaxNum": data.depth,
        "MsgQueueID": data.name,
    }
    if data.direction == SENDS:
        row["DestMsgQueueID"] = [data.number if is_bound else 0]
        row |= {"PsudoID": data.number, "DevHdr": joined.device, "EmptyFlag": not status.get("waiting", 0)}
    else:
        row["IsAssign"] = int(is_bound)
    return row | status
