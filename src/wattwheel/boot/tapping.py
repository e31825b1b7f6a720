"""`wattwheel bus --tap`: messages as they pass, for the operator at the control door, where the settings allow it.

A tap is a lease: it runs on while the operator's command asks for what has passed, and ends `LEASE_NS` after the last
time. Messages of the bus are copied by the bus itself (`services.bus_tap`), values of sampling channels are read as any
reader does; nothing is ever taken away from its destination.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from wattwheel.apex.messages import Control, DamagedMessageError, Kind, Message, unpack
from wattwheel.apex.partition import StartContext
from wattwheel.apex.tapping import (
    TAP_WISH_PORT,
    TAPPED_DEPTH,
    TAPPED_OCTETS_MAX,
    TAPPED_PORT,
    TAPS_MAX,
    WISH_OCTETS_MAX,
    Tapped,
)
from wattwheel.hil.ports import SamplingDestination
from wattwheel.kernel.config import KERNEL, ModuleConfig, PortEnd, QueuingChannelConfig, SamplingChannelConfig

BUS = "bus"
BUS_ENTRY = "wattwheel.services.bus:start"
LEASE_NS = 3_000_000_000
LOOK_NS = 100_000_000
"""How often sampling channels are looked at; values that were replaced in between are not seen."""
HELD_MAX = 256
REPLY_OCTETS_MAX = 4096
"""Of messages in one reply, before they are written out; a longer one comes alone."""
SHOWN_OCTETS_MAX = 8192
NOT_ALLOWED = 'taps are not allowed on this meter; set "tap = true" under [module] in its settings and start it again'


def with_tap(config: ModuleConfig) -> ModuleConfig:
    """`config` with the two channels between kernel and bus that taps need; as it is where it has no bus."""
    if not any(partition.name == BUS and partition.entry == BUS_ENTRY for partition in config.partitions):
        return config
    wish = SamplingChannelConfig(
        TAP_WISH_PORT, PortEnd(KERNEL, TAP_WISH_PORT), (PortEnd(BUS, TAP_WISH_PORT),), WISH_OCTETS_MAX, (BUS,)
    )
    tapped = QueuingChannelConfig(
        TAPPED_PORT, PortEnd(BUS, TAPPED_PORT), (PortEnd(KERNEL, TAPPED_PORT),), TAPPED_OCTETS_MAX, TAPPED_DEPTH
    )
    adapted = msgspec.structs.replace(
        config,
        queuing_channels=(*config.queuing_channels, tapped),
        sampling_channels=(*config.sampling_channels, wish),
    )
    adapted.check()
    return adapted


def channel_named(config: ModuleConfig, name: str) -> tuple[str, str]:
    """The channel that `name` (its own or PARTITION.PORT) means, and "bus", "sampling" or, for neither, ""."""
    for channel in config.queuing_channels:
        ends = (channel.source, *channel.destinations)
        if name in (channel.name, *(f"{end.partition}.{end.port}" for end in ends)):
            is_bus = channel.name in (f"{channel.source.partition}>bus", f"bus>{channel.destinations[0].partition}")
            return channel.name, "bus" if is_bus else ""
    for cell in config.sampling_channels:
        if name in (cell.name, *(f"{end.partition}.{end.port}" for end in (cell.source, *cell.destinations))):
            return cell.name, "sampling"
    return "", ""


class _Tap:
    """One operator's lease, and what has passed since he asked last."""

    def __init__(self, channel: str, cell: SamplingDestination | None, until_ns: int) -> None:
        self.channel, self.cell, self.until_ns = channel, cell, until_ns
        self.version = cell.version() if cell is not None else 0
        self.held: deque[tuple[str, bytes]] = deque()
        self.left_out = 0

    def add(self, at: str, octets: bytes) -> None:
        if len(self.held) >= HELD_MAX:
            self.left_out += 1
        else:
            self.held.append((at, octets))

    def taken(self) -> Iterator[dict[str, Any]]:
        """What has passed, as rows, as much as fits a reply."""
        size = 0
        while self.held and (not size or size + len(self.held[0][1]) <= REPLY_OCTETS_MAX):
            at, octets = self.held.popleft()
            size += len(octets)
            yield from rows(at, octets, is_bus=self.cell is None)


def rows(at: str, octets: bytes, is_bus: bool) -> list[dict[str, Any]]:
    """A passed message for people and programs: each message of the bus in it decoded, anything else as hex."""
    if is_bus:
        try:
            return [{"at": at, **_decoded(message)} for message in unpack(octets)]
        except DamagedMessageError as fault:
            return [{"at": at, "damaged": str(fault), "octets": octets.hex().upper()}]
    return [{"at": at, "length": len(octets), "octets": octets[:SHOWN_OCTETS_MAX].hex().upper()}]


