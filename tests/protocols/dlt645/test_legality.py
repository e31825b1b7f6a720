"""Silence, abnormal reply or service: every function with every form of address and every length."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattwheel.model.errors import LocalProtocolError
from wattwheel.protocols.dlt645.frame import Frame
from wattwheel.protocols.dlt645.functions import FUNCTIONS_2007, Function2007
from wattwheel.protocols.dlt645.legality import (
    RULES,
    AbnormalReply,
    Accept,
    Legality,
    Options,
    Silence,
    Why,
    abnormal_reply,
)

OWN = "123456789012"
ADDRESSES = {"own": OWN, "abbreviated": "AAAAAAAA9012", "any": "AAAAAAAAAAAA", "broadcast": "999999999999"}

# As printed: which forms of address each function takes. Y answered, S executed silently, - silence, X abnormal reply.
FORMS = """
       own abbreviated any broadcast
    03   Y           -   -         -
    08   -           -   -         S
    11   Y           Y   Y         -
    12   Y           Y   Y         -
    13   Y           -   Y         -
    14   Y           -   -         -
    15   -           -   Y         -
    16   Y           -   -         S
    17   Y           -   -         -
    18   Y           -   -         -
    19   Y           -   -         -
    1A   Y           -   -         -
    1B   Y           -   -         -
    1C   Y           -   -         -
    1D   Y           -   -         S
    00   X           -   -         -
    01   X           -   -         -
    04   X           -   -         -
    10   X           -   -         -
    1E   X           -   -         -
    1F   X           -   -         -
    31   X           -   -         -
    51   X           -   -         -
    7F   X           -   -         -
