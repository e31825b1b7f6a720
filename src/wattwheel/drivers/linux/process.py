"""Partition bodies as processes, forked from a small single-threaded zygote.

The zygote is forked from the kernel before the kernel has opened anything. It holds what bodies share, freezes it,
and forks one child for each spawn request: 2 to 5 ms instead of an interpreter's start, and shared memory. Requests
and reports pass over a SEQPACKET pair; descriptors ride along. Every process dies with its parent, so nothing stays
behind when the kernel is killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import resource
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from wattwheel.drivers.linux.loop import EpollLoop
from wattwheel.drivers.linux.ports import (
    LinuxQueuingDestination,
    LinuxQueuingSource,
    LinuxSamplingDestination,
    LinuxSamplingSource,
    QueuingChannel,
    SamplingChannel,
)
from wattwheel.hil.process import EXIT_NO_ROOM, BodySpec, exit_status
from wattwheel.model.errors import ConfigError

DESCRIPTORS_A_MESSAGE_MAX = 200
REQUEST_OCTETS_MAX = 200_000
STANDARD_DESCRIPTORS = 3  # input, output, error
STOP_LOOKS_MAX = 2000  # looks at a process that was told to stop; it does within microseconds
FORK_FAILED = EXIT_NO_ROOM
_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_NAME = 15

RunBody = Callable[["Birth"], None]


class Birth(msgspec.Struct):
    """What a new process gets: its specification, and descriptors by role.

    `descriptors`: `port:<name>` for ports; `device:<name>` for devices that are descriptors. `arguments`: what
    else a device needs, a JSON-like value by device name.
    """

    spec: BodySpec
    roles: list[tuple[str, int]]  # role and how many of the descriptors, in order, belong to it
    arguments: dict[str, Any]
    descriptors: dict[str, list[int]] = {}


class _Report(msgspec.Struct):
    """From the zygote: the pid of a new body (`status` None; pid 0: it could not be made), or how a body ended."""

    pid: int
    status: int | None = None


def call_prctl(option: int, argument: int | bytes) -> None:
    """prctl(2) of the C library; a refusal is ignored, since each use only narrows what a process may do."""
    ctypes.CDLL(None).prctl(option, argument, 0, 0, 0)


def die_with_parent(parent_pid: int) -> None:
    """Ask the kernel to kill this process with its parent; end at once if that parent has gone already."""
    call_prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        os._exit(0)


def name_process(name: str) -> None:
    """Show `name` in the process list."""
    call_prctl(_PR_SET_NAME, f"ww-{name}"[:15].encode())


class LinuxBody:
    """`hil.process.Body` of a process."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._action: Callable[[int], None] | None = None
        self._status: int | None = None
        self._descriptor: int | None = None  # a pidfd: a signal never meets another process that got the number
        with contextlib.suppress(OSError):
            self._descriptor = os.pidfd_open(pid)

    def on_death(self, action: Callable[[int], None]) -> None:
        """Call `action` with the exit status once the process is gone; at once if it is."""
        self._action = action
        if self._status is not None:
            action(self._status)

    def died(self, status: int) -> None:
        """Note the end. The host calls it."""
        self._status = status
        self.let_go()
        if self._action is not None:
            self._action(status)

    def let_go(self) -> None:
        """Give the hold on the process back; it gets no more signals."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _signal(self, number: int) -> None:
        if self._descriptor is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._descriptor, number)

    def stop(self) -> None:
        """SIGTERM: the body ends in order."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self._signal(signal.SIGKILL)

    def pause(self) -> None:
        """SIGSTOP. On return the process stands still: another CPU may have been in the middle of it."""
        self._signal(signal.SIGSTOP)
        for _ in range(STOP_LOOKS_MAX):
            if self._status is not None or stands_still(self.pid):
                return
            os.sched_yield()

    def resume(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)


_STANDING = ("T", "t", "Z", "X")


_CPU_FIELD = 36  # in /proc/PID/stat, counted from the state behind the name
_get_cpu = ctypes.CDLL(None).sched_getcpu


def stands_still(pid: int) -> bool:
    """Whether a process that was told to stop runs none of its own instructions any more.

    It has stopped or gone; or it waits for the very CPU that this process has: before it gets there again, and on any
    other CPU as well, it stops first. Waiting for its state alone would take for ever where this process has real-time
    priority and the other is waiting for it to sleep.
    """
    cpu = _get_cpu()
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            fields = stat.read(1024).rpartition(b") ")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return True
    if not fields or fields[0].decode() in _STANDING:
        return True
    return bool(int(fields[_CPU_FIELD]) == cpu == _get_cpu())


