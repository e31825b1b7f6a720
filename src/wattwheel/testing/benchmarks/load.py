"""The load of the read benchmarks: closed loop, raw sockets, every reply checked. A program of its own.

`python load.py HOST PORT CONNECTIONS SECONDS ADDRESS` prints one JSON line. It imports nothing of the package, so that
the same program loads every server.
"""

import json
import select
import socket
import sys
import time
from typing import Any

IDENTIFIERS = ("00010000", "00020000", "00050000", "00060000")
READ_REPLY = 0x91
REPLY_OCTETS, OVERHEAD_OCTETS = 20, 12
WARM_UP = 0.15  # share of the time that is not counted


def plus(octets: bytes) -> bytes:
    """The 33H step."""
    return bytes((octet + 0x33) & 0xFF for octet in octets)


def request(address: str, identifier: str) -> bytes:
    """Octets of a read of `identifier`, without a preamble."""
    body = b"\x68" + bytes.fromhex(address)[::-1] + b"\x68\x11\x04" + plus(bytes.fromhex(identifier)[::-1])
    return body + bytes([sum(body) & 0xFF, 0x16])


def good_head(address: str, identifier: str) -> bytes:
    """How the good answer to a read of `identifier` begins: address, control code, length, identifier."""
    head = b"\x68" + bytes.fromhex(address)[::-1] + bytes((0x68, READ_REPLY, REPLY_OCTETS - OVERHEAD_OCTETS))
    return head + plus(bytes.fromhex(identifier)[::-1])


def is_good(reply: bytes, head: bytes) -> bool:
    """Whether `reply` is one whole frame that begins with `head`, its sum right."""
    body = reply.lstrip(b"\xfe")
    return body.startswith(head) and len(body) == REPLY_OCTETS and sum(body[:-2]) & 0xFF == body[-2]


def run(host: str, port: int, connections: int, seconds: float, address: str) -> dict[str, Any]:
    """Figures of one run: answered reads a second, p50 and p99 in microseconds, and replies that were not good."""
    asks = [(request(address, identifier), good_head(address, identifier)) for identifier in IDENTIFIERS]
    poll = select.epoll()
    channels: dict[int, list[Any]] = {}  # channel, number of its question, when it was asked
    for number in range(connections):
        channel = socket.create_connection((host, port), timeout=10)
        channel.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        channel.setblocking(False)
        poll.register(channel.fileno(), select.EPOLLIN)
        channels[channel.fileno()] = [channel, number % len(asks), 0]
    clock = time.perf_counter_ns
    begin = clock()
    counted_from, until = begin + int(seconds * WARM_UP * 1e9), begin + int(seconds * (1 + WARM_UP) * 1e9)
    for state in channels.values():
        state[2] = clock()
        state[0].send(asks[state[1]][0])
    waits: list[int] = []
    bad = 0
    while (now := clock()) < until:
        for descriptor, _ in poll.poll(1):
            state = channels[descriptor]
            reply = state[0].recv(4096)
            now = clock()
            if not reply:
                raise SystemExit("the server closed a connection")
            if not is_good(reply, asks[state[1]][1]):
                bad += 1
            elif now >= counted_from:
                waits.append(now - state[2])
            state[1] = (state[1] + 1) % len(asks)
            state[2] = clock()
            state[0].send(asks[state[1]][0])
    waits.sort()
    count = len(waits)
    return {
        "reads_per_s": count / ((until - counted_from) / 1e9),
        "p50_us": waits[count // 2] / 1e3 if count else None,
        "p99_us": waits[count * 99 // 100] / 1e3 if count else None,
        "bad": bad,
        "reads": count,
    }


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), sys.argv[5])))
