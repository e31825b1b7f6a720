"""A channel under fuzz: replies that are right pass, and everything else is told. The meter's end is a socket pair."""

import socket

import pytest

from wattwheel.drivers.linux.clock import LinuxClock
from wattwheel.drivers.linux.loop import EpollLoop
from wattwheel.testing.drills.channel import Channel, exchange
from wattwheel.testing.drills.head_end import Stream
from wattwheel.testing.drills.mutations import frame
from wattwheel.testing.drills.oracle import Oracle

ADDRESS = "202611200001"
WIRE = bytes.fromhex(ADDRESS)[::-1]
VOLTAGE, ENERGY = (0x02010100).to_bytes(4, "little"), (0x00010000).to_bytes(4, "little")
FE = b"\xfe" * 4
VOLTAGE_REPLY = FE + frame(WIRE, 0x91, VOLTAGE + b"\x00\x22")
ENERGY_REPLY = FE + frame(WIRE, 0x91, ENERGY + b"\x01\x00\x00\x00")


class Bench:
    def __init__(self, own, far):
        self.far, self.failed, self.heard = far, [], []
        self.channel = Channel(
            "bench",
            Stream(own.fileno(), own),
            ADDRESS,
            4,
            lambda *f: self.failed.append(f),
            lambda *v: self.heard.append(v),
        )

    def ask(self, replies):
        """Ask for voltage and energy; the far end has `replies` ready."""
        octets = frame(WIRE, 0x11, VOLTAGE) + frame(WIRE, 0x11, ENERGY)
        self.channel.begin(octets, Oracle(ADDRESS, [0x02010100, 0x00010000]).replies(octets))
        self.far.sendall(replies)
        exchange([self.channel], LinuxClock(EpollLoop()), lambda *f: self.failed.append(f), patience_s=0.0)
        assert self.far.recv(1000) == octets
        return sorted({check for check, _ in self.failed})


@pytest.fixture
def bench():
    own, far = socket.socketpair()
    bench = Bench(own, far)
    yield bench
    bench.channel.stream.close()
    far.close()


def test_right_replies(bench):
    assert bench.ask(VOLTAGE_REPLY + ENERGY_REPLY) == []
    assert bench.heard == [(0x02010100, b"\x00\x22"), (0x00010000, b"\x01\x00\x00\x00")]
    assert bench.channel.answered == 2


@pytest.mark.parametrize(
    ("replies", "failed"),
    [
        (ENERGY_REPLY + VOLTAGE_REPLY, ["wrong reply"]),
        (VOLTAGE_REPLY, ["unanswered"]),
        (VOLTAGE_REPLY[:-2] + b"\x00\x16" + ENERGY_REPLY, ["stray octets", "unanswered", "wrong reply"]),
        (VOLTAGE_REPLY + ENERGY_REPLY + VOLTAGE_REPLY, ["unasked reply"]),
        (VOLTAGE_REPLY + b"\x00" + ENERGY_REPLY, ["stray octets"]),
        (VOLTAGE_REPLY[1:] + ENERGY_REPLY, ["wrong reply"]),
        (FE + frame(WIRE, 0xD1, b"\x02") + ENERGY_REPLY, ["wrong reply"]),
        (FE + frame(b"\x01" * 6, 0x91, VOLTAGE + b"\x00\x22") + ENERGY_REPLY, ["wrong reply"]),
    ],
    ids=["swapped", "missing", "damaged", "doubled", "noise", "preamble", "refused", "address"],
)
def test_wrong_replies(bench, replies, failed):
    assert bench.ask(replies) == failed


def test_a_meter_that_hangs_up(bench):
    bench.channel.begin(b"", Oracle(ADDRESS, []).replies(frame(WIRE, 0x13, b"")))
    bench.far.shutdown(socket.SHUT_WR)
    exchange([bench.channel], LinuxClock(EpollLoop()), lambda *f: bench.failed.append(f))
    assert [check for check, _ in bench.failed] == ["channel", "unanswered"]
