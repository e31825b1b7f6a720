"""Partition bodies as processes, forked from a small single-threaded zygote.

The zygote is forked from the kernel before the kernel has opened anything. It holds what bodies share, freezes it,
and forks one child for each spawn request: 2 to 5 ms instead of an interpreter's start, and shared memory. Requests
and reports pass over a SEQPACKET pair; descriptors ride along. Every process dies with its parent, so nothing stays
behind when the kernel is killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from wattwheel.drivers.linux import sandbox
from wattwheel.drivers.linux.body_log import BodyLog
from wattwheel.drivers.linux.cells import LinuxSamplingDestination, LinuxSamplingSource, SamplingChannel
from wattwheel.drivers.linux.console import STANDARD_ERROR, print_line
from wattwheel.drivers.linux.control_groups import ControlGroups
from wattwheel.drivers.linux.loop import EpollLoop
from wattwheel.drivers.linux.ports import LinuxQueuingDestination, LinuxQueuingSource, QueueFigures, QueuingChannel
from wattwheel.drivers.linux.zygote import DESCRIPTORS_A_MESSAGE_MAX, Birth, Report, RunBody, be_zygote
from wattwheel.hil.process import EXIT_MEMORY_VIOLATION, EXIT_NO_ROOM, BodySpec
from wattwheel.model.errors import ConfigError

FILE = "file:"  # a device that is a file to read
NETWORK_DEVICE = "network"  # lets a partition make sockets of its own
STOP_LOOKS_MAX = 2000  # looks at a process that was told to stop; it does within microseconds
FORK_FAILED = EXIT_NO_ROOM


def _to_standard_error(text: str) -> None:
    print_line(STANDARD_ERROR, text)


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


class _Device(NamedTuple):
    """What a device is for the body that names it: descriptors, an argument, and a folder that it may write to."""

    descriptors: list[int]
    argument: Any
    folder: str | None


class LinuxProcessHost:
    """`hil.process.ProcessHost` of processes. Make it before anything else is opened: it forks the zygote.

    Attributes:
        offer: what the machine offers for the walls of bodies.
        common_arguments: what every body is told, by name.
    """

    def __init__(
        self,
        run_body: RunBody,
        log: Callable[[str], None] = _to_standard_error,
        offer: sandbox.Offer | None = None,
        groups: ControlGroups | None = None,
    ) -> None:
        """`log` gets what bodies print. `offer`: what to use of the machine, None for all that it has; `groups`: the
        control groups that bodies are put under.
        """
        self._groups = groups
        self._partitions: dict[int, str] = {}  # by process
        self.offer = sandbox.probe() if offer is None else offer
        self._body_log = BodyLog(log)
        here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            try:
                here.close()
                be_zygote(there, self._body_log.write_end, parent, run_body)
            finally:  # whatever happens, the child must not go on as a second kernel
                os._exit(1)
        there.close()
        self._body_log.let_go_of_write_end()
        self.zygote_pid = pid
        self._control = here
        self._loop: EpollLoop | None = None
        self._queuing: dict[str, QueuingChannel] = {}
        self._sampling: dict[str, SamplingChannel] = {}
        self._devices: dict[str, _Device] = {}
        self._bodies: dict[int, LinuxBody] = {}
        self._early: dict[int, int] = {}
        self.common_arguments: dict[str, Any] = {}

    def attach(self, loop: EpollLoop) -> None:
        """Use `loop` from now on."""
        self._loop = loop
        loop.watch(self._control.fileno(), self._hear_once)
        self._body_log.attach(loop)

    def grant_device(self, name: str, descriptors: list[int], argument: Any = None, folder: str | None = None) -> None:
        """Let bodies that name the device `name` have these descriptors, this argument, and write to `folder`."""
        self._devices[name] = _Device(descriptors, argument, folder)

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

    def take_suspect(self, channel: str) -> int | None:
        """See `hil.process.ProcessHost.take_suspect`."""
        return self._queuing[channel].take_suspect()

    def set_aside(self, channel: str) -> int:
        """See `hil.process.ProcessHost.set_aside`."""
        return self._queuing[channel].set_aside()

    def queue_lengths(self) -> Mapping[str, int]:
        """Messages under way now, by queuing channel."""
        return {name: channel.length() for name, channel in self._queuing.items()}

    def queue_figures(self) -> Mapping[str, QueueFigures]:
        """How full each queuing channel is and was."""
        return {name: channel.figures() for name, channel in self._queuing.items()}

    def cell_writes(self) -> Mapping[str, int]:
        """How often each sampling channel has been written."""
        return {name: cell.writes() for name, cell in self._sampling.items()}

    def spawn(self, spec: BodySpec) -> LinuxBody:
        """Fork the body; one that the machine has no room for has died at once. ConfigError: a device never granted."""
        roles: list[tuple[str, list[int]]] = []
        for queuing in spec.queuing_ports:
            links = [self._queuing[link] for link in queuing.channels]
            is_source = queuing.direction == "SOURCE"
            held = [each.source_descriptors() if is_source else each.destination_descriptors() for each in links]
            roles.append((f"port:{queuing.name}", [end for link in held for end in link]))
        for sampling in spec.sampling_ports:
            cell = self._sampling[sampling.channel]
            is_source = sampling.direction == "SOURCE"
            ends = cell.source_descriptors() if is_source else cell.destination_descriptors(spec.partition)
            roles.append((f"port:{sampling.name}", ends))
        arguments = dict(self.common_arguments)
        for device in spec.devices:
            if device.startswith(FILE):
                continue
            if device not in self._devices:
                raise ConfigError(f"partition {spec.partition} device", device, ", ".join(self._devices) or "none")
            arguments[device] = self._devices[device].argument
            roles.append((f"device:{device}", self._devices[device].descriptors))
        birth = Birth(spec, [(role, len(ends)) for role, ends in roles], arguments, self._wall(spec))
        self._send(msgspec.msgpack.encode(birth), [end for _, ends in roles for end in ends])
        pid = self._await_pid()
        body = LinuxBody(pid)
        if pid == 0:
            body.died(FORK_FAILED)
            return body
        self._bodies[pid] = body
        self._partitions[pid] = spec.partition
        self._put_under_bounds(spec, pid)
        if pid in self._early:
            self._note_death(pid, self._early.pop(pid))
        return body

    def _put_under_bounds(self, spec: BodySpec, pid: int) -> None:
        if self._groups is None:
            return
        try:
            self._groups.take(spec.partition, pid, spec.memory_octets_max)
        except OSError:  # a body without the bounds that the level promises must not run
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _wall(self, spec: BodySpec) -> sandbox.Wall:
        devices = [self._devices[device] for device in spec.devices if not device.startswith(FILE)]
        return sandbox.Wall(
            offer=self.offer,
            memory_octets_max=spec.memory_octets_max,
            descriptors_max=spec.descriptors_max,
            code=(*(sandbox.code_of(spec.entry) if spec.entry else ()), *_files_of(spec)),
            folders=tuple(device.folder for device in devices if device.folder is not None),
            has_wires=any(device.descriptors for device in devices),
            has_network=NETWORK_DEVICE in spec.devices,
            niceness=spec.niceness,
        )

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

    def _hear(self) -> Report:
        octets = self._control.recv(1024)
        if not octets:
            raise SystemExit("the zygote is gone; the module cannot go on")
        return msgspec.msgpack.decode(octets, type=Report)

    def _hear_once(self) -> None:
        report = self._hear()
        assert report.status is not None
        self._note_death(report.pid, report.status)

    def _note_death(self, pid: int, status: int) -> None:
        body, partition = self._bodies.pop(pid, None), self._partitions.pop(pid, "")
        if body is None:
            self._early[pid] = status
            return
        if status == -signal.SIGKILL and self._groups is not None and self._groups.was_killed_for_memory(partition):
            status = EXIT_MEMORY_VIOLATION
        body.died(status)

    def close(self) -> None:
        """End the zygote, and with it every body; give the channels' descriptors back."""
        if self._control.fileno() < 0:
            return
        if self._loop is not None:
            self._loop.unwatch(self._control.fileno())
        self._control.close()
        self._body_log.close()
        for body in self._bodies.values():
            body.let_go()
        for channel in self._queuing.values():
            channel.close()
        for cell in self._sampling.values():
            cell.close()
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.zygote_pid, signal.SIGKILL)
            os.waitpid(self.zygote_pid, 0)


def _files_of(spec: BodySpec) -> tuple[str, ...]:
    """Paths of the files that a partition was granted to read."""
    return sandbox.plain_files(device.removeprefix(FILE) for device in spec.devices if device.startswith(FILE))
