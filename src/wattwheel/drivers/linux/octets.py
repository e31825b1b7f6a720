"""Octet channels of a Linux machine: TCP connections, serial lines, pseudo-terminals."""

from __future__ import annotations

import errno
import os
import socket
import termios
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from wattwheel.drivers.linux.loop import Action, EpollLoop
from wattwheel.hil.octets import LineSettings, OctetChannel
from wattwheel.model.errors import ConfigError, DoorUnavailable

READ_OCTETS_MAX = 65_536
UNSENT_OCTETS_MAX = 262_144  # what a slow reader may leave with us before its octets are dropped
ACCEPTS_A_ROUND_MAX = 64
ACCEPT_AGAIN_NS = 100_000_000
"""Pause of a door for which there is no free descriptor or no memory: the callers would wake it all the time."""
KEEP_ALIVE_S, KEEP_ALIVE_AGAIN_S, KEEP_ALIVE_TRIES = 60, 10, 3
"""A far end that has vanished without a word is found out after 90 s, and its place is free again."""

_EXHAUSTED = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))
_PTY_MAJORS = range(136, 144)
_PTY_MASTER = os.makedev(5, 2)
_PARITY_CHECK = termios.INPCK | termios.IGNPAR
_BAUD = {rate: getattr(termios, f"B{rate}") for rate in (300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200)}


class _Descriptor:
    """What TCP and serial channels share: non-blocking reads, and writes that queue what the kernel does not take."""

    def __init__(self, loop: EpollLoop, descriptor: int, name: str) -> None:
        self.name = name
        self.dropped = 0
        self._loop = loop
        self._descriptor = descriptor
        self._unsent = bytearray()
        self._is_closed = self._is_over = self._is_given_back = False
        self._arrival: Action | None = None
        os.set_blocking(descriptor, False)

    def on_arrival(self, action: Callable[[], None] | None) -> None:
        """Call `action` whenever octets have come or the far end has gone; None: nobody."""
        self._arrival = action
        if action is None:
            self._loop.unwatch_readable(self._descriptor)
        elif self._is_closed or self._is_over:
            self._loop.call_at(0, action)
        else:
            self._loop.watch(self._descriptor, action)

    @property
    def unsent(self) -> int:
        """Octets that the kernel does not take yet."""
        return len(self._unsent)

    @property
    def is_closed(self) -> bool:
        """True once the far end is gone for good."""
        return self._is_closed or self._is_over

    def write(self, octets: bytes) -> None:
        """Send `octets`; what the kernel does not take now waits, up to `UNSENT_OCTETS_MAX`."""
        if self._is_closed:
            self.dropped += len(octets)
            return
        if self._unsent:
            self._keep(octets)
            return
        try:
            sent = os.write(self._descriptor, octets)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.dropped += len(octets)
            self._fail()
            return
        if sent < len(octets):
            self._keep(octets[sent:])
            self._loop.watch_writable(self._descriptor, self._send_rest)

    def _keep(self, octets: bytes) -> None:
        room = UNSENT_OCTETS_MAX - len(self._unsent)
        self._unsent += octets[:room]
        self.dropped += max(0, len(octets) - room)

    def _send_rest(self) -> None:
        try:
            sent = os.write(self._descriptor, self._unsent)
        except BlockingIOError:
            return
        except OSError:
            self._fail()
            return
        del self._unsent[:sent]
        if not self._unsent:
            self._loop.unwatch_writable(self._descriptor)

    def _fail(self) -> None:
        """The far end or the device is gone for good: whatever the reason, nothing can be sent or read any more."""
        if self._is_closed:
            return
        self.dropped += len(self._unsent)
        self._unsent.clear()
        self._loop.unwatch(self._descriptor)
        self._is_closed = True
        if self._arrival is not None:
            self._loop.call_at(0, self._arrival)

    def close(self) -> None:
        """Give the descriptor back."""
        self._is_closed = True
        if not self._is_given_back:
            self._is_given_back = True
            self._loop.unwatch(self._descriptor)
            self._give_back()

    def _give_back(self) -> None:
        os.close(self._descriptor)


