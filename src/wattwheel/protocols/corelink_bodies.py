"""Bodies of the core link's messages: fixed structs, every field bounded, least significant octet first.

Encoding saturates what a momentary value can be at the bounds of its field; decoding refuses what lies outside with
RemoteProtocolError, and nothing else.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Any, NamedTuple

from wattwheel.model.core_records import WAVEFORM_POINTS, CoreIdentity, CoreStatus, HalfCycleEvent, PhaseWave, Waveform
from wattwheel.model.errors import RemoteProtocolError
from wattwheel.model.records import REGISTER_COUNT, REGISTER_COUNT_BEFORE, ElementReading, Momentary, widened

REGISTER_MAX = 2**63 - 1
"""Microjoule: 2.56 GWh, more than the eight digits of a meter can show."""

WITH_MOMENTARY = 0x01
WITH_STATUS = 0x02
"""Bits of `Totals.contents`: messages of the same number that belong to this push."""

EVENTS_A_REPLY_MAX = 32
PHASES_MAX = 3


class Result(IntEnum):
    """First octet of every answer; only with GOOD does a body follow."""

    GOOD = 0
    UNKNOWN = 1  # the far end does not know this request
    REFUSED = 2  # not allowed
    NOT_AVAILABLE = 3  # nothing there yet
    BAD_REQUEST = 4  # a body that cannot be read or a value out of bounds


class Totals(NamedTuple):
    """Running totals at a push.

    Attributes:
        contents: WITH_ bits.
        starts: starts of the core in its life.
        pulses: active, reactive test pulses since the first start.
        microjoule: the registers in the order of `model.records.EnergyTotals`.
    """

    contents: int
    starts: int
    pulses: tuple[int, int]
    microjoule: tuple[int, ...]


class Nominal(NamedTuple):
    """Parameters that the core needs: voltage, frequency, no-load threshold, pulses."""

    voltage_millivolt: int
    frequency_millihertz: int
    no_load_milliwatt: int
    meter_constant_imp_per_kwh: int


NOMINAL_LIMITS = Nominal(1_000_000, 70_000, 1_000_000, 1_000_000)
NOMINAL_LIMITS_LOW = Nominal(10_000, 40_000, 0, 1)


class CalendarTime(NamedTuple):
    """The meter's calendar: UTC milliseconds since 2000-01-01, and whether it may be trusted."""

    milliseconds: int
    is_valid: bool


_I32, _I64 = 2**31 - 1, 2**63 - 1
_ELEMENT_LIMITS = (
    (0, _I64),
    (-_I64, _I64),
    (-_I64, _I64),
    (-_I64, _I64),
    (0, _I64),
    (-1_100_000, 1_100_000),
    (-360_000, 360_000),
    (-360_000, 360_000),
    (0, _I32),
    (0, _I32),
)
_TAIL_LIMITS = ((0, _I32), (0, _I64), (0, _I32), (0, _I32))
_TOTALS = struct.Struct(f"<BIQQ{REGISTER_COUNT}Q")
_TOTALS_BEFORE = struct.Struct(f"<BIQQ{REGISTER_COUNT_BEFORE}Q")  # of a core that keeps no apparent energy
_ELEMENT = struct.Struct("<H5q5i")
_TAIL = struct.Struct("<BBiqii")
_STATUS = struct.Struct("<IBQQIIII")
_STATUS_TAIL = struct.Struct("<BQQ")
_STATUS_PLUG = struct.Struct("<QI")
_RELAY_WORDS: tuple[bool | None, ...] = (None, False, True)
_IDENTITY = struct.Struct("<16s32sBQ6s")
_WAVE_HEAD = struct.Struct("<IB")
_WAVE_PHASE = struct.Struct(f"<II{2 * WAVEFORM_POINTS}h")
_EVENT = struct.Struct("<QBBQII")
_NOMINAL = struct.Struct("<IIII")
_CALENDAR = struct.Struct("<QB")
_SINCE = struct.Struct("<Q")
_ADDRESS_DIGITS = 12
_CALENDAR_MAX_MS = 100 * 366 * 86_400_000


def encode_totals(totals: Totals) -> bytes:
    """Body of TOTALS."""
    return _TOTALS.pack(totals.contents, totals.starts, *totals.pulses, *totals.microjoule)


def decode_totals(body: bytes) -> Totals:
    """Totals of a body; without apparent energy where the core keeps none. Raises RemoteProtocolError."""
    layout = _TOTALS_BEFORE if len(body) == _TOTALS_BEFORE.size else _TOTALS
    contents, starts, active, reactive, *registers = unpacked(layout, body)
    if contents > WITH_MOMENTARY | WITH_STATUS or max(active, reactive, *registers) > REGISTER_MAX:
        raise RemoteProtocolError(f"totals: a register or pulse count above {REGISTER_MAX}, or contents {contents}")
    return Totals(contents, starts, (active, reactive), widened(registers))


