"""A partition that means ill: each read of one of its identifiers is an order to try something.

It answers with what came of it: "got through", or the name of the error that stopped it. Some attempts are its end.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import mmap
import os
import resource
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from wattwheel.apex.bus import TO_BUS, BusPort
from wattwheel.apex.messages import HEAD, Control, Kind, Message
from wattwheel.apex.partition import StartContext
from wattwheel.apex.store import REQUEST_PORT

OWN_DI = 0x0FFE0000
ERROR_NO_DATA = 0x02
GOT_THROUGH = "got through"
HOG_NS = 200_000_000  # half of what an asker waits for an answer
FLOOD_MESSAGES = 20_000
HOARD_OCTETS = 300 << 20
DESCRIPTORS_TRIED = 5000
AF_NETLINK = 16


def _system_call(name: str, *arguments: object) -> None:
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments) == -1:
        raise OSError(ctypes.get_errno(), name)


class Hostile:
    """The attempts, over the ends that the partition was born with."""

    def __init__(self, context: StartContext, bus: BusPort) -> None:
        self.bus = bus
        self._now_ns = context.clock.now_ns
        self.victim = os.getppid()
        self._to_bus: Any = context.queuing_source(TO_BUS).send.__self__  # type: ignore[attr-defined]
        self._to_store: Any = None
        with contextlib.suppress(KeyError):
            self._to_store = context.queuing_source(REQUEST_PORT).send.__self__  # type: ignore[attr-defined]

    # -- files, memory, signals

    def read_files(self) -> None:
        """Files of others, and everybody's."""
        paths = ("/etc/passwd", "/proc/self/maps", "/", "/tmp")
        _first_that_works([partial(os.open, path, os.O_RDONLY) for path in paths])

    def write_files(self) -> None:
        """Files of its own, anywhere."""
        places = ("/tmp/hostile", "/dev/shm/hostile", os.path.expanduser("~/hostile"), "hostile")
        _first_that_works([partial(os.open, place, os.O_WRONLY | os.O_CREAT) for place in places])

    def read_memory(self) -> None:
        """The zygote's memory and descriptors."""
        pid = self.victim
        _first_that_works(
            [
                partial(os.open, f"/proc/{pid}/mem", os.O_RDONLY),
                partial(os.listdir, f"/proc/{pid}/fd"),
                partial(_system_call, "process_vm_readv", pid, None, 0, None, 0, 0),
                partial(os.pidfd_open, pid),
            ]
        )

    def trace(self) -> None:
        """ptrace of the zygote."""
        _system_call("ptrace", 16, self.victim, None, None)

    def send_signals(self) -> None:
        """Signals to the zygote, to its group, to everybody, and by the owner of a descriptor."""
        near, _far = socket.socketpair()
        _first_that_works(
            [
                lambda: os.kill(self.victim, signal.SIGSTOP),
                lambda: os.kill(0, signal.SIGTERM),
                lambda: os.kill(-1, signal.SIGTERM),
                lambda: fcntl.fcntl(near, fcntl.F_SETOWN, self.victim),
            ]
        )

    # -- wires, processes, privileges

    def open_wires(self) -> None:
        """Sockets of every kind, and an end of a pair that speaks to a named one."""
        stream, datagram, raw = socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW
        kinds = ((socket.AF_INET, stream), (socket.AF_INET, datagram), (socket.AF_UNIX, stream), (AF_NETLINK, raw))
        to_the_log = partial(_send_datagram, "/dev/log")
        _first_that_works([*(partial(socket.socket, *kind) for kind in kinds), to_the_log])

    def fork_bomb(self) -> None:
        """Processes and threads without end."""
        _first_that_works([os.fork, threading.Thread(target=int).start, lambda: os.execv("/bin/true", ["true"])])

    def take_privileges(self) -> None:
        """User namespaces, mounts, the clock, a real-time class, other limits."""
        _first_that_works(
            [
                lambda: _system_call("unshare", 0x10000000),
                lambda: _system_call("mount", b"none", b"/tmp", b"tmpfs", 0, None),
                lambda: time.clock_settime(time.CLOCK_REALTIME, 0),
                lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)),
                lambda: os.setpriority(os.PRIO_PROCESS, self.victim, 19),
                lambda: resource.prlimit(self.victim, resource.RLIMIT_NOFILE, (3, 3)),
                lambda: _system_call("prctl", 1, 0, 0, 0, 0),
                os.setsid,
            ]
        )

    # -- hogs

    def hog_memory(self) -> None:
        """More memory than it may have: private, shared, and in files of memory."""
        _first_that_works(
            [
                lambda: bytearray(HOARD_OCTETS),
                lambda: mmap.mmap(-1, HOARD_OCTETS),
                lambda: os.memfd_create("hoard"),
            ]
        )

    def hog_processor(self) -> None:
        """A task that does not let go of the processor."""
        until = self._now_ns() + HOG_NS
        while self._now_ns() < until:
            pass
        raise PermissionError(errno.ETIME, "it ran as long as it wished")

    def hog_descriptors(self) -> None:
        """Descriptors without end."""
        held = []
        try:
            for _ in range(DESCRIPTORS_TRIED):
                held.append(os.dup(0))
        finally:
            for descriptor in held:
                os.close(descriptor)

    def fill_the_log(self) -> None:
        """Lines without end."""
        for _ in range(FLOOD_MESSAGES):
            os.write(2, b"x" * 100 + b"\n")

    # -- messages

    def flood(self) -> None:
        """As many messages as the bus takes."""
        for number in range(FLOOD_MESSAGES):
            self.bus.tell(int(Control.PRESS), number)
        self.bus.flush()
        raise PermissionError(errno.EAGAIN, "the rest waits in its own memory")

    def forge(self) -> None:
        """Requests in another's name, answers that nobody asked for, forged counts; then it dies of them."""
        for origin in range(1, 9):
            head = HEAD.pack(int(Kind.REQUEST), int(Control.PRESS), 0, 0, 0, origin, origin, 0x0E200000)
            self._raw(head)
            self._raw(HEAD.pack(int(Kind.REPLY), int(Control.READ), 0, 0, 4, origin, origin, 0x00010000) + b"\x99" * 4)
        self._to_bus._own[0] = 2**64 - 1
        self._to_bus._own[1] = 2**64 - 1
        os._exit(9)

    def truncate(self) -> None:
        """Messages that end in the middle, of all lengths, empty ones among them."""
        whole = HEAD.pack(int(Kind.REQUEST), int(Control.READ), 0, 0, 400, 0, 1, OWN_DI) + bytes(50)
        for length in range(len(whole)):
            self._raw(whole[:length])
        raise PermissionError(errno.EPERM, "sent")

    def oversize(self) -> None:
        """Messages longer than the port allows."""
        for size in (4097, 16_384, 65_536, 200_000):
            self._raw(bytes(size))
        raise PermissionError(errno.EPERM, "sent")

    def ask_for_the_unknown(self) -> None:
        """Identifiers and control codes that nobody owns, and what it has no right to."""
        for control in range(256):
            self._raw(HEAD.pack(int(Kind.REQUEST), control, 0, 0, 0, 0, control, 0xFFFFFFFF))
        raise PermissionError(errno.EPERM, "sent")

    def stop_the_wire(self) -> None:
        """Shut down what the bus sends through."""
        self._to_bus._socket.shutdown(socket.SHUT_RDWR)

    def spoil_the_store(self) -> None:
        """Noise and lies into the store's port."""
        if self._to_store is None:
            raise PermissionError(errno.ENODEV, "it has no store")
        for octets in (b"", b"\xff" * 100, bytes(5000), b"\x93\xa4Save\x01\x80"):
            with contextlib.suppress(OSError):
                self._to_store._socket.send(octets, socket.MSG_DONTWAIT)
        raise PermissionError(errno.EPERM, "sent")

    def _raw(self, octets: bytes) -> None:
        with contextlib.suppress(BlockingIOError):
            self._to_bus._socket.send(octets, socket.MSG_DONTWAIT)

    # -- ends

    def never_answer(self) -> None:
        """Hold the question, and the queue with it."""
        raise _SilentError

    def die(self) -> None:
        """Die in the middle of a request."""
        os._exit(9)

    def crash(self) -> None:
        """End by a fault of memory."""
        ctypes.string_at(0)

    def harmless(self) -> None:
        """The same work as a hog, in small pieces that let everybody in: what the others are compared with."""
        raise PermissionError(errno.ETIME, "nothing")