class TcpChannel(_Descriptor):
    """One TCP connection."""

    def __init__(self, loop: EpollLoop, connection: socket.socket, name: str) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _watch_over(connection)
        super().__init__(loop, connection.fileno(), name)
        self._connection = connection
        self._recv = connection.recv

    def read(self) -> bytes:
        """Octets that have arrived, b"" when none have or the connection is over."""
        if self._is_closed or self._is_over:
            return b""
        try:
            octets = self._recv(READ_OCTETS_MAX)
        except BlockingIOError:
            return b""
        except OSError:
            self._fail()
            return b""
        if not octets:  # the far end asks nothing more, but may still be waiting for answers
            self._is_over = True
            self._loop.unwatch_readable(self._descriptor)
        return octets

    def _give_back(self) -> None:
        self._connection.close()


def _watch_over(connection: socket.socket) -> None:
    """Have the system look whether the far end is still there."""
    for level, option, value in (
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEP_ALIVE_S),
        (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEP_ALIVE_AGAIN_S),
        (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEP_ALIVE_TRIES),
        (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1000 * (KEEP_ALIVE_S + KEEP_ALIVE_AGAIN_S * KEEP_ALIVE_TRIES)),
    ):
        connection.setsockopt(level, option, value)


class TtyChannel(_Descriptor):
    """A serial line or one end of a pseudo-terminal, in raw mode.

    A pseudo-terminal whose far end nobody holds reads as silent, not as closed: the next opener is served. Whoever
    opens the far end may set echo, line editing or flow control on it, which would outlive him and spoil every
    exchange after his: so raw mode is looked after before each reply and after each arrival.
    """

    def __init__(self, loop: EpollLoop, descriptor: int, name: str) -> None:
        super().__init__(loop, descriptor, name)
        make_raw(descriptor)

    def write(self, octets: bytes) -> None:
        """Send `octets` on a raw line."""
        self._keep_raw()
        super().write(octets)

    def _keep_raw(self) -> None:
        with suppress(termios.error):  # a line that is gone shows in reading and writing
            if not _is_raw(termios.tcgetattr(self._descriptor)):
                make_raw(self._descriptor)

    def read(self) -> bytes:
        """Octets that have arrived, b"" when none have."""
        if self._is_closed:
            return b""
        try:
            octets = os.read(self._descriptor, READ_OCTETS_MAX)
        except BlockingIOError:
            return b""
        except OSError:
            octets = b""
        if not octets:  # hung up: the device was pulled out, or the other half of a pseudo-terminal is gone
            self._fail()
        else:
            self._keep_raw()
        return octets

    def configure(self, settings: LineSettings) -> None:
        """Set rate, parity and stop bits (the pseudo-terminal takes them without effect)."""
        configure_line(self._descriptor, settings, self.name)


def _is_raw(attributes: list[Any]) -> bool:
    """Whether a line so set takes and gives octets as they are."""
    return not (attributes[0] & ~(termios.IGNBRK | _PARITY_CHECK) or attributes[1] or attributes[3])


def make_raw(descriptor: int) -> None:
    """No echo, no line editing, no translation: octets as they are. Rate and parity stay."""
    attributes = termios.tcgetattr(descriptor)
    attributes[0] = termios.IGNBRK | attributes[0] & _PARITY_CHECK  # input
    attributes[1] = 0  # output
    attributes[2] |= termios.CLOCAL | termios.CREAD
    attributes[3] = 0  # local
    attributes[6][termios.VMIN], attributes[6][termios.VTIME] = 1, 0
    termios.tcsetattr(descriptor, termios.TCSANOW, attributes)


