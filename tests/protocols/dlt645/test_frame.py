"""Frames: whole ones, streams however they are chopped, false starts, bounds and hostile streams."""

from __future__ import annotations

import contextlib
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wattwheel.model.errors import BadInput, LocalProtocolError, ProtocolError, RemoteProtocolError
from wattwheel.protocols.dlt645.frame import (
    DATA_OCTETS_MAX,
    FRAME_OCTETS_MAX,
    Frame,
    FrameReader,
    Station,
    address_from,
    address_of_octets,
    decode,
    encode,
    octets_of_address,
)

OCTETS = st.integers(0, 255)
ADDRESSES = st.binary(min_size=6, max_size=6).map(lambda octets: octets.hex().upper())
FRAMES = st.builds(Frame, ADDRESSES, OCTETS, st.binary(max_size=DATA_OCTETS_MAX), st.integers(0, 4))
TRICKY = st.sampled_from([0x68, 0x16, 0xFE, 0x33, 0x00, 0x0C, 0xFF])
HEADS = st.builds(  # a false start that announces up to 255 octets, and so lies over whatever comes next
    lambda six, control, size: bytes([0x68, *six, 0x68, control, size]),
    st.lists(TRICKY, min_size=6, max_size=6),
    OCTETS,
    OCTETS,
)
TRUNCATED = st.builds(lambda frame, cut: encode(frame)[:cut], FRAMES, st.integers(1, 40))
NOISE = st.one_of(st.binary(max_size=40), st.lists(TRICKY, max_size=40).map(bytes), HEADS, TRUNCATED)
GOOD = encode(Frame("123456789012", 0x91, bytes.fromhex("0000010078563412")))


def wire(frame: Frame) -> bytes:
    return encode(frame, frame.preamble)


def slow_decode(octets: bytes) -> bool:
    """The definition of a good frame without preamble, by another road than the code under test."""
    if len(octets) < 12 or len(octets) != octets[9] + 12:
        return False
    total = 0
    for octet in octets[:-2]:
        total = (total + octet) % 256
    return octets[0] == octets[7] == 0x68 and octets[-1] == 0x16 and octets[-2] == total


def all_frames(stream: bytes) -> list[tuple[int, int]]:
    """Begin and end of each frame in a finished stream: from the left, one octet at a time."""
    found, at = [], 0
    while at < len(stream):
        end = at + stream[at + 9] + 12 if at + 9 < len(stream) else len(stream) + 1
        if end <= len(stream) and slow_decode(stream[at:end]):
            found.append((at, end))
            at = end
        else:
            at += 1
    return found


def read(reader: FrameReader, pieces: list[bytes]) -> list[Frame]:
    found = [frame for piece in pieces for frame in reader.feed(piece)]
    return found + reader.expire()


def chop(octets: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(octets) + 1) for cut in cuts), len(octets)]
    return [octets[begin:end] for begin, end in itertools.pairwise(edges)]


@given(FRAMES)
def test_round_trip(frame):
    assert decode(wire(frame)) == frame
    assert Station(frame.address).encode(frame.control, frame.data, frame.preamble) == wire(frame)
    assert slow_decode(encode(frame))


@given(st.lists(FRAMES, max_size=6), st.lists(st.integers(0, 2000), max_size=8))
def test_frames_one_after_the_other_however_chopped(frames, cuts):
    assert read(FrameReader(), chop(b"".join(map(wire, frames)), cuts)) == frames


@given(st.binary(max_size=400))
def test_noise_never_raises_but_the_documented_error(noise):
    for octets in (noise, b"\x68" + noise, GOOD[:10] + noise, GOOD + noise):
        with contextlib.suppress(RemoteProtocolError):
            assert encode_any(decode(octets)) in octets
        for found in read(FrameReader(), [octets]):
            assert octets_of_address(found.address) in octets


@settings(max_examples=300)
@given(st.lists(st.tuples(NOISE, st.none() | FRAMES), max_size=6), st.lists(st.integers(0, 2000), max_size=8))
def test_good_frames_between_noise_are_all_found(parts, cuts):
    stream, good = b"", []
    for noise, frame in parts:
        stream += noise
        if frame is not None:
            good.append((len(stream) + frame.preamble, len(stream) + len(wire(frame))))
            stream += wire(frame)
    expected = all_frames(stream)
    # A good frame can only be lost to another good one that noise happened to complete over its beginning.
    for begin, end in good:
        assert (begin, end) in expected or any(b < end and begin < e for b, e in expected)
    found = read(FrameReader(), chop(stream, cuts))
    assert [encode_any(frame) for frame in found] == [stream[begin:end] for begin, end in expected]
    for frame, (begin, _) in zip(found, expected, strict=True):
        floor = max((end for _, end in expected if end <= begin), default=0)
        before = stream[floor:begin]
        assert frame.preamble == len(before) - len(before.rstrip(b"\xfe"))


