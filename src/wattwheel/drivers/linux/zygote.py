"""The zygote and the bodies that it forks: their whole life, from the inside."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import resource
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from typing import Any

import msgspec

from wattwheel.drivers.linux import sandbox
from wattwheel.drivers.linux.loop import EpollLoop
from wattwheel.drivers.linux.own_code import find_own_code
from wattwheel.drivers.linux.own_process import die_with_parent, forget_threads, name_process
from wattwheel.hil.process import BodySpec, exit_status

OWN_CODE = ("wattwheel.services.", "wattwheel.apps.")
DESCRIPTORS_A_MESSAGE_MAX = 200
REQUEST_OCTETS_MAX = 200_000
FIRST_START = "NORMAL_START"
STANDARD_DESCRIPTORS = 3  # input, output, error
WALL_FAILED = 72  # exit status of a body whose wall could not be put up: it has not run

RunBody = Callable[["Birth"], None]


class Birth(msgspec.Struct):
    """What a new process gets: its specification, and descriptors by role.

    `descriptors`: `port:<name>` for ports; `device:<name>` for devices that are descriptors. `arguments`: what
    else a device needs, a JSON-like value by device name.
    """

    spec: BodySpec
    roles: list[tuple[str, int]]  # role and how many of the descriptors, in order, belong to it
    arguments: dict[str, Any]
    wall: sandbox.Wall
    descriptors: dict[str, list[int]] = {}


class Report(msgspec.Struct):
    """From the zygote: the pid of a new body (`status` None; pid 0: it could not be made), or how a body ended."""

    pid: int
    status: int | None = None


def be_zygote(control: socket.socket, log: int, parent: int, run_body: RunBody) -> None:
    """Serve spawn requests until the kernel is gone. Never returns.

    `control`: to the kernel. `log`: pipe to it, standard output and error of all bodies.
    """
    die_with_parent(parent)
    name_process("zygote")
    _let_go_of_all_but(control.fileno(), log)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C reaches all; the kernel decides
    sandbox.prepare()
    forget_threads()
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
            tell(control, Report(pid, os.waitstatus_to_exitcode(wait_status)))

    def serve() -> None:
        birth = _receive(control)
        if birth is None:
            os._exit(0)
        own = os.getpid()
        if birth.spec.condition != FIRST_START:
            _load_own_code(birth.spec.entry)
        try:
            pid = os.fork()
        except OSError:  # no room for another process now: the kernel tries again, later and later
            pid = -1
        if pid == 0:
            control.close()
            loop.close()
            _take_standard_descriptors(log)
            _be_body(birth, own, run_body)
        for ends in birth.descriptors.values():
            for end in ends:
                os.close(end)
        tell(control, Report(max(pid, 0)))

    loop.on_signal(signal.SIGCHLD, reap)
    loop.watch(control.fileno(), serve)
    loop.run(lambda: None)


def _load_own_code(entry: str) -> None:
    """Load what a partition of our own runs, once and for all lives to come: it is then back at once.

    Only at its first restart, because what is loaded here is there twice as soon as the body runs it. Only our own
    code may run here, before there is a wall.
    """
    name = entry.partition(":")[0]
    if name.startswith(OWN_CODE) and name not in sys.modules:
        with contextlib.suppress(Exception):  # the body will say what is wrong with it
            importlib.import_module(name)
        gc.collect()
        gc.freeze()


def _let_go_of_all_but(*kept: int) -> None:
    """Close every descriptor behind standard error but `kept`.

    The kernel was born holding every door and the lock of the state folder; a body gets what it was granted, and the
    objects that stand for the rest are never touched again, since every process of this family ends by `os._exit`.
    """
    start = STANDARD_DESCRIPTORS
    for descriptor in sorted(kept):
        os.closerange(start, descriptor)
        start = descriptor + 1
    os.closerange(start, resource.getrlimit(resource.RLIMIT_NOFILE)[1])


def _take_standard_descriptors(log: int) -> None:
    """Nothing to read from, and the log to write to: the terminal and the files of the meter are not a body's."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(nothing)
    os.close(log)


def tell(control: socket.socket, report: Report) -> None:
    """Send `report` to the kernel; end with it where it has gone."""
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
        name_process(birth.spec.partition)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        try:
            missing = sandbox.put_up(birth.wall)
        except OSError as fault:
            print(f"{birth.spec.partition}: its wall cannot be put up: {fault}", file=sys.stderr)
            raise SystemExit(WALL_FAILED) from None
        if missing:
            print(f"{birth.spec.partition}: {missing}", file=sys.stderr)
        find_own_code(birth.spec.entry, birth.wall.code)
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