def encode_momentary(momentary: Momentary) -> bytes:
    """Body of MOMENTARY: four elements and what belongs to the whole meter; a mask says which values are absent."""
    body = b"".join(_ELEMENT.pack(*_masked(_fields_of(element), _ELEMENT_LIMITS)) for element in momentary.elements)
    mask, frequency, neutral, voltage, current = _masked(
        (
            momentary.frequency_millihertz,
            momentary.neutral_current_microampere,
            momentary.voltage_unbalance_millipercent,
            momentary.current_unbalance_millipercent,
        ),
        _TAIL_LIMITS,
    )
    return body + _TAIL.pack(mask, momentary.sequence_reversed, frequency, neutral, voltage, current)


def decode_momentary(body: bytes) -> Momentary:
    """Momentary values of a body. Raises RemoteProtocolError."""
    if len(body) != 4 * _ELEMENT.size + _TAIL.size:
        raise RemoteProtocolError(f"momentary values of {len(body)} octets")
    elements = [
        ElementReading(*_unmasked(_ELEMENT.unpack_from(body, place * _ELEMENT.size), _ELEMENT_LIMITS))
        for place in range(4)
    ]
    mask, reversed_, *values = _TAIL.unpack_from(body, 4 * _ELEMENT.size)
    frequency, neutral, voltage, current = _unmasked((mask, *values), _TAIL_LIMITS)
    if reversed_ > 1:
        raise RemoteProtocolError(f"phase sequence flag {reversed_}; allowed: 0 and 1")
    return Momentary(
        (elements[0], elements[1], elements[2], elements[3]), frequency, neutral, bool(reversed_), voltage, current
    )


def encode_status(status: CoreStatus) -> bytes:
    """Body of STATUS. Counters saturate at the bound of their field; tails: of outputs, of plug events."""
    u32, u64 = 2**32 - 1, 2**64 - 1
    body = _STATUS.pack(
        status.faults,
        status.no_load,
        min(status.lost_samples, u64),
        min(status.uptime_ms, u64),
        min(status.starts, u32),
        min(status.memory_faults, u32),
        min(status.damaged_slots, u32),
        min(status.unknown_messages, u32),
    )
    if status.has_outputs:
        relay = _RELAY_WORDS.index(status.relay_open)
        body += _STATUS_TAIL.pack(relay, min(status.pulses_given, u64), min(status.pulses_dropped, u64))
    return body + (_STATUS_PLUG.pack(status.plug_epoch, status.plug_count) if status.plug_count else b"")


def decode_status(body: bytes) -> CoreStatus:
    """Status of a body; unknown fault bits stay. Raises RemoteProtocolError."""
    head, tail, has_outputs, outputs, plug = body[: _STATUS.size], body[_STATUS.size :], False, (0, 0, 0), (0, 0)
    if len(tail) in (_STATUS_PLUG.size, _STATUS_TAIL.size + _STATUS_PLUG.size):
        plug = _STATUS_PLUG.unpack_from(tail, len(tail) - _STATUS_PLUG.size)
        tail = tail[: -_STATUS_PLUG.size]
    if tail:
        has_outputs, outputs = True, unpacked(_STATUS_TAIL, tail)
    relay, given, dropped = outputs
    if relay >= len(_RELAY_WORDS):
        raise RemoteProtocolError(f"relay {relay}; allowed: 0 to {len(_RELAY_WORDS) - 1}")
    return CoreStatus(*(*unpacked(_STATUS, head), has_outputs, _RELAY_WORDS[relay], given, dropped, *plug))


def encode_identity(identity: CoreIdentity) -> bytes:
    """Body of the answer to IDENTIFY (after the result octet)."""
    return _IDENTITY.pack(
        identity.software.encode("ascii", "replace")[:16],
        bytes.fromhex(identity.checksum),
        identity.phases,
        identity.rate_millihertz,
        encode_address(identity.meter_address) if identity.meter_address else b"\xff" * 6,
    )


def decode_identity(body: bytes) -> CoreIdentity:
    """Identity of a body. Raises RemoteProtocolError."""
    software, checksum, phases, rate, address = unpacked(_IDENTITY, body)
    text = software.rstrip(b"\0")
    if not 1 <= phases <= PHASES_MAX or not text.isascii() or not text.decode("ascii", "replace").isprintable():
        raise RemoteProtocolError(f"core identity: software {text!r}, {phases} phases")
    return CoreIdentity(
        text.decode(),
        checksum.hex() if any(checksum) else "",
        phases,
        rate,
        "" if address == b"\xff" * 6 else decode_address(address),
    )


def encode_waveform(waveform: Waveform) -> bytes:
    """Body of the answer to WAVEFORM: per phase two step sizes and points of 16 bits."""
    return _WAVE_HEAD.pack(waveform.frequency_millihertz, len(waveform.phases)) + b"".join(
        _WAVE_PHASE.pack(wave.voltage_step_microvolt, wave.current_step_nanoampere, *wave.voltage, *wave.current)
        for wave in waveform.phases
    )


