"""Octet channels of a Linux machine: the exam, resets, slow readers, hang-ups, doors."""

from __future__ import annotations

import errno
import os
import socket
import struct
import termios

import pytest

from wattwheel.drivers.linux.loop import EpollLoop
from wattwheel.drivers.linux.octets import (
    UNSENT_OCTETS_MAX,
    TcpChannel,
    TcpListener,
    TtyChannel,
    configure_line,
    listen_tcp,
    open_pseudo_terminal,
    open_serial,
)
from wattwheel.hil.octets import LineSettings
from wattwheel.model.errors import ConfigError, DoorUnavailable
from wattwheel.testing.conformance import check_octet_channel

ROUNDS_MAX = 2000


@pytest.fixture
def loop():
    loop = EpollLoop()
    yield loop
    loop.close()


def step_until(loop, condition):
    for _ in range(ROUNDS_MAX):
        if condition():
            return
        loop.step(0.01)
    raise AssertionError("waited in vain")


def tcp_pair(loop):
    with listen_tcp("127.0.0.1", 0, "door") as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    return TcpChannel(loop, near, "near"), TcpChannel(loop, far, "far")


def pty_pair(loop):
    master, slave, path = open_pseudo_terminal()
    return TtyChannel(loop, master, path), TtyChannel(loop, slave, path)


@pytest.mark.parametrize(("make_pair", "is_closable"), [(tcp_pair, True), (pty_pair, False)], ids=["tcp", "pty"])
def test_exam(loop, make_pair, is_closable):
    check_octet_channel(lambda: make_pair(loop), lambda: loop.step(0.005), is_closable)


def test_a_reset_connection_is_closed_and_reading_and_closing_it_again_are_harmless(loop):
    """A client that vanishes with a reset must cost its own connection only."""
    near, far = tcp_pair(loop)
    calls = []

    def arrived():
        calls.append((far.read(), far.is_closed))

    far.on_arrival(arrived)
    near._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    near.close()
    step_until(loop, lambda: far.is_closed)
    far.close()
    for _ in range(3):
        loop.step(0.01)
    assert far.read() == b""
    assert all(octets == b"" for octets, _ in calls)
    far.write(b"nobody")
    assert far.dropped == 6
    far.close()


def test_a_dead_connection_does_not_keep_the_loop_awake(loop):
    near, far = tcp_pair(loop)
    calls = []
    far.on_arrival(lambda: calls.append(far.read()))
    far.write(bytes(100))  # unread octets at its far end turn the close into a reset
    near.close()
    step_until(loop, lambda: far.is_closed)
    for _ in range(5):
        loop.step(0)
    settled = len(calls)
    for _ in range(20):
        loop.step(0)
    assert len(calls) == settled
    far.close()


