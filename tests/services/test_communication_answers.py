"""The communication service's answers: their order, late owners, follow-up frames, the owner's snapshot."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.services.communication_world import (
    ABSENT,
    ADDRESS,
    ANY,
    FREQUENCY,
    FREQUENCY_ANSWER,
    ITEMS,
    LONG,
    LONG_DI,
    MS,
    OTHER,
    SECOND,
    TOTAL,
    TOTAL_ANSWER,
    VOLTAGE,
    VOLTAGE_ANSWER,
    World,
    answer,
    di_octets,
    follow,
    frames,
    read,
    request,
)

from wattwheel.apex.messages import DATA_OCTETS_MAX
from wattwheel.services.communication import ANSWER_TIMEOUT_NS, HEARD_A_TURN_MAX, SERVED_A_TURN_MAX
from wattwheel.services.communication_channel import PENDING_A_CHANNEL_MAX, UNREAD_OCTETS_MAX


@pytest.fixture
def world():
    return World()


# -- order of answers ------------------------------------------------------------------------------


@given(order=st.permutations(range(5)))
@settings(max_examples=40)
def test_pipelined_questions_are_answered_in_their_order_whoever_is_first(order):
    world = World()
    world.hear(read(TOTAL) + read(VOLTAGE) + read(ABSENT) + request(0x13, b"", ANY) + read(FREQUENCY) + read(LONG_DI))
    asked = world.asked()
    for number in order:
        data = ITEMS.get(asked[number].di)
        world.reply(asked[number], data or b"", 0 if data else 2)
    assert frames(world.tcp.take()) == [
        TOTAL_ANSWER,
        VOLTAGE_ANSWER,
        (0xD1, b"\x02"),
        (0x93, bytes.fromhex(ADDRESS)[::-1]),
        FREQUENCY_ANSWER,
        (0xB1, di_octets(LONG_DI) + LONG[:196]),
    ]


def test_an_exception_waits_for_the_answers_before_it(world):
    world.hear(read(TOTAL) + request(0x14, bytes(13)) + request(0x1F))
    assert world.tcp.sent == []
    total, allowed = world.asked()
    world.reply(allowed, error=4)
    assert world.tcp.sent == []
    world.reply(total, ITEMS[TOTAL])
    assert frames(world.tcp.take()) == [TOTAL_ANSWER, (0xD4, b"\x04"), (0xDF, b"\x01")]


def test_channels_do_not_wait_for_each_other(world):
    other = world.connect()
    world.hear(read(TOTAL))
    world.hear(read(VOLTAGE), other)
    first, second = world.asked()
    world.reply(second, ITEMS[VOLTAGE])
    assert answer(other.take()) == VOLTAGE_ANSWER
    assert world.tcp.sent == []
    world.reply(first, ITEMS[TOTAL])
    assert answer(world.tcp.take()) == TOTAL_ANSWER


@pytest.mark.parametrize("flood", [read(TOTAL), request(0x1F), request(0x13, b"", ANY), request(0x16, b"\x99" * 4)])
def test_a_channel_that_asks_too_much_is_not_read_for_a_while_and_nothing_of_it_is_lost(world, flood):
    other = world.connect()
    number = PENDING_A_CHANNEL_MAX + 9
    world.hear(read(TOTAL) + flood * number)
    assert world.count("channels_held") == 1
    world.hear(flood)
    assert world.tcp.unread == flood
    world.hear(read(VOLTAGE), other)
    asked = world.asked()
    assert len(asked) <= PENDING_A_CHANNEL_MAX + 1
    world.reply(asked[-1], ITEMS[VOLTAGE])
    assert answer(other.take()) == VOLTAGE_ANSWER
    for each in asked[:-1]:
        world.reply(each, ITEMS[TOTAL])
    while asked := world.asked():
        for each in asked:
            world.reply(each, ITEMS[TOTAL])
    assert len(frames(world.tcp.take())) == 1 + number + 1
    assert answer(world.ask(read(VOLTAGE))) == VOLTAGE_ANSWER


def test_all_channels_together_are_held_back_when_the_bus_has_no_room():
    world = World(asks_under_way=10)
    others = [world.connect() for _ in range(8)]
    for other in others:
        world.hear(read(TOTAL) * 3, other)
    answered = 0
    while asked := world.asked():
        assert len(asked) <= 10
        for each in asked:
            world.reply(each, ITEMS[TOTAL])
            answered += 1
    assert answered == 24
    assert [len(frames(other.take())) for other in others] == [3] * 8
    assert world.count("channels_held") >= 4


def test_a_channel_that_pipelines_a_lot_does_not_keep_the_others_waiting():
    world = World(asks_under_way=4)
    others = [world.connect() for _ in range(3)]
    world.hear(read(TOTAL) * 1000)
    for other in others:
        world.hear(read(VOLTAGE), other)
    for each in [*world.asked(), *world.asked()]:
        world.reply(each, ITEMS[each.di])
    for each in world.asked():
        world.reply(each, ITEMS[each.di])
    assert [answer(other.take()) for other in others] == [VOLTAGE_ANSWER] * 3
    while asked := world.asked():
        for each in asked:
            world.reply(each, ITEMS[each.di])
    assert len(frames(world.tcp.take())) == 1000


def test_many_channels_that_say_much_at_once_do_not_keep_replies_waiting(world):
    """What is heard in one go is bounded; the rest follows when the loop has looked at what else came."""
    others = [world.connect() for _ in range(20)]
    silent = request(0x91) * 4000
    for other in others:
        other.bring(silent)
    world.turn()
    unheard = [other for other in others if other.unread]
    assert len(unheard) >= len(others) - HEARD_A_TURN_MAX // len(silent) - 1
    world.pass_ms(1)
    assert not any(other.unread for other in others)
    assert world.count("silent_reply_heard") == 20 * 4000


def test_many_held_frames_are_served_a_few_at_a_time():
    world = World(asks_under_way=1)
    world.hear(read(TOTAL) * 2 + request(0x91) * 4000)
    world.reply(*world.asked(), ITEMS[TOTAL])
    world.reply(*world.asked(), ITEMS[TOTAL])
    assert 0 < world.count("silent_reply_heard") <= 2 * SERVED_A_TURN_MAX
    world.pass_ms(20 * 10)
    assert world.count("silent_reply_heard") == 4000
    assert frames(world.tcp.take()) == [TOTAL_ANSWER] * 2


def test_a_channel_that_does_not_read_its_answers_is_asked_nothing_more_until_it_does(world):
    number = 2000
    world.hear(read(LONG_DI) * number)
    heard = []
    while True:
        while asked := world.asked():
            for each in asked:
                world.reply(each, LONG)
        assert world.tcp.unsent < UNREAD_OCTETS_MAX + PENDING_A_CHANNEL_MAX * 250
        if not world.tcp.sent:
            break
        heard += frames(world.tcp.take())
        world.pass_ms(30)
    assert len(heard) == number
    assert world.count("channels_held") == 1


def test_an_end_that_is_read_while_looking_after_half_a_frame_is_noticed(world):
    world.hear(read(TOTAL)[:5])
    world.tcp.vanish()
    world.pass_ms(1100)
    assert world.tcp.is_given_back
    assert world.count("half_frames") == 1


def test_a_held_channel_that_hung_up_gets_its_answers_and_is_closed(world):
    world.hear(read(TOTAL) * (PENDING_A_CHANNEL_MAX + 1))
    world.tcp.hang_up()
    world.turn()
    assert not world.tcp.is_given_back
    while asked := world.asked():
        for each in asked:
            world.reply(each, ITEMS[TOTAL])
    world.turn()
    assert len(frames(world.tcp.take())) == PENDING_A_CHANNEL_MAX + 1
    assert world.tcp.is_given_back


def test_half_a_frame_behind_what_is_held_is_waited_for_from_when_it_is_listened_to_again(world):
    late = read(VOLTAGE)
    world.hear(read(TOTAL) * (PENDING_A_CHANNEL_MAX + 1) + late[:7])
    asked = world.asked()
    world.pass_ms(ANSWER_TIMEOUT_NS / MS - 10)
    for each in asked:
        world.reply(each, ITEMS[TOTAL])
    world.reply(*world.asked(), ITEMS[TOTAL])
    world.pass_ms(300)
    world.hear(late[7:])
    world.reply(*world.asked(), ITEMS[VOLTAGE])
    assert frames(world.tcp.take())[-1] == VOLTAGE_ANSWER
    assert world.count("half_frames") == 0


# -- owners that are late --------------------------------------------------------------------------


def test_a_late_owner_costs_its_own_question_only_and_its_late_reply_is_dropped(world):
    world.hear(read(TOTAL) + read(VOLTAGE))
    late, prompt = world.asked()
    world.reply(prompt, ITEMS[VOLTAGE])
    world.pass_ms(ANSWER_TIMEOUT_NS / MS - 1)
    assert world.tcp.sent == []
    world.pass_ms(101)
    assert frames(world.tcp.take()) == [(0xD1, b"\x01"), VOLTAGE_ANSWER]
    world.reply(late, ITEMS[TOTAL])
    assert world.tcp.take() == b""
    assert (world.count("reads_unanswered"), world.count("bus_replies_late")) == (1, 1)


def test_a_dead_owner_is_answered_for_within_what_a_line_waits(world):
    world.hear(read(TOTAL), world.serial)
    asked_at = world.clock.now
    world.pass_ms(1000)
    ((sent_at, octets),) = world.serial.sent
    assert answer(octets) == (0xD1, b"\x01")
    assert sent_at - asked_at <= 500 * MS


def test_a_reply_that_nobody_waits_for_is_dropped(world):
    world.hear(read(TOTAL))
    (asked,) = world.asked()
    world.reply(asked, ITEMS[TOTAL])
    world.tcp.take()
    world.reply(asked, ITEMS[TOTAL])
    world.reply(asked._replace(ticket=12345), ITEMS[TOTAL])
    assert world.tcp.take() == b""


def test_a_reply_to_another_question_is_not_taken_for_the_answer(world):
    """What waited in the port for a partition that was killed may carry a ticket that is in use again."""
    world.hear(read(TOTAL))
    (asked,) = world.asked()
    world.reply(asked._replace(di=VOLTAGE), ITEMS[VOLTAGE])
    assert answer(world.tcp.take()) == (0xD1, b"\x01")
    assert world.count("replies_to_others") == 1


def test_an_answer_longer_than_all_frames_together_is_an_exception():
    world = World(max_reply_data=16)
    world.hear(read(LONG_DI))
    world.reply(*world.asked(), bytes(4000))
    assert answer(world.tcp.take()) == (0xD1, b"\x01")
    assert world.count("answers_too_long") == 1
    assert answer(world.ask(follow(LONG_DI, 1))) == (0xD2, b"\x02")


# -- follow-up frames ------------------------------------------------------------------------------


def part(number, octets=LONG):
    """What frame `number` of a long answer carries."""
    return octets[:196] if number == 0 else octets[196 + 195 * (number - 1) : 196 + 195 * number]


def test_a_long_answer_comes_in_parts(world):
    assert answer(world.ask(read(LONG_DI))) == (0xB1, di_octets(LONG_DI) + part(0))
    assert answer(world.ask(follow(LONG_DI, 1))) == (0xB2, di_octets(LONG_DI) + part(1) + b"\x01")
    assert answer(world.ask(follow(LONG_DI, 2))) == (0x92, di_octets(LONG_DI) + part(2) + b"\x02")
    assert answer(world.ask(follow(LONG_DI, 3))) == (0xD2, b"\x02")
    assert part(0) + part(1) + part(2) == LONG


def test_a_lost_reply_is_asked_for_again(world):
    world.ask(read(LONG_DI))
    first = world.ask(follow(LONG_DI, 1))
    assert world.ask(follow(LONG_DI, 1)) == first
    last = world.ask(follow(LONG_DI, 2))
    assert world.ask(follow(LONG_DI, 2)) == last
    assert answer(world.ask(follow(LONG_DI, 1))) == (0xD2, b"\x01")


@pytest.mark.parametrize("seq", [0, 2, 3, 255])
def test_another_seq_than_the_last_or_the_next_is_an_exception(world, seq):
    world.ask(read(LONG_DI))
    assert answer(world.ask(follow(LONG_DI, seq))) == (0xD2, b"\x01")
    assert answer(world.ask(follow(LONG_DI, 1)))[0] == 0xB2


def test_what_just_fits_one_frame_is_not_split(world):
    for size, control in ((196, 0x91), (197, 0xB1)):
        world.hear(read(LONG_DI))
        world.reply(*world.asked(), bytes(size))
        assert answer(world.tcp.take())[0] == control


def test_nothing_follows_a_short_answer_or_another_identifier(world):
    world.ask(read(VOLTAGE))
    assert answer(world.ask(follow(VOLTAGE, 1))) == (0xD2, b"\x02")
    world.ask(read(LONG_DI))
    assert answer(world.ask(follow(VOLTAGE, 1))) == (0xD2, b"\x02")
    assert answer(world.ask(follow(LONG_DI, 1)))[0] == 0xB2


def test_follow_up_state_belongs_to_its_channel(world):
    other = world.connect()
    world.ask(read(LONG_DI))
    assert answer(world.ask(follow(LONG_DI, 1), other)) == (0xD2, b"\x02")
    world.ask(read(VOLTAGE), other)
    assert answer(world.ask(follow(LONG_DI, 1)))[0] == 0xB2


def test_follow_up_state_is_forgotten_after_a_while():
    world = World(follow_timeout_ns=5 * SECOND)
    world.ask(read(LONG_DI))
    world.pass_ms(5000)
    assert answer(world.ask(follow(LONG_DI, 1)))[0] == 0xB2
    world.pass_ms(5001)
    assert answer(world.ask(follow(LONG_DI, 2))) == (0xD2, b"\x02")


NEW_READS = {
    "answered": read(VOLTAGE),
    "refused": read(ABSENT),
    "malformed": request(0x11, b"\x00"),
    "internal": read(0x0E000001),
    "from another master": read(VOLTAGE, ANY),
}


@pytest.mark.parametrize("octets", NEW_READS.values(), ids=NEW_READS)
def test_a_new_read_discards_what_was_to_follow(world, octets):
    world.ask(read(LONG_DI))
    world.ask(octets)
    assert answer(world.ask(follow(LONG_DI, 1))) == (0xD2, b"\x02")


def test_other_functions_leave_it(world):
    world.ask(read(LONG_DI))
    world.ask(request(0x13, b"", ANY) + request(0x14, bytes(13)) + read(VOLTAGE, OTHER))
    assert answer(world.ask(follow(LONG_DI, 1)))[0] == 0xB2


def test_a_pipelined_follow_up_waits_for_its_read(world):
    world.hear(read(LONG_DI) + follow(LONG_DI, 1) + follow(LONG_DI, 2) + read(VOLTAGE) + follow(LONG_DI, 1))
    long, short = world.asked()
    world.reply(short, ITEMS[VOLTAGE])
    world.reply(long, LONG)
    assert frames(world.tcp.take()) == [
        (0xB1, di_octets(LONG_DI) + part(0)),
        (0xB2, di_octets(LONG_DI) + part(1) + b"\x01"),
        (0x92, di_octets(LONG_DI) + part(2) + b"\x02"),
        VOLTAGE_ANSWER,
        (0xD2, b"\x02"),
    ]


def test_a_block_is_cut_between_its_items():
    world = World(max_reply_data=16)
    block = bytes(range(4 * 8))  # eight energies of four octets
    world.hear(read(0x0001FF00))
    world.reply(*world.asked(), block)
    parts = [answer(world.tcp.take())]
    while parts[-1][0] & 0x20:
        parts.append(answer(world.ask(follow(0x0001FF00, len(parts)))))
    sizes = [len(data) - 4 - (number > 0) for number, (_, data) in enumerate(parts)]
    assert sizes == [12, 8, 8, 4]


@given(data=st.binary(min_size=13, max_size=900), di=st.sampled_from([0x0001FF00, 0x0200FF00, LONG_DI, 0x03300001]))
@settings(max_examples=40)
def test_whatever_an_owner_says_at_length_arrives_whole(data, di):
    world = World(max_reply_data=16)
    world.hear(read(di))
    world.reply(*world.asked(), data)
    control, field = answer(world.tcp.take())
    whole, seq = field[4:], 0
    while control & 0x20:
        seq += 1
        control, field = answer(world.ask(follow(di, seq)))
        assert (field[:4], field[-1]) == (di_octets(di), seq)
        whole += field[4:-1]
    assert whole == data


# -- the snapshot ----------------------------------------------------------------------------------


@pytest.fixture
def snapshot_world():
    world = World(reads="snapshot")
    world.publish({VOLTAGE: ITEMS[VOLTAGE], LONG_DI: LONG})
    return world


def test_a_fresh_snapshot_answers_and_the_owner_is_not_asked(snapshot_world):
    world = snapshot_world
    world.hear(read(VOLTAGE))
    assert world.asked() == []
    assert answer(world.tcp.take()) == VOLTAGE_ANSWER
    world.publish({VOLTAGE: b"\x11\x11"})
    world.hear(read(VOLTAGE))
    assert answer(world.tcp.take()) == (0x91, di_octets(VOLTAGE) + b"\x11\x11")
    assert world.count("reads_from_snapshot") == 2


def test_what_the_snapshot_lacks_is_asked_of_the_owner(snapshot_world):
    world = snapshot_world
    assert answer(world.ask(read(TOTAL))) == TOTAL_ANSWER
    assert answer(world.ask(read(ABSENT))) == (0xD1, b"\x02")
    assert (world.count("reads_from_snapshot"), world.count("reads_by_owner"), world.count("reads_refused")) == (
        0,
        1,
        1,
    )


def test_an_old_snapshot_is_not_used(snapshot_world):
    world = snapshot_world
    world.pass_ms(3000)
    world.hear(read(VOLTAGE))
    assert (world.asked(), answer(world.tcp.take())) == ([], VOLTAGE_ANSWER)
    world.pass_ms(1 / MS)
    world.hear(read(VOLTAGE))
    world.reply(*world.asked(), b"\x22\x22")
    assert answer(world.tcp.take()) == (0x91, di_octets(VOLTAGE) + b"\x22\x22")
    world.publish({VOLTAGE: ITEMS[VOLTAGE]})
    world.hear(read(VOLTAGE))
    assert (world.asked(), answer(world.tcp.take())) == ([], VOLTAGE_ANSWER)


def test_a_snapshot_published_long_ago_is_old_when_it_is_first_seen():
    world = World(reads="snapshot")
    world.publish({VOLTAGE: ITEMS[VOLTAGE]})
    world.pass_ms(3001)
    world.hear(read(VOLTAGE))
    assert [asked.di for asked in world.asked()] == [VOLTAGE]


def test_before_the_first_snapshot_the_owner_is_asked():
    assert answer(World(reads="snapshot").ask(read(VOLTAGE))) == VOLTAGE_ANSWER


@pytest.mark.parametrize("octets", [b"\xff", b"", b"\x81", msgspec.msgpack.encode({VOLTAGE: 5}), b"\x00" * 50])
def test_a_damaged_snapshot_is_not_used(octets):
    world = World(reads="snapshot")
    world.snapshot.write(octets)
    assert answer(world.ask(read(VOLTAGE))) == VOLTAGE_ANSWER
    world.publish({VOLTAGE: b"\x11\x11"})
    assert answer(world.ask(read(VOLTAGE))) == (0x91, di_octets(VOLTAGE) + b"\x11\x11")


def test_what_is_too_long_for_a_bus_message_is_not_taken_from_a_snapshot():
    world = World(reads="snapshot")
    world.publish({LONG_DI: bytes(DATA_OCTETS_MAX + 1), TOTAL: bytes(DATA_OCTETS_MAX)})
    world.hear(read(LONG_DI) + read(TOTAL))
    assert [asked.di for asked in world.asked()] == [LONG_DI]


def test_snapshot_answers_keep_the_order_and_the_follow_up_state(snapshot_world):
    world = snapshot_world
    world.hear(read(TOTAL) + read(VOLTAGE) + read(LONG_DI) + follow(LONG_DI, 1))
    assert world.tcp.sent == []
    world.reply(*world.asked(), ITEMS[TOTAL])
    assert frames(world.tcp.take()) == [
        TOTAL_ANSWER,
        VOLTAGE_ANSWER,
        (0xB1, di_octets(LONG_DI) + part(0)),
        (0xB2, di_octets(LONG_DI) + part(1) + b"\x01"),
    ]
    world.hear(read(VOLTAGE) + follow(LONG_DI, 2))
    assert frames(world.tcp.take()) == [VOLTAGE_ANSWER, (0xD2, b"\x02")]


def test_a_snapshot_is_for_plain_reads(snapshot_world):
    world = snapshot_world
    world.publish({0x06000000: b"\x01"})
    world.hear(read(0x06000000, more=b"\x01"))
    assert [asked.data for asked in world.asked()] == [b"\x01"]
