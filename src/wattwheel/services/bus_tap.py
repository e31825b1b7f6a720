"""The tap of the bus: copies of what passes through a partner's ports, for the kernel, while somebody asks for them.

Nobody pays for it while nobody listens: a listener is put around a port's own functions and taken off again. Secrets
never leave the bus: data pass for the few control codes that carry none, and never for keys and passwords.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from wattwheel.apex.messages import HEAD, HEAD_OCTETS, Control
from wattwheel.apex.partition import StartContext
from wattwheel.apex.ports import QueuingDestinationPort, QueuingSourcePort
from wattwheel.apex.tapping import TAP_WISH_PORT, TAPPED_PORT, Tapped

TAPPED_A_SECOND_MAX = 200
OPEN_CONTROLS = frozenset(
    {int(control) for control in (Control.BROADCAST_TIME, Control.READ, Control.LIST, Control.PRESS)}
)
"""Control codes whose data may be shown. All others may carry a password or a key (14H, 18H, 19H to 1CH, 03H)."""
SECRET_PREFIXES = ((0x04000C, 8),)
"""Identifiers that are blanked whatever is done with them, as (value, number of bits that follow it): passwords."""
_NS_A_SECOND = 1_000_000_000


def blanked(octets: bytes) -> bytes:
    """`octets` of a port message with every secret, and whatever is no bus message, replaced by zeros."""
    shown = bytearray(octets)
    at, end = 0, len(octets)
    while at < end:
        data_at = at + HEAD_OCTETS
        if data_at > end:
            break
        _kind, control, _error, _quality, length, _origin, _ticket, di = HEAD.unpack_from(octets, at)
        if data_at + length > end:
            break
        if control not in OPEN_CONTROLS or any(di >> bits == value for value, bits in SECRET_PREFIXES):
            shown[data_at : data_at + length] = bytes(length)
        at = data_at + length
    shown[at:] = bytes(end - at)
    return bytes(shown)


class BusTap:
    """Listens at the ports of the bus for as long as the kernel wishes.

    Args:
        ports: name of the partner -> its port to the bus and the port to it.
    """

    def __init__(
        self, context: StartContext, ports: Mapping[str, tuple[QueuingDestinationPort, QueuingSourcePort]]
    ) -> None:
        self._now_ns = context.clock.now_ns
        self._out = context.queuing_source(TAPPED_PORT)
        self._wish = context.sampling_destination(TAP_WISH_PORT)
        self._listen_at: dict[str, Callable[[], Callable[[], None]]] = {}
        for name, (incoming, outgoing) in ports.items():
            self._listen_at[f"{name}>bus"] = self._at_destination(f"{name}>bus", incoming)
            self._listen_at[f"bus>{name}"] = self._at_source(f"bus>{name}", outgoing)
        self._let_go: dict[str, Callable[[], None]] = {}
        self._second = self._in_second = self._left_out = 0
        bit = context.wheel.free_bit()
        context.wheel.task(bit, self._heed)
        self._wish.on_message(context.wheel.poster(bit))
        context.wheel.post(bit)  # the wish outlives a bus that has died

    def _heed(self) -> None:
        octets = self._wish.read()[0]
        wanted = set(msgspec.json.decode(octets, type=list[str])) if octets else set()
        for channel in [channel for channel in self._let_go if channel not in wanted]:
            self._let_go.pop(channel)()
        for channel in sorted(wanted):
            if channel in self._listen_at and channel not in self._let_go:
                self._let_go[channel] = self._listen_at[channel]()

    def _at_destination(self, channel: str, port: QueuingDestinationPort) -> Callable[[], Callable[[], None]]:
        def listen() -> Callable[[], None]:
            plain = port.receive

            def receive() -> bytes | None:
                octets = plain()
                if octets is not None:
                    self._copy(channel, octets)
                return octets

            port.receive = receive

            def let_go() -> None:
                port.receive = plain

            return let_go

        return listen

    def _at_source(self, channel: str, port: QueuingSourcePort) -> Callable[[], Callable[[], None]]:
        def listen() -> Callable[[], None]:
            plain = port.send

            def send(message: bytes) -> bool:
                is_sent = plain(message)
                if is_sent:
                    self._copy(channel, message)
                return is_sent

            port.send = send

            def let_go() -> None:
                port.send = plain

            return let_go

        return listen

    def _copy(self, channel: str, octets: bytes) -> None:
        second = self._now_ns() // _NS_A_SECOND
        if second != self._second:
            self._second, self._in_second = second, 0
        self._in_second += 1
        if self._in_second > TAPPED_A_SECOND_MAX:
            self._left_out += 1
        elif self._out.send(msgspec.msgpack.encode(Tapped(channel, blanked(octets), self._left_out))):
            self._left_out = 0
        else:
            self._left_out += 1
