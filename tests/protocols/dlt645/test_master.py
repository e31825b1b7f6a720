"""The head-end's dialogue: scripted exchanges, and simulated meters on lines that lose, double and damage frames."""

from __future__ import annotations

import random

import pytest

from wattwheel.model.errors import LocalProtocolError, NotAnswered, Refused, RemoteProtocolError
from wattwheel.protocols.dlt645.frame import Frame, FrameReader, Station, decode, encode, octets_of_address
from wattwheel.protocols.dlt645.legality import AbnormalReply, Accept, Legality
from wattwheel.protocols.dlt645.master import Ask, ReadDialogue, Step, is_reply_from
from wattwheel.protocols.dlt645.session import FollowUp, split

METER = "123456789012"
ENERGY, VOLTAGES, LONG = Ask(0x00010000), Ask(0x0201FF00), Ask(0x0001FF00)
OLD, OLD_LONG = Ask(0x9010, "1997"), Ask(0x901F, "1997")
DATA = {
    0x00010000: bytes.fromhex("56341200"),
    0x0201FF00: bytes.fromhex("012302230323"),
    0x0001FF00: bytes(at * 3 % 256 for at in range(640)),
    0x9010: bytes.fromhex("11223344"),
    0x901F: bytes(at * 5 % 256 for at in range(500)),
}


