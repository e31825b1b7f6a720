"""Metering management: the only partner of the metering core.

`start` is the partition's entry. It holds the device `core_link`, publishes the sampling port `readings`
(msgpack of `model.records.Readings`) and answers the bus for the private identifiers of `model.core_records`, and for
the harmonics (020Axxxx, 020Bxxxx), which are made of the core's newest cycle when somebody asks. What fee control
wants of the relay (sampling port `relay`) goes to the core.
The work is done by `metering_link.MeteringLink`, which knows neither ports nor bus.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, cast

import msgspec

from wattwheel.apex.bus import TO_BUS, BusPort
from wattwheel.apex.messages import DATA_OCTETS_MAX, Control, Message
from wattwheel.apex.partition import StartContext
from wattwheel.hil.octets import OctetChannel
from wattwheel.model import harmonics
from wattwheel.model.catalogue import item_2007
from wattwheel.model.communication_parameters import ADDRESS, address_of
from wattwheel.model.contacts import PLUG_CONTACTS, is_state
from wattwheel.model.core_records import CORE_REPORT_DI, HALF_CYCLES_DI, WAVEFORM_DI, Waveform
from wattwheel.model.errors import RemoteProtocolError
from wattwheel.model.harmonics import harmonic_item, is_harmonic
from wattwheel.model.private_items import MODULE_PLUG_DI, RELAY_DI, TERMINAL_DI
from wattwheel.model.pulse_parameters import pulses_of
from wattwheel.protocols.corelink import Kind
from wattwheel.protocols.corelink_bodies import Result, decode_events, decode_waveform, encode_since
from wattwheel.protocols.corelink_outputs import encode_flag, encode_plug_move, encode_pulses, encode_signal
from wattwheel.protocols.dlt645 import items
from wattwheel.services.metering_link import LOOK_NS, PUSH_NS, ClockState, MeteringLink
from wattwheel.services.standing_orders import RELAY_REPEAT_NS, StandingOrder

CORE_LINK = "core_link"
READINGS_PORT, PARAMETERS_PORT, RELAY_PORT = "readings", "parameters", "relay"
LINK_BIT, LOOK_BIT, CLOCK_BIT, RELAY_BIT, PARAMETERS_BIT = 1, 2, 3, 8, 9
ERR_OTHER, ERR_NO_DATA = 0x01, 0x02

FETCHED: dict[int, tuple[Kind, bytes, Callable[[bytes], object]]] = {
    WAVEFORM_DI: (Kind.WAVEFORM, b"", decode_waveform),
    HALF_CYCLES_DI: (Kind.HALF_CYCLES, encode_since(0), decode_events),
}
"""What is fetched from the core when it is asked: identifier -> request, its body, decoder of the answer."""


class MeteringSettings(msgspec.Struct, frozen=True):
    """Settings of the partition. `push_ns`: how often the core pushes."""

    meter_address: str
    push_ns: int = PUSH_NS


class RelayWish(msgspec.Struct, frozen=True):
    """Of what fee control tells: how the relay is to stand, where there is one."""

    mode: str = "none"
    is_open: bool = False


class _Partition:
    """The shell: channel, port and bus around one MeteringLink."""

    def __init__(self, context: StartContext) -> None:
        self._report, self._is_behind = context.report, False
        self._channel = cast(OctetChannel, context.device(CORE_LINK))
        readings = context.sampling_source(READINGS_PORT)
        settings = context.decode_settings(MeteringSettings)
        self._counters = context.counters
        self._first_address = settings.meter_address
        has_parameters, clock = context.has_port(PARAMETERS_PORT), context.clock
        self._parameters = context.sampling_destination(PARAMETERS_PORT) if has_parameters else None
        self.link = MeteringLink(
            clock=context.clock,
            send=self._channel.write,
            on_readings=lambda published: readings.write(msgspec.msgpack.encode(published)),
            meter_address=self._address,
            push_ns=settings.push_ns,
            clock_state=lambda: ClockState(clock.changes, clock.is_lost, clock.is_known, clock.is_doubtful),
        )
        self._relay = context.sampling_destination(RELAY_PORT) if context.has_port(RELAY_PORT) else None
        self._relay_order = StandingOrder(context.clock, self.link, Kind.SET_RELAY, RELAY_REPEAT_NS)
        self._pulse_order = StandingOrder(context.clock, self.link, Kind.SET_PULSES)
        self._parameters_heard: bytes | None = None
        if self._relay is not None:
            context.wheel.task(RELAY_BIT, self._hear_relay)
            self._relay.on_message(context.wheel.poster(RELAY_BIT))
            context.wheel.post(RELAY_BIT)
        context.wheel.task(CLOCK_BIT, self.link.clock_heard)
        context.clock.on_news(context.wheel.poster(CLOCK_BIT))
        context.wheel.task(LINK_BIT, self._drain)
        context.wheel.task(LOOK_BIT, self._look)
        self._channel.on_arrival(context.wheel.poster(LINK_BIT))
        context.wheel.post_every(LOOK_NS, LOOK_BIT)
        context.wheel.post(LINK_BIT)
        if self._parameters is not None:
            context.wheel.task(PARAMETERS_BIT, self._hear_parameters)
            self._parameters.on_message(context.wheel.poster(PARAMETERS_BIT))
            context.wheel.post(PARAMETERS_BIT)
        self._bus: BusPort | None = None
        if context.has_port(TO_BUS):
            self._bus = BusPort(context)
            self._bus.on_request(self.answer)
            self._bus.on_notice(self._hear)
        # Numbered, so that a repeated request gives no second pulse, and one that comes late moves nothing back.
        self._signals = self._moves = context.clock.now_ns()
        context.on_stop(self._show_counters)

    def _address(self) -> str:
        """The meter's address: what the APP `parameters` says, before that what the settings say."""
        octets = self._parameters.read()[0] if self._parameters is not None else None
        values = {} if octets is None else msgspec.msgpack.decode(octets, type=dict[int, bytes])
        return address_of(values.get(ADDRESS, b"")) or self._first_address

    def _drain(self) -> None:
        while octets := self._channel.read():
            self.link.arrived(octets)

    def _hear_relay(self) -> None:
        octets = self._relay.read()[0] if self._relay is not None else None
        if octets is not None:
            wish = msgspec.json.decode(octets, type=RelayWish)
            self._relay_order.want(None if wish.mode == "none" else encode_flag(wish.is_open))

    def _hear_parameters(self) -> None:
        octets = self._parameters.read()[0] if self._parameters is not None else None
        if octets is None or octets == self._parameters_heard:
            return
        self._parameters_heard = octets
        pulses = pulses_of(msgspec.msgpack.decode(octets, type=dict[int, bytes]))
        self._pulse_order.want(None if pulses is None else encode_pulses(*pulses))

    def _hear(self, message: Message) -> None:
        """A signal of the terminal is due."""
        if message.control == Control.OUTPUT and message.di == TERMINAL_DI and len(message.data) == 1:
            self._signals += 1
            self.link.ask(Kind.GIVE_SIGNAL, encode_signal(self._signals, message.data[0]), _ignore)

    def _look(self) -> None:
        self.link.look()
        self._relay_order.look()
        self._pulse_order.look()
        behind = self.link.behind_microjoule
        if bool(behind) is not self._is_behind:
            self._is_behind = bool(behind)
            told = f"its registers stand up to {behind} uJ below what it has told: they are shown as they were"
            self._report("core", told if behind else "its registers have passed what it had told before")
        self._show_counters()

    def _show_counters(self) -> None:
        for name, count in self.link.counters().items():
            self._counters.set(name, count)
        self._counters.set("octets_dropped", self._channel.dropped)

    def answer(self, request: Message) -> None:
        """Answer a bus request for one of the private identifiers."""
        assert self._bus is not None
        bus = self._bus
        if request.control == Control.LIST:  # single orders stand in their blocks
            bus.reply(request, b"".join(di.to_bytes(4, "little") for di in harmonics.BLOCKS))
        elif request.control == Control.CONTACT and request.di == RELAY_DI:
            held = _Fetch(bus, request, lambda body: None)
            if not self.link.ask(Kind.HOLD_RELAY, encode_flag(request.data == b"\x01"), held.answered):
                bus.reply(request, error=ERR_OTHER)
        elif request.control == Control.CONTACT and request.di == MODULE_PLUG_DI:
            self._move_plug(bus, request)
        elif request.control != Control.READ:
            bus.reply(request, error=ERR_NO_DATA)
        elif request.di == CORE_REPORT_DI:
            bus.reply(request, msgspec.msgpack.encode(self.link.report()))
        elif request.di in FETCHED:
            kind, body, decode = FETCHED[request.di]
            fetched = _Fetch(bus, request, decode)
            if not self.link.ask(kind, body, fetched.answered):
                bus.reply(request, error=ERR_OTHER)
        elif is_harmonic(request.di):
            fetched = _Fetch(bus, request, decode_waveform, partial(_harmonic_octets, request.di))
            if not self.link.ask(Kind.WAVEFORM, b"", fetched.answered):
                bus.reply(request, error=ERR_OTHER)
        else:
            bus.reply(request, error=ERR_NO_DATA)

    def _move_plug(self, bus: BusPort, request: Message) -> None:
        """The simulated plug is moved: answered when the core has recorded it, and its records are published."""
        name, _, state = request.data.decode("ascii", "replace").partition(" ")

        def answered(result: Result | None, body: bytes) -> None:
            is_done = result is Result.GOOD and self.link.plug.take(body)
            bus.reply(request, error=0 if is_done else ERR_OTHER)

        self._moves += 1
        is_plug = name in PLUG_CONTACTS and is_state(name, state)
        if not is_plug or not self.link.ask(Kind.MOVE_PLUG, encode_plug_move(self._moves, state), answered):
            bus.reply(request, error=ERR_OTHER)