class LinuxProcessHost:
    """`hil.process.ProcessHost` of processes. Make it before anything else is opened: it forks the zygote."""

    def __init__(self, run_body: RunBody) -> None:
        here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            try:
                here.close()
                _be_zygote(there, parent, run_body)
            finally:  # whatever happens, the child must not go on as a second kernel
                os._exit(1)
        there.close()
        self.zygote_pid = pid
        self._control = here
        self._loop: EpollLoop | None = None
        self._queuing: dict[str, QueuingChannel] = {}
        self._sampling: dict[str, SamplingChannel] = {}
        self._devices: dict[str, tuple[list[int], Any]] = {}
        self._bodies: dict[int, LinuxBody] = {}
        self._early: dict[int, int] = {}
        self.common_arguments: dict[str, Any] = {}

    def attach(self, loop: EpollLoop) -> None:
        """Use `loop` from now on."""
        self._loop = loop
        loop.watch(self._control.fileno(), self._hear_once)

    def grant_device(self, name: str, descriptors: list[int], argument: Any = None) -> None:
        """Let bodies that name the device `name` have these descriptors and this argument."""
        self._devices[name] = (descriptors, argument)

    def queuing_channel(self, name: str, max_message_size: int, depth: int) -> None:
        """Create the queuing channel `name`."""
        self._queuing[name] = QueuingChannel(name, max_message_size, depth)

    def sampling_channel(self, name: str, max_message_size: int, destinations: tuple[str, ...]) -> None:
        """Create the sampling channel `name`."""
        self._sampling[name] = SamplingChannel(name, max_message_size, destinations)

    def _loop_now(self) -> EpollLoop:
        assert self._loop is not None, "attach a loop first"
        return self._loop

    def queuing_source(self, channel: str) -> LinuxQueuingSource:
        """The kernel's own hold on the sending end."""
        c = self._queuing[channel]
        return LinuxQueuingSource(self._loop_now(), c.source_descriptors(), c.max_message_size, c.depth, owned=False)

    def queuing_destination(self, channel: str) -> LinuxQueuingDestination:
        """The kernel's own hold on the receiving end."""
        c = self._queuing[channel]
        return LinuxQueuingDestination(
            self._loop_now(), c.destination_descriptors(), c.max_message_size, c.depth, owned=False
        )

    def sampling_source(self, channel: str) -> LinuxSamplingSource:
        """The kernel's own hold on the writing end."""
        c = self._sampling[channel]
        return LinuxSamplingSource(c.source_descriptors(), c.max_message_size)

    def sampling_destination(self, channel: str) -> LinuxSamplingDestination:
        """The kernel's own hold on a reading end."""
        c = self._sampling[channel]
        return LinuxSamplingDestination(self._loop_now(), c.destination_descriptors("kernel"), c.max_message_size)

    def repair(self, channel: str) -> None:
        """Recount a queuing channel whose source is gone and whose destination is held still."""
        self._queuing[channel].repair()

    def queue_lengths(self) -> Mapping[str, int]:
        """Messages under way now, by queuing channel."""
        return {name: channel.length() for name, channel in self._queuing.items()}

    def spawn(self, spec: BodySpec) -> LinuxBody:
        """Fork the body; one that the machine has no room for has died at once. ConfigError: a device never granted."""
        roles: list[tuple[str, list[int]]] = []
        for queuing in spec.queuing_ports:
            channel = self._queuing[queuing.channel]
            is_source = queuing.direction == "SOURCE"
            ends = channel.source_descriptors() if is_source else channel.destination_descriptors()
            roles.append((f"port:{queuing.name}", ends))
        for sampling in spec.sampling_ports:
            cell = self._sampling[sampling.channel]
            is_source = sampling.direction == "SOURCE"
            ends = cell.source_descriptors() if is_source else cell.destination_descriptors(spec.partition)
            roles.append((f"port:{sampling.name}", ends))
        arguments = dict(self.common_arguments)
        for device in spec.devices:
            if device not in self._devices:
                raise ConfigError(f"partition {spec.partition} device", device, ", ".join(self._devices) or "none")
            descriptors, arguments[device] = self._devices[device]
            roles.append((f"device:{device}", descriptors))
        birth = Birth(spec, [(role, len(ends)) for role, ends in roles], arguments)
        self._send(msgspec.msgpack.encode(birth), [end for _, ends in roles for end in ends])
        pid = self._await_pid()
        body = LinuxBody(pid)
        if pid == 0:
            body.died(FORK_FAILED)
            return body
        self._bodies[pid] = body
        if pid in self._early:
            self._note_death(pid, self._early.pop(pid))
        return body

    def _send(self, octets: bytes, descriptors: list[int]) -> None:
        chunks = [
            descriptors[at : at + DESCRIPTORS_A_MESSAGE_MAX]
            for at in range(0, len(descriptors), DESCRIPTORS_A_MESSAGE_MAX)
        ] or [[]]
        socket.send_fds(self._control, [bytes([len(chunks)]) + octets], chunks[0])
        for chunk in chunks[1:]:
            socket.send_fds(self._control, [b"+"], chunk)

    def _await_pid(self) -> int:
        while True:  # the zygote answers within milliseconds; deaths may be reported in between
            report = self._hear()
            if report.status is None:
                return report.pid
            self._note_death(report.pid, report.status)

    def _hear(self) -> _Report:
        octets = self._control.recv(1024)
        if not octets:
            raise SystemExit("the zygote is gone; the module cannot go on")
        return msgspec.msgpack.decode(octets, type=_Report)

    def _hear_once(self) -> None:
        report = self._hear()
        assert report.status is not None
        self._note_death(report.pid, report.status)

    def _note_death(self, pid: int, status: int) -> None:
        body = self._bodies.pop(pid, None)
        if body is None:
            self._early[pid] = status
        else:
            body.died(status)

    def close(self) -> None:
        """End the zygote, and with it every body; give the channels' descriptors back."""
        if self._control.fileno() < 0:
            return
        if self._loop is not None:
            self._loop.unwatch(self._control.fileno())
        self._control.close()
        for body in self._bodies.values():
            body.let_go()
        for channel in self._queuing.values():
            channel.close()
        for cell in self._sampling.values():
            cell.close()
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.zygote_pid, signal.SIGKILL)
            os.waitpid(self.zygote_pid, 0)


