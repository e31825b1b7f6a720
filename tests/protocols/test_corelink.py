"""Messages of the core link: vectors, every way the wire can deliver them, and noise."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wattwheel.model.core_records import WAVEFORM_POINTS, CoreIdentity, CoreStatus, HalfCycleEvent, PhaseWave, Waveform
from wattwheel.model.errors import RemoteProtocolError
from wattwheel.model.records import ElementReading, Momentary
from wattwheel.protocols import corelink_bodies as bodies
from wattwheel.protocols import corelink_outputs as outputs
from wattwheel.protocols.corelink import (
    BODY_OCTETS_MAX,
    CONTROL_FROM_CORE,
    LINK_ADDRESS,
    NUMBER_MAX,
    OPEN_MESSAGES_MAX,
    PIECE_OCTETS_MAX,
    Kind,
    LinkReader,
    Message,
    Side,
    pack,
)
from wattwheel.protocols.dlt645.frame import DATA_OCTETS_MAX, HALF_FRAME_TIMEOUT_NS, Frame, FrameReader, encode

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "corelink.json").read_text())["messages"]

HOW_IT_ARRIVES = {
    "whole": lambda raw: [raw],
    "octet by octet": lambda raw: [bytes([octet]) for octet in raw],
    "after noise": lambda raw: [b"\x00\x16\xfe\xfe\xfe" + raw],
    "with a false start before": lambda raw: [b"\x68\x01\x02" + raw],
    "with the next frame's head behind it": lambda raw: [raw + b"\x68\x01"],
}

messages = st.builds(
    Message, st.integers(0, 255), st.integers(0, NUMBER_MAX), st.binary(max_size=2 * PIECE_OCTETS_MAX + 9)
)
u63 = st.integers(0, 2**63 - 1)
u32 = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize("pieces", HOW_IT_ARRIVES.values(), ids=HOW_IT_ARRIVES)
@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_vector(vector: dict[str, object], pieces: object) -> None:
    raw = bytes.fromhex(str(vector["octets"]))
    message = Message(int(vector["kind"]), int(vector["number"]), bytes.fromhex(str(vector["body"])))  # type: ignore[call-overload]
    side = Side[str(vector["side"])]
    reader = LinkReader(side)
    assert [found for piece in pieces(raw) for found in reader.feed(piece)] == [message]  # type: ignore[operator]
    assert pack(side, message) == raw


def test_no_frame_exceeds_the_data_field() -> None:
    frames = FrameReader().feed(pack(Side.CORE, Message(Kind.WAVEFORM, 1, bytes(BODY_OCTETS_MAX))))
    assert max(len(frame.data) for frame in frames) <= DATA_OCTETS_MAX


@given(st.lists(messages, max_size=4, unique_by=lambda m: (m.kind, m.number)), st.randoms(use_true_random=False))
def test_round_trip_in_any_portions_and_any_order_of_parts(sent: list[Message], chance: random.Random) -> None:
    parts = [encode(frame) for message in sent for frame in FrameReader().feed(pack(Side.CORE, message))]
    chance.shuffle(parts)
    octets, reader, found = b"".join(parts), LinkReader(Side.CORE), []
    while octets:
        cut = chance.randrange(1, 300)
        found += reader.feed(octets[:cut])
        octets = octets[cut:]
    assert sorted(found) == sorted(sent)


@given(st.binary(max_size=600))
def test_noise_is_never_a_message_and_never_raises(noise: bytes) -> None:
    assert LinkReader(Side.CORE).feed(noise) == []


@given(messages, st.data())
def test_a_garbled_message_is_never_another_message(message: Message, data: st.DataObject) -> None:
    raw = bytearray(pack(Side.CORE, message))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    assert LinkReader(Side.CORE).feed(bytes(raw)) in ([], [message])


def test_two_octets_exchanged_pass_the_sum_but_not_the_check_of_the_part() -> None:
    raw = bytearray(pack(Side.CORE, Message(Kind.STATUS, 5, b"\x01\x02\x03")))
    at = raw.index(bytes([0x34, 0x35, 0x36]))
    raw[at], raw[at + 1] = raw[at + 1], raw[at]
    reader = LinkReader(Side.CORE)
    assert len(FrameReader().feed(bytes(raw))) == 1
    assert (reader.feed(bytes(raw)), reader.bad_parts) == ([], 1)


def test_a_doubled_message_is_news_once() -> None:
    reader = LinkReader(Side.CORE)
    raw = pack(Side.CORE, Message(Kind.TOTALS, 9, bytes(PIECE_OCTETS_MAX + 1)))
    assert len(reader.feed(raw + raw)) == 1
    assert reader.repeated == 2


def test_the_own_sides_messages_and_foreign_frames_are_counted_and_dropped() -> None:
    reader = LinkReader(Side.CORE)
    raw = pack(Side.MANAGEMENT, Message(Kind.IDENTIFY, 1, b""))
    raw += encode(Frame("112233445566", CONTROL_FROM_CORE, bytes(30))) + encode(Frame(LINK_ADDRESS, CONTROL_FROM_CORE))
    assert (reader.feed(raw), reader.bad_parts) == ([], 3)


def test_another_version_is_counted_and_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as future:
        future.setattr("wattwheel.protocols.corelink.LINK_VERSION", 2)
        raw = pack(Side.CORE, Message(Kind.TOTALS, 1, b""))
    reader = LinkReader(Side.CORE)
    assert (reader.feed(raw), reader.other_versions) == ([], 1)


def test_messages_that_never_become_whole_give_way() -> None:
    reader = LinkReader(Side.CORE)
    for number in range(OPEN_MESSAGES_MAX + 5):
        raw = pack(Side.CORE, Message(Kind.TOTALS, number, bytes(PIECE_OCTETS_MAX)))
        reader.feed(encode(FrameReader().feed(raw)[0]))
    assert reader.incomplete == 5


def test_parts_of_two_messages_under_one_number_never_mix() -> None:
    first, second = (
        FrameReader().feed(pack(Side.CORE, Message(Kind.TOTALS, 7, fill * (PIECE_OCTETS_MAX + 8))))
        for fill in (b"a", b"b")
    )
    reader = LinkReader(Side.CORE)
    assert reader.feed(encode(first[0]) + encode(second[1])) == []
    assert reader.incomplete == 1


def test_half_a_frame_is_given_up_after_silence_and_hides_nothing() -> None:
    reader = LinkReader(Side.CORE)
    message = Message(Kind.STATUS, 3, b"x")
    head = bytes([0x68, 1, 0, 0, 0, 0, 0, 0x68, 0x9E, 0xFF])
    assert reader.feed(head + pack(Side.CORE, message), 1000) == []
    assert reader.expire(1000 + HALF_FRAME_TIMEOUT_NS - 1) == []
    assert reader.expire(1000 + HALF_FRAME_TIMEOUT_NS) == [message]


# --- bodies


@given(st.integers(0, 3), u32, st.tuples(u63, u63), st.lists(u63, min_size=32, max_size=32))
def test_totals(contents: int, starts: int, pulses: tuple[int, int], registers: list[int]) -> None:
    totals = bodies.Totals(contents, starts, pulses, tuple(registers))
    assert bodies.decode_totals(bodies.encode_totals(totals)) == totals


@given(st.integers(0, 3), u32, st.tuples(u63, u63), st.lists(u63, min_size=24, max_size=24))
def test_totals_of_a_core_without_apparent_energy(
    contents: int, starts: int, pulses: tuple[int, int], six: list[int]
) -> None:
    totals = bodies.decode_totals(struct.pack("<BIQQ24Q", contents, starts, *pulses, *six))
    assert totals[:3] == (contents, starts, pulses)
    elements = [totals.microjoule[at : at + 8] for at in range(0, 32, 8)]
    assert [register for element in elements for register in element[:6]] == six
    assert all(element[6:] == (0, 0) for element in elements)


elements = st.builds(
    ElementReading,
    *[st.none() | st.integers(low, high) for low, high in bodies._ELEMENT_LIMITS],
)


@given(
    st.tuples(elements, elements, elements, elements),
    st.booleans(),
    st.tuples(*[st.none() | st.integers(0, 2**31 - 1)] * 4),
)
def test_momentary(four: tuple[ElementReading, ...], is_reversed: bool, rest: tuple[int | None, ...]) -> None:
    momentary = Momentary(four, rest[0], rest[1], is_reversed, rest[2], rest[3])  # type: ignore[arg-type]
    assert bodies.decode_momentary(bodies.encode_momentary(momentary)) == momentary


def test_momentary_values_beyond_their_field_are_sent_as_its_bound() -> None:
    far = ElementReading(power_factor_millionth=10**9, thd_current_millipercent=10**12, voltage_millivolt=-5)
    read = bodies.decode_momentary(bodies.encode_momentary(Momentary((far,) * 4))).elements[0]  # type: ignore[arg-type]
    assert (read.power_factor_millionth, read.thd_current_millipercent) == (1_100_000, 2**31 - 1)
    assert read.voltage_millivolt == 0
    assert read.current_microampere is None


@given(st.builds(CoreStatus, u32, st.integers(0, 15), u63, u63, u32, u32, u32, u32))
def test_status(status: CoreStatus) -> None:
    assert bodies.decode_status(bodies.encode_status(status)) == status


def test_identity() -> None:
    for address in ("", "202611200001"):
        identity = CoreIdentity("0.1.0", "ab" * 32, 3, 30_720_000, address)
        assert bodies.decode_identity(bodies.encode_identity(identity)) == identity


@given(st.integers(1, 3), st.data())
def test_waveform(phases: int, data: st.DataObject) -> None:
    points = st.tuples(*[st.integers(-32767, 32767)] * WAVEFORM_POINTS)
    wave = st.builds(PhaseWave, u32, u32, points, points)
    waveform = Waveform(50_000, tuple(data.draw(wave) for _ in range(phases)))
    assert bodies.decode_waveform(bodies.encode_waveform(waveform)) == waveform


@given(st.lists(st.builds(HalfCycleEvent, u63, st.integers(0, 2), st.integers(1, 3), u63, u32, u32), max_size=40))
def test_events(events: list[HalfCycleEvent]) -> None:
    assert bodies.decode_events(bodies.encode_events(events)) == events[: bodies.EVENTS_A_REPLY_MAX]


def test_the_small_bodies() -> None:
    nominal = bodies.Nominal(220_000, 50_000, 2_000, 1200)
    assert bodies.decode_nominal(bodies.encode_nominal(nominal)) == nominal
    calendar = bodies.CalendarTime(848_000_000_123, True)
    assert bodies.decode_calendar(bodies.encode_calendar(calendar)) == calendar
    assert bodies.decode_since(bodies.encode_since(77)) == 77
    assert bodies.encode_address("202611200001") == bytes.fromhex("010020112620")
    assert bodies.decode_address(bytes.fromhex("010020112620")) == "202611200001"


@pytest.mark.parametrize("field", range(4))
def test_parameters_outside_their_bounds_are_refused(field: int) -> None:
    for limits, step in ((bodies.NOMINAL_LIMITS, 1), (bodies.NOMINAL_LIMITS_LOW, -1)):
        values = list(limits)
        values[field] += step
        if values[field] >= 0:
            with pytest.raises(RemoteProtocolError):
                bodies.decode_nominal(bodies.encode_nominal(bodies.Nominal(*values)))


DECODERS = [
    bodies.decode_totals,
    bodies.decode_momentary,
    bodies.decode_status,
    bodies.decode_identity,
    bodies.decode_waveform,
    bodies.decode_events,
    bodies.decode_nominal,
    bodies.decode_calendar,
    bodies.decode_since,
    bodies.decode_address,
]
SIZES = [0, 1, 6, 8, 9, 16, 41, 63, 213, 264, 265, 266, 270, 269]


@settings(max_examples=60)
@given(st.data())
@pytest.mark.parametrize("decode", DECODERS, ids=lambda decode: decode.__name__)
def test_no_body_raises_anything_but_the_protocol_error(decode: object, data: st.DataObject) -> None:
    size = data.draw(st.sampled_from(SIZES) | st.integers(0, BODY_OCTETS_MAX))
    body = random.Random(data.draw(st.integers(0, 10_000))).randbytes(size)
    try:
        decode(body)  # type: ignore[operator]
    except RemoteProtocolError:
        return


@pytest.mark.parametrize("relay_open", [None, False, True])
@given(given_=st.integers(0, 2**70), dropped=st.integers(0, 2**70))
def test_the_status_of_a_core_with_outputs_has_a_tail(relay_open: bool | None, given_: int, dropped: int) -> None:
    plain = CoreStatus(1, 2, 3, 4, 5, 6, 7, 8)
    full = CoreStatus(1, 2, 3, 4, 5, 6, 7, 8, True, relay_open, given_, dropped)
    octets = bodies.encode_status(full)
    assert octets.startswith(bodies.encode_status(plain))
    found = bodies.decode_status(octets)
    assert (found.has_outputs, found.relay_open) == (True, relay_open)
    assert (found.pulses_given, found.pulses_dropped) == (min(given_, 2**64 - 1), min(dropped, 2**64 - 1))
    assert bodies.decode_status(bodies.encode_status(plain)) == plain
    for wrong in (octets[:-1], octets + b"\0", octets[:37] + b"\3" + octets[38:]):
        with pytest.raises(RemoteProtocolError):
            bodies.decode_status(wrong)


@given(epoch=st.integers(1, 2**64 - 1), count=st.integers(1, 2**32 - 1), has_outputs=st.booleans())
def test_the_status_of_a_core_that_has_seen_its_plug_has_a_tail_behind_all(
    epoch: int, count: int, has_outputs: bool
) -> None:
    plain = CoreStatus(1, 2, 3, 4, 5, 6, 7, 8, *((True, False, 9, 10) if has_outputs else ()))
    full = msgspec.structs.replace(plain, plug_epoch=epoch, plug_count=count)
    octets = bodies.encode_status(full)
    assert octets.startswith(bodies.encode_status(plain))
    assert bodies.decode_status(octets) == full
    for wrong in (octets[:-1], octets + b"\0"):
        with pytest.raises(RemoteProtocolError):
            bodies.decode_status(wrong)


@pytest.mark.parametrize("state", ["removed", "inserted", "0123456789abCDEF"])
def test_a_move_of_the_plug_is_read_as_it_was_said(state: str) -> None:
    assert outputs.decode_plug_move(outputs.encode_plug_move(2**64 - 1, state)) == (2**64 - 1, state)


@pytest.mark.parametrize(
    ("decode", "body"),
    [
        (outputs.decode_plug_move, b"removed"),
        (outputs.decode_plug_move, bytes(8)),
        (outputs.decode_plug_move, bytes(8) + b"open"),
        (outputs.decode_plug_move, bytes(8) + b"\xff" * 16),
        (outputs.decode_flag, b""),
        (outputs.decode_flag, b"\2"),
        (outputs.decode_flag, b"\0\0"),
        (outputs.decode_relay_order, bytes(8)),
        (outputs.decode_relay_order, bytes(8) + b"\2"),
        (outputs.decode_pulse_order, bytes(8) + outputs.encode_pulses(1, 1_000_001, 80)),
        (outputs.decode_pulse_order, bytes(8) + outputs.encode_pulses(1, 0, 80)),
        (outputs.decode_pulse_order, bytes(8) + outputs.encode_pulses(1, 1, 0)),
        (outputs.decode_pulse_order, bytes(8) + outputs.encode_pulses(1, 1, 10_000)),
        (outputs.decode_signal, bytes(8) + b"\3"),
        (outputs.decode_signal, b"\0"),
    ],
)
def test_orders_that_cannot_be_are_refused(decode: Callable[[bytes], object], body: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        decode(body)
