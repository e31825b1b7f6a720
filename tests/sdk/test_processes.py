"""Processes as an APP writes them: they wait by `yield`, outcomes are values and exceptions."""

from __future__ import annotations

import pytest
from tests.apex.stage import DEPTH, Stage

from wattwheel.model.errors import NotAvailable, ServiceRefused, TimedOut
from wattwheel.sdk import App
from wattwheel.sdk.processes import Processes
from wattwheel.testing.simulated import simulated_meter


class Play:
    """Processes of one partition, and what they have noted."""

    def __init__(self):
        self.stage = Stage()
        self.processes = Processes.__new__(Processes)
        self.processes.apex = self.stage.apex
        self.processes._ports = self.stage.context.queuing_ports()
        self.story = []

    def start(self, entry, priority=10, **about):
        return self.processes.start(f"{entry.__name__}", entry, priority, **about)

    def run(self, seconds=0.0):
        if not self.stage.apex._is_normal:
            self.processes.run()
        self.stage.context.wheel.turn()
        self.stage.clock.advance(seconds)


@pytest.fixture
def play():
    return Play()


def test_a_buffer_hands_messages_on_and_holds_the_sender_back(play):
    row = play.processes.buffer("row", 8, 2)

    def producer():
        for number in range(5):
            yield row.send(b"%d" % number)
            play.story.append(f"sent {number}")

    def consumer():
        while True:
            message = yield row.receive()
            play.story.append(f"got {message.decode()}")
            yield play.processes.wait(0.001)

    play.start(producer, 20)
    play.start(consumer, 10)
    play.run(0.1)
    assert [what for what in play.story if "got" in what] == [f"got {n}" for n in range(5)]
    assert play.story.index("sent 4") > play.story.index("got 1")


def test_what_does_not_come_in_time_is_an_exception_at_the_yield(play):
    row, sign = play.processes.buffer("row", 8, 1), play.processes.event("sign")
    board = play.processes.blackboard("board", 8)

    def waits():
        for make in (lambda: row.receive(0), lambda: row.receive(0.01), lambda: sign.wait(0.01), lambda: board.read(0)):
            try:
                yield make()
            except NotAvailable as late:
                play.story.append((type(late).__name__, late.service, late.code))

    play.start(waits)
    play.run(0.1)
    assert play.story == [
        ("NotAvailable", "RECEIVE_BUFFER", "NOT_AVAILABLE"),
        ("TimedOut", "RECEIVE_BUFFER", "TIMED_OUT"),
        ("TimedOut", "WAIT_EVENT", "TIMED_OUT"),
        ("NotAvailable", "READ_BLACKBOARD", "NOT_AVAILABLE"),
    ]
    assert issubclass(TimedOut, TimeoutError)


def test_a_mutex_a_semaphore_an_event_and_a_blackboard(play):
    processes = play.processes
    lock, places = processes.mutex("lock", 30), processes.semaphore("places", 1, 1)
    sign, board = processes.event("sign"), processes.blackboard("board", 8)

    def first():
        yield lock.acquire()
        board.display(b"mine")
        lock.release()
        yield places.wait()
        sign.set()
        yield processes.wait(0.002)
        board.clear()
        play.story.append(places.signal())
        play.story.append(places.signal())

    def second():
        play.story.append((yield board.read()))
        yield sign.wait()
        sign.reset()
        yield lock.acquire()
        lock.release()
        yield places.wait(1.0)
        play.story.append("place")
        play.story.append(places.signal())

    play.start(first, 5)
    play.start(second, 9)
    play.run(0.1)
    assert play.story == [b"mine", True, True, "place", False]
    with pytest.raises(ServiceRefused, match="RELEASE_MUTEX of lock: INVALID_MODE"):
        lock.release()


def test_queuing_ports_wait_at_both_ends(play):
    source, destination = play.processes.port("q_out"), play.processes.port("q_in")

    def relay():
        while True:
            message, has_lost = yield destination.receive()
            play.story.append(has_lost)
            for _ in range(DEPTH):
                yield source.send(message.upper())

    play.start(relay)
    play.run()
    play.stage.send_to("q_in", b"a", b"b")
    play.run(0.01)
    taken = []
    while (message := play.stage.take_from("q_out")) is not None:
        taken.append(message)
        play.stage.clock.advance(0.01)
    assert taken == [b"A"] * DEPTH + [b"B"] * DEPTH
    assert play.story == [False, False]
    with pytest.raises(KeyError):
        play.processes.port("unknown")


def test_tasks_that_are_no_process_act_at_once_or_not_at_all(play):
    row = play.processes.buffer("row", 8, 1)
    play.run()
    row.send(b"1", 0).at_once()
    with pytest.raises(NotAvailable):
        row.send(b"2", 0).at_once()
    assert row.receive(0).at_once() == b"1"
    with pytest.raises(ServiceRefused, match="INVALID_MODE"):
        row.receive().at_once()
    with pytest.raises(ServiceRefused, match="CREATE_BUFFER of late: INVALID_MODE"):
        play.processes.buffer("late", 8, 1)


def waiting_app() -> App:
    """Counts seconds in a periodic process, which hands each on to one that waits and shows it."""
    app = App("waiter", version="1.0.0")

    @app.on_start
    def begin(meter):
        meter.memory = meter.processes.buffer("seconds", 8, 4)

    @app.process(priority=20, period=1.0, time_capacity=0.5)
    def tick(meter):
        number = 0
        while True:
            number += 1
            yield meter.memory.send(b"%d" % number)
            yield meter.processes.next_period()

    @app.process(priority=10)
    def show(meter):
        while True:
            number = int((yield meter.memory.receive()))
            meter.show({0x03300E00: number})

    return app


def test_an_app_with_processes_lives_in_a_meter_and_comes_back_after_a_kill():
    app = waiting_app()
    with simulated_meter(app, owns=[("03300E", app)]) as meter:
        meter.advance(10)
        before = int(meter.ask(0x03300E00).data[::-1].hex())
        meter.advance(5)
        assert int(meter.ask(0x03300E00).data[::-1].hex()) - before == 5
        assert before in (10, 11, 12)
        meter.kill("waiter")
        meter.advance(3)
        assert int(meter.ask(0x03300E00).data[::-1].hex()) in (3, 4)
