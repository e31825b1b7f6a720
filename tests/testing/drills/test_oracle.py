"""The oracle of the drill `fuzz` against the meter's own reader, and what it lets pass as an answer."""

import random

import pytest

from wattwheel.protocols.dlt645.frame import Frame, FrameReader
from wattwheel.testing.drills.mutations import FILLER_OCTETS, MUTATIONS, Mutator, frame
from wattwheel.testing.drills.oracle import Expected, Oracle, frames_in

ADDRESS = "202611200001"
WIRE = bytes.fromhex(ADDRESS)[::-1]
VALUE_DI, OTHER_DI = 0x02010100, 0x00010000


@pytest.fixture
def mutator():
    return Mutator(random.Random(5), WIRE, [VALUE_DI, OTHER_DI])


@pytest.fixture
def oracle():
    return Oracle(ADDRESS, [VALUE_DI, OTHER_DI])


def test_it_finds_what_the_reader_finds_however_the_octets_come(mutator):
    chance = random.Random(3)
    for _ in range(60):
        octets = mutator.burst(3000).octets
        reader, found, at = FrameReader(), [], 0
        while at < len(octets):
            size = chance.choice((1, 7, 300, 5000))
            found += reader.feed(octets[at : at + size])
            at += size
        expected, false_starts = frames_in(octets)
        assert [(f.address, f.control, f.data) for f in found] == [
            (f.address, f.control, f.data) for f in expected.values()
        ]
        assert (reader.rejected, reader.held) == (false_starts, 0)


def test_half_frames_hold_one_sound_request(mutator, oracle):
    for _ in range(200):
        octets = mutator.half_frame()
        reader = FrameReader()
        assert reader.feed(octets) == []
        assert len(oracle.replies(octets)) == len(reader.expire()) == 1


def test_sound_requests_are_answered(mutator, oracle):
    for _ in range(500):
        octets = mutator.sound()
        due = oracle.replies(octets, [octets.index(0x68)])
        assert [one.control for one in due] in ([0x91], [0x93])
    assert oracle.swallowed == 0


def test_every_mutation_happens_and_bursts_are_reproducible(mutator):
    requests = [mutator.request() for _ in range(200)]
    for mutation in MUTATIONS:
        assert any(mutation(mutator, request) != request for request in requests) or mutation.__name__ == "_as_it_is"
    bursts = [Mutator(random.Random(9), WIRE, [VALUE_DI]).burst(5000) for _ in range(2)]
    assert bursts[0] == bursts[1]
    assert len(set(bursts[0].octets[-FILLER_OCTETS:])) == 1


@pytest.mark.parametrize(
    ("octets", "control", "data"),
    [
        (frame(WIRE, 0x11, VALUE_DI.to_bytes(4, "little")), 0x91, None),
        (frame(b"\xaa" * 6, 0x11, VALUE_DI.to_bytes(4, "little")), 0x91, None),
        (frame(WIRE, 0x11, bytes.fromhex("01010402")), 0xD1, b"\x02"),
        (frame(WIRE, 0x11, bytes.fromhex("010C0004")), 0xD1, b"\x04"),  # a password
        (frame(WIRE, 0x11, b"\x00\x00\x00"), 0xD1, b"\x01"),
        (frame(WIRE, 0x12, bytes(5)), 0xD2, b"\x02"),
        (frame(b"\xaa" * 6, 0x13, b""), 0x93, WIRE),
        (frame(WIRE, 0x14, bytes(13)), 0xD4, None),
        (frame(WIRE, 0x1F, b""), 0xDF, b"\x01"),
        (frame(WIRE, 0x16, b"\x99" * 4), 0x96, b""),
        (frame(WIRE, 0x16, bytes.fromhex("00010102")), 0x96, b""),
        (frame(WIRE, 0x16, bytes(4)), 0xD6, None),
    ],
)
def test_what_is_due(oracle, octets, control, data):
    (due,) = oracle.replies(octets)
    assert (due.control, due.data) == (control, data)