class Meter:
    """A meter of both editions for one channel: enough of one to talk to."""

    def __init__(self, echo: bool = False, preamble: int = 4) -> None:
        self.reader, self.station, self.legality = FrameReader(), Station(METER), Legality(METER)
        self.follow_up, self.echo, self.preamble = FollowUp(), echo, preamble
        self.parts_1997: list[bytes] = []

    def hear(self, octets: bytes) -> list[bytes]:
        return [reply for frame in self.reader.feed(octets) if (reply := self.answer(frame))]

    def answer(self, frame: Frame) -> bytes:
        control, data = self.serve(frame)
        if not control:
            return b""
        address = frame.address if self.echo else METER
        return encode(Frame(address, control, data), self.preamble)

    def serve(self, frame: Frame) -> tuple[int, bytes]:
        if frame.control in (0x01, 0x02):
            return self.serve_1997(frame)
        decision = self.legality.judge(frame)
        if isinstance(decision, AbnormalReply):
            return decision.control, decision.data
        if not isinstance(decision, Accept):
            return 0, b""
        di = frame.data[:4]
        if frame.control == 0x13:
            return 0x93, octets_of_address(METER)
        if frame.control == 0x12:
            return self.follow_up.follow(di, frame.data[4], 0)
        data = DATA.get(int.from_bytes(di, "little"))
        if data is None:
            self.follow_up.discard()
            return 0xD1, b"\x02"
        return self.follow_up.answer(di, data, [4] * (len(data) // 4), 0)

    def serve_1997(self, frame: Frame) -> tuple[int, bytes]:
        di = frame.data[:2]
        if frame.control == 0x01:
            data = DATA.get(int.from_bytes(di, "little"))
            if data is None:
                return 0xC1, b"\x02"
            self.parts_1997 = split(data, [4] * (len(data) // 4), 190)
        elif not self.parts_1997:
            return 0xC2, b"\x02"
        part = self.parts_1997.pop(0)
        return frame.control | 0x80 | (0x20 if self.parts_1997 else 0), di + part


def talk(dialogue: ReadDialogue, meter: Meter, line=lambda octets: [octets]) -> list:
    """Both ends and a line between them until the dialogue is done; nothing on the line is a time-out."""
    answers, step = [], dialogue.start()
    for _ in range(2000):
        answers += step.answers
        if step.is_done:
            return answers
        replies = [reply for piece in line(step.octets) if piece for reply in meter.hear(piece)]
        heard = [piece for reply in replies for piece in line(reply) if piece]
        step = Step(b"")
        for piece in heard:
            taken = dialogue.receive(piece)
            answers += taken.answers
            step = Step(taken.octets or step.octets, (), taken.is_done)
        if not step.octets and not step.is_done:
            step = dialogue.time_out()
    raise AssertionError("the dialogue does not end")


@pytest.mark.parametrize("address", ["", METER, "AAAAAAAA9012", "AAAAAAAAAAAA"])
@pytest.mark.parametrize("echo", [False, True])
@pytest.mark.parametrize("preamble", [0, 4])
def test_reading_with_and_without_an_address(address, echo, preamble):
    dialogue = ReadDialogue([ENERGY, Ask(0x02999999), LONG, VOLTAGES], address, preamble=preamble)
    answers = talk(dialogue, Meter(echo, preamble))
    assert [answer.ask for answer in answers] == [ENERGY, Ask(0x02999999), LONG, VOLTAGES]
    assert [answer.data for answer in answers] == [DATA[0x00010000], b"", DATA[0x0001FF00], DATA[0x0201FF00]]
    assert [answer.error for answer in answers] == [None, 2, None, None]
    assert dialogue.is_done
    if not echo or not address:
        assert dialogue.address == METER
        assert answers[0].address == METER


def test_reading_only_the_address():
    dialogue = ReadDialogue([])
    assert dialogue.start() == Step(bytes.fromhex("FEFEFEFE68AAAAAAAAAAAA681300DF16"))
    assert dialogue.receive(bytes.fromhex("FE6812907856341268930645C3AB8967450716")) == Step(b"", (), True)
    assert dialogue.address == METER
    assert ReadDialogue([], METER).start() == Step(b"", (), True)


@pytest.mark.parametrize("address", ["", METER, "999999999999"])
def test_reading_1997(address):
    dialogue = ReadDialogue([OLD, OLD_LONG, Ask(0x9999, "1997")], address)
    assert dialogue.start().octets[:11] == b"\xfe\xfe\xfe\xfe\x68" + octets_of_address(address or "9" * 12)
    answers = talk(dialogue, Meter())
    assert [answer.data for answer in answers] == [DATA[0x9010], DATA[0x901F], b""]
    assert dialogue.address == METER
    with pytest.raises(Refused, match="9999: identifier error"):
        answers[2].check()


def test_both_editions_in_one_dialogue():
    answers = talk(ReadDialogue([OLD, ENERGY]), Meter())
    assert [answer.check() for answer in answers] == [DATA[0x9010], DATA[0x00010000]]


def test_a_refused_item_says_why_and_the_dialogue_goes_on():
    answers = talk(ReadDialogue([Ask(0x02999999), ENERGY], METER), Meter())
    assert answers[0].reasons == ["no requested data"]
    with pytest.raises(Refused, match="02999999: no requested data") as refused:
        answers[0].check()
    assert refused.value.error_octet == 2
    assert answers[1].reasons == []
    assert answers[1].check() == DATA[0x00010000]


def test_a_request_is_repeated_as_it_was_then_given_up():
    dialogue = ReadDialogue([ENERGY], METER, tries=3)
    first = dialogue.start()
    assert dialogue.time_out() == first
    assert dialogue.time_out() == first
    with pytest.raises(NotAnswered, match="123456789012 to 00010000 after 3 tries"):
        dialogue.time_out()
    nobody = ReadDialogue([ENERGY], tries=1)
    nobody.start()
    with pytest.raises(NotAnswered, match="any meter to 13H"):
        nobody.time_out()


def test_a_good_reply_behind_half_a_frame_is_found_when_the_time_is_up():
    dialogue = ReadDialogue([ENERGY], METER)
    dialogue.start()
    reply = encode(Frame(METER, 0x91, ENERGY.octets + DATA[0x00010000]))
    assert dialogue.receive(bytes([0x68, 0, 0, 0, 0, 0, 0, 0x68, 0x91, 0xFF]) + reply) == Step(b"")
    assert [answer.data for answer in dialogue.time_out().answers] == [DATA[0x00010000]]
    assert dialogue.is_done


def test_each_item_may_be_begun_anew():
    dialogue = ReadDialogue([OLD_LONG, OLD_LONG], METER, tries=2)
    part, end = (encode(Frame(METER, control, OLD_LONG.octets + b"part")) for control in (0xA1, 0x82))
    step = dialogue.start()
    for _ in range(2):
        assert decode(step.octets).control == 0x01
        dialogue.receive(part)
        assert decode(dialogue.time_out().octets).control == 0x01
        dialogue.receive(part)
        step = dialogue.receive(end)
        assert step.answers[0].data == b"partpart"
    assert step.is_done


FOREIGN = {
    "another meter": Frame("123456789013", 0x91, ENERGY.octets + bytes(4)),
    "another identifier": Frame(METER, 0x91, VOLTAGES.octets + bytes(4)),
    "another function": Frame(METER, 0x94),
    "a follow-up that was not asked for": Frame(METER, 0x92, ENERGY.octets + bytes(4) + b"\x01"),
    "a request": Frame(METER, 0x11, ENERGY.octets),
    "another function refused": Frame(METER, 0xD4, b"\x01"),
    "refused at length": Frame(METER, 0xD1, b"\x01\x02"),
    "half an identifier": Frame(METER, 0x91, ENERGY.octets[:2]),
    "edition 1997": Frame(METER, 0x81, ENERGY.octets),
}


@pytest.mark.parametrize("frame", FOREIGN.values(), ids=FOREIGN)
def test_what_was_not_asked_for_is_ignored(frame):
    dialogue = ReadDialogue([ENERGY], METER)
    dialogue.start()
    assert dialogue.receive(encode(frame)) == Step(b"")
    reply = encode(Frame(METER, 0x91, ENERGY.octets + DATA[0x00010000]))
    assert dialogue.receive(encode(frame) + reply + reply).answers[0].data == DATA[0x00010000]
    assert dialogue.receive(reply) == Step(b"", (), True)


def test_a_wrong_reply_to_read_address_is_ignored():
    dialogue = ReadDialogue([])
    dialogue.start()
    assert dialogue.receive(encode(Frame(METER, 0x93, b"12345"))) == Step(b"")
    assert dialogue.receive(encode(Frame(METER, 0x91, b"123456"))) == Step(b"")
    for nobody in ("AAAAAAAAAAAA", "999999999999", "FFFFFFFFFFFF"):
        assert dialogue.receive(encode(Frame(METER, 0x93, octets_of_address(nobody)))) == Step(b"")


@pytest.mark.parametrize("asked", ["", "AAAAAAAAAAAA"])
def test_a_meter_that_echoes_what_it_was_called_stays_unknown(asked):
    dialogue = ReadDialogue([OLD, OLD], asked)
    answers = talk(dialogue, Meter(echo=True))
    assert [answer.data for answer in answers] == 2 * [DATA[0x9010]]
    assert dialogue.address == asked
    half = ReadDialogue([ENERGY, ENERGY], "AAAAAAAAAAAA")
    half.start()
    half.receive(encode(Frame("AAAAAAAA9012", 0x91, ENERGY.octets + bytes(4))))
    assert half.address == "AAAAAAAAAAAA"


def test_beginning_anew_counts_as_a_try():
    dialogue = ReadDialogue([OLD_LONG], METER, tries=3)
    first = dialogue.start()
    part = encode(Frame(METER, 0xA1, OLD_LONG.octets + b"part"))
    for _ in range(2):
        assert decode(dialogue.receive(part).octets).control == 0x02
        assert dialogue.time_out() == first
    assert decode(dialogue.receive(part).octets).control == 0x02
    with pytest.raises(NotAnswered, match="901F after 3 tries"):
        dialogue.time_out()


@pytest.mark.parametrize("edition", ["2007", "1997"])
def test_a_meter_that_never_ends_is_given_up(edition):
    ask, control = (LONG, 0xB2) if edition == "2007" else (OLD_LONG, 0xA2)
    dialogue = ReadDialogue([ask], METER)
    dialogue.start()
    dialogue.receive(encode(Frame(METER, control - 1, ask.octets + b"x")))
    for seq in range(1, 255):
        assert dialogue.receive(encode(Frame(METER, control, ask.octets + b"x" + bytes((seq,))))).octets
    with pytest.raises(RemoteProtocolError, match="255 follow-up frames"):
        dialogue.receive(encode(Frame(METER, control, ask.octets + b"x\xff")))


def test_load_record_parameters_stand_behind_the_identifier():
    ask = Ask(0x06000001, parameters=bytes.fromhex("010000010126"))
    frame = decode(ReadDialogue([ask], METER).start().octets)
    assert frame.data == bytes.fromhex("01000006010000010126")
    assert isinstance(Legality(METER).judge(frame), Accept)


def test_replies_belong_to_the_address_that_was_asked():
    def told(address: str) -> Frame:
        return Frame(address, 0x91)

    assert is_reply_from(told(METER), METER)
    assert is_reply_from(told(METER), "999999999999")
    assert is_reply_from(told(METER), "AAAAAAAA9012")
    assert is_reply_from(told("AAAAAAAA9012"), "AAAAAAAA9012")
    assert not is_reply_from(told("AAAAAAAAAAAA"), METER)
    assert not is_reply_from(told("123456789013"), "AAAAAAAA9012")
    assert not is_reply_from(Frame(METER, 0x11), METER)
    with pytest.raises(LocalProtocolError):
        ReadDialogue([ENERGY], "meter")


def rough(chance: random.Random, doubles: bool):
    """A line that loses a fifth of the frames, damages some, and delivers some twice."""

    def carry(octets: bytes) -> list[bytes]:
        fate = chance.random()
        if fate < 0.2:
            return []
        if fate < 0.25:
            at = chance.randrange(len(octets))
            return [octets[:at] + bytes([octets[at] ^ 0x10]) + octets[at + 1 :]]
        if fate < 0.3:
            return [octets[: chance.randrange(len(octets))]]
        return [octets, octets] if doubles and fate < 0.4 else [octets]

    return carry


@pytest.mark.parametrize("seed", range(60))
def test_on_a_rough_line_the_data_are_right_or_there_are_none(seed):
    chance = random.Random(seed)
    asks = [ENERGY, LONG, VOLTAGES, LONG]
    meter = Meter()
    try:
        answers = talk(ReadDialogue(asks, tries=10), meter, rough(chance, doubles=True))
    except NotAnswered:
        return
    # A doubled request makes a doubled reply, and with it the end of what is pending: refused, never wrong.
    for answer in answers:
        assert answer.data == DATA[answer.ask.di] if answer.error is None else answer.error in (1, 2)
    assert [answer.ask for answer in answers] == asks


@pytest.mark.parametrize("seed", range(30))
def test_without_numbers_a_lost_follow_up_means_to_begin_anew(seed):
    dialogue = ReadDialogue([OLD_LONG, OLD], METER, tries=40)
    try:
        answers = talk(dialogue, Meter(), rough(random.Random(seed), doubles=False))
    except NotAnswered:
        return
    assert [answer.data for answer in answers] == [DATA[0x901F], DATA[0x9010]]
