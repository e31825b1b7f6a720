"""Bodies as real processes: birth, ports, death, stillness, and that nothing stays behind."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import select
import signal
import subprocess
import sys
import time
import warnings

import pytest

from wattwheel.drivers.linux import process
from wattwheel.drivers.linux.loop import EpollLoop
from wattwheel.drivers.linux.ports import LinuxQueuingDestination, LinuxQueuingSource
from wattwheel.drivers.linux.process import LinuxProcessHost
from wattwheel.hil.process import (
    EXIT_APPLICATION_ERROR,
    EXIT_MEMORY_VIOLATION,
    BodySpec,
    QueuingPortSpec,
    SamplingPortSpec,
)
from wattwheel.model.errors import ConfigError

PATIENCE_S = 30.0
SIZE, DEPTH = 2000, 16
PR_GET_NAME = 16


def live(birth):
    """The body of all tests: what it does is its entry."""
    _ENTRIES[birth.spec.entry](birth)


def serve(birth, answer):
    """Answer each message of the port `in` on the port `out`, until SIGTERM."""
    loop = EpollLoop()
    source = LinuxQueuingSource(loop, birth.descriptors["port:out"], SIZE, DEPTH)
    destination = LinuxQueuingDestination(loop, birth.descriptors["port:in"], SIZE, DEPTH)

    def take():
        message = destination.peek_nowait()
        if message is not None:
            source.send_nowait(answer(message))
            destination.consume()

    loop.on_signal(signal.SIGTERM, loop.stop)
    destination.on_arrival(take)
    source.send_nowait(b"born")
    loop.run(lambda: None)
    source.send_nowait(b"ended in order")


def tell_self(birth):
    def answer(message):
        name = ctypes.create_string_buffer(16)
        ctypes.CDLL(None).prctl(PR_GET_NAME, name)
        grants = sorted(f"{role} {len(ends)}" for role, ends in birth.descriptors.items())
        return "|".join([name.value.decode(), str(os.getppid()), str(birth.arguments), *grants]).encode()

    serve(birth, answer)


def leave_with_7(birth):
    raise SystemExit(7)


def take_too_much(birth):
    bytearray(4 * birth.spec.memory_octets_max)


def fail(birth):
    raise RuntimeError("a body that fails on purpose")


_ENTRIES = {
    "echo": lambda birth: serve(birth, bytes),
    "self": tell_self,
    "leave": leave_with_7,
    "memory": take_too_much,
    "fail": fail,
    "end": lambda birth: None,
}


class Kernel:
    """A host with one partition `p`: queues to and from it."""

    def __init__(self):
        with (
            warnings.catch_warnings(),
            open(2, "w", encoding="utf-8", closefd=False) as plain,
            contextlib.redirect_stderr(plain),  # pytest's own standard error is a file that bodies do not inherit
        ):
            warnings.simplefilter("ignore", DeprecationWarning)  # libraries may have threads; the zygote uses none
            self.host = LinuxProcessHost(live)
        self.loop = EpollLoop()
        self.host.attach(self.loop)
        self.host.queuing_channel("in", SIZE, DEPTH)
        self.host.queuing_channel("out", SIZE, DEPTH)
        self.host.sampling_channel("cell", 100, ())
        self.to_body = self.host.queuing_source("in")
        self.from_body = self.host.queuing_destination("out")
        self.heard: list[bytes] = []
        self.from_body.on_arrival(self._hear)
        self.deaths: list[int] = []

    def _hear(self):
        message = self.from_body.peek_nowait()
        if message is not None:
            self.heard.append(message)
            self.from_body.consume()

    def spec(self, entry, devices=(), queues=0, memory=256 * 1024 * 1024):
        more = []
        for number in range(queues):
            self.host.queuing_channel(f"more{number}", 100, 2)
            more.append(QueuingPortSpec(f"more{number}", "SOURCE", (f"more{number}",), 100, 2))
        return BodySpec(
            partition="p",
            entry=entry,
            settings=b"{}",
            queuing_ports=(
                QueuingPortSpec("in", "DESTINATION", ("in",), SIZE, DEPTH),
                QueuingPortSpec("out", "SOURCE", ("out",), SIZE, DEPTH),
                *more,
            ),
            sampling_ports=(SamplingPortSpec("cell", "SOURCE", "cell", 100, 0),),
            devices=devices,
            memory_octets_max=memory,
        )

    def spawn(self, entry, **options):
        body = self.host.spawn(self.spec(entry, **options))
        body.on_death(self.deaths.append)
        return body

    def until(self, condition):
        end = time.monotonic_ns() + int(PATIENCE_S * 1e9)
        while not condition():
            assert time.monotonic_ns() < end, f"waited in vain; heard {self.heard}, deaths {self.deaths}"
            self.loop.step(0.05)

    def answer(self, message):
        already = len(self.heard)
        assert self.to_body.send_nowait(message)
        self.until(lambda: len(self.heard) > already)
        return self.heard[-1]

    def close(self):
        self.host.close()
        self.to_body.close()
        self.from_body.close()
        self.loop.close()


@pytest.fixture
def kernel():
    kernel = Kernel()
    yield kernel
    kernel.close()


def await_end(pid):
    """Until the process is no more; it may be gone already."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([pidfd], [], [], PATIENCE_S)[0], f"{pid} lives on"
    finally:
        os.close(pidfd)


