"""A partition's end on the bus: time-outs, late replies, packing and back-pressure."""

from __future__ import annotations

import pytest
from tests.bench import SECOND_NS, Bench, Partner, queuing

from wattwheel.apex.bus import ASKS_UNDER_WAY, ASKS_WAITING_MAX, FROM_BUS, TIMEOUT_LOOK_NS, TO_BUS, UNSENT_MAX
from wattwheel.apex.messages import DATA_OCTETS_MAX, Control, Kind, Message, pack, unpack

READ = Control.READ


class Line:
    """A partition `p` whose bus is the test itself."""

    def __init__(self, depth: int = 4, answer=None) -> None:
        self.partner = Partner(answer)
        channels = (
            queuing("out", f"p.{TO_BUS}", "kernel.out", depth=depth),
            queuing("in", "kernel.in", f"p.{FROM_BUS}", depth=depth),
        )
        self.bench = Bench({"p": self.partner}, channels)
        self.bench.run()
        self.out = self.bench.host.queuing_destination("out")
        self.into = self.bench.host.queuing_source("in")

    def sent(self) -> list[list[Message]]:
        """The port messages that wait in the port to the bus, taken."""
        found = []
        while (octets := self.out.peek_nowait()) is not None:
            found.append(unpack(octets))
            self.out.consume()
        self.bench.run()
        return found

    def tell(self, *messages: Message) -> None:
        assert self.into.send_nowait(b"".join(map(pack, messages)))
        self.bench.run()


def reply_to(request: Message, data: bytes = b"", error: int = 0) -> Message:
    return Message(Kind.REPLY, request.control, request.di, request.ticket, error, 1, data)


def test_a_reply_reaches_whoever_asked():
    line = Line()
    line.partner.ask(READ, 0x00010000)
    line.partner.ask(READ, 0x02010100, b"\x01")
    (first,), (second,) = line.sent()
    assert first[:3] == (Kind.REQUEST, READ, 0x00010000)
    assert second.data == b"\x01"
    line.tell(reply_to(second, b"2"), reply_to(first, b"1"))
    assert [(asked[1], reply.data) for asked, reply in line.partner.replies] == [(0x02010100, b"2"), (0x00010000, b"1")]


def test_no_reply_within_the_time_is_told_once_and_a_late_one_is_dropped():
    line = Line()
    line.partner.ask(READ, 1, timeout_ns=300_000_000)
    line.partner.ask(READ, 2, timeout_ns=SECOND_NS)
    (first,), (_second,) = line.sent()
    line.bench.run(0.27)
    assert line.partner.replies == []
    line.bench.run(TIMEOUT_LOOK_NS / 1e9)
    assert line.partner.replies == [((READ, 1, b""), None)]
    line.tell(reply_to(first, b"late"), reply_to(first, b"twice"))
    assert len(line.partner.replies) == 1
    assert line.partner.count("bus_replies_late") == 2
    line.bench.run(2)
    assert line.partner.replies[1:] == [((READ, 2, b""), None)]
    assert line.partner.count("bus_asks_timed_out") == 2


def test_a_second_reply_to_the_same_ticket_is_dropped():
    line = Line()
    line.partner.ask(READ, 1)
    ((request,),) = line.sent()
    line.tell(reply_to(request, b"a"))
    line.tell(reply_to(request, b"b"))
    assert [reply.data for _, reply in line.partner.replies] == [b"a"]


def test_a_reply_to_a_dead_predecessor_matches_nothing():
    line = Line(depth=16)
    for di in range(5):
        line.partner.ask(READ, di)
    old = [request for (request,) in line.sent()]
    line.bench.kill("p")
    line.bench.run(0.1)
    assert line.partner.births == 2
    for di in range(5, 10):
        line.partner.ask(READ, di)
    new = [request for (request,) in line.sent()]
    line.tell(*(reply_to(request, b"old") for request in old))
    assert line.partner.replies == []
    line.tell(*(reply_to(request, b"new") for request in new))
    assert [reply.data for _, reply in line.partner.replies] == [b"new"] * 5


def test_what_tasks_gather_leaves_together_and_in_order():
    line = Line()
    bus = line.partner.bus
    for number in range(10):
        bus.tell(Control.PRESS, number, b"up")
    bus.flush()
    ((*notices,),) = line.sent()
    assert [notice.di for notice in notices] == list(range(10))


def test_a_pack_never_exceeds_the_port_and_nothing_is_lost_by_packing():
    line = Line(depth=32)
    bus = line.partner.bus
    sizes = [DATA_OCTETS_MAX, 1, DATA_OCTETS_MAX, 2000, 0, 48, 4, 1999]
    for number, size in enumerate(sizes):
        bus.tell(Control.PRESS, number, bytes(size))
    bus.flush()
    packs = line.sent()
    assert all(sum(16 + len(m.data) for m in pack_) <= 4096 for pack_ in packs)
    assert [len(m.data) for pack_ in packs for m in pack_] == sizes
    assert len(packs) < len(sizes)