def _be_zygote(control: socket.socket, parent: int, run_body: RunBody) -> None:
    """Serve spawn requests until the kernel is gone. Never returns."""
    die_with_parent(parent)
    name_process("zygote")
    _let_go_of_all_but(control.fileno())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C reaches all; the kernel decides
    gc.collect()
    gc.freeze()
    loop = EpollLoop()

    def reap() -> None:
        while True:
            try:
                pid, wait_status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            _report(control, _Report(pid, os.waitstatus_to_exitcode(wait_status)))

    def serve() -> None:
        birth = _receive(control)
        if birth is None:
            os._exit(0)
        own = os.getpid()
        try:
            pid = os.fork()
        except OSError:  # no room for another process now: the kernel tries again, later and later
            pid = -1
        if pid == 0:
            control.close()
            loop.close()
            _be_body(birth, own, run_body)
        for ends in birth.descriptors.values():
            for end in ends:
                os.close(end)
        _report(control, _Report(max(pid, 0)))

    loop.on_signal(signal.SIGCHLD, reap)
    loop.watch(control.fileno(), serve)
    loop.run(lambda: None)


def _let_go_of_all_but(kept: int) -> None:
    """Close every descriptor behind standard error but `kept`.

    The kernel was born holding every door and the lock of the state folder; a body gets what it was granted, and the
    objects that stand for the rest are never touched again, since every process of this family ends by `os._exit`.
    """
    above = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    os.closerange(STANDARD_DESCRIPTORS, kept)
    os.closerange(kept + 1, above)


def _report(control: socket.socket, report: _Report) -> None:
    try:
        control.send(msgspec.msgpack.encode(report))
    except OSError:
        os._exit(0)


def _receive(control: socket.socket) -> Birth | None:
    octets, descriptors, _flags, _address = socket.recv_fds(control, REQUEST_OCTETS_MAX, DESCRIPTORS_A_MESSAGE_MAX)
    if not octets:
        return None
    for _ in range(octets[0] - 1):
        descriptors += socket.recv_fds(control, 16, DESCRIPTORS_A_MESSAGE_MAX)[1]
    birth = msgspec.msgpack.decode(octets[1:], type=Birth)
    at = 0
    for role, number in birth.roles:
        birth.descriptors[role] = list(descriptors[at : at + number])
        at += number
    return birth


def _be_body(birth: Birth, parent: int, run_body: RunBody) -> None:
    """The body's whole life. Never returns."""
    status = 1
    try:
        die_with_parent(parent)
        call_prctl(_PR_SET_NO_NEW_PRIVS, 1)
        name_process(birth.spec.partition)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_DATA, (birth.spec.memory_octets_max,) * 2)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        run_body(birth)
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException as fault:
        status = exit_status(fault)
        traceback.print_exc()
    finally:
        for stream in (sys.stderr, sys.stdout):
            with contextlib.suppress(Exception):
                stream.flush()
        os._exit(status)