class _SilentError(Exception):
    """An order that is not to be answered."""


ATTEMPTS: tuple[str, ...] = (
    "harmless",
    "read_files",
    "write_files",
    "read_memory",
    "trace",
    "send_signals",
    "open_wires",
    "fork_bomb",
    "take_privileges",
    "hog_memory",
    "hog_processor",
    "hog_descriptors",
    "fill_the_log",
    "flood",
    "forge",
    "truncate",
    "oversize",
    "ask_for_the_unknown",
    "stop_the_wire",
    "spoil_the_store",
    "never_answer",
    "die",
    "crash",
)
"""By the last two octets of the identifier."""


def _first_that_works(attempts: list[Callable[[], object]]) -> None:
    """Try one after the other. Returns after the first that works; raises the last one's error."""
    last: BaseException | None = None
    for attempt in attempts:
        try:
            attempt()
        except (OSError, MemoryError, RuntimeError) as fault:
            last = fault
        else:
            return
    if last is not None:
        raise last


def _send_datagram(path: str) -> None:
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with near, far:
        near.sendto(b"x", path)


def start(context: StartContext) -> None:
    """Entry of the partition."""
    bus = BusPort(context)
    hostile = Hostile(context, bus)
    orders: deque[Message] = deque()
    bit = context.wheel.free_bit()

    def note(request: Message) -> None:
        """An order is carried out after its message was let go: what kills it must not meet it again."""
        orders.append(request)
        context.wheel.post(bit)

    def obey() -> None:
        request = orders.popleft()
        number = request.di & 0xFFFF
        if request.di & 0xFFFF0000 != OWN_DI or number >= len(ATTEMPTS):
            bus.reply(request, error=ERROR_NO_DATA)
            return
        try:
            getattr(hostile, ATTEMPTS[number])()
            outcome = GOT_THROUGH
        except _SilentError:
            return
        except OSError as fault:
            outcome = errno.errorcode.get(fault.errno or 0, "OSError")
        except (MemoryError, RuntimeError) as fault:
            outcome = type(fault).__name__
        bus.reply(request, outcome.encode())

    context.wheel.task(bit, obey)
    bus.on_request(note)
