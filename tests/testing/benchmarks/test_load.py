"""The load program takes only the good answer to its own question."""

import pytest

from wattwheel.protocols.dlt645.frame import Frame, decode, encode
from wattwheel.testing.benchmarks import load

ADDRESS = "202611200001"


def test_its_requests_are_frames():
    for identifier in load.IDENTIFIERS:
        frame = decode(load.request(ADDRESS, identifier))
        assert (frame.address, frame.control) == (ADDRESS, 0x11)
        assert frame.data[::-1].hex().upper() == identifier


def reply(identifier="00010000", address=ADDRESS, control=0x91, value=b"\x12\x34\x00\x00", preamble=4):
    return encode(Frame(address, control, bytes.fromhex(identifier)[::-1] + value), preamble)


def test_the_good_answer_is_good():
    assert load.is_good(reply(), load.good_head(ADDRESS, "00010000"))


@pytest.mark.parametrize(
    "bad",
    [
        reply("00020000"),
        reply(address="202611200002"),
        reply(control=0xD1),
        reply(value=b"\x12\x34\x00"),
        reply()[:-1],
        reply() + b"\x68",
        reply()[:-2] + b"\x00\x16",
        b"",
    ],
    ids=["identifier", "address", "control", "length", "cut", "more", "sum", "nothing"],
)
def test_anything_else_is_not(bad):
    assert not load.is_good(bad, load.good_head(ADDRESS, "00010000"))
