"""WAV: all sample formats give parts of full scale; cut and strange files are refused."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wattwheel.model.errors import RecordingError
from wattwheel.protocols.recordings.wav import read_wav

PARTS = (0.0, 0.5, -0.5, -1.0)


def wav(
    tag: int, bits: int, data: bytes, channels: int = 1, size: int | None = None, extensible: bool = False
) -> bytes:
    body = struct.pack("<HHIIHH", 0xFFFE if extensible else tag, channels, 400, 0, channels * bits // 8, bits)
    if extensible:
        body += struct.pack("<HHIH14x", 22, bits, 0, tag)
    chunks = b"LIST" + struct.pack("<I", 3) + b"abc\0" + b"fmt " + struct.pack("<I", len(body)) + body
    chunks += b"data" + struct.pack("<I", len(data) if size is None else size) + data
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def packed(tag: int, bits: int) -> bytes:
    if tag == 3:
        return np.array(PARTS, dtype=f"<f{bits // 8}").tobytes()
    if bits == 8:
        return bytes(round(128 + 128 * p) for p in PARTS)
    return b"".join(round(p * 2 ** (bits - 1)).to_bytes(bits // 8, "little", signed=True) for p in PARTS)


@pytest.mark.parametrize("extensible", [False, True])
@pytest.mark.parametrize(("tag", "bits"), [(1, 8), (1, 16), (1, 24), (1, 32), (3, 32), (3, 64)])
def test_every_format_in_parts_of_full_scale(tag: int, bits: int, extensible: bool):
    recording = read_wav("x.wav", wav(tag, bits, packed(tag, bits), extensible=extensible))
    assert recording.channels[0].samples().tolist() == list(PARTS)
    assert recording.channels[0].unit == "1"
    assert recording.sections[0].rate_hz == 400.0


def test_channels_are_interleaved_and_numbered():
    recording = read_wav("x.wav", wav(1, 16, packed(1, 16), channels=2), rate_hz=800.0)
    assert [channel.name for channel in recording.channels] == ["1", "2"]
    assert recording.channels[1].samples().tolist() == [0.5, -1.0]
    assert recording.sections[0].rate_hz == 800.0


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF])
def test_size_that_was_never_filled_in(size: int):
    assert len(read_wav("x.wav", wav(1, 16, packed(1, 16), size=size))) == 4


@pytest.mark.parametrize(
    ("octets", "says"),
    [
        (b"", "does not start with RIFF"),
        (b"RIFF\0\0\0\0AVI fmt ", "does not start with RIFF"),
        (wav(1, 16, packed(1, 16))[:-3], "ends after 5 of 8 octets of samples; the file is cut"),
        (wav(1, 16, packed(1, 16))[:40], "no chunk of samples"),
        (wav(1, 16, packed(1, 16)).replace(b"fmt ", b"fmt_"), "no format chunk before the data"),
        (wav(1, 16, b""), "holds no samples"),
        (wav(6, 8, b"\1\2"), r"format 6 with 8 bits; allowed: PCM \(1\)"),
        (wav(1, 20, b"\1\2\3\4"), "format 1 with 20 bits"),
        (wav(1, 16, packed(1, 16), channels=0), "0 channels; allowed: 1 to 256"),
        (wav(1, 16, packed(1, 16)).replace(struct.pack("<I", 400), struct.pack("<I", 0)), "sampling rate 0 Hz"),
    ],
)
def test_broken_files_say_why(octets: bytes, says: str):
    with pytest.raises(RecordingError, match=says):
        read_wav("x.wav", octets)


@settings(max_examples=100, deadline=None)
@given(place=st.integers(0, 60), octets=st.binary(min_size=1, max_size=8))
def test_no_octets_raise_anything_but_the_documented_error(place: int, octets: bytes):
    damaged = bytearray(wav(1, 16, packed(1, 16)))
    damaged[place : place + len(octets)] = octets
    try:
        recording = read_wav("x.wav", bytes(damaged))
    except RecordingError:
        return
    assert len(recording.channels[0].samples()) == len(recording)