def test_what_a_slow_reader_leaves_is_bounded_counted_and_in_order(loop):
    near, far = tcp_pair(loop)
    sent = 0
    while near.dropped == 0:
        near.write(sent.to_bytes(4, "big") * 1024)
        sent += 1
    assert len(near._unsent) == UNSENT_OCTETS_MAX
    got = bytearray()
    for _ in range(ROUNDS_MAX):
        loop.step(0.01)
        got += far.read()
        if len(got) + near.dropped == sent * 4096:
            break
    assert len(got) + near.dropped == sent * 4096
    for at in range(0, len(got) - 3, 4):
        assert got[at : at + 4] == (at // 4096).to_bytes(4, "big")
    assert near._descriptor not in loop._writers
    near.close()
    far.close()


def test_a_gone_reader_is_found_out_by_writing(loop):
    near, far = tcp_pair(loop)
    told = []
    near.on_arrival(lambda: told.append(near.is_closed))
    far.close()
    for _ in range(ROUNDS_MAX):
        near.write(bytes(1000))
        if near.is_closed:
            break
        loop.step(0.001)
        near.read()
    assert near.is_closed
    assert near.dropped >= 1000
    near.close()


@pytest.mark.parametrize("number", [errno.EHOSTUNREACH, errno.ENETDOWN, errno.EIO, errno.ENODEV, errno.ETIMEDOUT])
def test_whatever_the_failure_only_the_channel_ends(loop, monkeypatch, number):
    near, far = tcp_pair(loop)

    def recv(_size):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(near, "_recv", recv)
    assert near.read() == b""
    assert near.is_closed
    near.close()
    far.close()


def test_a_half_read_connection_still_gives_what_came_before_the_end(loop):
    near, far = tcp_pair(loop)
    near.write(b"last words")
    near.close()
    got = b""
    for _ in range(ROUNDS_MAX):
        loop.step(0.01)
        got += far.read()
        if far.is_closed:
            break
    assert got == b"last words"
    far.close()


def test_a_pseudo_terminal_outlives_its_openers(loop):
    master, slave, path = open_pseudo_terminal()
    channel = TtyChannel(loop, master, path)
    for words in (b"one", b"two"):
        with open(path, "r+b", buffering=0) as opener:
            opener.write(words)
            got = b""
            for _ in range(ROUNDS_MAX):
                got += channel.read()
                if got == words:
                    break
                loop.step(0.01)
            assert got == words
        assert not channel.is_closed
    os.close(slave)
    step_until(loop, lambda: channel.read() == b"" and channel.is_closed)
    channel.close()
    channel.close()
    with pytest.raises(OSError):
        os.fstat(master)


def test_octets_pass_a_pseudo_terminal_as_they_are(loop):
    near, far = pty_pair(loop)
    octets = bytes(range(256)) + b"\r\n\x03\x04\x11\x13\x1a"
    for source, target in ((near, far), (far, near)):
        source.write(octets)
        got = b""
        for _ in range(ROUNDS_MAX):
            loop.step(0.01)
            got += target.read()
            if len(got) >= len(octets):
                break
        assert got == octets
    near.close()
    far.close()


def spoiled(cooked):
    """Sets what a terminal has, or what flow control needs, on an end of a line."""

    def spoil(descriptor):
        attributes = termios.tcgetattr(descriptor)
        for place, bits in cooked.items():
            attributes[place] |= bits
        termios.tcsetattr(descriptor, termios.TCSANOW, attributes)

    return spoil


EVERY_OCTET = bytes(range(256))


@pytest.mark.parametrize(
    "cooked",
    [
        {3: termios.ECHO | termios.ICANON | termios.ISIG | termios.IEXTEN, 1: termios.OPOST | termios.ONLCR},
        {0: termios.IXON | termios.IXOFF},
        {0: termios.ICRNL | termios.ISTRIP},
    ],
    ids=["terminal", "flow control", "translation"],
)
def test_what_a_client_set_on_a_pseudo_terminal_spoils_no_reply(loop, cooked):
    master, slave, path = open_pseudo_terminal()
    meter = TtyChannel(loop, master, path)
    spoil = spoiled(cooked)
    for before_the_question in (True, False):
        client = os.open(path, os.O_RDWR | os.O_NOCTTY)  # no mode set of his own: he takes the line as he finds it
        if before_the_question:
            spoil(client)
        os.write(client, b"question")
        asked = bytearray()
        step_until(loop, lambda asked=asked: asked.extend(meter.read()) or b"question" in asked)
        if not before_the_question:
            spoil(client)
        meter.write(EVERY_OCTET)
        told = bytearray()
        while len(told) < len(EVERY_OCTET):
            told += os.read(client, 999)
        assert bytes(told) == EVERY_OCTET
        os.close(client)
    assert meter.read() == b""  # no echo
    os.close(master)
    os.close(slave)


def test_raw_mode_keeps_the_parity_check_of_a_line(loop):
    master, slave, path = open_pseudo_terminal()
    spoiled({0: termios.INPCK | termios.IGNPAR})(slave)
    TtyChannel(loop, slave, path).write(b"octets")
    assert termios.tcgetattr(slave)[0] & (termios.INPCK | termios.IGNPAR) == termios.INPCK | termios.IGNPAR
    os.close(master)
    os.close(slave)


def test_a_far_end_that_vanishes_is_looked_for(loop):
    near, far = tcp_pair(loop)
    connection = near._connection
    assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60
    assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 90_000
    near.close()
    far.close()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (LineSettings(baud=1234), "baud: found 1234; allowed: 300, 600"),
        (LineSettings(parity="X"), "parity: found 'X'; allowed: E, O or N"),
    ],
)
def test_line_settings_that_are_not_there_are_refused_and_change_nothing(settings, words):
    master, slave, path = open_pseudo_terminal()
    before = termios.tcgetattr(slave)
    with pytest.raises(ConfigError, match=words):
        configure_line(slave, settings, path)
    assert termios.tcgetattr(slave) == before
    os.close(master)
    os.close(slave)


@pytest.mark.parametrize(
    "settings", [LineSettings(2400, "E", 1), LineSettings(9600, "N", 2), LineSettings(300, "O", 1)]
)
def test_line_settings_reach_the_driver(settings):
    master, slave, path = open_pseudo_terminal()
    configure_line(slave, settings._replace(parity="N"), path)
    attributes = termios.tcgetattr(slave)
    assert attributes[4] == attributes[5] == getattr(termios, f"B{settings.baud}")
    assert bool(attributes[2] & termios.CSTOPB) == (settings.stop_bits == 2)
    assert attributes[2] & termios.CSIZE == termios.CS8
    os.close(master)
    os.close(slave)


