"""Bus messages: there and back, and every kind of damage."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattwheel.apex.messages import (
    DATA_OCTETS_MAX,
    HEAD_OCTETS,
    PORT_MESSAGE_OCTETS_MAX,
    DamagedMessageError,
    Kind,
    Message,
    pack,
    unpack,
)
from wattwheel.model.errors import RemoteProtocolError

octet = st.integers(0, 255)
word = st.integers(0, 0xFFFFFFFF)
messages = st.builds(
    Message,
    kind=octet,
    control=octet,
    di=word,
    ticket=word,
    error=octet,
    origin=st.integers(0, 0xFFFF),
    data=st.binary(max_size=300),
    quality=octet,
)


@given(st.lists(messages, max_size=8))
def test_any_messages_come_back_from_one_port_message(sent):
    assert unpack(b"".join(map(pack, sent))) == sent


@given(messages)
def test_a_message_has_a_head_of_sixteen_octets(message):
    assert len(pack(message)) == HEAD_OCTETS + len(message.data) == 16 + len(message.data)


def test_the_layout_is_fixed():
    message = Message(Kind.REPLY, 0x11, 0x02010100, 0x0A0B0C0D, 2, 0x0102, b"\x34\x12", 1)
    assert pack(message).hex() == "0211020102000201" + "0d0c0b0a" + "00010102" + "3412"


@given(st.lists(messages, min_size=1, max_size=4), st.data())
def test_a_cut_is_damage_or_the_whole_messages_before_it(sent, data):
    octets = b"".join(map(pack, sent))
    at = data.draw(st.integers(0, len(octets) - 1))
    try:
        read = unpack(octets[:at])
    except DamagedMessageError:
        return
    assert read == sent[: len(read)]


@given(st.binary(max_size=400))
def test_any_octets_are_messages_or_damage_and_nothing_is_invented(octets):
    try:
        read = unpack(octets)
    except DamagedMessageError:
        return
    assert b"".join(map(pack, read)) == octets


def test_damage_is_the_error_of_a_peer():
    with pytest.raises(RemoteProtocolError, match="3 octets left over at 0"):
        unpack(b"abc")
    with pytest.raises(RemoteProtocolError, match="claims 9 octets, 1 are there"):
        unpack(pack(Message(1, 1, 1, data=b"123456789"))[:-8])


def test_a_message_of_the_largest_data_fits_a_port():
    assert len(pack(Message(1, 0x11, 0, data=bytes(DATA_OCTETS_MAX)))) <= PORT_MESSAGE_OCTETS_MAX
