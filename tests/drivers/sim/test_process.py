"""Bodies as objects: birth, death in the middle of work, stillness, crashes, and queues that outlive them."""

from __future__ import annotations

import random

import pytest
from tests.bench import Bench, Puppet, queuing, sampling

from wattwheel.drivers.sim.clock import SimClock
from wattwheel.drivers.sim.loop import Killed, SimLoop
from wattwheel.hil.process import BodySpec
from wattwheel.model.errors import ConfigError

NUMBERS = 40


class Writer:
    """Sends 0, 1, 2... `next_number` is its storage: it outlives the body."""

    def __init__(self):
        self.next_number = 0

    def __call__(self, context):
        port = context.queuing_source("q")

        def send():
            while self.next_number < NUMBERS and port.send(b"%d" % self.next_number):
                self.next_number += 1

        context.wheel.task(1, send)
        port.on_space(context.wheel.poster(1))
        context.wheel.post(1)


class Reader:
    """Notes what it sees, then lets go of it."""

    def __init__(self):
        self.log = []

    def __call__(self, context):
        port = context.queuing_destination("q")

        def take():
            message = port.receive()
            if message is not None:
                self.log.append(int(message))
                port.done()

        context.wheel.task(1, take)
        port.on_message(context.wheel.poster(1))


@pytest.mark.parametrize("seed", range(100))
def test_kills_in_the_middle_of_any_operation_lose_nothing(seed):
    chance = random.Random(seed)
    writer, reader = Writer(), Reader()
    bench = Bench({"a": writer, "b": reader}, [queuing("queue", "a.q", "b.q", depth=3)], seed=seed)
    kills = 0
    for _ in range(200):
        if reader.log and reader.log[-1] == NUMBERS - 1:
            break
        if chance.random() < 0.3:
            body = bench.host.bodies.get(chance.choice("ab"))
            if body is not None and chance.random() < 0.8:
                body.kill_within(chance.randrange(8))
                kills += 1
            elif body is not None:
                body.kill()
                kills += 1
        bench.clock.advance(chance.choice((0.0001, 0.002, 0.02)))
    bench.run(5)
    once = [number for number, before in zip(reader.log, [-1, *reader.log], strict=False) if number != before]
    assert once == list(range(NUMBERS))
    assert len(reader.log) - len(once) <= kills
    assert bench.host.queuing["queue"].length_max <= 3


def test_a_paused_body_does_nothing_and_loses_nothing():
    ticks, reader = [], Reader()

    def ticking(context):
        context.wheel.task(2, lambda: ticks.append(context.clock.now_ns()))
        context.wheel.post_every(100_000_000, 2)
        reader(context)

    writer = Writer()
    bench = Bench({"a": writer, "b": ticking}, [queuing("queue", "a.q", "b.q", depth=NUMBERS)])
    bench.clock.advance(0.001)
    bench.host.bodies["b"].pause()
    bench.run(1.05)
    assert ticks == reader.log == []
    bench.host.bodies["b"].resume()
    bench.host.bodies["b"].resume()
    bench.run(0.04)
    assert reader.log == list(range(NUMBERS))
    before = len(ticks)
    bench.run(1)
    assert len(ticks) == before + 10


def test_what_fell_due_in_a_pause_keeps_its_order_over_a_second_one():
    clock = SimClock()
    loop, story, now = SimLoop(clock), [], clock.now_ns()

    def blink():
        loop.resume()
        loop.pause()

    loop.pause()
    loop.call_at(now + 10, lambda: story.append("first"))
    clock.call_at(now + 20, blink)
    loop.call_at(now + 20, lambda: story.append("second"))
    clock.advance(1e-6)
    assert story == []
    loop.resume()
    clock.advance(1e-6)
    assert story == ["first", "second"]


def test_work_takes_time_of_its_own_and_everything_else_waits_for_it():
    clock = SimClock()
    loop, story, now = SimLoop(clock), [], clock.now_ns()

    def note(what):
        return lambda: story.append((what, clock.now_ns() - now))

    loop.compute(100, note("work"))
    loop.call_at(now + 30, note("timer"))
    clock.call_at(now + 50, loop.pause)
    clock.call_at(now + 60, loop.pause)  # once more is no more
    clock.call_at(now + 80, loop.resume)
    clock.advance(1e-6)
    assert story == [("work", 130), ("timer", 130)]
    loop.compute(100, note("never"))
    loop.end()
    clock.advance(1e-6)
    assert len(story) == 2


def test_timers_and_news_of_a_dead_body_come_to_nothing():
    ran = []

    def begin(context):
        context.clock.call_at(context.clock.now_ns() + 50_000_000, lambda: ran.append(births[-1]))
        births.append(len(births))

    births: list[int] = []
    bench = Bench({"a": begin})
    bench.run(0.02)
    bench.kill("a")
    bench.run(1)
    assert ran == [1]
    assert births == [0, 1]


def test_a_crash_ends_the_body_with_its_status_and_is_remembered():
    def begin(context):
        context.wheel.task(1, lambda: 1 // 0)
        context.wheel.post(1)

    bench = Bench({"a": begin, "b": Puppet()})
    bench.clock.advance(0.03)
    assert bench.host.crashes[0].partition == "a"
    assert isinstance(bench.host.crashes[0].fault, ZeroDivisionError)
    assert bench.log[0] == "a: ended with status 65; starting again (NUMERIC_ERROR, PROCESS level)"


def test_devices_are_held_by_the_living_body():
    held = []

    class Lamp:
        def open(self, loop):
            held.append("taken")
            loop.at_end(lambda: held.append("given back"))
            return "lamp"

    bench = Bench({"a": Puppet()})
    spec = BodySpec("c", "x:y", b"{}", (), (), ("lamp",))
    with pytest.raises(ConfigError, match="partition c device: found 'lamp'; allowed: none"):
        bench.host.spawn(spec)
    bench.host.grant_device("lamp", Lamp())
    bench.host._run_body = lambda birth: held.append(birth.ports.device("lamp")) or Still()
    body = bench.host.spawn(spec)
    bench.run()
    assert held == ["taken", "lamp"]
    body.kill()
    assert held == ["taken", "lamp", "given back"]


class Still:
    def turn(self):
        """Nothing to do."""

    def stop(self):
        """Nothing to end."""


def test_a_sampled_value_and_its_news_outlive_the_reader():
    told = []

    def reading(context):
        port = context.sampling_destination("v")
        port.on_message(lambda: told.append(port.read()[0]))

    writer = Puppet()
    bench = Bench({"a": writer, "b": reading}, (), [sampling("cell", "a.v", "b.v", calls=("b",))])
    bench.run()
    bench.kill("b")
    writer.context.sampling_source("v").write(b"news")
    bench.run(0.1)
    assert told == [b"news"]


def test_killed_is_not_an_exception_that_a_program_could_survive():
    assert not issubclass(Killed, Exception)


def events_of(seed):
    writer, reader = Writer(), Reader()
    bench = Bench({"a": writer, "b": reader}, [queuing("queue", "a.q", "b.q", depth=2)], seed=seed)
    instants = []
    while len(reader.log) < NUMBERS:
        bench.clock.advance(0.0001)
        instants.append((len(reader.log), writer.next_number))
    return instants


def test_the_same_seed_is_the_same_world():
    assert events_of(5) == events_of(5)
    assert events_of(5) != events_of(6)
