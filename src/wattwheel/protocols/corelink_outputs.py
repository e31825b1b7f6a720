"""Bodies of the requests for a core's outputs: relay, test pulses, multi-function terminal. See `corelink_bodies`."""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import NamedTuple

from wattwheel.model.contacts import PLUG_CONTACTS, allowed, is_state
from wattwheel.model.errors import RemoteProtocolError
from wattwheel.protocols.corelink_bodies import unpacked

PULSE_CONSTANT_MAX, PULSE_WIDTH_MS_MAX = 1_000_000, 9_999

_RELAY_ORDER = struct.Struct("<QB")
_PULSES = struct.Struct("<III")
_PULSE_ORDER = struct.Struct("<QIII")
_SIGNAL = struct.Struct("<QB")
_NUMBER = struct.Struct("<Q")


class RelayOrder(NamedTuple):
    """The position that the relay is to have. `number`: a later order has a higher one, a repeated one the same."""

    number: int
    is_open: bool


class PulseOrder(NamedTuple):
    """Meter constants and width of the test pulses. `number`: see `RelayOrder`."""

    number: int
    active_imp_per_kwh: int
    reactive_imp_per_kvarh: int
    width_ms: int


class TerminalSignal(IntEnum):
    """Signals of the multi-function terminal, by the octet of 1DH."""

    SECOND = 0x00
    DEMAND_PERIOD = 0x01
    SLOT_CHANGE = 0x02


def decode_relay_order(body: bytes) -> RelayOrder:
    """Order of a body. Raises RemoteProtocolError."""
    number, is_open = unpacked(_RELAY_ORDER, body)
    return RelayOrder(number, _flag(is_open))


def encode_pulses(active_imp_per_kwh: int, reactive_imp_per_kvarh: int, width_ms: int) -> bytes:
    """Body of SET_PULSES behind the number."""
    return _PULSES.pack(active_imp_per_kwh, reactive_imp_per_kvarh, width_ms)


def decode_pulse_order(body: bytes) -> PulseOrder:
    """Order of a body. Raises RemoteProtocolError."""
    order = PulseOrder(*unpacked(_PULSE_ORDER, body))
    constants, width_ms = order[1:3], order.width_ms
    if not (min(constants) >= 1 and max(constants) <= PULSE_CONSTANT_MAX and 1 <= width_ms <= PULSE_WIDTH_MS_MAX):
        allowed = f"constants of 1 to {PULSE_CONSTANT_MAX}, 1 to {PULSE_WIDTH_MS_MAX} ms"
        raise RemoteProtocolError(f"pulses {constants}, {width_ms} ms; allowed: {allowed}")
    return order


def encode_signal(number: int, signal: int) -> bytes:
    """Body of GIVE_SIGNAL: a pulse of a number that was given is not given again."""
    return _SIGNAL.pack(number, signal)


def decode_signal(body: bytes) -> tuple[int, TerminalSignal]:
    """Number and signal of a body. Raises RemoteProtocolError."""
    number, signal = unpacked(_SIGNAL, body)
    if signal not in set(TerminalSignal):
        raise RemoteProtocolError(f"signal {signal}; allowed: 0 to {max(TerminalSignal)}")
    return number, TerminalSignal(signal)


def decode_plug_move(body: bytes) -> tuple[int, str]:
    """Number (see `RelayOrder`) and state, in the words of `model.contacts`, of a body. Raises RemoteProtocolError."""
    state = body[_NUMBER.size :].decode("ascii", "replace")
    if len(body) < _NUMBER.size or not any(is_state(name, state) for name in PLUG_CONTACTS):
        raise RemoteProtocolError(f"plug {state[:20]!r}; allowed: {' or '.join(map(allowed, PLUG_CONTACTS))}")
    return int(_NUMBER.unpack_from(body)[0]), state


def encode_plug_move(number: int, state: str) -> bytes:
    """Body of MOVE_PLUG."""
    return _NUMBER.pack(number) + state.encode("ascii")


def encode_flag(flag: bool) -> bytes:
    """Body of HOLD_RELAY, and that of SET_RELAY behind the number."""
    return bytes((flag,))


def decode_flag(body: bytes) -> bool:
    """Flag of a body. Raises RemoteProtocolError."""
    if len(body) != 1:
        raise RemoteProtocolError(f"body of {len(body)} octets; allowed: 1")
    return _flag(body[0])


def _flag(octet: int) -> bool:
    if octet > 1:
        raise RemoteProtocolError(f"flag {octet}; allowed: 0 and 1")
    return bool(octet)