def decode_waveform(body: bytes) -> Waveform:
    """Waveform of a body. Raises RemoteProtocolError."""
    phases = body[_WAVE_HEAD.size - 1] if len(body) >= _WAVE_HEAD.size else 0
    if not 1 <= phases <= PHASES_MAX or len(body) != _WAVE_HEAD.size + phases * _WAVE_PHASE.size:
        raise RemoteProtocolError(f"waveform of {len(body)} octets")
    waves = []
    for fields in _WAVE_PHASE.iter_unpack(body[_WAVE_HEAD.size :]):
        points = fields[2:]
        waves.append(PhaseWave(fields[0], fields[1], points[:WAVEFORM_POINTS], points[WAVEFORM_POINTS:]))
    return Waveform(_WAVE_HEAD.unpack_from(body)[0], tuple(waves))


def encode_events(events: list[HalfCycleEvent]) -> bytes:
    """Body of the answer to HALF_CYCLES: the oldest EVENTS_A_REPLY_MAX of `events`."""
    return b"".join(
        _EVENT.pack(e.number, e.phase, e.kind, e.first_sample, min(e.half_cycles, 2**32 - 1), e.extreme_millivolt)
        for e in events[:EVENTS_A_REPLY_MAX]
    )


def decode_events(body: bytes) -> list[HalfCycleEvent]:
    """Half-cycle events of a body. Raises RemoteProtocolError."""
    if len(body) % _EVENT.size or len(body) > EVENTS_A_REPLY_MAX * _EVENT.size:
        raise RemoteProtocolError(f"half-cycle events of {len(body)} octets")
    return [HalfCycleEvent(*fields) for fields in _EVENT.iter_unpack(body)]


def encode_nominal(nominal: Nominal) -> bytes:
    """Body of SET_NOMINAL."""
    return _NOMINAL.pack(*nominal)


def decode_nominal(body: bytes) -> Nominal:
    """Parameters of a body, within NOMINAL_LIMITS. Raises RemoteProtocolError."""
    nominal = Nominal(*unpacked(_NOMINAL, body))
    for name, low, value, high in zip(Nominal._fields, NOMINAL_LIMITS_LOW, nominal, NOMINAL_LIMITS, strict=True):
        if not low <= value <= high:
            raise RemoteProtocolError(f"{name} {value}; allowed: {low} to {high}")
    return nominal


def encode_calendar(calendar: CalendarTime) -> bytes:
    """Body of the answer to CALENDAR."""
    return _CALENDAR.pack(calendar.milliseconds, calendar.is_valid)


def decode_calendar(body: bytes) -> CalendarTime:
    """Calendar time of a body. Raises RemoteProtocolError."""
    milliseconds, is_valid = unpacked(_CALENDAR, body)
    if milliseconds > _CALENDAR_MAX_MS or is_valid > 1:
        raise RemoteProtocolError(f"calendar time of {milliseconds} ms since 2000; allowed: one century")
    return CalendarTime(milliseconds, bool(is_valid))


def encode_since(number: int) -> bytes:
    """Body of HALF_CYCLES: only events with a higher number are wanted."""
    return _SINCE.pack(number)


def decode_since(body: bytes) -> int:
    """Number of a HALF_CYCLES request. Raises RemoteProtocolError."""
    return int(unpacked(_SINCE, body)[0])


def encode_address(digits: str) -> bytes:
    """Body of the answer to METER_ADDRESS: 12 digits as BCD, lowest two first."""
    assert len(digits) == _ADDRESS_DIGITS
    return bytes.fromhex(digits)[::-1]


def decode_address(body: bytes) -> str:
    """The 12 digits of a body. Raises RemoteProtocolError."""
    digits = body[::-1].hex()
    if len(digits) != _ADDRESS_DIGITS or not digits.isdecimal():
        raise RemoteProtocolError(f"meter address {digits!r}; allowed: {_ADDRESS_DIGITS} digits")
    return digits


def unpacked(layout: struct.Struct, body: bytes) -> tuple[Any, ...]:
    """The fields of a body of one layout. Raises RemoteProtocolError for another length."""
    if len(body) != layout.size:
        raise RemoteProtocolError(f"body of {len(body)} octets; allowed: {layout.size}")
    return layout.unpack(body)


def _fields_of(element: ElementReading) -> tuple[int | None, ...]:
    return tuple(getattr(element, name) for name in ElementReading.__struct_fields__)


def _masked(values: tuple[int | None, ...], limits: tuple[tuple[int, int], ...]) -> tuple[int, ...]:
    mask, fields = 0, []
    for place, (value, (low, high)) in enumerate(zip(values, limits, strict=True)):
        mask |= (value is not None) << place
        fields.append(min(max(value or 0, low), high))
    return (mask, *fields)


def _unmasked(fields: tuple[int, ...], limits: tuple[tuple[int, int], ...]) -> list[int | None]:
    mask, *values = fields
    if mask >> len(values):
        raise RemoteProtocolError(f"mask {mask:#x}; allowed: {len(values)} bits")
    for value, (low, high) in zip(values, limits, strict=True):
        if not low <= value <= high:
            raise RemoteProtocolError(f"momentary value {value}; allowed: {low} to {high}")
    return [value if mask >> place & 1 else None for place, value in enumerate(values)]
