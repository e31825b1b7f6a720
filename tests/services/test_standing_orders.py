"""Standing orders, here to the relay, over a quiet, a rough and a dead link."""

from __future__ import annotations

import random
from typing import cast

import pytest
from tests.metrology.world import IDENTITY, Cells, CountingBooks, Fate, SteadySource, WorldClock, line

from wattwheel.drivers.sim.relay import SimRelay
from wattwheel.metrology.device import MeteringCore
from wattwheel.metrology.outputs import CoreOutputs
from wattwheel.model.records import Readings
from wattwheel.protocols.corelink import Kind
from wattwheel.protocols.corelink_bodies import Result
from wattwheel.services.metering_link import LOOK_NS, MeteringLink, OnAnswer
from wattwheel.services.standing_orders import RELAY_REPEAT_NS, StandingOrder

CLOSED, OPEN = bytes((0,)), bytes((1,))


class Both:
    """A core with a relay, and the service that orders it about; `has_relay` False: the core has none."""

    def __init__(self, fate: Fate | None = None, has_relay: bool = True) -> None:
        self.clock = WorldClock()
        self.near, self.far = line(self.clock, fate)
        self.relay = SimRelay()
        self.cells = Cells()
        self.has_relay = has_relay
        self.core: MeteringCore | None = None
        self.readings: list[Readings] = []
        self.start_core()
        self.start_service()

    def start_core(self) -> None:
        self.kill_core()
        relay = self.relay if self.has_relay else None
        books = CountingBooks()
        self.core = MeteringCore(self.clock, self.cells, self.near, books, IDENTITY, outputs=CoreOutputs(relay))
        self.core.start()
        self.core.measure(SteadySource(self.clock.now_ns()), books)

    def kill_core(self) -> None:
        if self.core is not None:
            self.core._is_stopped = True
            self.near.on_arrival(lambda: None)
            self.near.read()

    def start_service(self) -> None:
        self.link = MeteringLink(self.clock, self.far.write, self.readings.append, lambda: "202611200001")
        self.orders = StandingOrder(self.clock, self.link, Kind.SET_RELAY, RELAY_REPEAT_NS)
        self.far.on_arrival(lambda: self.link.arrived(self.far.read()))
        self.look(self.link)

    def look(self, link: MeteringLink) -> None:
        if link is self.link:
            self.link.look()
            self.orders.look()
            self.clock.call_at(self.clock.now_ns() + LOOK_NS, lambda: self.look(link))


def test_an_order_is_carried_out_at_once_and_told_by_the_push_after_three_looks() -> None:
    both = Both()
    both.clock.advance(2)
    assert both.readings[-1].relay_open is False
    both.orders.want(OPEN)
    both.clock.advance(0.01)
    assert both.relay.is_open
    both.clock.advance(3)
    assert both.readings[-1].relay_open is True
    assert both.relay.drives == 1


def test_the_drive_is_repeated_every_five_minutes() -> None:
    both = Both()
    both.clock.advance(2)
    both.orders.want(OPEN)
    both.clock.advance(299)
    assert both.relay.drives == 1
    both.clock.advance(2)
    assert both.relay.drives == 2
    both.clock.advance(3020)
    assert both.relay.drives == 12


def test_a_core_that_was_dead_is_told_when_it_is_back() -> None:
    both = Both()
    both.clock.advance(2)
    both.kill_core()
    both.orders.want(OPEN)
    both.clock.advance(60)
    assert not both.relay.is_open
    both.start_core()
    both.clock.advance(2)
    assert both.relay.is_open
    drives = both.relay.drives
    both.start_core()
    both.clock.advance(1)
    assert both.relay.drives == drives + 1


def test_a_service_that_starts_anew_is_obeyed() -> None:
    both = Both()
    both.orders.want(OPEN)
    both.clock.advance(2)
    both.start_service()
    both.orders.want(CLOSED)
    both.clock.advance(2)
    assert not both.relay.is_open


def test_a_core_that_never_answers_is_asked_later_and_later() -> None:
    both = Both()
    both.clock.advance(2)
    both.near.on_arrival(lambda: None)
    sent = len(both.far.sent)
    both.orders.want(OPEN)
    both.clock.advance(3)
    soon = len(both.far.sent) - sent
    both.clock.advance(100)
    assert soon > 0
    assert len(both.far.sent) - sent < soon * 8
    both.near.on_arrival(both.core._arrived)
    both.clock.advance(17)
    assert both.relay.is_open


def test_without_a_wish_nothing_is_sent() -> None:
    both = Both()
    both.clock.advance(400)
    both.orders.want(OPEN)
    both.clock.advance(2)
    both.orders.want(None)
    both.clock.advance(400)
    assert both.relay.drives == 1


def test_a_core_without_a_relay_is_asked_seldom_and_measures_nothing() -> None:
    both = Both(has_relay=False)
    both.clock.advance(2)
    sent = len(both.far.sent)
    both.orders.want(OPEN)
    both.clock.advance(290)
    assert len(both.far.sent) < sent + 100
    assert both.readings[-1].relay_open is None


@pytest.mark.parametrize("seed", range(8))
def test_over_a_rough_line_the_last_order_wins(seed: int) -> None:
    chance = random.Random(seed)
    fate = Fate(chance)
    both = Both(fate)
    wanted = False
    for _ in range(40):
        wanted = chance.random() < 0.5
        both.orders.want(bytes((wanted,)))
        both.clock.advance(chance.random() * 3)
        if chance.random() < 0.1:
            both.start_core()
        if chance.random() < 0.1:
            both.start_service()
            both.orders.want(bytes((wanted,)))
    fate.is_rough = False
    both.clock.advance(40)
    assert both.relay.is_open is wanted
    assert both.readings[-1].relay_open is wanted


def test_a_late_answer_to_an_older_order_is_none_to_the_newer() -> None:
    asked: list[tuple[bytes, OnAnswer]] = []

    class Link:
        starts = 1

        def ask(self, kind: Kind, body: bytes, on_answer: OnAnswer) -> bool:
            asked.append((body, on_answer))
            return True

    clock = WorldClock()
    order = StandingOrder(clock, cast(MeteringLink, Link()), Kind.SET_RELAY, RELAY_REPEAT_NS)
    order.want(OPEN)
    order.want(CLOSED)
    asked[0][1](Result.GOOD, b"")
    clock.advance(2)
    order.look()
    assert [body[8:] for body, _on_answer in asked] == [OPEN, CLOSED, CLOSED]
    assert asked[1][0] == asked[2][0]  # the same number
    asked[2][1](Result.GOOD, b"")
    clock.advance(200)
    order.look()
    assert len(asked) == 3
