"""Simulated wires: pairs of octet channels with every way in which real ones fail, and a door that makes connections.

A wire belongs to the world. A process holds one side of it while it lives; what has arrived and was not read yet waits
for the next holder, as it would in a serial driver.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from wattwheel.drivers.sim.clock import Action, SimClock
from wattwheel.drivers.sim.loop import SimLoop, Watch
from wattwheel.hil.octets import LineSettings, OctetChannel

BUFFER_OCTETS_MAX = 262_144
"""Octets under way and waiting on one side; what comes on top is dropped and counted."""

LATENCY_NS = 1000


class WireFaults(NamedTuple):
    """What a wire does to octets: chances for each write (`lost`, `garbled`, `split`) or each piece (`delayed`).

    Octets may be lost, damaged and late, in pieces of any size; none is invented and none overtakes another.
    `flips_max` bits are flipped at most where a write is garbled: 1 for protocols that add octets up as their check.
    """

    lost: float = 0.0
    garbled: float = 0.0
    split: float = 0.0
    delayed: float = 0.0
    delay_ns_max: int = 2_500_000_000
    flips_max: int = 8

    @property
    def is_quiet(self) -> bool:
        """True when nothing happens to the octets."""
        return not (self.lost or self.garbled or self.split or self.delayed)


QUIET = WireFaults()


class SimWire:
    """A full-duplex wire between `near` and `far`. `faults` may be changed at any time."""

    def __init__(
        self,
        clock: SimClock,
        chance: random.Random | None = None,
        faults: WireFaults = QUIET,
        octets_per_s: float | None = None,
        is_connection: bool = False,
        name: str = "wire",
    ) -> None:
        self.faults = faults
        self.clock = clock
        self.chance = chance or random.Random(0)
        self.octet_ns = 0.0 if octets_per_s is None else 1e9 / octets_per_s
        self.is_connection = is_connection
        self.is_mute = False  # swallows whatever is put on it
        self.name = name
        self.near, self.far = WireSide(self), WireSide(self)
        self.near.other, self.far.other = self.far, self.near


class WireSide:
    """One end of a wire: what has arrived at it, and who is told."""

    def __init__(self, wire: SimWire) -> None:
        self.wire = wire
        self.other = self
        self.arrived = bytearray()
        self.is_closed = False
        self.on_news: Action | None = None
        self._under_way = 0
        self._free_ns = 0

    def send(self, octets: bytes) -> int:
        """Put `octets` on the wire; how many of them it had no room for."""
        wire = self.wire
        if self.is_closed or self.other.is_closed:
            return len(octets)
        if wire.is_mute:
            return 0
        room = BUFFER_OCTETS_MAX - self.unread
        dropped = max(0, len(octets) - room)
        octets = octets[: len(octets) - dropped]
        pieces = [octets] if wire.faults.is_quiet else self._struck(octets)
        for piece in pieces:
            on_line_ns = LATENCY_NS + int(len(piece) * wire.octet_ns)
            arrival_ns = wire.clock.now_ns() + on_line_ns
            if wire.faults.delayed and wire.chance.random() < wire.faults.delayed:
                arrival_ns += wire.chance.randrange(wire.faults.delay_ns_max)
            self._free_ns = max(self._free_ns + on_line_ns, arrival_ns)  # what was sent before goes first
            self._under_way += len(piece)
            wire.clock.call_at(self._free_ns, partial(self._deliver, piece))
        return dropped

    @property
    def unread(self) -> int:
        """Octets that were sent and are under way, or wait for the other side."""
        return self._under_way + len(self.other.arrived)

    def _struck(self, octets: bytes) -> list[bytes]:
        """The pieces of `octets` that the faults leave."""
        chance, faults = self.wire.chance, self.wire.faults
        struck = bytearray(octets)
        if struck and chance.random() < faults.garbled:
            for _ in range(min(faults.flips_max, chance.choice((1, 1, 2, 8)))):
                struck[chance.randrange(len(struck))] ^= 1 << chance.randrange(8)
        if struck and chance.random() < faults.lost:
            start = chance.randrange(len(struck))
            del struck[start : start + chance.choice((1, 1, 2, 30, len(octets)))]
        if len(struck) < 2 or chance.random() >= faults.split:
            return [bytes(struck)]
        cuts = sorted(chance.sample(range(1, len(struck)), min(len(struck) - 1, chance.choice((1, 1, 2, 5)))))
        return [bytes(struck[start:end]) for start, end in zip([0, *cuts], [*cuts, len(struck)], strict=True)]

    def _deliver(self, piece: bytes) -> None:
        self._under_way -= len(piece)
        if not self.other.is_closed:
            self.other.arrived += piece
            self.other.tell()

    def close(self) -> None:
        """Hang up, behind whatever is still under way. A line cannot be hung up: its next holder goes on."""
        if self.wire.is_connection and not self.is_closed:
            self.is_closed = True
            self.wire.clock.call_at(max(self._free_ns, self.wire.clock.now_ns()) + LATENCY_NS, self.other.hang_up)

    def hang_up(self) -> None:
        """The other side has gone."""
        self.is_closed = True
        self.tell()

    def tell(self) -> None:
        """There is something to read, or the other side has gone."""
        if self.on_news is not None:
            self.on_news()


class SimChannel:
    """`hil.octets.OctetChannel` on one side of a wire, held by the process of `loop` (None: by the world itself)."""

    def __init__(self, side: WireSide, loop: SimLoop | None = None, name: str = "wire") -> None:
        self.name = name
        self.dropped = 0
        self._side, self._loop = side, loop
        self._is_given_back = False
        self._has_news = bool(side.arrived)
        self._watch: Watch | None = None

    def read(self) -> bytes:
        """All octets that have arrived."""
        if self._loop is not None:
            self._loop.operate()
        if self._is_given_back:
            return b""
        octets = bytes(self._side.arrived)
        self._side.arrived.clear()
        return octets

    def write(self, octets: bytes) -> None:
        """Send `octets` as far as there is room."""
        if self._loop is not None:
            self._loop.operate()
        self.dropped += len(octets) if self._is_given_back else self._side.send(octets)
        if self._loop is not None:
            self._loop.operate()

    def on_arrival(self, action: Callable[[], None] | None) -> None:
        """Call `action` whenever octets have come or the far end has gone; None: nobody."""
        side = self._side
        side.on_news = None
        if self._watch is not None:
            self._watch.is_ready, self._watch = _never, None
        if action is None:
            return
        if self._loop is None:
            side.on_news = action
            if side.arrived or side.is_closed:
                side.wire.clock.call_at(side.wire.clock.now_ns(), action)
            return
        self._watch = watch = self._loop.watch(self._is_ready, partial(self._call, action))

        def news() -> None:
            self._has_news = True
            watch.post()

        side.on_news = news

    def _is_ready(self) -> bool:
        """Octets wait, or the far end has gone and this one was not given back yet: that shows again and again."""
        side = self._side
        return not self._is_given_back and (self._has_news or bool(side.arrived) or side.is_closed)

    def _call(self, action: Action) -> None:
        self._has_news = False
        action()

    @property
    def unsent(self) -> int:
        """Octets that the far end has not read."""
        return self._side.unread

    @property
    def is_closed(self) -> bool:
        """True once the far end is gone for good and everything it sent was read, or this end was given back."""
        return self._is_given_back or (self._side.is_closed and not self._side.arrived)

    def configure(self, settings: LineSettings) -> None:
        """`hil.octets.LineControl`: an asynchronous octet takes start, eight data, parity and stop bits."""
        bits = 9 + (settings.parity != "N") + settings.stop_bits
        self._side.wire.octet_ns = 1e9 * bits / settings.baud

    def close(self) -> None:
        """Give the end back."""
        if not self._is_given_back:
            self._is_given_back = True
            self._side.on_news = None
            self._side.arrived.clear()
            self._side.close()


def channel_pair(wire: SimWire) -> tuple[SimChannel, SimChannel]:
    """Both ends of `wire`, held by the world."""
    return SimChannel(wire.near, None, f"{wire.name}.near"), SimChannel(wire.far, None, f"{wire.name}.far")


class SimLine:
    """A device of the process host: the far side of a wire. Octets not read wait for the partition's next body."""

    def __init__(self, wire: SimWire) -> None:
        self.wire = wire

    def open(self, loop: SimLoop) -> SimChannel:
        """The channel of a new body."""

        def let_go() -> None:
            self.wire.far.on_news = None

        loop.at_end(let_go)
        return SimChannel(self.wire.far, loop, self.wire.name)