"""
DATA = {  # one possible data field of each function
    0x03: bytes.fromhex("FF020007") + bytes(4), 0x08: bytes(6), 0x11: bytes(4), 0x12: bytes(5), 0x13: b"",
    0x14: bytes(13), 0x15: bytes(6), 0x16: bytes(4), 0x17: b"\x08", 0x18: bytes(12), 0x19: bytes(8), 0x1A: bytes(8),
    0x1B: bytes(12), 0x1C: bytes(16), 0x1D: b"\0",
}  # fmt: skip
LENGTHS = {  # all that are possible
    0x08: {6}, 0x11: {4}, 0x12: {5}, 0x13: set(range(256)), 0x14: set(range(13, 256)), 0x15: {6}, 0x16: {4}, 0x17: {1},
    0x18: {12}, 0x19: {8}, 0x1A: {8}, 0x1B: {12}, 0x1C: {16}, 0x1D: {1},
}  # fmt: skip
NATURAL = {0x08: "broadcast", 0x15: "any"}


def cells(table: str) -> list[tuple[int, str, str]]:
    head, *lines = [line.split() for line in table.strip().splitlines()]
    return [(int(code, 16), form, mark) for code, *marks in lines for form, mark in zip(head, marks, strict=True)]


@pytest.mark.parametrize(("code", "form", "mark"), cells(FORMS))
def test_address_forms(code, form, mark):
    decision = Legality(OWN).judge(Frame(ADDRESSES[form], code, DATA.get(code, b"")))
    expected = {
        "Y": lambda: Accept(Function2007(code)),
        "S": lambda: Accept(Function2007(code), is_silent=True),
        "-": lambda: Silence(Why.ADDRESS_FORM),
        "X": lambda: AbnormalReply(code | 0xC0, b"\x01"),
    }[mark]()
    assert decision == expected


@pytest.mark.parametrize("code", LENGTHS)
def test_lengths(code):
    legality = Legality(OWN)
    refused = Silence(Why.DEFECT) if code in (0x08, 0x15) else AbnormalReply(code | 0xC0, b"\x01")
    for size in range(256):
        decision = legality.judge(Frame(ADDRESSES[NATURAL.get(code, "own")], code, bytes(size)))
        assert isinstance(decision, Accept) if size in LENGTHS[code] else decision == refused, size


@pytest.mark.parametrize("code", [0x16, 0x1D])
def test_a_defect_in_a_broadcast_is_met_with_silence(code):
    assert Legality(OWN).judge(Frame(ADDRESSES["broadcast"], code, bytes(9))) == Silence(Why.DEFECT)


@pytest.mark.parametrize(
    ("code", "data", "is_good"),
    [
        (0x11, "00000106 01", True),
        (0x11, "00000006 01", True),
        (0x11, "01000006 01", False),
        (0x11, "01000006 01 0000010126", True),
        (0x11, "00000006 01 0000010126", False),
        (0x11, "02000006 01", True),
        (0x11, "02000006 01 0000010126", False),
        (0x11, "03000006 01", False),
        (0x11, "00000100 01", False),
        (0x11, "01000100 01 0000010126", False),
        (0x1C, "02 563412 01000000 1A00 000000311230", True),
        (0x1C, "02 563412 01000000 1A00 000000311230 00", False),
        (0x1C, "98 563412 01000000 1A00 000000311230 00000000", True),
        (0x1C, "98 563412 01000000", False),
        (0x03, "FF000007 00000000", False),
        (0x03, "FF000007" + "00" * 28, True),
        (0x03, "FF0000EE 00000000 01", True),
        (0x03, "FF0000EE", False),
    ],
)
def test_lengths_that_depend_on_the_data(code, data, is_good):
    decision = Legality(OWN).judge(Frame(OWN, code, bytes.fromhex(data)))
    assert isinstance(decision, Accept if is_good else AbnormalReply)


def test_the_security_error_word_has_two_octets():
    assert abnormal_reply(0x03, 1) == AbnormalReply(0xC3, b"\x01\x00")
    assert Legality(OWN).judge(Frame(OWN, 0x03, b"")) == AbnormalReply(0xC3, b"\x01\x00")


@pytest.mark.parametrize(
    "address",
    ["123456789013", "000000000000", "AAAAAAAA9013", "12AAAAAA9012", "123456AA9012", "AAAA56AA9012", "1234567890AA",
     "99AAAAAAAAAA", "FFFFFFFFFFFF", "AAAAAAAAAA16"],
)  # fmt: skip
@pytest.mark.parametrize("control", [0x08, 0x11, 0x13, 0x16, 0x1E])
def test_other_addresses_are_met_with_silence(address, control):
    assert Legality(OWN).judge(Frame(address, control, DATA.get(control, b""))) == Silence(Why.OTHER_ADDRESS)


@pytest.mark.parametrize("kept", range(1, 6))
def test_an_address_may_be_abbreviated_by_any_number_of_octets(kept):
    address = "AA" * (6 - kept) + OWN[-2 * kept :]
    assert Legality(OWN).judge(Frame(address, 0x11, bytes(4))) == Accept(Function2007.READ)


@pytest.mark.parametrize("address", ADDRESSES.values(), ids=ADDRESSES)
def test_replies_of_others_are_met_with_silence(address):
    legality = Legality(OWN)
    for control in range(0x80, 0x100):
        assert legality.judge(Frame(address, control, bytes(4))) == Silence(Why.REPLY_HEARD)


def test_options():
    broadcast, own = ADDRESSES["broadcast"], OWN
    reads = Legality(OWN, Options(accept_broadcast_reads=True))
    assert reads.judge(Frame(broadcast, 0x11, bytes(4))) == Accept(Function2007.READ)
    assert reads.judge(Frame(broadcast, 0x12, bytes(5))) == Accept(Function2007.READ_FOLLOW_UP)
    assert reads.judge(Frame(broadcast, 0x14, bytes(13))) == Silence(Why.ADDRESS_FORM)
    assert reads.judge(Frame(broadcast, 0x16, bytes(4))) == Accept(Function2007.FREEZE, is_silent=True)
    clock = Legality(OWN, Options(accept_single_address_time_sync=True))
    assert clock.judge(Frame(own, 0x08, bytes(6))) == Accept(Function2007.BROADCAST_TIME)
    assert clock.judge(Frame(broadcast, 0x08, bytes(6))) == Accept(Function2007.BROADCAST_TIME, is_silent=True)
    assert clock.judge(Frame(own, 0x08, bytes(5))) == Silence(Why.DEFECT)
    quiet = Legality(OWN, Options(unknown_function="silent"))
    assert quiet.judge(Frame(own, 0x1E)) == Silence(Why.UNKNOWN_FUNCTION)
    assert quiet.judge(Frame(own, 0x12, b"")) == AbnormalReply(0xD2, b"\x01")
    with pytest.raises(ValueError, match="allowed are"):
        Options(unknown_function="loud")
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"accept_everything": True}, Options)


@pytest.mark.parametrize("address", ["999999999999", "AAAAAAAAAAAA", "12345678901", "12345678901A", ""])
def test_no_meter_has_such_an_address(address):
    with pytest.raises(LocalProtocolError):
        Legality(address)


@given(
    st.sampled_from([*ADDRESSES.values(), "123456789013", "12AAAAAA9012"]),
    st.integers(0, 255),
    st.binary(max_size=40) | st.binary(min_size=255, max_size=255),
    st.builds(Options, st.booleans(), st.booleans(), st.sampled_from(["exception", "silent"])),
)
def test_the_written_down_answers_are_those_of_the_rules(address, control, data, options):
    legality, frame = Legality(OWN, options), Frame(address, control, data)
    decision = legality.judge(frame)
    legality._usual.clear()
    assert legality.judge(frame) == decision
    if isinstance(decision, AbnormalReply):
        assert address == OWN or control in (0x11, 0x12)
        assert decision.control == control | 0xC0


def test_the_usual_read_is_one_look():
    legality = Legality(OWN)
    assert (OWN, 0x11, 4) in legality._usual
    assert len(legality._usual) < 64


def test_every_function_has_a_rule():
    assert set(RULES) == set(FUNCTIONS_2007)