@pytest.mark.parametrize(
    "call",
    [
        lambda bus, data: bus.ask(READ, 1, data, lambda reply: None),
        lambda bus, data: bus.tell(READ, 1, data),
        lambda bus, data: bus.reply(Message(Kind.REQUEST, READ, 1), data),
    ],
    ids=["ask", "tell", "reply"],
)
def test_data_beyond_the_bound_are_a_bug_of_the_sender(call):
    bus = Line().partner.bus
    with pytest.raises(AssertionError):
        call(bus, bytes(DATA_OCTETS_MAX + 1))


def test_a_full_port_holds_messages_back_and_lets_them_go_in_order():
    line = Line(depth=2)
    for di in range(20):
        line.partner.ask(READ, di, timeout_ns=10 * SECOND_NS)
    assert line.partner.bus.unsent == 18
    seen = []
    for _ in range(20):
        seen += [message.di for pack_ in line.sent() for message in pack_]
    assert seen == list(range(20))
    assert line.partner.bus.unsent == 0


def test_room_that_appears_in_between_lets_nothing_overtake():
    line = Line(depth=8)
    bus, real, tries = line.partner.bus, line.partner.bus._out.send, []

    def full_at_first(octets):
        tries.append(octets)
        return len(tries) > 2 and real(octets)

    bus._out.send = full_at_first
    for number in range(3):
        bus.tell(Control.PRESS, number)
        bus.flush()
    bus.flush()
    assert [message.di for pack_ in line.sent() for message in pack_] == [0, 1, 2]


def test_asks_beyond_the_quota_wait_and_leave_with_the_answers_to_those_before_them():
    line = Line(depth=64)
    bus, answered, rooms = line.partner.bus, [], []
    bus.on_room(lambda: rooms.append(len(answered)))
    assert bus.has_room()
    number = ASKS_UNDER_WAY + 5
    assert all(bus.ask(READ, di, b"", lambda reply, di=di: answered.append(di)) for di in range(number))
    assert not bus.has_room()
    bus.flush()
    left = [message for pack_ in line.sent() for message in pack_]
    assert [message.di for message in left] == list(range(ASKS_UNDER_WAY))
    assert rooms == []
    for message in left[:7]:
        line.tell(Message(Kind.REPLY, READ, message.di, message.ticket))
    assert answered == list(range(7))
    assert [message.di for pack_ in line.sent() for message in pack_] == list(range(ASKS_UNDER_WAY, number))
    assert rooms == [6, 7]
    assert bus.has_room()


def test_asks_that_nobody_answers_make_room_for_the_next_by_their_time_out():
    line = Line(depth=64)
    answered = []
    for di in range(ASKS_UNDER_WAY + 1):
        line.partner.bus.ask(READ, di, b"", lambda reply, di=di: answered.append((di, reply)), 1_000_000)
    line.bench.run(3 * TIMEOUT_LOOK_NS / 1e9)
    assert answered == [(di, None) for di in range(ASKS_UNDER_WAY + 1)]


def test_asks_that_wait_are_bounded():
    line = Line()
    number = ASKS_UNDER_WAY + ASKS_WAITING_MAX
    taken = [line.partner.bus.ask(READ, di, b"", lambda reply: None) for di in range(number + 3)]
    assert taken.count(True) == number
    assert line.partner.count("bus_asks_refused") == 3


def test_what_waits_for_room_is_bounded_and_the_rest_counted():
    line = Line(depth=1)
    for number in range(UNSENT_MAX + 11):
        line.partner.bus.tell(Control.PRESS, number)
        line.partner.bus.flush()
    assert line.partner.bus.unsent == UNSENT_MAX
    assert line.partner.count("bus_messages_dropped") == 10


def test_a_request_is_answered_and_a_damaged_or_unexpected_message_is_counted():
    line = Line(answer=lambda request: (request.data[::-1], 0))
    line.tell(Message(Kind.REQUEST, READ, 7, 99, 0, 3, b"abc"))
    assert line.sent() == [[Message(Kind.REPLY, READ, 7, 99, 0, 0, b"cba")]]
    assert line.into.send_nowait(b"rubbish")
    line.bench.run()
    line.tell(Message(77, READ, 7))
    assert line.partner.count("bus_messages_damaged") == 1
    assert line.partner.count("bus_messages_unexpected") == 1
    line.tell(Message(Kind.NOTICE, Control.PRESS, 1, data=b"up"))
    assert [notice.data for notice in line.partner.notices] == [b"up"]


@pytest.mark.parametrize("operations", range(12))
def test_a_request_is_not_lost_when_its_owner_dies_over_it(operations):
    line = Line(answer=lambda request: (b"good", 0))
    body = line.bench.host.bodies["p"]
    body.kill_within(operations)
    line.tell(Message(Kind.REQUEST, READ, 7, 99))
    line.bench.run(0.1)
    replies = [message for pack_ in line.sent() for message in pack_]
    assert 1 <= len(replies) <= 2  # the message in work may be done again
    assert all(reply.ticket == 99 and reply.data == b"good" for reply in replies)
