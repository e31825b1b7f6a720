"""The communication service as a master on a line sees it: what is answered, what is met with silence, the doors."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.services.communication_world import (
    ABSENT,
    ADDRESS,
    ANY,
    BROADCAST,
    FREQUENCY,
    FREQUENCY_ANSWER,
    ITEMS,
    LONG_DI,
    MS,
    OTHER,
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

from wattwheel.apex.messages import Control, Kind, Message
from wattwheel.model.private_items import FOLLOWERS
from wattwheel.protocols.dlt645.frame import Frame, decode, encode
from wattwheel.protocols.dlt645.legality import Why
from wattwheel.services import changing, communication, communication_channel, writing


@pytest.fixture
def world():
    return World()


# -- reads -----------------------------------------------------------------------------------------


def test_a_read_is_asked_of_the_owner_and_answered(world):
    world.hear(read(TOTAL))
    (asked,) = world.asked()
    assert (asked.kind, asked.control, asked.di, asked.data) == (Kind.REQUEST, Control.READ, TOTAL, b"")
    assert world.tcp.sent == []
    world.reply(asked, ITEMS[TOTAL])
    assert answer(world.tcp.take()) == TOTAL_ANSWER
    assert world.counts() == {"connections": 1, "reads_by_owner": 1}


def test_an_item_that_is_not_there_is_refused(world):
    assert answer(world.ask(read(ABSENT))) == (0xD1, b"\x02")
    assert world.count("reads_refused") == 1


@pytest.mark.parametrize("error", [0x01, 0x02, 0x04, 0x40, 0xFF])
def test_the_owner_s_error_octet_is_told(world, error):
    world.hear(read(TOTAL))
    world.reply(*world.asked(), error=error)
    assert answer(world.tcp.take()) == (0xD1, bytes((error,)))


def test_passwords_are_not_shown(world):
    assert [answer(world.ask(read(0x04000C00 + level))) for level in (0, 1, 10, 11)] == [
        (0xD1, b"\x02"),
        (0xD1, b"\x04"),
        (0xD1, b"\x04"),
        (0xD1, b"\x02"),
    ]


def test_identifiers_of_the_meter_s_own_partitions_do_not_leave_it(world):
    for di in (0x0E000001, 0x0E200000):
        world.hear(read(di))
        assert world.asked() == []
        assert answer(world.tcp.take()) == (0xD1, b"\x02")


def test_a_load_record_s_parameters_go_to_the_owner(world):
    world.hear(read(0x06000000, more=b"\x03") + read(0x06000001, more=bytes.fromhex("020011201126")))
    assert [(asked.di, asked.data.hex()) for asked in world.asked()] == [
        (0x06000000, "03"),
        (0x06000001, "020011201126"),
    ]


def test_an_answer_without_data_is_an_answer(world):
    world.hear(read(0x06000000, more=b"\x01"))
    world.reply(*world.asked())
    assert answer(world.tcp.take()) == (0x91, di_octets(0x06000000))


# -- silence or exception, in the order of the reference's section 5 -------------------------------


GOOD = read(VOLTAGE)
DAMAGED = {
    "checksum": (GOOD[:-2] + bytes((GOOD[-2] ^ 1,)) + GOOD[-1:], "rejected_checksum"),
    "end": (GOOD[:-1] + b"\x17", "rejected_end"),
    "second start": (GOOD[:7] + b"\x69" + GOOD[8:], "rejected_start"),
    "cut": (GOOD[:-3], "rejected_incomplete"),
}


@pytest.mark.parametrize(("octets", "counter"), DAMAGED.values(), ids=DAMAGED)
def test_1_a_damaged_frame_is_met_with_silence_and_the_next_is_served(world, octets, counter):
    assert world.ask(octets) == b""
    world.pass_ms(500)
    assert world.tcp.take() == b""
    assert world.count(counter) >= 1
    assert answer(world.ask(GOOD)) == VOLTAGE_ANSWER


@pytest.mark.parametrize("control", [0x91, 0xB1, 0xD1, 0x93, 0x9F])
def test_2_another_slave_s_reply_is_ignored(world, control):
    assert world.ask(request(control, di_octets(VOLTAGE))) == b""
    assert world.count("silent_reply_heard") == 1


READS = {0x11: di_octets(VOLTAGE), 0x12: di_octets(VOLTAGE) + b"\x01"}
FULL = {
    0x03: di_octets(0x07810201) + bytes(4),
    0x08: bytes.fromhex("000012201126"),
    0x13: b"",
    0x14: di_octets(0x04000103) + bytes(8) + b"\x15",
    0x15: bytes(6),
    0x16: b"\x99" * 4,
    0x17: b"\x08",
    0x18: di_octets(0x04000C01) + bytes(8),
    0x19: bytes(8),
    0x1A: bytes(8),
    0x1B: bytes(8) + b"\xff" * 4,
    0x1C: bytes(16),
    0x1D: b"\x00",
} | READS
"""A request of every function whose length is possible."""
NEVER_ANSWERED = {0x08, 0x15}
REFUSAL = {
    0x03: b"\x01\x00",
    0x14: b"\x04",
    0x16: b"\x01",
    0x17: b"\x08",
    0x18: b"\x04",
    0x19: b"\x04",
    0x1A: b"\x04",
    0x1B: b"\x04",
    0x1C: b"\x04",
    0x1D: b"\x01",
}


@pytest.mark.parametrize("control", FULL)
@pytest.mark.parametrize("address", [OTHER, "AAAAAAAAAA02", "2026AAAA0001", "20AAAAAAAA01"])
def test_3_another_s_address_or_aa_in_the_middle_is_met_with_silence(world, control, address):
    assert world.ask(request(control, FULL[control], address)) == b""
    assert world.asked() == []
    assert world.count("silent_other_address") == 1


ABBREVIATED = ["AA2611200001", "AAAAAAAA0001", "AAAAAAAAAA01"]


@pytest.mark.parametrize("address", [ADDRESS, *ABBREVIATED, ANY])
def test_3_abbreviated_addresses_are_for_reading(world, address):
    assert answer(world.ask(read(VOLTAGE, address))) == VOLTAGE_ANSWER
    assert answer(world.ask(follow(VOLTAGE, 1, address))) == (0xD2, b"\x02")


@pytest.mark.parametrize("address", ABBREVIATED)
@pytest.mark.parametrize("control", sorted(FULL.keys() - READS.keys()))
def test_3_any_other_function_with_them_is_met_with_silence(world, control, address):
    assert world.ask(request(control, FULL[control], address)) == b""
    assert world.count("silent_address_form") == 1


@pytest.mark.parametrize("control", sorted(FULL.keys() - READS.keys() - {0x13, 0x15}))
def test_3_all_aa_is_for_reading_and_for_the_address(world, control):
    assert world.ask(request(control, FULL[control], ANY)) == b""
    assert world.count("silent_address_form") == 1


@pytest.mark.parametrize("control", sorted(FULL.keys() - {0x08, 0x16, 0x1D}))
def test_3_what_must_not_be_broadcast_is_met_with_silence(world, control):
    assert world.ask(request(control, FULL[control], BROADCAST)) == b""
    assert world.asked() == []
    assert world.count("silent_address_form") == 1


@pytest.mark.parametrize("data", [b"\x99" * 4, b"\x99" * 3, b"", b"\x00"])
@pytest.mark.parametrize("control", [0x16, 0x1D])
def test_4_a_broadcast_is_met_with_silence_whatever_happens(world, control, data):
    assert world.ask(request(control, data, BROADCAST)) == b""
    is_possible = len(data) == (4 if control == 0x16 else 1)
    assert [(told.kind, told.control, told.data) for told in world.told] == [(Kind.NOTICE, control, data)] * is_possible
    assert world.count("broadcast_commands") == is_possible


@pytest.mark.parametrize("size", [0, 5, 7, 20])
def test_5_a_defect_in_08_or_15_is_met_with_silence(world, size):
    assert world.ask(request(0x08, bytes(size), BROADCAST) + request(0x15, bytes(size), ANY)) == b""
    assert world.asked() == []
    assert world.count("silent_defect") == 2


@pytest.mark.parametrize("address", [ANY, ADDRESS])
@pytest.mark.parametrize("data", [b"", b"\x00", bytes(30)])
def test_5_the_address_is_told_whatever_comes_with_the_question(world, address, data):
    assert answer(world.ask(request(0x13, data, address))) == (0x93, bytes.fromhex(ADDRESS)[::-1])
    assert world.asked() == []


@pytest.mark.parametrize("control", sorted(FULL.keys() - {0x08, 0x13, 0x15}))
@pytest.mark.parametrize("change", [-1, 1])
def test_6_an_impossible_length_is_an_exception(world, control, change):
    data = FULL[control][:-1] if change < 0 else FULL[control] + b"\x00"
    if control in (0x14, 0x1C) and change > 0:  # these may be longer
        data = data[:12] if control == 0x14 else b"\x04" + bytes(16)
    error = b"\x01\x00" if control == 0x03 else b"\x01"
    assert answer(world.ask(request(control, data))) == (control | 0xC0, error)
    assert world.asked() == []
    assert world.count("abnormal") == 1


@pytest.mark.parametrize("control", [0x00, 0x01, 0x07, 0x0A, 0x1E, 0x1F, 0x20, 0x31, 0x3F])
def test_7_an_unknown_function_is_an_exception(world, control):
    assert answer(world.ask(request(control, b"\x01\x02"))) == (control | 0xC0, b"\x01")
    assert world.ask(request(control, b"", ANY) + request(control, b"", BROADCAST)) == b""


def test_7_or_silence_where_the_option_says_so():
    world = World(options={"unknown_function": "silent"})
    assert world.ask(request(0x1E)) == b""
    assert world.count("silent_unknown_function") == 1
    assert answer(world.ask(request(0x16, b"\x99" * 4))) == (0xD6, b"\x01")


@pytest.mark.parametrize("control", REFUSAL)
def test_8_what_is_not_there_or_not_allowed_is_refused_and_changes_nothing(world, control):
    assert answer(world.ask(request(control, FULL[control]))) == (control | 0xC0, REFUSAL[control])
    assert world.asked() == []
    assert world.count("not_here" if control == 0x03 else "changes_refused") == 1


def cleared(world: World, control: int) -> list[Message]:
    """What is asked once `energy` has done a clear; nobody is answered yet."""
    world.hear(request(control, b"\x02\x11\x22\x33ABCD" + FULL[control][8:]))
    for _ in range(2):
        (asked,) = world.asked()
        world.reply(asked)
    assert world.tcp.take() == b""
    return world.asked()


@pytest.mark.parametrize("control", [0x1A, 0x1B])
@pytest.mark.parametrize("order", [1, -1])
def test_a_clear_is_answered_when_all_that_keep_event_records_have_followed_it(world, control, order):
    asked = cleared(world, control)
    assert [(each.kind, each.control, each.di, each.data) for each in asked] == [
        (Kind.REQUEST, Control.CLEAR_EVENTS, di, b"") for di in FOLLOWERS
    ]
    first, second = asked[::order]
    world.reply(first)
    assert world.tcp.take() == b""
    world.reply(second)
    assert answer(world.tcp.take()) == (control | 0x80, b"")
    assert (world.count("changes_done"), world.count("clears_followed_later")) == (1, 0)


@pytest.mark.parametrize("control", [0x1A, 0x1B])
@pytest.mark.parametrize("is_refused", [True, False])
def test_a_clear_that_somebody_does_not_follow_in_time_is_done_all_the_same(world, control, is_refused):
    """As when that partition is dead: it follows when it is back."""
    first, second = cleared(world, control)
    world.reply(first)
    if is_refused:
        world.reply(second, error=1)
    else:
        world.pass_ms(370)
        assert world.tcp.take() == b""
        world.pass_ms(50)
    assert answer(world.tcp.take()) == (control | 0x80, b"")
    assert (world.count("changes_done"), world.count("clears_followed_later")) == (1, 1)
    world.reply(second)
    assert world.tcp.take() == b""


@pytest.mark.parametrize("control", [0x1A, 0x1B])
def test_a_clear_that_is_refused_is_followed_by_nobody(world, control):
    world.hear(request(control, b"\x02\x11\x22\x33ABCD" + FULL[control][8:]))
    world.reply(world.asked()[0])
    world.reply(world.asked()[0], error=4)
    assert world.asked() == []
    assert answer(world.tcp.take()) == (control | 0xC0, b"\x04")


@pytest.mark.parametrize("control", [0x19, 0x1A, 0x1B, 0x1C])
def test_8_a_command_goes_to_its_owner_once_it_is_allowed_with_operator_code_and_what_follows(world, control):
    after = FULL[control][8:]
    world.hear(request(control, b"\x02\x11\x22\x33ABCD" + after))
    (asked,) = world.asked()
    assert (asked.control, asked.di, asked.data) == (Control.AUTHORIZE, 0, bytes((control,)) + b"\x02\x11\x22\x33ABCD")
    world.reply(asked)
    (asked,) = world.asked()
    assert (asked.kind, asked.control, asked.di, asked.data) == (Kind.REQUEST, control, 0, b"ABCD" + after)
    world.reply(asked)
    for followed in world.asked():
        world.reply(followed)
    assert answer(world.tcp.take()) == (control | 0x80, b"")


def test_every_function_has_been_asked():
    assert set(REFUSAL) | NEVER_ANSWERED | set(READS) | {0x13} == set(FULL)


@pytest.mark.parametrize("rate", [0x02, 0x04, 0x08, 0x10, 0x16, 0x20, 0x32, 0x40, 0x64, 0x00, 0xFF])
def test_a_rate_that_cannot_be_changed(world, rate):
    assert answer(world.ask(request(0x17, bytes((rate,))))) == (0xD7, b"\x08")


def test_the_broadcast_time_is_passed_on_silently(world):
    world.hear(request(0x08, FULL[0x08], BROADCAST))
    (told,) = world.asked()
    assert (told.kind, told.control, told.data) == (Kind.NOTICE, Control.BROADCAST_TIME, FULL[0x08])
    assert world.tcp.take() == b""


def test_a_time_for_this_meter_alone_only_where_the_option_says_so(world):
    assert world.ask(request(0x08, FULL[0x08])) == b""
    obeying = World(options={"accept_single_address_time_sync": True})
    obeying.hear(request(0x08, FULL[0x08]))
    (asked,) = obeying.asked()
    assert (asked.kind, asked.control, asked.data) == (Kind.REQUEST, Control.BROADCAST_TIME, FULL[0x08])
    obeying.reply(asked)
    assert answer(obeying.tcp.take()) == (0x88, b"")
    obeying.hear(request(0x08, FULL[0x08]))
    obeying.reply(obeying.asked()[0], error=1)
    assert answer(obeying.tcp.take()) == (0xC8, b"\x01")
    assert obeying.ask(request(0x08, bytes(5))) == b""


NEW = "202611200077"


def test_the_address_is_written_with_the_programming_key_and_answered_from_the_new_one(world):
    octets = bytes.fromhex(NEW)[::-1]
    world.hear(request(0x15, octets, ANY))
    (asked,) = world.asked()
    assert (asked.control, asked.data) == (Control.AUTHORIZE, b"\x15" + bytes(8))
    world.reply(asked)
    (asked,) = world.asked()
    assert (asked.kind, asked.control, asked.data) == (Kind.REQUEST, Control.WRITE_ADDRESS, octets)
    assert world.tcp.take() == b""
    world.reply(asked)
    reply = decode(world.tcp.take())
    assert (reply.address, reply.control, reply.data) == (NEW, 0x95, b"")
    assert world.ask(read(VOLTAGE)) == b""
    assert decode(world.ask(read(VOLTAGE, NEW))).address == NEW
    assert decode(world.ask(request(0x13, b"", ANY))).data == octets


@pytest.mark.parametrize("refusing", [Control.AUTHORIZE, Control.WRITE_ADDRESS])
def test_an_address_that_is_not_written_is_silence(world, refusing):
    world.hear(request(0x15, bytes(6), ANY))
    (asked,) = world.asked()
    while asked.control != refusing:
        world.reply(asked)
        (asked,) = world.asked()
    world.reply(asked, error=4)
    assert world.tcp.take() == b""
    assert answer(world.ask(read(VOLTAGE))) == VOLTAGE_ANSWER


def test_who_is_told_another_address_waits_for_it_and_answers_to_it():
    world = World(parameters=True)
    world.hear(read(VOLTAGE, NEW))
    assert world.asked() == []
    world.tell_parameters({0x04000401: bytes.fromhex(NEW)[::-1]})
    assert decode(world.ask(b"")).address == NEW
    silent = World(parameters=True)
    silent.hear(read(VOLTAGE))
    silent.pass_ms(2001)
    assert answer(silent.ask(b"")) == VOLTAGE_ANSWER


# -- rates


def test_a_rate_is_answered_at_the_old_one_then_switched(world):
    world.hear(request(0x17, b"\x10"), world.serial)
    (asked,) = world.asked()
    assert (asked.control, asked.data) == (Control.CHANGE_RATE, b"\x10")
    world.reply(asked)
    world.pass_ms(21)
    assert answer(world.serial.take()) == (0x97, b"\x10")
    assert world.serial.settings == []
    world.pass_ms(60)  # 17 octets at 2400 bit/s are on the line for 78 ms
    assert world.serial.settings == []
    world.pass_ms(30)
    assert [line.baud for line in world.serial.settings] == [4800]
    assert world.serial.settings[0].parity == "E"


@pytest.mark.parametrize(("word", "line"), [(0x00, "serial"), (0x18, "serial"), (0x80, "serial"), (0x10, "tcp")])
def test_what_is_no_rate_or_has_none_is_refused(world, word, line):
    answered = world.ask(request(0x17, bytes((word,))), getattr(world, line))
    world.pass_ms(30)
    assert answer(answered or getattr(world, line).take()) == (0xD7, b"\x08")
    assert world.serial.settings == []


def test_a_rate_that_nobody_keeps_is_refused(world):
    world.hear(request(0x17, b"\x10"), world.serial)
    world.reply(world.asked()[0], error=1)
    world.pass_ms(200)
    assert answer(world.serial.take()) == (0xD7, b"\x08")
    assert world.serial.settings == []


def test_a_rate_for_the_session_is_asked_of_nobody_and_ends_with_the_next_start():
    world = World(rate_change="session")
    assert [line.baud for line in world.serial.settings] == [2400]
    world.hear(request(0x17, b"\x20"), world.serial)
    assert world.asked() == []
    world.pass_ms(200)
    assert answer(world.serial.take()) == (0x97, b"\x20")
    assert world.serial.settings[-1].baud == 9600


def test_a_written_rate_word_is_followed_when_the_questions_before_are_answered():
    world = World(parameters=True)
    world.tell_parameters({0x04000703: b"\x08"})  # what it is
    world.pass_ms(100)
    assert world.serial.settings == []
    world.hear(read(VOLTAGE), world.serial)
    (asked,) = world.asked()
    world.tell_parameters({0x04000703: b"\x40"})
    world.pass_ms(100)
    assert world.serial.settings == []
    world.reply(asked, ITEMS[VOLTAGE])
    world.pass_ms(200)
    assert [line.baud for line in world.serial.settings] == [19_200]


def test_writing_the_address_is_silent(world):
    assert world.ask(request(0x15, bytes(6), ANY)) == b""
    assert answer(world.ask(request(0x13, b"", ANY)))[1] == bytes.fromhex(ADDRESS)[::-1]
    assert world.count("silent_write_address") == 1


def test_broadcast_reads_only_where_the_option_says_so():
    world = World(options={"accept_broadcast_reads": True})
    assert answer(world.ask(read(VOLTAGE, BROADCAST))) == VOLTAGE_ANSWER
    assert world.ask(request(0x13, b"", BROADCAST)) == b""


# -- segments and frames ---------------------------------------------------------------------------


def test_several_frames_in_one_segment_are_answered_in_order(world):
    octets = read(TOTAL) + b"\xfe\xfe" + read(VOLTAGE) + b"\x00\x68" + request(0x13, b"", ANY) + read(ABSENT)
    assert frames(world.ask(octets)) == [
        TOTAL_ANSWER,
        VOLTAGE_ANSWER,
        (0x93, bytes.fromhex(ADDRESS)[::-1]),
        (0xD1, b"\x02"),
    ]


@pytest.mark.parametrize("size", [1, 2, 7, 15])
def test_one_frame_in_many_segments(world, size):
    octets = b"\xfe" * 4 + read(TOTAL)
    for at in range(0, len(octets), size):
        world.pass_ms(499)
        world.hear(octets[at : at + size])
    world.reply(*world.asked(), ITEMS[TOTAL])
    assert answer(world.tcp.take()) == TOTAL_ANSWER
    assert world.count("half_frames") == 0


@given(cuts=st.lists(st.integers(0, 200), max_size=20))
@settings(max_examples=30)
def test_however_a_stream_is_cut(cuts):
    world = World()
    octets = b"\x68\x16" + read(TOTAL) + read(VOLTAGE)[:-1] + b"\x16" + b"\xfe" + read(FREQUENCY)
    ends = sorted({min(cut, len(octets)) for cut in cuts} | {len(octets)})
    heard = b"".join(world.ask(octets[a:b]) for a, b in zip([0, *ends], ends, strict=False))
    assert frames(heard) == [TOTAL_ANSWER, VOLTAGE_ANSWER, FREQUENCY_ANSWER]


def test_half_a_frame_is_given_up_after_500_ms_of_silence(world):
    octets = read(TOTAL)
    world.hear(octets[:8])
    world.pass_ms(400)
    world.hear(octets[8:12])  # the time runs anew from here
    world.pass_ms(499)
    assert world.count("half_frames") == 0
    world.pass_ms(1)
    assert world.count("half_frames") == 1
    assert world.ask(octets[12:]) == b""
    assert answer(world.ask(read(VOLTAGE))) == VOLTAGE_ANSWER


def test_a_rest_that_came_in_time_is_heard_however_late_the_service_is(world):
    octets = read(TOTAL)
    world.hear(octets[:9])
    world.tcp.bring(octets[9:])  # and the service does not get its turn before the time is up
    world.pass_ms(500)
    world.reply(*world.asked(), ITEMS[TOTAL])
    assert answer(world.tcp.take()) == TOTAL_ANSWER
    assert world.count("half_frames") == 0


def test_each_half_frame_is_given_up(world):
    for number in range(1, 4):
        world.hear(read(TOTAL)[:9])
        world.pass_ms(500)
        assert world.count("half_frames") == number


def test_a_false_start_never_costs_the_good_frame_behind_it(world):
    false_start = bytes.fromhex("68AAAAAAAAAAAA6811FF")
    assert world.ask(false_start + read(VOLTAGE)) == b""
    world.pass_ms(500)
    world.reply(*world.asked(), ITEMS[VOLTAGE])
    assert answer(world.tcp.take()) == VOLTAGE_ANSWER


def test_the_half_frame_timeout_is_a_setting():
    world = World(half_frame_timeout_ns=50 * MS)
    world.hear(read(TOTAL)[:9])
    world.pass_ms(50)
    assert world.ask(read(TOTAL)[9:]) == b""


@given(noise=st.binary(max_size=600), size=st.integers(1, 80))
@settings(max_examples=60)
def test_no_noise_is_answered_and_none_stops_the_service(noise, size):
    world = World()
    for at in range(0, len(noise), size):
        world.ask(noise[at : at + size])
    world.pass_ms(500)
    assert answer(world.ask(read(VOLTAGE))) == VOLTAGE_ANSWER


# -- lines and doors -------------------------------------------------------------------------------


def test_a_serial_reply_comes_20_ms_after_the_question_a_tcp_reply_at_once(world):
    for line, delay in ((world.serial, 20 * MS), (world.tcp, 0)):
        world.hear(request(0x13, b"", ANY) + request(0x1F), line)
        begin = world.clock.now
        world.pass_ms(19.9)
        assert bool(line.sent) == (delay == 0)
        world.pass_ms(0.1)
        assert [at - begin for at, _ in line.sent] == [delay] * 2
        assert [control for control, _ in frames(line.take())] == [0x93, 0xDF]


@pytest.mark.parametrize("preamble", range(5))
def test_preamble_octets(preamble):
    kind = {"reply_preamble": preamble, "reply_delay_ns": 0}
    world = World(tcp=kind, serial=kind | {"reply_preamble": 4 - preamble})
    for octets in (read(TOTAL), read(ABSENT), request(0x13, b"", ANY), request(0x1F), read(LONG_DI)):
        assert decode(world.ask(octets)).preamble == preamble
        assert decode(world.ask(octets, world.serial)).preamble == 4 - preamble


def test_connections_are_bounded_and_a_place_is_free_again():
    world = World(connections_max=3)
    lines = [world.tcp, world.connect(), world.connect()]
    refused = world.connect()
    assert refused.is_given_back
    assert not any(line.is_given_back for line in lines)
    assert answer(world.ask(read(VOLTAGE), world.serial) or _after_delay(world)) == VOLTAGE_ANSWER
    lines[1].hang_up()
    world.turn()
    assert lines[1].is_given_back
    new = world.connect()
    assert not new.is_given_back
    assert answer(world.ask(read(VOLTAGE), new)) == VOLTAGE_ANSWER
    assert (world.count("connections"), world.count("connections_refused")) == (4, 1)


def _after_delay(world):
    world.pass_ms(20)
    return world.serial.take()


def test_who_hangs_up_while_his_question_is_under_way(world):
    world.hear(read(TOTAL) + read(VOLTAGE)[:9])
    world.tcp.hang_up()
    world.turn()
    for asked in world.asked():
        world.reply(asked, ITEMS[TOTAL])
    world.pass_ms(1000)
    assert answer(world.ask(read(VOLTAGE), world.connect())) == VOLTAGE_ANSWER


def test_who_asks_nothing_more_is_answered_before_the_end(world):
    world.tcp.bring(read(VOLTAGE) + read(TOTAL))
    world.tcp.hang_up()
    world.turn()
    world.tcp._action()  # the end is reported again
    world.turn()
    voltage, total = world.asked()
    assert not world.tcp.is_given_back
    world.reply(total, ITEMS[TOTAL])
    world.reply(voltage, ITEMS[VOLTAGE])
    voltage_frame, total_frame = (octets for _, octets in world.tcp.sent)
    assert (answer(voltage_frame), answer(total_frame)) == (VOLTAGE_ANSWER, TOTAL_ANSWER)
    assert world.tcp.is_given_back


def test_the_pause_before_an_answer_comes_before_the_end():
    world = World(tcp={"reply_delay_ns": 20 * MS})
    world.tcp.bring(read(VOLTAGE))
    world.tcp.hang_up()
    world.turn()
    world.tcp._action()
    world.turn()
    (asked,) = world.asked()
    world.reply(asked, ITEMS[VOLTAGE])
    assert not world.tcp.is_given_back
    world.pass_ms(21)
    assert answer(world.tcp.take()) == VOLTAGE_ANSWER
    assert world.tcp.is_given_back


def test_octets_that_a_channel_dropped_are_counted(world):
    world.tcp.dropped = 7
    world.ask(read(VOLTAGE))
    world.tcp.dropped = 9
    world.ask(read(VOLTAGE))
    assert world.count("octets_dropped") == 9


def test_the_reply_always_carries_the_full_address(world):
    for address in (ANY, "AAAAAAAAAA01", ADDRESS):
        assert decode(world.ask(encode(Frame(address, 0x11, di_octets(VOLTAGE))))).address == ADDRESS


def test_every_counter_is_in_the_manual():
    manual = (Path(__file__).parents[2] / "docs" / "reference" / "dlt645-service.md").read_text()
    told = set(re.findall(r"`([a-z0-9_]+)`", manual.partition("## Counters")[2]))
    source = "".join(Path(module.__file__).read_text() for module in (communication, writing, changing))
    counted = set(re.findall(r'_counters\.add\("([a-z_]+)"', source))
    counted |= {f"silent_{why}" for why in Why} | {f"rejected_{why}" for why in communication_channel.REJECTIONS}
    assert len(counted) > 15
    assert counted <= told
    assert told - counted <= {"communication", "connections_max", "bus_replies_late"}


AUTHENTICATIONS = [  # identifiers that are publicly known, with the lengths that belong to them as far as they are
    *((0x070000FF, 32), (0x070001FF, 14), (0x07000201, 8), (0x070002FF, 8), (0x070003FF, 20), (0x078003FF, 8)),
    *((0x070004FF, 30), (0x070005FF, 30), (0x070101FF, 30), (0x070102FF, 30), (0x070103FF, 30)),
    *((0x070201FF, 48), (0x070301FF, 48), (0x078001FF, 16), (0x078002FF, 72), (0x07810201, 8), (0x078102FF, 8)),
]


@pytest.mark.parametrize(("di", "size"), AUTHENTICATIONS, ids=lambda each: f"{each:X}")
def test_authentication_is_answered_with_two_octets_of_error_and_to_the_own_address_alone(world, di, size):
    """03H: C3H, no identifier, SERR low octet first; whatever its length."""
    data = di_octets(di) + bytes(size - 4)
    for octets in (data, data[:-1], data[:4], b"", data + bytes(9)):
        assert answer(world.ask(request(0x03, octets))) == (0xC3, b"\x01\x00")
    for address in (ANY, BROADCAST, "AAAAAAAA" + ADDRESS[8:]):
        assert world.ask(request(0x03, data, address)) == b""
    assert world.asked() == []