def open_descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def test_a_body_speaks_through_its_ports(kernel):
    body = kernel.spawn("echo")
    assert body.pid > 0
    kernel.until(lambda: kernel.heard == [b"born"])
    for number in range(50):
        assert kernel.answer(b"%d" % number) == b"%d" % number


def test_a_body_has_its_name_its_devices_and_their_arguments(kernel):
    near, far = os.pipe()
    kernel.host.grant_device("lamp", [near, far], {"colour": "red"})
    kernel.host.grant_device("nothing", [], "an argument only")
    kernel.spawn("self", devices=("lamp", "nothing"))
    kernel.until(lambda: kernel.heard == [b"born"])
    name, parent, arguments, *grants = kernel.answer(b"?").decode().split("|")
    assert name == "ww-p"
    assert int(parent) == kernel.host.zygote_pid
    assert arguments == str({"lamp": {"colour": "red"}, "nothing": "an argument only"})
    assert grants == ["device:lamp 2", "device:nothing 0", "port:cell 1", "port:in 4", "port:out 4"]
    os.close(near)
    os.close(far)


def test_more_descriptors_than_one_message_carries(kernel):
    queues = 60
    kernel.spawn("self", queues=queues)
    kernel.until(lambda: kernel.heard == [b"born"])
    assert kernel.answer(b"?").decode().count("port:more") == queues
    assert 4 * queues > process.DESCRIPTORS_A_MESSAGE_MAX


def test_an_unknown_device_is_refused_before_anything_is_born(kernel):
    with pytest.raises(ConfigError, match="partition p device: found 'lamp'; allowed: none"):
        kernel.spawn("echo", devices=("lamp",))
    kernel.spawn("echo")
    kernel.until(lambda: kernel.heard == [b"born"])


@pytest.mark.parametrize(("entry", "status"), [("leave", 7), ("end", 0)])
def test_an_end_by_itself_is_told_with_its_status(kernel, entry, status):
    kernel.spawn(entry)
    kernel.until(lambda: kernel.deaths == [status])


@pytest.mark.parametrize(
    ("entry", "words", "status"),
    [("fail", "fails on purpose", EXIT_APPLICATION_ERROR), ("memory", "MemoryError", EXIT_MEMORY_VIOLATION)],
)
def test_an_exception_is_told_by_its_status_and_printed_and_the_host_lives(capfd, entry, words, status):
    with contextlib.closing(Kernel()) as kernel:
        kernel.spawn(entry, memory=64 * 1024 * 1024)
        kernel.until(lambda: kernel.deaths == [status])
        kernel.spawn("echo")
        kernel.until(lambda: kernel.heard == [b"born"])
    assert words in capfd.readouterr().err


def test_stop_ends_in_order(kernel):
    body = kernel.spawn("echo")
    kernel.until(lambda: kernel.heard == [b"born"])
    body.stop()
    kernel.until(lambda: kernel.deaths == [0])
    kernel.until(lambda: kernel.heard == [b"born", b"ended in order"])
    body.stop()
    body.kill()
    body.pause()
    body.resume()


def test_a_killed_body_leaves_its_queue_to_the_next(kernel):
    body = kernel.spawn("echo")
    kernel.until(lambda: kernel.heard == [b"born"])
    body.pause()
    for number in range(5):
        assert kernel.to_body.send_nowait(b"%d" % number)
    body.kill()
    kernel.until(lambda: kernel.deaths == [-signal.SIGKILL])
    assert kernel.host.queue_lengths() == {"in": 5, "out": 0}
    kernel.host.repair("out")
    kernel.spawn("echo")
    kernel.until(lambda: len(kernel.heard) == 7)
    assert kernel.heard[1:] == [b"born", b"0", b"1", b"2", b"3", b"4"]


def test_a_paused_body_stands_still_when_pause_returns(kernel):
    body = kernel.spawn("echo")
    kernel.until(lambda: kernel.heard == [b"born"])
    for number in range(50):
        kernel.to_body.send_nowait(b"%d" % number)
        body.pause()
        assert process.stands_still(body.pid)
        body.resume()
        kernel.until(lambda number=number: kernel.heard[-1] == b"%d" % number)