@pytest.mark.parametrize("parity", ["E", "O", "N"])
def test_a_pseudo_terminal_takes_any_settings_each_time_it_is_opened(parity):
    """The C library refuses to set nothing but a parity that a pseudo-terminal does not have."""
    master, slave, path = open_pseudo_terminal()
    for _ in range(3):
        os.close(open_serial(path, LineSettings(115_200, parity)))
        configure_line(master, LineSettings(9600, parity), "master")
    os.close(master)
    os.close(slave)


def test_a_device_that_is_no_line_is_refused(tmp_path):
    with pytest.raises(DoorUnavailable, match="No such file"):
        open_serial(str(tmp_path / "nothing"), LineSettings())
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DoorUnavailable, match="not a serial device"):
        open_serial(str(tmp_path / "file"), LineSettings())


def test_a_door_makes_channels(loop):
    listener = TcpListener(loop, listen_tcp("127.0.0.1", 0, "door").detach(), "door")
    host, _, port = listener.address.partition(":")
    channels = []
    listener.on_connection(channels.append)
    clients = [socket.create_connection((host, int(port))) for _ in range(70)]
    step_until(loop, lambda: len(channels) == 70)
    assert len({channel.name for channel in channels}) == 70
    clients[3].sendall(b"hello")
    heard = []
    for channel in channels:
        channel.on_arrival(lambda channel=channel: heard.append((channel.name, channel.read())))
    step_until(loop, lambda: heard)
    assert [octets for _, octets in heard] == [b"hello"]
    listener.close()
    listener.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)))
    for end in (*clients, *channels):
        end.close()


def test_a_door_that_is_taken_is_refused_with_what_to_do():
    with listen_tcp("127.0.0.1", 0, "door") as taken:
        port = taken.getsockname()[1]
        with pytest.raises(DoorUnavailable, match=f"door 127.0.0.1:{port}: another program has it"):
            listen_tcp("127.0.0.1", port, "door")
    with pytest.raises(DoorUnavailable):
        listen_tcp("192.0.2.1", 0, "door")


def test_an_address_of_the_newer_kind_stands_in_brackets(loop, monkeypatch):
    descriptor = listen_tcp("127.0.0.1", 0, "door").detach()
    monkeypatch.setattr(socket.socket, "getsockname", lambda self: ("::1", 6450, 0, 0))
    listener = TcpListener(loop, descriptor, "door")
    assert listener.address == "[::1]:6450"
    listener.close()


def test_a_far_end_that_asks_nothing_more_still_hears_its_answer(loop):
    near, far = tcp_pair(loop)
    calls = []
    far.on_arrival(lambda: calls.append(far.read()))
    near.write(b"the last question")
    near._connection.shutdown(socket.SHUT_WR)
    step_until(loop, lambda: far.is_closed)
    assert b"".join(calls) == b"the last question"
    calls.clear()
    for _ in range(10):
        loop.step(0)
    assert not calls, "an ended connection does not keep the loop awake"
    far.write(b"the answer")
    heard = []
    near.on_arrival(lambda: heard.append(near.read()))
    step_until(loop, lambda: heard)
    assert heard[0] == b"the answer"
    far.close()
    near.close()


def test_a_door_without_a_free_descriptor_waits_for_one_and_does_not_keep_the_loop_awake(loop):
    with listen_tcp("127.0.0.1", 0, "door") as listener:
        door = TcpListener(loop, os.dup(listener.fileno()), "door")
        made = []
        door.on_connection(made.append)
        caller = socket.create_connection(listener.getsockname())
    tries = []

    class Exhausted:
        def __init__(self, inner):
            self._inner = inner

        def __getattr__(self, name):
            return getattr(self._inner, name)

        def accept(self):
            tries.append(1)
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    real = door._socket
    door._socket = Exhausted(real)
    for _ in range(20):
        loop.step(0)
    assert len(tries) == 1
    door._socket = real
    step_until(loop, lambda: made)
    door._socket = Exhausted(real)
    another = socket.create_connection(caller.getpeername())
    step_until(loop, lambda: len(tries) == 2)
    door.close()  # while it waits
    for _ in range(15):
        loop.step(0.01)
    assert len(tries) == 2
    for end in (caller, another, *made):
        end.close()
