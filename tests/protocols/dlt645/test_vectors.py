"""Every published frame: decodes to its meaning, is written back, however it arrives and whatever surrounds it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from wattwheel.model.errors import RemoteProtocolError
from wattwheel.protocols.dlt645.frame import FrameReader, decode, encode

DOCUMENT = json.loads((Path(__file__).parents[2] / "vectors" / "dlt645-vectors.json").read_text(encoding="utf-8"))
FRAMES = [
    pytest.param(bytes.fromhex(vector[side]), vector["decoded_" + side], id=f"{vector['id']}-{side}")
    for vector in DOCUMENT["vectors"] + DOCUMENT["constructed"]
    for side in ("request", "response")
    if vector[side]
]
FALSE_HEAD = bytes([0x68, 0x68, 0x16, 0xFE, 0x00, 0x99, 0xAA, 0x68, 0x91])

HOW_IT_ARRIVES = {
    "whole": lambda raw: [raw],
    "octet by octet": lambda raw: [bytes([octet]) for octet in raw],
    "after wake-up and noise": lambda raw: [b"\xfe\xfe\xfe\xfe\x68\x00" + raw],
    "noise before, octet by octet": lambda raw: [bytes([octet]) for octet in b"\x16\x68\x33\x68\x00" + raw],
    "with the next frame's head behind it": lambda raw: [raw + b"\x68"],
    "noise behind": lambda raw: [raw + b"\x16\x68\xff\x33"],
    "a false start that announces no octet behind it": lambda raw: [FALSE_HEAD + b"\x00", raw],
    "a false start that ends inside it": lambda raw: [FALSE_HEAD + b"\x08" + raw],
    "a false start that ends behind it": lambda raw: [FALSE_HEAD + b"\xff" + raw],
    "half of itself before it": lambda raw: [raw[: len(raw) // 2] + raw],
    "all but its end before it": lambda raw: [raw[:-1], raw],
    "its first octets before it": lambda raw: [raw.lstrip(b"\xfe")[:4], raw],
}


def test_all_vectors_are_here():
    assert (len(DOCUMENT["vectors"]), len(DOCUMENT["constructed"]), len(DOCUMENT["negative"])) == (104, 26, 7)
    assert len(FRAMES) == 189


@pytest.mark.parametrize(("raw", "meaning"), FRAMES)
def test_a_vector_decodes_to_its_meaning_and_is_written_back(raw, meaning):
    frame = decode(raw)
    assert (frame.address, f"{frame.control:02X}") == (meaning["address"], meaning["control"])
    assert (frame.data.hex().upper(), frame.preamble) == (meaning["data"], meaning["preamble"])
    assert encode(frame, frame.preamble) == raw


@pytest.mark.parametrize("pieces", HOW_IT_ARRIVES.values(), ids=HOW_IT_ARRIVES)
@pytest.mark.parametrize(("raw", "meaning"), FRAMES)
def test_a_vector_is_found_however_it_arrives(raw, meaning, pieces):
    del meaning
    reader = FrameReader()
    found = [frame for piece in pieces(raw) for frame in reader.feed(piece)] + reader.expire()
    assert found == [decode(raw)]
    assert encode(found[0], found[0].preamble) == raw


@pytest.mark.parametrize("negative", DOCUMENT["negative"], ids=lambda negative: negative["reject_because"])
def test_a_damaged_frame_is_refused(negative):
    raw = bytes.fromhex(negative["frame"])
    with pytest.raises(RemoteProtocolError):
        decode(raw)
    reader = FrameReader()
    assert reader.feed(raw) + reader.expire() == []
    assert reader.rejected >= 1
