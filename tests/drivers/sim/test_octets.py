"""Simulated wires: the exam, and faults that damage and never invent."""

from __future__ import annotations

import random

import pytest

from wattwheel.drivers.sim.clock import SimClock
from wattwheel.drivers.sim.loop import SimLoop
from wattwheel.drivers.sim.octets import (
    BUFFER_OCTETS_MAX,
    SimChannel,
    SimDoor,
    SimLine,
    SimWire,
    WireFaults,
    channel_pair,
)
from wattwheel.hil.octets import LineSettings
from wattwheel.testing.conformance import check_octet_channel


@pytest.fixture
def clock():
    return SimClock()


@pytest.mark.parametrize("is_connection", [True, False])
def test_exam(clock, is_connection):
    def make_pair():
        return channel_pair(SimWire(clock, is_connection=is_connection))

    check_octet_channel(make_pair, lambda: clock.advance(1e-6), is_connection)


@pytest.mark.parametrize("is_connection", [True, False])
def test_exam_of_ends_that_processes_hold(clock, is_connection):
    def make_pair():
        wire = SimWire(clock, is_connection=is_connection)
        loops = SimLoop(clock), SimLoop(clock)
        return SimChannel(wire.near, loops[0]), SimChannel(wire.far, loops[1])

    check_octet_channel(make_pair, lambda: clock.advance(1e-4), is_connection)


def sent_through(faults, seed, sent, gap_s=0.1):
    """What arrives of `sent`, with the instants at which it does."""
    clock, chance = SimClock(), random.Random(seed)
    near, far = channel_pair(SimWire(clock, chance, faults))
    got = []
    far.on_arrival(lambda: got.append((clock.now_ns(), far.read())))
    for octets in sent:
        near.write(octets)
        clock.advance(gap_s)
    clock.advance(60)
    return got


SENT = [bytes([number]) * 40 for number in range(50)]


def joined(got):
    return b"".join(octets for _, octets in got)


def is_part_of(part, whole):
    rest = iter(whole)
    return all(octet in rest for octet in part)


@pytest.mark.parametrize("seed", range(20))
def test_each_fault_does_what_its_name_says_and_nothing_else(seed):
    whole = b"".join(SENT)
    assert joined(sent_through(WireFaults(), seed, SENT)) == whole
    lost = joined(sent_through(WireFaults(lost=0.3), seed, SENT))
    assert len(lost) < len(whole)
    assert is_part_of(lost, whole)
    garbled = joined(sent_through(WireFaults(garbled=0.5, flips_max=1), seed, SENT))
    assert len(garbled) == len(whole)
    assert 5 < sum((a ^ b).bit_count() for a, b in zip(garbled, whole, strict=True)) <= len(SENT)
    split = sent_through(WireFaults(split=0.5), seed, SENT)
    assert joined(split) == whole
    assert len(split) >= len(SENT)
    delayed = sent_through(WireFaults(delayed=0.5), seed, SENT)
    assert joined(delayed) == whole
    plain = sent_through(WireFaults(), seed, SENT)
    assert delayed[-1][0] > plain[-1][0] or len(delayed) < len(plain)
    rough = WireFaults(0.2, 0.2, 0.2, 0.2)
    assert sent_through(rough, seed, SENT) == sent_through(rough, seed, SENT)
    assert sent_through(rough, seed, SENT) != sent_through(rough, seed + 1, SENT)


def test_a_line_has_its_speed(clock):
    wire = SimWire(clock)
    near, far = channel_pair(wire)
    near.configure(LineSettings(2400, "E", 1))  # 11 bits an octet
    near.write(bytes(240))
    clock.advance(1.09)
    assert far.read() == b""
    clock.advance(0.02)
    assert len(far.read()) == 240


def test_what_is_not_read_is_bounded(clock):
    near, far = channel_pair(SimWire(clock))
    near.write(bytes(BUFFER_OCTETS_MAX + 5))
    assert near.dropped == 5
    clock.advance(1)
    near.write(b"x")
    assert near.dropped == 6
    assert len(far.read()) == BUFFER_OCTETS_MAX
    near.write(b"x")
    assert near.dropped == 6


def test_octets_not_read_wait_for_the_next_body(clock):
    line = SimLine(SimWire(clock))
    head_end = SimChannel(line.wire.near)
    first = SimLoop(clock)
    line.open(first).on_arrival(lambda: None)
    head_end.write(b"request")
    first.end()
    clock.advance(1)
    second, got = SimLoop(clock), []
    channel = line.open(second)
    channel.on_arrival(lambda: got.append(channel.read()))
    clock.advance(1)
    assert got == [b"request"]
    channel.write(b"reply")
    clock.advance(1)
    assert head_end.read() == b"reply"


def test_a_door_keeps_who_waits_and_drops_the_connections_of_a_dead_body(clock):
    door = SimDoor(clock)
    early = door.connect()
    first, taken = SimLoop(clock), []
    door.open(first).on_connection(taken.append)
    late = door.connect()
    clock.advance(0.1)
    assert len(taken) == 2
    first.end()
    clock.advance(0.1)
    assert early.is_closed
    assert late.is_closed
    waiting = door.connect()
    clock.advance(0.1)
    second, served = SimLoop(clock), []
    door.open(second).on_connection(served.append)
    clock.advance(0.1)
    assert len(served) == 1
    assert not waiting.is_closed
    waiting.close()
    clock.advance(0.1)
    assert served[0].is_closed


def test_a_service_that_ignores_the_end_of_a_connection_is_called_again_and_again(clock):
    wire = SimWire(clock, is_connection=True)
    loop, calls = SimLoop(clock), []
    near, far = SimChannel(wire.near), SimChannel(wire.far, loop)
    far.on_arrival(lambda: calls.append(far.read()))
    near.write(b"last words")
    near.close()
    clock.advance(0.01)
    assert calls[0] == b"last words"
    assert len(calls) > 10
    far.close()
    settled = len(calls)
    clock.advance(0.01)
    assert len(calls) == settled