def _ignore(result: Result | None, body: bytes) -> None:
    """A pulse that was not given is not given later."""


def _harmonic_octets(di: int, waveform: Waveform) -> bytes:
    """The octets of a harmonic item, none where the waveform has no such content."""
    value = harmonic_item(waveform, di)
    if value is None:
        return b""
    item = item_2007(di)
    return items.encode_int(item, value) if isinstance(value, int) else items.encode_ints(item, value)


class _Fetch:
    """A bus request that waits for the core."""

    def __init__(
        self,
        bus: BusPort,
        request: Message,
        decode: Callable[[bytes], Any],
        encode: Callable[[Any], bytes] = msgspec.msgpack.encode,
    ) -> None:
        self._bus, self._request, self._decode, self._encode = bus, request, decode, encode

    def answered(self, result: Result | None, body: bytes) -> None:
        """Pass the core's answer on: None when it stayed silent."""
        error = ERR_OTHER if result is None else ERR_NO_DATA
        data = b""
        if result is Result.GOOD:
            try:
                data = self._encode(self._decode(body))
            except RemoteProtocolError:
                error = ERR_OTHER
        if not 0 < len(data) <= DATA_OCTETS_MAX:
            self._bus.reply(self._request, error=error)
        else:
            self._bus.reply(self._request, data)


def start(context: StartContext) -> None:
    """Entry of the partition `metering`.

    Settings: JSON of `MeteringSettings`. Device: `core_link`. Ports: `readings` (sampling source) and, where
    configured, the pair to the bus.
    """
    _Partition(context)
