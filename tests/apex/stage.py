"""One partition's APEX under virtual time, with the far ends of its ports in the test's hands."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from wattwheel.apex.codes import OperatingMode
from wattwheel.apex.limits import INFINITE
from wattwheel.apex.partition import KERNEL_PORT, StartContext
from wattwheel.apex.process import ProcessAttributes
from wattwheel.apex.services import Apex
from wattwheel.drivers.sim.clock import SimClock
from wattwheel.drivers.sim.loop import SimLoop
from wattwheel.drivers.sim.ports import (
    SimQueuingChannel,
    SimQueuingDestination,
    SimQueuingSource,
    SimSamplingChannel,
    SimSamplingDestination,
    SimSamplingSource,
)
from wattwheel.drivers.spread import spread
from wattwheel.hil.ports import QueuingSource
from wattwheel.hil.process import BodySpec, PartitionFrame, QueuingPortSpec, SamplingPortSpec

MS = 1_000_000
REFRESH_NS = 1000 * MS
SIZE, DEPTH = 8, 2
QUEUING = {"q_in": "DESTINATION", "q_out": "SOURCE", "many": "SOURCE"}
LINKS = {"many": ("many.1", "many.2", "many.3")}
"""A port of more than one channel."""
SAMPLING = {"s_in": "DESTINATION", "s_out": "SOURCE"}


class LossySimDestination(SimQueuingDestination):
    """A receiving end that says to have lost messages when the test says so."""

    has_lost = False

    def take_overflow(self) -> bool:
        has_lost, LossySimDestination.has_lost = LossySimDestination.has_lost, False
        return has_lost


class Stage:
    """The partition, its services, and the world's half of its ports."""

    def __init__(self, frame: PartitionFrame | None = None, is_warm: bool = False, loop: SimLoop | None = None) -> None:
        self.clock = SimClock()
        self.loop = loop or SimLoop(self.clock)
        self.far = SimLoop(self.clock)
        LossySimDestination.has_lost = False
        links = [link for name in QUEUING for link in LINKS.get(name, (name,))]
        self.queues = {name: SimQueuingChannel(name, SIZE, DEPTH) for name in links}
        self.queues[KERNEL_PORT] = SimQueuingChannel(KERNEL_PORT, 1024, 32)
        self.cells = {name: SimSamplingChannel(name, SIZE, ()) for name in SAMPLING}
        ends = [
            QueuingPortSpec(name, direction, LINKS.get(name, (name,)), SIZE, DEPTH)
            for name, direction in QUEUING.items()
        ]
        ends.append(QueuingPortSpec(KERNEL_PORT, "SOURCE", (KERNEL_PORT,), 1024, 32))
        cells = [SamplingPortSpec(name, direction, name, SIZE, REFRESH_NS) for name, direction in SAMPLING.items()]
        spec = BodySpec("p", "x:y", b"{}", tuple(ends), tuple(cells), is_warm=is_warm, frame=frame, identifier=7)
        self.context = StartContext(spec, self.loop, self)
        self.loop.turn = self.context.wheel.turn
        self.apex = Apex(self.context)

    # -- apex.partition.PortMaker

    def queuing_source(self, port: str) -> QueuingSource:
        return spread([SimQueuingSource(self.queues[link], self.loop) for link in LINKS.get(port, (port,))])

    def queuing_destination(self, port: str) -> SimQueuingDestination:
        return LossySimDestination(self.queues[port], self.loop)

    def sampling_source(self, port: str) -> SimSamplingSource:
        return SimSamplingSource(self.cells[port], self.loop)

    def sampling_destination(self, port: str) -> SimSamplingDestination:
        return SimSamplingDestination(self.cells[port], self.loop, "p")

    def device(self, name: str) -> object:
        raise KeyError(name)

    # -- what tests do

    def process(
        self,
        entry: Callable[[], object],
        name: str = "",
        priority: int = 10,
        period_ns: int = INFINITE,
        capacity_ns: int = INFINITE,
        is_started: bool = True,
    ) -> int:
        """Create and start a process; must succeed."""
        name = name or f"process {len(self.apex._processes)}"
        identifier, code = self.apex.CREATE_PROCESS(ProcessAttributes(name, entry, priority, period_ns, capacity_ns))
        assert code == 0, code
        if is_started:
            assert self.apex.START(identifier) == 0
        return identifier

    def go(self, seconds: float = 0.0) -> None:
        """Enter NORMAL (if not there) and let time pass."""
        if self.apex.scheduler.mode is not OperatingMode.NORMAL:
            assert self.apex.SET_PARTITION_MODE(OperatingMode.NORMAL) == 0
        self.context.wheel.turn()
        self.clock.advance(seconds)

    def told(self) -> list[tuple[str, str, bool]]:
        """What the kernel was told, taken from its port."""
        messages = [msgspec.json.decode(octets) for octets in self.queues[KERNEL_PORT].messages]
        self.queues[KERNEL_PORT].messages.clear()
        return [(report["what"], report["detail"], report.get("is_handled", False)) for report in messages]

    def state(self, process: int) -> str:
        status, _ = self.apex.GET_PROCESS_STATUS(process)
        assert status is not None
        return status.process_state.name

    def send_to(self, port: str, *messages: bytes) -> None:
        """From the far side of a destination port."""
        source = SimQueuingSource(self.queues[port], self.far)
        for message in messages:
            assert source.send_nowait(message)

    def take_from(self, port: str) -> bytes | None:
        """At the far side of a source port."""
        end = SimQueuingDestination(self.queues[port], self.far)
        message = end.peek_nowait()
        if message is not None:
            end.consume()
        return message
