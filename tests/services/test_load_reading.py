"""Load records that are asked for by number: all of them in one answer, however many messages the owner needs."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.services.communication_world import World, answer, di_octets, follow, frames, read

from wattwheel.apex.messages import DATA_OCTETS_MAX, Control
from wattwheel.model.bcd import minute_octets, minute_of
from wattwheel.model.load_record import CLASS_OCTETS, CLASSES, encode_record
from wattwheel.protocols.dlt645.blocks import load_widths
from wattwheel.protocols.dlt645.session import SEQ_MAX
from wattwheel.services.load_reading import ANSWER_OCTETS_MAX

FIRST, FROM, LAST = 0x06000000, 0x06000001, 0x06000002
BEGIN = datetime(2026, 3, 1, 10, tzinfo=UTC)
WHOLE = {number: bytes(octets) for number, octets in zip(CLASSES, CLASS_OCTETS, strict=True)}
RECORDS = [encode_record(BEGIN + timedelta(minutes=number), WHOLE) for number in range(150)]
ALL = len(RECORDS)
FIRST_MINUTE = minute_of(RECORDS[0][3:8])
A_MESSAGE = DATA_OCTETS_MAX // len(RECORDS[0])


def owner_answers(world, limit=ALL):
    """Answer what was asked as the APP does, of the first `limit` records; (identifier, data) of each question."""
    questions = []
    while asked := world.asked():
        (request,) = asked
        assert request.control == Control.READ
        count, time = int(request.data[:1].hex()), request.data[1:]
        begin = minute_of(time) - FIRST_MINUTE if time else 0 if request.di == FIRST else max(0, limit - count)
        questions.append((request.di, request.data.hex()))
        world.reply(request, b"".join(RECORDS[begin:limit][:count][:A_MESSAGE]))
    return questions


def whole_answer(world, di):
    """The octets of all frames of the answer that has come."""
    control, field = answer(world.tcp.take())
    octets, number = field[4:], 0
    while control & 0x20:
        number += 1
        control, field = answer(world.ask(follow(di, number)))
        assert field[-1] == number
        octets += field[4:-1]
    return octets


@pytest.mark.parametrize(("count", "messages"), [(1, 1), (34, 1), (35, 2), (68, 2), (99, 3)])
@pytest.mark.parametrize("di", [FIRST, LAST])
def test_all_that_were_asked_come(di, count, messages):
    world = World()
    world.hear(read(di, more=bytes.fromhex(f"{count:02d}")))
    assert len(owner_answers(world)) == messages
    expected = RECORDS[:count] if di == FIRST else RECORDS[-count:]
    assert whole_answer(world, di) == b"".join(expected)


def test_what_is_missing_is_asked_for_from_the_time_after_the_last_one():
    world = World()
    world.hear(read(FIRST, more=b"\x99"))
    first = FIRST_MINUTE
    assert owner_answers(world) == [
        (FIRST, "99"),
        (FROM, "65" + minute_octets(first + A_MESSAGE).hex()),
        (FROM, "31" + minute_octets(first + 2 * A_MESSAGE).hex()),
    ]
    assert len(whole_answer(world, FIRST)) == ANSWER_OCTETS_MAX


def test_no_more_come_than_there_are():
    world = World()
    world.hear(read(FROM, more=b"\x99" + minute_octets(FIRST_MINUTE + 1)))
    owner_answers(world, limit=51)
    assert whole_answer(world, FROM) == b"".join(RECORDS[1:51])
    world.hear(read(FROM, more=b"\x99" + minute_octets(FIRST_MINUTE)))
    assert len(owner_answers(world, limit=A_MESSAGE)) == 2  # a full message does not say that it was the last
    assert whole_answer(world, FROM) == b"".join(RECORDS[:A_MESSAGE])


def test_without_a_number_it_is_the_owner_s_answer():
    world = World()
    world.hear(read(LAST))
    (request,) = world.asked()
    assert (request.di, request.data) == (LAST, b"")
    world.reply(request, RECORDS[0])
    assert answer(world.tcp.take()) == (0x91, di_octets(LAST) + RECORDS[0])


@pytest.mark.parametrize("failure", ["silence", "error", "another item"])
def test_a_piece_that_does_not_come_makes_an_exception_of_the_whole(failure):
    world = World()
    world.hear(read(FIRST, more=b"\x99"))
    (request,) = world.asked()
    world.reply(request, b"".join(RECORDS[:A_MESSAGE]))
    (request,) = world.asked()
    assert world.tcp.sent == []
    if failure == "silence":
        world.pass_ms(600)
    elif failure == "error":
        world.reply(request, error=2)
    else:
        world.reply(request._replace(di=FIRST), b"".join(RECORDS[:2]))
    assert answer(world.tcp.take()) == (0xD1, b"\x02" if failure == "error" else b"\x01")
    assert answer(world.ask(follow(FIRST, 1))) == (0xD2, b"\x02")


def test_all_pieces_together_have_the_time_of_one_question():
    world = World()
    world.hear(read(FIRST, more=b"\x99"))
    for _piece in range(2):
        (request,) = world.asked()
        world.pass_ms(180)
        minute = minute_of(request.data[1:]) if len(request.data) > 1 else FIRST_MINUTE
        begin = minute - FIRST_MINUTE
        world.reply(request, b"".join(RECORDS[begin : begin + A_MESSAGE]))
    assert world.tcp.sent == []
    world.pass_ms(200)
    assert answer(world.tcp.take()) == (0xD1, b"\x01")


@pytest.mark.parametrize("octets", [b"\xa0\xa0\x05" + bytes(DATA_OCTETS_MAX - 3), bytes(DATA_OCTETS_MAX)])
def test_what_is_no_records_is_answered_as_it_is(octets):
    world = World()
    world.hear(read(FIRST, more=b"\x99"))
    world.reply(*world.asked(), octets)
    assert world.asked() == []
    assert whole_answer(world, FIRST) == octets


def test_the_next_question_drops_the_rest_and_answers_keep_their_order():
    world = World()
    world.hear(read(FIRST, more=b"\x40") + read(LAST))
    first, second = world.asked()
    world.reply(second, RECORDS[-1])
    world.reply(first, b"".join(RECORDS[:A_MESSAGE]))
    assert world.tcp.sent == []
    owner_answers(world)
    controls = [(control, field[:4]) for control, field in frames(world.tcp.take())]
    assert controls == [(0xB1, di_octets(FIRST)), (0x91, di_octets(LAST))]
    assert answer(world.ask(follow(FIRST, 1))) == (0xD2, b"\x02")


@pytest.mark.parametrize(("max_reply_data", "records"), [(57, 99), (56, 85), (20, 36)])
def test_short_frames_carry_as_many_whole_records_as_they_can(max_reply_data, records):
    world = World(max_reply_data=max_reply_data)
    world.hear(read(FIRST, more=b"\x99"))
    owner_answers(world)
    octets = whole_answer(world, FIRST)
    assert octets == b"".join(RECORDS[:records])
    assert -(-len(octets) // (max_reply_data - 5)) <= SEQ_MAX + 1


def test_widths():
    assert load_widths(b"".join(RECORDS[:3])) == [103] * 3
    assert load_widths(b"") == load_widths(RECORDS[0][:-1]) == load_widths(b"\xa0" + RECORDS[0]) == []