def configure_line(descriptor: int, settings: LineSettings, name: str) -> None:
    """Apply `settings`. Raises ConfigError and changes nothing when they are not supported."""
    if settings.baud not in _BAUD:
        raise ConfigError(f"{name} baud", settings.baud, ", ".join(map(str, _BAUD)))
    if settings.parity not in "EON":
        raise ConfigError(f"{name} parity", settings.parity, "E, O or N")
    attributes = termios.tcgetattr(descriptor)
    has_parity = settings.parity != "N" and not _is_pseudo_terminal(descriptor)
    control = attributes[2] & ~(termios.CSIZE | termios.PARENB | termios.PARODD | termios.CSTOPB)
    control |= termios.CS8 | termios.CLOCAL | termios.CREAD
    if has_parity:
        control |= termios.PARENB | (termios.PARODD if settings.parity == "O" else 0)
    if settings.stop_bits == 2:
        control |= termios.CSTOPB
    attributes[2] = control
    # An octet with wrong parity is dropped by the driver: the frame's checksum then fails and nobody answers.
    attributes[0] = termios.IGNBRK | (_PARITY_CHECK if has_parity else 0)
    attributes[4] = attributes[5] = _BAUD[settings.baud]
    try:
        termios.tcsetattr(descriptor, termios.TCSANOW, attributes)
    except termios.error as fault:
        raise ConfigError(name, str(settings), f"what the line's driver takes ({fault})") from fault


def _is_pseudo_terminal(descriptor: int) -> bool:
    """Whether this is an end of a pseudo-terminal: it has no parity, and asking for one is refused now and then."""
    device = os.fstat(descriptor).st_rdev
    return os.major(device) in _PTY_MAJORS or device == _PTY_MASTER


def open_serial(device: str, settings: LineSettings) -> int:
    """Descriptor of a serial device, raw, with `settings`. Raises DoorUnavailable or ConfigError."""
    try:
        descriptor = os.open(device, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as fault:
        raise DoorUnavailable(
            device, f"{fault.strerror}; name a serial device that exists and may be opened"
        ) from fault
    try:
        make_raw(descriptor)
        configure_line(descriptor, settings, device)
    except termios.error as fault:
        os.close(descriptor)
        raise DoorUnavailable(device, "not a serial device") from fault
    except ConfigError:
        os.close(descriptor)
        raise
    return descriptor


def open_pseudo_terminal() -> tuple[int, int, str]:
    """Master end, slave end and the slave's path; both raw. Holding the slave open keeps the line alive."""
    master, slave = os.openpty()
    make_raw(slave)
    return master, slave, os.ttyname(slave)


class TcpListener:
    """A listening socket that makes `TcpChannel`s."""

    def __init__(self, loop: EpollLoop, descriptor: int, name: str) -> None:
        self._loop = loop
        self._name = name
        self._socket = socket.socket(fileno=descriptor)
        self._socket.setblocking(False)
        host, port = self._socket.getsockname()[:2]
        self.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._action: Callable[[OctetChannel], None] | None = None
        self._number = 0

    def on_connection(self, action: Callable[[OctetChannel], None]) -> None:
        """Call `action` with each new channel."""
        self._action = action
        self._loop.watch(self._socket.fileno(), self._accept)

    def _accept(self) -> None:
        assert self._action is not None
        for _ in range(ACCEPTS_A_ROUND_MAX):
            try:
                connection, _peer = self._socket.accept()
            except BlockingIOError:
                return
            except OSError as fault:  # the peer has already gone: the next round tries again
                if fault.errno in _EXHAUSTED:
                    self._loop.unwatch(self._socket.fileno())
                    self._loop.call_at(time.monotonic_ns() + ACCEPT_AGAIN_NS, self._open_again)
                return
            self._number += 1
            self._action(TcpChannel(self._loop, connection, f"{self._name}/{self._number}"))

    def _open_again(self) -> None:
        if self._socket.fileno() >= 0:
            self._loop.watch(self._socket.fileno(), self._accept)

    def close(self) -> None:
        """Shut the door."""
        if self._socket.fileno() >= 0:
            self._loop.unwatch(self._socket.fileno())
            self._socket.close()


def listen_tcp(host: str, port: int, what: str, backlog: int = 1024) -> socket.socket:
    """A bound, listening socket; port 0 takes a free one. Raises DoorUnavailable with a sentence."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.socket(family, socket.SOCK_STREAM)
    except OSError as fault:
        raise DoorUnavailable(f"{what} {host}:{port}", f"{fault.strerror}; give an address of this machine") from fault
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(backlog)
    except OSError as fault:
        listener.close()
        hint = "another program has it; choose another port, or 0 for a free one"
        why = hint if fault.errno == errno.EADDRINUSE else f"{fault.strerror}"
        raise DoorUnavailable(f"{what} {host}:{port}", why) from fault
    return listener
