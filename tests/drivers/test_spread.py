"""One source for several channels: every message to everybody, once and in order, at the pace of the slowest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattwheel.drivers.sim.clock import SimClock
from wattwheel.drivers.sim.loop import SimLoop
from wattwheel.drivers.sim.ports import SimQueuingChannel, SimQueuingDestination, SimQueuingSource
from wattwheel.drivers.spread import spread

DEPTH = 3


class Stage:
    def __init__(self, readers=3):
        self.loop = SimLoop(SimClock())
        self.channels = [SimQueuingChannel(f"c{n}", 16, DEPTH) for n in range(readers)]
        self.source = spread([SimQueuingSource(channel, self.loop) for channel in self.channels])
        self.readers = [SimQueuingDestination(channel, self.loop) for channel in self.channels]

    def take(self, reader):
        message = self.readers[reader].peek_nowait()
        if message is not None:
            self.readers[reader].consume()
        return message


@given(st.lists(st.integers(-1, 2), max_size=60))
def test_everybody_gets_every_accepted_message_once_and_in_order(deeds):
    stage = Stage()
    sent, taken = [], [[], [], []]
    for number, deed in enumerate(deeds):
        if deed < 0:
            message = b"%d" % number
            room = min(DEPTH - len(channel.messages) for channel in stage.channels)
            assert stage.source.has_room() is (room > 0)
            assert stage.source.send_nowait(message) is (room > 0)
            sent += [message] * (room > 0)
            assert stage.source.length() == max(len(channel.messages) for channel in stage.channels)
        elif (message := stage.take(deed)) is not None:
            taken[deed].append(message)
    for reader in range(3):
        while (message := stage.take(reader)) is not None:
            taken[reader].append(message)
        assert taken[reader] == sent


def test_the_sender_is_told_of_room_whoever_was_the_slowest():
    stage = Stage()
    told = []
    stage.source.on_space(lambda: told.append(stage.source.has_room()))
    for number in range(DEPTH):
        assert stage.source.send_nowait(b"%d" % number)
    assert not stage.source.send_nowait(b"more")
    for reader in range(3):
        assert stage.take(reader) == b"0"
        stage.loop._clock.advance(0.001)
    assert told[-1] is True
    assert told.count(True) == 1


class Grudging:
    """A channel that says to have room, and then has none for a while."""

    max_message_size = depth = 8

    def __init__(self):
        self.refusals = 1
        self.got = []

    def has_room(self):
        return True

    def send_nowait(self, message):
        if self.refusals:
            self.refusals -= 1
            return False
        self.got.append(message)
        return True

    def length(self):
        return len(self.got)


def test_a_channel_that_has_less_room_than_it_counted_gets_the_message_later_and_nobody_gets_it_twice():
    grudging, good = Grudging(), Grudging()
    good.refusals = 0
    source = spread([grudging, good])
    assert source.send_nowait(b"1")
    assert (grudging.got, good.got) == ([], [b"1"])
    assert source.send_nowait(b"2")
    assert grudging.got == good.got == [b"1", b"2"]


@pytest.mark.parametrize("readers", [1])
def test_one_channel_needs_nobody_between(readers):
    stage = Stage(readers)
    assert isinstance(stage.source, SimQueuingSource)