def encode_any(frame: Frame) -> bytes:
    """Octets of a frame of any length, also of one that is too long to be sent."""
    if len(frame.data) <= DATA_OCTETS_MAX:
        return encode(frame)
    body = b"\x68" + octets_of_address(frame.address) + bytes((0x68, frame.control, len(frame.data)))
    body += bytes((octet + 0x33) % 256 for octet in frame.data)
    return body + bytes((sum(body) % 256, 0x16))


@given(st.lists(st.tuples(NOISE, st.none() | FRAMES), max_size=5), st.lists(st.integers(0, 2000), max_size=8))
def test_the_trace_covers_what_the_reader_decided(parts, cuts):
    stream = b"".join(noise + (wire(frame) if frame else b"") for noise, frame in parts)
    plain, traced = FrameReader(), FrameReader(keep_trace=True)
    found = read(plain, chop(stream, cuts))
    assert read(traced, chop(stream, cuts)) == found
    assert [one.frame for one in traced.trace if one.frame] == found
    assert sum(one.frame is None for one in traced.trace) == traced.rejected == plain.rejected
    for one in traced.trace:
        assert stream[one.at] == 0x68
        assert stream[one.at : one.at + len(one.octets)] == one.octets
        assert bool(one.reason) == (one.frame is None)
        if one.reason:
            assert one.reason.split(":")[0] in {"start", "incomplete", "end", "checksum"}


def test_a_false_start_that_lies_over_a_good_frame_waits_then_gives_way():
    reader = FrameReader()
    false_start = bytes([0x68, 1, 2, 3, 4, 5, 6, 0x68, 0x91, 200])
    assert reader.feed(false_start + GOOD) == []
    assert reader.held == len(false_start + GOOD)
    assert reader.expire() == [decode(GOOD)]
    assert (reader.held, reader.incomplete, reader.start) == (0, 1, 1)
    assert reader.feed(GOOD) == [decode(GOOD)]


@pytest.mark.parametrize("fill", [0x00, 0x68, 0x16, 0xFE])
def test_a_false_start_is_given_up_as_soon_as_its_octets_have_come(fill):
    reader = FrameReader()
    found = reader.feed(bytes([0x68, 1, 2, 3, 4, 5, 6, 0x68, 0x91, 60]) + GOOD + bytes([fill]) * 80)
    assert [frame.address for frame in found] == ["123456789012"]


def test_a_frame_inside_the_data_of_a_frame_is_data():
    inner = bytes((octet - 0x33) & 0xFF for octet in GOOD)
    outer = Frame("000000000001", 0x1F, inner)
    assert GOOD in encode(outer)
    for pieces in ([encode(outer)], chop(encode(outer), list(range(60)))):
        assert read(FrameReader(), pieces) == [outer]


@pytest.mark.parametrize(
    ("name", "octets"),
    [
        ("checksum", GOOD[:-2] + bytes([GOOD[-2] ^ 1]) + b"\x16"),
        ("checksum", GOOD[:11] + bytes([GOOD[11] ^ 0x80]) + GOOD[12:]),
        ("end", GOOD[:-1] + b"\x17"),
        ("start", GOOD[:7] + b"\x69" + GOOD[8:]),
        ("incomplete", GOOD[:-1]),
        ("incomplete", GOOD[:9]),
        ("incomplete", GOOD[:1]),
    ],
)
def test_counters_by_reason(name, octets):
    reader = FrameReader()
    assert read(reader, [octets]) == []
    counted = {reason: getattr(reader, reason) for reason in ("checksum", "end", "start", "incomplete")}
    # The second 68H of a damaged frame is tried as a start too, and fails in its own way.
    starts = octets.count(0x68)
    assert counted[name] >= 1
    assert reader.rejected == sum(counted.values()) == starts
    with pytest.raises(RemoteProtocolError, match=f"^{name}: "):
        decode(octets)
    assert reader.feed(GOOD) == [decode(GOOD)]


@pytest.mark.parametrize("at", [0, 7, 9, len(GOOD) - 1])
@pytest.mark.parametrize("change", [1, 0x80, 0xFF])
def test_each_mark_is_checked_though_the_sum_is_right(at, change):
    octets = bytearray(GOOD)
    octets[at] ^= change
    octets[-2] = sum(octets[:-2]) & 0xFF
    with pytest.raises(RemoteProtocolError):
        decode(bytes(octets))
    for pieces in ([bytes(octets)], chop(bytes(octets), list(range(len(octets))))):
        assert read(FrameReader(), pieces) == []


def test_a_start_without_its_second_68_is_given_up_at_once():
    reader = FrameReader()
    reader.feed(bytes(8).replace(b"\0", b"\x68", 1))
    assert (reader.held, reader.start) == (0, 1)


