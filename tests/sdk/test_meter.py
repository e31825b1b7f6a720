"""The meter as seen from inside an APP."""

from __future__ import annotations

import asyncio

import pytest
from tests.bench import Bench, bus_channels

from wattwheel.apex.messages import Control, Kind, Message, unpack
from wattwheel.model.errors import NotAnswered
from wattwheel.sdk.meter import ANSWER_OCTETS_MAX, Meter


class Asker:
    """A partition that is a `Meter`, and its bus a partner of the test."""

    def __init__(self):
        self.bench = Bench({"app": self._start, "bus": lambda context: None}, bus_channels(["app"]))
        self.bench.run()

    def _start(self, context):
        self.meter = Meter(context)


def test_what_is_asked_in_one_turn_leaves_together():
    asker = Asker()
    queue = asker.bench.host.queuing["app>bus"]

    async def ask_all():
        asks = [asyncio.ensure_future(asker.meter.ask(Control.READ, di)) for di in range(20)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        for each in asks:
            each.cancel()
        await asyncio.gather(*asks, return_exceptions=True)

    asyncio.run(ask_all())
    assert len(queue.messages) == 1


def test_more_than_may_wait_is_refused_at_once():
    asker = Asker()

    async def ask_too_much():
        asks = [asyncio.ensure_future(asker.meter.ask(Control.READ, di)) for di in range(6000)]
        await asyncio.sleep(0)
        done = [each for each in asks if each.done()]
        for each in asks:
            each.cancel()
        return (await asyncio.gather(*done, return_exceptions=True))[0]

    with pytest.raises(NotAnswered):
        raise asyncio.run(ask_too_much())


def test_an_item_that_no_message_holds_is_no_data_and_counted():
    asker = Asker()
    longest, too_long = 0x05060001, 0x05060002
    values = {longest: bytes(ANSWER_OCTETS_MAX), too_long: bytes(ANSWER_OCTETS_MAX + 1)}
    asker.meter.show(values)
    for di in values:
        asker.meter._answer(Message(Kind.REQUEST, Control.READ, di))
    asker.meter.show({})
    asker.meter.look_up(lambda di, _data: values.get(di), tuple)
    for di in values:
        asker.meter._answer(Message(Kind.REQUEST, Control.READ, di))
    asker.meter._bus.flush()
    replies = [reply for octets in asker.bench.host.queuing["app>bus"].messages for reply in unpack(octets)]
    assert [None if reply.error else len(reply.data) for reply in replies] == [ANSWER_OCTETS_MAX, None] * 2
    assert asker.meter.counters["answers_too_long"] == 2
