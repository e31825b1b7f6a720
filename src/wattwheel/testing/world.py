"""A simulated world: one whole meter, its load, its wires and head-ends, in one process under virtual time.

The partitions are those of the real meter, unchanged. A seed decides every order of events and every fault, so a run
that failed is the same run again with the same seed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from wattwheel.boot.body import Entry
from wattwheel.boot.settings import Settings
from wattwheel.boot.sim_core import NOMINAL, VOLTAGE_MILLIVOLT, Shown
from wattwheel.boot.sim_meter import SimMeter
from wattwheel.drivers.sim.clock import POWER_UP, SimClock
from wattwheel.drivers.sim.octets import QUIET, SimChannel, WireFaults
from wattwheel.drivers.sim.storage import PowerCut
from wattwheel.kernel.config import ModuleConfig
from wattwheel.model.catalogue import find
from wattwheel.model.errors import NotAnswered
from wattwheel.model.records import REGISTERS
from wattwheel.protocols.dlt645.frame import ADDRESS_BROADCAST, Frame, FrameReader, encode
from wattwheel.protocols.dlt645.functions import Function2007
from wattwheel.protocols.dlt645.items import decode
from wattwheel.protocols.dlt645.master import REPLY_TIMEOUT_NS, Answer, Ask, ReadDialogue

KERNEL, METERING_CORE = "kernel", "metering_core"
READY_S_MAX = 10.0
POWER_OFF_S = 1.0
TCP, LINE = "tcp", "line"


class Faults(NamedTuple):
    """What the world does to a meter: faults of its wires."""

    core_link: WireFaults = QUIET
    line: WireFaults = QUIET


NO_FAULTS = Faults()
ROUGH_LINK = WireFaults(lost=0.1, garbled=0.1, split=0.3, delayed=0.2)
ROUGH_LINE = WireFaults(lost=0.1, garbled=0.1, split=0.3, delayed=0.1, delay_ns_max=400_000_000, flips_max=1)
"""DL/T 645 adds octets up: of two flipped bits it does not always see both, of one it does."""

ROUGH = Faults(ROUGH_LINK, ROUGH_LINE)


def simulated_settings(**changes: Mapping[str, Any]) -> Settings:
    """Defaults of a meter without a page, in a loop of its own kind, for the voltage of the world's load.

    `changes`: of sections, by their names: `meter={"current_ratio": 1}`.
    """
    settings = Settings()
    own: dict[str, dict[str, Any]] = {
        "web": {"enabled": False},
        "meter": {"nominal_voltage_v": VOLTAGE_MILLIVOLT / 1000},
    }
    for section, fields in changes.items():
        own[section] = {**own.get(section, {}), **fields}
    sections = {name: msgspec.structs.replace(getattr(settings, name), **fields) for name, fields in own.items()}
    return msgspec.structs.replace(settings, **sections)


class World:
    """A meter and everything around it. Made, it has power, and time stands still."""

    def __init__(
        self,
        seed: int = 0,
        faults: Faults = NO_FAULTS,
        settings: Settings | None = None,
        calendar: datetime = POWER_UP,
        entries: Mapping[str, Entry] | None = None,
        adapt: Callable[[ModuleConfig], ModuleConfig] | None = None,
    ) -> None:
        self.seed = seed
        self.chance = random.Random(seed)
        self.clock = SimClock(calendar, self.chance)
        self.meter = SimMeter(
            self.clock,
            self.chance,
            settings or simulated_settings(),
            link_faults=faults.core_link,
            line_faults=faults.line,
            entries=entries,
            adapt=adapt,
        )
        self.power_cuts = 0
        self._doors: dict[str, SimChannel] = {}

    # -- time --------------------------------------------------------------------------------------------------

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass. A cut of the supply in them is survived: the power comes back after `POWER_OFF_S`."""
        end = self.clock.now_ns() + round(seconds * 1e9)
        while self.clock.now_ns() < end:
            try:
                self.clock.advance((end - self.clock.now_ns()) / 1e9)
            except PowerCut:
                self._power_lost()

    def advance_until(self, condition: Callable[[], bool], seconds_max: float) -> bool:
        """Let time pass until `condition` holds. False: it did not within `seconds_max`."""
        end = self.clock.now_ns() + round(seconds_max * 1e9)
        while self.clock.now_ns() < end:
            try:
                return self.clock.advance_until(condition, (end - self.clock.now_ns()) / 1e9)
            except PowerCut:
                self._power_lost()
        return condition()

    def await_ready(self) -> None:
        """Let time pass until every partition is NORMAL and energy is answered. AssertionError: it never is."""

        def is_ready() -> bool:
            return self.meter.is_normal and bool(self.published("snapshot"))

        assert self.advance_until(is_ready, READY_S_MAX), f"not ready after {READY_S_MAX} s: {self.meter.log[-5:]}"

    def _power_lost(self) -> None:
        self.power_cuts += 1
        self._doors.clear()
        self.meter.lose_power()
        self.clock.call_at(self.clock.now_ns() + round(POWER_OFF_S * 1e9), self.meter.power_up)

    # -- what happens to the meter -----------------------------------------------------------------------------

    @property
    def names(self) -> list[str]:
        """What can be killed: every partition, the kernel with all of them, the metering core."""
        return [*self.meter.module.partitions, KERNEL, METERING_CORE]

    def kill(self, name: str) -> None:
        """kill -9 between two of its tasks. Harmless when it is dead already. KeyError: nothing has that name."""
        if name == METERING_CORE:
            self.meter.core.kill()
        elif name == KERNEL:
            self._doors.clear()
            self.meter.kill_kernel()
        else:
            body = self.meter.body(name)
            if body is not None:
                body.kill()

    def kill_within(self, name: str, operations: int | None) -> None:
        """kill -9 in the middle of its work: after `operations` more operations on ports and devices; None: no more."""
        if name == METERING_CORE:
            self.meter.core.kill_within(operations)
        else:
            body = self.meter.body(name)
            if body is not None:
                body.kill_within(operations)

    def cut_power_at_write(self, writes: int) -> None:
        """Cut the supply in the middle of a write to the disk: of the one after `writes` others."""
        self.meter.disk.cut_at_write = self.meter.disk.writes + 1 + writes

    def set_power(
        self,
        *active_w: float,
        reactive_var: Sequence[float] = (),
        voltage_v: Sequence[float] = (),
        current_a: Sequence[float] = (),
        is_reversed: bool = False,
        neutral_a: float | None = None,
    ) -> None:
        """Let these powers flow from now on: one number shared by all phases, or one a phase.

        `voltage_v`, `current_a`: of the phases, where they shall not be those that go with the powers at 220 V.
        `is_reversed`: the voltages turn a-c-b. `neutral_a`: what a single-phase meter measures in its neutral; None:
        it does not.
        """
        phases = active_w if len(active_w) == 3 else tuple(active_w[0] / 3 for _ in range(3))
        reactive = reactive_var or (0.0, 0.0, 0.0)
        shown = Shown(
            [round(1000 * each) for each in voltage_v] or NOMINAL.millivolt,
            [round(1e6 * each) for each in current_a] or None,
            is_reversed,
            0 if self.meter.settings.meter.wiring != "1p2w" else None if neutral_a is None else round(1e6 * neutral_a),
        )
        self.meter.load.set([round(p * 1000) for p in phases], [round(q * 1000) for q in reactive], shown)

    def quiet(self) -> None:
        """No more faults on any wire for what is sent from now on, and no more deaths that were planned."""
        self.meter.core_link.faults = self.meter.line.faults = self.meter.door.faults = QUIET
        for channel in self._doors.values():
            channel.close()
        self._doors.clear()
        for body in self.meter.host.bodies.values():
            body.kill_within(None)
        self.meter.core.kill_within(None)

    # -- what a head-end sees ----------------------------------------------------------------------------------

    def channel(self, door: str = TCP) -> SimChannel:
        """A head-end's end of a channel: a new connection, or the serial line."""
        return self.meter.door.connect() if door == TCP else SimChannel(self.meter.line.near, None, "head-end")

    def ask(self, di: int, door: str = TCP, tries: int = 3, parameters: bytes = b"") -> Answer:
        """What the meter says to a read of `di`, asked with real frames; `parameters`: octets behind the identifier.

        Raises NotAnswered.
        """
        channel = self._doors.get(door)
        if channel is None or channel.is_closed:
            channel = self._doors[door] = self.channel(door)
        channel.read()  # a late answer to an earlier question
        dialogue = ReadDialogue([Ask(di, parameters=parameters)], self.meter.settings.meter.address, tries=tries)
        step = dialogue.start()
        while not step.is_done:
            channel.write(step.octets)
            self._await_octets(channel)
            octets = channel.read()
            step = dialogue.receive(octets) if octets else dialogue.time_out()
            if channel.is_closed:
                self._doors.pop(door, None)
                raise NotAnswered(f"{di:08X}: the connection was closed")
        return step.answers[0]

    def request(self, control: int, data: bytes, door: str = TCP) -> tuple[int, bytes] | None:
        """Control octet and data field of the meter's reply to one frame to its own address; None: it kept silent."""
        reader = FrameReader()
        with closing(self.channel(door)) as channel:  # the meter takes only so many connections at once
            channel.write(encode(Frame(self.meter.settings.meter.address, control, data)))
            end = self.clock.now_ns() + REPLY_TIMEOUT_NS
            while self.clock.now_ns() < end:
                self._await_octets(channel)
                for frame in reader.feed(channel.read()):
                    return frame.control, frame.data
                if channel.is_closed:
                    return None
        return None

    def broadcast(self, control: int, data: bytes, door: str = TCP) -> bytes:
        """Send one frame to everybody. Octets that came back within a second, which is an error."""
        with closing(self.channel(door)) as channel:
            channel.write(encode(Frame(ADDRESS_BROADCAST, control, data)))
            self.advance(1)
            return channel.read()

    def write(self, di: int, octets: bytes, level: int, password: str, operator: int = 0) -> tuple[int, bytes] | None:
        """The meter's reply to 14H; `password`: six digits."""
        authority = bytes((level,)) + bytes.fromhex(password)[::-1] + operator.to_bytes(4, "little")
        return self.request(Function2007.WRITE, di.to_bytes(4, "little") + authority + octets)

    def _await_octets(self, channel: SimChannel) -> None:
        has_news = False

        def news() -> None:
            nonlocal has_news
            has_news = True

        channel.on_arrival(news)
        self.advance_until(lambda: has_news, REPLY_TIMEOUT_NS / 1e9)

    def read(self, item: str | int, door: str = TCP) -> int | str | None:
        """The value of an item, by name, hex digits or identifier: a number in units of its last digit, or a text.

        Raises UnknownItem, NotAnswered, and Refused with the meter's error.
        """
        row = find(item if isinstance(item, str) else f"{item:08X}")
        data = self.ask(row.di, door).check()
        decoded = decode(row, data)
        return decoded.number if decoded.number is not None else decoded.text

    def press(self, button: str, held_s: float = 0.0) -> bool:
        """Press a button and hold it so long; True when somebody took it."""
        replies: list[bool] = []
        self.meter.press(button, held_s, lambda reply: replies.append(reply is not None and not reply.error))
        self.advance_until(lambda: bool(replies), 2.0)
        return bool(replies) and replies[0]

    # -- what only the world knows -----------------------------------------------------------------------------

    def true_microjoule(self, register: str = "import_active") -> int:
        """Energy that has flowed since the beginning, metered or not."""
        return self.meter.load.registers()[REGISTERS.index(register)]

    def metered_microjoule(self, register: str = "import_active") -> int:
        """Energy in the metering core's own register."""
        return self.meter.core.books.registers()[REGISTERS.index(register)]

    def published(self, channel: str) -> bytes | None:
        """The newest message of a sampling channel."""
        sample = self.meter.host.sampling[channel].newest
        return None if sample is None else sample.message

    def counters(self) -> dict[str, dict[str, int]]:
        """What the partitions count."""
        return self.meter.module.counters()

    def restarts(self) -> dict[str, int]:
        """Restarts of each partition since the kernel's last start."""
        return {name: partition.restarts for name, partition in self.meter.module.partitions.items()}