@pytest.mark.parametrize(("di", "or_di"), [(0x05060001, True), (0x06000000, True), (0x07000000, False)])
def test_what_time_brings_may_be_there_or_not(oracle, di, or_di):
    (due,) = oracle.replies(frame(WIRE, 0x11, di.to_bytes(4, "little")))
    assert (due.control, due.data, due.or_di) == (0xD1, b"\x02", di if or_di else None)


def test_only_functions_that_are_not_there_count_as_such(oracle):
    for control, size in ((0x03, 8), (0x17, 1), (0x14, 13), (0x16, 4), (0x1A, 8)):
        oracle.replies(frame(WIRE, control, bytes(size)))
    assert oracle.counts["not_here"] == 1


@pytest.mark.parametrize(
    "octets",
    [
        frame(WIRE, 0x91, bytes(8)),
        frame(b"\x99" * 6, 0x11, bytes(4)),
        frame(b"\x12" * 6, 0x11, bytes(4)),
        frame(b"\x99" * 6, 0x08, bytes(6)),
        frame(WIRE, 0x11, bytes(4))[:-1] + b"\x17",
    ],
)
def test_what_is_met_with_silence(oracle, octets):
    assert oracle.replies(octets) == []


QUESTION = Frame(ADDRESS, 0x11, VALUE_DI.to_bytes(4, "little"))
DI = VALUE_DI.to_bytes(4, "little")


@pytest.mark.parametrize(
    ("expected", "reply", "is_good"),
    [
        (Expected(0x91, None, None, VALUE_DI, QUESTION), Frame(ADDRESS, 0x91, DI + b"\x00\x22"), True),
        (Expected(0x91, None, None, VALUE_DI, QUESTION), Frame("202611200002", 0x91, DI + b"\x00\x22"), False),
        (Expected(0x91, None, None, VALUE_DI, QUESTION), Frame(ADDRESS, 0x91, b"\x00\x00\x01\x00\x00\x22"), False),
        (Expected(0x91, None, None, VALUE_DI, QUESTION), Frame(ADDRESS, 0xD1, b"\x02"), False),
        (Expected(0xD1, b"\x02", None, None, QUESTION), Frame(ADDRESS, 0xD1, b"\x02"), True),
        (Expected(0xD1, b"\x02", None, None, QUESTION), Frame(ADDRESS, 0xD1, b"\x01"), False),
        (Expected(0xD4, None, 1, None, QUESTION), Frame(ADDRESS, 0xD4, b"\x04"), True),
        (Expected(0xD4, None, 1, None, QUESTION), Frame(ADDRESS, 0xD4, b"\x00"), False),
        (Expected(0xC3, None, 2, None, QUESTION), Frame(ADDRESS, 0xC3, b"\x01"), False),
        (Expected(0x96, b"", None, None, QUESTION), Frame(ADDRESS, 0x96, b""), True),
        (Expected(0xD1, b"\x02", None, None, QUESTION, VALUE_DI), Frame(ADDRESS, 0x91, DI), True),
        (Expected(0xD1, b"\x02", None, None, QUESTION, VALUE_DI), Frame(ADDRESS, 0xB1, DI + b"\xa0"), True),
        (Expected(0xD1, b"\x02", None, None, QUESTION, VALUE_DI), Frame(ADDRESS, 0x91, bytes(4)), False),
        (Expected(0xD1, b"\x02", None, None, QUESTION, VALUE_DI), Frame("202611200002", 0x91, DI), False),
        (Expected(0xD1, b"\x02", None, None, QUESTION, VALUE_DI), Frame(ADDRESS, 0xD1, b"\x02"), True),
        (Expected(0xD1, b"\x02", None, None, QUESTION, VALUE_DI), Frame(ADDRESS, 0xD1, b"\x01"), False),
    ],
)
def test_objections(expected, reply, is_good):
    assert (expected.objection(reply, ADDRESS) is None) is is_good