def _decoded(message: Message) -> dict[str, Any]:
    is_kind = message.kind in Kind.__members__.values()
    is_control = message.control in Control.__members__.values()
    return {
        "kind": Kind(message.kind).name if is_kind else str(message.kind),
        "control": Control(message.control).name if is_control else f"{message.control:02X}",
        "di": f"{message.di:08X}",
        "ticket": message.ticket,
        "origin": message.origin,
        "error": message.error,
        "quality": message.quality,
        "data": message.data.hex().upper(),
    }


class Taps:
    """The kernel's side of all taps.

    Args:
        reader: makes a reading end of a sampling channel.
        log: gets a line for each tap that begins or ends.
    """

    def __init__(
        self,
        context: StartContext,
        config: ModuleConfig,
        reader: Callable[[str], SamplingDestination],
        log: Callable[[str], None],
        is_allowed: bool,
    ) -> None:
        self._config, self._reader, self._log, self._clock = config, reader, log, context.clock
        self._is_allowed = is_allowed
        self._taps: dict[int, _Tap] = {}
        self._cells: dict[str, SamplingDestination] = {}
        self._number = 0
        self._has_bus = is_allowed and context.has_port(TAPPED_PORT)
        if self._has_bus:
            self._wish = context.sampling_source(TAP_WISH_PORT)
            self._tapped = context.queuing_destination(TAPPED_PORT)
            bit = context.wheel.free_bit()
            context.wheel.task(bit, self._hear)
            self._tapped.on_message(context.wheel.poster(bit))

    def serve(self, request: dict[str, Any]) -> dict[str, Any]:
        """Begin the tap `{"tap": NAME}`, or go on with `{"tap": NAME, "number": N}`: what has passed meanwhile."""
        if not self._is_allowed:
            return {"refused": NOT_ALLOWED}
        number = request.get("number")
        tap = self._taps.get(number) if isinstance(number, int) else None
        if tap is None:
            name = str(request["tap"])
            channel, kind = channel_named(self._config, name)
            if not kind or (kind == "bus" and not self._has_bus):
                return {"refused": f"tap {name[:60]!r}: allowed: {', '.join(self._possible())}"[:2000]}
            if len(self._taps) >= TAPS_MAX:
                return {"refused": f"tap {name[:60]!r}: {TAPS_MAX} taps at a time are allowed, and there are as many"}
            number, tap = self._begin(channel, kind)
        tap.until_ns = self._clock.now_ns() + LEASE_NS
        left_out, tap.left_out = tap.left_out, 0
        return {"tap": tap.channel, "number": number, "left_out": left_out, "messages": list(tap.taken())}

    def _possible(self) -> list[str]:
        names = [channel.name for channel in self._config.queuing_channels]
        names += [cell.name for cell in self._config.sampling_channels]
        return [name for name in names if channel_named(self._config, name)[1] and name != TAP_WISH_PORT]

    def _begin(self, channel: str, kind: str) -> tuple[int, _Tap]:
        cell = None
        if kind == "sampling":
            cell = self._cells.get(channel) or self._reader(channel)
            self._cells[channel] = cell
        self._number += 1
        tap = self._taps[self._number] = _Tap(channel, cell, 0)
        self._log(f"tap of {channel} begins, asked for at the operator's door")
        self._tell_bus()
        if len(self._taps) == 1:
            self._look_later()
        return self._number, tap

    def _tell_bus(self) -> None:
        if self._has_bus:
            self._wish.write(msgspec.json.encode(sorted({tap.channel for tap in self._taps.values() if not tap.cell})))

    def _look_later(self) -> None:
        self._clock.call_at(self._clock.now_ns() + LOOK_NS, self._look)

    def _look(self) -> None:
        now = self._clock.now_ns()
        for number, tap in list(self._taps.items()):
            if tap.until_ns < now:
                del self._taps[number]
                self._log(f"tap of {tap.channel} has ended")
                self._tell_bus()
            elif tap.cell is not None and tap.cell.version() != tap.version:
                tap.version = tap.cell.version()
                sample = tap.cell.read()
                if sample is not None:
                    tap.add(self._at(), sample.message)
        if self._taps:
            self._look_later()

    def _hear(self) -> None:
        octets = self._tapped.receive()
        if octets is None:
            return
        try:
            tapped = msgspec.msgpack.decode(octets, type=Tapped)
        except (msgspec.DecodeError, UnicodeDecodeError):  # a bus that is not itself any more
            tapped = Tapped("", b"", 0)
        for tap in self._taps.values():
            if tap.cell is None:
                tap.left_out += tapped.left_out
                if tap.channel == tapped.channel:
                    tap.add(self._at(), tapped.octets)
        self._tapped.done()

    def _at(self) -> str:
        return self._clock.calendar().isoformat(timespec="milliseconds").replace("+00:00", "Z")