def test_decode_refuses_what_is_not_exactly_one_frame():
    for octets in (b"", b"\xfe", b"\x00" + GOOD, GOOD + b"\x00", GOOD + GOOD, GOOD + b"\xfe"):
        with pytest.raises(RemoteProtocolError):
            decode(octets)
    assert decode(b"\xfe" * 1000 + GOOD).preamble == 1000


def test_preamble_is_counted_over_feeds_and_not_over_noise():
    reader = FrameReader()
    assert reader.feed(b"\xfe" * 3) == []
    assert reader.feed(b"\xfe" * 2 + GOOD[:5]) == []
    assert reader.feed(GOOD[5:] + b"\xfe")[0].preamble == 5
    assert reader.feed(GOOD)[0].preamble == 1
    assert reader.feed(b"\xfe\xfe\x00\xfe" + GOOD)[0].preamble == 1
    reader.feed(b"\xfe\xfe")
    reader.expire()
    assert reader.feed(GOOD)[0].preamble == 0


def test_every_length_is_accepted_and_no_more_than_200_sent():
    for size in range(256):
        frame = Frame("000000000016", 0x91, bytes(octet * 7 & 0xFF for octet in range(size)))
        octets = encode_any(frame)
        assert decode(octets) == frame
        assert FrameReader().feed(octets) == [frame]
        if size > DATA_OCTETS_MAX:
            with pytest.raises(LocalProtocolError, match="at most 200"):
                encode(frame)
            with pytest.raises(LocalProtocolError, match="at most 200"):
                Station(frame.address).encode(frame.control, frame.data)


@pytest.mark.parametrize(
    ("frame", "preamble"),
    [
        (Frame("12345678901", 0x11), 0),
        (Frame("12 34567890 12", 0x11), 0),
        (Frame("1234567890 12", 0x11), 0),
        (Frame("12345678901G", 0x11), 0),
        (Frame("", 0x11), 0),
        (Frame("123456789012", 256), 0),
        (Frame("123456789012", -1), 0),
        (Frame("123456789012", 0x11), 5),
        (Frame("123456789012", 0x11), -1),
    ],
)
def test_forbidden_frames_are_not_sent(frame, preamble):
    with pytest.raises(LocalProtocolError):
        encode(frame, preamble)
    with pytest.raises(LocalProtocolError):
        Station(frame.address).encode(frame.control, frame.data, preamble)
    assert issubclass(LocalProtocolError, ProtocolError)


@pytest.mark.parametrize(
    ("text", "address"),
    [("1", "000000000001"), (" 123456789012 ", "123456789012"), ("aaaaaaaa9012", "AAAAAAAA9012"), ("0", "0" * 12)],
)
def test_addresses_that_people_write(text, address):
    assert address_from(text) == address
    assert address_of_octets(octets_of_address(address)) == address


@pytest.mark.parametrize(
    "text", ["", "1234567890123", "12345678901x", "-1", "A12345678901", "AAA", "1A2345678901", "١٢٣"]
)
def test_nonsense_for_an_address_is_refused(text):
    with pytest.raises(BadInput, match="allowed are"):
        address_from(text)


HOSTILE = {
    "68 only": b"\x68",
    "heads of the longest frame": bytes([0x68, 1, 1, 1, 1, 1, 1, 0x68, 0x11, 0xFF]),
    "damaged empty frames": bytes([0x68, 0, 0, 0, 0, 0, 0, 0x68, 0, 0, 0, 0x16]),
    "every fifth start needs a long sum": bytes([0x68, 0, 0x68, 0x16, 252]),
    "end and start in turn": b"\x68\x16",
    "preambles": b"\xfe",
    "half frames": GOOD[:-1],
}


@pytest.mark.parametrize("pattern", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("piece", [1, 100, 10**6], ids=["octets", "hundreds", "whole"])
def test_work_and_memory_are_linear_on_hostile_streams(pattern, piece):
    work = []
    for size in (10_000, 20_000):
        stream = (pattern * (size // len(pattern) + 1))[:size]
        reader, feeds = FrameReader(), 0
        for at in range(0, size, piece):
            reader.feed(stream[at : at + piece])
            feeds += 1
            assert reader.held < FRAME_OCTETS_MAX
        reader.expire()
        assert reader.held == 0
        assert reader.examined <= stream.count(0x68) + feeds + 1
        assert reader.summed <= reader.examined * FRAME_OCTETS_MAX
        work.append((reader.examined, reader.summed))
    assert work[1][0] <= 2.1 * work[0][0] + FRAME_OCTETS_MAX
    assert work[1][1] <= 2.1 * work[0][1] + FRAME_OCTETS_MAX**2


def test_a_reader_is_idle_again_after_a_good_frame():
    reader = FrameReader()
    reader.feed(GOOD[:6])
    reader.feed(GOOD[6:])
    examined = reader.examined
    reader.feed(GOOD)
    assert reader.examined == examined, "a frame alone takes the short way again"