def test_deaths_between_births_are_told_to_the_right_body(kernel):
    statuses = {}
    for number in range(20):
        entry, expected = [("leave", 7), ("end", 0)][number % 2]
        body = kernel.host.spawn(kernel.spec(entry))
        body.on_death(lambda status, number=number, expected=expected: statuses.update({number: (status, expected)}))
    kernel.until(lambda: len(statuses) == 20)
    assert all(status == expected for status, expected in statuses.values())


def test_no_descriptor_is_left_behind(kernel):
    def life():
        kernel.heard.clear()
        kernel.deaths.clear()
        body = kernel.spawn("echo")
        kernel.until(lambda: kernel.heard == [b"born"])
        body.kill()
        kernel.until(lambda: bool(kernel.deaths))

    life()
    before = open_descriptors(os.getpid()), open_descriptors(kernel.host.zygote_pid)
    for _ in range(10):
        life()
    assert (open_descriptors(os.getpid()), open_descriptors(kernel.host.zygote_pid)) == before
    assert kernel.host._bodies == kernel.host._early == {}


def live_once():
    """A whole module from its birth to its end."""
    kernel = Kernel()
    body = kernel.spawn("echo")
    kernel.until(lambda: kernel.heard == [b"born"])
    kernel.close()
    kernel.host.close()
    await_end(body.pid)


def test_a_closed_host_gives_everything_back():
    live_once()
    gc.collect()
    before = open_descriptors(os.getpid())
    live_once()
    gc.collect()  # a mapping ends with the object that stands for it
    assert open_descriptors(os.getpid()) == before


def test_everything_dies_with_the_kernel():
    readable, writable = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        try:
            kernel = Kernel()
            bodies = [kernel.spawn("echo") for _ in range(3)]
            kernel.until(lambda: len(kernel.heard) == 3)
            os.write(writable, " ".join(map(str, [kernel.host.zygote_pid, *(body.pid for body in bodies)])).encode())
            kernel.loop.run(lambda: None)
        finally:
            os._exit(1)
    try:
        assert select.select([readable], [], [], PATIENCE_S)[0]
        family = [int(text) for text in os.read(readable, 1000).split()]
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(readable)
        os.close(writable)
    assert len(family) == 4
    for relative in family:
        await_end(relative)


def test_without_its_zygote_the_module_cannot_go_on(kernel):
    body = kernel.spawn("echo")
    kernel.until(lambda: kernel.heard == [b"born"])
    os.kill(kernel.host.zygote_pid, signal.SIGKILL)
    await_end(body.pid)
    with pytest.raises(SystemExit, match="zygote"):
        kernel.until(lambda: False)
    with pytest.raises((SystemExit, BrokenPipeError, ConnectionResetError)):
        kernel.spawn("echo")


def test_a_machine_without_room_for_a_body_is_a_death_and_not_the_end():
    def no_room():
        raise BlockingIOError(11, "Resource temporarily unavailable")

    real = os.fork
    try:
        kernel_fork = [real]

        def fork_once():  # the zygote itself is born; its children are not
            pid = kernel_fork[0]()
            if pid == 0:
                os.fork = no_room
            return pid

        os.fork = fork_once
        kernel = Kernel()
    finally:
        os.fork = real
    try:
        body = kernel.spawn("echo")
        assert body.pid == 0
        assert kernel.deaths == [process.FORK_FAILED]
        body.kill()
        kernel.spawn("echo")
        assert kernel.deaths == [process.FORK_FAILED] * 2
    finally:
        kernel.close()


def test_a_body_that_waits_for_our_own_processor_does_not_keep_pause_waiting():
    """With real-time priority, and on one processor, the body cannot stop by itself before this process sleeps."""
    program = (
        "import os, sys, time\n"
        "from wattwheel.drivers.linux import process\n"
        "from wattwheel.drivers.linux.windows import take_real_time_priority\n"
        "cpu = min(os.sched_getaffinity(0))\n"
        "os.sched_setaffinity(0, {cpu})\n"
        "readable, writable = os.pipe()\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    os.write(writable, b'x')\n"
        "    while True: pass\n"
        "body = process.LinuxBody(pid)\n"
        "os.read(readable, 1)\n"
        "granted = take_real_time_priority()\n"
        "looks = []\n"
        "look = process.stands_still\n"
        "process.stands_still = lambda pid: looks.append(look(pid)) or looks[-1]\n"
        "body.pause()\n"
        "ok = looks[-1] and (not granted or len(looks) == 1)\n"
        "body.kill()\n"
        "os.waitpid(pid, 0)\n"
        "sys.exit(0 if ok else 1)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
