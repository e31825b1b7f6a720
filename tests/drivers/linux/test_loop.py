"""The epoll loop: descriptors, timers, signals, and what happens when one disappears under an action."""

from __future__ import annotations

import os
import select
import signal
import socket
import time

import pytest

from wattwheel.drivers.linux.clock import CalendarOrigin, LinuxClock, calendar_origin
from wattwheel.drivers.linux.loop import EpollLoop


@pytest.fixture
def loop():
    loop = EpollLoop()
    yield loop
    loop.close()


@pytest.fixture
def pair():
    near, far = socket.socketpair()
    near.setblocking(False)
    far.setblocking(False)
    yield near, far
    near.close()
    far.close()


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_a_reader_is_called_while_something_waits(loop, pair):
    near, far = pair
    calls = []
    loop.watch(near.fileno(), lambda: calls.append(1))
    loop.step(0)
    assert calls == []
    far.send(b"x")
    loop.step(1)
    loop.step(1)
    assert calls == [1, 1]  # nobody has read it
    near.recv(1)
    loop.step(0)
    assert calls == [1, 1]


def test_a_reader_learns_that_the_far_end_has_gone(loop, pair):
    near, far = pair
    calls = []
    loop.watch(near.fileno(), lambda: calls.append(near.recv(1)))
    far.close()
    loop.step(1)
    assert calls == [b""]


def test_a_writer_is_called_until_it_is_no_longer_watched(loop, pair):
    near, _far = pair
    calls = []
    loop.watch_writable(near.fileno(), lambda: calls.append("room"))
    loop.watch(near.fileno(), lambda: calls.append("octets"))
    loop.step(1)
    loop.step(1)
    loop.unwatch_writable(near.fileno())
    loop.unwatch_writable(near.fileno())
    loop.step(0)
    assert calls == ["room", "room"]


def test_a_writer_without_a_reader_learns_of_a_hang_up(loop, pair):
    near, far = pair
    while True:
        try:
            near.send(bytes(65_536))
        except BlockingIOError:
            break
    calls = []
    loop.watch_writable(near.fileno(), lambda: calls.append(1))
    loop.step(0)
    assert calls == []
    far.close()
    loop.step(1)
    assert calls == [1]


def test_unwatching_is_harmless_when_repeated_and_inside_an_action(loop, pair):
    near, far = pair
    calls = []

    def once():
        calls.append(1)
        loop.unwatch(near.fileno())
        loop.unwatch(far.fileno())

    loop.watch(near.fileno(), once)
    loop.watch(far.fileno(), once)
    near.send(b"x")
    far.send(b"x")
    loop.step(1)
    loop.step(0)
    assert calls == [1]
    loop.unwatch(near.fileno())
    loop.watch(near.fileno(), once)
    loop.step(1)
    assert calls == [1, 1]


def test_timers_run_in_order_and_never_before_their_time(loop):
    ran = []
    now = time.monotonic_ns()
    for delay in (3_000_000, 1_000_000, 2_000_000, 0, -5):
        loop.call_at(now + delay, lambda delay=delay: ran.append((delay, time.monotonic_ns() - now)))
    while len(ran) < 5:
        loop.step(loop.wait_s())
    assert [delay for delay, _ in ran] == [-5, 0, 1_000_000, 2_000_000, 3_000_000]
    assert all(at >= delay for delay, at in ran)
    assert loop.wait_s() is None


def test_timers_of_the_same_instant_keep_their_order(loop):
    ran = []
    for number in range(50):
        loop.call_at(7, lambda number=number: ran.append(number))
    loop.step(0)
    assert ran == list(range(50))


def test_the_earliest_timer_is_told_to_a_loop_around_this_one(loop):
    told = []
    loop.on_new_timer(lambda: told.append(loop._timers[0][0]))
    for due in (500, 700, 300, 400):
        loop.call_at(due, lambda due=due: None)
    assert told == [500, 300]
    assert select.select([loop.fileno()], [], [], 0)[0] == []


def test_a_signal_runs_its_action_from_the_loop(loop):
    ran = []
    before = {number: signal.getsignal(number) for number in (signal.SIGUSR1, signal.SIGUSR2)}
    try:
        loop.on_signal(signal.SIGUSR1, lambda: ran.append("one"))
        loop.on_signal(signal.SIGUSR2, lambda: ran.append("two"))
        os.kill(os.getpid(), signal.SIGUSR1)
        assert ran == []
        loop.step(1)
        assert ran == ["one"]
        os.kill(os.getpid(), signal.SIGUSR2)
        os.kill(os.getpid(), signal.SIGUSR1)
        loop.step(1)
        assert sorted(ran) == ["one", "one", "two"]
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_run_turns_before_the_first_wait_and_after_every_round(loop, pair):
    near, far = pair
    story = []

    def arrived():
        story.append(near.recv(1))
        if len(story) > 3:
            loop.stop()
        else:
            far.send(b"y")

    loop.watch(near.fileno(), arrived)
    far.send(b"x")
    loop.run(lambda: story.append("turn"))
    assert story == ["turn", b"x", "turn", b"y", "turn"]
    assert loop.is_stopped


def test_a_closed_loop_gives_its_descriptors_back():
    before = descriptors()
    handler = signal.getsignal(signal.SIGUSR1)
    for _ in range(20):
        loop = EpollLoop()
        loop.on_signal(signal.SIGUSR1, lambda: None)
        loop.close()
    signal.signal(signal.SIGUSR1, handler)
    assert descriptors() == before


def test_the_calendar_may_run_at_another_speed(loop):
    assert LinuxClock(loop, calendar_origin(1.0)).calendar().tzinfo is not None
    clock = LinuxClock(loop, CalendarOrigin(time.monotonic_ns() - 1_000_000_000, 1_800_000_000.0, 3600.0))
    ahead_s = clock.calendar().timestamp() - 1_800_000_000.0
    assert 3600 <= ahead_s < 3600 * 20