class SimDoor:
    """A device of the process host: a listening door. Connections end with the body that took them."""

    def __init__(
        self, clock: SimClock, chance: random.Random | None = None, faults: WireFaults = QUIET, name: str = "door"
    ) -> None:
        self.name = name
        self.faults = faults
        self._clock, self._chance = clock, chance
        self._waiting: list[SimWire] = []
        self._listener: SimListener | None = None
        self._number = 0

    def connect(self) -> SimChannel:
        """A new connection: the head-end's end of it. It waits until a body takes it."""
        wire = self.dial()
        return SimChannel(wire.near, None, wire.name)

    def dial(self) -> SimWire:
        """The wire of a new connection, whose far side the body takes."""
        self._number += 1
        name = f"{self.name}/{self._number}"
        wire = SimWire(self._clock, self._chance, self.faults, is_connection=True, name=name)
        self._waiting.append(wire)
        if self._listener is not None:
            self._listener.tell()
        return wire

    def open(self, loop: SimLoop) -> SimListener:
        """The listener of a new body."""
        self._listener = SimListener(self._waiting, loop, self.name)
        return self._listener


class SimListener:
    """`hil.octets.Listener` of a simulated process."""

    def __init__(self, waiting: list[SimWire], loop: SimLoop, address: str) -> None:
        self.address = address
        self._waiting, self._loop = waiting, loop
        self._watch: Watch | None = None

    def on_connection(self, action: Callable[[OctetChannel], None]) -> None:
        """Call `action` with each new channel."""

        def accept() -> None:
            while self._waiting:
                wire = self._waiting.pop(0)
                channel = SimChannel(wire.far, self._loop, wire.name)
                self._loop.at_end(channel.close)
                action(channel)

        self._watch = self._loop.watch(lambda: bool(self._waiting), accept)

    def tell(self) -> None:
        """Somebody waits at the door."""
        if self._watch is not None:
            self._watch.post()

    def close(self) -> None:
        """Shut the door; open channels stay."""
        self._watch = None


def _never() -> bool:
    """What a watch that was taken back looks at."""
    return False
