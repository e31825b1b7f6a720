"""Follow-up frames: the meter's memory per channel, splitting, and putting together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattwheel.model.errors import LocalProtocolError, RemoteProtocolError
from wattwheel.protocols.dlt645.frame import Frame
from wattwheel.protocols.dlt645.session import (
    FOLLOW_UP_TIMEOUT_NS,
    SEQ_MAX,
    FollowUp,
    Reassembly,
    Reply,
    split,
)

DI = bytes.fromhex("00FF0100")
OTHER_DI = bytes.fromhex("00FF0200")
S = 1_000_000_000
WIDTHS = st.lists(st.integers(0, 40), max_size=120)
BOUNDS = st.integers(16, 200)


def octets(size: int) -> bytes:
    return bytes(at * 7 % 251 for at in range(size))


@given(WIDTHS, st.integers(0, 30), BOUNDS)
def test_parts_fit_their_frames_and_cut_no_element(widths, extra, bound):
    data = octets(sum(widths) + extra)
    parts = split(data, widths, bound)
    assert b"".join(parts) == data
    assert len(parts[0]) + 4 <= bound
    assert all(0 < len(part) + 5 <= bound for part in parts[1:])
    edges, at = {0}, 0
    for width in (*widths, extra):
        at += width
        edges.add(at)
        if width > bound - 5:  # such an element may be cut, and what is left of it need not end a frame
            edges.update(range(at - width, at + 1))
    at = 0
    for part in parts:
        at += len(part)
        assert at in edges


@given(WIDTHS.filter(lambda widths: sum(widths) > 0), BOUNDS)
def test_no_frame_is_sent_that_could_have_taken_the_next_element(widths, bound):
    if max(widths) > bound - 5:
        return
    parts, room, ends = split(octets(sum(widths)), widths, bound), bound - 4, set()
    at = 0
    for width in widths:
        at += width
        ends.add(at)
    begin = 0
    for part in parts[:-1]:
        end = begin + len(part)
        following = min(edge for edge in ends if edge > end)
        assert following - begin > room
        begin, room = end, bound - 5


def test_what_fits_one_frame_is_not_split():
    assert split(b"", ()) == [b""]
    assert split(octets(196), [4] * 49) == [octets(196)]
    assert [len(part) for part in split(octets(200), [4] * 50)] == [196, 4]
    assert [len(part) for part in split(octets(131 * 2), [131, 131])] == [131, 131]


def test_a_single_long_record_is_cut_anywhere():
    assert [len(part) for part in split(octets(500), [500])] == [196, 195, 109]


@pytest.mark.parametrize("bound", [15, 201, 0, -1])
def test_impossible_bounds_are_our_own_bug(bound):
    with pytest.raises(LocalProtocolError, match="16 to 200"):
        split(b"", (), bound)
    with pytest.raises(LocalProtocolError):
        FollowUp(bound)


def test_a_reply_that_no_sequence_number_can_reach_is_refused():
    longest = 12 + 11 * SEQ_MAX
    assert len(split(octets(longest), (), 16)) == SEQ_MAX + 1
    with pytest.raises(LocalProtocolError, match="256"):
        split(octets(longest + 1), (), 16)


def started(size: int = 600, now_ns: int = 0, bound: int = 200) -> tuple[FollowUp, Reply]:
    channel = FollowUp(bound)
    return channel, channel.answer(DI, octets(size), [4] * (size // 4), now_ns)


def test_a_short_reply_leaves_nothing_pending():
    channel, reply = started(8)
    assert reply == (0x91, DI + octets(8))
    assert not channel.is_pending
    assert channel.follow(DI, 1, 0) == (0xD2, b"\x02")


def test_a_long_reply_to_its_end():
    channel, first = started(600)
    assert (first.control, first.data[:4], len(first.data)) == (0xB1, DI, 200)
    second, third, fourth = (channel.follow(DI, seq, 0) for seq in (1, 2, 3))
    assert [reply.control for reply in (second, third, fourth)] == [0xB2, 0xB2, 0x92]
    assert [reply.data[-1] for reply in (second, third, fourth)] == [1, 2, 3]
    assert all(reply.data[:4] == DI and len(reply.data) <= 200 for reply in (second, third, fourth))
    together = first.data[4:] + b"".join(reply.data[4:-1] for reply in (second, third, fourth))
    assert together == octets(600)


def test_the_same_number_gives_the_same_frame_also_the_last():
    channel, _ = started(600)
    assert channel.follow(DI, 1, 0) == channel.follow(DI, 1, 0)
    channel.follow(DI, 2, 0)
    assert channel.follow(DI, 3, 0) == channel.follow(DI, 3, 0)
    assert channel.follow(DI, 4, 0) == (0xD2, b"\x02"), "nothing more is pending"


@pytest.mark.parametrize("seq", [0, 1, 4, 255])
def test_another_number_is_refused(seq):
    channel, _ = started(900)
    channel.follow(DI, 1, 0)
    good = channel.follow(DI, 2, 0)
    assert channel.follow(DI, seq, 0) == (0xD2, b"\x01")
    assert channel.follow(DI, 2, 0) == good, "and changes nothing"


def test_number_zero_is_refused_before_the_first_follow_up():
    channel, _ = started()
    assert channel.follow(DI, 0, 0) == (0xD2, b"\x01")
    assert channel.follow(DI, 2, 0) == (0xD2, b"\x01")


def test_another_identifier_is_refused():
    channel, _ = started()
    assert channel.follow(OTHER_DI, 1, 0) == (0xD2, b"\x02")
    assert channel.follow(DI, 1, 0).control == 0xB2


def test_a_new_read_discards():
    channel, _ = started()
    channel.answer(OTHER_DI, b"\0\0", (2,), 0)
    assert channel.follow(DI, 1, 0) == (0xD2, b"\x02")
    channel, _ = started()
    channel.discard()
    assert channel.follow(DI, 1, 0) == (0xD2, b"\x02")
    channel, _ = started()
    channel.follow(DI, 1, 0)
    channel.answer(DI, octets(600), [4] * 150, 0)
    assert channel.follow(DI, 2, 0) == (0xD2, b"\x01"), "counting begins anew"


def test_what_is_pending_is_forgotten_a_minute_after_the_last_frame():
    channel, _ = started(600, now_ns=10 * S)
    assert channel.follow(DI, 1, 10 * S + FOLLOW_UP_TIMEOUT_NS).control == 0xB2
    assert channel.follow(DI, 2, 60 * S + FOLLOW_UP_TIMEOUT_NS).control == 0xB2
    assert channel.follow(DI, 3, 60 * S + 2 * FOLLOW_UP_TIMEOUT_NS + 1) == (0xD2, b"\x02")
    assert not channel.is_pending


@given(st.integers(0, 8 * SEQ_MAX), BOUNDS)
def test_the_head_end_puts_together_what_the_meter_split(size, bound):
    channel, reply = started(size, bound=bound)
    parts = Reassembly(DI)
    while True:
        frame = Frame("123456789012", reply.control, reply.data)
        assert parts.accept(frame)
        if parts.is_complete:
            break
        assert not parts.accept(frame), "a repeated frame is not taken twice"
        reply = channel.follow(DI, parts.seq, 0)
    assert parts.data == octets(size)


def test_the_head_end_ignores_other_identifiers_and_numbers():
    parts = Reassembly(DI)
    assert not parts.accept(Frame("1" * 12, 0xB1, OTHER_DI + b"\0"))
    assert not parts.accept(Frame("1" * 12, 0xB1, DI[:3]))
    assert parts.accept(Frame("1" * 12, 0xB1, DI + b"a"))
    assert not parts.accept(Frame("1" * 12, 0xB2, DI + b"b\x02"))
    assert not parts.accept(Frame("1" * 12, 0xB2, DI))
    assert parts.accept(Frame("1" * 12, 0x92, DI + b"b\x01"))
    assert not parts.accept(Frame("1" * 12, 0x92, DI + b"c\x02"))
    assert (parts.data, parts.is_complete) == (b"ab", True)


@pytest.mark.parametrize("edition", ["2007", "1997"])
def test_a_meter_that_never_ends_its_reply_is_given_up(edition):
    di = DI if edition == "2007" else DI[:2]
    parts = Reassembly(di, edition)
    for seq in range(SEQ_MAX):
        assert parts.accept(Frame("1" * 12, 0xB2, di + b"x" + bytes((seq,))))
    with pytest.raises(RemoteProtocolError, match="255 follow-up frames"):
        parts.accept(Frame("1" * 12, 0xB2, di + b"x" + bytes((SEQ_MAX,))))
    assert len(parts.data) <= 2 * (SEQ_MAX + 1)
