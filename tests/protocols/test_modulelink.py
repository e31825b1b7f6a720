"""The link's frames and the two ends of a virtual port, without a wire."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattwheel.model.errors import RemoteProtocolError
from wattwheel.protocols import modulelink
from wattwheel.protocols.modulelink import (
    ALIVE,
    FRAME_OCTETS_MAX,
    HELLO,
    QUEUING,
    WINDOW_MESSAGES_MAX,
    WINDOW_OCTETS_MAX,
    FrameReader,
    Hello,
    LinkFrame,
    QueuingReceiver,
    QueuingSender,
    ReceivingPort,
    SamplingSender,
    SendingPort,
    decode_hello,
    encode,
    encode_hello,
    number_of,
    numbered,
)

FRAMES = st.lists(
    st.builds(LinkFrame, st.integers(0, 65_535), st.integers(1, 5), st.integers(0, 2**64 - 1), st.binary(max_size=40)),
    max_size=8,
)


def test_the_octets_of_a_frame():
    assert encode(0x0102, QUEUING, 3, b"abc").hex() == "0000000e" + "0102" + "02" + "0000000000000003" + "616263"
    assert numbered(7, QUEUING, 0, 5, b"x")[-9:] == bytes(7) + b"\x05x"


@given(FRAMES, st.lists(st.integers(1, 30), max_size=40))
def test_frames_come_back_however_the_stream_is_cut(frames, cuts):
    octets = b"".join(encode(*frame) for frame in frames)
    reader, found = FrameReader(), []
    for cut in cuts:
        found += reader.feed(octets[:cut])
        octets = octets[cut:]
    found += reader.feed(octets)
    assert found == frames


@given(st.binary(max_size=200))
def test_noise_gives_frames_or_an_error_and_never_holds_more_than_a_frame(octets):
    reader = FrameReader()
    try:
        found = list(reader.feed(octets))
    except RemoteProtocolError:
        return
    assert len(b"".join(encode(*frame) for frame in found)) <= len(octets)


@pytest.mark.parametrize("head", ["0000000a000001" + "00" * 8, f"{FRAME_OCTETS_MAX + 1:08x}000001" + "00" * 8])
def test_lengths_that_cannot_be_are_refused_before_anything_is_waited_for(head):
    with pytest.raises(RemoteProtocolError, match="link frame of"):
        list(FrameReader().feed(bytes.fromhex(head)))


@pytest.mark.parametrize("kind", [0, 6, 255])
def test_kinds_that_cannot_be_are_refused(kind):
    with pytest.raises(RemoteProtocolError, match="kind"):
        list(FrameReader().feed(encode(1, kind, 0)))


def test_a_hello_comes_back_and_what_is_none_is_refused():
    hello = Hello(1, "east", [SendingPort(1, QUEUING, 200, 77, 5)], [ReceivingPort(2, QUEUING, 100, 3, 9)])
    (frame,) = FrameReader().feed(encode_hello(hello, 11))
    assert (frame.kind, frame.source_ns, decode_hello(frame)) == (HELLO, 11, hello)
    many = [SendingPort(1, QUEUING, 200, 77, 5)] * 513
    for bad in (
        LinkFrame(0, HELLO, 0, b"\xc1"),
        LinkFrame(0, HELLO, 0, b""),
        LinkFrame(0, ALIVE, 0, frame.payload),
        *FrameReader().feed(encode_hello(Hello(2, "x", [], []), 0)),
        *FrameReader().feed(encode_hello(Hello(1, "x", many, []), 0)),
    ):
        with pytest.raises(RemoteProtocolError):
            decode_hello(bad)
    with pytest.raises(RemoteProtocolError, match="without a number"):
        number_of(LinkFrame(1, QUEUING, 0, bytes(7)))


def test_a_window_is_bounded_in_messages_and_octets():
    sender = QueuingSender(1)
    while sender.has_room():
        sender.take(b"x", 0)
    assert len(sender) == WINDOW_MESSAGES_MAX
    long = QueuingSender(1)
    long.take(bytes(WINDOW_OCTETS_MAX), 0)
    assert not long.has_room()
    assert long.acknowledge(1)
    assert long.has_room()


def test_what_was_never_sent_cannot_be_acknowledged():
    sender = QueuingSender(1)
    sender.take(b"x", 0)
    with pytest.raises(RemoteProtocolError, match="message 2 acknowledged, the last one is 1"):
        sender.acknowledge(2)


def test_a_far_end_that_skips_or_floods_is_refused():
    receiver = QueuingReceiver()
    receiver.connected(5, 1)
    receiver.hear(1, b"a")
    receiver.hear(1, b"a")
    with pytest.raises(RemoteProtocolError, match="message 3 after 1"):
        receiver.hear(3, b"c")
    for number in range(2, WINDOW_MESSAGES_MAX + 2):
        receiver.hear(number, b"x")
    with pytest.raises(RemoteProtocolError, match="unacknowledged"):
        receiver.hear(WINDOW_MESSAGES_MAX + 2, b"x")


def test_messages_that_are_gone_for_good_are_told():
    receiver = QueuingReceiver()
    assert receiver.connected(5, 1) == 0
    assert receiver.connected(5, 4) == 3
    assert receiver.connected(6, 100) == 0


DEEDS = st.lists(
    st.sampled_from(["take", "send", "arrive", "local", "acknowledge", "cut", "die sender", "die receiver"])
)


@given(DEEDS)
def test_both_ends_agree_whatever_is_cut_and_whoever_dies(deeds):
    """The two ends and a wire of two rows; `local` is the receiver's channel, journals are what outlives an end."""
    sender, receiver = QueuingSender(9), QueuingReceiver()
    wire, back, local = [], [], []
    kept_sender, kept_receiver = sender.journal(0), None
    made, is_given = 0, False

    def connect():
        nonlocal is_given
        wire.clear()
        back.clear()
        if is_given:
            is_given = False
            receiver.done()
        sender.connected(receiver.epoch, receiver.last_number)
        assert receiver.connected(sender.epoch, sender.first_number()) == 0

    connect()
    for deed in [*deeds, *["cut"], *["send", "arrive", "local", "acknowledge"] * 3 * WINDOW_MESSAGES_MAX]:
        if deed == "take" and sender.has_room():
            made += 1
            sender.take(b"%d" % made, 0)
            kept_sender = sender.journal(made)
        elif deed == "send" and (message := sender.next_unsent()) is not None:
            wire.append(message)
        elif deed == "arrive" and wire:
            message = wire.pop(0)
            receiver.hear(message.number, message.message)
        elif deed == "local" and (message := receiver.next()) is not None:
            kept_receiver = receiver.intent(len(local))
            local.append(int(message))
            is_given = True
            back.append(receiver.done())
            is_given = False
        elif deed == "acknowledge" and back:
            sender.acknowledge(back.pop(0))
            kept_sender = sender.journal(made)
        elif deed == "cut":
            connect()
        elif deed == "die sender":
            sender = QueuingSender(9, kept_sender)
            connect()
        elif deed == "die receiver":
            receiver = QueuingReceiver(kept_receiver, len(local))
            connect()
    assert local == list(range(1, made + 1))
    assert len(sender) == 0


def test_of_samples_only_the_newest_goes_and_one_at_a_time():
    sampler = SamplingSender()
    assert sampler.next_unsent() is None
    sampler.write(b"1", 10)
    first = sampler.next_unsent()
    assert (first.number, first.message) == (10, b"1")
    sampler.write(b"2", 20)
    sampler.write(b"3", 30)
    assert sampler.next_unsent() is None
    sampler.acknowledge(10)
    assert sampler.next_unsent().message == b"3"
    sampler.connected(10)
    assert sampler.next_unsent().message == b"3"
    sampler.acknowledge(30)
    assert sampler.next_unsent() is None


def test_a_far_end_gets_the_newest_sample_again_if_it_has_not_got_it():
    sampler = SamplingSender()
    sampler.connected(0)
    assert sampler.next_unsent() is None
    sampler.write(b"1", 10)
    sampler.next_unsent()
    sampler.acknowledge(10)
    sampler.connected(10)
    assert sampler.next_unsent() is None
    sampler.connected(0)
    assert sampler.next_unsent().message == b"1"
    assert modulelink.SAMPLING == 4
